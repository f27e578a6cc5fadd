"""Runs that have to fail in words, with every file as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from support.project import Project, Run

PASSWORD = "hunter2"  # noqa: S105
# Else pip waits between its attempts, and asks for a password.
IMPATIENT = {"PIP_RETRIES": "0", "PIP_DEFAULT_TIMEOUT": "1"}


def fill(project: Project, files: Mapping[str, str | None]) -> None:
    """Write files as they stand, a lone surrogate for a byte that is no UTF-8."""
    for name, text in files.items():
        path = project.root / name
        if text is None:
            path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode("utf-8", "surrogateescape"))


def refused(project: Project, *args: str, env: Mapping[str, str] | None = None) -> Run:
    """Run nox and see that it fails in words, shows no path and no secret, and changes nothing."""
    before = project.snapshot()
    run = project.nox(*args, env=env).failed()
    assert run.returncode == 1, run.output
    assert project.snapshot() == before
    # nox itself warns with the noxfile's path of a session that is defined twice.
    said = [line for line in run.output.splitlines() if "FutureWarning" not in line]
    for hidden in (str(project.root), str(project.home), PASSWORD):
        assert not [line for line in said if hidden in line]
    return run

"""A `uv.toml` that a stranger has put beside a lock file: uv obeys it, and the hashes decide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.sdists import build_sdist
from support.stranger import MARKER, NOXFILE, RUNS
from support.verdicts import INPUT

if TYPE_CHECKING:
    from support.index import LocalIndex
    from support.project import Project


def test_another_index_for_uv(project: Project, index: LocalIndex) -> None:
    index.publish("app", "1.0")
    project.write("noxfile.py", NOXFILE.format(more=', venv_backend="uv"'))
    project.write(INPUT, "app>=1,<2\n")
    project.nox("-s", "lock").ok()
    links = project.root / "links"
    links.mkdir()
    build_sdist(links, "app", "1.0", code=RUNS)
    project.write("uv.toml", '[[index]]\nname = "evil"\nurl = "./links"\nformat = "flat"\n')
    env = {"CI": "1", "STRANGER": str(project.root)}
    run = project.nox("-s", "tests", env=env).failed()
    assert "not all that is locked could be installed" in run.output
    assert not project.exists(MARKER), f"code ran.\n{run.output}"
    project.nox("-s", "tests", env={**env, "UV_NO_CONFIG": "1"}).ok()
    assert not project.exists(MARKER)

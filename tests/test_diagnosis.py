"""Failures of a compile are told apart: on outputs of real runs (see `support.record`)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from nox_lock._diagnosis import KINDS, diagnose
from nox_lock._index_log import index_failure, mask
from nox_lock._requirements import read_inputs
from support.record import DATA, SCENES, read

if TYPE_CHECKING:
    from pathlib import Path

    from nox_lock._errors import CompileError

OTHER = "other.example/simple"


@dataclass(frozen=True)
class Told:
    """What has to be said: the kind, words of the message, and the place."""

    kind: str
    words: tuple[str, ...] = ()
    line: int | None = None
    never: tuple[str, ...] = ()


TOLD = {
    "unknown": Told("unknown project", ("'no-such-project'",), 2),
    "unknown-seeded": Told("unknown project", ("'no-such-project'",), 2),
    "unknown-deep": Told("unknown project", ("'nowhere-to-be-found'", "deep"), 2),
    "unknown-gone": Told("unknown project", ("'app'",), 1),
    "version": Told("no version", ("dep==99", "1.0, 2.0"), 2),
    "version-seeded": Told("no version", ("dep==99", "1.0, 2.0"), 2),
    "python": Told("python", ("future", ">=3.99"), 2),
    "python-page": Told("python", ("future", ">=3.99"), 1),
    "conflict-two": Told(
        "conflict",
        ("old 1.0 depends on dep<2 (requirements.in:2)", "new 1.0", "(requirements.in:3)"),
    ),
    "conflict-seeded": Told(
        "conflict",
        ("old 1.0 depends on dep<2 (requirements.in:2)", "new 1.0", "(requirements.in:3)"),
        never=("(constraint)",),
    ),
    "conflict-same": Told("conflict", ("dep<2 (requirements.in:2)", "dep>=2 (requirements.in:3)")),
    "conflict-constraint": Told("conflict", ("(requirements.in:2)", "dep>=2 (limits.txt:2)")),
    "conflict-mixed": Told(
        "conflict", ("dep>=2 (requirements.in:3)", "old 1.0 depends on dep<2 (requirements.in:2)")
    ),
    "build": Told("build", ("broken", "build failed"), 2),
    "syntax": Told("syntax", ("dep ==",), 2),
    "option": Told("syntax", ("--bogus x",)),
    "tool": Told("tool", ("click",)),
    "url-refused": Told("index", ("other.example",), never=("main.example",)),
    "url-404": Told("index", ("other.example", "404"), never=("main.example",)),
    "index-refused": Told("index", (OTHER, "connection refused")),
    "index-refused-only": Told("index", (OTHER, "connection refused")),
    "index-refused-seeded": Told("index", (OTHER, "connection refused")),
    "index-401": Told("index", (OTHER, "401", "password")),
    "index-403": Told("index", (OTHER, "403")),
    "index-500": Told("index", (OTHER, "500")),
    "index-garbage": Told("index", (OTHER, "text/plain")),
    "index-truncated": Told("index", (OTHER,)),
    "index-silent": Told("index", (OTHER, "in time")),
    "index-tls": Told("index", (OTHER, "TLS")),
    "index-name": Told("index", ("nowhere.invalid", "name cannot be resolved")),
    "index-plain-http": Told("index", ("nowhere.invalid", "trusted")),
}
HARMLESS = ["index-404"]


def told_of(name: str, folder: Path) -> CompileError | None:
    """Return what is said of a recording, as the compile asks for it."""
    parts = read(name)
    for file, text in parts.items():
        (folder / file).write_text(text, encoding="utf-8")
    if parts["status"] == "0\n":
        return index_failure("", parts["pip.log"])
    scene = SCENES[name]
    try:
        inputs = read_inputs(["requirements.in"], folder, {})
    except Exception:  # noqa: BLE001  (one that nox-lock itself would have refused)
        (folder / "requirements.in").write_text("app\n", encoding="utf-8")
        inputs = read_inputs(["requirements.in"], folder, {})
    assert scene.files
    return diagnose(parts["output"], parts["pip.log"], inputs)


@pytest.mark.parametrize("name", TOLD)
def test_a_failure_is_told_apart(name: str, tmp_path: Path) -> None:
    error, told = told_of(name, tmp_path), TOLD[name]
    assert error is not None
    assert error.kind == told.kind, str(error)
    assert [words for words in told.words if words not in str(error)] == [], str(error)
    assert [words for words in told.never if words in str(error)] == [], str(error)
    assert (error.file, error.line) == (told.line and "requirements.in", told.line), str(error)
    assert "Traceback" not in str(error)
    assert "pip._" not in str(error)


@pytest.mark.parametrize("name", HARMLESS)
def test_what_is_no_failure_is_none(name: str, tmp_path: Path) -> None:
    assert told_of(name, tmp_path) is None


def test_every_recording_is_judged() -> None:
    names = {path.stem for path in DATA.glob("*.txt")}
    assert names == set(SCENES) == {*TOLD, *HARMLESS}
    assert {told.kind for told in TOLD.values()} <= set(KINDS)


def test_recordings_hold_nothing_of_a_machine() -> None:
    for path in DATA.glob("*.txt"):
        text = path.read_text(encoding="utf-8")
        places = re.findall(r"127\.0\.0\.1|localhost|[\s'\"(=]/(?!simple/|packages/)\w+/\w+", text)
        assert not places, path.name


INPUT = "app\ndep\n"


def said(output: str, log: str, folder: Path) -> str:
    (folder / "requirements.in").write_text(INPUT, encoding="utf-8")
    return str(diagnose(output, log, read_inputs(["requirements.in"], folder, {})))


PAGE = "Could not fetch URL https://user:secret@other.example/simple/app/: "


def test_passwords_are_masked(tmp_path: Path) -> None:
    log = (
        f"{PAGE}401 Client Error: Unauthorized for url: https://u:secret@other.example/ - skipping"
    )
    assert "secret" not in said("", log, tmp_path)
    odd = f"{PAGE}https://user:secret@other.example/ is odd - skipping"
    assert "secret" not in said("", odd, tmp_path)
    for output in (
        "ERROR: https://user:secret@other.example/x is odd",
        "Invalid requirement: x @ https://user:secret@other.example/x",
        "ModuleNotFoundError: https://user:secret@other.example/x",
        "Failed to build 'app'\nerror: https://user:secret@other.example/x",
        "satisfies the requirement app@ https://user:secret@h.example/x (from versions: none)",
    ):
        assert "secret" not in said(output, "", tmp_path), output
    assert (
        mask("a https://user:secret@h/ b http://token@h c") == "a https://****@h/ b http://****@h c"
    )


def test_nothing_said_is_said(tmp_path: Path) -> None:
    assert "it said nothing" in said("", "", tmp_path)
    assert said("  odd  \n\n", "", tmp_path).endswith("odd")


@pytest.mark.parametrize(
    ("statuses", "failed"),
    [
        ({"a": 404, "b": 404}, False),
        ({"a": 410}, False),
        ({"a": 403, "b": 404}, False),
        ({"a": 403, "b": 200}, False),
        ({"a": 403, "b": 403}, True),
        ({"a": 404, "b": 500}, True),
        ({"a": 200, "b": 502}, True),
        ({"a": 200, "b": 429}, True),
        ({"a": 404, "b": 401}, True),
        ({"a": 404, "b": 407}, True),
    ],
)
def test_answers_of_an_index(statuses: dict[str, int], *, failed: bool) -> None:
    lines = []
    for project, status in statuses.items():
        url = f"https://{OTHER}/{project}/"
        if status == 200:
            lines += [f"Fetched page {url} as x", f"  Found link x (from {url}), version: 1.0"]
            continue
        side = "Client" if status < 500 else "Server"
        lines.append(
            f"Could not fetch URL {url}: {status} {side} Error: X for url: {url} - skipping"
        )
    # Another that has everything does not make it good.
    for project in statuses:
        page = f"https://main.example/simple/{project}/"
        lines += [f"Fetched page {page} as x", f"  Found link x (from {page}), version: 1.0"]
    found = index_failure("", "\n".join(lines))
    assert (found is not None) is failed
    assert found is None or OTHER in str(found)


def test_every_failing_index_is_named() -> None:
    log = "".join(
        f"Could not fetch URL https://{host}/simple/app/: connection error: refused - skipping\n"
        for host in ("one.example", "two.example")
    )
    found = str(index_failure("", log))
    assert "one.example" in found
    assert "two.example" in found


def test_a_project_is_no_index_failure_because_of_its_name(tmp_path: Path) -> None:
    """Words of a failure in a project's name, or in what a build prints, are no failure."""
    output = (
        "ERROR: Could not find a version that satisfies the requirement "
        "readtimeouterror-ssl (from versions: none)\n"
    )
    assert "no package index has a project 'readtimeouterror-ssl'" in said(output, "", tmp_path)


def test_a_local_project_that_cannot_be_built_is_named_by_its_line(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "setup.py").write_text("", encoding="utf-8")
    (tmp_path / "requirements.in").write_text("app\n-e ./lib\n", encoding="utf-8")
    inputs = read_inputs(["requirements.in"], tmp_path, {})
    for looked in ("Obtaining file://lib", "Processing ./lib"):
        output = f"""\
  Collecting app (from -r requirements.in (line 1))
  {looked} (from -r requirements.in (line 2))
    error: subprocess-exited-with-error
pip._internal.exceptions.build.InstallationSubprocessError: Getting requirements exited with 1
"""
        error = diagnose(output, "", inputs)
        assert (error.kind, error.file, error.line) == ("build", "requirements.in", 2)
        assert error.message.startswith("./lib has to be built to be locked, and its build failed")
        assert error.hint == "See what is wrong with it: python -m pip wheel --no-deps ./lib"


def test_versions_for_other_pythons_are_no_excuse(tmp_path: Path) -> None:
    """Nobody has the version asked for: that some want another Python is beside the point."""
    output = """\
  ERROR: Ignored the following yanked versions: 1.1, 1.2
  ERROR: Ignored the following versions that require a different python version: \
2.0 Requires-Python >=3.99; 2.1 Requires-Python >=3.99
  ERROR: Could not find a version that satisfies the requirement dep{} (from versions: 1.0)
"""
    assert "no version meets dep==99; there are 1.0" in said(output.format("==99"), "", tmp_path)
    other = said(output.format(">=2"), "", tmp_path)
    assert "dep>=2 has no version for this Python: 2.0, 2.1 want Python >=3.99" in other
    withdrawn = said(output.format(">=1.1,<2"), "", tmp_path)
    assert "withdrawn (yanked): 1.1, 1.2" in withdrawn


def test_what_came_too_late_is_no_unknown_project(tmp_path: Path) -> None:
    """All of it may be younger than the cooldown allows."""
    output = "Could not find a version that satisfies the requirement dep (from versions: none)\n"
    log = (
        "Skipping link: Upload time 2026-01-01 00:00:00+00:00 not prior to 2025-01-01: "
        "https://main.example/packages/dep-1.0-py3-none-any.whl (from https://main.example/dep/)\n"
    )
    told = said(output, log, tmp_path)
    assert "no version meets dep; there are none" in told
    assert "younger than uploaded-prior-to allows: 1.0" in told
    assert "no package index has" not in told
    assert "no package index has a project 'dep'" in said(output, "", tmp_path)

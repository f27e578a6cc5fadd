"""`nox -s lock-check -- --deep`: what only an index knows, and what no file tells."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from support.locks import hashed_pin, stamp_all
from support.project import NOXFILE, Project, Run
from support.scripted import Answer, ScriptedIndex

if TYPE_CHECKING:
    from support.index import LocalIndex

LOCK = "requirements.txt"


@pytest.fixture
def locked(project: Project, index: LocalIndex) -> Project:
    app = hashed_pin(index.publish("app", "1.0", requires=["dep>=1"]), "-r requirements.in")
    dep = hashed_pin(index.publish("dep", "1.5"), "app")
    project.write("noxfile.py", NOXFILE)
    project.write("requirements.in", "app\n")
    stamp_all(project.root, {"requirements": app + dep})
    return project


def deep(project: Project, *options: str) -> Run:
    return project.nox("-s", "lock-check", "--", "--deep", *options)


def shallow(project: Project) -> str:
    """Return what a check says that asks nobody."""
    return project.nox("-s", "lock-check").ok().output


def edit(project: Project, old: str, new: str) -> None:
    text = project.read(LOCK)
    assert old in text
    project.write(LOCK, text.replace(old, new))


def test_what_holds_is_fresh_and_nothing_is_written(locked: Project, index: LocalIndex) -> None:
    before = locked.snapshot()
    index.publish("app", "2.0", requires=["dep>=1"])
    index.publish("dep", "1.6")
    run = deep(locked).ok()
    assert f"{LOCK}: fresh" in run.output
    assert "resolving for Python" in run.output
    assert locked.snapshot() == before


def test_a_dependency_that_is_not_in_the_lock(locked: Project) -> None:
    """As of another Python: no file says that app needs dep."""
    text = locked.read(LOCK)
    start = text.index("dep==1.5")
    locked.write(LOCK, text[:start])
    assert f"{LOCK}: fresh" in shallow(locked)
    before = locked.snapshot()
    said = deep(locked).failed().output
    assert f"{LOCK}: stale" in said
    assert f"dep==1.5 is not in the lock, but required by app ({LOCK})" in said
    assert "+dep==1.5" in said
    assert "Run: nox -s lock" in said
    assert locked.snapshot() == before


def test_a_hash_that_no_index_publishes(locked: Project) -> None:
    lines = locked.read(LOCK).splitlines()
    number, line = next((n, line) for n, line in enumerate(lines, 1) if "--hash" in line)
    right = line.rpartition(":")[2]
    edit(locked, right, "0" * 64)
    assert f"{LOCK}: fresh" in shallow(locked)
    said = deep(locked).failed().output
    assert f"{LOCK}: invalid" in said
    strange = f"no index publishes a file of app==1.0 with the hash sha256:{'0' * 64}"
    assert f"{strange} ({LOCK}:{number - 1})" in said
    assert f"-    --hash=sha256:{'0' * 64}" in said
    assert f"+    --hash=sha256:{right}" in said


def test_a_file_more_is_no_matter(locked: Project, index: LocalIndex) -> None:
    """An index may get a wheel of the same version for a new platform at any time."""
    [wheel] = index.folder.glob("dep-1.5-*.whl")
    (index.folder / "dep-1.5-py3-none-win32.whl").write_bytes(wheel.read_bytes() + b"\0")
    assert f"{LOCK}: fresh" in deep(locked).ok().output


def test_a_pin_that_vanished(locked: Project, index: LocalIndex) -> None:
    index.unpublish("dep", "1.5")
    index.publish("dep", "1.6")
    assert f"{LOCK}: fresh" in shallow(locked)
    said = deep(locked).failed().output
    assert "dep==1.5 is not what the inputs resolve to now" in said
    assert f"dep==1.6 is not in the lock, but required by app ({LOCK})" in said
    assert "-dep==1.5" in said
    assert "+dep==1.6" in said


def test_a_project_that_vanished(locked: Project, index: LocalIndex) -> None:
    index.unpublish("dep", "1.5")
    said = deep(locked).failed().output
    assert f"{LOCK}: stale" in said
    assert "it can no longer be resolved" in said
    assert "dep" in said


def test_a_yanked_pin(project: Project, index: LocalIndex) -> None:
    """PEP 592: whoever has it pinned gets it still, and is told."""
    wheel = index.publish("dep", "1.5")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    url = f"{index.url}../packages/{wheel.name}#sha256={digest}"
    link = f'<a href="{url}" data-yanked="eats data">{wheel.name}</a>'
    page = f"<!DOCTYPE html><html><body>{link}</body></html>"
    project.write("noxfile.py", NOXFILE)
    project.write("requirements.in", "dep\n")
    stamp_all(project.root, {"requirements": hashed_pin(wheel, "-r requirements.in")})
    with ScriptedIndex(Answer(404), {"dep": Answer(body=page.encode())}) as withdrawn:
        run = project.nox(
            *("-s", "lock-check", "--", "--deep", "--format=json"),
            env={"PIP_INDEX_URL": withdrawn.url},
        )
    [lock] = json.loads(run.ok().stdout)["locks"]
    assert lock["verdict"] == "fresh"
    [warning] = lock["warnings"]
    assert warning["message"] == "dep==1.5 was yanked: eats data"
    assert warning["file"] == LOCK
    assert project.read(LOCK).splitlines()[warning["line"] - 1].startswith("dep==1.5")


def test_an_index_that_fails_is_no_verdict(locked: Project) -> None:
    with ScriptedIndex(Answer(500)) as broken:
        env = {"PIP_INDEX_URL": broken.url, "PIP_RETRIES": "0"}
        run = locked.nox("-s", "lock-check", "--", "--deep", env=env).failed()
        report = locked.nox("-s", "lock-check", "--", "--deep", "--format=json", env=env).failed()
    assert "a package index failed" in run.output
    assert "500" in run.output
    assert "a package index failed" in json.loads(report.stdout)["error"]["message"]
    assert "stale" not in run.output


def test_layers_and_what_is_known_to_be_wrong(locked: Project, index: LocalIndex) -> None:
    locked.write("requirements-dev.in", "-r requirements.in\ntool\n")
    locked.write("requirements-other.in", "dep\n")
    app, dep = (next(index.folder.glob(f"{name}-*")) for name in ("app", "dep"))
    tool = index.publish("tool", "1.0", requires=["dep"])
    base = hashed_pin(app, "-r requirements.in")
    bodies = {
        "requirements": base + hashed_pin(dep, "app"),
        "dev": base + hashed_pin(dep, "app, tool") + hashed_pin(tool, "-r requirements-dev.in"),
        "other": hashed_pin(dep, "-r requirements-other.in"),
    }
    stamp_all(locked.root, bodies)
    shallow(locked)
    index.publish("dep", "1.6")
    locked.write("requirements-other.in", "dep>=1.6\n")
    run = deep(locked, "--format", "json").failed()
    words = {lock["lockfile"]: lock["verdict"] for lock in json.loads(run.stdout)["locks"]}
    assert words == {
        LOCK: "fresh",
        "requirements-dev.txt": "fresh",
        "requirements-other.txt": "stale",
    }
    # What is stale already is not resolved to hear so again.
    assert "requirements-other.txt: resolving" not in run.output


def test_a_lock_of_a_python_that_is_not_here(locked: Project) -> None:
    """It is resolved here all the same; where only that Python could, the check fails."""
    edit(locked, "with Python 3", "with Python 3.99 #")
    text = locked.read(LOCK)
    line = next(each for each in text.splitlines() if "3.99" in each)
    locked.write(LOCK, text.replace(line, line.partition(" #")[0]))
    assert f"{LOCK}: fresh, Python 3.99" in deep(locked).ok().output
    locked.write("pyproject.toml", "[tool.nox-lock]\npython = 'pypy3.99'\n")
    run = deep(locked).failed()
    assert f"{LOCK}: fresh, Python pypy3.99" in run.output
    assert "not resolved: Python pypy3.99 is not here" in run.output
    assert f"Session lock-check aborted: not resolved: {LOCK}" in run.output

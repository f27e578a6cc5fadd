"""The example's committed locks are fresh, in agreement, and hold the pins of its day."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nox_lock.target import parse_target
from support.locks import pins
from support.plans import plan_folder
from support.project import Project, interpreters
from support.pylocks import needs_select, pinned, selected

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "example_project"
LAYERS = ("prod", "staging", "dev")
PYTHONS = ("3.11", "3.12")
SYSTEMS = ("linux", "darwin", "win32")
LOCK_FILES = {f"{layer}-py{python}.txt" for layer in LAYERS[1:] for python in PYTHONS}
LOCK_FILES |= {f"prod-py{python}-{system}.txt" for python in PYTHONS for system in SYSTEMS}
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def alone(tmp_path: Path) -> str:
    """Return a PATH on which the running Python is the only one, and no more than that."""
    folder = tmp_path / "alone"
    folder.mkdir()
    (folder / f"python{HERE}").symlink_to(sys.executable)
    return str(folder)


@pytest.fixture
def copy(tmp_path: Path, home: Path) -> Iterator[Project]:
    shutil.copytree(EXAMPLE, tmp_path / "copy", ignore=shutil.ignore_patterns(".nox"))
    project = Project(tmp_path / "copy", home, env={"NOX_DOWNLOAD_PYTHON": "never"})
    yield project
    project.close()


def test_its_locks_are_fresh(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both as CI judges them, and as `nox -s lock` does, which has nothing to do."""
    monkeypatch.delenv("NOX_LOCK_CACHE_DIR")
    example = Project(EXAMPLE, home)
    before = example.snapshot()
    example.nox("-s", "lock-check", env={"CI": "1"}).ok()
    run = example.nox("-s", "lock").ok()
    assert run.output.count("up to date") == len(LOCK_FILES) + 1
    assert "pylock.prod.toml: up to date (13 pins)" in run.output
    assert example.snapshot() == before


def test_there_is_one_lock_file_for_each_layer_and_python() -> None:
    found = {path.name for path in (EXAMPLE / "requirements").glob("*.txt")}
    assert found == LOCK_FILES


@needs_select
def test_the_pylock_is_the_union_of_those_of_production() -> None:
    text = (EXAMPLE / "requirements" / "pylock.prod.toml").read_text(encoding="utf-8")
    used = {"prod": {parse_target(python) for python in PYTHONS}}
    files = [low for low in plan_folder(EXAMPLE, used=used, names=["prod"]) if low.name == "prod"]
    assert len(files) == len(PYTHONS) * len(SYSTEMS)
    for low in files:
        assert selected(text, low) == pinned(low)


@pytest.mark.parametrize("python", PYTHONS)
def test_each_layer_holds_the_pins_of_the_one_below(python: str) -> None:
    prod, staging, dev = (_pins(layer, python) for layer in LAYERS)
    assert prod.items() < staging.items() < dev.items()
    assert "flask-debugtoolbar" in staging.keys() - prod.keys()
    assert "pytest" in dev.keys() - staging.keys()


@pytest.mark.parametrize("python", PYTHONS)
def test_it_holds_the_werkzeug_of_its_day(python: str) -> None:
    """Flask alone is in its input; the lock keeps what Flask 2.0 needs."""
    text = (EXAMPLE / "requirements" / "prod.in").read_text(encoding="utf-8")
    assert text == "Flask==2.0.0\nrequests<2.28.0\nwaitress\n"
    of_its_day = {"werkzeug": "2.0.3", "jinja2": "3.1.1", "click": "8.0.4", "urllib3": "1.26.9"}
    assert of_its_day.items() <= _pins("prod", python).items()


@pytest.mark.skipif(sys.platform == "win32", reason="there a launcher finds the Pythons")
def test_where_a_python_is_missing_its_sessions_are_skipped(copy: Project, alone: str) -> None:
    """`lock` and `lock-check` need no Python for what is fresh; in CI a missing one is an error."""
    other = next(python for python in PYTHONS if python != HERE)
    environment = {"PATH": alone}
    sessions = ("lock", "lock-check", f"prod-{other}")
    run = copy.nox("-s", *sessions, env=environment).ok()
    assert f"Session prod-{other} skipped: Python interpreter {other} not found" in run.output
    copy.nox("-s", *sessions, env={**environment, "CI": "1"}).failed()


@pytest.mark.long
@pytest.mark.network
@pytest.mark.skipif(sys.platform == "win32", reason="there a launcher finds the Pythons")
@pytest.mark.parametrize("several", [False, True], ids=["one", "both"])
def test_the_first_command_of_the_readme(
    home: Path, tmp_path: Path, alone: str, *, several: bool
) -> None:
    """`nox -s example` runs the example with both its Pythons, or with the one there is."""
    found = interpreters()
    if several and not found.keys() >= set(PYTHONS):
        pytest.skip("needs Python 3.11 and 3.12")
    folders = [str(found[python].parent) for python in PYTHONS] if several else []
    environment = {"PATH": os.pathsep.join([alone, *folders])}
    arguments = ("-s", "example", "--envdir", str(tmp_path / "nox"))
    run = Project(ROOT, home).nox(*arguments, env=environment, timeout=900).ok()
    pythons = PYTHONS if several else (HERE,)
    for session in ("tests", "prod", "staging"):
        for python in PYTHONS if HERE in PYTHONS else pythons:
            outcome = "success" if python in pythons else "skipped"
            assert f"* {session}-{python}: {outcome}" in run.output
    assert "orphaned" not in run.output
    changed = ["git", "status", "--porcelain", "--", str(EXAMPLE / "requirements")]
    if (ROOT / ".git").exists():
        assert not subprocess.run(changed, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout


@pytest.mark.long
@pytest.mark.network
@pytest.mark.skipif(HERE not in PYTHONS, reason="its locks are for other Pythons")
def test_the_story(copy: Project) -> None:
    """Without a lock the app is dead; with it all runs; `-U` meets the bomb, a line cures it."""
    bomb = "cannot import name 'url_quote' from 'werkzeug.urls'"
    only = ("--python", HERE)
    assert bomb in copy.nox("-s", f"unlocked-{HERE}").failed(traceback=True).output
    sessions = [f"{session}-{HERE}" for session in ("tests", "prod", "staging")]
    run = copy.nox("-s", *sessions).ok()
    assert "shortener answers 200, without the toolbar" in run.output
    assert "shortener.staging answers 200, with the toolbar" in run.output
    assert copy.venv_versions(f"prod-{HERE}".replace(".", "-"))["werkzeug"] == "2.0.3"
    assert "flask-debugtoolbar" not in copy.venv_versions(f"prod-{HERE}".replace(".", "-"))

    copy.nox("-s", "lock", "--", "-U", *only, timeout=600).ok()
    assert bomb in copy.nox("-s", sessions[0]).failed(traceback=True).output
    with (copy.root / "requirements" / "prod.in").open("a", encoding="utf-8") as file:
        file.write("Werkzeug<2.1\n")
    stale = copy.nox("-s", "lock-check").failed().output
    assert "werkzeug<2.1 is not met by werkzeug==3.1" in stale
    # In the pylock the files of the other Python are still of the other day.
    assert stale.count("stale, Python") == len(LAYERS) - 1 + len(SYSTEMS)
    copy.nox("-s", "lock", "--", *only, timeout=600).ok()
    copy.nox("-s", "lock-check", *sessions).ok()


def _pins(layer: str, python: str) -> dict[str, str]:
    system = "-linux" if layer == "prod" else ""
    path = EXAMPLE / "requirements" / f"{layer}-py{python}{system}.txt"
    return pins(path.read_text(encoding="utf-8"))

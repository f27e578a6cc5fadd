"""Lock files that come and go: more Pythons or fewer, other patterns, platforms, orphans."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from nox_lock.errors import ConfigError
from nox_lock.lockfile import lock_file
from nox_lock.target import running_platform
from support.locks import fingerprint, hashed_pin, pins, stamp_all
from support.long import long
from support.plans import plan_folder, plan_with_orphans
from support.pythons import HERE, MISSING, three_pythons

if TYPE_CHECKING:
    from pathlib import Path

    from support.index import LocalIndex
    from support.project import Project

NOXFILE = """\
import nox_lock

nox_lock.add_sessions()
"""
LOCK = "requirements.txt"
CHECK = ("-s", "lock-check")
OLD = {"app": "1.0", "dep": "1.0"}
NEW = {"app": "2.0", "dep": "2.0"}
BODY = "app==1.0\n    # via -r requirements.in\ndep==1.0\n    # via app"
HASHED = "app==1.0 --hash=sha256:" + "0" * 64
OTHERS = [each for each in ("linux", "darwin", "win32") if each != sys.platform][:2]


def table(text: str) -> str:
    return f"[tool.nox-lock]\n{text}\n"


def verdicts(project: Project, *options: str, returncode: int) -> dict[str, dict[str, Any]]:
    """Return what a real lock-check says in JSON, by lock file."""
    run = project.nox(*options, *CHECK, "--", "--format", "json")
    assert run.returncode == returncode, run.output
    return {each["lockfile"]: each for each in json.loads(run.stdout)["locks"]}


def orphans(root: Path) -> list[str]:
    """Return the orphans of a project whose sessions say nothing, without nox."""
    return plan_with_orphans(root)[1]


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def remove(project: Project, *paths: str) -> None:
    for path in paths:
        (project.root / path).unlink()


@pytest.fixture
def aged(project: Project, index: LocalIndex) -> Project:
    """Return a project with an unhashed lock of old releases, of which there are newer ones."""
    index.publish("app", "1.0", requires=["dep>=1"])
    index.publish("dep", "1.0")
    project.write("noxfile.py", NOXFILE)
    project.write("requirements.in", "app\n")
    project.write("pyproject.toml", table("generate-hashes = false"))
    stamp_all(project.root, {"requirements": BODY})
    assert pins(project.read(LOCK)) == OLD
    index.publish("app", "2.0", requires=["dep>=1"])
    index.publish("dep", "2.0")
    project.write("pyproject.toml", table(""))
    project.nox(*CHECK).ok()
    return project


def told_orphan(project: Project, path: str) -> None:
    """Check what is said of an orphan: exit status, the reason, the mend, and JSON."""
    found = verdicts(project, returncode=1)[path]
    assert (found["name"], found["python"], found["verdict"]) == (None, None, "orphaned")
    [reason] = found["reasons"]
    assert reason["file"] == path
    assert f"git rm {path}" in reason["message"]
    assert "lockfile" in reason["message"]
    run = project.nox(*CHECK).failed()
    assert f"{path}: orphaned" in run.output
    assert reason["message"] in run.output
    assert "1 orphaned" in run.output
    lines = run.output.splitlines()
    assert not any("Run: " in line for line in lines)  # locking would not mend it


# Pythons


@pytest.mark.network
def test_from_one_python_to_three_and_back(
    aged: Project, index: LocalIndex, pythons: Project
) -> None:
    """No pin moves and hashes stay as they are; what was left is named until it is removed."""
    versions = three_pythons()
    files = [f"requirements-py{version}.txt" for version in versions]
    first = aged.read(LOCK)
    aged.write("pyproject.toml", table(f"python = {versions}"))
    found = verdicts(aged, returncode=1)
    assert {path: each["verdict"] for path, each in found.items()} == {
        **dict.fromkeys(files, "missing"),
        LOCK: "orphaned",
    }
    index.clear_requests()
    run = pythons.nox("-s", "lock").ok()
    for path, version in zip(files, versions, strict=True):
        assert pins(aged.read(path)) == OLD
        assert "--hash" not in aged.read(path)
        assert f"pip-compile with Python {version}\n" in aged.read(path)
        # That of this Python is in the cache, by what it is made from.
        assert re.search(rf"{re.escape(path)}: (compiled|restored)", run.output)
    assert f"{LOCK}: orphaned" in run.output
    assert aged.read(LOCK) == first
    told_orphan(aged, LOCK)
    # Not where it is asked for others only.
    assert "orphaned" not in aged.nox(*CHECK, "--", "requirements").ok().output
    assert "orphaned" not in aged.nox("-s", "lock", "--", "requirements").ok().output
    assert "orphaned" not in aged.nox("-s", "lock", "--", "--python", HERE).ok().output
    remove(aged, LOCK)
    aged.nox(*CHECK).ok()
    assert "orphaned" not in aged.nox("-s", "lock").ok().output

    # One of them moves on by itself; then back to one: it starts from that one's own file.
    aged.nox("-s", "lock", "--", "-P", "dep", "--python", HERE).ok()
    assert pins(aged.read(f"requirements-py{HERE}.txt")) == {"app": "1.0", "dep": "2.0"}
    index.publish("dep", "3.0")
    aged.write("pyproject.toml", table(f"python = '{HERE}'"))
    run = aged.nox("-s", "lock").ok()
    assert pins(aged.read(LOCK)) == {"app": "1.0", "dep": "2.0"}
    assert "--hash" not in aged.read(LOCK)
    assert run.output.count(": orphaned") == 3
    found = verdicts(aged, returncode=1)
    assert {path for path, each in found.items() if each["verdict"] == "orphaned"} == set(files)
    remove(aged, *files)
    aged.nox(*CHECK).ok()


@pytest.mark.network
def test_a_pin_that_a_new_python_cannot_have(
    aged: Project, index: LocalIndex, pythons: Project
) -> None:
    """Growth keeps what can be kept; what the old Python cannot have falls there alone."""
    old, _, new = three_pythons()
    aged.nox("-s", "lock", "--", "-P", "dep").ok()
    index.publish("dep", "2.0", requires_python=f">={new}")
    aged.write("pyproject.toml", table(f"python = ['{old}', '{new}']"))
    pythons.nox("-s", "lock").ok()
    assert pins(aged.read(f"requirements-py{old}.txt")) == {"app": "1.0", "dep": "1.0"}
    assert pins(aged.read(f"requirements-py{new}.txt")) == {"app": "1.0", "dep": "2.0"}


@pytest.mark.network
def test_growth_by_sessions(aged: Project, pythons: Project) -> None:
    """A session that gets a second Python makes the lock files itself, with the old pins."""
    old, _, new = three_pythons()
    text = f"{NOXFILE}\n\n@nox_lock.session(python=['{old}', '{new}'])\ndef tests(_):\n    pass\n"
    aged.write("noxfile.py", text)
    pythons.nox("-s", f"tests-{new}").ok()
    assert pins(aged.read(f"requirements-py{new}.txt")) == OLD
    assert not aged.exists(f"requirements-py{old}.txt")
    assert aged.venv_versions(f"tests-{new.replace('.', '-')}")["app"] == "1.0"
    pythons.nox("-s", "tests").ok()
    assert pins(aged.read(f"requirements-py{old}.txt")) == OLD


def test_growth_to_a_python_that_is_not_here(aged: Project, index: LocalIndex) -> None:
    """Each of the new files starts from the old one; without it, one starts from the other."""
    names = [f"requirements-py{HERE}.txt", f"requirements-py{MISSING}.txt"]
    aged.write("pyproject.toml", table(f"python = ['{HERE}', '{MISSING}']"))
    aged.nox("-s", "lock").ok()
    for name in names:
        assert pins(aged.read(name)) == OLD
        assert "--hash" not in aged.read(name)
    remove(aged, LOCK)
    remove(aged, names[1])
    [here, missing] = plan_folder(aged.root)
    assert here.earlier is None
    assert missing.earlier is not None
    assert {pin.name: pin.version for pin in missing.earlier.pins} == OLD
    assert missing.settings.generate_hashes is False
    # A new start is a new start.
    remove(aged, names[0])
    index.unpublish("app", "1.0")
    aged.nox("-s", "lock").ok()
    for name in names:
        assert pins(aged.read(name)) == NEW


def test_growth_and_upgrade(aged: Project) -> None:
    """`-U` and `-P` in the run that makes new lock files do what they do elsewhere."""
    name = f"requirements-py{HERE}.txt"
    aged.write("pyproject.toml", table(f"python = ['{HERE}', '{MISSING}']"))
    here = ("-s", "lock", "--", "--python", HERE)
    run = aged.nox(*here, "-P", "dep").ok()
    assert pins(aged.read(name)) == {"app": "1.0", "dep": "2.0"}
    assert "no lock file has" not in run.output
    remove(aged, name)
    aged.nox(*here, "-U").ok()
    assert pins(aged.read(name)) == NEW
    assert "--hash" not in aged.read(name)


def test_growth_of_a_plain_lock(aged: Project) -> None:
    """A file of pip-compile's alone: its pins and settings are taken over; it is no orphan."""
    command = ["--strip-extras", "--allow-unsafe", "--no-emit-index-url", "-q", "requirements.in"]
    subprocess.run(
        [sys.executable, "-m", "piptools", "compile", *command],
        cwd=aged.root,
        env=aged.environment(),
        stdin=subprocess.DEVNULL,
        check=True,
        capture_output=True,
    )
    plain = aged.read(LOCK)
    if lock_file.parse(plain).stamp is not None:  # pip-compile keeps no comments of others
        aged.write(
            LOCK, "".join(x for x in plain.splitlines(keepends=True) if "nox-lock:" not in x)
        )
    assert pins(aged.read(LOCK)) == OLD
    before = fingerprint(aged.root / LOCK)
    aged.write("pyproject.toml", table(f"python = ['{HERE}', '{MISSING}']"))
    run = aged.nox("-s", "lock").ok()
    made = aged.read(f"requirements-py{HERE}.txt")
    assert pins(made) == OLD
    assert "--hash" not in made
    assert "--generate-hashes" not in made
    assert "orphaned" not in run.output
    assert fingerprint(aged.root / LOCK) == before
    assert pins(aged.read(f"requirements-py{MISSING}.txt")) == OLD
    assert {each["verdict"] for each in verdicts(aged, returncode=0).values()} == {"fresh"}


def test_growth_from_what_is_no_lock_file(aged: Project) -> None:
    """Somebody's own requirements.txt, or a broken one, is no start, and is left alone."""
    for text in ("app==1.0\n", aged.read(LOCK).replace("dep==1.0", "<<<<<<< HEAD\ndep==1.0")):
        aged.write(LOCK, text)
        aged.write("pyproject.toml", table(f"python = ['{HERE}', '{MISSING}']"))
        aged.nox("-s", "lock").ok()
        made = aged.read(f"requirements-py{HERE}.txt")
        assert pins(made) == NEW
        assert "--hash" in made
        assert aged.read(LOCK) == text
        remove(aged, f"requirements-py{HERE}.txt")


def test_layers_grow(aged: Project, index: LocalIndex) -> None:
    """Each layer starts from its own old file and from the new one below: all agree."""
    tool = index.publish("tool", "1.0", requires=["app>=1"])
    aged.write("requirements-dev.in", "-r requirements.in\ntool\n")
    aged.write("requirements-docs.in", "-c requirements.txt\ndep\n")
    base, *uppers = plan_folder(aged.root)
    # The mode of each is its own: those that are new have hashes.
    assert base.settings.generate_hashes is False
    assert [upper.settings.generate_hashes for upper in uppers] == [True, True]
    app, dep = (next(index.folder.glob(f"{name}-1.0-*")) for name in ("app", "dep"))
    dev = hashed_pin(app, "-r requirements.in") + hashed_pin(dep, "app")
    dev += hashed_pin(tool, "-r requirements-dev.in")
    docs = hashed_pin(dep, "-r requirements-docs.in")
    stamp_all(aged.root, {"requirements": BODY, "dev": dev, "docs": docs})
    index.publish("tool", "2.0", requires=["app>=1"])
    aged.write("pyproject.toml", table(f"python = ['{HERE}', '{MISSING}']"))
    # A -c of one lock file belongs to no Python now.
    run = aged.nox("-s", "lock").failed()
    assert "requirements-docs.in:1" in run.output
    assert 'constraints = ["requirements"]' in run.output
    aged.write("requirements-docs.in", "dep\n")
    own = "[tool.nox-lock.locks.docs]\ninputs = ['requirements-docs.in']\n"
    aged.write(
        "pyproject.toml", aged.read("pyproject.toml") + own + "constraints = ['requirements']\n"
    )
    aged.nox("-s", "lock", "--", "--python", HERE).ok()
    assert pins(aged.read(f"requirements-py{HERE}.txt")) == OLD
    assert pins(aged.read(f"requirements-dev-py{HERE}.txt")) == {**OLD, "tool": "1.0"}
    assert pins(aged.read(f"requirements-docs-py{HERE}.txt")) == {"dep": "1.0"}
    assert orphans(aged.root) == [f"requirements{name}.txt" for name in ("-dev", "-docs", "")]
    assert "--hash" not in aged.read(f"requirements-py{HERE}.txt")
    assert "--hash" in aged.read(f"requirements-dev-py{HERE}.txt")


# Patterns


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        long("lock-{python}.txt", f"lock-{HERE}.txt"),
        ("locks/{name}.txt", "locks/requirements.txt"),
        long("{stem}.lock", "requirements.lock"),
        (
            "locks/{platform}/py{python}/{name}.pip",
            f"locks/{sys.platform}/py{HERE}/requirements.pip",
        ),
    ],
)
def test_a_new_pattern(pattern: str, path: str, aged: Project) -> None:
    """The file of the first pattern starts from that of the usual name, which is an orphan."""
    aged.write("pyproject.toml", table(f"lockfile = '{pattern}'"))
    run = aged.nox("-s", "lock").ok()
    assert pins(aged.read(path)) == OLD
    assert "--hash" not in aged.read(path)
    assert f"--output-file={path} " in aged.read(path)
    assert f"{LOCK}: orphaned" in run.output
    told_orphan(aged, LOCK)
    remove(aged, LOCK)
    aged.nox(*CHECK).ok()


def test_a_lock_gets_another_name(aged: Project) -> None:
    """A renamed lock whose lock file has its name starts from nothing that is another's."""
    aged.write("pyproject.toml", table("lockfile = '{name}.txt'"))
    own = "[tool.nox-lock.locks.main]\ninputs = ['requirements.in']\n"
    aged.nox("-s", "lock").ok()
    aged.write("pyproject.toml", table("lockfile = '{name}.txt'") + own)
    run = aged.nox("-s", "lock").ok()
    assert pins(aged.read("main.txt")) == OLD
    assert f"{LOCK}: orphaned" in run.output


# Seeds come from the lock's own files


def test_the_lock_of_another_name_is_no_earlier_one(tmp_path: Path) -> None:
    """`requirements-pytest.txt` belongs to `pytest`, not to `requirements` for a "pytest"."""
    write(
        tmp_path,
        {
            "requirements.in": "app\n",
            "requirements-pytest.in": "app\n",
            "requirements-dev.in": "app\n",
            "pyproject.toml": table("generate-hashes = false"),
        },
    )
    stamp_all(tmp_path, {"requirements": "app==1.0", "pytest": "app==2.0", "dev": "app==3.0"})
    (tmp_path / LOCK).unlink()
    write(tmp_path, {"pyproject.toml": table("")})
    [base, dev, pytest_] = plan_folder(tmp_path)
    assert (base.path, base.earlier) == (LOCK, None)
    assert base.settings.generate_hashes is True
    assert dev.current
    assert pytest_.current
    assert orphans(tmp_path) == []


def test_growth_beside_the_lock_of_another_name(tmp_path: Path) -> None:
    """A third Python starts from the lock's own other Pythons, whatever else stands beside."""
    own = "[tool.nox-lock.locks.pytest]\ninputs = ['requirements-pytest.in']\npython = '3.12'\n"
    own += "generate-hashes = false\n"
    config = table("python = ['3.11', '3.12']") + own
    files = {
        "requirements.in": "app\n",
        "requirements-pytest.in": "app\n",
        "pyproject.toml": config,
    }
    write(tmp_path, files)
    stamp_all(tmp_path, {"requirements": HASHED, "pytest": "app==2.0"})
    write(tmp_path, {"pyproject.toml": config.replace("'3.12']", "'3.12', '3.13']")})
    found = {each.path: each for each in plan_folder(tmp_path)}
    grown = found["requirements-py3.13.txt"]
    assert grown.earlier
    assert [pin.shown for pin in grown.earlier.pins] == ["app==1.0"]
    assert grown.settings.generate_hashes is True
    assert orphans(tmp_path) == []


def test_growth_of_a_lock_named_like_a_python(tmp_path: Path) -> None:
    """`requirements-py3.12.in` of an old hand-made scheme makes a lock of its own."""
    files = dict.fromkeys(("requirements.in", "requirements-py3.12.in"), "app\n")
    write(tmp_path, files)
    stamp_all(tmp_path, {"requirements": "app==1.0", "py3.12": "app==2.0"})
    assert orphans(tmp_path) == []
    (tmp_path / LOCK).unlink()
    [base, other] = plan_folder(tmp_path)
    assert base.earlier is None
    assert other.current
    # With several Pythons the two would be one file: an error, told by name.
    write(tmp_path, {"pyproject.toml": table("python = ['3.11', '3.12']")})
    stamp_all(tmp_path, {"requirements": "app==1.0", "py3.12": "app==2.0"})
    own = "[tool.nox-lock.locks.'py3.12']\ninputs = ['requirements-py3.12.in']\npython = '3.12'\n"
    write(tmp_path, {"pyproject.toml": table("python = ['3.11', '3.12']") + own})
    with pytest.raises(ConfigError, match=r"requirements-py3\.12\.txt, which is lock"):
        plan_folder(tmp_path)


@pytest.mark.parametrize(
    ("flag", "name"),
    [
        ("-c", "requirements-limits.txt"),
        ("-r", "requirements-common.txt"),
        long("-c", "requirements-common.txt"),
        long("-r", "requirements-limits.txt"),
    ],
)
def test_a_file_by_hand_with_a_name_like_a_lock_file(
    name: str, flag: str, project: Project, index: LocalIndex
) -> None:
    """Constraints of a person, named as people name them, are theirs: read, and never planned."""
    index.publish("app", "1.0")
    index.publish("app", "2.0")
    project.write("noxfile.py", NOXFILE)
    project.write("requirements.in", "app\n")
    project.write("requirements-dev.in", f"{flag} {name}\napp\n")
    project.write(name, "app<2\n")
    project.nox("-s", "lock", "--", "dev").ok()
    assert pins(project.read("requirements-dev.txt")) == {"app": "1.0"}
    assert project.read(name) == "app<2\n"
    remove(project, name)
    run = project.nox("-s", "lock-check").failed()
    assert "requirements-dev.in:1" in run.output
    assert name in run.output


# Orphans


def test_an_input_was_removed(project: Project, index: LocalIndex) -> None:
    """Its lock file is left, in the root or in the folder that only it was in."""
    index.publish("app", "1.0")
    project.write("noxfile.py", NOXFILE)
    left = {"requirements-dev.in": "requirements-dev.txt", "requirements/docs.in": None}
    left["requirements/docs.in"] = "requirements/docs.txt"
    for name in ("requirements.in", *left):
        project.write(name, "app\n")
    project.nox("-s", "lock").ok()
    for source, path in left.items():
        assert path is not None
        assert path in verdicts(project, returncode=0)
        remove(project, source)
        told_orphan(project, path)
        assert f"{path}: orphaned" in project.nox("-s", "lock").ok().output
        assert project.exists(path)
        remove(project, path)
        project.nox(*CHECK).ok()


def test_orphans_beside_what_is_stale(project: Project) -> None:
    """Both are told, each with its mend."""
    project.write("noxfile.py", NOXFILE)
    project.write("requirements.in", "app\n")
    project.write("requirements-dev.in", "app\n")
    stamp_all(project.root, {"requirements": HASHED, "dev": HASHED})
    remove(project, "requirements-dev.in")
    project.write("requirements.in", "app>=2\n")
    run = project.nox(*CHECK).failed()
    assert "requirements.txt: stale" in run.output
    assert "requirements-dev.txt: orphaned" in run.output
    assert "git rm requirements-dev.txt" in run.output
    assert "1 orphaned, 1 stale" in run.output
    assert "Run: nox -s lock" in run.output
    for words in (("requirements",), ("requirements", "--format=json")):
        assert "orphaned" not in project.nox(*CHECK, "--", *words).failed().output
    # What it is the lock file of again is no orphan.
    project.write("requirements-dev.in", "app\n")
    assert verdicts(project, returncode=1)["requirements-dev.txt"]["verdict"] == "fresh"


def stamped(tmp_path: Path) -> str:
    """Return the text of a lock file with our stamp."""
    folder = tmp_path / "elsewhere"
    write(folder, {"requirements.in": "app\n"})
    stamp_all(folder, {"requirements": HASHED})
    return (folder / LOCK).read_text(encoding="utf-8")


NOT_ORPHANED = {
    "a copy of somebody's in a folder of theirs": ("vendor/requirements.txt", "", ""),
    "a copy that is an input": ("frozen.txt", "-c frozen.txt\n", ""),
    "a copy that is an input of an input": ("sub/frozen.txt", "-c sub/frozen.txt\n", ""),
    "a copy of another kind": ("requirements.txt.orig", "", ""),
    "a copy beside the Pythons' folders": (
        "vendor/requirements.txt",
        "",
        "lockfile = '{python}/requirements.txt'",
    ),
    "a copy beside the platforms' folders": (
        "vendor/requirements.txt",
        "",
        "lockfile = '{platform}/requirements.txt'",
    ),
    "a document that shows one": ("README.md", "", ""),
    "a copy beside the files of a pattern": (
        "locks/old.txt",
        "",
        "lockfile = 'locks/py{python}.txt'",
    ),
}


@pytest.mark.parametrize("name", NOT_ORPHANED)
def test_files_with_our_stamp_that_are_no_orphans(name: str, tmp_path: Path) -> None:
    path, text, settings = NOT_ORPHANED[name]
    root = tmp_path / "project"
    write(root, {"requirements.in": f"{text}app\n", path: stamped(tmp_path)})
    write(root, {"pyproject.toml": table(settings)})
    assert orphans(root) == []


ORPHANED = {
    "of a Python": ("requirements-py3.8.txt", ""),
    "of a platform": ("requirements-aix.txt", ""),
    "of both": ("requirements-py3.8-aix.txt", ""),
    "a copy": ("requirements-old.txt", ""),
    "in the folder of a Python": ("py3.8/a.txt", "lockfile = 'py{python}/a.txt'"),
    "in the folder of a lock": ("locks/dev/a.txt", "lockfile = 'locks/{name}/a.txt'"),
    "of a pattern": ("locks/py3.8.txt", "lockfile = 'locks/py{python}.txt'"),
    "in a folder with brackets": ("[x]/py3.8/a.txt", "lockfile = '[x]/py{python}/a.txt'"),
    "of the time before a pattern": ("requirements.txt", "lockfile = 'locks/{name}.txt'"),
    "of the time before an ending": ("requirements.txt", "lockfile = '{name}.lock'"),
    "in the folder that is searched for inputs": ("requirements/dev.txt", ""),
}


@pytest.mark.parametrize("name", ORPHANED)
def test_files_with_our_stamp_that_are_orphans(name: str, tmp_path: Path) -> None:
    path, settings = ORPHANED[name]
    root = tmp_path / "project"
    write(root, {"requirements.in": "app\n", "pyproject.toml": table(settings)})
    write(root, {path: stamped(tmp_path)})
    assert orphans(root) == [path]
    # Without our stamp it is nobody's business.
    lines = stamped(tmp_path).splitlines(keepends=True)
    write(root, {path: "".join(line for line in lines if "# nox-lock:" not in line)})
    assert orphans(root) == []


# Platforms


def as_made_on(text: str, system: str) -> str:
    """Return a lock file as another platform makes it."""
    assert f"platform={sys.platform}-" in text
    return text.replace(f"platform={sys.platform}-", f"platform={system}-")


def test_platforms_come_and_go(aged: Project, index: LocalIndex) -> None:
    """The files of all platforms are made here, from the old one, and judged by everyone."""
    other, third = OTHERS
    systems = [sys.platform, other, third]
    files = {system: f"requirements-{system}.txt" for system in systems}
    aged.write("pyproject.toml", table(f"platforms = {systems}"))
    run = aged.nox("-s", "lock").ok()
    assert f"{LOCK}: orphaned" in run.output
    for path in files.values():
        assert pins(aged.read(path)) == OLD
        assert "--hash" not in aged.read(path)
        assert "\n#    nox -s lock\n" in aged.read(path)  # no bot is to compile it for its platform
    remove(aged, LOCK)
    aged.nox(*CHECK).ok()
    before = {system: fingerprint(aged.root / path) for system, path in files.items()}
    aged.write("requirements.in", f"app\ndep>1 ; sys_platform == '{other}'\n")
    run = aged.nox(*CHECK).failed()
    assert f"{files[other]}: stale" in run.output
    assert "dep>1" in run.output
    assert "2 fresh" in run.output
    aged.nox("-s", "lock").ok()
    assert pins(aged.read(files[other])) == {**OLD, "dep": "2.0"}
    after = {system: fingerprint(aged.root / path) for system, path in files.items()}
    assert [system for system in systems if after[system] != before[system]] == [other]
    aged.nox("-s", "lock", "--", "-U", "--platform", third).ok()
    assert pins(aged.read(files[third])) == NEW
    assert pins(aged.read(files[sys.platform])) == OLD
    aged.nox("-s", "lock", "--", "-U", "--platform", sys.platform).ok()
    assert pins(aged.read(files[sys.platform])) == NEW

    # One fewer: an orphan; none any more: the one of this platform is the start.
    aged.write("requirements.in", "app\n")
    aged.nox("-s", "lock").ok()
    aged.write("pyproject.toml", table(f"platforms = {systems[:2]}"))
    told_orphan(aged, files[third])
    remove(aged, files[third])
    index.publish("dep", "3.0")
    aged.write("pyproject.toml", table(""))
    run = aged.nox("-s", "lock").ok()
    assert pins(aged.read(LOCK)) == NEW
    assert run.output.count(": orphaned") == 2


def test_a_file_of_another_platform_in_the_place_of_ours(aged: Project) -> None:
    """A file that was made elsewhere, renamed: stale, with the reason, and made anew here."""
    other = OTHERS[0]
    aged.write("pyproject.toml", table(f"platforms = ['{sys.platform}', '{other}']"))
    stamp_all(aged.root, {"requirements": "app==1.0\n    # via -r requirements.in"})
    path = f"requirements-{sys.platform}.txt"
    for text in (
        aged.read(f"requirements-{other}.txt"),
        as_made_on(aged.read(path), other),  # its stamp patched by hand
    ):
        aged.write(path, text)
        aged.write("pyproject.toml", table(f"platforms = ['{sys.platform}']"))
        (aged.root / LOCK).unlink(missing_ok=True)
        (aged.root / f"requirements-{other}.txt").unlink(missing_ok=True)
        run = aged.nox(*CHECK).failed()
        assert f"{path}: stale" in run.output
        assert re.search(rf"made for {other}-\w+, wanted for {sys.platform}-", run.output)
        aged.nox("-s", "lock").ok()
        assert f"platform={sys.platform}-" in aged.read(path)
        assert pins(aged.read(path))["app"] == "1.0"
        aged.nox(*CHECK).ok()


def test_a_session_on_a_platform_that_is_not_listed(aged: Project) -> None:
    """It says what to write; the lock files of the others are made, and nothing is installed."""
    aged.write("noxfile.py", f"{NOXFILE}\n\n@nox_lock.session\ndef tests(session):\n    pass\n")
    aged.write("pyproject.toml", table(f"platforms = {OTHERS}"))
    aged.nox("-s", "lock").ok()
    assert all(aged.exists(f"requirements-{system}.txt") for system in OTHERS)
    run = aged.nox("-s", "tests").failed()
    here = str(running_platform())
    assert f"this session runs on {here}" in run.output
    listed = ", ".join(f'"{each}"' for each in [*OTHERS, here])
    assert f"[tool.nox-lock] platforms = [{listed}]" in run.output
    assert not aged.exists(f"requirements-{here}.txt")
    # As it says: it makes its own, from the old one, and runs.
    aged.write("pyproject.toml", table(f"platforms = [{listed}]"))
    aged.nox("-s", "tests").ok()
    assert pins(aged.read(f"requirements-{here}.txt")) == OLD
    assert aged.venv_versions("tests")["app"] == "1.0"


def test_platforms_and_pythons(tmp_path: Path) -> None:
    """Each has its file; a Python added starts from the same platform's files."""
    write(tmp_path, {"requirements.in": "app\n"})
    systems = ["linux", "darwin"]
    write(tmp_path, {"pyproject.toml": table(f"python = ['3.11', '3.12']\nplatforms = {systems}")})
    paths = stamp_all(tmp_path, {"requirements": HASHED})
    assert paths == [
        "requirements-py3.11-linux.txt",
        "requirements-py3.11-darwin.txt",
        "requirements-py3.12-linux.txt",
        "requirements-py3.12-darwin.txt",
    ]
    for path in paths:
        version = "2.0" if sys.platform in path else "3.0"
        text = (tmp_path / path).read_text(encoding="utf-8")
        write(tmp_path, {path: text.replace("app==1.0", f"app=={version}")})
    config = f"python = ['3.11', '3.12', '3.13']\nplatforms = {systems}"
    write(tmp_path, {"pyproject.toml": table(config)})
    found = {each.path: each for each in plan_folder(tmp_path)}
    grown = found[f"requirements-py3.13-{sys.platform}.txt"]
    assert grown.earlier
    assert [pin.shown for pin in grown.earlier.pins] == ["app==2.0"]
    assert orphans(tmp_path) == []
    write(tmp_path, {"pyproject.toml": table("python = '3.12'\nplatforms = ['linux']")})
    assert orphans(tmp_path) == paths[:2] + paths[3:] or orphans(tmp_path) == sorted(paths)


def test_a_name_without_a_dot_is_an_earlier_one(tmp_path: Path) -> None:
    """Many projects have it so; a pattern of theirs finds it as its own file."""
    header = "# This file is autogenerated by pip-compile with Python 3.{}\n"
    (tmp_path / "requirements.in").write_text("app\n", encoding="utf-8")
    for minor in ("9", "11"):
        path = tmp_path / f"requirements-py3{minor}.txt"
        text = f"{header.format(minor)}#    pip-compile\n\napp==1.{minor}\n"
        path.write_text(text, encoding="utf-8")
    pyproject = tmp_path / "pyproject.toml"
    pyproject.write_text(table("python = ['3.9', '3.12']"), encoding="utf-8")
    found = {
        each.path: (lock := each.current or each.earlier) and lock.pins[0].version
        for each in plan_folder(tmp_path)
    }
    assert found == {"requirements-py3.9.txt": "1.9", "requirements-py3.12.txt": "1.11"}
    pattern = "lockfile = '{stem}-py{python_nodot}.txt'\n"
    pyproject.write_text(table(f"{pattern}python = ['3.9', '3.11']"), encoding="utf-8")
    found = {each.path: each.current and each.current.python for each in plan_folder(tmp_path)}
    assert found == {"requirements-py39.txt": "3.9", "requirements-py311.txt": "3.11"}


def test_a_python_added_starts_from_the_nearest_python(tmp_path: Path) -> None:
    """The pins of the highest Python there is, not of the one whose name is last or longest."""
    write(tmp_path, {"requirements.in": "app\n"})
    write(tmp_path, {"pyproject.toml": table("python = ['3.9', '3.12', 'pypy3.10']")})
    stamp_all(tmp_path, {"requirements": HASHED})
    for version, pin in (("py3.9", "1.9"), ("py3.12", "1.12"), ("pypy3.10", "1.10")):
        path = f"requirements-{version}.txt"
        text = (tmp_path / path).read_text(encoding="utf-8")
        write(tmp_path, {path: text.replace("app==1.0", f"app=={pin}")})
    config = "python = ['3.9', '3.12', '3.13', 'pypy3.10']"
    write(tmp_path, {"pyproject.toml": table(config)})
    found = {each.path: each for each in plan_folder(tmp_path)}
    grown = found["requirements-py3.13.txt"].earlier
    assert grown
    assert [pin.shown for pin in grown.pins] == ["app==1.12"]


def test_a_pypy_added_starts_from_another_pypy(tmp_path: Path) -> None:
    """Lock files for PyPy are known by their names as well."""
    write(tmp_path, {"requirements.in": "app\n"})
    write(tmp_path, {"pyproject.toml": table("python = ['pypy3.9', 'pypy3.10']")})
    paths = stamp_all(tmp_path, {"requirements": HASHED})
    assert paths == ["requirements-pypy3.9.txt", "requirements-pypy3.10.txt"]
    write(tmp_path, {"pyproject.toml": table("python = ['pypy3.9', 'pypy3.10', 'pypy3.11']")})
    added = plan_folder(tmp_path)[-1]
    assert added.path == "requirements-pypy3.11.txt"
    assert added.earlier
    write(tmp_path, {"pyproject.toml": table("python = 'pypy3.10'")})
    (tmp_path / "requirements-pypy3.9.txt").unlink()
    [shrunk] = plan_folder(tmp_path)
    assert shrunk.earlier

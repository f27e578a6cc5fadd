"""For which Pythons locks are made: what sessions and configuration say, and what is there."""

from __future__ import annotations

import json
import re
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from nox_lock.errors import ConfigError
from nox_lock.target import running_platform
from support.locks import fingerprint, pins, stamp_all
from support.plans import plan_folder, plan_with_orphans
from support.pythons import HERE, MISSING, three_pythons

if TYPE_CHECKING:
    from pathlib import Path

    from support.index import LocalIndex
    from support.project import Project, Run

NOXFILE = """
import nox_lock

nox_lock.add_sessions()
"""
# A Python that runs no nox here, so that nothing is of it by chance.
OTHER = "3.12" if HERE == "3.10" else "3.10"
CHECK = ("-s", "lock-check", "--", "--format", "json")


def table(text: str) -> str:
    return f"[tool.nox-lock]\n{text}\n"


def session(lock: str, python: str) -> str:
    """Return the text of a session that uses a lock, with what its `python=` is given."""
    said = f", python={python}" if python else ""
    name = f"{lock}_{abs(hash((lock, python)))}"
    return f"\n\n@nox_lock.session(name={name!r}, lock={lock!r}{said})\ndef _(session):\n    pass\n"


def planned(project: Project, *options: str, returncode: int = 1) -> dict[str, list[str]]:
    """Return by lock the targets for which a real nox asks for a lock file, in its order."""
    run = project.nox(*options, *CHECK)
    assert run.returncode == returncode, run.output
    found: dict[str, list[str]] = {}
    for each in json.loads(run.stdout)["locks"]:
        found.setdefault(str(each["name"]), []).append(str(each["python"]))
    return found


def files_checked(project: Project, *options: str) -> list[str]:
    run = project.nox(*options, *CHECK)
    return [each["lockfile"] for each in json.loads(run.stdout)["locks"]]


def use(root: Path, files: dict[str, str]) -> list[str]:
    """Return the lock files planned for a project with these files, without nox."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return [each.path for each in plan_folder(root)]


# What a session's python= says

FORMS = {
    "said_nothing": ("", [HERE]),
    "none": ("None", [HERE]),
    "no": ("False", [HERE]),
    "string": ("'3.9'", ["3.9"]),
    "one": ("['3.9']", ["3.9"]),
    "several": ("['3.13', '3.9', '3.10']", ["3.9", "3.10", "3.13"]),
    "tuple": ("('3.9', '3.13')", ["3.9", "3.13"]),
    "twice": ("['3.9', '3.13', '3.9']", ["3.9", "3.13"]),
    "spelled_twice": ("['3.9', 'python3.9', '3.9.18']", ["3.9"]),
    "pypy": ("'pypy3.10'", ["pypy3.10"]),
    "both": ("['3.10', 'pypy3.10']", ["3.10", "pypy3.10"]),
    "dashed": ("'pypy-3.10'", ["pypy3.10"]),
    "threaded": ("['3.13', '3.13t']", ["3.13", "3.13t"]),
    "range": ("'>=3.8'", [HERE]),
    "range_and_one": ("['>=3.8', '3.9']", ["3.9"]),
    "three": ("'3'", [HERE]),
    "three_and_one": ("['3', '3.9']", ["3.9"]),
    "path": ("sys.executable", [HERE]),
    "path_and_one": ("[sys.executable, '3.9']", ["3.9"]),
    "name": ("'python3'", [HERE]),
    "nobody": ("SKIP", [HERE]),
}  # fmt: skip


@pytest.fixture
def forms(project: Project) -> Project:
    """Return a project with a lock for each form, each used by one session."""
    text = f"import sys\nimport nox\n{NOXFILE}"
    for lock, (form, _) in FORMS.items():
        project.write(f"requirements/{lock}.in", "app\n")
        if form != "SKIP":
            text += session(lock, form)
    project.write("noxfile.py", text)
    return project


def test_each_form_of_python(forms: Project) -> None:
    """Strings and lists name targets; ranges, paths and nothing at all name none."""
    assert planned(forms) == {lock: targets for lock, (_, targets) in sorted(FORMS.items())}
    names = [path for path in files_checked(forms) if "several" in path or "/both" in path]
    assert names == [
        "requirements/both-py3.10.txt",
        "requirements/both-pypy3.10.txt",
        "requirements/several-py3.9.txt",
        "requirements/several-py3.10.txt",
        "requirements/several-py3.13.txt",
    ]


def test_without_environments_the_pythons_are_the_same(forms: Project) -> None:
    """`--no-venv` makes nox forget its lists; the lock files stay those of the lists."""
    assert files_checked(forms, "--no-venv") == files_checked(forms)


@pytest.mark.parametrize("option", ["-P", "--force-python", "--extra-python"])
def test_pythons_of_the_command_line(option: str, forms: Project) -> None:
    """nox adds Pythons to sessions: their locks are made for those, too."""
    found = planned(forms, option, "3.14")
    for lock, (form, targets) in FORMS.items():
        listed = form not in {"", "None", "False"}
        if form == "SKIP":
            assert found[lock] == [HERE], lock
        elif option == "--extra-python" and not listed:
            assert found[lock] == targets, lock
        else:
            has = [] if targets == [HERE] else targets
            cpython = [each for each in has if "pypy" not in each]
            pypy = [each for each in has if "pypy" in each]
            assert found[lock] == [*cpython, "3.14", *pypy], lock


def test_pythons_of_the_command_line_reach_lock_itself(project: Project) -> None:
    """`-P` and `--extra-python` on `-s lock` make the lock file of the Python they add."""
    project.write("noxfile.py", NOXFILE + session("requirements", f"[{HERE!r}]"))
    project.write("requirements.in", "")
    project.nox("-s", "lock", "-P", MISSING, env={"CI": "1"}).ok()
    assert project.exists(f"requirements-py{HERE}.txt")
    assert project.exists(f"requirements-py{MISSING}.txt")
    run = project.nox("-s", "lock", "--extra-python", MISSING).ok()
    assert f"requirements-py{HERE}.txt: up to date (0 pins)" in run.output


PARAMETRIZED = """

@nox.parametrize("python", ["3.9", "3.13"])
@nox_lock.session(lock="above")
def above(session):
    pass


@nox_lock.session(lock="below")
@nox.parametrize("python", ["3.9", "3.13"])
def below(session):
    pass


@nox_lock.session(lock="pairs")
@nox.parametrize("python,dep", [("3.9", "1"), ("3.9", "2"), ("3.12", "2")])
def pairs(session, dep):
    pass


@nox_lock.session(lock="given")
@nox.parametrize("python", [nox.param("3.9", id="old"), nox.param("pypy3.10", tags=["p"])])
@nox.parametrize("dep", ["1", "2"])
def given(session, dep):
    pass


@nox_lock.session(lock="listed", python=["3.11", "3.12"])
@nox.parametrize("dep", ["1", "2"])
def listed(session, dep):
    pass


@nox_lock.session(lock="short", py=["3.11", "3.12"])
def short(session):
    pass
"""


def test_parametrized_pythons(project: Project) -> None:
    """Pythons that come by `nox.parametrize`, above and below, alone and with others."""
    project.write("noxfile.py", f"import nox\n{NOXFILE}{PARAMETRIZED}")
    expected = {
        "above": ["3.9", "3.13"],
        "below": ["3.9", "3.13"],
        "given": ["3.9", "pypy3.10"],
        "listed": ["3.11", "3.12"],
        "pairs": ["3.9", "3.12"],
        "short": ["3.11", "3.12"],
    }
    for lock in expected:
        project.write(f"requirements/{lock}.in", "app\n")
    assert planned(project) == expected


UNITED = """

@nox_lock.session(lock=["one", "two"], python="3.9")
def both(session):
    pass


@nox_lock.session(lock="two", python=["3.10", "3.9"])
def more(session):
    pass


@nox_lock.session(python="3.1")
def replaced(session):
    pass


@nox_lock.session(lock="two", python="3.10")
def replaced(session):
    pass


@nox.session(python="3.2")
def plain(session):
    pass
"""


def test_all_who_use_a_lock_have_a_say(project: Project) -> None:
    """Sessions and configuration are joined, of all sessions that the noxfile has in the end."""
    project.write("noxfile.py", f"import nox\n{NOXFILE}{UNITED}")
    for lock in ("one", "two", "unused", "own", "requirements"):
        project.write(f"requirements/{lock}.in", "app\n")
    own = "[tool.nox-lock.locks.own]\ninputs = ['requirements/own.in']\npython = '3.8'\n"
    project.write("pyproject.toml", table("python = ['3.13', '3.9']") + own)
    assert planned(project) == {
        "requirements": ["3.9", "3.13"],
        "one": ["3.9", "3.13"],
        "two": ["3.9", "3.10", "3.13"],
        "unused": ["3.9", "3.13"],
        "own": ["3.8"],
    }


@pytest.mark.parametrize(
    ("python", "config", "wants", "has"),
    [
        ("'>=4'", "", ">=4", HERE),
        ("'<3.9'", "python = ['3.9', '3.10']", "<3.9", "3.9, 3.10"),
        ("['>=3.12', '3.9']", "", ">=3.12", "3.9"),
        ("'2'", "", "==2.*", HERE),
    ],
)
def test_a_range_that_no_target_meets(
    python: str, config: str, wants: str, has: str, project: Project
) -> None:
    """A session whose range has no Python of its lock could never be used: told so at once."""
    project.write("noxfile.py", NOXFILE + session("requirements", python))
    project.write("requirements.in", "app\n")
    project.write("pyproject.toml", table(config))
    for name in ("lock-check", "lock"):
        run = project.nox("-s", name).failed()
        said = f"a session wants a Python {wants}, and the lock 'requirements' is for {has}"
        assert said in run.output
        assert "[tool.nox-lock] python = [" in run.output


@pytest.mark.parametrize("python", ["'>=3.8,<3.10'", "'~=3.9'", "'==3.9.*'", "'3'", "'>3.8'"])
def test_a_range_that_a_target_meets(python: str, project: Project) -> None:
    project.write("noxfile.py", NOXFILE + session("requirements", python))
    project.write("requirements.in", "app\n")
    project.write("pyproject.toml", table("python = ['3.9']"))
    assert planned(project) == {"requirements": ["3.9"]}


def header(python: str) -> str:
    return f"#\n# This file is autogenerated by pip-compile with Python {python}\n#\napp==1.0\n"


def test_a_lock_for_a_python_that_no_session_runs(project: Project, index: LocalIndex) -> None:
    """It is said, unless the configuration names that Python."""
    index.publish("app", "1.0")
    project.write("noxfile.py", NOXFILE + session("dev", repr([OTHER])))
    project.write("requirements.in", "app\n")
    project.write("requirements-dev.in", "app\n")
    said = f"requirements.txt is for Python {HERE}, which no session of the noxfile runs"
    run = project.nox("-s", "lock").ok()
    assert said in run.output
    assert "requirements-dev.txt is for" not in run.output
    project.write("pyproject.toml", table(f"python = '{HERE}'"))
    assert "no session" not in project.nox("-s", "lock", "--", "requirements").ok().output
    project.write("pyproject.toml", "")
    for python in ("", repr([HERE]), "'>=3.9'", f"['{HERE}', '{OTHER}']"):
        project.write("noxfile.py", NOXFILE + session("requirements", python))
        run = project.nox("-s", "lock", "--", "requirements", "--check")
        assert "no session" not in run.output, python


def test_the_python_of_the_header(project: Project) -> None:
    """A lock whose Python nothing says stays with that of its lock file, whoever runs nox."""
    project.write("noxfile.py", NOXFILE)
    project.write("requirements.in", "app\n")
    project.write("requirements.txt", header("3.8"))
    assert planned(project, returncode=0) == {"requirements": ["3.8"]}
    # Of many: where each lock file is told by its name, it is not asked for its header.
    project.write("pyproject.toml", table("python = '3.9'"))
    assert planned(project) == {"requirements": ["3.9"]}
    project.write("pyproject.toml", table(""))
    project.write("noxfile.py", NOXFILE + session("requirements", "'3.9'"))
    assert planned(project) == {"requirements": ["3.9"]}
    # A range is met by the header's as by any other, or is not.
    project.write("noxfile.py", NOXFILE + session("requirements", "'<3.9'"))
    assert planned(project, returncode=0) == {"requirements": ["3.8"]}
    project.write("noxfile.py", NOXFILE + session("requirements", "'>=3.9'"))
    assert "is for 3.8" in project.nox("-s", "lock-check").failed().output


@pytest.mark.parametrize("settings", ["lockfile = 'lock-{python}.txt'", "platforms = ['linux']"])
def test_the_python_of_a_header_where_the_name_has_more(settings: str, tmp_path: Path) -> None:
    """Also a lock with a pattern or with platforms stays with the Python it was made for."""
    files = {"requirements.in": "app\n", "pyproject.toml": table(f"{settings}\npython = '3.8'")}
    [path] = use(tmp_path, files)
    stamp_all(tmp_path, {"requirements": "app==1.0"})
    (tmp_path / "pyproject.toml").write_text(table(settings), encoding="utf-8")
    [planned] = plan_folder(tmp_path)
    assert (planned.path, str(planned.target)) == (path, "3.8")


# Sessions


def test_a_session_on_a_python_that_the_lock_is_not_for(
    project: Project, index: LocalIndex
) -> None:
    """It is told what to say in pyproject.toml, with what is there; and then it works."""
    index.publish("app", "1.0")
    text = "\n\n@nox_lock.session(lock='requirements'{})\ndef tests(session):\n    pass\n"
    project.write("requirements.in", "app\n")
    project.write("requirements.txt", header("3.8"))
    said = f"this session runs Python {HERE}; the lock 'requirements' is for"
    for python, config, has in (
        ("", "", ["3.8"]),
        (", python='>=3.8'", "python = ['pypy3.10', '3.9']", ["3.9", "pypy3.10"]),
        (", python='3'", f"python = '{OTHER}'", [OTHER]),
        (", python=sys.executable", f"python = '{HERE}t'", [f"{HERE}t"]),
    ):
        project.write("noxfile.py", "import sys\n" + NOXFILE + text.format(python))
        project.write("pyproject.toml", table(config))
        # The newest that a range allows may be another one than that which runs nox.
        run = project.nox("-s", "tests", "--no-install" if "'" in python else "--verbose").failed()
        if "'" not in python:
            assert f"{said} {', '.join(has)}" in run.output
        assert f"; the lock 'requirements' is for {', '.join(has)}" in run.output
        told = re.search(r"\[tool\.nox-lock\] (python = \[.*\])", run.output)
        assert told, run.output
        names = json.loads(told[1].partition("=")[2])
        assert names[:-1] == has
    assert not project.exists("requirements-py3.9.txt")
    project.write("pyproject.toml", table(f'python = ["{HERE}t", "{HERE}"]'))
    project.nox("-s", "tests").ok()
    assert pins(project.read(f"requirements-py{HERE}.txt")) == {"app": "1.0"}
    assert not project.exists(f"requirements-py{HERE}t.txt")


# Narrowing


def test_narrowing(project: Project, index: LocalIndex) -> None:
    """`--python` makes only those lock files, and judges no orphans; an unknown one is refused."""
    index.publish("app", "1.0")
    project.write("noxfile.py", NOXFILE)
    project.write("requirements.in", "app\n")
    project.write("requirements-dev.in", "app\n")
    project.write("pyproject.toml", table(f"python = ['{MISSING}', '{HERE}']"))
    before = project.snapshot()
    for wrong in ("3.1", "pypy3.10", f"{HERE}t"):
        run = project.nox("-s", "lock", "--", "--python", wrong).failed()
        assert f"no lock is for Python {wrong}" in run.output
        assert f"There are: {HERE}, {MISSING}" in run.output
    for wrong in ("three", "3", ">=3.9", ""):
        run = project.nox("-s", "lock", "--", f"--python={wrong}").failed()
        assert f"{wrong!r} names no Python" in run.output
    assert project.snapshot() == before
    assert index.requests() == []

    project.nox("-s", "lock", "--", "--python", HERE, "dev", env={"CI": "1"}).ok()
    assert set(project.snapshot()) - set(before) == {f"requirements-dev-py{HERE}.txt"}
    run = project.nox("-s", "lock", "--", f"--python={HERE}", "--python", HERE, env={"CI": "1"})
    made = {f"requirements-dev-py{HERE}.txt", f"requirements-py{HERE}.txt"}
    assert set(project.snapshot()) - set(before) == made
    assert run.ok().output.count("compiled in") == 1
    project.nox("-s", "lock", "--", f"--python=python{HERE}", "--python", MISSING).ok()
    made |= {f"requirements-dev-py{MISSING}.txt", f"requirements-py{MISSING}.txt"}
    assert set(project.snapshot()) - set(before) == made


def test_narrowing_a_check(project: Project) -> None:
    """`lock -- --check --python X.Y` judges those lock files; it does not overlook the wish."""
    project.write("noxfile.py", NOXFILE)
    project.write("requirements.in", "app\n")
    project.write("pyproject.toml", table("python = ['3.8', '3.9']"))
    stamp_all(project.root, {"requirements": f"app==1.0 --hash=sha256:{'0' * 64}"})
    (project.root / "requirements-py3.8.txt").unlink()
    project.nox("-s", "lock", "--", "--check").failed()
    run = project.nox("-s", "lock", "--", "--check", "--python", "3.9").ok()
    assert "requirements-py3.8.txt" not in run.output
    run = project.nox("-s", "lock", "--", "--check", "--python", "3.7").failed()
    assert "no lock is for Python 3.7" in run.output


# Patterns


def test_two_locks_with_one_pattern(project: Project, index: LocalIndex) -> None:
    """Two locks never share a lock file, also where only one of them is asked for."""
    index.publish("app", "1.0")
    project.write("noxfile.py", NOXFILE + session("dev", ""))
    project.write("requirements.in", "app\n")
    project.write("requirements-dev.in", "app\n")
    project.write("pyproject.toml", table("lockfile = 'locks/py{python}.txt'"))
    before = project.snapshot()
    runs = {
        words: project.nox(*words)
        for words in (
            ("-s", "lock"),
            ("-s", "lock-check"),
            ("-s", "lock", "--", "dev"),
            ("-s", "lock-check", "--", "requirements"),
        )
    }
    for words, run in runs.items():
        run.failed()
        assert f"locks/py{HERE}.txt" in run.output, words
        assert "lock 'requirements'" in run.output, words
        assert "lockfile = " in run.output, words
    assert project.snapshot() == before


@pytest.mark.parametrize("place", ["common", "own"])
def test_a_pattern_that_has_one_path_for_several(place: str, project: Project) -> None:
    """The error has the line of the key that is in pyproject.toml, and what it lacks."""
    project.write("noxfile.py", NOXFILE + session("dev", "['3.9', '3.10']"))
    project.write("dev-requirements.in", "app\n")
    own = "[tool.nox-lock.locks.dev]\ninputs = ['dev-requirements.in']\nlockfile = 'dev.lock'\n"
    project.write("pyproject.toml", table("lockfile = 'dev.lock'") if place == "common" else own)
    run = project.nox("-s", "lock-check").failed()
    line = 2 if place == "common" else 3
    assert f"pyproject.toml:{line}: lock 'dev' would write dev.lock" in run.output
    assert "{python}" in run.output
    project.write(
        "pyproject.toml", project.read("pyproject.toml").replace("dev.lock", "{platform}{machine}")
    )
    assert "{python}" in project.nox("-s", "lock-check").failed().output
    text = project.read("pyproject.toml").replace("{platform}{machine}", "{python}.lock")
    project.write(
        "pyproject.toml", text.replace("lockfile", "platforms = ['linux', 'win32']\nlockfile")
    )
    assert "{platform}" in project.nox("-s", "lock-check").failed().output


@pytest.mark.parametrize(
    "pattern",
    ["{python:>5}", "{python!x}", "{python!r}", "{name:d}", "{python:{name}}", "{python.version}",
     "{python[0]}", "{", "}", "{}", "{0}", "{Python}"],
)  # fmt: skip
def test_a_pattern_that_is_none(pattern: str, project: Project) -> None:
    """What `str.format` could do beyond names is refused in words, or is what it says."""
    project.write("noxfile.py", NOXFILE)
    project.write("requirements.in", "app\n")
    project.write("pyproject.toml", table(f"lockfile = 'x-{pattern}.txt'"))
    run = project.nox("-s", "lock-check").failed()
    assert "pyproject.toml" in run.output
    assert "lockfile" in run.output


WILD = {
    "manylinux": (
        "lockfile = 'docker/build_scripts/requirements{python}.txt'\npython = ['3.9', '3.10']",
        ["docker/build_scripts/requirements.in"],
        [
            "docker/build_scripts/requirements3.9.txt",
            "docker/build_scripts/requirements3.10.txt",
        ],
    ),
    "salt": (
        (
            "lockfile = 'requirements/static/ci/py{python}/{platform}.txt'\n"
            "python = ['3.9', '3.10']\nplatforms = ['linux', 'win32']"
        ),
        ["requirements/static/ci/common.in"],
        [
            "requirements/static/ci/py3.9/linux.txt",
            "requirements/static/ci/py3.9/win32.txt",
            "requirements/static/ci/py3.10/linux.txt",
            "requirements/static/ci/py3.10/win32.txt",
        ],
    ),
    "pip": (
        "lockfile = 'requirements/{name}.pip'",
        ["requirements/base.in", "requirements/dev.in"],
        ["requirements/base.pip", "requirements/dev.pip"],
    ),
    "nodot": (
        "lockfile = '{stem}-py{python_nodot}.txt'\npython = ['3.9', '3.10', 'pypy3.10']",
        ["requirements.in", "dev-requirements.in"],
        [f"{stem}-{python}.txt" for stem in ("requirements", "dev-requirements")
         for python in ("py39", "py310", "pypypy310")],
    ),
    "stem": (
        "lockfile = 'locks/{stem}-{machine}.txt'",
        ["requirements/my.dev.in", "requirements.in"],
        ["locks/requirements-MACHINE.txt", "locks/my.dev-MACHINE.txt"],
    ),
    "brackets": ("lockfile = 'a b [c]/{name}.txt'", ["requirements.in"],
                 ["a b [c]/requirements.txt"]),
}  # fmt: skip


@pytest.mark.parametrize("name", WILD)
def test_patterns_of_the_wild(name: str, tmp_path: Path) -> None:
    """Patterns as projects have them; nothing that is made by them is an orphan."""
    settings, inputs, expected = WILD[name]
    named = [each for each in inputs if each.count("/") > 1]
    own = "".join(f"[tool.nox-lock.locks.x]\ninputs = ['{each}']\n" for each in named)
    files = dict.fromkeys(inputs, "app\n") | {"pyproject.toml": table(settings) + own}
    machine = running_platform().machine
    assert use(tmp_path, files) == [each.replace("MACHINE", machine) for each in expected]
    bodies = dict.fromkeys(("x", "requirements", "base", "dev", "my.dev"), "app==1.0")
    for path in stamp_all(tmp_path, bodies):
        assert (tmp_path / path).is_file()
    assert plan_with_orphans(tmp_path)[1] == []


def test_a_pattern_of_the_wild_for_real(project: Project, index: LocalIndex) -> None:
    """Folders are made; layers named by their inputs find each other; all installs."""
    index.publish("app", "1.0")
    index.publish("tool", "1.0", requires=["app"])
    project.write("noxfile.py", NOXFILE + session("dev", ""))
    project.write("requirements/base.in", "app\n")
    project.write("requirements/dev.in", "-r base.in\ntool\n")
    pattern = "requirements/static/py{python}/{platform}/{name}.pip"
    project.write("pyproject.toml", table(f"lockfile = '{pattern}'"))
    project.nox("-s", "lock").ok()
    folder = f"requirements/static/py{HERE}/{sys.platform}"
    assert pins(project.read(f"{folder}/base.pip")) == {"app": "1.0"}
    assert pins(project.read(f"{folder}/dev.pip")) == {"app": "1.0", "tool": "1.0"}
    assert f"--output-file={folder}/dev.pip" in project.read(f"{folder}/dev.pip")
    run = project.nox("-s", "lock-check", "lock").ok()
    assert run.output.count("up to date") == 2
    assert "orphaned" not in run.output


# Interpreters that are not there


def test_pythons_that_are_not_here(project: Project, index: LocalIndex) -> None:
    """Their lock files are made by the Python that is here, in layers, too, and in CI."""
    index.publish("app", "1.0")
    index.publish("backport", "1.0")
    project.write("noxfile.py", NOXFILE)
    project.write("requirements.in", f"app\nbackport ; python_version < '{HERE}'\n")
    project.write("requirements-dev.in", "-r requirements.in\napp\n")
    project.write("pyproject.toml", table(f"python = ['3.8', '{MISSING}']"))
    project.env["PATH"] = str(project.home)
    run = project.nox("-s", "lock", env={"CI": "1"}).ok()
    assert "skipped" not in run.output
    for name in ("requirements", "requirements-dev"):
        old = {"app": "1.0", "backport": "1.0"}
        assert pins(project.read(f"{name}-py3.8.txt")) == old
        assert pins(project.read(f"{name}-py{MISSING}.txt")) == {"app": "1.0"}
    project.nox("-s", "lock-check").ok()


def test_a_python_that_has_to_be_here(project: Project, index: LocalIndex) -> None:
    """Which wheels a PyPy or a free-threaded Python takes, only it knows; too old is too old."""
    index.publish("app", "1.0")
    project.write("noxfile.py", NOXFILE)
    project.write("requirements.in", "app\n")
    project.write("pyproject.toml", table(f"python = ['{HERE}', 'pypy3.99', '3.99t', '3.7']"))
    run = project.nox("-s", "lock").failed()
    for python in ("pypy3.99", "3.99t"):
        assert f"Python {python} is not here, and only it knows" in run.output
        assert f"Install it and run this again, or take {python} out" in run.output
    assert "Python 3.7 is too old to lock for: 3.8 is the oldest" in run.output
    assert [path for path in project.snapshot() if path.endswith(".txt")] == [
        f"requirements-py{HERE}.txt"
    ]
    assert "not locked: " in run.output


# Several Pythons for real

BACKPORTED = """
    import nox_lock

    nox_lock.add_sessions()


    @nox_lock.session(lock="requirements", python=PYTHONS)
    def tests(session):
        session.run("python", "-c", "import app, sys; print(sys.version_info[:2])")
"""


def test_each_python_gets_what_it_needs(pythons: Project, index: LocalIndex) -> None:
    """A backport is pinned and installed for the old Python alone, a new release for the new."""
    old, here, new = three_pythons()
    index.publish(
        "app",
        "1.0",
        requires=[f'backport ; python_version < "{here}"', f'newer ; python_version >= "{new}"'],
    )
    index.publish("app", "2.0", requires=["absent"], requires_python=">=3.99")
    for name in ("backport", "newer"):
        index.publish(name, "1.0")
    index.publish("lib", "1.0")
    index.publish("lib", "2.0", requires_python=f">={new}")
    pythons.write("noxfile.py", BACKPORTED.replace("PYTHONS", repr([old, new])))
    pythons.write("requirements.in", "app\nlib\n")
    pythons.nox("-s", "lock").ok()
    wanted = {
        old: {"app": "1.0", "backport": "1.0", "lib": "1.0"},
        new: {"app": "1.0", "newer": "1.0", "lib": "2.0"},
    }
    locks = {version: pythons.read(f"requirements-py{version}.txt") for version in wanted}
    assert {version: pins(text) for version, text in locks.items()} == wanted
    pythons.nox("-s", "lock-check").ok()
    run = pythons.nox("-s", "tests").ok()
    for version, versions in wanted.items():
        found = pythons.venv_versions(f"tests-{version.replace('.', '-')}")
        known = ("app", "lib", "backport", "newer")
        assert {name: found[name] for name in known if name in found} == versions
        assert f"({version.replace('.', ', ')})" in run.output
    # Only the one of the old Python is stale now, and only it is made anew by its session.
    pythons.write("requirements.in", f'app\nlib\nnewer ; python_version <= "{old}"\n')
    run = pythons.nox("-s", "lock-check").failed()
    assert f"requirements-py{new}.txt: fresh" in run.output
    assert f"requirements-py{old}.txt: stale" in run.output
    run = pythons.nox("-s", f"tests-{new}").ok()
    assert "compiling" not in run.output
    run = pythons.nox("-s", f"tests-{old}").ok()
    more = wanted[old] | {"newer": "1.0"}
    assert pins(pythons.read(f"requirements-py{old}.txt")) == more
    assert pythons.read(f"requirements-py{new}.txt") == locks[new]


@pytest.mark.long  # `test_narrowing` is sooner
def test_narrowing_to_two_of_three(pythons: Project, index: LocalIndex) -> None:
    """`--python` twice: those two, each by its own Python; the third is left to be made."""
    versions = three_pythons()
    index.publish("app", "1.0")
    pythons.write("noxfile.py", NOXFILE)
    pythons.write("requirements.in", "app\n")
    pythons.write("pyproject.toml", table(f"python = {versions}"))
    left = versions.pop(1)
    words = [word for version in versions for word in ("--python", version)]
    run = pythons.nox("-s", "lock", "--", *words).ok()
    for version in versions:
        text = pythons.read(f"requirements-py{version}.txt")
        assert f"pip-compile with Python {version}\n" in text
    assert not pythons.exists(f"requirements-py{left}.txt")
    run = pythons.nox("-s", "lock-check").failed()
    assert f"requirements-py{left}.txt: missing, Python {left}" in run.output


# Side by side

# A terminal that takes its time makes lines meet that else meet on a busy machine alone.
SLOW = """
    import logging
    import time


    def slowly(record):
        time.sleep(0.01)
        return True


    logging.getLogger().addFilter(slowly)
    for handler in logging.getLogger().handlers:
        handler.addFilter(slowly)
"""


def blocks(run: Run) -> list[list[str]]:
    """Return the errors in what was told, as runs of lines that tell nothing else."""
    news = re.compile(r"requirements/\w+\.txt: |Running session|Session |not locked: ")
    told: list[list[str]] = [[]]
    for line in run.stderr.splitlines():
        text = re.sub(r"-[0-9a-f]{8}\.log$", ".log", line.removeprefix("nox > "))
        if news.match(text):
            told.append([])
        else:
            told[-1].append(text)
    return [block for block in told if block]


def test_failures_side_by_side_are_told_in_whole_blocks(
    project: Project, index: LocalIndex
) -> None:
    """Each failing lock is told as when it is the only one, whatever goes on beside it."""
    for name in ("app", "lib"):
        index.publish(name, "1.0")
    index.publish("old", "1.0", requires=["lib<1"])
    failing = {"conflict": "old\nlib>=1\n", "unknown": "absent-project\n"}
    for number in "01":
        for name, text in failing.items():
            project.write(f"requirements/{name}{number}.in", text)
    project.write("requirements/fine.in", "app\n")
    project.write("noxfile.py", NOXFILE + textwrap.dedent(SLOW))
    run = project.nox("-s", "lock").failed()
    told = "\n".join(["", *("\n".join([*block, "--"]) for block in blocks(run))])
    for name in failing:
        # Of two of a kind only the numbers differ.
        [alone] = blocks(project.nox("-s", "lock", "--", f"{name}0").failed())
        for number in "01":
            assert not project.exists(f"requirements/{name}{number}.txt")
            block = "\n".join(alone)
            block = re.sub(rf"{name}0(?=[.-])", f"{name}{number}", block)
            assert f"\n{block}\n" in told, run.stderr
    names = ("conflict0", "conflict1", "unknown0", "unknown1")
    paths = ", ".join(f"requirements/{name}.txt" for name in names)
    assert f"not locked: {paths}\n" in run.stderr
    assert "requirements/fine.txt: compiled" in run.output
    assert pins(project.read("requirements/fine.txt")) == {"app": "1.0"}
    assert "1 fresh" in project.nox("-s", "lock-check").failed().output


# Nothing to do

WATCH = """
import os
import sys

_LOG = os.open(os.environ["WATCH_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
_STARTS = ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.system",
           "os.startfile", "pty.", "_winapi.CreateProcess", "socket.connect", "socket.getaddrinfo")
_WRITES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate",
           "os.utime", "os.chmod", "tempfile.")


def _hook(event, args):
    if event.startswith(_STARTS):
        what = args[0] if event != "subprocess.Popen" else args[1]
        os.write(_LOG, f"start {event} {what!r}\\n".encode())
    elif event.startswith(_WRITES):
        os.write(_LOG, f"write {event} {args[0]!r}\\n".encode())
    elif event == "open":
        path, mode, flags = args
        if isinstance(mode, str) and set(mode) & set("wax+"):
            os.write(_LOG, f"write open {path!r}\\n".encode())
        elif flags and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            os.write(_LOG, f"write open {path!r}\\n".encode())


sys.addaudithook(_hook)
"""
PLAIN = """
    import nox


    @nox.session(python=False, venv_backend="none")
    def lock(session):
        pass
"""


def watched(project: Project, *words: str) -> list[str]:
    """Return what nox, run with these words, started and wrote, but for its own bytecode."""
    folder = project.home / "watch"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text(WATCH, encoding="utf-8")
    log = folder / "log"
    log.unlink(missing_ok=True)
    env = {"PYTHONPATH": str(folder), "WATCH_LOG": str(log), "PYTHONDONTWRITEBYTECODE": "1"}
    project.nox(*words, env=env).ok()
    return log.read_text(encoding="utf-8").splitlines()


def test_where_all_is_fresh_nothing_is_started_and_nothing_written(
    project: Project, index: LocalIndex
) -> None:
    """Two Pythons that no machine has, six locks in layers: only files are read."""
    versions = ["3.98", "3.99"]
    names = ("requirements", "dev", "docs", "lint", "test", "types")
    project.write("requirements.in", "app\n")
    for name in names[1:]:
        base = "-r ../requirements.in\n" if name in {"dev", "test"} else ""
        project.write(f"requirements/{name}.in", f"{base}tool-{name}>=1\n")
    project.write("requirements/types.in", "-r dev.in\ntool-types\n")
    project.write("noxfile.py", PLAIN)
    idle = watched(project, "-s", "lock")
    pins_of = {name: f"app==1.0\ntool-{name}==1.0" for name in names}
    pins_of |= {"requirements": "app==1.0", "types": "app==1.0\ntool-dev==1.0\ntool-types==1.0"}
    pins_of |= {name: f"tool-{name}==1.0" for name in ("docs", "lint")}
    bodies = {
        name: "".join(f"{pin} --hash=sha256:{'0' * 64}\n" for pin in text.splitlines())
        for name, text in pins_of.items()
    }
    project.write("noxfile.py", NOXFILE + session("types", repr(versions)))
    project.write("pyproject.toml", table(f"python = {versions}"))
    paths = stamp_all(project.root, bodies)
    assert len(paths) == 12
    before = {path: fingerprint(project.root / path) for path in project.snapshot()}

    assert watched(project, "-s", "lock") == idle
    assert watched(project, "-s", "lock-check") == idle
    said = project.nox("-s", "lock").ok().output
    assert said.count("up to date") == 12
    assert not (project.home / "nox-lock-cache").exists()
    assert not project.exists(".nox")
    assert index.requests() == []
    assert {path: fingerprint(project.root / path) for path in project.snapshot()} == before


def test_the_watch_sees(project: Project, index: LocalIndex) -> None:
    index.publish("app", "1.0")
    project.write("noxfile.py", NOXFILE)
    project.write("requirements.in", "app\n")
    seen = "\n".join(watched(project, "-s", "lock"))
    assert "driver" in seen
    assert "nox-lock-cache" in seen


def test_a_pattern_error_is_one_of_configuration(tmp_path: Path) -> None:
    """The same without nox, for each lock it could be."""
    text = "[tool.nox-lock.locks.a]\ninputs = ['a.in']\nlockfile = 'x.txt'\n"
    files = {"pyproject.toml": text + text.replace(".a]", ".b]"), "a.in": "app\n"}
    with pytest.raises(ConfigError, match=r"lock 'b' would write x\.txt, which is lock 'a'"):
        use(tmp_path, files)

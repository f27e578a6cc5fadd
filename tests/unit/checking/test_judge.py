"""`nox -s lock-check`: by content, with reasons, offline, and without touching a thing."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from nox_lock.checking.judge import judge
from nox_lock.lockfile import lock_file
from nox_lock.target import running_target
from support.index import LocalIndex
from support.locks import stamp_all
from support.plans import plan_folder
from support.project import NOXFILE, Project, clean_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from nox_lock.checking.verdict import Verdict

INPUT = """\
# What the app needs.
app>=1.0
foo-bar[fast]==1.0
absent ; sys_platform == "nowhere"
-c limits.txt
"""
LIMITS = "dep<2\n"
PYTHON = str(running_target())
CHECK = ("-s", "lock-check")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalIndex]:
    with LocalIndex(tmp_path_factory.mktemp("served") / "index") as local:
        local.publish("app", "1.0", requires=["dep>=1", "distribute"])
        local.publish("dep", "1.5")
        local.publish("foo-bar", "1.0", extras={"fast": ["speed"], "slow": ["dep"]})
        local.publish("speed", "1.0")
        local.publish("distribute", "1.0")
        yield local


@dataclass(frozen=True)
class Kinds:
    """Projects with a lock file each, made once."""

    index: LocalIndex
    folder: Path

    def make(self, name: str, **files: str) -> Project:
        """Return a project with these files, `__` for a dot."""
        project = Project(self.folder / name, self.folder / "home", self.index)
        project.write("noxfile.py", NOXFILE)
        project.write("requirements.in", INPUT)
        project.write("limits.txt", LIMITS)
        for key, text in files.items():
            project.write(key.replace("__", "."), text)
        return project

    def run(self, project: Project, *command: str) -> None:
        """Run a tool in a project."""
        subprocess.run(
            [sys.executable, "-m", *command],
            cwd=project.root,
            env=project.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
        )


@pytest.fixture(scope="module")
def made(index: LocalIndex, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return project folders by the kind of their lock file; most of those are really made."""
    kinds = Kinds(index, tmp_path_factory.mktemp("made"))
    indexes = f"--extra-index-url {index.url}\n--extra-index-url {index.url.rstrip('/')}\n"
    projects = {
        "plain": kinds.make("plain"),
        "unhashed": kinds.make(
            "unhashed", pyproject__toml="[tool.nox-lock]\ngenerate-hashes = false\n"
        ),
        "indexes": kinds.make("indexes", requirements__in=INPUT + indexes),
        "extras": kinds.make("extras", pyproject__toml="[tool.nox-lock]\nstrip-extras = false\n"),
        "safe": kinds.make("safe", pyproject__toml="[tool.nox-lock]\nallow-unsafe = false\n"),
        "inner": kinds.make(
            "inner", requirements__in=INPUT + f'speed ; python_full_version >= "{PYTHON}.1"\n'
        ),
    }
    for name in ("plain", "safe", "inner"):
        projects[name].nox("-s", "lock").ok()
    # As they are compiled, the others differ from the first in this alone.
    body = lock_file.parse(projects["plain"].read("requirements.txt")).body
    bodies = {
        "unhashed": re.sub(r" \\\n    --hash=\S+", "", body),
        "indexes": body,
        "extras": swap("foo-bar==", "foo-bar[fast]==")(body),
    }
    for name, text in bodies.items():
        stamp_all(projects[name].root, {"requirements": text})
    foreign = {
        "pip-compile": (
            "piptools",
            "compile",
            "--strip-extras",
            "--allow-unsafe",
            "--no-emit-index-url",
            "-q",
        ),
        "uv": ("uv", "pip", "compile", "--quiet", "--no-config", "--index-url", index.url),
    }
    for name, command in foreign.items():
        projects[name] = kinds.make(name)
        output = ("--generate-hashes", "--output-file=requirements.txt", "requirements.in")
        kinds.run(projects[name], *command, *output)
    return {name: project.root for name, project in projects.items()}


@dataclass(frozen=True)
class Case:
    """An edit, and what the check has to say of it.

    Attributes:
        name: what was done.
        word: the verdict.
        edits: by file, the new text, or what makes it of the old; None takes the file away.
        reason: a part of one of the reasons.
        place: the file, or ``file:line``, of that reason.
        note: a part of a note on a fresh one.
        warning: a part of a warning, at `place`; whatever the verdict.
        kind: which of the made projects it is done to.
        real: also check it by `nox -s lock-check`.
    """

    name: str
    word: str
    edits: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    place: str = ""
    note: str = ""
    warning: str = ""
    kind: str = "plain"
    real: bool = False


def swap(old: str, new: str) -> Callable[[str], str]:
    """Return an edit that puts `new` in the place of `old`, which must be there."""

    def edit(text: str) -> str:
        assert old in text
        return text.replace(old, new)

    return edit


def add(line: str) -> Callable[[str], str]:
    return lambda text: f"{text}{line}\n"


def crlf(text: str) -> str:
    return text.replace("\n", "\r\n")


def without_stamp(text: str) -> str:
    """Return a lock file as a bot leaves it that drops our line."""
    lines = text.splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith("# nox-lock:")]
    assert len(kept) == len(lines) - 1
    return "".join(kept)


def settings(text: str) -> dict[str, str]:
    return {"pyproject.toml": f"[tool.nox-lock]\n{text}\n"}


def inputs(edit: Callable[[str], str] | str) -> dict[str, Any]:
    return {"requirements.in": edit}


LOCK = "requirements.txt"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
# A bump as a bot does it: another version in the body, the stamp kept.
BUMP = swap("dep==1.5", "dep==1.6")

CASES = [
    Case("nothing", "fresh", real=True),
    Case("a version past the pin", "stale", inputs(swap("app>=1.0", "app>=2")),
         "app>=2 is not met by app==1.0", "requirements.in:2", real=True),
    Case("a version below the pin", "stale", inputs(swap("app>=1.0", "app<1")),
         "app<1 is not met by app==1.0", "requirements.in:2"),
    Case("another exact version", "stale", inputs(swap("==1.0", "==1.1")),
         "foo-bar[fast]==1.1 is not met by foo-bar==1.0", "requirements.in:3"),
    Case("a version the pin meets", "fresh", inputs(swap("app>=1.0", "app>=0.9,<2,!=1.1"))),
    Case("a version left out", "fresh", inputs(swap("app>=1.0", "app"))),
    Case("a direct URL for a version", "stale",
         inputs(swap("app>=1.0", "app @ http://127.0.0.1:9/app-1.0-py3-none-any.whl")),
         "app @ http://127.0.0.1:9/app-1.0-py3-none-any.whl", "requirements.in:2"),
    # Spelling
    Case("a comment", "fresh", inputs(lambda text: f"# More.\n{text}  # The end.\n"), real=True),
    Case("a comment behind a requirement", "fresh", inputs(swap("app>=1.0", "app>=1.0  # yes"))),
    Case("blank lines", "fresh", inputs(lambda text: text.replace("\n", "\n\n \n"))),
    Case("another order", "fresh", inputs(lambda text: "\n".join(reversed(text.splitlines())))),
    Case("CRLF", "fresh", {"requirements.in": crlf, "limits.txt": crlf}),
    Case("CRLF in the lock file", "fresh", {LOCK: crlf}),
    Case("no last newline", "fresh", inputs(str.rstrip)),
    Case("a mark of byte order", "fresh", inputs("\ufeff".__add__)),
    Case("another spelling of a name", "fresh", inputs(swap("foo-bar", "Foo_Bar")), real=True),
    Case("spaces", "fresh",
         inputs(lambda text: swap("app>=1.0", "  app  >= 1.0 ")(swap("[", " [ ")(text)))),
    Case("another spelling of a version", "fresh", inputs(swap("==1.0", "==1.0.0"))),
    Case("a continued line", "fresh", inputs(swap("app>=1.0", "app \\\n    >=1.0"))),
    Case("a requirement twice", "fresh", inputs(add("app"))),
    Case("parentheses", "fresh", inputs(swap("app>=1.0", "app (>=1.0)"))),
    Case("the same option in another form", "fresh",
         inputs(swap("-c limits.txt", "--constraint=./limits.txt"))),
    # Requirements
    Case("a requirement added", "stale", inputs(add("speedy>1")),
         "speedy>1 is not in the lock", "requirements.in:6", real=True),
    Case("a requirement added in another file", "stale",
         {"requirements.in": add("-r more.in"), "more.in": "\nspeedy\n"},
         "speedy is not in the lock", "more.in:2"),
    Case("a requirement added that is there already", "fresh", inputs(add("dep>=1"))),
    Case("a requirement removed", "stale", inputs(swap("foo-bar[fast]==1.0\n", "")),
         "foo-bar==1.0 is required by no input", LOCK, real=True),
    Case("what a requirement brought goes with it", "stale",
         inputs(swap("foo-bar[fast]==1.0\n", "")),
         "speed==1.0 is required by no input", LOCK),
    Case("all removed", "stale", inputs("# none\n"),
         "app==1.0 is required by no input", LOCK),
    Case("a marker that holds nowhere", "stale",
         inputs(swap("==1.0", "==1.0 ; sys_platform == 'nowhere'")),
         "does not hold for Python", "requirements.in:3"),
    Case("a marker that holds", "stale", inputs(swap("==1.0", "==1.0 ; python_version > '3'")),
         "its pin has no marker in the lock", "requirements.in:3"),
    Case("a marker that holds, by a constraint", "stale",
         {"limits.txt": "dep<2 ; python_version > '3'\n"},
         "its pin has no marker in the lock", "limits.txt:1"),
    Case("a marker that holds and stands in the lock", "fresh",
         {"requirements.in": swap("==1.0", "==1.0 ; python_version>'3'"),
          LOCK: swap("foo-bar==1.0", 'foo-bar==1.0 ; python_version > "3"')},
         note="changed since"),
    Case("a marker that is gone", "stale",
         {LOCK: swap("foo-bar==1.0", 'foo-bar==1.0 ; python_version > "3"')},
         'its pin has the marker python_version > "3"', "requirements.in:3"),
    Case("a marker that uv leaves out", "fresh", kind="uv", note="no stamp",
         edits=inputs(swap("==1.0", "==1.0 ; python_version > '3'"))),
    Case("a marker that holds now", "stale", inputs(swap('== "nowhere"', '!= "nowhere"')),
         "absent", "requirements.in:4"),
    Case("a marker nobody knows here", "fresh",
         inputs(add("absent ; platform_machine == 'nothing'"))),
    # Constraints
    Case("a constraint that holds", "fresh", {"limits.txt": add("app<3\nunused==1")}),
    Case("a constraint that does not hold", "stale", {"limits.txt": add("\napp>=2")},
         "app==1.0 breaks the constraint app>=2", "limits.txt:3", real=True),
    Case("a constraint on what is brought", "stale", {"limits.txt": "dep<1.5\n"},
         "dep==1.5 breaks the constraint dep<1.5", "limits.txt:1"),
    Case("a constraint removed", "fresh", inputs(swap("-c limits.txt\n", ""))),
    Case("a constraint with a marker", "fresh",
         {"limits.txt": "dep<1 ; sys_platform == 'nowhere'\n"}),
    # Options
    Case("an option added", "stale", inputs(add("--extra-index-url http://127.0.0.1:9/simple/")),
         "--extra-index-url http://127.0.0.1:9/simple/", "requirements.in:6", real=True),
    Case("a format added", "stale", inputs(add("--only-binary app,dep")),
         "--only-binary app", "requirements.in:6"),
    Case("the second of two options added", "stale", kind="indexes",
         edits=inputs(add("--extra-index-url http://127.0.0.1:9/simple/")),
         reason="--extra-index-url http://127.0.0.1:9/simple/", place="requirements.in:8"),
    Case("an option removed", "stale", inputs(INPUT), "--extra-index-url", f"{LOCK}:8",
         kind="indexes"),
    Case("options in another order", "stale",
         inputs(lambda text: INPUT + "\n".join(reversed(text.splitlines()[-2:]))),
         "another order", LOCK, kind="indexes"),
    Case("options as they were", "fresh", kind="indexes"),
    Case("an option that leaves no line in the lock", "stale", inputs(add("--pre")),
         "--pre", "requirements.in:6"),
    Case("--prefer-binary", "stale", inputs(add("--prefer-binary")),
         "--prefer-binary", "requirements.in:6"),
    # What was stripped
    Case("an extra added", "stale", inputs(swap("[fast]", "[fast,slow]")),
         "foo-bar[fast,slow]", "requirements.in:3"),
    Case("an extra removed", "stale", inputs(swap("[fast]", "")), "extras", LOCK),
    Case("an extra spelled otherwise", "fresh", inputs(swap("[fast]", "[Fast]"))),
    Case("an extra changed, and the body by a bot", "fresh",
         {"requirements.in": swap("[fast]", ""), LOCK: BUMP}, note="changed since"),
    Case("an extra changed, and the stamp dropped", "fresh",
         {"requirements.in": swap("[fast]", ""), LOCK: without_stamp}, note="no stamp"),
    Case("an extra removed that was not stripped", "fresh", kind="extras"),
    Case("extras are to be stripped now", "stale", settings("strip-extras = true"),
         "strip-extras", LOCK, kind="extras"),
    Case("extras are not to be stripped", "stale", settings("strip-extras = false"),
         "extras", "requirements.in:3"),
    Case("a marker inside X.Y changed", "stale",
         inputs(swap(f"{PYTHON}.1", f"{PYTHON}.2")), "speed", "requirements.in:6", kind="inner"),
    Case("a marker inside X.Y as it was", "fresh", kind="inner"),
    # Bots
    Case("a bump by a bot", "fresh", {LOCK: BUMP}, note="changed since"),
    Case("a bump by a bot that drops the stamp", "fresh",
         {LOCK: lambda text: BUMP(without_stamp(text))}, note="no stamp"),
    Case("a bump too far", "stale", {LOCK: swap("dep==1.5", "dep==2.0")},
         "dep==2.0 breaks the constraint dep<2", "limits.txt:1"),
    Case("a stamp that nobody can read", "fresh",
         {LOCK: swap("# nox-lock: v1 ", "# nox-lock: v9 ")}, note="no stamp"),
    # Settings
    Case("no hashes wanted", "stale", settings("generate-hashes = false"),
         "generate-hashes is false", LOCK, real=True),
    Case("no hashes wanted, says pip-tools", "stale",
         {"pyproject.toml": "[tool.pip-tools]\ngenerate-hashes = false\n"},
         "generate-hashes is false", LOCK),
    Case("no hashes, says the header", "fresh", {"pyproject.toml": None}, kind="unhashed",
         warning="its pins have no hashes: say generate-hashes = true", place=LOCK),
    Case("hashes wanted", "stale", settings("generate-hashes = true"),
         "generate-hashes is true", LOCK, kind="unhashed"),
    Case("hashes wanted, says pip-tools", "stale",
         {"pyproject.toml": "[tool.pip-tools]\ngenerate-hashes = true\n"},
         "generate-hashes is true", LOCK, kind="unhashed"),
    Case("one hash is gone", "invalid",
         {LOCK: lambda text: "".join(
             line for line in text.splitlines(keepends=True)
             if "--hash" not in line or "app==" in text[: text.index(line)][-14:]
         ).replace(" \\\n    #", "\n    #")},
         "has no hash", LOCK),
    Case("a cooldown", "stale", settings("uploaded-prior-to = '2020-01-01'"),
         "uploaded-prior-to", LOCK),
    Case("unsafe ones left out", "stale", settings("allow-unsafe = false"), "allow-unsafe", LOCK),
    Case("unsafe ones wanted", "stale", settings("allow-unsafe = true"), "distribute", LOCK,
         kind="safe"),
    Case("unsafe ones left out, says the header", "fresh", {"pyproject.toml": None}, kind="safe"),
    Case("another one is unsafe", "fresh", settings("unsafe-package = ['pip']")),
    Case("settings as they are", "fresh", settings("generate-hashes = true\nstrip-extras = true")),
    Case("another Python", "stale", {LOCK: swap(f"Python {PYTHON}", "Python 3.8"),
                                     **settings(f"python = '{PYTHON}'")},
         f"made for Python 3.8, wanted for Python {PYTHON}", LOCK, real=True),
    # What does not belong in a lock file
    Case("a version swapped for a direct URL", "invalid",
         {LOCK: swap("dep==1.5", "dep @ https://evil.invalid/dep-1.5-py3-none-any.whl")},
         "no input requires dep @ https://evil.invalid/", LOCK),
    Case("a requirement swapped for a direct URL", "invalid",
         {LOCK: swap("app==1.0", "app @ https://evil.invalid/app-1.0-py3-none-any.whl")},
         "no input requires app @ https://evil.invalid/", LOCK),
    Case("swapped for a repository, stamp dropped", "invalid",
         {LOCK: lambda text: without_stamp(text).replace("dep==1.5", f"dep @ git+https://evil.invalid/dep@{COMMIT}")},
         "no input requires dep @ git+https://evil.invalid/dep", LOCK),
    Case("an index line added", "stale",
         {LOCK: swap("\napp==", "\n--extra-index-url https://evil.invalid/simple\napp==")},
         "no input declares --extra-index-url https://evil.invalid/simple", LOCK, real=True),
    Case("an index line in place of another", "stale",
         {LOCK: lambda text: text.replace("--extra-index-url http", "--extra-index-url https", 1)},
         "no input declares --extra-index-url https", LOCK, kind="indexes"),
    Case("an index line with a password", "invalid",
         {LOCK: swap("\napp==", "\n--index-url https://me:secret@index.invalid/simple\napp==")},
         "a password is written here", LOCK),
    Case("a pin with a password", "invalid",
         {LOCK: swap("dep==1.5", "dep @ https://me:secret@index.invalid/dep-1.5-py3-none-any.whl")},
         "a password is written here", LOCK),
    Case("an index in clear", "stale", inputs(add("--extra-index-url http://index.invalid/simple")),
         warning="--extra-index-url http://index.invalid/simple is not encrypted",
         place="requirements.in:6"),
    Case("an index in clear on this machine", "fresh", kind="indexes"),
    Case("a remote file", "stale", inputs(add("-r https://example.invalid/more.txt")),
         warning="https://example.invalid/more.txt is remote", place="requirements.in:6"),
    Case("a branch", "fresh", {
             "requirements.in": swap("app>=1.0", "app @ git+https://example.invalid/app@main"),
             LOCK: swap("app==1.0", "app @ git+https://example.invalid/app@main")},
         note="changed since", warning="names no commit", place=LOCK),
    Case("a commit", "fresh", {
             "requirements.in": swap("app>=1.0", f"app @ git+https://example.invalid/app@{COMMIT}"),
             LOCK: swap("app==1.0", f"app @ git+https://example.invalid/app@{COMMIT}")},
         note="changed since"),
    Case("an editable line", "fresh", {
             "requirements.in": add("-e ./own"), "own/setup.py": "",
             LOCK: add("-e ./own\n    # via -r requirements.in")},
         note="changed since", warning="-e ./own is editable", place=LOCK),
    Case("a wheel in clear without a hash", "fresh", {
             "requirements.in": swap("app>=1.0", "app @ http://example.invalid/app-1.0-py3-none-any.whl"),
             LOCK: swap("app==1.0", "app @ http://example.invalid/app-1.0-py3-none-any.whl")},
         note="changed since", warning="is not encrypted and has no hash", place=LOCK,
         kind="unhashed"),
    # Lock files
    Case("no lock file", "missing", {LOCK: None}, "no lock file", LOCK, real=True),
    Case("an empty lock file", "stale", {LOCK: ""}, "app>=1.0 is not in the lock",
         "requirements.in:2"),
    Case("garbage", "invalid", {LOCK: add("Dear reader,")}, "is not a pin", LOCK, real=True),
    Case("a merge conflict", "invalid", {LOCK: swap("dep==1.5", "<<<<<<< HEAD\ndep==1.5")},
         "merge conflict", LOCK),
    Case("two versions", "invalid", {LOCK: add("dep==1.4")}, "pinned twice", LOCK),
    Case("a range", "invalid", {LOCK: add("other>=1")}, "is not a pin", LOCK),
    Case("no version", "invalid", {LOCK: swap("dep==1.5", "dep==1.5x")},
         "dep==1.5x pins what is not a version", LOCK, real=True),
    Case("a pin nobody asks for", "stale", {LOCK: add(f"stray==1.0 --hash=sha256:{'0' * 64}")},
         "stray==1.0 is required by no input", LOCK),
    Case("pins that ask for each other", "stale",
         {LOCK: add(f"one==1 --hash=sha256:{'0' * 64}\n    # via two\n"
                    f"two==1 --hash=sha256:{'0' * 64}\n    # via one")},
         "one==1 is required by no input", LOCK),
    Case("no annotations", "stale",
         {LOCK: lambda text: "".join(
             line for line in text.splitlines(keepends=True) if not line.startswith("    #"))},
         "3 pins are named by no input, such as dep==1.5, and there is no `# via` note", LOCK),
    Case("made by pip-compile", "fresh", note="no stamp: made by pip-compile", kind="pip-compile"),
    Case("made by pip-compile, and stale", "stale", inputs(swap("app>=1.0", "app>=2")),
         "app>=2 is not met by app==1.0", "requirements.in:2", kind="pip-compile"),
    Case("made by uv", "fresh", note="no stamp: made by uv", kind="uv"),
    Case("made by uv, and stale", "stale", inputs(swap("app>=1.0", "app>=2")),
         "app>=2 is not met by app==1.0", "requirements.in:2", kind="uv"),
]  # fmt: skip


@pytest.fixture
def copied(tmp_path: Path, made: dict[str, Path]) -> Callable[[Case], Path]:
    """Return what makes a copy of a project with a case's edits."""

    def copy(case: Case) -> Path:
        root = shutil.copytree(
            made[case.kind],
            tmp_path / "project",
            ignore=shutil.ignore_patterns(".nox"),
            dirs_exist_ok=True,
        )
        for name, edit in case.edits.items():
            path = root / name
            if edit is None:
                path.unlink()
                continue
            old = path.read_bytes().decode() if path.exists() else ""
            path.parent.mkdir(exist_ok=True)
            path.write_bytes((edit(old) if callable(edit) else edit).encode())
        return root

    return copy


def judge_in(root: Path) -> Verdict:
    [planned] = plan_folder(root)
    return judge(planned)


def ids(cases: list[Case]) -> list[Any]:
    return [pytest.param(case, id=case.name) for case in cases]


@pytest.mark.parametrize("case", ids(CASES))
def test_verdict(case: Case, copied: Callable[[Case], Path]) -> None:
    verdict = judge_in(copied(case))
    told = [str(reason) for reason in verdict.reasons]
    assert verdict.word == case.word, told
    assert verdict.fresh is not bool(told)
    assert case.note in "; ".join(verdict.notes)
    assert bool(case.note) == bool(verdict.notes) or not verdict.fresh, verdict.notes
    assert bool(case.warning) == bool(verdict.warnings), verdict.warnings
    if case.reason or case.warning:
        given = verdict.reasons if case.reason else verdict.warnings
        words = case.reason or case.warning
        told = [str(reason) for reason in given]
        fitting = [reason for reason in given if words in reason.message]
        assert fitting, told
        places = [str(each.place) for each in fitting]
        assert any(f"{place}:".startswith(f"{case.place}:") for place in places), told


def test_every_reason_names_a_line_of_the_file(copied: Callable[[Case], Path]) -> None:
    # Both point at the line that is there.
    root = copied(Case("", "", {LOCK: add(f"stray==1.0 --hash=sha256:{'0' * 64}\nDear reader,")}))
    [reason] = judge_in(root).reasons
    assert reason.place is not None
    file, line = reason.place
    assert file == LOCK
    assert line is not None
    assert (root / LOCK).read_text(encoding="utf-8").splitlines()[line - 1] == "Dear reader,"


def test_all_reasons_are_told(copied: Callable[[Case], Path]) -> None:
    edit = inputs("app>=2\nother\n-c limits.txt\n") | {"limits.txt": "dep<1\n"}
    told = [str(reason) for reason in judge_in(copied(Case("", "", edit))).reasons]
    assert [each for each in told if each.startswith(("app", "other", "dep=="))] == [
        "app>=2 is not met by app==1.0 (requirements.in:1)",
        "other is not in the lock (requirements.in:2)",
        "dep==1.5 breaks the constraint dep<1 (limits.txt:1)",
    ]


REAL = [case for case in CASES if case.real]


@pytest.mark.parametrize("case", ids(REAL))
def test_verdict_of_the_session(
    case: Case, copied: Callable[[Case], Path], project: Project, index: LocalIndex
) -> None:
    root = copied(case)
    expected = judge_in(root)
    index.clear_requests()
    before = project.snapshot()

    told = project.nox(*CHECK, "--", "--format", "json")
    assert told.returncode == (0 if case.word == "fresh" else 1), told.output
    [lock] = json.loads(told.stdout)["locks"]
    assert lock == {
        "name": "requirements",
        "lockfile": LOCK,
        "python": PYTHON,
        "platform": None,
        "verdict": case.word,
        "reasons": [
            {"message": message, "file": place and place.file, "line": place and place.line}
            for message, place in expected.reasons
        ],
        "warnings": [],
        "notes": list(expected.notes),
        "diff": None,
    }

    said = project.nox(*CHECK)
    assert said.returncode == told.returncode
    assert f"{LOCK}: {case.word}" in said.output
    assert said.stdout == ""
    for reason in expected.reasons:
        assert str(reason) in said.output
    assert ("Run: nox -s lock" in said.output) is (case.word != "fresh")
    assert project.snapshot() == before
    assert not project.exists(".nox")
    assert index.requests() == []


def test_json_of_several_locks_of_which_one_is_asked_for(
    copied: Callable[[Case], Path], project: Project
) -> None:
    copied(Case("", "", {"requirements-dev.in": "speed\n"}))
    told = project.nox(*CHECK, "--", "--format=json")
    found = json.loads(told.failed().stdout)
    assert found["version"] == 1
    assert {each["name"]: each["verdict"] for each in found["locks"]} == {
        "requirements": "fresh",
        "dev": "missing",
    }
    one = json.loads(project.nox(*CHECK, "--", "requirements", "--format=json").ok().stdout)
    assert [each["name"] for each in one["locks"]] == ["requirements"]
    # `lock -- --check` is the same.
    run = project.nox("-s", "lock", "--", "--check").failed()
    assert "requirements-dev.txt: missing" in run.output
    assert not project.exists("requirements-dev.txt")


def test_json_stands_alone_also_with_a_session_of_another_name(
    copied: Callable[[Case], Path], project: Project
) -> None:
    copied(Case("", "", {LOCK: None}))
    project.write("noxfile.py", NOXFILE.replace("sessions()", "sessions('pin', 'pins')"))
    told = project.nox("-s", "pins", "--", "--format=json").failed()
    assert json.loads(told.stdout)["locks"][0]["verdict"] == "missing"
    assert "Run: nox -s pin\n" in told.stderr


AUDITED = """
    import json, os, sys
    from pathlib import Path

    import nox_lock
    from nox_lock.planning.config import load_config
    from nox_lock.checking.judge import judge_all
    from nox_lock.reporting.verdicts import annotate
    from nox_lock.planning.paths import find_orphans
    from nox_lock.planning.planner import plan
    from nox_lock.project import Project
    from nox_lock.reporting.verdicts import summary, verdict_lines, verdicts_json

    seen, watching = [], False
    FORBIDDEN = (
        "subprocess.", "socket.", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.system",
        "os.startfile", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink",
        "os.truncate", "os.chmod", "os.chown", "os.utime", "shutil.", "tempfile.", "pty.",
        "ctypes.", "urllib.", "http.", "ftplib.", "winreg.", "webbrowser.",
    )

    def writes(mode, flags):
        letters = isinstance(mode, str) and set(mode) & set("wax+")
        return bool(letters) or bool(flags and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))

    def hook(event, args):
        if watching and (event.startswith(FORBIDDEN) or event == "open" and writes(*args[1:])):
            seen.append([event, repr(args)])

    sys.addaudithook(hook)
    watching = True
    if sys.argv[1] == "spoil":
        Path("spoilt").write_text("")
        os.remove("spoilt")
        os.system("")
    root = Path.cwd()
    project = Project(root, os.environ)
    config = load_config(project)
    planned = plan(config)
    judged = judge_all(planned, find_orphans(config.locks.values(), planned, project))
    lines = [line for each in judged for line in verdict_lines(each)]
    report = verdicts_json(judged) + summary(judged) + str(list(annotate(judged, project)))
    watching = False
    print(json.dumps([[each.verdict.word for each in judged], seen]))
"""


def audited(root: Path, home: Path, argument: str = "") -> tuple[list[str], list[list[str]]]:
    # Python would write the bytecode of what is imported late.
    done = subprocess.run(
        [sys.executable, "-B", "-c", textwrap.dedent(AUDITED), argument],
        cwd=root,
        env=clean_environment(home),
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    words, seen = json.loads(done.stdout)
    return words, seen


@pytest.mark.parametrize("name", ["nothing", "a version past the pin", "made by uv", "garbage"])
def test_a_check_writes_nothing_starts_nothing_asks_nobody(
    name: str, copied: Callable[[Case], Path], home: Path
) -> None:
    [case] = [case for case in CASES if case.name == name]
    root = copied(case)
    # Another Python, one that is not installed, is judged as well.
    (root / "requirements-old.in").write_text("app\n", encoding="utf-8")
    (root / "requirements-old.txt").write_text(
        f"# autogenerated by pip-compile with Python 3.2\napp==1.0 --hash=sha256:{'0' * 64}\n",
        encoding="utf-8",
    )
    words, seen = audited(root, home)
    assert words == [case.word, "fresh"]
    assert seen == []


def test_the_watch_sees(copied: Callable[[Case], Path], home: Path) -> None:
    events = {event for event, _ in audited(copied(CASES[0]), home, "spoil")[1]}
    assert {"open", "os.remove", "os.system"} <= events


def test_a_checkout_that_cannot_be_written_is_checked(
    copied: Callable[[Case], Path], home: Path
) -> None:
    root = copied(CASES[0])
    for path in [*root.iterdir(), root]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        assert audited(root, home) == (["fresh"], [])
    finally:
        root.chmod(0o755)


LOCAL = """
    [build-system]
    requires = ["setuptools"]
    build-backend = "setuptools.build_meta"
    [project]
    name = "NAME"
    version = "1"
    dependencies = ["dep"]
    [tool.setuptools]
    py-modules = []
"""


def test_local_projects_are_judged(index: LocalIndex, tmp_path: Path, home: Path) -> None:
    project = Project(tmp_path / "local", home, index)
    index.publish_sdist("unrelated", "1.0")  # brings the setuptools that builds
    for name in ("one", "two"):
        project.write(f"{name}/pyproject.toml", LOCAL.replace("NAME", name))
    project.write("noxfile.py", NOXFILE)
    project.write("requirements.in", "-e ./one\ntwo @ file:./two\nspeed\n")
    project.nox("-s", "lock").ok()
    lock = project.read(LOCK)
    assert "-e ./one\n" in lock
    assert str(tmp_path) not in lock
    assert judge_in(project.root).word == "fresh"
    # pip-compile's warning stands first, and is no part of our header.
    assert "\n# WARNING: " in lock.partition("-e ./one")[0]
    assert "up to date (4 pins)" in project.nox("-s", "lock").ok().output
    assert project.read(LOCK) == lock
    (project.root / "requirements.txt").write_text(without_stamp(lock), encoding="utf-8")
    assert judge_in(project.root).word == "fresh"

    project.write("requirements.in", "two @ file:./two\nspeed\n")
    told = [str(reason) for reason in judge_in(project.root).reasons]
    assert [each for each in told if "./one" in each], told
    project.write("requirements.in", "-e ./one\n./one\nspeed\n")
    told = [str(reason) for reason in judge_in(project.root).reasons]
    assert [each for each in told if "two" in each], told


def test_no_case_is_judged_twice() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
    assert 8 <= len(REAL) <= 14
    assert os.environ.get("CI") is None

"""Whatever stands in the files of a project, a check ends in verdicts or in one error in words.

Each example is replayed by its number. They go through all that `lock-check` does, in this
process; an error of another kind would be a traceback.
"""

from __future__ import annotations

import json
import posixpath
import random
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from nox_lock.checking.judge import judge_all
from nox_lock.errors import NoxLockError
from nox_lock.project import Project
from nox_lock.reporting.verdicts import (
    annotate,
    error_fields,
    table,
    to_json,
    verdict_lines,
    verdicts_json,
)
from nox_lock.text import redact
from support.mistakes import BODY, HEADER
from support.plans import plan_with_orphans

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parents[2]
# ruff: noqa: E501  (a table is read by its columns)
# What has a meaning to one of the readers; the last are text of no meaning at all.
TOKENS = [
    *b"\0 \\ # ; , @ : ' \" [ ] { } ( ) = == === ~= >= <= != < > ! * - -- / // . .. ... $ % & + | ~ ^".split(),
    *b"-r -c -e --hash= --hash=sha256: --index-url --find-links --pre --no-binary :all: git+ https://".split(),
    *b"https://[::1/ https://[x] file:/// file:a ../ ./ /etc ${A} ${HOME} # via -r python_version".split(),
    *b"platform_release extra 'x'~='y' in not and or os_name (((((( [[[[ ]]]] {{ }} \"\"\" ''' 1e999 nan".split(),
    *b"<<<<<<< ======= >>>>>>> 99999999999999999999 2026-13-45 true [tool.nox-lock] include-group".split(),
    b"\n", b"\r\n", b"\r", b"\t", b"\f", b"\v", b"\x1b[31m", b"\xef\xbb\xbf", b"\xff\xfe", b"\x80", b"\xc3",
    "\u2028".encode(), "\x85".encode(), "\u202e".encode(), "\xe9".encode(), "\U0001f600".encode(),
    "\u0661".encode(), "\u212a".encode(), b"# -*- coding: utf-16 -*-\n", b"# coding: idna\n",
    b"9" * 5000, b"(" * 2000, b"[" * 2000, b"a" * 300, b"\\\n",
]  # fmt: skip


def judge_error(error: NoxLockError, root: Path) -> None:
    assert error.message
    assert str(root) not in str(error)
    assert error.place is None or error.place.line is None or error.place.line > 0
    json.loads(to_json(locks=[], error=error_fields(error)))
    shown = str(error).replace("\t", " ").split("\n")  # a tab moves nothing that was written
    assert all(redact(line).isprintable() for line in shown)


def check(root: Path) -> str:
    """Do what `lock-check` does; return the words of the verdicts, or the kind of the error."""
    try:
        judged = judge_all(*plan_with_orphans(root, {"A": "a"}))
    except NoxLockError as error:
        judge_error(error, root)
        return type(error).__name__
    shown = [line for each in judged for line in verdict_lines(each)]
    shown += [
        *annotate(judged, Project(root, {})),
        *table(judged, Project(root, {}), "nox -s lock"),
    ]
    assert str(root) not in "\n".join(shown)
    json.loads(verdicts_json(judged))
    return " ".join(sorted({each.verdict.word for each in judged}))


def mutated(data: bytes, choose: random.Random) -> bytes:
    """Return the bytes of a file after one to four edits."""
    for _ in range(choose.randint(1, 4)):
        at, to = sorted(choose.randint(0, len(data)) for _ in range(2))
        to = min(to, at + choose.choice([1, 4, 40, 4000]))
        line = data.rfind(b"\n", 0, at) + 1
        token, byte = choose.choice(TOKENS), bytes([choose.randrange(256)])
        upto, since, new = choose.choice(
            [
                (at, at, token), (at, to, token), (line, line, token), (line, line, token + b"\n"),
                (at, to, b""), (to, at, b""), (at, len(data), b""), (at, at + 1, byte),
            ]
        )  # fmt: skip
        data = data[:upto] + new + data[since:]
    return data


class Subject:
    """A project of which one file after the other is spoilt."""

    def __init__(self, root: Path, files: Sequence[str]) -> None:
        self.root = root
        self.good = {file: (root / file).read_bytes() for file in files}

    def run(self, number: int) -> str:
        choose = random.Random(number)  # noqa: S311
        file = choose.choice(list(self.good))
        (self.root / file).write_bytes(mutated(self.good[file], choose))
        try:
            return check(self.root)
        except Exception as error:
            error.add_note(f"example {number}, {file}") if hasattr(error, "add_note") else None
            raise
        finally:
            (self.root / file).write_bytes(self.good[file])


PYPROJECT = """\
[project]
name = "mine"
version = "1.0"
dependencies = ["app>=1 ; python_version > '3'", "dep @ https://x.invalid/dep-2.0.tar.gz"]
dynamic = ["readme"]
[project.optional-dependencies]
cli = ["app", "mine[more]"]
more = ["dep"]
[dependency-groups]
test = ["app", {include-group = "lint"}]
lint = ["dep ; sys_platform == 'linux'"]
[tool.pip-tools]
strip-extras = true
[tool.nox-lock]
on-stale = "auto"
generate-hashes = true
unsafe-package = ["pip"]
[tool.nox-lock.locks.requirements]
inputs = ["requirements.in"]
python = ["3.11"]
[tool.nox-lock.locks.mine]
inputs = ["pyproject.toml"]
extras = ["cli"]
lockfile = "locks/{name}-py{python}.txt"
python = "3.11"
[tool.nox-lock.locks.test]
groups = ["test"]
lockfile = "test.txt"
python = "3.11"
constraints = ["requirements"]
uploaded-prior-to = "2026-11-01"
"""
INPUT = """\
# What is needed.
app[fast]>=1,<2 ; python_version >= "3.8" and sys_platform != "win32"
dep @ https://x.invalid/dep-2.0.tar.gz#sha256=00  # there
-e ./sub
-r more.in
-c limits.txt
--extra-index-url https://x.invalid/simple
--find-links ./links
--no-binary dep,app
other==1.0 --hash=sha256:00 \\
    --hash=sha512:00
"""


@pytest.fixture
def small(tmp_path: Path) -> Subject:
    texts = {
        "pyproject.toml": PYPROJECT,
        "requirements.in": INPUT,
        "more.in": "app\nmore==1\n",
        "limits.txt": "app<3\n",
        "sub/pyproject.toml": PYPROJECT.partition("[tool.nox-lock]")[0],
        "sub/setup.cfg": "[options]\ninstall_requires = file: more.txt\n",
        "requirements.txt": HEADER + "-r locks/mine-py3.11.txt\n\n" + BODY,
        "locks/mine-py3.11.txt": HEADER
        + "# nox-lock: v1 inputs=00 hidden=- body=00 platform=linux-x86_64\n"
        + "--index-url https://x.invalid/simple\n\n"
        + BODY.replace("dep==2.0", "dep @ https://x.invalid/dep-2.0.tar.gz"),
        "test.txt": HEADER + BODY + "lint==1 ; sys_platform == 'linux'\n    # via app\n",
    }
    for name, text in texts.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return Subject(tmp_path, list(texts))


def run_all(subjects: Sequence[Subject], numbers: range) -> set[str]:
    return {subjects[number % len(subjects)].run(number) for number in numbers}


def test_a_small_project(small: Subject) -> None:
    assert "stale" in check(small.root)
    words = run_all([small], range(400))
    assert {"ConfigError", "RequirementsError"} < words
    assert any("invalid" in each for each in words)


@pytest.mark.long
def test_a_small_project_at_length(small: Subject) -> None:
    run_all([small], range(400, 40_000))


def subjects_of(shared: Path, folder: Path) -> Iterator[Subject]:
    """Yield each input of the corpus that has a lock file, with all that stands beside it."""
    for number, source in enumerate(sorted((shared / "corpus").rglob("*.in"))):
        lock = source.with_suffix(".txt")
        if not lock.is_file():
            continue
        name = source.relative_to(shared / "corpus").parts[0]
        root = folder / str(number)
        shutil.copytree(shared / "corpus" / name, root, copy_function=shutil.copyfile)
        files = [path.relative_to(shared / "corpus" / name).as_posix() for path in (source, lock)]
        (root / "pyproject.toml").write_text(
            f"[tool.nox-lock.locks.it]\ninputs = ['{files[0]}']\nlockfile = '{files[1]}'\n",
            encoding="utf-8",
        )
        beside = posixpath.dirname(files[0])
        more = [path.name for path in (root / beside).glob("*.in")][:5]
        yield Subject(root, [*files, *(posixpath.join(beside, each) for each in more)])


@pytest.mark.long
def test_real_projects(shared: Path, tmp_path: Path) -> None:
    subjects = list(subjects_of(shared, tmp_path))
    assert len(subjects) > 10
    run_all(subjects, range(5000))


# Tables of every shape

KEYS = [
    "tool", "nox-lock", "pip-tools", "locks", "requirements", "dev", "inputs", "python", "groups",
    "lockfile", "extras", "constraints", "platforms", "on-stale", "generate-hashes", "project",
    "strip-extras", "allow-unsafe", "unsafe-package", "uploaded-prior-to", "dependency-groups",
    "name", "version", "dependencies", "dynamic", "optional-dependencies", "include-group", "test",
    "build-system", "build-backend", "compile", "a b", "", "\x1b", "\u202e", "../x", "caf\xe9",
]  # fmt: skip
STRINGS = [
    *KEYS, "requirements.in", "pyproject.toml", "more.in", "sub/pyproject.toml", "3.11", "3.12",
    "pypy3.10", "3.13t", "3", ">=3", "linux", "win32", "windows", "auto", "lock", "{name}.txt",
    "{python}", "{platform}/{machine}", "{stem}-py{python}.txt", "{", "{}", "{0}", "{name!r}", "*",
    "**/x", "/etc/passwd", "..", ".", "./", "a\\b", "C:x", "a\0b", "2026-11-01", "P3D", "app>=1",
    "app", "app ; os_name ~= 'x'", "app @ https://[::1/x", "mine", "mine[test]", "mine>9", "-r x",
    "requirements.txt", "sub", "sub/", "noxfile.py", "a" * 300, "9" * 5000, "app==" + "9" * 5000,
    "\ufeff", "x\ny", "app ; " + "(" * 3000, "setup.py", "setup.cfg", "${A}", "a @ ${A}",
]  # fmt: skip
# The way to what is looked at, and what is looked for there.
SETTINGS = ("python", "platforms", "lockfile", "generate-hashes", "strip-extras", "allow-unsafe",
            "unsafe-package", "uploaded-prior-to")  # fmt: skip
OF_A_LOCK = (*SETTINGS, "inputs", "extras", "groups", "constraints")
KNOWN = {
    ("tool",): ("nox-lock", "pip-tools"),
    ("tool", "nox-lock"): (*SETTINGS, "on-stale", "locks"),
    ("tool", "nox-lock", "locks"): ("dev", "requirements", "test"),
    ("tool", "nox-lock", "locks", "dev"): OF_A_LOCK,
    ("tool", "nox-lock", "locks", "requirements"): OF_A_LOCK,
    ("tool", "pip-tools"): (*SETTINGS, "compile", "annotate"),
    ("project",): ("name", "version", "dependencies", "dynamic", "optional-dependencies"),
    ("project", "optional-dependencies"): ("test", "name"),
    ("dependency-groups",): ("test", "name", "dev"),
    ("build-system",): ("build-backend",),
}
# What is right there, more or less.
LISTS: dict[str, list[Any]] = {
    "inputs": ["requirements.in", "more.in", "pyproject.toml", "sub/x.in", "sub/pyproject.toml"],
    "python": ["3.11", "3.12", "pypy3.10", "3.13t"],
    "platforms": ["linux", "win32", "darwin"],
    "extras": ["test", "name"],
    "groups": ["test", "name", "dev"],
    "constraints": ["requirements", "dev", "test"],
    "unsafe-package": ["pip", "app"],
    "dynamic": ["dependencies", "optional-dependencies", "version"],
    "dependencies": ["app", "app>1", "mine[test]", "dep ; os_name == 'x'", "./sub", "a @ file:sub"],
    "test": ["app", "mine[name]", {"include-group": "name"}, {"include-group": "test"}],
    "name": ["dep", "mine[test]", {"include-group": "dev"}],
}


def value(choose: random.Random, depth: int = 0) -> Any:
    kind = choose.randrange(9 if depth < 3 else 6)
    if kind < 4:
        return choose.choice(STRINGS)
    if kind < 6:
        return choose.choice([True, False, 0, -1, 3.11, 1e300, 10**18])
    if kind < 8:
        return [value(choose, depth + 1) for _ in range(choose.randrange(4))]
    return {choose.choice(KEYS): value(choose, depth + 1) for _ in range(choose.randrange(4))}


def as_toml(found: Any) -> str:
    if isinstance(found, dict):
        return (
            f"{{{', '.join(f'{as_toml(key)} = {as_toml(each)}' for key, each in found.items())}}}"
        )
    if isinstance(found, list):
        return f"[{', '.join(map(as_toml, found))}]"
    return json.dumps(found).replace("\x7f", "\\u007f")


def document(choose: random.Random) -> dict[str, Any]:
    """Return the tables of a project file: what it should be, with values of any shape in it."""
    made: dict[str, Any] = {
        "tool": {"nox-lock": {"locks": {"dev": {"inputs": ["requirements.in"]}}}},
        "project": {"name": "mine", "version": "1", "dependencies": ["app"]},
        "dependency-groups": {"test": ["app"]},
    }
    for _ in range(choose.randint(1, 6)):
        here, path = made, choose.choice(list(KNOWN))
        for key in path:
            here = here.setdefault(key, {})
            if not isinstance(here, dict):
                break
        else:
            key = choose.choice(KNOWN[path]) if choose.random() < 0.9 else choose.choice(KEYS)
            right: Any = choose.choices(LISTS.get(key, STRINGS), k=choose.randrange(4))
            if key == "lockfile":
                right = choose.choice(["{name}-{python}-{platform}.txt", "{stem}.txt", "x.txt"])
            here[key] = right if choose.random() < 0.7 else value(choose)
    return made


def run_tables(root: Path, numbers: range) -> set[str]:
    for name, text in (("requirements.in", "app\n"), ("more.in", "dep\n"), ("sub/x.in", "")):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    (root / "requirements.txt").write_text(HEADER + BODY, encoding="utf-8")
    words = set()
    for number in numbers:
        made = document(random.Random(number))  # noqa: S311
        text = "".join(f"{as_toml(key)} = {as_toml(each)}\n" for key, each in made.items())
        (root / "pyproject.toml").write_text(text, encoding="utf-8")
        words.add(check(root))
    return words


def test_tables_of_every_shape(tmp_path: Path) -> None:
    words = run_tables(tmp_path, range(800))
    assert {"ConfigError", "RequirementsError", "fresh", "missing"} <= words, words


@pytest.mark.long
def test_tables_of_every_shape_at_length(tmp_path: Path) -> None:
    run_tables(tmp_path, range(800, 60_000))

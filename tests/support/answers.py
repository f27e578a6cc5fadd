"""The lock of an input for a Python and a platform, as pip-compile, uv and nox-lock make it.

Each is asked in one project folder with the same files, so that what a lock says of its inputs is
the same. nox-lock is run as people run it: ``nox -s lock`` in a project. pip-compile runs on the
very Python that the lock is for, with the pip and pip-tools that are beside nox-lock.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import re
import subprocess
import sys
import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import nox_lock
from nox_lock.compiling.cache import Cache, make_key
from nox_lock.compiling.interpreters import find_interpreter
from nox_lock.target import parse_target
from support.corpus import copy_sets
from support.project import Project, clean_environment, interpreters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from support.corpus import Input

# For one lock. What needs more says so, and is a failure.
SECONDS = 600
# As many as may run side by side; nox-lock runs as many as there are processors.
_JOBS = 2
# uv's names; the levels are the ones that nox-lock has by default.
_UV_PLATFORMS = {
    "linux": "x86_64-manylinux_2_28",
    "linux-aarch64": "aarch64-manylinux_2_28",
    "darwin": "aarch64-apple-darwin",
    "darwin-x86_64": "x86_64-apple-darwin",
    "win32": "x86_64-pc-windows-msvc",
}
_MACOS = "14.0"
_NOXFILE = "import nox_lock\n\nnox_lock.add_sessions()\n"
_NOTE = re.compile(r"^nox > (locks/\S+): (?!compil|not done)(.+)$", re.MULTILINE)
_CUT = 300
_LONG = 100
_TOOLS = [f"{name}=={importlib.metadata.version(name)}" for name in ("pip", "pip-tools")]


@dataclass(frozen=True)
class Question:
    """Which lock: of an input, for a Python (``3.12``, ``3.12.1``) and perhaps a platform."""

    input: Input
    python: str
    platform: str = ""
    hashes: bool = False

    @property
    def minor(self) -> str:
        """The Python as X.Y."""
        return ".".join(self.python.split(".")[:2])

    def __str__(self) -> str:
        what = [f"Python {self.python}", self.platform, "hashes" * self.hashes]
        return f"{self.input}, {', '.join(filter(None, what))}"


@dataclass(frozen=True)
class Answer:
    """The body of a lock file, or the failure: what was said in its place."""

    body: str = ""
    failure: str = ""
    notes: tuple[str, ...] = ()


class Tool(Protocol):
    """Who is asked; what it said counts as long as its version is the same."""

    name: str
    version: str

    def ask(self, questions: Sequence[Question]) -> Mapping[Question, Answer]:
        """Return what becomes of each; `Answers` asks those of one project at once."""


class Answers:
    """What was asked so far, in files: a run that was ended goes on from there.

    Args:
        corpus: the folder with the requirement sets.
        folder: for projects, environments, downloads and answers.
    """

    def __init__(self, corpus: Path, folder: Path) -> None:
        self.corpus = corpus
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir(parents=True, exist_ok=True)
        self._copying = threading.Lock()

    def ask(
        self, tool: Tool, questions: Iterable[Question], *, again: bool = False
    ) -> dict[Question, Answer]:
        """Return the answers to questions, asked only where there is none yet, or `again`."""
        questions = list(questions)
        found = {} if again else {q: a for q in questions if (a := self._read(tool, q))}
        for question, answer in tool.ask([q for q in questions if q not in found]).items():
            self._path(tool, question).parent.mkdir(parents=True, exist_ok=True)
            text = json.dumps(asdict(answer), indent=1)
            self._path(tool, question).write_text(text, encoding="utf-8")
            found[question] = answer
        return found

    def project(self, inputs: Iterable[Input]) -> Project:
        """Return a project with a copy of the sets of these inputs, the same for the same ones."""
        inputs = list(dict.fromkeys(inputs))
        root = self.folder / "projects" / _slug(" and ".join(map(str, inputs)))
        with self._copying:
            if not root.is_dir():
                copy_sets(self.corpus, inputs, root)
        return Project(root, self.home, env=_rust())

    def _path(self, tool: Tool, question: Question) -> Path:
        parts = [tool.name, question.python, question.platform, "hashes" * question.hashes]
        name = "-".join(filter(None, [*parts, tool.version]))
        return self.folder / "answers" / _slug(str(question.input)) / f"{name}.json"

    def _read(self, tool: Tool, question: Question) -> Answer | None:
        try:
            said = json.loads(self._path(tool, question).read_text(encoding="utf-8"))
        except OSError:
            return None
        return Answer(said["body"], said["failure"], tuple(said["notes"]))


class PipCompile:
    """The pip-compile of each Python itself, in an environment of that Python."""

    name = "pip-compile"

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.version = "-".join(_TOOLS)

    def ask(self, questions: Sequence[Question]) -> Mapping[Question, Answer]:
        pythons = {python: self._environment(python) for python in {q.minor for q in questions}}

        def compile_one(question: Question) -> Answer:
            project = self.answers.project([question.input])
            output = project.root / f"{question.minor}{'-hashes' * question.hashes}.txt"
            output.unlink(missing_ok=True)
            arguments = ["-m", "piptools", "compile", "--no-config", "--no-header", "--quiet"]
            arguments += ["--newline=LF", "--allow-unsafe", "--strip-extras"]
            arguments += ["--generate-hashes"] * question.hashes
            arguments += [f"--extra={extra}" for extra in question.input.extras]
            arguments += [f"--cache-dir={self.answers.folder / 'pip-tools'}"]
            arguments += [f"--output-file={output}", *question.input.paths]
            failure = _run([str(pythons[question.minor]), *arguments], project)[1]
            if failure:
                return Answer(failure=failure)
            text = output.read_text("utf-8")
            return Answer(text if text.strip() else "")  # without a header it writes a blank line

        return _ask_each(questions, compile_one)

    def _environment(self, python: str) -> Path:
        """Return the program of an environment with our pip and pip-tools."""
        folder = self.answers.folder / "environments" / python
        program = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        if not program.exists():
            make = [str(interpreters()[python]), "-m", "venv", "--without-pip", str(folder)]
            install = [sys.executable, "-m", "pip", "--python", str(program), "install"]
            env = clean_environment(self.answers.home)
            for command in (make, [*install, "--no-compile", *_TOOLS]):
                subprocess.run(command, env=env, check=True, capture_output=True)
        return program


class Uv:
    """uv, which resolves for any Python and platform by a resolver of its own."""

    name = "uv"

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.version = importlib.metadata.version("uv") if has_uv() else ""

    def ask(self, questions: Sequence[Question]) -> Mapping[Question, Answer]:
        return _ask_each(questions, self._compile)

    def _compile(self, question: Question) -> Answer:
        project = self.answers.project([question.input])
        arguments = ["--quiet", "--no-config", "--no-header", "--no-annotate"]
        arguments += [f"--cache-dir={self.answers.folder / 'uv'}"]
        arguments += [f"--python-platform={_UV_PLATFORMS[question.platform]}"]
        # Of a Python without its patch level uv takes the first, we the last.
        exact = question.python if question.python.count(".") > 1 else f"{question.python}.99"
        arguments += [f"--python-version={exact}", "--index-strategy=unsafe-best-match"]
        arguments += [f"--extra={extra}" for extra in question.input.extras]
        if "--pre" in _texts(project, question.input):  # which uv does not read there
            arguments.append("--prerelease=allow")
        command = [sys.executable, "-m", "uv", "pip", "compile", *arguments]
        env = {"MACOSX_DEPLOYMENT_TARGET": _MACOS}
        printed, failure = _run([*command, *question.input.paths], project, env)
        return Answer(failure=failure) if failure else Answer(printed)


class NoxLock:
    """nox-lock, by ``nox -s lock`` of this Python, without the cached locks.

    Args:
        answers: whose projects it is run in.
        pythons: those that are to be locked for.
        found: whether their interpreters are on PATH; else none of them is.
    """

    def __init__(self, answers: Answers, pythons: Iterable[str], *, found: bool) -> None:
        self.answers = answers
        self.name = "found" if found else "hidden"
        self.version = _digest(Path(nox_lock.__file__).parent)
        self._path = _path_with(pythons) if found else _path_without(pythons, answers.folder)
        for python in pythons:
            foreign = _runs_elsewhere(python, clean_environment(answers.home, PATH=self._path))
            assert foreign is not found, f"Python {python} is not {self.name}"

    def ask(self, questions: Sequence[Question]) -> Mapping[Question, Answer]:
        inputs = {question.input for question in questions}
        answers = self._ask_at_once(questions) if questions else {}
        # An input that cannot be read at all ends the whole session.
        if len(inputs) > 1 and all(answer.failure for answer in answers.values()):
            for entry in inputs:
                answers.update(self._ask_at_once([q for q in questions if q.input == entry]))
        return answers

    def _ask_at_once(self, questions: Sequence[Question]) -> dict[Question, Answer]:
        project = self.answers.project(question.input for question in questions)
        for earlier in project.root.glob("locks/*/*.txt"):
            earlier.unlink()
        project.write("noxfile.py", _NOXFILE)
        paths = _configure(project, questions)
        run = project.nox(
            *("-s", "lock", "--", "--no-cache", "--format", "json"),
            env={"PATH": self._path},
            timeout=SECONDS * len(paths) + 60,
        )
        try:
            said = json.loads(run.stdout)
        except ValueError:
            said = {"error": {"message": run.output[-_CUT:]}}
        notes = _NOTE.findall(run.stderr)
        answers = {}
        for path, question in paths.items():
            own = tuple(note for where, note in notes if where == path)
            errors = [each for each in said.get("errors", ()) if each["lockfile"] == path]
            if error := said.get("error") or next(iter(errors), None):
                answers[question] = Answer(failure=error["message"][:_CUT], notes=own)
            else:
                answers[question] = Answer(_without_header(project.read(path)), notes=own)
        return answers


def _configure(project: Project, questions: Iterable[Question]) -> dict[str, Question]:
    """Write a lock for each input, platform and way to hash; return what each file will answer."""
    locks: dict[Question, list[str]] = defaultdict(list)
    for question in questions:
        locks[replace(question, python="")].append(question.python)
    lines = ["[tool.nox-lock]", f"compile-timeout = {SECONDS}"]
    lines += ["allow-unsafe = true", "strip-extras = true"]
    paths = {}
    for number, (lock, pythons) in enumerate(locks.items()):
        own = {
            "inputs": lock.input.paths,
            "extras": lock.input.extras,
            "python": pythons,
            "platforms": [lock.platform] if lock.platform else [],
            "generate-hashes": lock.hashes,
            "lockfile": f"locks/{number}/{{python}}{'-{platform}' * bool(lock.platform)}.txt",
        }
        lines.append(f"[tool.nox-lock.locks.lock-{number}]")
        # What JSON makes of these is TOML, too; an empty list is left out.
        lines += [
            f"{key} = {json.dumps(each)}" for key, each in own.items() if each not in ([], ())
        ]
        for question in (replace(lock, python=python) for python in pythons):
            name = "-".join(filter(None, [question.minor, question.platform]))
            paths[f"locks/{number}/{name}.txt"] = question
    project.write("pyproject.toml", "\n".join(lines))
    return paths


def _without_header(text: str) -> str:
    lines = text.splitlines(keepends=True)
    first = next((n for n, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return "".join(lines[first:])


def _ask_each(
    questions: Sequence[Question], ask: Callable[[Question], Answer]
) -> dict[Question, Answer]:
    with ThreadPoolExecutor(_JOBS) as pool:
        return dict(zip(questions, pool.map(ask, questions), strict=True))


def _run(
    command: Sequence[str], project: Project, env: Mapping[str, str] | None = None
) -> tuple[str, str]:
    """Return what a command printed, and why it failed, empty where it did not."""
    try:
        done = subprocess.run(
            command,
            cwd=project.root,
            # As nox-lock has it: the sets that pip-tools goes through are in the same order.
            env={**project.environment(env), "PYTHONHASHSEED": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "", f"not done after {SECONDS} s"
    said = done.stderr.strip() or f"ended with {done.returncode}"
    return done.stdout, said[-_CUT:] if done.returncode else ""


def _texts(project: Project, entry: Input) -> list[str]:
    """Return the lines of an input and of what it includes, one level deep."""
    lines: list[str] = []
    for path in map(Path, entry.paths):
        own = project.read(path.as_posix()).splitlines()
        lines += own
        for line in own:
            if line.startswith("-r "):
                lines += project.read((path.parent / line[3:].strip()).as_posix()).splitlines()
    return [line.strip() for line in lines]


def _rust() -> dict[str, str]:
    """Return where rustup has its compilers: in a home of its own it would fetch them again."""
    folders = {"RUSTUP_HOME": Path.home() / ".rustup", "CARGO_HOME": Path.home() / ".cargo"}
    return {name: str(folder) for name, folder in folders.items() if folder.is_dir()}


def _path_with(pythons: Iterable[str]) -> str:
    folders = [str(interpreters()[python].parent) for python in pythons]
    return os.pathsep.join([*folders, os.environ["PATH"]])


def _path_without(pythons: Iterable[str], place: Path) -> str:
    """Return PATH without these Pythons: a folder with one is replaced by links to all else."""
    names = {f"python{python}" for python in pythons}
    folders = []
    for folder in map(Path, filter(None, os.environ["PATH"].split(os.pathsep))):
        if not any((folder / name).exists() for name in names):
            folders.append(str(folder))
        elif folder.name != "shims":  # pyenv's, which stand for Pythons alone
            copy = place / "path" / _slug(str(folder))
            copy.mkdir(parents=True, exist_ok=True)
            for program in folder.iterdir():
                link = copy / program.name
                if program.name not in names and not link.is_symlink():
                    link.symlink_to(program)
            folders.append(str(copy))
    return os.pathsep.join(folders)


def _runs_elsewhere(python: str, environ: Mapping[str, str]) -> bool:
    """Say whether another Python than the one that is locked for would run a compile."""
    found = find_interpreter(parse_target(python), None, Cache(None), environ, threading.Event())
    return bool(found.builder)


def _slug(text: str) -> str:
    plain = re.sub(r"\W+", "-", text).strip("-")
    return plain if len(plain) < _LONG else f"{plain[:_LONG]}-{make_key(text)[:8]}"


def _digest(folder: Path) -> str:
    return make_key(*(path.read_text("utf-8") for path in sorted(folder.rglob("*.py"))))[:12]


def has_uv() -> bool:
    """Say whether uv is beside nox-lock."""
    return importlib.util.find_spec("uv") is not None

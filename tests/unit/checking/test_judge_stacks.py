"""Verdicts on layers, on several targets, and under several environments."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from nox_lock.checking.judge import judge_all
from nox_lock.lockfile import lock_file
from nox_lock.target import running_target
from support.index import LocalIndex
from support.locks import stamp_all
from support.plans import plan_with_orphans
from support.project import NOXFILE, Project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

BASE, DEV, DOCS = "requirements.txt", "requirements-dev.txt", "requirements-docs.txt"
HERE = str(running_target())
OTHER = "3.12" if HERE != "3.12" else "3.11"
ONE, TWO = f"requirements-py{HERE}.txt", f"requirements-py{OTHER}.txt"
BUMP = ("dep==1.5", "dep==1.6")
STACK = {
    "requirements.in": "app>=1.0\n",
    "requirements-dev.in": "-r requirements.in\ntool\n",
    "requirements-docs.in": "-c requirements.txt\ntheme\n",
}
TARGETS = {
    "requirements.in": "app>=1.0\nback ; python_version < '3.2'\n",
    "pyproject.toml": f"[tool.nox-lock]\npython = ['{HERE}', '{OTHER}']\n",
}


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalIndex]:
    with LocalIndex(tmp_path_factory.mktemp("served") / "index") as local:
        local.publish("app", "1.0", requires=["dep>=1"])
        local.publish("dep", "1.5")
        local.publish("tool", "1.0", requires=["dep"])
        local.publish("theme", "1.0", requires=["dep"])
        yield local


@pytest.fixture(scope="module")
def made(index: LocalIndex, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return project folders with locks: a real stack, the same without hashes, two targets."""
    folder = tmp_path_factory.mktemp("made")
    plain = "[tool.nox-lock]\ngenerate-hashes = false\n"
    kinds = {
        "stack": STACK,
        "plain stack": {**STACK, "pyproject.toml": plain},
        "targets": TARGETS,
    }
    projects = {name: Project(folder / name, folder / "home", index) for name in kinds}
    for name, files in kinds.items():
        projects[name].write("noxfile.py", NOXFILE)
        for file, text in files.items():
            projects[name].write(file, text)
    projects["stack"].nox("-s", "lock").ok()
    # As they are compiled, the others differ from these in this alone.
    bodies = {
        name: lock_file.parse(projects["stack"].read(path)).body
        for name, path in {"requirements": BASE, "dev": DEV, "docs": DOCS}.items()
    }
    bare = {name: re.sub(r" \\\n    --hash=\S+", "", body) for name, body in bodies.items()}
    stamp_all(projects["plain stack"].root, bare)
    stamp_all(projects["targets"].root, bodies)
    return {name: project.root for name, project in projects.items()}


def swap(old: str, new: str) -> Callable[[str], str]:
    def edit(text: str) -> str:
        assert old in text
        return text.replace(old, new)

    return edit


def add(line: str) -> Callable[[str], str]:
    return lambda text: f"{text}{line}\n"


def without_stamp(text: str) -> str:
    return "".join(x for x in text.splitlines(keepends=True) if not x.startswith("# nox-lock:"))


@dataclass(frozen=True)
class Case:
    """An edit, and the verdicts that are not fresh, each with a part of a reason.

    Attributes:
        name: what was done.
        edits: by file, the new text, or what makes it of the old; the name of a lock file copies
            that, None takes the file away.
        wrong: by lock file, its verdict and a part of one of its reasons with the place.
        kind: which of the made projects it is done to.
        env: variables that are set.
    """

    name: str
    edits: Mapping[str, Any] = field(default_factory=dict)
    wrong: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    kind: str = "stack"
    env: Mapping[str, str] = field(default_factory=dict)


def config(text: str) -> dict[str, str]:
    return {"pyproject.toml": f"[tool.nox-lock]\n{text}\n"}


CASES = [
    Case("nothing"),
    Case("nothing, unhashed", kind="plain stack"),
    Case("nothing, two targets", kind="targets"),
    Case("a bound past the pin, below", {"requirements.in": "app>=2\n"},
         {BASE: ("stale", "app>=2 is not met by app==1.0 (requirements.in:1)"),
          DEV: ("stale", "app>=2 is not met by app==1.0 (requirements.in:1)")}),
    Case("a requirement added below", {"requirements.in": add("more")},
         {BASE: ("stale", "more is not in the lock (requirements.in:2)"),
          DEV: ("stale", "more is not in the lock (requirements.in:2)")}),
    Case("a requirement added above", {"requirements-dev.in": add("more")},
         {DEV: ("stale", "more is not in the lock (requirements-dev.in:3)")}),
    Case("a comment below", {"requirements.in": add("# more")}),
    Case("a bot bumps what is below", {BASE: swap(*BUMP)},
         {DEV: ("stale", "dep==1.5, but dep==1.6 in requirements.txt, which it builds on"),
          DOCS: ("stale", "dep==1.5 breaks the constraint dep==1.6")}),
    Case("a bot bumps what is below, unhashed", {BASE: swap(*BUMP)},
         {DEV: ("stale", "dep==1.5, but dep==1.6 in requirements.txt, which it builds on"),
          DOCS: ("stale", "dep==1.5 breaks the constraint dep==1.6")}, kind="plain stack"),
    Case("a bot bumps all of them", {BASE: swap(*BUMP), DEV: swap(*BUMP), DOCS: swap(*BUMP)}),
    Case("a bot bumps all, and drops the stamps",
         {each: lambda text: without_stamp(text).replace(*BUMP) for each in (BASE, DEV, DOCS)}),
    Case("a bot bumps what is above", {DEV: swap(*BUMP)},
         {DEV: ("stale", "dep==1.6, but dep==1.5 in requirements.txt, which it builds on")}),
    Case("no lock file below", {BASE: None},
         {BASE: ("missing", "there is no lock file"),
          DOCS: ("stale", "it builds on requirements.txt, which is not there")}),
    Case("marks of a merge below", {BASE: add("<<<<<<< HEAD")},
         {BASE: ("invalid", "a merge conflict"),
          DOCS: ("stale", "it builds on requirements.txt, which is broken")}),
    Case("-r taken out", {"requirements-dev.in": "tool\n"},
         {DEV: ("stale", "app==1.0 is required by no input")}),
    Case("-r put in", {"requirements-docs.in": add("-r requirements.in")},
         {DOCS: ("stale", "app>=1.0 is not in the lock (requirements.in:1)")}),
    Case("-c taken out", {"requirements-docs.in": "theme\n"}),
    Case("-c put in that holds",
         {"requirements-dev.in": add("-c limits.txt"), "limits.txt": "dep<2\n"}),
    Case("-c put in that does not hold",
         {"requirements-dev.in": add("-c limits.txt"), "limits.txt": "\ndep<1\n"},
         {DEV: ("stale", "dep==1.5 breaks the constraint dep<1 (limits.txt:2)")}),
    Case("a constraint declared that holds", config("locks.docs.inputs = ['requirements-docs.in']\n"
                                                    "locks.docs.constraints = ['requirements']")),
    Case("no hashes wanted any more", config("generate-hashes = false"),
         dict.fromkeys((BASE, DEV, DOCS), ("stale", "it has hashes"))),
    Case("hashes wanted", config("generate-hashes = true"),
         dict.fromkeys((BASE, DEV, DOCS), ("stale", "it has no hashes")), kind="plain stack"),
    Case("a cooldown", config("uploaded-prior-to = '2026-01-01'"),
         dict.fromkeys((BASE, DEV, DOCS), ("stale", "uploaded-prior-to"))),
    Case("a cooldown for one", config("locks.dev.inputs = ['requirements-dev.in']\n"
                                      "locks.dev.uploaded-prior-to = '2026-01-01'"),
         {DEV: ("stale", "uploaded-prior-to")}),
    Case("an input taken away", {"requirements-dev.in": None}, {DEV: ("orphaned", "git rm")}),
    Case("an input that nobody locked", {"requirements-new.in": "dep\n"},
         {"requirements-new.txt": ("missing", "there is no lock file")}),
    # Targets
    Case("one of the two is gone", {TWO: None}, {TWO: ("missing", "there is no lock file")},
         kind="targets"),
    Case("one of the two bumped past its input", {ONE: swap("app==1.0", "app==0.9")},
         {ONE: ("stale", "app>=1.0 is not met by app==0.9 (requirements.in:1)")}, kind="targets"),
    Case("one of the two bumped", {ONE: swap(*BUMP)}, kind="targets"),
    Case("made by the other Python", {TWO: swap(f"Python {OTHER}", f"Python {HERE}")},
         {TWO: ("stale", f"made for Python {HERE}, wanted for Python {OTHER}")}, kind="targets"),
    Case("a marker for one of them", {"requirements.in": add(f"dep ; python_version == '{HERE}'")},
         {ONE: ("stale", "its pin has no marker in the lock (requirements.in:3)")}, kind="targets"),
    Case("a marker for one of them, and not in its lock",
         {"requirements.in": add(f"more ; python_version == '{HERE}'")},
         {ONE: ("stale", "is not in the lock (requirements.in:3)")}, kind="targets"),
    Case("a marker that holds for one no more",
         {"requirements.in": f"app>=1.0 ; python_version == '{HERE}'\n"},
         {ONE: ("stale", "its pin has no marker in the lock (requirements.in:1)"),
          TWO: ("stale", f"does not hold for Python {OTHER}")}, kind="targets"),
    Case("a third Python", config(f"python = ['{HERE}', '{OTHER}', '3.99']"),
         {"requirements-py3.99.txt": ("missing", "there is no lock file")}, kind="targets"),
    Case("one Python less",
         config(f"python = '{HERE}'\nlockfile = 'requirements-py{{python}}.txt'"),
         {TWO: ("orphaned", f"git rm {TWO}")}, kind="targets"),
    Case("the file of a time before", {BASE: ONE}, {BASE: ("orphaned", f"git rm {BASE}")},
         kind="targets"),
    # The environment
    Case("settings of pip", env={"PIP_EXTRA_INDEX_URL": "https://index.invalid/simple",
                                 "PIP_PRE": "1", "PIP_REQUIRE_HASHES": "1"}),
    Case("a CI", env={"CI": "true"}),
    Case("a variable in a path",
         {"requirements-docs.in": "-r ${WHERE}/in.in\n-c requirements.txt\n",
          "a/in.in": "theme\n"}, env={"WHERE": "a"}),
    Case("a variable in a path has changed",
         {"requirements-docs.in": "-r ${WHERE}/in.in\n-c requirements.txt\n",
          "a/in.in": "theme\n", "b/in.in": "theme>=2\n"},
         {DOCS: ("stale", "theme>=2 is not met by theme==1.0 (b/in.in:1)")}, env={"WHERE": "b"}),
]  # fmt: skip


def verdicts(root: Path, env: Mapping[str, str]) -> dict[str, tuple[str, list[str]]]:
    """Return the word and the reasons of each lock file, orphaned ones too."""
    planned, orphans = plan_with_orphans(root, env)
    return {
        each.path: (each.verdict.word, [str(reason) for reason in each.verdict.reasons])
        for each in judge_all(planned, orphans)
    }


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
def test_verdicts(
    case: Case, made: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = shutil.copytree(
        made[case.kind], tmp_path / "project", ignore=shutil.ignore_patterns(".nox")
    )
    for name, edit in case.edits.items():
        path = root / name
        path.parent.mkdir(exist_ok=True)
        if edit is None:
            path.unlink()
        elif edit == ONE:
            shutil.copy(root / ONE, path)
        else:
            old = path.read_text(encoding="utf-8") if path.exists() else ""
            path.write_text(edit(old) if callable(edit) else edit, encoding="utf-8")
    for name, value in case.env.items():
        monkeypatch.setenv(name, value)
    found = verdicts(root, case.env)
    wrong = {path: told for path, told in found.items() if told[0] != "fresh"}
    assert {path: word for path, (word, _) in wrong.items()} == {
        path: word for path, (word, _) in case.wrong.items()
    }, wrong
    for lock, (_, words) in case.wrong.items():
        assert any(words in reason for reason in wrong[lock][1]), wrong[lock]


def test_no_case_is_judged_twice() -> None:
    assert len({case.name for case in CASES}) == len(CASES)

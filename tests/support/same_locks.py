"""Compares nox-lock's locks for other Pythons and platforms with the locks that are right for them.

    python tests/support/same_locks.py [CORPUS] [--input TEXT] [--python X.Y] [--platform NAME]

CORPUS is a folder with requirement sets, by default ../shared/corpus from the project root. For
each Python that is here, the lock of each input must be what that Python's own pip-compile writes,
byte for byte but for the header; once with that Python hidden from nox-lock, and once with it. For
each platform it must have the pins that uv finds. Two tables say how many of them do, and why the
others do not; what has no explanation makes the exit status 1.

What was asked is kept in a folder, until nox-lock or the day changes: a run that was ended, or that
`--minutes` has ended, goes on from there.
"""

from __future__ import annotations

import argparse
import datetime as dt
import functools
import itertools
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from packaging.version import Version

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from nox_lock.target import running_platform
from support.answers import Answers, NoxLock, PipCompile, Question, Uv, has_uv
from support.corpus import default_corpus, find_inputs
from support.project import interpreters

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from support.answers import Answer, Tool
    from support.corpus import Input

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
PLATFORMS = ("darwin", "win32", "linux-aarch64")
# pip-tools 7.6.1 and 7.6.2 download each file that they hash: inputs of projects with small ones.
HASHED = {
    "aio-libs__aiohttp/requirements/doc.in",
    "aio-libs__aiohttp/requirements/multidict.in",
    "bazelbuild__rules_python/docs/pyproject.toml",
    "bazelbuild__rules_python/examples/build_file_generation/requirements.in",
    "bazelbuild__rules_python/examples/bzlmod/other_module/requirements.in",
    "bazelbuild__rules_python/examples/multi_python_versions/requirements/requirements.in",
    "bazelbuild__rules_python/examples/pip_parse_vendored/requirements.in",
    "bazelbuild__rules_python/examples/pip_repository_annotations/requirements.in",
    "bazelbuild__rules_python/examples/wheel/requirements_server.in",
    (
        "bazelbuild__rules_python/tests/multiple_inputs/a/pyproject.toml"
        " + tests/multiple_inputs/b/pyproject.toml"
    ),
    (
        "bazelbuild__rules_python/tests/multiple_inputs/requirements_1.in"
        " + tests/multiple_inputs/requirements_2.in"
    ),
    "bazelbuild__rules_python/tests/uv/lock/testdata/requirements.in",
    "freedomofpress__securedrop/securedrop/requirements/python3/translation-requirements.in",
    "nedbat__coveragepy/doc/requirements.in",
    "nedbat__coveragepy/requirements/pytest.in",
    "nedbat__coveragepy/requirements/tox.in",
    "openedx__credentials/requirements/translations.in",
    "pallets__flask/main/pyproject.toml",
    "pallets__flask/requirements/docs.in",
    "pallets__flask/requirements/tests-pallets-min.in",
    "pallets__flask/requirements/tests.in",
    "pypa__manylinux/requirements-base-tools.in",
    "pypa__manylinux/requirements.in",
    "zulip__zulip/requirements/docs.in",
}
SAME, EXPLAINED, BOTH_FAIL = "same", "explained", "both fail"
DIFFERENT, OURS_FAILS, THEIRS_FAILS = "different", "only ours fails", "only theirs fails"
OUTCOMES = (SAME, EXPLAINED, DIFFERENT, OURS_FAILS, THEIRS_FAILS, BOTH_FAIL)
UNEXPLAINED = (DIFFERENT, OURS_FAILS, THEIRS_FAILS)
_PIN = re.compile(r"^([\w.-]+)(?:\[[^\]]*\])?(?:==| @ )([^\s;]+)", re.MULTILINE)
_BUILD = re.compile(r"has to be built to be locked|only a build says")


@dataclass(frozen=True)
class Finding:
    """What came of one comparison.

    Attributes:
        question: which lock it is about.
        row: of the table.
        outcome: one of `OUTCOMES`.
        cause: why it is not the same.
    """

    question: Question
    row: str
    outcome: str
    cause: str = ""

    def __str__(self) -> str:
        return f"{self.row}: {self.question}: {self.outcome}: {self.cause}"


class Comparison:
    """Compares the locks of inputs for Pythons and for platforms.

    Args:
        answers: who is asked by way of these.
        pythons: those with which pip-compile is compared.
        platforms: those for which uv is compared.
        hashed: the inputs that are locked for the Pythons with hashes, too.
        python: the Python on these platforms.
    """

    def __init__(
        self,
        answers: Answers,
        pythons: Sequence[str],
        platforms: Sequence[str],
        *,
        hashed: Collection[str] = HASHED,
        python: str = HERE,
    ) -> None:
        self.answers = answers
        self.pythons = pythons
        self.platforms = platforms
        self.hashed = hashed
        self.python = python
        self.pip_compile, self.uv = PipCompile(answers), Uv(answers)
        known = sorted({*pythons, *([python] if platforms else [])} - {HERE})
        self.hidden = NoxLock(answers, known, found=False)
        self.found = NoxLock(answers, known, found=True)

    def compare(self, inputs: Sequence[Input]) -> Iterator[Finding]:
        """Yield what came of each comparison of inputs; they are of different sets."""
        plain = [Question(each, python) for each in inputs for python in self.pythons]
        plain += [replace(each, hashes=True) for each in plain if str(each.input) in self.hashed]
        others = [Question(each, self.python, there) for each in inputs for there in self.platforms]
        # All at once, which is quicker.
        self.answers.ask(self.pip_compile, plain)
        self.answers.ask(self.uv, others)
        self.answers.ask(self.hidden, [*plain, *others])
        self.answers.ask(self.found, plain)
        for question in plain:
            yield self._compare_with_pip_compile(question, self.hidden)
            yield self._compare_with_pip_compile(question, self.found)
        for question in others:
            yield self._compare_with_uv(question)

    def _compare_with_pip_compile(self, question: Question, tool: NoxLock) -> Finding:
        row = f"Python {question.python}, {tool.name}{', with hashes' * question.hashes}"
        outcome, ours, theirs = self._judge(question, tool, self.pip_compile, _bytes)
        if outcome not in UNEXPLAINED:
            return Finding(question, row, outcome, _difference(ours, theirs))
        difference = _difference(ours, theirs)
        if self._is_same_for(_exact(question.python), question, tool, theirs):
            why = f"the same for {_exact(question.python)}"
            return Finding(question, row, EXPLAINED, f"{why}; {difference}")
        # What it has built is right where the target's own Python builds it.
        if tool is self.hidden and (said := _build(ours)):
            pythons = (question.python, _exact(question.python))
            if any(self._is_same_for(each, question, self.found, theirs) for each in pythons):
                return Finding(question, row, EXPLAINED, f"{difference}; {said}")
        return Finding(question, row, outcome, difference)

    def _is_same_for(self, python: str, question: Question, tool: Tool, theirs: Answer) -> bool:
        ours = self._ask(tool, replace(question, python=python))
        return _outcome(ours, theirs, _bytes) in {SAME, BOTH_FAIL}

    def _compare_with_uv(self, question: Question) -> Finding:
        row = f"{question.platform}, Python {question.python}"
        outcome, ours, theirs = self._judge(question, self.hidden, self.uv, _pins)
        difference = _difference(ours, theirs)
        # uv reads what a wheel for another platform says of its dependencies, pip builds.
        if outcome == OURS_FAILS and _build(ours):
            return Finding(question, row, EXPLAINED, difference)
        # Of several sets of pins that fit, two resolvers may not find the same first.
        if outcome == DIFFERENT and self._resolvers_differ(question, difference):
            why = f"pip-compile and uv differ so for this machine, too; {difference}"
            return Finding(question, row, EXPLAINED, why)
        return Finding(question, row, outcome, difference)

    def _resolvers_differ(self, question: Question, difference: str) -> bool:
        own = self._ask(self.pip_compile, replace(question, platform=""))
        theirs = self._ask(self.uv, replace(question, platform=running_platform().system))
        return _difference(own, theirs) == difference

    def _judge(
        self, question: Question, tool: Tool, other: Tool, part: Callable[[Answer], object]
    ) -> tuple[str, Answer, Answer]:
        ours, theirs = self._ask(tool, question), self._ask(other, question)
        outcome = _outcome(ours, theirs, part)
        if outcome in UNEXPLAINED:  # the index may have changed in between
            ours = self._ask(tool, question, again=True)
            theirs = self._ask(other, question, again=True)
            outcome = _outcome(ours, theirs, part)
        return outcome, ours, theirs

    def _ask(self, tool: Tool, question: Question, *, again: bool = False) -> Answer:
        return self.answers.ask(tool, [question], again=again)[question]


def _outcome(ours: Answer, theirs: Answer, part: Callable[[Answer], object]) -> str:
    if ours.failure or theirs.failure:
        both = ours.failure and theirs.failure
        return BOTH_FAIL if both else OURS_FAILS if ours.failure else THEIRS_FAILS
    return SAME if part(ours) == part(theirs) else DIFFERENT


def _bytes(answer: Answer) -> str:
    return answer.body


def _pins(answer: Answer) -> dict[str, str | Version]:
    return {
        canonicalize_name(name): value if ":" in value else Version(value)
        for name, value in _PIN.findall(answer.body)
    }


def _difference(ours: Answer, theirs: Answer) -> str:
    """Say in one line how two answers differ."""
    if ours.failure or theirs.failure:
        said = {"nox-lock": ours.failure, "the other": theirs.failure}
        return "; ".join(f"{who}: {' '.join(why.split())}" for who, why in said.items() if why)
    mine, others = _pins(ours), _pins(theirs)
    names = sorted(name for name in {*mine, *others} if mine.get(name) != others.get(name))
    if not names:
        pairs = zip(ours.body.splitlines(), theirs.body.splitlines(), strict=False)
        line = next((pair for pair in pairs if pair[0] != pair[1]), ("", ""))
        return f"the same pins, but {line[0].strip()!r}, not {line[1].strip()!r}"
    pins = (f"{each} {mine.get(each, '-')}, not {others.get(each, '-')}" for each in names)
    return "; ".join(pins)


def _build(answer: Answer) -> str:
    """Return what nox-lock says of a build that only the target itself does right, if any."""
    said = (*answer.notes, answer.failure)
    return next((" ".join(each.split()) for each in said if _BUILD.search(each)), "")


@functools.cache
def _exact(python: str) -> str:
    """Return the version of a Python that is here, with its patch level."""
    code = "import platform; print(platform.python_version())"
    command = [str(interpreters()[python]), "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def batches(inputs: Iterable[Input]) -> Iterator[list[Input]]:
    """Yield inputs of different sets, to be locked at once: those of one may build on others."""
    sets: dict[str, list[Input]] = {}
    for each in inputs:
        sets.setdefault(each.set, []).append(each)
    for batch in itertools.zip_longest(*sets.values()):
        yield [each for each in batch if each is not None]


def table(findings: Iterable[Finding]) -> str:
    """Return a table of how many comparisons came out how, a row for each target."""
    counts: dict[str, Counter[str]] = {}
    for each in findings:
        counts.setdefault(each.row, Counter())[each.outcome] += 1
    lines = [["", "inputs", *OUTCOMES]]
    lines += [
        [row, str(count.total()), *(str(count[each] or "-") for each in OUTCOMES)]
        for row, count in counts.items()
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])])
        for line in lines
    )


def describe(findings: Iterable[Finding]) -> list[str]:
    """Return a line for each comparison that did not come out the same."""
    return [str(each) for each in findings if each.outcome != SAME]


def main() -> int:
    """Compare what was asked for; 1 where something is not explained."""
    options = _parser().parse_args()
    asked = options.python or options.platform
    options.python = options.python or ([] if asked else list(PYTHONS))
    options.platform = options.platform or ([] if asked else list(PLATFORMS))
    if not options.corpus.is_dir():
        sys.exit(f"there is no folder {options.corpus} with requirement sets: name one")
    pythons = [each for each in options.python if each != HERE and each in interpreters()]
    for each in set(options.python) - {*pythons, HERE}:
        _say(f"Python {each} is not here: left out")
    platforms = options.platform if has_uv() else []
    if not has_uv():
        _say("uv is not here: no platforms")
    inputs = [each for each in find_inputs(options.corpus) if options.input in str(each)]
    comparison = Comparison(
        Answers(options.corpus, options.folder), pythons, platforms, python=options.platform_python
    )
    findings: list[Finding] = []
    left = list(batches(inputs))
    until = time.monotonic() + options.minutes * 60
    while left and time.monotonic() < until:
        batch = left.pop(0)
        _say(f"{time.strftime('%H:%M:%S')} {', '.join(map(str, batch))}")
        for finding in comparison.compare(batch):
            findings.append(finding)
            if finding.outcome not in {SAME, BOTH_FAIL}:
                _say(f"    {finding}")
    for each in (each for batch in left for each in batch):
        _say(f"no time left for {each}")
    _say("", table(findings), "", *describe(findings))
    return int(any(each.outcome in UNEXPLAINED for each in findings) or bool(left))


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    say = parser.add_argument
    say("corpus", nargs="?", type=Path, default=default_corpus(), metavar="CORPUS")
    say("--input", default="", metavar="TEXT", help="only inputs whose path has this in it")
    say("--python", action="append", metavar="X.Y", help="this one, not all that are here")
    say("--platform", action="append", metavar="NAME", help="this one, not all")
    say("--platform-python", default=HERE, metavar="X.Y", help="the Python on these platforms")
    say("--minutes", type=float, default=120, help="begin no input after so many")
    folder = (
        Path(tempfile.gettempdir())
        / "same-locks"
        / dt.datetime.now(dt.timezone.utc).date().isoformat()
    )
    say("--folder", type=Path, default=folder, help="where to keep what was asked")
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""Wherever a lock file is fresh, what pip reads from it is what the verdict is on.

Each example is made anew from its number.
"""

from __future__ import annotations

import collections
import os
import posixpath
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from packaging.markers import Marker
from packaging.utils import canonicalize_name, canonicalize_version

from nox_lock.lockfile import lock_file
from support.lock_mutations import mutate
from support.oracle import Oracle
from support.verdicts import (
    LOCK,
    PROJECTS,
    Covered,
    by_uv,
    covered,
    make,
    restamped,
    unstamped,
    verdicts,
    write,
)
from support.wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BESIDE = {
    "more.txt": b"evil==6.6.6\n", "limits.txt": b"silk<9\n", "empty.txt": b"# nothing\n",
    "evil/pyproject.toml": b'[project]\nname = "evil"\n',
}  # fmt: skip
STYLES: dict[str, Callable[[bytes], bytes]] = {
    "split": lambda data: data,
    "line": lambda data: re.sub(
        rb"    # via\n((?:    #   .*\n?)+)",
        lambda found: b"    # via " + b", ".join(re.findall(rb"#   (.*)", found[1])) + b"\n",
        data,
    ),
    "one line": lambda data: re.sub(rb" \\\n +--hash", b" --hash", data),
    "CRLF": lambda data: data.replace(b"\n", b"\r\n"),
}
STAMPS: dict[str, Callable[[bytes], bytes]] = {
    "stamped": lambda data: data,
    "unstamped": unstamped,
    "uv": lambda data: by_uv(unstamped(data)),
}


TRACEBACK = "traceback of "


class Base(NamedTuple):
    """A good lock file, and what pip reads from it."""

    folder: Path
    text: bytes
    stamp: str
    pins: list[Covered]
    options: list[Any]


class Reading(NamedTuple):
    """What pip reads: pins, options, and what else it would obey."""

    pins: list[Covered]
    options: list[tuple[str, str]]
    more: list[Any]


def pip_reading(answer: dict[str, Any]) -> Reading:
    """Return an answer of the oracle, in the form of `covered`."""
    pins, more = [], list(answer["settings"])
    for entry in answer["entries"]:
        _, _, constraint, editable, name, extras, specifier, marker, url, hashes = entry
        # Of both, one version fits.
        demand = url or re.sub(r"^===", "==", ",".join(specifier or []))
        some = tuple(sorted(map(canonicalize_name, extras)))
        name = name and canonicalize_name(name)
        pins.append(Covered(name, demand, some, marker, editable, tuple(sorted(hashes))))
        more += ["a constraint"] if constraint else []
    options = [(name, value) for each in answer["options"] for name, value in each[2]]
    return Reading(pins, options, more)


def bare(pin: Covered, *, named: bool) -> Covered:
    """Return a pin as both readers write it: a folder by its path, a URL with or without a name."""
    demand = pin.demand
    if ":" not in demand or demand.startswith("file:"):
        demand = posixpath.normpath(demand.removeprefix("file:"))
    return pin._replace(demand=demand, name=pin.name if named or "==" in demand else None)


def differences(base: Base, oracle: Oracle) -> list[str]:
    """Return in what pip's reading of a fresh lock file differs from ours and the good one."""
    answer = oracle.ask(LOCK, base.folder)
    if "error" in answer:
        return [f"pip: {answer['error']}"]
    read = pip_reading(answer)
    pins, options = covered(base.folder)
    found = [f"pip obeys {read.more}"] if read.more else []
    named = all(pin.name for pin in pins)
    theirs = collections.Counter(bare(pin, named=named) for pin in read.pins)
    ours = collections.Counter(bare(pin, named=named) for pin in pins)
    found += [f"only pip reads {pin}" for pin in theirs - ours]
    found += [f"only nox-lock reads {pin}" for pin in ours - theirs]
    said = sorted(tuple(re.split(r"[ =]+", text, maxsplit=1)) for text in options)
    if said != sorted(read.options) or sorted(read.options) != sorted(base.options):
        found.append(f"options: {said}, pip reads {read.options}")
    return found + strangers(base, read)


def holds(pin: Covered, patch: int) -> bool:
    """Return whether pip takes a pin on a patch release of the Python that the projects have."""
    full = f"3.11.{patch}"
    here = {"python_version": "3.11", "python_full_version": full, "implementation_version": full}
    return not pin.marker or Marker(pin.marker).evaluate(here)


def strangers(base: Base, read: Reading) -> list[str]:
    """Return what no check that is offline may let pass, by the pins of the good file alone."""
    good = {pin.name or pin.demand: pin for pin in base.pins}
    found = []
    kinds: dict[str | None, dict[Covered, list[Covered]]] = {}
    for pin in read.pins:
        kind = pin._replace(extras=(), marker=None)
        kinds.setdefault(pin.name or pin.demand, {}).setdefault(kind, []).append(pin)
    for key, some in kinds.items():
        if len(some) > 1 and any(
            sum(any(holds(pin, patch) for pin in pins) for pins in some.values()) > 1
            for patch in range(100)
        ):
            found.append(f"{key} is there {len(some)} times")
    # With another header it may be the lock file of another tool, which has markers of its own.
    head = b"".join(re.findall(rb"(?m)^#.*\n", base.text)[:7])
    text = (base.folder / LOCK).read_bytes().replace(b"\r\n", b"\n").removeprefix(b"\xef\xbb\xbf")
    parsed = lock_file.parse(text.decode())
    reached = {pin.name for pin in parsed.pins if pin.via}
    same_header = base.stamp != "uv" and text.startswith(head)
    for pin in read.pins:
        known = good.get(pin.name or pin.demand)
        if known is None and pin.name in reached:
            continue  # a `# via` proves nothing, as SECURITY.md says
        if known is None:
            found.append(f"{pin} is not in the good file")
        elif not known.demand.startswith("==") and pin.demand != known.demand:
            found.append(f"{pin.demand} for {known.demand}")
        elif known.demand.startswith("==") and not re.fullmatch(r"==[^,*]+", pin.demand):
            found.append(f"{pin.demand} is not a version")
        elif same_header and pin.marker != known.marker:
            found.append(f"{pin.name} has the marker {pin.marker}")
    return found


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oracle]:
    made = Oracle(tmp_path_factory.mktemp("oracle").resolve())
    yield made
    made.close()


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory, oracle: Oracle) -> list[Base]:
    """Return good lock files, each of them fresh and read alike."""
    return [
        base
        for project in PROJECTS
        for base in bases_of(project, tmp_path_factory.mktemp("base").resolve(), oracle)
    ]


def bases_of(project: str, folder: Path, oracle: Oracle) -> Iterator[Base]:
    """Yield the good lock file of a project in each style and with each header."""
    make(folder, project)
    write(folder, BESIDE)
    good = (folder / LOCK).read_bytes()
    for stamp, style in ((stamp, style) for stamp in STAMPS for style in STYLES):
        text = STYLES[style](STAMPS[stamp](good))
        (folder / LOCK).write_bytes(text)
        assert verdicts(folder)[LOCK].word == "fresh", (project, stamp, style)
        read = pip_reading(oracle.ask(LOCK, folder))
        base = Base(folder, text, stamp, read.pins, read.options)
        assert differences(base, oracle) == []
        yield base


def judge_one(number: int, bases: list[Base]) -> tuple[Base, str, list[str]]:
    """Write an example; return what it is made from, the verdict on it, and its mutations."""
    choose = random.Random(number)  # noqa: S311
    base = choose.choice(bases)
    data, kinds = mutate(base.text, choose)
    if base.stamp == "stamped" and choose.random() < 0.5:
        data = restamped(data)
    (base.folder / LOCK).write_bytes(data)
    try:
        found = verdicts(base.folder)
    except Exception as error:  # noqa: BLE001  (a traceback is a difference, with its number)
        return base, f"{TRACEBACK}{error!r}", kinds
    return base, found[LOCK].word if LOCK in found else "error", kinds


def run(numbers: range, bases: list[Base], oracle: Oracle) -> None:
    words: collections.Counter[str] = collections.Counter()
    wrong = []
    for number in numbers:
        base, word, kinds = judge_one(number, bases)
        words[word] += 1
        found = differences(base, oracle) if word == "fresh" else []
        if found or word.startswith(TRACEBACK):
            found = found or [word]
            wrong.append(f"example {number} ({', '.join(kinds)}; {base.stamp}): {found[:3]}")
    sys.stdout.write(f"{len(numbers)} examples: {dict(words)}, {len(wrong)} differences\n")
    assert not wrong, "\n".join(wrong[:20])
    assert words["fresh"] > len(numbers) / 20
    assert words["invalid"] > len(numbers) / 5
    assert words["stale"] > len(numbers) / 20


def test_what_is_fresh_is_what_pip_reads(bases: list[Base], oracle: Oracle) -> None:
    run(range(500), bases, oracle)


@pytest.mark.long
def test_what_is_fresh_is_what_pip_reads_at_length(bases: list[Base], oracle: Oracle) -> None:
    run(range(500, 50_500), bases, oracle)


def uv_reading(uv: str, base: Base, links: Path) -> set[tuple[str, str]] | str:
    """Return the projects and versions that uv would install, or what it says against the file."""
    done = subprocess.run(
        [
            *(uv, "pip", "install", "--dry-run", "--no-config", "--offline", "--no-index"),
            *("--no-deps", "--no-cache", "--find-links", str(links), "--python", sys.executable),
            *("--target", str(links / "target"), "-r", LOCK),
        ],
        cwd=base.folder,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        return done.stderr
    return set(re.findall(r"(?m)^ \+ (\S+?)==(\S+)", done.stderr))


@pytest.mark.long
def test_what_is_fresh_is_what_uv_reads(oracle: Oracle, tmp_path: Path) -> None:
    """A version that was changed uv does not find: it may not install what no pin says.

    A pin with a `# via` of others is fresh, as SECURITY.md says.
    """
    beside = str(Path(sys.executable).parent)
    uv = shutil.which("uv", path=os.pathsep.join([beside, os.environ["PATH"]]))
    if uv is None:
        pytest.skip("no uv on this machine")
    links = tmp_path.resolve() / "links"
    for name, version in (("app", "1.0"), ("dep", "2.0"), ("silk", "3.0"), ("evil", "6.6.6")):
        build_wheel(links, name, version)
    bases = [*bases_of("plain", tmp_path.resolve() / "project", oracle)]
    wrong, fresh = [], 0
    for number in range(4000):
        base, word, kinds = judge_one(number, bases)
        if word != "fresh":
            continue
        if fresh == 200:
            break
        fresh += 1
        read = uv_reading(uv, base, links)
        if isinstance(read, str):
            # A version or a hash that the folder does not have is none of the reader's business.
            failed = "" if "No solution found" in read else read
        else:
            pins, _ = covered(base.folder)
            pinned = {(str(each.name), each.demand.removeprefix("==")) for each in pins}
            # uv shows 3.00 as 3.0.
            known = {(name, canonicalize_version(version)) for name, version in pinned}
            more = {(name, v) for name, v in read if (name, canonicalize_version(v)) not in known}
            failed = f"uv would install {more}" if more else ""
        if failed:
            wrong.append(f"example {number} ({', '.join(kinds)}; {base.stamp}): {failed}")
    sys.stdout.write(f"{fresh} fresh examples, {len(wrong)} differences\n")
    assert not wrong, "\n".join(wrong[:20])
    assert fresh > 100

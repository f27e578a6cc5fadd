"""Run commands in turn, whole processes, and say what each of them took."""

from __future__ import annotations

import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.memory import MemoryWatch
from benchmarks.results import Figure
from benchmarks.row import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from typing import TypeAlias

    from benchmarks.proxy import CountingProxy

    Locked: TypeAlias = dict[str, set[str]]  # the hashes of each pin

WARM_UP = 2  # uncounted rounds of a row that is not slow
_DEADLINE = 3600  # seconds; what takes longer has failed
_PIN = re.compile(r"^([a-z0-9][a-z0-9.-]*==[^\s;\\]+)")
_ABSOLUTE = re.compile(r"(?<![\w./:])(?:[A-Za-z]:\\|/)[\w.-]+[\\/]\S*")
_HASH = re.compile(r"sha256:[0-9a-f]{64}")


def nothing() -> None:
    """Do nothing: the preparation of a run that needs none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A tool and the command it does the row's work with.

    Attributes:
        tool: its name.
        command: what is run and timed.
        place: where.
        environ: with which environment.
        before: what makes ready for each run, untimed.
        lockfile: what it writes, to be compared with the floor's.
        at_most: how many runs are enough, where each takes long.
        budget: the ratio to the floor it may have.
        compiled: what its output says once for each compile.
        unable: why it cannot do this work at all.
    """

    tool: str
    command: Sequence[str]
    place: Path
    environ: Mapping[str, str]
    before: Callable[[], None] = nothing
    lockfile: Path | None = None
    at_most: int | None = None
    budget: float | None = None
    compiled: str = ""
    unable: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """One finished run."""

    seconds: float
    memory: int | None
    downloaded: int | None
    returncode: int
    output: str
    locked: Locked | None


def measure(
    contenders: Sequence[Contender], runs: int, proxy: CountingProxy | None = None
) -> tuple[list[Figure], float | None]:
    """Return the figure of each contender, and the floor's ratio to itself.

    The first contender is the floor. With a `proxy` the row is slow: bytes and memory are watched
    in the one round that warms up, since watching takes time of its own, and the floor is not run
    twice in each round. Raises UnavailableError where the floor fails.
    """
    floor = contenders[0]
    turns = list(enumerate(contenders))
    if proxy is None:
        turns.append((len(contenders), floor))
    # What was asked for a moment ago comes faster from some indexes: nobody is always the second.
    back = turns[::-1]
    samples: list[list[Sample]] = [[] for _ in turns]
    watched: dict[int, Sample] = {}
    failed = {index: each.unable for index, each in turns if each.unable}
    for counted in range(-1 if proxy else -WARM_UP, runs):
        for index, contender in (turns, back)[counted % 2]:
            # What takes long is warmed up once.
            few = contender.at_most is not None and not -1 <= counted < contender.at_most
            if few or index in failed:
                continue
            sample = run(contender, proxy if counted < 0 else None)
            if sample.returncode != 0:
                failed[index] = told(sample)
                print(f"{contender.tool} failed:\n{sample.output}", file=sys.stderr, flush=True)
                if contender is floor:
                    raise UnavailableError(f"{floor.tool} fails: {failed[index]}")
            elif counted >= 0:
                samples[index].append(sample)
            elif proxy:
                watched[index] = sample
    base, theirs = _quartile(samples[0]), samples[0][-1].locked
    figures = [
        Figure(tool=each.tool, seconds=None, budget=each.budget, failure=failed[index])
        if index in failed
        else _figure(each, samples[index], watched.get(index), base, theirs if index else None)
        for index, each in enumerate(contenders)
    ]
    return figures, _again(samples, base, slow=proxy is not None)


def run(contender: Contender, proxy: CountingProxy | None = None) -> Sample:
    """Run a contender's command once, to its end; with a proxy, through that, and watched."""
    contender.before()
    environ = dict(contender.environ)
    if proxy is not None:
        proxy.received = 0
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):  # through nothing else
            environ.pop(name, None)
            environ.pop(name.lower(), None)
        environ |= proxy.environ
    with tempfile.TemporaryFile() as log:
        started = time.perf_counter()
        process = subprocess.Popen(
            contender.command,
            cwd=contender.place,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        alarm = threading.Timer(_DEADLINE, _stop, [process])
        alarm.start()
        watch = None if proxy is None else MemoryWatch(process.pid)
        if watch is not None:
            watch.start()
        try:
            returncode = process.wait()
        except BaseException:  # interrupted: leave no process behind
            _stop(process)
            raise
        finally:
            alarm.cancel()
        seconds = time.perf_counter() - started
        memory = None if watch is None else watch.stop()
        log.seek(0)
        output = log.read().decode(errors="replace")
    received = None if proxy is None else proxy.received
    locked = None
    if returncode == 0 and contender.lockfile is not None:
        locked = contents(contender.lockfile)
    return Sample(seconds, memory, received, returncode, output, locked)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if sys.platform == "win32":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)  # its own group: none but what it started


def _figure(
    contender: Contender,
    samples: Sequence[Sample],
    watched: Sample | None,
    base: float,
    theirs: Locked | None,
) -> Figure:
    seconds = _quartile(samples)
    locked = [each.locked for each in samples if each.locked is not None]
    compiles = None
    if contender.compiled:
        compiles = max(each.output.count(contender.compiled) for each in samples)
    return Figure(
        tool=contender.tool,
        seconds=seconds,
        ratio=seconds / base,
        runs=len(samples),
        budget=contender.budget,
        downloaded=watched.downloaded if watched else None,
        memory=watched.memory if watched else None,
        same=all(each == theirs for each in locked) if locked and theirs else None,
        compiles=compiles,
    )


def _again(samples: Sequence[Sequence[Sample]], base: float, *, slow: bool) -> float | None:
    if not slow:
        return _quartile(samples[-1]) / base
    times = [each.seconds for each in samples[0]]
    return max(times) / min(times) if len(times) > 1 else None


def _quartile(samples: Sequence[Sample]) -> float:
    times = [each.seconds for each in samples]
    return statistics.quantiles(times, n=4, method="inclusive")[0] if len(times) > 1 else times[0]


def told(sample: Sample) -> str:
    """Return the last line of what a run said, without the paths of this machine."""
    last = (sample.output.strip().splitlines() or ["without a word"])[-1].strip()
    return _ABSOLUTE.sub("PATH", last)  # it is kept, and shown to others


def contents(lockfile: Path) -> Locked:
    """Return the pins of a lock file, each with its hashes; comments and options aside."""
    found: Locked = {}
    hashes: set[str] = set()
    for line in lockfile.read_text("utf-8").splitlines():
        if pin := _PIN.match(line):
            hashes = found.setdefault(pin[1], set())
        hashes.update(_HASH.findall(line))
    return found

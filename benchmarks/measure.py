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
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.results import BYTES, CPU, TIME, Figure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeAlias

    from benchmarks.loopback import Proxy

    Locked: TypeAlias = dict[str, set[str]]  # the hashes of each pin

WARM_UP = 2  # uncounted rounds of a row that is not slow
_DEADLINE = 3600  # seconds; what takes longer has failed
_PIN = re.compile(r"^([a-z0-9][a-z0-9.-]*==[^\s;\\]+)")
_ABSOLUTE = re.compile(r"(?<![\w./:])(?:[A-Za-z]:\\|/)[\w.-]+[\\/]\S*")
_HASH = re.compile(r"sha256:[0-9a-f]{64}")
_EVERY = 0.1  # seconds from one look at the memory to the next
_PROCESSES = Path("/proc")
_PARENT, _PAGES = 1, 21  # among what follows the name in a `stat` of Linux


class UnavailableError(Exception):
    """A row, or a tool in it, cannot be measured on this machine; says why."""


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
        lockfile: what it writes, to be compared with that of the first tool that has one.
        at_most: how many runs are enough, where each takes long.
        budgets: the ratios to the floor that it may have, by what is measured.
        compiler: where its command leaves the CPU seconds of the process that compiles; else
            those of the command itself are measured, with all that it starts.
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
    budgets: Mapping[str, float] = field(default_factory=dict)
    compiler: Path | None = None
    compiled: str = ""
    unable: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """One finished run."""

    seconds: float
    cpu: float | None
    memory: int | None
    downloaded: int | None
    returncode: int
    output: str
    locked: Locked | None


def measure(
    contenders: Sequence[Contender], runs: int, proxy: Proxy | None = None
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
                failed[index] = last_line(sample)
                print(f"{contender.tool} failed:\n{sample.output}", file=sys.stderr, flush=True)
                if contender is floor:
                    raise UnavailableError(f"{floor.tool} fails: {failed[index]}")
            elif counted >= 0:
                samples[index].append(sample)
            elif proxy:
                watched[index] = sample
    first = next((each[-1].locked for each in samples if each and each[-1].locked), None)
    figures = [
        Figure(tool=each.tool, seconds=None, budgets=dict(each.budgets), failure=failed[index])
        if index in failed
        else _figure(each, samples[index], watched.get(index), first)
        for index, each in enumerate(contenders)
    ]
    compared = [replace(each, ratios=_ratios(each, figures[0])) for each in figures]
    return compared, _again(samples, slow=proxy is not None)


def run(contender: Contender, proxy: Proxy | None = None) -> Sample:
    """Run a contender's command once, to its end; with a proxy, through that, and watched."""
    contender.before()
    if contender.compiler is not None:
        contender.compiler.unlink(missing_ok=True)
    environ = dict(contender.environ)
    if proxy is not None:
        proxy.received = 0
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):  # through nothing else
            environ.pop(name, None)
            environ.pop(name.lower(), None)
        environ |= proxy.environ
    with tempfile.TemporaryFile() as log:
        before, started = _cpu_of_children(), time.perf_counter()
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
        cpu = _cpu_of_children() - before
        memory = None if watch is None else watch.stop()
        log.seek(0)
        output = log.read().decode(errors="replace")
    received = None if proxy is None else proxy.received
    locked = None
    if returncode == 0 and contender.lockfile is not None:
        locked = contents(contender.lockfile)
    if returncode == 0 and contender.compiler is not None:
        cpu = float(contender.compiler.read_text("utf-8"))
    return Sample(seconds, cpu or None, memory, received, returncode, output, locked)


def _cpu_of_children() -> float:
    """Return the CPU seconds of all ended children and theirs, to 0.01 s; 0 on Windows."""
    used = os.times()
    return used.children_user + used.children_system


def _stop(process: subprocess.Popen[bytes]) -> None:
    if sys.platform == "win32":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)  # its own group: none but what it started


def _figure(
    contender: Contender,
    samples: Sequence[Sample],
    watched: Sample | None,
    first: Locked | None,
) -> Figure:
    used = [each.cpu for each in samples if each.cpu is not None] if watched else []
    locked = [each.locked for each in samples if each.locked is not None]
    compiles = None
    if contender.compiled:
        compiles = max(each.output.count(contender.compiled) for each in samples)
    return Figure(
        tool=contender.tool,
        seconds=_quartile([each.seconds for each in samples]),
        cpu=_quartile(used) if used else None,
        runs=len(samples),
        budgets=dict(contender.budgets),
        downloaded=watched.downloaded if watched else None,
        memory=watched.memory if watched else None,
        same=all(each == first for each in locked) if locked and first is not locked[-1] else None,
        compiles=compiles,
    )


def _ratios(figure: Figure, floor: Figure) -> dict[str, float]:
    """Return what a tool takes, divided by what the floor takes."""
    pairs = {
        TIME: (figure.seconds, floor.seconds),
        CPU: (figure.cpu, floor.cpu),
        BYTES: (figure.downloaded, floor.downloaded),
    }
    return {kind: mine / base for kind, (mine, base) in pairs.items() if mine and base}


def _again(samples: Sequence[Sequence[Sample]], *, slow: bool) -> float | None:
    times = [each.seconds for each in samples[0]]
    if not slow:
        return _quartile([each.seconds for each in samples[-1]]) / _quartile(times)
    return max(times) / min(times) if len(times) > 1 else None


def _quartile(times: Sequence[float]) -> float:
    return statistics.quantiles(times, n=4, method="inclusive")[0] if len(times) > 1 else times[0]


def last_line(sample: Sample) -> str:
    """Return the last line of what a run printed, without the paths of this machine."""
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


class MemoryWatch(threading.Thread):
    """Measures the tree of a process until it is stopped.

    Attributes:
        peak: the most bytes that were resident, pages that processes share counted for each.
    """

    def __init__(self, process: int) -> None:
        super().__init__(daemon=True)
        self.peak = 0
        self._process = process
        self._stopped = threading.Event()

    def run(self) -> None:
        """Measure, now and then."""
        while not self._stopped.wait(_EVERY):
            self.peak = max(self.peak, resident(self._process))

    def stop(self) -> int | None:
        """Stop; return the peak, or None where this cannot be measured."""
        self._stopped.set()
        self.join()
        return self.peak or None


def resident(process: int) -> int:
    """Return the resident bytes of a process and its descendants; 0 but on Linux."""
    children: defaultdict[int, list[int]] = defaultdict(list)
    pages: dict[int, int] = {}
    for path in _PROCESSES.glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            fields = path.read_text("utf-8", "replace").rpartition(")")[2].split()
            number = int(path.parent.name)
            children[int(fields[_PARENT])].append(number)
            pages[number] = int(fields[_PAGES])
    found, waiting = 0, [process]
    while waiting:
        number = waiting.pop()
        found += pages.get(number, 0)
        waiting += children[number]
    return found * os.sysconf("SC_PAGE_SIZE") if found else 0

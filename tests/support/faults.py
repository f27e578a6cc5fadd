"""Kills at moments that a seed gives, what must hold after each, and disks that take no more."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from nox_lock.compiling.cache import Cache, CacheEntry
from nox_lock.files import LEFT_SECONDS, write_all
from nox_lock.lockfile import lock_file
from support.project import finish

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.project import Project, Run

# Set it to the seed that a failure names, and the kills of that test are the same again.
SEED_VARIABLE = "NOX_LOCK_TESTS_SEED"
_MARK = "NOX_LOCK_TESTS_MARK"
_WORK = ".nox-lock-*"
# Where a process has one, of whoever waits for what must happen soon; no test measures it.
PATIENCE = 60.0


class Kill(NamedTuple):
    """A kill: the signal, whether all of nox's group gets it or nox alone, and when."""

    signal: signal.Signals
    group: bool
    share: float

    def __str__(self) -> str:
        whom = "the group" if self.group else "nox alone"
        return f"{self.signal.name} to {whom} after {self.share:.3f} of a run"

    @property
    def codes(self) -> set[int]:
        """Exit statuses that are right: of the kill, of nox, and of a run that was quicker."""
        interrupted = {130} if self.signal == signal.SIGINT else set()
        return {0, -self.signal, *interrupted}


def draw(seed: int) -> Kill:
    """Return the kill of a seed. A terminal sends Ctrl-C to the whole group."""
    chance = random.Random(seed)  # noqa: S311  (to be told again, not to be guessed)
    number = chance.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
    group = number == signal.SIGINT or chance.random() < 0.5
    return Kill(number, group, chance.random() * 1.1)


def seeds(count: int) -> list[int]:
    """Return fresh seeds, or the one to be replayed."""
    if told := os.environ.get(SEED_VARIABLE):
        return [int(told)]
    first = random.SystemRandom().randrange(10**9)
    return [first + number for number in range(count)]


class Victim:
    """A project whose `nox -s lock` is killed again and again."""

    def __init__(self, project: Project, log: Path) -> None:
        self.project = project
        self.log = log
        self.mark = uuid.uuid4().hex
        self.seconds = 0.0
        self.landed = 0
        project.env[_MARK] = self.mark
        # As of a background job: Python would take no Ctrl-C, nor would its children.
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def measure(self, *arguments: str) -> None:
        """Run to the end once: the moments of kills are shares of that time."""
        began = time.monotonic()
        self.project.nox_alone(*arguments).ok()
        self.seconds = time.monotonic() - began

    def kill(self, seed: int, *arguments: str) -> Run:
        """Run, and kill as the seed says; the run's end must be right."""
        plan = draw(seed)
        process = self.project.start_nox(*arguments)
        with suppress(subprocess.TimeoutExpired):
            process.wait(plan.share * self.seconds)
        strike(process, plan)
        [run] = finish(process, timeout=PATIENCE)
        self.landed += run.returncode != 0
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"seed {seed}: {plan}: exit status {run.returncode}\n")
        began = "Running session" in run.output
        assert run.returncode in plan.codes or not began, self.told(seed, run)
        # Before a session runs, Python itself may be interrupted at an import of the noxfile.
        assert "Traceback" not in run.output or not began, self.told(seed, run)
        assert not self.survivors(), self.told(seed, run)
        return run

    def told(self, seed: int, run: Run) -> str:
        """Return how to see a failure again."""
        return (
            f"{SEED_VARIABLE}={seed} ({draw(seed)}); exit status {run.returncode}\n"
            f"{run.output}\nsurvivors: {self.survivors()}"
        )

    def survivors(self) -> list[str]:
        """Return what still runs of a killed run, given time to notice; empty off Linux."""
        return survivors(self.mark)


def strike(process: subprocess.Popen[str], plan: Kill) -> None:
    """Send a signal, unless there is nobody left."""
    if process.poll() is not None:
        return  # its number may be another's by now
    with suppress(ProcessLookupError):
        if plan.group:
            os.killpg(process.pid, plan.signal)
        else:
            process.send_signal(plan.signal)


def survivors(mark: str, patience: float = PATIENCE) -> list[str]:
    """Return the command lines of processes that have `mark` in their environment."""
    deadline = time.monotonic() + patience
    while (found := _marked(mark)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


def _marked(mark: str) -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark.encode() in (folder / "environ").read_bytes():
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                found.append(f"{folder.name} {line[:200]}")
    return found


def is_whole(text: str) -> bool:
    """Tell whether a lock file is what was stamped, to its last byte."""
    lock = lock_file.parse(text)
    return (
        text.endswith("\n")
        and lock.stamp is not None
        and lock.stamp.body == lock_file.digest(lock.body)
        and not lock.problems
    )


def leftovers(*folders: Path) -> list[str]:
    """Return the temporary folders in these, at whatever depth."""
    return [str(path) for folder in folders for path in folder.rglob(_WORK)]


def age(*folders: Path) -> None:
    """Make the temporary folders in these as old as those that are taken for left over."""
    then = time.time() - LEFT_SECONDS - 1
    for path in leftovers(*folders):
        with suppress(FileNotFoundError):
            os.utime(path, (then, then))


def strangers(project: Project, known: set[str]) -> list[str]:
    """Return the files of a project that are not `known`, nor in a private folder of ours."""
    return [
        name
        for name in project.snapshot()
        if name not in known and not any(part.startswith(".nox-lock-") for part in Path(name).parts)
    ]


@contextmanager
def small_disk(folder: Path, size: str = "256k") -> Iterator[Path]:
    """Mount a disk of its own at `folder`; skips where that may not be done."""
    folder.mkdir(parents=True, exist_ok=True)
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip("only root on Linux mounts a disk")
    made = _run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))
    if made.returncode != 0:
        pytest.skip(f"no disk can be mounted here: {made.stderr.strip()}")
    try:
        yield folder
    finally:
        _run("umount", "-l", str(folder)).check_returncode()


def fill(disk: Path) -> None:
    """Leave not a byte on a disk."""
    for size in (4096, 1):
        with suppress(OSError), (disk / "filler").open("ab", buffering=0) as file:
            while True:
                file.write(b"x" * size)


def make_read_only(disk: Path) -> None:
    """Let nobody write to a disk, not even root."""
    _run("mount", "-o", "remount,ro", str(disk)).check_returncode()


def without_power() -> list[str]:
    """Return a command that runs another as a user for whom permission bits count."""
    if sys.platform == "win32":
        pytest.skip("no permission bits")
    if os.geteuid() != 0:
        return []
    names = ("dac_override", "dac_read_search", "fowner", "chown")
    command = ["setpriv", "--bounding-set", ",".join(f"-{name}" for name in names)]
    return _tried(command)


def of_nobody() -> list[str]:
    """Return a command that runs another as a user whom the system does not know."""
    return _tried(["unshare", "--user", "--map-user=54321"])


def with_file_limit(size: int) -> list[str]:
    """Return a command that runs another which can write no file of more than `size` bytes."""
    pytest.importorskip("resource")
    script = (
        "import os, resource, sys; "
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size})); "
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    return [sys.executable, "-c", script]


def _tried(command: list[str]) -> list[str]:
    if _run(*command, "true").returncode != 0:
        pytest.skip(f"{command[0]} may not do that here")
    return command


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    if not shutil.which(command[0]):
        pytest.skip(f"no {command[0]} here")
    return subprocess.run(command, check=False, capture_output=True, text=True)


def write_until(folder: Path, moment: int, text: str) -> None:
    """Write two files and an entry of the cache, and die at the n-th thing done to the disk."""
    effects = ("open", "os.", "shutil.", "tempfile.", "fcntl.")
    seen = 0

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal seen
        if event.startswith(effects) and (str(folder) in str(arguments) or event == "fcntl.flock"):
            seen += 1
            if seen == moment:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    write_all({folder / "one.txt": text, folder / "two.txt": text})
    Cache(folder / "cache").put("ab" * 32, CacheEntry(text, "2026-01-01"))

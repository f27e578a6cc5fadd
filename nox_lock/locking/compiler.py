"""Compile locks of one project, each from its starting pins."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from packaging.requirements import Requirement

from nox_lock.checking.judge import LOOKALIKE, find_obstacles
from nox_lock.checking.verdict import cut
from nox_lock.compiling.cache import UNUSABLE, open_cache
from nox_lock.compiling.index_settings import read_index_settings
from nox_lock.compiling.interpreters import Interpreter, find_interpreter
from nox_lock.compiling.pip_tools import Compiled, Order, run_pip_tools
from nox_lock.console import RESOLVING, Console
from nox_lock.errors import CompileError, LockFileError, Place
from nox_lock.inputs.syntax import MERGE, parse_version
from nox_lock.lockfile.lock_file import LockFile, Pin
from nox_lock.locking.options import CompileOptions
from nox_lock.planning.lock_plan import AnyPlan, LockPlan, PylockPlan
from nox_lock.project import Project
from nox_lock.target import Platform, Target, counts, find_platform


def find_starting_pins(
    planned: LockPlan, together: Iterable[Pin] | None = None, *, upgrade: bool = False
) -> Sequence[Pin]:
    """Return what a compile starts from: its own pins, unless `upgrade`, and those below."""
    own = None if upgrade else planned.current or planned.earlier
    pins = {pin.name: pin for pin in versions(own, planned)}
    for low in planned.below:
        for pin in versions(low.current, planned):
            mine = pins.get(pin.name)
            if mine is None or mine.shown != pin.shown or not mine.hashes:
                pins[pin.name] = pin
    if together is not None:  # to what its stack was resolved, without hashes
        known = {pin.shown: pin for pin in pins.values()}
        return [known.get(pin.shown, pin) for pin in together]
    return sorted(pins.values(), key=lambda pin: pin.name or "")


def versions(lock: LockFile | None, planned: LockPlan) -> Iterator[Pin]:
    """Yield the pins that count for a target and have a version."""
    for pin in lock.pins if lock else ():
        named = pin.name and parse_version(pin.version or "")  # it may be spoilt by hand
        if named and counts(pin.marker, planned.target, planned.platform):
            yield pin


class Compiler:
    """Compiles locks of one project; several threads may use one compiler."""

    def __init__(self, project: Project, options: CompileOptions, console: Console) -> None:
        self.project = project
        self.options = options
        self.console = console
        self.ended = threading.Event()  # ends all compiles
        self.cache = open_cache(project.environ, console.warn)
        self.indexes = read_index_settings(project.environ)
        if dropped := ", ".join(self.indexes.dropped):
            console.warn(
                f"your pip configuration sets {dropped}: left out, since it would change the locks "
                "for everybody. An input may say it (-c FILE, --pre, --no-binary, --prefer-binary)"
            )
        # Nobody else has a limit that is in no input.
        limited = any(Requirement(each).specifier for each in options.upgrade_package)
        self.cacheable = not (options.no_cache or limited)
        self._lock = threading.Lock()
        self._interpreters: dict[tuple[Target, Platform | None], Interpreter] = {}

    @contextmanager
    def threads(self) -> Iterator[ThreadPoolExecutor]:
        """Give as many threads as there are processors; an error ends all compiles."""
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            try:
                yield pool
            except BaseException:
                self.ended.set()
                raise

    def check_replaceable(self, planned: AnyPlan) -> None:
        """Refuse to write over something else, unless that is asked for, with the ways out."""
        if self.options.overwrite or not (obstacles := find_obstacles(planned)):
            return
        first, command = obstacles[0], self.console.lock_command
        if first.message == MERGE:
            hint = f"Keep one side: git checkout --ours {planned.path}. Or keep the pins of both "
            hint += f"that fit: {command} -- --overwrite"
            raise LockFileError(MERGE, first.place, hint)
        said = "this is not a lock file of these inputs, and is not overwritten:"
        say = "pylock = false" if isinstance(planned, PylockPlan) else 'lockfile = "..."'
        hint = f"Is it yours? Rename it, or say [tool.nox-lock.locks.{planned.name}] {say}. "
        hint += f"Else: {command} -- --overwrite writes over it; the pins that are needed stay"
        raise LockFileError("\n  ".join([said, *map(str, cut(obstacles))]), first.place, hint)

    def order(self, planned: LockPlan) -> Order:
        """Return the order to make a lock file."""
        for path in planned.lookalikes:
            raise LockFileError(LOOKALIKE, Place(path))
        lock, settings, options = planned.lock, planned.settings, self.options
        packages = options.packages(planned)
        # pip >= 26.2 trusts an index page for as long as it says, also on an upgrade.
        refresh = options.upgrade or packages or options.no_cache
        pip_settings = {"refresh_package": ":all:"} if refresh else {}
        if settings.uploaded_prior_to:
            pip_settings["uploaded_prior_to"] = settings.uploaded_prior_to
        return Order(
            path=planned.path,
            project=self.project,
            indexes=self.indexes,
            python=self.interpreter(planned),
            inputs=planned.inputs,
            target=planned.target,
            system=planned.system,
            levels=lock.levels,
            arguments=(
                "--allow-unsafe" if settings.allow_unsafe else "--no-allow-unsafe",
                "--strip-extras" if settings.strip_extras else "--no-strip-extras",
                *(["--generate-hashes"] if settings.generate_hashes else []),
                *(f"--unsafe-package={name}" for name in settings.unsafe_packages or ()),
                *(f"--upgrade-package={each}" for each in packages),
            ),
            settings=pip_settings,
            constraints=planned.constraints,
            build_constraints=lock.build_constraints,
            timeout=lock.compile_timeout,
            until=time.monotonic() + lock.compile_timeout,
        )

    def compile(self, order: Order, starting: Sequence[Pin]) -> Compiled:
        """Compile, without those of the starting pins that are in a conflict."""
        self.console.update(order.path, RESOLVING)
        log = self.console.log if self.console.verbose else None
        while True:
            cache = self.cache
            pins = (" \\\n    --hash=".join([pin.shown, *pin.hashes]) for pin in starting)
            now = order._replace(starting_pins="\n".join(pins))
            try:
                with cache.temporary_directory() as folder:
                    return run_pip_tools(now, folder, cache.folder, self.ended, log)
            except OSError as raised:
                said = f"nothing can be compiled here: {raised.strerror}"
                error = CompileError(said, kind="disk")
            except CompileError as raised:
                error = raised
            if error.kind == "disk" and cache.folder is not None:
                with self._lock:
                    if self.cache is cache:  # else another thread has gone on without it
                        self.cache = cache._replace(folder=None)
                        self.console.warn(UNUSABLE.format(error.message))
                continue
            kept = [pin for pin in starting if pin.name not in error.projects]
            if len(kept) == len(starting) and error.kind == "python":
                kept = []  # pip names the project, not the pins that leave it no other version
            if len(kept) == len(starting):
                raise error
            # pip-tools drops them itself only where each project in the conflict has one.
            starting = kept

    def interpreter(self, planned: LockPlan) -> Interpreter:
        """Return the Python that runs the compiles for a target and a platform that is named."""
        key, environ = (planned.target, find_platform(planned.system)), self.project.environ
        with self._lock:  # each is looked for once
            if key not in self._interpreters:
                found = find_interpreter(*key, self.cache, environ, self.ended)
                self._interpreters[key] = found
            return self._interpreters[key]

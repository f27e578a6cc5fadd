"""Compile locks of one project, each from its starting pins."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from nox_lock.checking.judge import LOOKALIKE
from nox_lock.compiling.cache import Cache, open_cache, unusable
from nox_lock.compiling.index_settings import read_index_settings
from nox_lock.compiling.interpreters import find_interpreter
from nox_lock.compiling.pip_tools import Order, PipTools
from nox_lock.console import RESOLVING
from nox_lock.errors import CompileError, LockFileError, Place
from nox_lock.inputs.pep508 import name_of, parse_version
from nox_lock.processes import Processes
from nox_lock.target import counts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from nox_lock.compiling.index_settings import IndexSettings
    from nox_lock.compiling.interpreters import Interpreter
    from nox_lock.compiling.pip_tools import Compiled
    from nox_lock.console import Console
    from nox_lock.inputs.entry import Entry
    from nox_lock.lockfile.lock_file import LockFile
    from nox_lock.lockfile.pins import Pin
    from nox_lock.locking.compile_options import CompileOptions
    from nox_lock.planning.planned import Planned
    from nox_lock.project import Project
    from nox_lock.target import Platform, Target


@dataclass(frozen=True, slots=True)
class StartingPins:
    """What a compile starts from: pins, and the text that pip-compile is shown."""

    pins: tuple[Pin, ...] = ()
    text: str = ""

    @property
    def key(self) -> str:
        """The pins and hashes, in a form that is the same for the same starting pins."""
        return "\n".join(
            sorted(f"{p.shown} {p.marker} {' '.join(sorted(p.hashes))}" for p in self.pins)
        )

    @classmethod
    def of(cls, pins: Iterable[Pin]) -> StartingPins:
        """Return those of `pins` that have a version."""
        ordered = sorted((pin for pin in pins if pin.version), key=lambda pin: pin.name or "")
        lines = (
            " \\\n    ".join([pin.shown, *(f"--hash={value}" for value in pin.hashes)])
            for pin in ordered
        )
        return cls(tuple(ordered), "\n".join(lines))


def find_starting_pins(planned: Planned, *, upgrade: bool = False) -> StartingPins:
    """Return the pins of the locks below, then those of the lock file itself.

    A lock file that is not there yet starts from the one of another target that it replaces. With
    `upgrade` its own pins are left out.
    """
    lock = None if upgrade else planned.origin
    if not planned.below and lock is planned.existing and (lock is None or _is_plain(lock)):
        return StartingPins(lock.pins, lock.body) if lock else StartingPins()
    pins = {pin.name: pin for pin in versions(lock, planned) if is_readable(pin)}
    for low in planned.below:
        for pin in versions(low.existing, planned):
            own = pins.get(pin.name)
            if own is None or own.shown != pin.shown or not own.hashes:
                pins[pin.name] = pin
    return StartingPins.of(pins.values())


def _is_plain(lock: LockFile) -> bool:
    """Return whether pip-compile may be shown the body of a lock file as it is.

    It takes the last of two pins of one project, whatever their markers say.
    """
    bare = not (lock.includes or lock.problems) and all(map(is_readable, lock.pins))
    return bare and not any(pin.marker for pin in lock.pins)


def is_readable(pin: Pin) -> bool:
    """Return whether pip can read a pin: one spoilt by hand does not prevent a new lock."""
    try:
        urlsplit(pin.url or "")
    except ValueError:
        return False
    return pin.version is None or parse_version(pin.version) is not None


def versions(lock: LockFile | None, planned: Planned) -> Iterator[Pin]:
    """Yield the pins by version that count for a target; its own after those it includes."""
    for pin in (*lock.included, *lock.pins) if lock else ():
        if pin.version and pin.name and counts(pin.marker, planned.target, planned.platform):
            yield pin


class Compiler:
    """Compiles locks of one project; what several of them need is found once, when needed.

    Several threads may use one compiler.
    """

    def __init__(self, project: Project, options: CompileOptions, console: Console) -> None:
        self.project = project
        self.options = options
        self.console = console
        self.processes = Processes()
        self._once = threading.RLock()
        self._cache: Cache | None = None
        self._indexes: IndexSettings | None = None
        self._interpreters: dict[tuple[Target, Platform | None], Interpreter] = {}

    @property
    def cache(self) -> Cache:
        """The user's cache, opened when it is first needed."""
        with self._once:
            if self._cache is None:
                opened = open_cache(self.project.environ, self.console.warn)
                self._cache = replace(opened, interrupted=self.processes.ended)
            return self._cache

    def packages(self, planned: Planned) -> tuple[str, ...]:
        """Return those to upgrade; what a lock below pins is upgraded there, and here after it."""
        lower = {pin.name for low in planned.below for pin in low.pins}
        return tuple(
            package for package in self.options.upgrade_packages if name_of(package) not in lower
        )

    def upgrades(self, planned: Planned) -> bool:
        """Return whether pins of a lock are to be upgraded though its inputs allow them."""
        names = set(map(name_of, self.packages(planned)))
        return self.options.upgrade or any(
            pin.name in names for pin in (planned.origin.pins if planned.origin else ())
        )

    def compile(
        self,
        planned: Planned,
        starting: StartingPins,
        texts: Mapping[str, str],
        fixed: tuple[Entry, ...] = (),
        until: float | None = None,
    ) -> Compiled:
        """Compile, without those of the starting pins that are in a conflict.

        `texts` are lock files below that are made and not written yet, by path; `fixed` are pins
        that may not move; `until` is when it has to be done, by the monotonic clock; left out, as
        the configuration says.

        Raises:
            NoxLockError: saying why not.
        """
        for path in planned.lookalikes:
            raise LockFileError(LOOKALIKE, Place(path))
        packages = self.packages(planned)
        order = replace(
            make_order(planned),
            texts=texts,
            fixed=fixed,
            refresh=self.options.upgrade or bool(packages) or self.options.refresh,
            upgrade_packages=packages,
            until=until or time.monotonic() + planned.lock.compile_timeout,
        )
        self.console.update(planned.path, RESOLVING)
        while True:
            cache = self.cache
            try:
                return self._run(replace(order, starting_pins=starting.text), cache)
            except CompileError as error:
                if error.kind == "disk" and cache.folder is not None:
                    self._leave(cache, error)
                    continue
                kept = [pin for pin in starting.pins if pin.name not in error.projects]
                if len(kept) == len(starting.pins) and error.kind == "python":
                    kept = []  # pip names the project, not the pins that leave it no other version
                if len(kept) == len(starting.pins):
                    raise
                # It lets go of a pin only where each demand in a conflict is on one.
                starting = StartingPins.of(kept)

    def _run(self, order: Order, cache: Cache) -> Compiled:
        pip_tools = PipTools(
            self.project.root,
            self.interpreter(order.target, order.platform),
            self.project.environ,
            self.read_indexes(),
            cache.folder,
            self.processes,
            detail=self.console.log if self.console.verbose else None,
        )
        try:
            with cache.temporary_directory() as folder:
                return pip_tools(order, folder)
        except OSError as error:
            message = f"nothing can be compiled here: {error.strerror}"
            raise CompileError(message, kind="disk") from error

    def _leave(self, cache: Cache, error: CompileError) -> None:
        """Go on without a cache whose disk is full or fails."""
        with self._once:
            if self._cache is cache:
                self._cache = replace(cache, folder=None)
                self.console.warn(unusable(error.message))

    def interpreter(self, target: Target, platform: Platform | None) -> Interpreter:
        """Return the Python that runs the compiles for a target, and a platform that is named.

        Raises:
            ToolchainError: for a Python that is too old, or that has to be here and is not.
        """
        key = target, platform
        with self._once:
            if key not in self._interpreters:
                found = find_interpreter(*key, self.cache, self.project.environ, self.processes)
                self._interpreters[key] = found
            return self._interpreters[key]

    def read_indexes(self) -> IndexSettings:
        """Return the user's pip settings; what is left out of them is named once.

        Raises:
            NoxLockError: where they cannot be read, or name an index that can be none.
        """
        with self._once:
            if self._indexes is None:
                self._indexes = read_index_settings(self.project.environ)
                if dropped := ", ".join(self._indexes.dropped):
                    self.console.warn(
                        f"your pip configuration sets {dropped}: left out, since it would change "
                        "the locks for everybody. Say it in an input, or in [tool.nox-lock]"
                    )
            return self._indexes


def make_order(planned: Planned, starting_pins: str = "") -> Order:
    """Return the order to make a lock file, from the body of another one."""
    settings = planned.settings
    arguments = [
        "--allow-unsafe" if settings.allow_unsafe else "--no-allow-unsafe",
        "--strip-extras" if settings.strip_extras else "--no-strip-extras",
    ]
    arguments += ["--generate-hashes"] if settings.generate_hashes else []
    arguments += [f"--unsafe-package={name}" for name in settings.unsafe_packages or ()]
    return Order(
        path=planned.path,
        inputs=planned.inputs,
        target=planned.target,
        system=planned.system,
        levels=planned.lock.levels,
        arguments=tuple(arguments),
        constraints=planned.constraints,
        build_constraints=planned.lock.build_constraints,
        uploaded_prior_to=settings.uploaded_prior_to,
        timeout=planned.lock.compile_timeout,
        starting_pins=starting_pins,
    )

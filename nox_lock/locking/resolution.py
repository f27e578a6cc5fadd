"""From a seed to a body that holds: the compiles of one lock, until it agrees with those below."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from nox_lock.checking.judge import LOOKALIKE
from nox_lock.compiling.cache import Cache, open_cache, unusable
from nox_lock.compiling.index_settings import read_index_settings
from nox_lock.compiling.interpreters import find_interpreter
from nox_lock.compiling.pip_tools import Order, PipTools
from nox_lock.console import RESOLVING
from nox_lock.errors import CompileError, LockFileError, Place
from nox_lock.inputs.pep508 import name_of
from nox_lock.lockfile import lock_file
from nox_lock.locking.agreement import disagreement, explain, held_pins, make_seed
from nox_lock.processes import Processes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nox_lock.compiling.index_settings import IndexSettings
    from nox_lock.compiling.interpreters import Interpreter
    from nox_lock.compiling.pip_tools import Compiled
    from nox_lock.console import Console
    from nox_lock.inputs.entry import Entry
    from nox_lock.locking.agreement import Seed
    from nox_lock.locking.compile_options import CompileOptions
    from nox_lock.planning.planned import Planned
    from nox_lock.project import Project
    from nox_lock.target import Platform, Target


class Compiler:
    """Compiles locks of one project; what several of them need is found once, when needed.

    Several threads may use one compiler.
    """

    def __init__(
        self,
        project: Project,
        options: CompileOptions,
        console: Console,
    ) -> None:
        self.project = project
        self.options = options
        self.console = console
        self.processes = Processes()
        self._once = threading.RLock()
        self._cache: Cache | None = None
        self._indexes: IndexSettings | None = None
        self._until: dict[str, float] = {}
        self._interpreters: dict[tuple[Target, Platform | None], Interpreter] = {}

    @property
    def cache(self) -> Cache:
        """The user's cache, opened when it is first needed."""
        with self._once:
            if self._cache is None:
                opened = open_cache(self.project.environ, self.console.warn)
                self._cache = replace(opened, interrupted=self.processes.ended)
            return self._cache

    def moves(self, planned: Planned) -> bool:
        """Tell whether pins of a lock are to move though nothing asks them to."""
        names = set(map(name_of, self._packages(planned)))
        return self.options.upgrade or any(
            pin.name in names for pin in (planned.origin.pins if planned.origin else ())
        )

    def resolve_once(
        self,
        planned: Planned,
        seed: Seed,
        texts: Mapping[str, str],
        held: tuple[Entry, ...] = (),
    ) -> Compiled:
        """Compile, with `held` fixed; a seed that pip-tools cannot get away from is thinned out.

        Raises:
            NoxLockError: saying why not.
        """
        for path in planned.lookalikes:
            raise LockFileError(LOOKALIKE, Place(path))
        while True:
            try:
                return self._run(replace(self._order(planned, seed, texts), fixed=held))
            except CompileError as error:
                kept = [pin for pin in seed.pins if pin.name not in error.projects]
                if len(kept) == len(seed.pins) and error.kind == "python":
                    kept = []  # pip names the project, not the pins that leave it no other version
                if len(kept) == len(seed.pins):
                    raise
                # It lets go of a seeded pin only where each demand in a conflict is on one.
                seed = make_seed(pin for pin in kept if pin.version)

    def resolve(self, planned: Planned, seed: Seed, texts: Mapping[str, str]) -> Compiled:
        """Compile to a lock that agrees with those below.

        Raises:
            CompileError: of kind "conflict" with both chains, where none does.
        """
        try:
            compiled = self.resolve_once(planned, seed, texts)
        except CompileError as error:
            raise explain(planned._replace(existing=None), error) from error
        if disagreement(with_body(planned, compiled.body)) is None:
            return compiled
        # Seeded pins fall in an order of pip-tools' own. With those below held, it tells whether
        # there is a way; what it finds is the seed that makes the lock as it has to look.
        try:
            held = self.resolve_once(planned, seed, texts, held_pins(planned))
        except CompileError as error:
            raise explain(with_body(planned, compiled.body), error) from error
        compiled = self.resolve_once(planned, make_seed(p for p in held.pins if p.version), texts)
        made = with_body(planned, compiled.body)
        if differs := disagreement(made):
            raise explain(made, differs)
        return compiled

    def _order(self, planned: Planned, seed: Seed, texts: Mapping[str, str]) -> Order:
        packages = self._packages(planned)
        moves = self.options.upgrade or bool(packages)
        # All rounds that a lock takes count as one compile.
        until = self._until.setdefault(
            planned.path, time.monotonic() + planned.lock.compile_timeout
        )
        return replace(
            make_order(planned, seed.text),
            texts=texts,
            refresh=moves or self.options.refresh,
            upgrade_packages=packages,
            until=until,
        )

    def _run(self, order: Order) -> Compiled:
        """Compile; without the cache, where its disk is full or fails."""
        try:
            return self._run_tools(order)
        except (OSError, CompileError) as error:
            if isinstance(error, CompileError) and error.kind != "disk":
                raise
            if self.cache.folder is None:
                raise _of_disk(error) from error
            with self._once:
                if self.cache.folder is not None:
                    self._cache = replace(self.cache, folder=None)
                    self.console.warn(unusable(_of_disk(error).message))
        return self._run(order)

    def _run_tools(self, order: Order) -> Compiled:
        pip_tools = PipTools(
            self.project.root,
            self.interpreter(order.target, order.platform),
            self.project.environ,
            self.read_indexes(),
            self.cache.folder,
            self.processes,
            detail=self.console.log if self.console.verbose else None,
        )
        self.console.update(order.path, RESOLVING)
        with self.cache.temporary_folder() as folder:
            return pip_tools(order, folder)

    def _packages(self, planned: Planned) -> tuple[str, ...]:
        """Return those to upgrade; what a lock below pins moves there, and here after it."""
        lower = {pin.name for low in planned.below for pin in low.pins}
        return tuple(
            package for package in self.options.upgrade_packages if name_of(package) not in lower
        )

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


def with_body(planned: Planned, body: str) -> Planned:
    """Return a lock file as it would be with this body."""
    return planned._replace(existing=lock_file.parse(body))


def _of_disk(error: OSError | CompileError) -> CompileError:
    if isinstance(error, CompileError):
        return error
    return CompileError(f"nothing can be compiled here: {error.strerror}", kind="disk")

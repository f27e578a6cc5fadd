"""Which sessions of a noxfile use which locks; each noxfile loads this, so it imports little."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from nox_lock.errors import ConfigError

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

    from nox_lock.planning.config import Config
    from nox_lock.planning.lock_plan import LockPlan
    from nox_lock.project import Project
    from nox_lock.target import Target


class DeclaredSession(NamedTuple):
    """A session of a noxfile, with the locks it uses; None is the only one, or `requirements`."""

    name: str
    locks: Sequence[str | None]
    pythons: Sequence[object]  # values of `python=` it may run with, also by nox's ``-P``


class Noxfile(NamedTuple):
    """A noxfile: the project it belongs to, and its sessions."""

    project: Project
    sessions: Sequence[DeclaredSession]

    def plan(
        self, names: Iterable[str | None] = (), *, to_install: bool = False
    ) -> tuple[Config, list[LockPlan]]:
        """Plan the lock files of the locks of these names, or of all; see `load_config`."""
        from nox_lock.planning.config import load_config  # noqa: PLC0415
        from nox_lock.planning.planner import plan  # noqa: PLC0415

        config = load_config(self.project, to_install=to_install)
        used: dict[str, set[Target | SpecifierSet]] = {}
        for session in self.sessions:
            for lock in session.locks:
                try:
                    name = config.lock(lock).name
                except ConfigError as error:
                    message = f"session {session.name!r} of the noxfile: {error.message}"
                    raise ConfigError(message, hint=error.hint) from error
                used.setdefault(name, set()).update(read_pythons(session.pythons))
        return config, plan(config, names=names, used=used)

    def find_unused(self, planned: Iterable[LockPlan]) -> Iterator[str]:
        """Yield a note on each lock file for a Python that no session runs, and nothing names."""
        from nox_lock.planning.planner import is_within  # noqa: PLC0415
        from nox_lock.target import running_target  # noqa: PLC0415

        used: set[Target | SpecifierSet] = set()
        for session in self.sessions:
            if not session.locks and session.pythons[0] is False:
                continue  # any other may install a lock by itself
            found = set(read_pythons(session.pythons))
            if not found and any(session.pythons):
                return  # a path, whose Python is known when the session runs
            used |= found or {running_target()}
        for each in planned if used else ():
            if not (each.lock.pythons or any(is_within(each.target, python) for python in used)):
                line = f"{each.path} is for Python {each.target}, which no session of the noxfile "
                yield f"{line}runs; [tool.nox-lock] python in pyproject.toml says what to lock for"

    def refuse_disagreement(self, planned: Sequence[LockPlan]) -> None:
        """Refuse lock files that one session installs together and that do not agree."""
        for session in [each for each in self.sessions if len(each.locks) > 1]:
            from nox_lock.environments.comparison import refuse_disagreement  # noqa: PLC0415
            from nox_lock.planning.planner import is_within  # noqa: PLC0415

            wanted = list(read_pythons(session.pythons))
            named = (each for each in planned if each.name in session.locks)
            files = [e for e in named if not wanted or any(is_within(e.target, w) for w in wanted)]
            places = [(each.target, each.here or each.system) for each in files]
            for place in places:  # an environment each
                refuse_disagreement([e for e, p in zip(files, places, strict=True) if p == place])


def read_pythons(values: Iterable[object]) -> Iterator[Target | SpecifierSet]:
    """Yield the targets and ranges (``>=3.12``, ``3``) that values of `python=` name; no paths.

    https://nox.thea.codes/en/stable/config.html#configuring-a-session-s-virtualenv
    """
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # noqa: PLC0415

    from nox_lock.target import parse_target  # noqa: PLC0415

    for value in values:
        if isinstance(value, (list, tuple)):
            yield from read_pythons(value)
        elif isinstance(value, str):
            try:
                yield parse_target(value)._replace(patch="")  # which the configuration decides
            except ConfigError:
                with suppress(InvalidSpecifier):
                    yield SpecifierSet(f"=={value}.*" if value.isdecimal() else value)

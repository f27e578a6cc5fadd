"""Which lock files must exist, each after those it builds on."""

from __future__ import annotations

import functools
import posixpath
from dataclasses import replace
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from nox_lock.errors import ConfigError, RequirementsError, fix_of
from nox_lock.inputs.entry import is_project_file
from nox_lock.inputs.requirements import Files, Inputs, read_inputs
from nox_lock.inputs.toml_tables import FILE, find_table
from nox_lock.lockfile import lock_file
from nox_lock.planning import paths
from nox_lock.planning.config import resolve_settings
from nox_lock.planning.lock_plan import LockPlan, PylockPlan
from nox_lock.target import Target, parse_target, running_platform, running_target
from nox_lock.text import nearest, quoted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from packaging.specifiers import SpecifierSet

    from nox_lock.planning.config import Config, LockConfig
    from nox_lock.planning.lock_plan import AnyPlan
    from nox_lock.project import Project


class Layers:
    """The locks of a project with their inputs, each read once.

    A lock is a layer above another when its inputs comprise all that the other is made from (but
    for what its `builds-on` leaves out), name a lock file of it, or when its `constraints` name it.
    """

    def __init__(
        self, locks: Mapping[str, LockConfig], project: Project, *, may_lack: bool = False
    ) -> None:
        self.locks = locks
        self.project = project
        self.files = Files(project, is_unmade=self._is_unmade, may_lack=may_lack)
        # The inputs of a lock, without other locks as constraints.
        self.inputs = functools.cache(lambda name: read_lock_inputs(locks[name], self.files))
        # The locks that a lock builds on, each with what says so.
        self.below = functools.cache(self._find_below)
        self._roots = {name: _find_roots(lock, project) for name, lock in locks.items()}

    def owner(self, path: str) -> LockConfig | None:
        """Return the lock that has a lock file of this path, or None."""
        return paths.find_owner(path, self.locks.values())

    def order(self, names: Iterable[str]) -> list[str]:
        """Return `names` and all they build on, each after those it builds on; refuse a loop."""
        done: dict[str, None] = {}

        def visit(name: str, trail: dict[str, str]) -> None:
            if name in trail:
                steps = list(trail.items())[list(trail).index(name) :]
                loop = " -> ".join([*(f"{lock} ({why})" for lock, why in steps), name])
                raise ConfigError(
                    f"these locks build on each other: {loop}", hint="Take one of these lines out."
                )
            for lower, why in self.below(name).items() if name not in done else ():
                visit(lower, {**trail, name: why})
            done[name] = None

        for name in names:
            visit(name, {})
        return list(done)

    def _find_below(self, lock_name: str) -> dict[str, str]:
        lock, inputs = self.locks[lock_name], self.inputs(lock_name)
        included = {
            owner.name: str(each.place)
            for each in reversed(inputs.includes)
            if (owner := self.owner(each.value)) is not None
        }
        within: dict[str, str] = {}
        found = dict.fromkeys(lock.constraints, f"`{FILE}` constraints")
        for source in lock.inputs:
            if (owner := self.owner(source)) not in (None, lock):
                found[owner.name] = f"`{FILE}` inputs"
        for name in self.locks:
            if name == lock.name or name in found:
                continue
            if name in included:
                found[name] = included[name]
            elif self._roots[name] <= inputs.reached and not (
                self._roots[lock_name] <= self.inputs(name).reached
            ):
                within[name] = ", ".join(lock.inputs) or FILE
        for name in lock.builds_on or ():
            if name not in {**found, **within}:
                key, hint = "builds-on", f'To have its versions: constraints = ["{name}"]'
                message = f": it does not include the inputs of {name!r}"
                raise find_table(key, lock.name, self.project).wrong(key, message, hint)
        chosen = within if lock.builds_on is None else lock.builds_on
        return found | {name: why for name, why in within.items() if name in chosen}

    def _is_unmade(self, file: str) -> bool:
        """Return whether a file is the lock file of a lock, and yet to be made."""
        if self.owner(file) is None:
            return False
        lock = lock_file.read(self.project, file)
        return lock is None or not lock.recognised


def read_lock_inputs(lock: LockConfig, files: Files, constraints: Sequence[str] = ()) -> Inputs:
    """Read the inputs of a lock; `constraints` are lock files to read as those of ``-c``."""
    try:
        return read_inputs(
            lock.inputs, files, extras=lock.extras, groups=lock.groups, constraints=constraints
        )
    except RequirementsError as error:
        for file in lock.inputs:
            if error.place is None and not files.project.is_file(file):
                error.place = find_table("inputs", lock.name, files.project).place("inputs", file)
        raise


def _find_roots(lock: LockConfig, project: Project) -> set[str]:
    """Return what a lock is made from, in the form of `Inputs.reached`."""
    roots = {f"{FILE}#group={canonicalize_name(group)}" for group in lock.groups}
    for source in lock.inputs:
        if is_project_file(source):
            roots.add(f"{source}#")
            roots |= {f"{source}#extra={canonicalize_name(extra)}" for extra in lock.extras}
        else:
            roots.add(project.real(source))
    return roots


def plan(
    config: Config,
    project: Project,
    *,
    names: Iterable[str | None] = (),
    used: Mapping[str, Collection[Target | SpecifierSet]] | None = None,
    may_lack: bool = False,
) -> list[LockPlan]:
    """Plan the lock files that must exist, each after those it builds on.

    `names` keeps to those locks and what they build on; `used` gives, by lock, the Pythons of
    the sessions that use it, as targets or ranges of versions; `may_lack` is of `Files`.

    Raises:
        ConfigError: for an unknown name, two lock files with one path, locks that build on each
            other, or a lower lock that is not made for the same Python.
        RequirementsError: for an input that cannot be read.
        LockFileError: for a lock file that cannot be read.
    """
    chosen = [config.lock(name).name for name in names] or list(config.locks)
    planner = _Planner(config, project, used or {}, may_lack=may_lack)
    planned = planner.plan(chosen)
    # One lock file with hashes, and those without must have them, too.
    if any(map(_lacks_hashes, planned)) and any(map(_has_hashes, planner.plan(config.locks))):
        return _require_hashes(planned)
    return planned


def spread_hashes(planned: list[LockPlan]) -> list[LockPlan]:
    """Plan lock files that will be made: a new one with hashes would leave those without stale."""
    if any(map(_lacks_hashes, planned)) and any(
        each.current is None and each.settings.generate_hashes for each in planned
    ):
        return _require_hashes(planned)
    return planned


def _lacks_hashes(planned: LockPlan) -> bool:
    """Return whether a lock file has no hashes, and nothing is configured."""
    unset, lock = planned.lock.settings.generate_hashes is None, planned.current
    return unset and lock is not None and bool(lock.pins) and not lock.hashed


def _has_hashes(planned: LockPlan) -> bool:
    """Return whether a lock file has hashes, or its stamp is of one that had."""
    lock = planned.current
    if lock is None or lock.hashed or lock.stamp is None:
        return lock is not None and lock.hashed
    hashed = planned.settings._replace(generate_hashes=True)
    return lock.stamp.inputs == replace(planned, settings=hashed).digest


def _require_hashes(planned: Iterable[LockPlan]) -> list[LockPlan]:
    done: dict[str, LockPlan] = {}
    for each in planned:
        settings, below = each.settings, tuple(done.get(low.path, low) for low in each.below)
        if each.lock.settings.generate_hashes is None:
            settings = settings._replace(generate_hashes=True)
        done[each.path] = replace(each, settings=settings, below=below)
    return list(done.values())


def replan(
    planned: AnyPlan, below: tuple[LockPlan, ...], texts: Mapping[str, str], project: Project
) -> AnyPlan:
    """Plan a lock file again after those below it were made; `texts` are those, by path."""
    pairs = zip(below, planned.below, strict=True)
    changed = {now.path for now, before in pairs if now is not before}
    if not changed:
        return planned
    if isinstance(planned, PylockPlan):
        return planned._replace(below=below)
    inputs = planned.inputs
    if changed & {*inputs.files, *inputs.pending, *planned.constraints}:
        inputs = read_lock_inputs(planned.lock, Files(project, texts), planned.constraints)
    return replace(planned, below=below, inputs=inputs)


def for_environment(planned: Iterable[LockPlan], target: Target) -> list[LockPlan]:
    """Return, of each lock, the file that an environment with this Python installs, or refuse."""
    by_name: dict[str, list[LockPlan]] = {}
    for each in planned:
        by_name.setdefault(each.name, []).append(each)
    here, chosen = running_platform(), []
    for name, files in by_name.items():
        matching = [each for each in files if each.target == target]
        fitting = [each for each in matching if each.here]
        if not fitting and matching:
            raise ConfigError(
                f"this session runs on {here}; the lock {name!r} is not for it",
                hint=f"Say so in {FILE}: [tool.nox-lock] "
                f"platforms = {_listed(*files[0].lock.platforms, here)}",
            )
        if not fitting:
            has = list(dict.fromkeys(str(each.target) for each in files))
            raise ConfigError(
                f"this session runs Python {target}; the lock {name!r} is for {', '.join(has)}",
                hint=f"Say so in {FILE}: [tool.nox-lock] python = {_listed(*has, target)}",
            )
        chosen.append(next((each for each in fitting if each.named_platform == here), fitting[0]))
    return chosen


def select(
    planned: Sequence[LockPlan], targets: Collection[Target], platforms: Collection[str]
) -> list[LockPlan]:
    """Return the lock files of some Pythons and named platforms, all for none; refuse others."""
    systems = list(dict.fromkeys(each.system for each in planned if each.system))
    for system in platforms:
        if system not in systems:
            message = f"no lock is for the platform {quoted(system)}{nearest(system, systems)}"
            hint = f"There are: {', '.join(systems)}" if systems else None
            raise ConfigError(message, hint=hint or f"Name it in {FILE}: [tool.nox-lock] platforms")
    planned = [each for each in planned if not platforms or each.system in platforms]
    has = list(dict.fromkeys(each.target for each in planned))
    for target in targets:
        if target not in has:
            known = ", ".join(map(str, has))
            raise ConfigError(f"no lock is for Python {target}", hint=f"There are: {known}")
    return [each for each in planned if not targets or each.target in targets]


def plan_pylocks(
    config: Config, planned: Collection[LockPlan], project: Project
) -> list[PylockPlan]:
    """Plan the pylocks of the locks that are planned, each beside its lock files.

    Raises:
        ConfigError: for one that has no hashes or no valid name, or that of another file.
        LockFileError: for one that cannot be read.
    """
    found: list[PylockPlan] = []
    every = (path for each in planned for path in (each.path, *each.inputs.files))
    taken = {project.real(path).casefold() for path in every}
    for name in dict.fromkeys(each.name for each in planned if each.lock.pylock):
        lock, alone = config.locks[name], name == "requirements" or len(config.locks) == 1
        base, fault = "pylock.toml" if alone else f"pylock.{name}.toml", ""
        path = posixpath.join(paths.folder_of(lock), base)
        if base.count(".") > 1 + (not alone):  # the standard has no such name
            fault = f": {base} has a dot too many"
        elif lock.settings.generate_hashes is False:
            fault = " needs hashes, and generate-hashes is false"
        elif project.real(path).casefold() in taken:
            fault = f": {path} is another file of the project already"
        if fault:
            hint = f"Change that, or say in [tool.nox-lock.locks.{name}]: pylock = false"
            raise find_table("pylock", name, project).wrong("pylock", fault, hint)
        taken.add(project.real(path).casefold())
        below = tuple(each for each in planned if each.name == name)
        found.append(PylockPlan(path, below, lock_file.read_bytes(project, path)))
    return found


class _Planner:
    """Plans lock files; each once."""

    def __init__(
        self,
        config: Config,
        project: Project,
        used: Mapping[str, Collection[Target | SpecifierSet]],
        *,
        may_lack: bool,
    ) -> None:
        self.locks = config.locks
        self.project = project
        self.used = used
        self.layers = Layers(config.locks, project, may_lack=may_lack)
        self.by_name: dict[str, list[LockPlan]] = {}
        # By path, as systems have it that do not distinguish upper case.
        self.by_path: dict[str, LockPlan] = {}

    def plan(self, names: Iterable[str]) -> list[LockPlan]:
        """Plan the lock files of some locks, and of those they build on."""
        order = self.layers.order(names)
        for name in order:
            if name not in self.by_name:
                self.by_name[name] = []
                for target, system, path in self._list_files(self.locks[name]):
                    self._add(self.locks[name], target, system, path)
        # A lock that is not planned may have one of these paths, too.
        for lock in (self.locks[each] for each in sorted(self.locks.keys() - self.by_name.keys())):
            if any(paths.parse_path(lock, each.path) for each in self.by_path.values()):
                for _, _, path in self._list_files(lock):
                    if taken := self.by_path.get(path.casefold()):
                        raise self._shared(taken.name, path, f"lock {lock.name!r}")
        return [each for name in order for each in self.by_name[name]]

    def _shared(self, name: str, path: str, other: str) -> ConfigError:
        return ConfigError(
            f"lock {name!r} would write {path}, which is {other}",
            find_table("lockfile", name, self.project).place("lockfile"),
            f'Give it its own: [tool.nox-lock.locks.{name}] lockfile = "...".',
        )

    def _list_files(self, lock: LockConfig) -> list[tuple[Target, str, str]]:
        targets = _find_targets(lock, self.project, self.used.get(lock.name, ()))
        several = len(targets) > 1
        return [
            (
                target,
                system,
                paths.lockfile_path(lock, target, system, self.project, several=several),
            )
            for target in targets
            for system in lock.platforms or ("",)
        ]

    def _add(self, lock: LockConfig, target: Target, system: str, path: str) -> None:
        inputs = self.layers.inputs(lock.name)
        if taken := self.by_path.get(path.casefold()):
            raise self._shared(lock.name, path, f"lock {taken.name!r}")
        if path in (*inputs.files, *inputs.pending):
            raise self._shared(lock.name, path, "one of its inputs")
        below = self._find_below(lock, target, system)
        self._refuse_other_targets(lock, target, below)
        current = lock_file.read(self.project, path)
        locks = self.locks.values()
        earlier = None if current else paths.find_earlier(lock, target, self.project, locks)
        # pip looks from where it runs, and for find-links beside the file with the line, too.
        folders = sorted({"", *map(posixpath.dirname, (path, *inputs.files))})
        lookalikes = paths.find_lookalikes(self.project, folders, current.pins if current else ())
        planned = LockPlan(
            lock=lock,
            target=target,
            path=path,
            inputs=inputs,
            settings=resolve_settings(lock.settings, current or earlier),
            current=current,
            system=system,
            below=below,
            apart=tuple(
                name
                for name in self.layers.below(lock.name)
                if all(each.target != target for each in self.by_name[name])
            ),
            earlier=earlier,
            build_constraints=_read_build_constraints(lock, self.project),
            lookalikes=tuple(lookalikes),
        )
        if planned.constraints:
            inputs = read_lock_inputs(lock, self.layers.files, planned.constraints)
            planned = replace(planned, inputs=inputs)
        self.by_name[lock.name].append(planned)
        self.by_path[path.casefold()] = planned

    def _find_below(self, lock: LockConfig, target: Target, system: str) -> tuple[LockPlan, ...]:
        names = self.layers.below(lock.name)
        below = tuple(
            each
            for name, files in self.by_name.items()
            for each in files
            if name in names
            and each.target == target
            and (each.system in {"", system} or (not system and each.here))
        )
        for name in lock.constraints:
            if all(each.name != name for each in below):
                has = list(dict.fromkeys(str(each.target) for each in self.by_name[name]))
                wanted = _listed(*dict.fromkeys((*has, str(target))))
                raise ConfigError(
                    f"lock {lock.name!r} is for Python {target}; {name!r}, which constrains it, "
                    f"is for {', '.join(has)}",
                    find_table("constraints", lock.name, self.project).place("constraints", name),
                    f"Make both for the same: [tool.nox-lock] python = {wanted}",
                )
        return below

    def _refuse_other_targets(
        self, lock: LockConfig, target: Target, below: Iterable[LockPlan]
    ) -> None:
        """Refuse an input that names the lock file of another lock, made for another target."""
        right = {each.path for each in below}
        for option, file, place in self.layers.inputs(lock.name).includes:
            other = self.layers.owner(file)
            if other is None or file in right or other.name == lock.name:
                continue
            constrains = option == "--constraint"
            raise ConfigError(
                f"`{'-c' if constrains else '-r'} {posixpath.basename(file)}` names one lock file "
                f"of {other.name!r}; for Python {target} another belongs here",
                place,
                f"Take the line out, and say in {FILE}: "
                f'[tool.nox-lock.locks.{lock.name}] constraints = ["{other.name}"]'
                if constrains
                else f"Name its input instead: -r {posixpath.basename(other.inputs[0])}",
            )


def _listed(*names: object) -> str:
    """Return an array of strings in TOML."""
    quotes = (f'"{name}"' for name in names)
    return f"[{', '.join(quotes)}]"


def _read_build_constraints(lock: LockConfig, project: Project) -> tuple[str, ...]:
    key, found = "build-constraints", []
    for file in lock.build_constraints:
        try:
            found.append(project.read(file).decode(errors="replace"))
        except OSError as error:
            table = find_table(key, lock.name, project)
            message = f"{key}: {file} cannot be read: {error.strerror}"
            raise ConfigError(message, table.place(key, file), fix_of(error)) from error
    return tuple(found)


def _find_targets(
    lock: LockConfig, project: Project, used: Collection[Target | SpecifierSet]
) -> Sequence[Target]:
    """Return a lock's targets: configured or used; else of its lock file; else this Python."""
    found = {*lock.pythons, *(each for each in used if isinstance(each, Target))}
    targets = sorted(found or {_find_target(lock, project)}, key=lambda target: target.sort_key)
    for each in used:
        if not any(is_within(target, each) for target in targets):
            raise ConfigError(
                f"a session wants a Python {each}, and the lock {lock.name!r} is for "
                f"{', '.join(map(str, targets))}",
                hint=f'Say which: [tool.nox-lock] python = ["X.Y", ...] in {FILE}',
            )
    return targets


def _find_target(lock: LockConfig, project: Project) -> Target:
    """Return the Python that all lock files of a lock name, else the running one."""
    here = running_target()
    if lock.platforms or "{python" in (lock.lockfile or ""):
        named: Collection[str] = paths.find_files(lock, project)
    else:
        named = [paths.lockfile_path(lock, here, "", project, several=False)]
    files = (lock_file.read(project, path) for path in named)
    found = {each.python for each in files if each and each.python}
    return parse_target(found.pop()) if len(found) == 1 else here


def is_within(target: Target, versions: SpecifierSet | Target) -> bool:
    """Return whether a release of a target is in a range of versions, or a target is another."""
    if isinstance(versions, Target):
        return target == versions
    return any(versions.contains(f"{target.version}{micro}") for micro in ("", ".0", ".99"))


def find_stacks(planned: Iterable[AnyPlan]) -> list[list[AnyPlan]]:
    """Group lock files by what they build on, in the order they are given."""
    stacks: list[list[AnyPlan]] = []
    for each in planned:
        below = {low.path for low in each.below}
        touching = [stack for stack in stacks if below & {other.path for other in stack}]
        merged = [other for stack in touching for other in stack]
        stacks = [stack for stack in stacks if stack not in touching]
        stacks.append([*merged, each])
    return stacks


def with_lower(planned: LockPlan) -> list[LockPlan]:
    """Return a lock file behind all those it builds on."""
    found: dict[str, LockPlan] = {}
    for low in planned.below:
        found.update((each.path, each) for each in with_lower(low))
    return [*found.values(), planned]

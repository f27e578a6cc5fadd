"""Which lock files must exist, each after those it builds on."""

from __future__ import annotations

import functools
import json
import posixpath
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from nox_lock.errors import ConfigError, RequirementsError, fix_of
from nox_lock.inputs.entry import Inputs, is_project_file
from nox_lock.inputs.requirements import Files, read_inputs
from nox_lock.inputs.toml_tables import FILE, find_table
from nox_lock.lockfile import lock_file
from nox_lock.planning import paths
from nox_lock.planning.config import Config, resolve_settings
from nox_lock.planning.lock_plan import AnyPlan, LockConfig, LockPlan, PylockPlan
from nox_lock.project import Project
from nox_lock.target import Target, parse_target, running_platform, running_target
from nox_lock.text import nearest, quoted

_Used = Mapping[str, Collection[Target | SpecifierSet]]  # by lock, the Pythons of its sessions


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


class _Planner:
    """The locks of a project and their lock files: each read and planned once.

    A lock is a layer above another when its inputs comprise all that the other is made from (but
    for what its `builds-on` leaves out), name a lock file of it, or when its `constraints` name it.
    """

    def __init__(self, config: Config, used: _Used) -> None:
        locks = self.locks = config.locks
        self.project = config.project
        self.used = used
        self.files = Files(self.project, is_unmade=self._is_unmade, may_lack=config.may_lack)
        self.owner = functools.cache(lambda path: paths.find_owner(path, locks.values()))
        # The inputs of a lock, without other locks as constraints.
        self.inputs = functools.cache(lambda name: read_lock_inputs(locks[name], self.files))
        self.layers: dict[str, Mapping[str, str]] = {}  # by name, see `_find_layers`
        self.by_name: dict[str, list[LockPlan]] = {}
        self.by_path: dict[str, LockPlan] = {}  # without upper case, which not all systems have
        self.roots: dict[str, set[str]] = {}  # what each is made from, as `Inputs.reached` has it
        for name, lock in locks.items():
            groups = map(canonicalize_name, lock.groups)
            roots = self.roots[name] = {f"{FILE}#group={each}" for each in groups}
            for source in lock.inputs:
                if is_project_file(source):
                    extras = (f"extra={canonicalize_name(extra)}" for extra in lock.extras)
                    roots |= {f"{source}#{part}" for part in ("", *extras)}
                else:
                    roots.add(self.project.real(source))

    def plan(self, name: str, trail: Mapping[str, str]) -> None:
        """Plan a lock's files after those of all it builds on; `trail` are those above it."""
        if name in trail:
            steps = list(trail.items())[list(trail).index(name) :]
            loop = " -> ".join([*(f"{lock} ({why})" for lock, why in steps), name])
            message = f"these locks build on each other: {loop}"
            raise ConfigError(message, hint="Take one of these lines out.")
        if name in self.by_name:
            return
        self.layers[name] = self._find_layers(self.locks[name])
        for lower, why in self.layers[name].items():
            self.plan(lower, {**trail, name: why})
        self.by_name[name] = []
        for target, system, path in self.list_files(self.locks[name]):
            planned = self._plan_file(self.locks[name], target, system, path)
            self.by_name[name].append(planned)
            self.by_path[path.casefold()] = planned

    def _find_layers(self, lock: LockConfig) -> dict[str, str]:
        """Return the locks whose inputs a lock comprises, or that it names, with what says so."""
        inputs, own = self.inputs(lock.name), self.roots[lock.name]
        found = dict.fromkeys(lock.constraints, f"`{FILE}` constraints")
        named = [(source, f"`{FILE}` inputs") for source in lock.inputs]
        for file, why in [*named, *((each.value, str(each.place)) for each in inputs.includes)]:
            if (owner := self.owner(file)) not in (None, lock):
                found.setdefault(owner.name, why)
        within = {
            name: ", ".join(lock.inputs) or FILE
            for name in self.locks
            if self.roots[name] <= inputs.reached
            and name not in {lock.name, *found}
            and not own <= self.inputs(name).reached
        }
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

    def list_files(self, lock: LockConfig) -> list[tuple[Target, str, str]]:
        """Return target, named platform and path of each file of a lock."""
        used = self.used.get(lock.name, ())
        found = {*lock.pythons, *(each for each in used if isinstance(each, Target))}
        if not found:  # it is the one that all its lock files name, else this one
            here = running_target()
            if lock.platforms or "{python" in (lock.lockfile or ""):
                named = list(paths.find_files(lock, self.project))
            else:
                named = [paths.lockfile_path(lock, here, "", self.project, several=False)]
            files = (lock_file.read(self.project, path) for path in named)
            pythons = {each.python for each in files if each and each.python}
            found = {parse_target(pythons.pop()) if len(pythons) == 1 else here}
        number = {each: tuple(map(int, each.version.split("."))) for each in found}
        targets = sorted(found, key=lambda each: (each.implementation, number[each], each.threaded))
        for each in used:
            if not any(is_within(one, each) for one in targets):
                has = f"the lock {lock.name!r} is for {', '.join(map(str, targets))}"
                hint = f'Say which: [tool.nox-lock] python = ["X.Y", ...] in {FILE}'
                raise ConfigError(f"a session wants a Python {each}, and {has}", hint=hint)
        places = [(target, system) for target in targets for system in lock.platforms or ("",)]
        path_of = functools.partial(paths.lockfile_path, lock, several=len(targets) > 1)
        return [(*place, path_of(*place, self.project)) for place in places]

    def _plan_file(self, lock: LockConfig, target: Target, system: str, path: str) -> LockPlan:
        inputs, layers = self.inputs(lock.name), self.layers[lock.name]
        if taken := self.by_path.get(path.casefold()):
            what = f"lock {taken.name!r}"
            if taken.name == lock.name:
                what = "that of another Python or platform, too: it needs {python} or {platform}"
            raise self.shared(lock.name, path, what)
        if path in (*inputs.files, *inputs.pending):
            raise self.shared(lock.name, path, "one of its inputs")
        below = self._find_below(lock, target, system)
        builds: dict[str, str] = {}
        for file in lock.build_constraints:
            try:
                builds[file] = self.project.read(file).decode(errors="replace")
            except OSError as error:
                key = "build-constraints"
                place = find_table(key, lock.name, self.project).place(key, file)
                message = f"{key}: {file} cannot be read: {error.strerror}"
                raise ConfigError(message, place, fix_of(error)) from error
        current = lock_file.read(self.project, path)
        locks = self.locks.values()
        earlier = None if current else paths.find_earlier(lock, target, self.project, locks)
        # pip looks from where it runs, and for find-links beside the file with the line, too.
        folders = sorted({"", *map(posixpath.dirname, (path, *inputs.files))})
        pins = current.pins if current else ()
        planned = LockPlan(
            lock=lock,
            target=target,
            path=path,
            inputs=inputs,
            settings=resolve_settings(lock.settings, current or earlier),
            current=current,
            system=system,
            below=below,
            apart=tuple(n for n in layers if target not in [p.target for p in self.by_name[n]]),
            earlier=earlier,
            build_constraints=builds,
            lookalikes=tuple(paths.find_lookalikes(self.project, folders, pins)),
        )
        if not planned.constraints:
            return planned
        return replace(planned, inputs=read_lock_inputs(lock, self.files, planned.constraints))

    def _find_below(self, lock: LockConfig, target: Target, system: str) -> tuple[LockPlan, ...]:
        """Return the lock files that one for this target builds on; refuse those of others."""
        below = tuple(
            each
            for name in self.locks  # not in the order of planning, which names may change
            if name in self.layers[lock.name]
            for each in self.by_name[name]
            if each.target == target and (each.system in {"", system} or (not system and each.here))
        )
        for low in lock.constraints:
            if all(each.name != low for each in below):
                has = list(dict.fromkeys(str(each.target) for each in self.by_name[low]))
                wanted = json.dumps(list(dict.fromkeys((*has, str(target)))))
                place = find_table("constraints", lock.name, self.project).place("constraints", low)
                message = f"lock {lock.name!r} is for Python {target}; {low!r}, which constrains it"
                hint = f"Make both for the same: [tool.nox-lock] python = {wanted}"
                raise ConfigError(f"{message}, is for {', '.join(has)}", place, hint)
        right = {each.path for each in below}
        for option, file, place in self.inputs(lock.name).includes:
            other = self.owner(file)
            if other is None or file in right or other.name == lock.name:
                continue
            word, source = "-c" if option == "--constraint" else "-r", (*other.inputs, FILE)[0]
            hint = f"Name its input instead: -r {posixpath.basename(source)}"
            if word == "-c" or is_project_file(source):
                hint = f"Take the line out, and say in {FILE}: "
                hint += f'[tool.nox-lock.locks.{lock.name}] constraints = ["{other.name}"]'
            message = f"`{word} {posixpath.basename(file)}` names one lock file of {other.name!r}"
            raise ConfigError(f"{message}; for Python {target} another belongs here", place, hint)
        return below

    def shared(self, name: str, path: str, other: str) -> ConfigError:
        place = find_table("lockfile", name, self.project).place("lockfile")
        hint = f'Give it its own: [tool.nox-lock.locks.{name}] lockfile = "...".'
        return ConfigError(f"lock {name!r} would write {path}, which is {other}", place, hint)


def plan(
    config: Config,
    *,
    names: Iterable[str | None] = (),  # to keep to, with what they build on; none for all
    used: _Used | None = None,
) -> list[LockPlan]:
    """Plan the lock files that must exist, each after those it builds on."""
    chosen = [config.lock(name).name for name in names] or list(config.locks)
    planner = _Planner(config, used or {})
    for name in chosen:
        planner.plan(name, {})
    planned = list(planner.by_path.values())
    # A lock that is not planned may have one of these paths, too.
    for other in sorted(config.locks.keys() - planner.by_name.keys()):
        if any(paths.parse_path(config.locks[other], each.path) for each in planned):
            planner.plan(other, {})
    if any(map(_lacks_hashes, planned)):
        for name in config.locks:
            planner.plan(name, {})
        # One lock file with hashes, and those without must have them, too.
        if any(map(_has_hashes, planner.by_path.values())):
            return _require_hashes(planned)
    return planned


def spread_hashes(planned: list[LockPlan]) -> list[LockPlan]:
    """Plan lock files that will be made: a new one with hashes would leave those without stale."""
    new = any(each.current is None and each.settings.generate_hashes for each in planned)
    return _require_hashes(planned) if new and any(map(_lacks_hashes, planned)) else planned


def _lacks_hashes(planned: LockPlan) -> bool:
    """Return whether a lock file has no hashes, and nothing is configured."""
    unset, lock = planned.lock.settings.generate_hashes is None, planned.current
    return unset and lock is not None and bool(lock.pins) and not lock.hashed


def _has_hashes(planned: LockPlan) -> bool:
    """Return whether a lock file has hashes, or its stamp is of one that had."""
    lock = planned.current
    if lock is None or lock.hashed or lock.stamp is None:
        return lock is not None and lock.hashed
    hashed = replace(planned, settings=planned.settings._replace(generate_hashes=True))
    return lock.stamp.inputs == hashed.digest


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
        return planned._replace(below=below, inputs=below[0].inputs)
    inputs = planned.inputs
    if changed & {*inputs.files, *inputs.pending, *planned.constraints}:
        inputs = read_lock_inputs(planned.lock, Files(project, texts), planned.constraints)
    return replace(planned, below=below, inputs=inputs)


def for_environment(planned: Collection[LockPlan], target: Target) -> list[LockPlan]:
    """Return, of each lock, the file that an environment with this Python installs, or refuse."""
    here, chosen = running_platform(), []
    for name in dict.fromkeys(each.name for each in planned):
        files = [each for each in planned if each.name == name]
        matching = [each for each in files if each.target == target]
        fitting = [each for each in matching if each.here]
        if not fitting:
            has = list(dict.fromkeys(str(each.target) for each in files))
            message = f"Python {target}; the lock {name!r} is for {', '.join(has)}"
            key, known = "python", json.dumps([*has, str(target)])
            if matching:
                message = f"on {here}; the lock {name!r} is not for it"
                key, known = "platforms", json.dumps([*files[0].lock.platforms, str(here)])
            hint = f"Say so in {FILE}: [tool.nox-lock] {key} = {known}"
            raise ConfigError(f"this session runs {message}", hint=hint)
        chosen.append(max(fitting, key=lambda each: bool(each.system) and each.platform == here))
    return chosen


def select(
    planned: Sequence[LockPlan], targets: Collection[Target], platforms: Collection[str]
) -> list[LockPlan]:
    """Return the lock files of some Pythons and named platforms, all for none; refuse others."""
    systems = list(dict.fromkeys(each.system for each in planned if each.system))
    for system in platforms:
        if system not in systems:
            message = f"no lock is for the platform {quoted(system)}{nearest(system, systems)}"
            hint = f"Name it in {FILE}: [tool.nox-lock] platforms"
            hint = f"There are: {', '.join(systems)}" if systems else hint
            raise ConfigError(message, hint=hint)
    planned = [each for each in planned if not platforms or each.system in platforms]
    has = list(dict.fromkeys(each.target for each in planned))
    for target in targets:
        if target not in has:
            known = ", ".join(map(str, has))
            raise ConfigError(f"no lock is for Python {target}", hint=f"There are: {known}")
    return [each for each in planned if not targets or each.target in targets]


def plan_pylocks(config: Config, planned: Collection[LockPlan]) -> list[PylockPlan]:
    """Plan the pylocks of the locks that are planned, each beside its lock files."""
    found, project = [], config.project
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
        targets = dict.fromkeys(str(each.target) for each in below)
        systems = dict.fromkeys(each.system for each in below if each.system)
        facts = below, below[0].inputs, ", ".join(targets), ", ".join(systems)
        found.append(PylockPlan(path, name, *facts, lock_file.read_bytes(project, path)))
    return found


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
        stacks = [stack for stack in stacks if stack not in touching]
        stacks.append([*chain(*touching), each])
    return stacks


def with_lower(planned: LockPlan) -> list[LockPlan]:
    """Return a lock file behind all those it builds on."""
    lower = dict.fromkeys(each for low in planned.below for each in with_lower(low))
    return [*lower, planned]

"""What a project wants: `[tool.nox-lock]` and the inputs found, as a frozen `Config`."""

from __future__ import annotations

import posixpath
import re
from string import Formatter
from typing import TYPE_CHECKING, NamedTuple

from nox_lock.errors import ConfigError, Place, fix_of
from nox_lock.inputs.local_projects import is_project_file
from nox_lock.inputs.toml_tables import FILE, Table, parse_toml
from nox_lock.planning.discovery import FOUND_IN, NoInputsError, discover, what_next
from nox_lock.planning.settings import Settings, merge_settings, read_pip_tools, read_settings
from nox_lock.target import PLATFORMS, Levels, Target, find_platform, parse_target
from nox_lock.text import nearest, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nox_lock.project import Project

# docs/reference/configuration.md says what each means.
LOCK_KEYS = (
    "python",
    "platforms",
    "lockfile",
    "generate-hashes",
    "strip-extras",
    "allow-unsafe",
    "unsafe-package",
    "uploaded-prior-to",
    "manylinux",
    "macos",
    "build-constraints",
    "compile-timeout",
)
PROJECT_KEYS = ("on-stale",)  # in [tool.nox-lock] alone
ONE_LOCK_KEYS = ("inputs", "extras", "groups", "constraints")  # in the table of one lock alone
ON_STALE = ("auto", "lock", "error")
_PLACEHOLDERS = ("name", "stem", "python", "platform", "machine")
_OTHER_NAMES = {"windows": "win32", "macos": "darwin", "mac": "darwin", "osx": "darwin"}
_TIMEOUT = 600.0


class LockConfig(NamedTuple):
    """A lock as configured or found.

    Attributes:
        name: what `lock=` and the command line call it.
        inputs: its input files, relative to the project root; may be none when it has groups.
        lockfile: pattern of its lock file, or None for the default beside the first input.
        lockfile_key: the key that says the pattern.
        pythons: the targets asked for; empty for none said.
        platforms: those that get a lock file each, as written; empty for one for all.
        extras: extras of its project files to lock, too.
        groups: dependency groups (PEP 735) of `pyproject.toml` to lock, too.
        constraints: names of the locks it must agree with.
        settings: how it is compiled.
        levels: the newest systems that wheels for named platforms may need.
        build_constraints: files that limit what builds use, relative to the project root.
        compile_timeout: seconds that its compile may take in all.
    """

    name: str
    inputs: tuple[str, ...]
    lockfile: str | None = None
    lockfile_key: str = ""
    pythons: tuple[Target, ...] = ()
    platforms: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    settings: Settings = Settings()
    levels: Levels = Levels()
    build_constraints: tuple[str, ...] = ()
    compile_timeout: float = _TIMEOUT


class Config(NamedTuple):
    """All that `[tool.nox-lock]` and the files found say.

    Attributes:
        locks: by name, `requirements` first.
        on_stale: what a session does with a stale lock, one of `ON_STALE`.
        notes: settings of `[tool.pip-tools]` that cannot be honoured, for a warning.
    """

    locks: Mapping[str, LockConfig]
    on_stale: str = "auto"
    notes: tuple[str, ...] = ()

    def lock(self, name: str | None) -> LockConfig:
        """Return a lock by name; None means the only one, or `requirements`.

        Raises:
            ConfigError: for a name that is none, with the nearest one that is.
        """
        known = ", ".join(self.locks)
        if name is None and len(self.locks) > 1 and "requirements" not in self.locks:
            raise ConfigError(
                "lock= is left out, and there is more than one lock",
                hint=f"Say which in the noxfile: {known}",
            )
        if name is None:
            name = next(iter(self.locks)) if len(self.locks) == 1 else "requirements"
        if name in self.locks:
            return self.locks[name]
        raise ConfigError(
            f"there is no lock {name!r}{nearest(name, self.locks)}", hint=f"Locks here: {known}"
        )


def load_config(project: Project) -> Config:
    """Read a project's configuration and find its inputs.

    Raises:
        ConfigError: for a `pyproject.toml` that is no TOML or asks for what cannot be, and
            where there is no input at all.
    """
    # A link that leads nowhere was meant to lead somewhere.
    there = project.exists(FILE) or (project.root / FILE).is_symlink()
    try:
        document = parse_toml(project.read(FILE)) if there else Table({})
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
        raise ConfigError(message, Place(FILE), fix_of(error)) from error
    found = [
        file for pattern in FOUND_IN for file in project.glob(pattern) if project.is_file(file)
    ]
    table = document.values.get("project")
    static = isinstance(table, dict) and "dependencies" in table
    try:
        return parse_config(document.table("tool"), sorted(found), static_project=static)
    except NoInputsError:
        raise NoInputsError(what_next(project, document.values)) from None


def parse_config(tools: Table, found: Iterable[str], *, static_project: bool = False) -> Config:
    """Read the parsed `[tool]` table; `found` are the paths of the ``.in`` files there are.

    With `static_project`, a `pyproject.toml` is the input where there is no other.

    Raises:
        ConfigError: for an unknown key, a wrong type or name, two locks that clash, no input.
    """
    pip_tools, notes = read_pip_tools(tools.table("pip-tools"))
    table = tools.table("nox-lock")
    _refuse_seed(table)
    table.refuse_unknown((*LOCK_KEYS, *PROJECT_KEYS, "locks"))
    common = LockConfig(
        "",
        (),
        _lockfile(table),
        f"{table.name}.lockfile",
        _pythons(table),
        _platforms(table),
        settings=merge_settings(read_settings(table), pip_tools),
        levels=_levels(table, Levels()),
        build_constraints=_build_constraints(table),
        compile_timeout=table.seconds("compile-timeout") or _TIMEOUT,
    )
    on_stale = table.string("on-stale") or "auto"
    if on_stale not in ON_STALE:
        raise table.wrong("on-stale", *_wrong_choice(on_stale, ON_STALE))
    declared = table.table("locks")
    locks = {name: _lock(name, declared, common) for name in declared.values}
    taken = {file for lock in locks.values() for file in lock.inputs}
    for name, file in discover([file for file in found if file not in taken], locks).items():
        locks[name] = common._replace(name=name, inputs=(file,))
    if not locks and static_project:
        locks["requirements"] = common._replace(name="requirements", inputs=(FILE,))
    for lock in locks.values():
        _check_constraints(lock, locks, declared.table(lock.name))
    if not locks:
        raise NoInputsError
    return Config(locks, on_stale, notes)


def check_on_stale(value: str, source: str) -> str:
    """Return `value` if it is a way to treat a stale lock.

    Raises:
        ConfigError: naming `source` and the ways there are.
    """
    if value not in ON_STALE:
        message, hint = _wrong_choice(value, ON_STALE)
        raise ConfigError(f"{source}{message}", hint=hint)
    return value


def _refuse_seed(table: Table) -> None:
    if "seed" in table.values:
        message = " is gone: hashes come from the index pages that pip reads, with and without uv"
        raise table.wrong("seed", message, "Take the line out.")


def _levels(table: Table, common: Levels) -> Levels:
    found = {}
    for key, form, what in (("manylinux", r"2\.\d+", "glibc"), ("macos", r"\d+\.\d+", "macOS")):
        level = table.string(key)
        if level is not None and not re.fullmatch(form, level):
            message = f": {quoted(level)} is no version of {what}"
            raise table.wrong(key, message, f'Such as: {key} = "{getattr(Levels(), key)}"')
        found[key] = level or getattr(common, key)
    return Levels(**found)


def _build_constraints(table: Table) -> tuple[str, ...]:
    return tuple(
        _inside(path, table, "build-constraints") for path in table.strings("build-constraints")
    )


def _wrong_choice(value: str, choices: Sequence[str]) -> tuple[str, str]:
    listed = ", ".join(f'"{choice}"' for choice in choices)
    return f" is {value!r}{nearest(value, choices)}", f"One of: {listed}"


def _lock(name: str, declared: Table, common: LockConfig) -> LockConfig:
    if not re.fullmatch(r"[\w][\w.-]*", name):
        message = f": {quoted(name)} is no name for a lock"
        raise declared.wrong(name, message, "Use letters, digits, - _ and dots.")
    table = declared.table(name)
    _refuse_seed(table)
    table.refuse_unknown((*LOCK_KEYS, *ONE_LOCK_KEYS))
    inputs = tuple(_inside(path, table, "inputs") for path in table.strings("inputs"))
    extras, groups = table.strings("extras"), table.strings("groups")
    if not inputs and not groups:
        raise table.wrong("inputs", " is missing", 'Write it as: inputs = ["FILE.in"]')
    if extras and not any(map(is_project_file, inputs)):
        hint = f'Name the project file, too: inputs = ["{FILE}"]'
        raise table.wrong("extras", ": none of its inputs has extras", hint)
    lockfile = _lockfile(table)
    if lockfile in inputs:
        message = f": {lockfile} is both input and lock file"
        raise table.wrong("lockfile", message, "Give one of them another name.")
    return LockConfig(
        name,
        inputs,
        lockfile or common.lockfile,
        f"{table.name}.lockfile" if lockfile else common.lockfile_key,
        _pythons(table) or common.pythons,
        _platforms(table) or common.platforms,
        extras,
        groups,
        table.strings("constraints"),
        merge_settings(read_settings(table), common.settings),
        _levels(table, common.levels),
        _build_constraints(table) or common.build_constraints,
        table.seconds("compile-timeout") or common.compile_timeout,
    )


def _check_constraints(lock: LockConfig, locks: Mapping[str, LockConfig], table: Table) -> None:
    for name in lock.constraints:
        if name not in locks or name == lock.name:
            near = nearest(name, set(locks) - {lock.name})
            message = f": {quoted(name)} is no other lock{near}"
            raise table.wrong("constraints", message, f"Locks here: {', '.join(locks)}")


def _lockfile(table: Table) -> str | None:
    lockfile = table.string("lockfile")
    if lockfile is None:
        return None
    _check_placeholders(lockfile, table)
    plain = _inside(lockfile, table, "lockfile")
    if is_project_file(plain):
        message = f": {plain} is read by every build, and no lock file"
        raise table.wrong("lockfile", message, "Give it another name.")
    return plain


def _platforms(table: Table) -> tuple[str, ...]:
    names = table.strings("platforms")
    _refuse_empty(table, "platforms")
    for name in names:
        if find_platform(name) is None:
            known = [*PLATFORMS, *(f"{s}-{each}" for s, them in PLATFORMS.items() for each in them)]
            other = _OTHER_NAMES.get(name.lower())
            near = nearest(name, known if "-" in name else PLATFORMS)
            near = f"; did you mean {other!r}?" if other else near
            message = f": {quoted(name)} is no platform that can be locked for{near}"
            raise table.wrong("platforms", message, "Such as: linux, linux-aarch64, darwin, win32")
    return tuple(dict.fromkeys(names))


def _refuse_empty(table: Table, key: str) -> None:
    if table.values.get(key) == []:
        raise table.wrong(key, " is empty", "Name one at least, or leave it out.")


def _inside(path: str, table: Table, key: str) -> str:
    """Return a path in its plain form, relative to the project root, which it may not leave."""
    plain = posixpath.normpath(path.replace("\\", "/"))
    if plain.startswith(("../", "/")) or plain in {"..", "."} or ":" in plain:
        message = f": {quoted(path)} is not inside the project"
        raise table.wrong(key, message, f"Write it relative to the folder of {FILE}.")
    if not plain.isprintable():
        message = f": {quoted(path)} is no path"
        raise table.wrong(key, message, "Take its control characters out.")
    return plain


def _check_placeholders(lockfile: str, table: Table) -> None:
    key, known = "lockfile", f"There are: {', '.join(f'{{{each}}}' for each in _PLACEHOLDERS)}"
    try:
        fields = [field for field in Formatter().parse(lockfile) if field[1] is not None]
    except ValueError as error:
        raise table.wrong(key, f": {quoted(lockfile)}: {error}", known) from error
    for _, name, form, conversion in fields:
        if form or conversion:
            raise table.wrong(key, f": {quoted(lockfile)}: a placeholder is a name alone", known)
        if name is not None and name not in _PLACEHOLDERS:
            near = nearest(name, _PLACEHOLDERS)
            raise table.wrong(key, f": unknown {{{name}}}{near}", known)


def _pythons(table: Table) -> tuple[Target, ...]:
    alone = isinstance(table.values.get("python"), str)
    texts = (table.values["python"],) if alone else table.strings("python")
    _refuse_empty(table, "python")
    try:
        targets = tuple(dict.fromkeys(map(parse_target, texts)))
    except ConfigError as error:
        raise table.wrong("python", f": {error.message}", error.hint) from error
    if len(targets) != len({(each, each.patch) for each in map(parse_target, texts)}):
        message = ": one X.Y is named with two patch releases"
        raise table.wrong("python", message, "A lock file is for one of them.")
    return targets

"""The configuration of a project: `[tool.nox-lock]` and the inputs found, as a `Config`."""

from __future__ import annotations

import posixpath
import re
from string import Formatter
from typing import TYPE_CHECKING, Any, NamedTuple

from nox_lock.errors import ConfigError, Place, fix_of
from nox_lock.inputs.local_projects import is_project_file
from nox_lock.inputs.toml_tables import FILE, Table, parse_toml
from nox_lock.planning.settings import Settings, merge_settings, read_pip_tools, read_settings
from nox_lock.target import PLATFORMS, Levels, Target, find_platform, parse_target
from nox_lock.text import nearest, quoted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

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
PROJECT_KEYS = ("on-stale", "find")  # in [tool.nox-lock] alone
# In the table of one lock alone.
ONE_LOCK_KEYS = ("inputs", "extras", "groups", "constraints", "builds-on")
ON_STALE = ("auto", "lock", "error", "install")
_PLACEHOLDERS = ("name", "stem", "python", "python_nodot", "platform", "machine")
_OTHER_NAMES = {"windows": "win32", "macos": "darwin", "mac": "darwin", "osx": "darwin"}


class LockConfig(NamedTuple):
    """A lock, as configured or found.

    Attributes:
        name: what `lock=` and the command line call it.
        inputs: its input files, relative to the project root; may be none when it has groups.
        lockfile: pattern of its lock file, or None for the default beside the first input.
        pythons: its targets; empty where none is configured.
        platforms: those that get a lock file each, as written; empty for one for all.
        extras: extras of its project files to lock, too.
        groups: dependency groups (PEP 735) of `pyproject.toml` to lock, too.
        constraints: names of the locks it must agree with.
        builds_on: of the locks whose inputs it includes those it must agree with; None for all.
        settings: how it is compiled.
        levels: the newest systems that wheels for named platforms may need.
        build_constraints: files that limit what builds use, relative to the project root.
        compile_timeout: the seconds that its compile may take.
    """

    name: str
    inputs: tuple[str, ...]
    lockfile: str | None = None
    pythons: tuple[Target, ...] = ()
    platforms: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    builds_on: tuple[str, ...] | None = None
    settings: Settings = Settings()
    levels: Levels = Levels()
    build_constraints: tuple[str, ...] = ()
    compile_timeout: float = 600.0


class Config(NamedTuple):
    """The whole configuration.

    Attributes:
        locks: by name, `requirements` first.
        project: where it was read.
        on_stale: what a session does with a stale lock, one of `ON_STALE`; a variable may say so.
        notes: settings of `[tool.pip-tools]` that cannot be honoured, for a warning.
    """

    locks: Mapping[str, LockConfig]
    project: Project
    on_stale: str = "auto"
    notes: tuple[str, ...] = ()

    def lock(self, name: str | None) -> LockConfig:
        """Return a lock by name; None means the only one, or `requirements`.

        Raises:
            ConfigError: for an unknown name, with the nearest one.
        """
        known = ", ".join(self.locks)
        only = next(iter(self.locks)) if len(self.locks) == 1 else "requirements"
        wanted = only if name is None else name
        if wanted in self.locks:
            return self.locks[wanted]
        if name is None:
            message = "lock= is left out, and there is more than one lock"
            raise ConfigError(message, hint=f"Say which in the noxfile: {known}")
        near = nearest(wanted, self.locks)
        from nox_lock.planning.candidates import suggest  # noqa: PLC0415  (only for errors)

        more = suggest(self.project, _read_document(self.project).values, name)
        raise ConfigError(f"there is no lock {name!r}{near}", hint=f"{more}Locks here: {known}")


def load_config(project: Project, *, to_install: bool = False) -> Config:
    """Read a project's configuration and find its inputs.

    `to_install` is whether locks are only installed: ``on-stale = "install"`` finds them without
    their inputs then.

    Raises:
        ConfigError: for a `pyproject.toml` that is not TOML; an unknown key, a wrong type or name;
            two locks that clash; no input.
    """
    document = _read_document(project)
    tools = document.table("tool")
    pip_tools, notes = read_pip_tools(tools.table("pip-tools"))
    table = tools.table("nox-lock")
    common = LockConfig("", (), settings=pip_tools)
    common = _parse_common(table, common, (*PROJECT_KEYS, "locks"))
    on_stale = table.string("on-stale") or "auto"
    check_on_stale(on_stale, f"`{table.name}.on-stale`", table.place("on-stale"))
    if variable := project.environ.get("NOX_LOCK_ON_STALE"):
        check_on_stale(variable, "NOX_LOCK_ON_STALE")
        on_stale = variable
    declared = table.table("locks")
    locks = {name: _parse_lock(name, declared, common) for name in declared.values}
    whole = [lock for lock in locks.values() if lock.inputs or lock.groups]
    found = _discover(project, whole, _find_more(table, project))
    static = document.values.get("project")
    if not (whole or found) and isinstance(static, dict) and "dependencies" in static:
        found["requirements"] = FILE
    for name, file in found.items():
        locks[name] = locks.get(name, common)._replace(name=name, inputs=(file,))
    if to_install and on_stale == "install":
        from nox_lock.planning.lock_paths import find_missing_inputs  # noqa: PLC0415  (imports this)

        for name, file in find_missing_inputs(project, locks.values()).items():
            locks[name] = common._replace(name=name, inputs=(file,))
    if not locks:
        raise _no_inputs(project, document.values)
    for lock in locks.values():
        _check_lock(lock, locks, declared)
    return Config(locks, project, on_stale, notes)


def check_on_stale(value: str, source: str, place: Place | None = None) -> None:
    """Refuse an unknown way to treat a stale lock.

    Raises:
        ConfigError: naming `source`, which has the value, and the known ways.
    """
    if value not in ON_STALE:
        known = ", ".join(f'"{each}"' for each in ON_STALE)
        message = f"{source} is {value!r}{nearest(value, ON_STALE)}"
        raise ConfigError(message, place, f"One of: {known}")


def find_table(key: str, lock: str, project: Project) -> Table:
    """Return the table that has a key for a lock, to name its line: its own, else that of all."""
    table = _read_document(project).table("tool").table("nox-lock")
    own = table.table("locks").table(lock)
    return own if key in own.values or key not in table.values else table


def _read_document(project: Project) -> Table:
    try:
        return parse_toml(project.read(FILE))
    except OSError as error:
        # A link that leads nowhere was meant to lead somewhere.
        if isinstance(error, FileNotFoundError) and not (project.root / FILE).is_symlink():
            return Table({})
        message = f"cannot be read: {error.strerror}"
        raise ConfigError(message, Place(FILE), fix_of(error)) from error


def _parse_common(table: Table, default: LockConfig, others: tuple[str, ...]) -> LockConfig:
    """Parse the keys of all locks, over what `default` has; `others` are allowed, too."""
    if "seed" in table.values:
        message = " is gone: hashes come from the index pages that pip reads, with and without uv"
        raise table.wrong("seed", message, "Take the line out.")
    table.refuse_unknown((*LOCK_KEYS, *others))
    return default._replace(
        lockfile=_parse_lockfile(table) or default.lockfile,
        pythons=_parse_pythons(table) or default.pythons,
        platforms=_parse_platforms(table) or default.platforms,
        settings=merge_settings(read_settings(table), default.settings),
        levels=_parse_levels(table, default.levels),
        build_constraints=_parse_paths(table, "build-constraints") or default.build_constraints,
        compile_timeout=table.seconds("compile-timeout") or default.compile_timeout,
    )


def _parse_lock(name: str, declared: Table, common: LockConfig) -> LockConfig:
    if not re.fullmatch(r"[\w][\w.-]*", name):
        message = f": {quoted(name)} is no name for a lock"
        raise declared.wrong(name, message, "Use letters, digits, - _ and dots.")
    table = declared.table(name)
    lock = _parse_common(table, common, ONE_LOCK_KEYS)
    inputs, extras = _parse_paths(table, "inputs"), table.strings("extras")
    groups = table.strings("groups")
    builds_on = table.strings("builds-on")
    return lock._replace(
        name=name,
        inputs=inputs,
        extras=extras,
        groups=groups,
        constraints=table.strings("constraints"),
        builds_on=builds_on if "builds-on" in table.values else None,
    )


def _check_lock(lock: LockConfig, locks: Mapping[str, LockConfig], declared: Table) -> None:
    """Refuse what does not go with the inputs of a lock, which may be found ones."""
    table = declared.table(lock.name)
    if not lock.inputs and not lock.groups:
        raise table.wrong("inputs", " is missing", 'Write it as: inputs = ["FILE.in"]')
    if lock.extras and not any(map(is_project_file, lock.inputs)):
        hint = f'Name the project file, too: inputs = ["{FILE}"]'
        raise table.wrong("extras", ": none of its inputs has extras", hint)
    if lock.lockfile in lock.inputs:
        message = f": {lock.lockfile} is both input and lock file"
        raise table.wrong("lockfile", message, "Give one of them another name.")
    for key, names in (("constraints", lock.constraints), ("builds-on", lock.builds_on or ())):
        for name in names:
            if name not in locks or name == lock.name:
                near = nearest(name, set(locks) - {lock.name})
                message = f": {quoted(name)} is no other lock{near}"
                raise table.wrong(key, message, f"Locks here: {', '.join(locks)}")


def _parse_paths(table: Table, key: str) -> tuple[str, ...]:
    return tuple(_parse_path(path, table, key) for path in table.strings(key))


def _parse_path(path: str, table: Table, key: str) -> str:
    """Return a path in its plain form, relative to the project root, which it may not leave."""
    plain = posixpath.normpath(path.replace("\\", "/"))
    if plain.startswith(("../", "/")) or plain in {"..", "."} or ":" in plain:
        message = f": {quoted(path)} is not inside the project"
        raise table.wrong(key, message, f"Write it relative to the folder of {FILE}.")
    if not plain.isprintable():
        message = f": {quoted(path)} is no path"
        raise table.wrong(key, message, "Take its control characters out.")
    return plain


def _parse_lockfile(table: Table) -> str | None:
    key, pattern = "lockfile", table.string("lockfile")
    if pattern is None:
        return None
    known = f"There are: {', '.join(f'{{{each}}}' for each in _PLACEHOLDERS)}"
    try:
        fields = [field for field in Formatter().parse(pattern) if field[1] is not None]
    except ValueError as error:
        raise table.wrong(key, f": {quoted(pattern)}: {error}", known) from error
    for _, name, form, conversion in fields:
        if form or conversion:
            raise table.wrong(key, f": {quoted(pattern)}: a placeholder is a name alone", known)
        if name is not None and name not in _PLACEHOLDERS:
            raise table.wrong(key, f": unknown {{{name}}}{nearest(name, _PLACEHOLDERS)}", known)
    plain = _parse_path(pattern, table, key)
    if is_project_file(plain):
        message = f": {plain} is read by every build, and no lock file"
        raise table.wrong(key, message, "Give it another name.")
    return plain


def _parse_pythons(table: Table) -> tuple[Target, ...]:
    alone = isinstance(table.values.get("python"), str)
    texts = (table.values["python"],) if alone else table.strings("python")
    _refuse_empty(table, "python")
    try:
        targets = list(map(parse_target, texts))
    except ConfigError as error:
        raise table.wrong("python", f": {error.message}", error.hint) from error
    if len(set(targets)) != len({(each, each.patch) for each in targets}):
        message = ": one X.Y is named with two patch releases"
        raise table.wrong("python", message, "A lock file is for one of them.")
    return tuple(dict.fromkeys(targets))


def _parse_platforms(table: Table) -> tuple[str, ...]:
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


def _parse_levels(table: Table, default: Levels) -> Levels:
    for key, form, what in (("manylinux", r"2\.\d+", "glibc"), ("macos", r"\d+\.\d+", "macOS")):
        level = table.string(key)
        if level is not None and not re.fullmatch(form, level):
            message = f": {quoted(level)} is no version of {what}"
            raise table.wrong(key, message, f'Such as: {key} = "{getattr(Levels(), key)}"')
        default = default._replace(**{key: level or getattr(default, key)})
    return default


def _refuse_empty(table: Table, key: str) -> None:
    if table.values.get(key) == []:
        raise table.wrong(key, " is empty", "Name one at least, or leave it out.")


def name_of_input(file: str) -> str | None:
    """Return the name of the lock an input makes, or None for a file that is no input by name.

    ``requirements.in`` -> ``requirements``; ``requirements-dev.in``, ``dev-requirements.in`` and
    ``requirements/dev.in`` -> ``dev``.
    """
    folder, _, base = file.rpartition("/")
    stem = base.removesuffix(".in")
    if stem == "requirements":
        return "requirements"
    if found := re.fullmatch(r"requirements[-_.](.+)|(.+)[-_.]requirements", stem):
        return found[1] or found[2]
    return stem if folder else None


def _find_more(table: Table, project: Project) -> set[str]:
    """Return the files that the patterns of `find` name; refuse a pattern that names none."""
    key, hint = "find", 'Such as: find = ["tests/*.in", "*/requirements.in"]'
    found: set[str] = set()
    for pattern in _parse_paths(table, key):
        if "**" in pattern or not pattern.endswith(".in"):
            message = f": {quoted(pattern)} has to end in .in, and name each level of folders"
            raise table.wrong(key, message, hint)
        files = {file for file in project.glob(pattern) if not file.endswith("MANIFEST.in")}
        if not files:
            raise table.wrong(key, f": there is no file like {quoted(pattern)}", hint)
        found |= files
    return found


def _discover(
    project: Project, declared: Collection[LockConfig], more: Collection[str]
) -> dict[str, str]:
    """Return `more` and the usual inputs, of no declared lock, by name, `requirements` first."""
    taken = {file for lock in declared for file in lock.inputs}
    names = {lock.name: f"[tool.nox-lock.locks.{lock.name}]" for lock in declared}
    inputs: dict[str, str] = {}
    files = sorted({*project.glob("*.in"), *project.glob("requirements/*.in"), *more})
    files = [file for file in files if project.is_file(file)]
    taken |= {limits for file in files for limits in _find_limits(file, project)}
    for file in files:
        name = name_of_input(file) or (file.removesuffix(".in") if file in more else None)
        if name is None or file in taken:
            continue
        if not file.isprintable():
            message = f"{quoted(file)} is no path: it is not UTF-8, or has invisible characters"
            raise ConfigError(message, hint="Rename the file.")
        if name in names:
            raise ConfigError(
                f"{file} and {names[name]} would both make the lock {name!r}",
                hint=f'Name one of them: [tool.nox-lock.locks.NAME] inputs = ["{file}"] in {FILE}.',
            )
        names[name] = inputs[name] = file
    return dict(sorted(inputs.items(), key=lambda item: (item[0] != "requirements", item[0])))


def _find_limits(file: str, project: Project) -> Iterator[str]:
    """Yield the files of constraints that an input names with ``-c``: they are no inputs."""
    try:
        text = project.read(file).decode(errors="replace")
    except OSError:
        return  # whoever reads it as an input says why
    for found in re.finditer(r"^[ \t]*(?:-c|--constraint)[= \t]*([^\s#]+)", text, re.MULTILINE):
        if "constraint" in posixpath.basename(found[1]):
            yield posixpath.normpath(posixpath.join(posixpath.dirname(file), found[1]))


def _no_inputs(project: Project, document: Mapping[str, Any]) -> ConfigError:
    """Return the error for a project without inputs; `document` is its `pyproject.toml`."""
    from nox_lock.planning.candidates import suggest  # noqa: PLC0415  (only for errors)

    hint = suggest(project, document)
    for file in sorted((*project.glob("*requirements*.txt"), *project.glob("requirements/*.txt"))):
        if not hint and _is_frozen(project, file):
            hint = (
                f"{file} is the output of `pip freeze`, not an input. Write the projects that you "
                f"use yourself into {file.removesuffix('.txt')}.in, without their dependencies; "
                "then lock with -- --overwrite.\n"
            )
    return ConfigError(
        "no inputs found: no requirements.in, requirements-*.in, *-requirements.in or "
        "requirements/*.in here",
        hint=f"{hint}Write the projects you use, one a line, into "
        "requirements.in; or name your files in [tool.nox-lock.locks.NAME] inputs = [...].",
    )


def _is_frozen(project: Project, file: str) -> bool:
    """Return whether a file has nothing but pins by version, and no header."""
    try:
        lines = project.read(file).decode().split("\n")
    except (OSError, UnicodeDecodeError):
        return False
    pins = [line.rstrip("\r") for line in lines if line.strip()]
    return bool(pins) and all(re.match(r"[\w.-]+(\[[^\]]*\])?===?\S+$", pin) for pin in pins)

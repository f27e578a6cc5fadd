"""The configuration of a project: `[tool.nox-lock]`, `[tool.pip-tools]` and the inputs found."""

from __future__ import annotations

import posixpath
import re
from contextlib import suppress
from string import Formatter
from typing import TYPE_CHECKING, NamedTuple

from packaging.utils import canonicalize_name

from nox_lock.errors import ConfigError
from nox_lock.inputs.entry import is_project_file
from nox_lock.inputs.toml_tables import FILE, Table, read_document
from nox_lock.planning.paths import discover, find_missing_inputs, find_more, no_inputs, suggest
from nox_lock.target import PLATFORMS, Levels, Target, find_platform, parse_target
from nox_lock.text import nearest, quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nox_lock.lockfile.lock_file import LockFile
    from nox_lock.project import Project

# pip-tools' own list: https://pip-tools.readthedocs.io/en/stable/cli/pip-compile/
UNSAFE_PACKAGES = ("distribute", "pip", "setuptools")
_PIP_TOOLS_READ = ("generate-hashes", "strip-extras", "allow-unsafe", "unsafe-package", "compile")
# What changes no lock, and values that nox-lock uses anyway.
_PIP_TOOLS_IGNORED = ("cache-dir", "color", "quiet", "sync", "verbose")
_PIP_TOOLS_FIXED: Mapping[str, object] = {
    "annotate": True,
    "annotation-style": "split",
    "header": True,
    "newline": "lf",
    "resolver": "backtracking",
    "reuse-hashes": True,
}
# docs/reference/configuration.md says what each means.
LOCK_KEYS = (
    "python",
    "platforms",
    "lockfile",
    "pylock",
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


class Settings(NamedTuple):
    """How a lock is compiled; None leaves it to the next source (see `resolve_settings`)."""

    generate_hashes: bool | None = None
    strip_extras: bool | None = None
    allow_unsafe: bool | None = None
    unsafe_packages: tuple[str, ...] | None = None
    uploaded_prior_to: str | None = None


_DEFAULTS = Settings(True, True, True, UNSAFE_PACKAGES)


def resolve_settings(configured: Settings, lock: LockFile | None) -> Settings:
    """Fill what the configuration leaves open from the current lock file, else by defaults."""
    recorded = _recorded(lock) if lock is not None else Settings()
    return merge_settings(configured, merge_settings(recorded, _DEFAULTS))


def _recorded(lock: LockFile) -> Settings:
    """Return how a lock file was made: by the command in its header, else by its content."""
    words = (lock.command or "").split()
    if words[:1] not in (["uv"], ["pip-compile"]):
        # "make upgrade", "nox -s lock": the command does not say.
        return Settings(
            generate_hashes=lock.hashed if lock.pins else None,
            strip_extras=False if any(pin.extras for pin in lock.pins) else None,
            allow_unsafe=False if lock.unsafe else None,
        )
    hashed = lock.hashed or "--generate-hashes" in words  # `uv export` writes hashes unasked
    if words[0] == "uv":  # it strips extras and pins unsafe projects by default
        return Settings(hashed, "--no-strip-extras" not in words)
    unsafe = {
        canonicalize_name(word.partition("=")[2])
        for word in words
        if word.startswith("--unsafe-package=")
    }
    # What is left out is not judged: only a configuration may add to pip-tools' own list.
    unsafe &= {*UNSAFE_PACKAGES}
    return Settings(
        hashed,
        "--strip-extras" in words,
        # pip-compile 8 will pin them by default; the body shows it.
        "--allow-unsafe" in words or any(p.name in (unsafe or UNSAFE_PACKAGES) for p in lock.pins),
        tuple(sorted(unsafe)) or None,
    )


def merge_settings(upper: Settings, lower: Settings) -> Settings:
    """Take each setting from `upper`, and from `lower` where it is None."""
    pairs = zip(upper, lower, strict=True)
    return Settings._make(low if value is None else value for value, low in pairs)


def read_settings(table: Table) -> Settings:
    """Read the settings in a table of `pyproject.toml`."""
    unsafe = table.strings("unsafe-package")
    for name in unsafe:
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name):
            message = f": {quoted(name)} is no name of a project"
            raise table.wrong(
                "unsafe-package", message, "Write the name alone, such as: setuptools"
            )
    moment = table.get("uploaded-prior-to", str)
    if moment is not None and not _is_moment(moment):
        message = f": {quoted(moment)} is no date"
        raise table.wrong("uploaded-prior-to", message, 'Such as: "2026-11-01"')
    return Settings(
        table.get("generate-hashes", bool),
        table.get("strip-extras", bool),
        table.get("allow-unsafe", bool),
        tuple(sorted(map(canonicalize_name, unsafe))) or None,
        moment,
    )


def _is_moment(text: str) -> bool:
    """Return whether pip accepts a text: a date with or without a time, or a number of days.

    https://pip.pypa.io/en/stable/cli/pip_install/#cmdoption-uploaded-prior-to
    """
    import datetime as dt  # noqa: PLC0415  (few have one)

    if found := re.match(r"(\d{4})-?(\d\d)-?(\d\d)(?:[T ]|$)", text):
        with suppress(ValueError):
            return bool(dt.date(*map(int, found.groups())))
    return re.fullmatch(r"P\d+D", text) is not None


def read_pip_tools(table: Table) -> tuple[Settings, tuple[str, ...]]:
    """Read `[tool.pip-tools]`: the settings taken over, and a note on each that is not.

    Its keys may be written with underscores, and under `compile`:
    https://pip-tools.readthedocs.io/en/stable/#configuration
    """
    values = {**table.values, **table.table("compile").values}
    values = {key.replace("_", "-"): value for key, value in values.items()}
    notes = tuple(
        f"[{table.dotted()}] {key} cannot be honoured in locks of nox-lock: leave it out, "
        "or say it in an input or in [tool.nox-lock]"
        for key, value in sorted(values.items())
        if key not in (*_PIP_TOOLS_READ, *_PIP_TOOLS_IGNORED)
        and (key not in _PIP_TOOLS_FIXED or _PIP_TOOLS_FIXED[key] != value)
    )
    return read_settings(table._replace(values=values)), notes


class LockConfig(NamedTuple):
    """A lock, as configured or found.

    Attributes:
        name: what `lock=` and the command line call it.
        inputs: its input files, relative to the project root; may be none when it has groups.
        lockfile: pattern of its lock file, or None for the default beside the first input.
        pylock: whether a `pylock.toml` is made of its lock files.
        pythons: its targets; empty where none is configured.
        platforms: those that get a lock file each, as written; empty for one for all.
        extras: extras of its project files to lock, too.
        groups: dependency groups (PEP 735) of `pyproject.toml` to lock, too.
        constraints: names of the locks it must agree with.
        builds_on: of the locks whose inputs it includes those it must agree with; None for all.
        levels: the newest systems that wheels for named platforms may need.
        build_constraints: files that limit what builds use, relative to the project root.
        compile_timeout: the seconds that its compile may take.
    """

    name: str
    inputs: tuple[str, ...]
    lockfile: str | None = None
    pylock: bool = False
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
        on_stale: what a session does with a stale lock, one of `ON_STALE`; a variable may say so.
        notes: settings of `[tool.pip-tools]` that cannot be honoured, for a warning.
    """

    locks: Mapping[str, LockConfig]
    project: Project
    on_stale: str = "auto"
    notes: tuple[str, ...] = ()

    def lock(self, name: str | None) -> LockConfig:
        """Return a lock by name; None means the only one, or `requirements`; refuse others."""
        known = ", ".join(self.locks)
        only = next(iter(self.locks)) if len(self.locks) == 1 else "requirements"
        wanted = only if name is None else name
        if wanted in self.locks:
            return self.locks[wanted]
        if name is None:
            message = "lock= is left out, and there is more than one lock"
            raise ConfigError(message, hint=f"Say which in the noxfile: {known}")
        near = nearest(wanted, self.locks)
        more = suggest(self.project, read_document(self.project).values, name)
        raise ConfigError(f"there is no lock {name!r}{near}", hint=f"{more}Locks here: {known}")


def load_config(project: Project, *, to_install: bool = False) -> Config:
    """Read a project's configuration and find its inputs.

    `to_install` is whether locks are only installed: ``on-stale = "install"`` finds them without
    their inputs then.

    Raises:
        ConfigError: for a `pyproject.toml` that is not TOML; an unknown key, a wrong type or name;
            two locks that clash; no input.
    """
    document = read_document(project)
    tools = document.table("tool")
    _refuse_misspelt(tools)
    pip_tools, notes = read_pip_tools(tools.table("pip-tools"))
    table = tools.table("nox-lock")
    common = LockConfig("", (), settings=pip_tools)
    common = _parse_common(table, common, (*PROJECT_KEYS, "locks"))
    on_stale = table.get("on-stale", str) or "auto"
    check_on_stale(on_stale, "`tool.nox-lock.on-stale`", table)
    if variable := project.environ.get("NOX_LOCK_ON_STALE"):
        check_on_stale(variable, "NOX_LOCK_ON_STALE")
        on_stale = variable
    declared = table.table("locks")
    locks = {name: _parse_lock(name, declared, common) for name in declared.values}
    whole = [lock for lock in locks.values() if lock.inputs or lock.groups]
    more = find_more(_parse_paths(table, "find"), table, project)
    found = discover(project, whole, more)
    static = document.values.get("project")
    if not (whole or found) and isinstance(static, dict) and "dependencies" in static:
        found["requirements"] = FILE
    for name, file in found.items():
        locks[name] = locks.get(name, common)._replace(name=name, inputs=(file,))
    if to_install and on_stale == "install":
        for name, file in find_missing_inputs(project, locks.values()).items():
            locks[name] = common._replace(name=name, inputs=(file,))
    if not locks:
        raise no_inputs(project, document.values)
    for name, lock in locks.items():
        _check_lock(lock, locks, declared)
        if lock.pylock and lock.settings.generate_hashes is None:  # its files have one each
            locks[name] = lock._replace(settings=lock.settings._replace(generate_hashes=True))
    return Config(locks, project, on_stale, notes)


def check_on_stale(value: str, source: str, table: Table | None = None) -> None:
    """Refuse an unknown way to treat a stale lock; `source`, maybe in a table, has it."""
    if value not in ON_STALE:
        known = ", ".join(f'"{each}"' for each in ON_STALE)
        message = f"{source} is {value!r}{nearest(value, ON_STALE)}"
        place = table.place("on-stale") if table else None
        raise ConfigError(message, place, f"One of: {known}")


def _refuse_misspelt(tools: Table) -> None:
    """Refuse a table that is spelled as the module is, or without a dash: it would be ignored."""
    for key in tools.values:
        if key != "nox-lock" and re.fullmatch(r"nox[-_.]?lock", key, re.IGNORECASE):
            raise tools.wrong(
                key, " is unknown; did you mean 'nox-lock'?", "Write: [tool.nox-lock]"
            )


def _parse_common(table: Table, default: LockConfig, others: tuple[str, ...]) -> LockConfig:
    """Parse the keys of all locks, over what `default` has; `others` are allowed, too."""
    if "seed" in table.values:
        message = " is gone: hashes come from the index pages that pip reads, with and without uv"
        raise table.wrong("seed", message, "Take the line out.")
    table.refuse_unknown((*LOCK_KEYS, *others))
    for key in ("python", "platforms"):
        if table.values.get(key) == []:
            raise table.wrong(key, " is empty", "Name one at least, or leave it out.")
    return default._replace(
        lockfile=_parse_lockfile(table) or default.lockfile,
        pylock=default.pylock if (flag := table.get("pylock", bool)) is None else flag,
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
    builds_on = table.strings("builds-on") if "builds-on" in table.values else None
    return _parse_common(table, common, ONE_LOCK_KEYS)._replace(
        name=name,
        inputs=_parse_paths(table, "inputs"),
        extras=table.strings("extras"),
        groups=table.strings("groups"),
        constraints=table.strings("constraints"),
        builds_on=builds_on,
    )


def _check_lock(lock: LockConfig, locks: Mapping[str, LockConfig], declared: Table) -> None:
    """Refuse what does not go with the inputs of a lock, which may be found ones."""
    table = declared.table(lock.name)
    if not lock.inputs and not lock.groups:
        raise table.wrong("inputs", " is missing", 'Write it as: inputs = ["FILE.in"]')
    if lock.extras and not any(map(is_project_file, lock.inputs)):
        hint = f'Name the project file, too: inputs = ["{FILE}"]'
        raise table.wrong("extras", ": none of its inputs has extras", hint)
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
    key, pattern = "lockfile", table.get("lockfile", str)
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
        level = table.get(key, str)
        if level is not None and not re.fullmatch(form, level):
            message = f": {quoted(level)} is no version of {what}"
            raise table.wrong(key, message, f'Such as: {key} = "{getattr(Levels(), key)}"')
        default = default._replace(**{key: level or getattr(default, key)})
    return default

"""The configuration of a project: `[tool.nox-lock]`, `[tool.pip-tools]` and the inputs found."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from math import inf
from typing import NamedTuple

from packaging.utils import canonicalize_name

from nox_lock.errors import ConfigError
from nox_lock.inputs.entry import is_project_file
from nox_lock.inputs.toml_tables import FILE, Table, read_document
from nox_lock.lockfile.lock_file import LockFile
from nox_lock.planning.lock_plan import UNSAFE_PACKAGES, LockConfig, Settings
from nox_lock.planning.paths import discover, find_missing_inputs, no_inputs, suggest
from nox_lock.project import Project
from nox_lock.target import PLATFORMS, Levels, find_platform, parse_target
from nox_lock.text import nearest, quoted

_PIP_TOOLS_KEYS = ("generate-hashes", "strip-extras", "allow-unsafe", "unsafe-package")
_PIP_TOOLS_HARMLESS = ("cache-dir", "color", "quiet", "sync", "verbose")
# Values that nox-lock uses anyway.
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
    *("python", "platforms", "lockfile", "pylock", *_PIP_TOOLS_KEYS, "uploaded-prior-to"),
    *("manylinux", "macos", "build-constraints", "compile-timeout"),
)
PROJECT_KEYS = ("on-stale", "find")  # in [tool.nox-lock] alone
ONE_LOCK_KEYS = ("inputs", "extras", "groups", "constraints", "builds-on")  # in [...locks.NAME]
ON_STALE = ("auto", "lock", "error", "install")
# A date with or without a time, or a number of days, as pip's --uploaded-prior-to has them.
_MOMENT = r"\d{4}-?(?:0[1-9]|1[0-2])-?(?:0[1-9]|[12]\d|3[01])(?:[T ].*)?|P\d+D"
_PLACEHOLDERS = ("name", "stem", "python", "python_nodot", "platform", "machine")
_OTHER_NAMES = {"windows": "win32", "macos": "darwin", "mac": "darwin", "osx": "darwin"}
_DEFAULTS = Settings(True, True, True, UNSAFE_PACKAGES)


def resolve_settings(configured: Settings, lock: LockFile | None) -> Settings:
    """Fill what is not configured: by header or content of the current lock file, or by default."""
    if lock is None:
        return merge_settings(configured, _DEFAULTS)
    words = (lock.command or "").lower().split()
    if words[:1] == ["pip-compile"]:
        # What is left out is not judged: only a configuration may add to pip-tools' own list.
        unsafe = tuple(name for name in UNSAFE_PACKAGES if f"--unsafe-package={name}" in words)
        # pip-compile 8 will pin them by default; the body shows it.
        pinned = any(pin.name in (unsafe or UNSAFE_PACKAGES) for pin in lock.pins)
        strip, allow = "--strip-extras" in words, "--allow-unsafe" in words or pinned
        hashed = lock.hashed or "--generate-hashes" in words
        recorded = Settings(hashed, strip, allow, unsafe or None)
    else:  # "make upgrade", "nox -s lock" do not say; uv's defaults are ours
        recorded = Settings(
            generate_hashes=lock.hashed if lock.pins else None,
            strip_extras=False if any(pin.extras for pin in lock.pins) else None,
            allow_unsafe=False if lock.unsafe else None,
        )
    return merge_settings(configured, recorded, _DEFAULTS)


def merge_settings(*sources: Settings) -> Settings:
    """Take each setting from the first source that has it."""
    found = ([value for value in each if value is not None] for each in zip(*sources, strict=True))
    return Settings._make(values[0] if values else None for values in found)


def read_settings(table: Table) -> Settings:
    """Read the settings in a table of `pyproject.toml`."""
    unsafe = table.strings("unsafe-package")
    for name in unsafe:
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name):
            message = f": {quoted(name)} is not a name of a project"
            raise table.wrong("unsafe-package", message, "A name alone, such as: setuptools")
    moment = table.get("uploaded-prior-to", str)
    if moment is not None and not re.fullmatch(_MOMENT, moment):
        message = f": {quoted(moment)} is not a date"
        raise table.wrong("uploaded-prior-to", message, 'Such as: "2026-11-01"')
    return Settings(
        table.get("generate-hashes", bool),
        table.get("strip-extras", bool),
        table.get("allow-unsafe", bool),
        tuple(sorted(map(canonicalize_name, unsafe))) or None,
        moment,
    )


def read_pip_tools(table: Table) -> tuple[Settings, tuple[str, ...]]:
    """Read `[tool.pip-tools]`: the settings taken over, and a note on each that is not."""
    # https://pip-tools.readthedocs.io/en/stable/#configuration
    values = {**table.values, **table.table("compile").values}
    values = {key.replace("_", "-"): value for key, value in values.items()}
    known = (*_PIP_TOOLS_KEYS, "compile", *_PIP_TOOLS_HARMLESS)
    notes = tuple(
        f"[{table.dotted()}] {key} cannot be honoured in locks of nox-lock: leave it out, "
        "or say it in an input or in [tool.nox-lock]"
        for key, value in sorted(values.items())
        if key not in known and _PIP_TOOLS_FIXED.get(key, ...) != value
    )
    return read_settings(table._replace(values=values)), notes


class Config(NamedTuple):
    """The whole configuration."""

    locks: Mapping[str, LockConfig]  # by name, `requirements` first
    project: Project
    on_stale: str = "auto"  # what a session does with a stale lock, one of `ON_STALE`
    notes: tuple[str, ...] = ()  # on settings of `[tool.pip-tools]` that cannot be honoured
    may_lack: bool = False  # whether requirements files may be missing, see `Files`

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
        more = suggest(self.project, read_document(self.project), name)
        raise ConfigError(f"there is no lock {name!r}{near}", hint=f"{more}Locks here: {known}")


def load_config(project: Project, *, to_install: bool = False) -> Config:
    """Read a project's configuration and find its inputs.

    `to_install` is whether locks are only installed: then ``on-stale = "install"`` needs no inputs.
    """
    document = read_document(project)
    tools = document.table("tool")
    for key in tools.values:  # spelled as the module is, it would be ignored
        if key != "nox-lock" and re.fullmatch(r"nox[-_.]?lock", key, re.IGNORECASE):
            message = " is unknown; did you mean 'nox-lock'?"
            raise tools.wrong(key, message, "Write: [tool.nox-lock]")
    pip_tools, notes = read_pip_tools(tools.table("pip-tools"))
    table = tools.table("nox-lock")
    defaults = LockConfig("", (), settings=pip_tools)
    common = _parse_common(table, defaults, (*PROJECT_KEYS, "locks"))
    variable = project.environ.get("NOX_LOCK_ON_STALE")
    on_stale = variable or table.get("on-stale", str) or "auto"
    if on_stale not in ON_STALE:
        source = "NOX_LOCK_ON_STALE" if variable else f"`{table.dotted('on-stale')}`"
        place = None if variable else table.place("on-stale")
        message = f"{source} is {on_stale!r}{nearest(on_stale, ON_STALE)}"
        known = ", ".join(f'"{each}"' for each in ON_STALE)
        raise ConfigError(message, place, f"One of: {known}")
    declared = table.table("locks")
    locks = {name: _parse_lock(name, declared, common) for name in declared.values}
    whole = [lock for lock in locks.values() if lock.inputs or lock.groups]
    find = [_parse_path(path, table, "find") for path in table.strings("find")]
    for name, file in discover(project, whole, find, document).items():
        locks[name] = locks.get(name, common)._replace(name=name, inputs=(file,))
    may_lack = to_install and on_stale == "install"
    if may_lack:
        for name, file in find_missing_inputs(project, locks.values()).items():
            locks[name] = common._replace(name=name, inputs=(file,))
    if not locks:
        raise no_inputs(project, document)
    for name, lock in locks.items():
        _check_lock(lock, locks, declared)
        if lock.pylock and lock.settings.generate_hashes is None:  # its files have one each
            locks[name] = lock._replace(settings=lock.settings._replace(generate_hashes=True))
    return Config(locks, project, on_stale, notes, may_lack)


def _parse_common(table: Table, default: LockConfig, others: tuple[str, ...]) -> LockConfig:
    """Parse the keys of all locks, over `default`; `others` are allowed, too."""
    if "seed" in table.values:
        message = " is gone: hashes come from the index pages that pip reads, with and without uv"
        raise table.wrong("seed", message, "Take the line out.")
    known = sorted((*LOCK_KEYS, *others))
    for key in sorted(table.values.keys() - known):
        hint = f"There are: {', '.join(known)}"
        raise table.wrong(key, f" is unknown{nearest(key, known)}", hint)
    pylock, lockfile = table.get("pylock", bool), table.get("lockfile", str)
    key = "build-constraints"
    builds = [_parse_path(path, table, key) for path in table.strings(key)]
    seconds = table.values.get("compile-timeout", default.compile_timeout)
    if type(seconds) not in {int, float} or not 0 < seconds < inf:
        message = f" must be a number of seconds, not {quoted(str(seconds))}"
        raise table.wrong("compile-timeout", message, "Write it as: compile-timeout = 600")
    return _parse_targets(table, default)._replace(
        lockfile=default.lockfile if lockfile is None else _parse_lockfile(lockfile, table),
        pylock=default.pylock if pylock is None else pylock,
        settings=merge_settings(read_settings(table), default.settings),
        build_constraints=tuple(builds) or default.build_constraints,
        compile_timeout=float(seconds),
    )


def _parse_lock(name: str, declared: Table, common: LockConfig) -> LockConfig:
    if not re.fullmatch(r"[\w][\w.-]*", name):
        message = f": {quoted(name)} is not a name for a lock"
        raise declared.wrong(name, message, "Use letters, digits, - _ and dots.")
    table = declared.table(name)
    builds_on = table.strings("builds-on") if "builds-on" in table.values else None
    inputs = tuple(_parse_path(path, table, "inputs") for path in table.strings("inputs"))
    return _parse_common(table, common, ONE_LOCK_KEYS)._replace(
        name=name,
        inputs=inputs,
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
                message = f": {quoted(name)} is not another lock{near}"
                raise table.wrong(key, message, f"Locks here: {', '.join(locks)}")


def _parse_path(path: str, table: Table, key: str) -> str:
    """Return a path in its plain form, relative to the project root, which it may not leave."""
    plain = posixpath.normpath(path.replace("\\", "/"))
    if plain.startswith(("../", "/")) or plain in {"..", "."} or ":" in plain:
        message = f": {quoted(path)} is not inside the project"
        raise table.wrong(key, message, f"Write it relative to the folder of {FILE}.")
    if not plain.isprintable():
        message = f": {quoted(path)} is not a path"
        raise table.wrong(key, message, "Take its control characters out.")
    return plain


def _parse_lockfile(pattern: str, table: Table) -> str:
    key, known = "lockfile", f"There are: {', '.join(f'{{{each}}}' for each in _PLACEHOLDERS)}"
    for found in re.finditer(r"\{(\w*)\}|\{[^}]*\}?|\}", pattern):
        if found[1] not in _PLACEHOLDERS:
            near = nearest(found[1] or "", _PLACEHOLDERS)
            raise table.wrong(key, f": {quoted(pattern)}: unknown {found[0]}{near}", known)
    plain = _parse_path(pattern, table, key)
    if is_project_file(plain):
        message = f": {plain} is read by every build, and no lock file"
        raise table.wrong(key, message, "Give it another name.")
    return plain


def _parse_targets(table: Table, default: LockConfig) -> LockConfig:
    for key in ("python", "platforms"):
        if table.values.get(key) == []:
            raise table.wrong(key, " is empty", "Name one at least, or leave it out.")
    alone = isinstance(table.values.get("python"), str)
    texts = (table.values["python"],) if alone else table.strings("python")
    try:
        targets = dict.fromkeys((target, target.patch) for target in map(parse_target, texts))
    except ConfigError as error:
        raise table.wrong("python", f": {error.message}", error.hint) from error
    pythons = tuple(dict.fromkeys(target for target, _ in targets))
    if len(pythons) != len(targets):
        message = ": one X.Y is named with two patch releases"
        raise table.wrong("python", message, "A lock file is for one of them.")
    platforms = tuple(dict.fromkeys(table.strings("platforms")))
    for name in platforms:
        if find_platform(name) is None:
            known = [*PLATFORMS, *(f"{s}-{each}" for s, them in PLATFORMS.items() for each in them)]
            meant = _OTHER_NAMES.get(name.lower(), name)
            near = nearest(meant, known if "-" in meant else PLATFORMS)
            message = f": {quoted(name)} is not a platform that can be locked for{near}"
            raise table.wrong("platforms", message, "Such as: linux, linux-aarch64, darwin, win32")
    levels = default.levels
    for key, form, what in (("manylinux", r"2\.\d+", "glibc"), ("macos", r"\d+\.\d+", "macOS")):
        if (level := table.get(key, str)) is not None:
            if not re.fullmatch(form, level):
                message = f": {quoted(level)} is not a version of {what}"
                raise table.wrong(key, message, f'Such as: {key} = "{getattr(Levels(), key)}"')
            levels = levels._replace(**{key: level})
    return default._replace(
        pythons=pythons or default.pythons,
        platforms=platforms or default.platforms,
        levels=levels,
    )

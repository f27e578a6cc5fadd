"""What a project wants: `[tool.nox-lock]` and the inputs found, as a frozen `Config`."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field, fields
from string import Formatter
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from nox_lock._errors import ConfigError
from nox_lock._tables import FILE, Table, nearest, parse_toml
from nox_lock._target import Target, parse_target

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

ON_STALE = ("auto", "lock", "error")
_PLACEHOLDERS = ("name", "stem", "python")
# pip-tools' own list: https://pip-tools.readthedocs.io/en/stable/cli/pip-compile/
UNSAFE_PACKAGES = ("distribute", "pip", "setuptools")
_FOUND_IN = ("*.in", "requirements/*.in")
_SETTINGS = (
    "generate-hashes",
    "strip-extras",
    "allow-unsafe",
    "unsafe-package",
    "uploaded-prior-to",
)
_PIP_TOOLS_READ = (
    "generate-hashes",
    "strip-extras",
    "allow-unsafe",
    "unsafe-package",
    "sync",
    "compile",
)
# Values that are what nox-lock does anyway; "any" where the key changes no lock.
_PIP_TOOLS_HARMLESS: Mapping[str, object] = {
    "annotate": True,
    "annotation-style": "split",
    "cache-dir": "any",
    "color": "any",
    "header": True,
    "newline": "lf",
    "quiet": "any",
    "resolver": "backtracking",
    "reuse-hashes": True,
    "verbose": "any",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """How a lock is compiled; None leaves it to the next source (see `resolve_settings`)."""

    generate_hashes: bool | None = None
    strip_extras: bool | None = None
    allow_unsafe: bool | None = None
    unsafe_packages: tuple[str, ...] | None = None
    uploaded_prior_to: str | None = None


@dataclass(frozen=True, slots=True)
class LockConfig:
    """A lock as configured or found.

    Attributes:
        name: what `lock=` and the command line call it.
        inputs: its input files, relative to the project root.
        lockfile: pattern of its lock file, or None for the default beside the first input.
        pythons: the targets asked for; empty for none said.
        settings: how it is compiled.
    """

    name: str
    inputs: tuple[str, ...]
    lockfile: str | None = None
    pythons: tuple[Target, ...] = ()
    settings: Settings = field(default_factory=Settings)


@dataclass(frozen=True, slots=True)
class Config:
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


def load_config(root: Path) -> Config:
    """Read a project's configuration and find its inputs.

    Raises:
        ConfigError: for a `pyproject.toml` that is no TOML or asks for what cannot be, and
            where there is no input at all.
    """
    path = root / FILE
    try:
        tools = parse_toml(path.read_bytes()) if path.exists() else Table("tool", {})
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=FILE) from error
    found = [
        path.relative_to(root).as_posix()
        for pattern in _FOUND_IN
        for path in root.glob(pattern)
        if path.is_file()
    ]
    return parse_config(tools, sorted(found))


def parse_config(tools: Table, found: Iterable[str]) -> Config:
    """Read the parsed `[tool]` table; `found` are the paths of the ``.in`` files there are.

    Raises:
        ConfigError: for an unknown key, a wrong type or name, two locks that clash, no input.
    """
    pip_tools, notes = _pip_tools(tools.table("pip-tools"))
    table = tools.table("nox-lock")
    table.refuse_unknown((*_SETTINGS, "python", "on-stale", "locks"))
    common = _over(_settings(table), pip_tools)
    pythons = _pythons(table)
    on_stale = check_on_stale(table.string("on-stale") or "auto", f"`{table.name}.on-stale`")
    declared = table.table("locks")
    locks = {name: _lock(name, declared.table(name), pythons, common) for name in declared.values}
    taken = {file for lock in locks.values() for file in lock.inputs}
    for name, file in _discover([file for file in found if file not in taken], locks).items():
        locks[name] = LockConfig(name, (file,), None, pythons, common)
    if not locks:
        raise ConfigError(
            "no inputs found: no requirements.in, requirements-*.in, *-requirements.in or "
            "requirements/*.in here",
            hint="Write the projects you use, one a line, into requirements.in; "
            "or name your files in [tool.nox-lock.locks.NAME] inputs = [...].",
        )
    return Config(locks, on_stale, notes)


def check_on_stale(value: str, source: str) -> str:
    """Return `value` if it is a way to treat a stale lock.

    Raises:
        ConfigError: naming `source` and the ways there are.
    """
    if value not in ON_STALE:
        choices = ", ".join(f'"{choice}"' for choice in ON_STALE)
        raise ConfigError(
            f"{source} is {value!r}{nearest(value, ON_STALE)}", hint=f"One of: {choices}"
        )
    return value


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


def _discover(found: Iterable[str], taken: Mapping[str, LockConfig]) -> dict[str, str]:
    names: dict[str, str] = {}
    for file in found:
        name = name_of_input(file)
        if name is None:
            continue
        other = names.get(name) or (name in taken and f"[tool.nox-lock.locks.{name}]")
        if other:
            raise ConfigError(
                f"{file} and {other} would both make the lock {name!r}",
                hint=f'Name one of them: [tool.nox-lock.locks.NAME] inputs = ["{file}"] in {FILE}.',
            )
        names[name] = file
    return dict(sorted(names.items(), key=lambda item: (item[0] != "requirements", item[0])))


def _lock(name: str, table: Table, pythons: tuple[Target, ...], common: Settings) -> LockConfig:
    if not re.fullmatch(r"[\w][\w.-]*", name):
        raise ConfigError(f"{name!r} is no name for a lock: letters, digits, - _ .", file=FILE)
    table.refuse_unknown((*_SETTINGS, "inputs", "lockfile", "python"))
    inputs = tuple(_inside(path, table) for path in table.strings("inputs"))
    if not inputs:
        raise ConfigError(
            f"`{table.name}.inputs` is missing", file=FILE, hint='inputs = ["FILE.in"]'
        )
    for path in inputs:
        if path.endswith(".toml"):
            raise ConfigError(
                f"`{table.name}.inputs`: {path} is no requirements file",
                file=FILE,
                hint="Write what it asks for into a requirements.in.",
            )
    lockfile = table.string("lockfile")
    if lockfile is not None:
        lockfile = _inside(lockfile, table)
        _check_placeholders(lockfile, table)
        if lockfile in inputs:
            raise ConfigError(f"`{table.name}`: {lockfile} is both input and lock file", file=FILE)
    return LockConfig(
        name,
        inputs,
        lockfile,
        _pythons(table) or pythons,
        _over(_settings(table), common),
    )


def _inside(path: str, table: Table) -> str:
    """Return a path in its plain form, relative to the project root, which it may not leave."""
    plain = posixpath.normpath(path.replace("\\", "/"))
    if plain.startswith(("../", "/")) or plain in {"..", "."} or ":" in plain:
        raise ConfigError(f"`{table.name}`: {path!r} is not inside the project", file=FILE)
    return plain


def _check_placeholders(lockfile: str, table: Table) -> None:
    key = f"`{table.name}.lockfile`"
    try:
        names = [name for _, name, _, _ in Formatter().parse(lockfile) if name is not None]
    except ValueError as error:
        raise ConfigError(f"{key}: {lockfile!r}: {error}", file=FILE) from error
    for name in names:
        if name not in _PLACEHOLDERS:
            near = nearest(name, _PLACEHOLDERS)
            raise ConfigError(f"{key}: unknown {{{name}}}{near}", file=FILE)


def resolve_settings(configured: Settings, command: str | None) -> Settings:
    """Fill what the configuration leaves open from the existing lock's own command, else defaults.

    `command` is the one in the lock file's header, or None when there is no lock file.
    """
    recorded = Settings()
    words = (command or "").split()
    if words[:1] == ["uv"]:  # it strips extras and pins unsafe projects unless told not to
        recorded = Settings(
            generate_hashes="--generate-hashes" in words,
            strip_extras="--no-strip-extras" not in words,
        )
    elif words[:1] == ["pip-compile"]:
        unsafe = tuple(w.partition("=")[2] for w in words if w.startswith("--unsafe-package="))
        recorded = Settings(
            generate_hashes="--generate-hashes" in words,
            strip_extras="--strip-extras" in words,
            allow_unsafe="--allow-unsafe" in words,
            unsafe_packages=tuple(sorted(map(canonicalize_name, unsafe))) or None,
        )
    defaults = Settings(
        generate_hashes=True, strip_extras=True, allow_unsafe=True, unsafe_packages=UNSAFE_PACKAGES
    )
    return _over(configured, _over(recorded, defaults))


def _over(upper: Settings, lower: Settings) -> Settings:
    """Take each setting from `upper`, where it says nothing from `lower`."""
    chosen = {}
    for each in fields(Settings):
        value = getattr(upper, each.name)
        chosen[each.name] = getattr(lower, each.name) if value is None else value
    return Settings(**chosen)


def _settings(table: Table) -> Settings:
    unsafe = table.strings("unsafe-package")
    return Settings(
        generate_hashes=table.flag("generate-hashes"),
        strip_extras=table.flag("strip-extras"),
        allow_unsafe=table.flag("allow-unsafe"),
        unsafe_packages=tuple(sorted(map(canonicalize_name, unsafe))) or None,
        uploaded_prior_to=table.string("uploaded-prior-to"),
    )


def _pip_tools(table: Table) -> tuple[Settings, tuple[str, ...]]:
    """Read `[tool.pip-tools]`: the settings taken over, and a note on each that is not.

    Its keys may be written with underscores, and under `compile`:
    https://pip-tools.readthedocs.io/en/stable/#configuration
    """
    flat = {**table.values, **table.table("compile").values}
    flat = {key.replace("_", "-"): value for key, value in flat.items()}
    notes = tuple(
        f"[{table.name}] {key} cannot be honoured in locks of nox-lock: leave it out, "
        "or say it in an input or in [tool.nox-lock]"
        for key, value in sorted(flat.items())
        if key not in _PIP_TOOLS_READ and _PIP_TOOLS_HARMLESS.get(key, "") not in ("any", value)
    )
    return _settings(Table(table.name, flat)), notes


def _pythons(table: Table) -> tuple[Target, ...]:
    alone = isinstance(table.values.get("python"), str)
    texts = (table.values["python"],) if alone else table.strings("python")
    try:
        return tuple(dict.fromkeys(parse_target(text) for text in texts))
    except ConfigError as error:
        told = f"`{table.name}.python`: {error.message}"
        raise ConfigError(told, file=FILE, hint=error.hint) from error

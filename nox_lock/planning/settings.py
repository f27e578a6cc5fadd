"""How a lock is compiled: as configured, for us or for pip-tools, else as it was made before."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from packaging.utils import canonicalize_name

from nox_lock.text import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nox_lock.inputs.toml_tables import Table
    from nox_lock.lockfile.lock_file import LockFile

# pip-tools' own list: https://pip-tools.readthedocs.io/en/stable/cli/pip-compile/
UNSAFE_PACKAGES = ("distribute", "pip", "setuptools")
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
_NAME = "Write the name alone, such as: setuptools"


class Settings(NamedTuple):
    """How a lock is compiled; None leaves it to the next source (see `resolve_settings`)."""

    generate_hashes: bool | None = None
    strip_extras: bool | None = None
    allow_unsafe: bool | None = None
    unsafe_packages: tuple[str, ...] | None = None
    uploaded_prior_to: str | None = None


def resolve_settings(configured: Settings, lock: LockFile | None) -> Settings:
    """Fill what the configuration leaves open from the lock file there is, else by defaults."""
    defaults = Settings(
        generate_hashes=True, strip_extras=True, allow_unsafe=True, unsafe_packages=UNSAFE_PACKAGES
    )
    recorded = _recorded(lock) if lock is not None else Settings()
    return merge_settings(configured, merge_settings(recorded, defaults))


def _recorded(lock: LockFile) -> Settings:
    """Tell how a lock file was made: by the command in its header, else by what it holds."""
    words = (lock.command or "").split()
    if words[:1] == ["uv"]:  # it strips extras and pins unsafe projects unless told not to
        return Settings(
            # `uv export` writes hashes without being asked.
            generate_hashes=lock.hashed or "--generate-hashes" in words,
            strip_extras="--no-strip-extras" not in words,
        )
    if words[:1] == ["pip-compile"]:
        unsafe = tuple(w.partition("=")[2] for w in words if w.startswith("--unsafe-package="))
        # What is left out is not judged: only a configuration may add to pip-tools' own list.
        unsafe = tuple(each for each in unsafe if canonicalize_name(each) in UNSAFE_PACKAGES)
        named = tuple(map(canonicalize_name, unsafe)) or UNSAFE_PACKAGES
        return Settings(
            generate_hashes=lock.hashed or "--generate-hashes" in words,
            strip_extras="--strip-extras" in words,
            # pip-compile 8 will allow it without being told; the body shows it.
            allow_unsafe="--allow-unsafe" in words or any(pin.name in named for pin in lock.pins),
            unsafe_packages=tuple(sorted(map(canonicalize_name, unsafe))) or None,
        )
    # "make upgrade", "nox -s lock": a name for a command that nobody can look into.
    return Settings(
        generate_hashes=lock.hashed if lock.pins else None,
        strip_extras=False if any(pin.extras for pin in lock.pins) else None,
        allow_unsafe=False if lock.unsafe else None,
    )


def merge_settings(upper: Settings, lower: Settings) -> Settings:
    """Take each setting from `upper`, where it says nothing from `lower`."""
    open_ = (name for name in Settings._fields if getattr(upper, name) is None)
    return upper._replace(**{name: getattr(lower, name) for name in open_})


def read_settings(table: Table) -> Settings:
    """Read the settings in a table of `pyproject.toml`.

    Raises:
        ConfigError: for a value of the wrong type.
    """
    unsafe = table.strings("unsafe-package")
    for name in unsafe:
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name):
            raise table.wrong("unsafe-package", f": {quoted(name)} is no name of a project", _NAME)
    moment = table.string("uploaded-prior-to")
    if moment is not None and not _is_moment(moment):
        message = f": {quoted(moment)} is no date"
        raise table.wrong("uploaded-prior-to", message, 'Such as: "2026-11-01"')
    return Settings(
        generate_hashes=table.flag("generate-hashes"),
        strip_extras=table.flag("strip-extras"),
        allow_unsafe=table.flag("allow-unsafe"),
        unsafe_packages=tuple(sorted(map(canonicalize_name, unsafe))) or None,
        uploaded_prior_to=moment,
    )


def _is_moment(text: str) -> bool:
    """Tell whether pip takes a text: a date with or without a time, or a number of days.

    https://pip.pypa.io/en/stable/cli/pip_install/#cmdoption-uploaded-prior-to
    """
    import datetime as dt  # noqa: PLC0415  (few have one)

    found = re.match(r"(\d{4})-?(\d\d)-?(\d\d)(?:[T ]|$)", text)
    try:
        return bool(found and dt.date(*map(int, found.groups()))) or bool(
            re.fullmatch(r"P\d+D", text)
        )
    except ValueError:
        return False


def read_pip_tools(table: Table) -> tuple[Settings, tuple[str, ...]]:
    """Read `[tool.pip-tools]`: the settings taken over, and a note on each that is not.

    Its keys may be written with underscores, and under `compile`:
    https://pip-tools.readthedocs.io/en/stable/#configuration

    Raises:
        ConfigError: for a value of the wrong type.
    """
    flat = {**table.values, **table.table("compile").values}
    flat = {key.replace("_", "-"): value for key, value in flat.items()}
    notes = tuple(
        f"[{table.name}] {key} cannot be honoured in locks of nox-lock: leave it out, "
        "or say it in an input or in [tool.nox-lock]"
        for key, value in sorted(flat.items())
        if key not in _PIP_TOOLS_READ and _PIP_TOOLS_HARMLESS.get(key, "") not in ("any", value)
    )
    return read_settings(table._replace(values=flat)), notes

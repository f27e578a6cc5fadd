"""How a lock is compiled: as configured for nox-lock or pip-tools, else as it was made before."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from packaging.utils import canonicalize_name

from nox_lock.text import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nox_lock.inputs.toml_tables import Table
    from nox_lock.lockfile.lock_file import LockFile

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
    """Read the settings in a table of `pyproject.toml`.

    Raises:
        ConfigError: for a value of the wrong type.
    """
    unsafe = table.strings("unsafe-package")
    for name in unsafe:
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name):
            message = f": {quoted(name)} is no name of a project"
            raise table.wrong(
                "unsafe-package", message, "Write the name alone, such as: setuptools"
            )
    moment = table.string("uploaded-prior-to")
    if moment is not None and not _is_moment(moment):
        message = f": {quoted(moment)} is no date"
        raise table.wrong("uploaded-prior-to", message, 'Such as: "2026-11-01"')
    return Settings(
        table.flag("generate-hashes"),
        table.flag("strip-extras"),
        table.flag("allow-unsafe"),
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

    Raises:
        ConfigError: for a value of the wrong type.
    """
    values = {**table.values, **table.table("compile").values}
    values = {key.replace("_", "-"): value for key, value in values.items()}
    notes = tuple(
        f"[{table.name}] {key} cannot be honoured in locks of nox-lock: leave it out, "
        "or say it in an input or in [tool.nox-lock]"
        for key, value in sorted(values.items())
        if key not in (*_PIP_TOOLS_READ, *_PIP_TOOLS_IGNORED)
        and (key not in _PIP_TOOLS_FIXED or _PIP_TOOLS_FIXED[key] != value)
    )
    return read_settings(table._replace(values=values)), notes

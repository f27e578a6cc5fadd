"""Which option lines a lock file must have: those pip-compile would write for its inputs.

The rules are pip's own: a later ``--index-url`` replaces all indexes before it, and of
``--no-binary`` and ``--only-binary`` the last word on a project counts.
https://pip.pypa.io/en/stable/cli/pip_install/#cmdoption-no-binary
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nox_lock.errors import Place
    from nox_lock.inputs.entry import Option

# Every other option leaves no line in a lock file.
WRITTEN = (
    "--index-url",
    "--extra-index-url",
    "--find-links",
    "--trusted-host",
    "--no-binary",
    "--only-binary",
)


def option_lines(options: Iterable[Option], folder: str) -> dict[str, Place]:
    """Return the lines in pip-compile's order, each with the place that asks for it.

    `folder` is the lock file's, relative to the project root: pip reads a folder in a lock file
    relative to that file.
    """
    options = list(options)
    lines = _index_lines(options)
    for option in options:
        if option.name == "--find-links":
            value = option.value
            if "://" not in value:
                value = posixpath.relpath(value, folder or ".")
            lines.setdefault(f"--find-links {value}", option.place)
    for option in options:
        if option.name == "--trusted-host":
            lines.setdefault(f"--trusted-host {option.value}", option.place)
    return lines | _format_lines(options)


def _index_lines(options: Iterable[Option]) -> dict[str, Place]:
    main: dict[str, Place] = {}
    extra: dict[str, Place] = {}
    for option in options:
        if option.name == "--no-index":
            return {}
        if option.name == "--index-url":
            main, extra = {f"--index-url {option.value}": option.place}, {}
        elif option.name == "--extra-index-url":
            extra.setdefault(f"--extra-index-url {option.value}", option.place)
    return main | extra


def _format_lines(options: Iterable[Option]) -> dict[str, Place]:
    chosen: dict[str, dict[str, Place]] = {"--no-binary": {}, "--only-binary": {}}
    for option in options:
        if option.name in chosen:
            other = chosen["--only-binary" if option.name == "--no-binary" else "--no-binary"]
            _choose(option, chosen[option.name], other)
    both = [
        (name, project, where) for name, each in chosen.items() for project, where in each.items()
    ]
    both.sort(key=lambda each: (each[1] != ":all:", each[0] != "--no-binary", each[1]))
    return {f"{name} {project}": where for name, project, where in both}


def _choose(option: Option, target: dict[str, Place], other: dict[str, Place]) -> None:
    """Apply one option, as pip's ``:all:`` and ``:none:`` want it."""
    names = option.value.split(",")
    while ":all:" in names:
        other.clear()
        target.clear()
        target[":all:"] = option.place
        names = names[names.index(":all:") + 1 :]
        if ":none:" not in names:
            return
    for name in names:
        if name == ":none:":
            target.clear()
            continue
        project = canonicalize_name(name)
        other.pop(project, None)
        target[project] = option.place

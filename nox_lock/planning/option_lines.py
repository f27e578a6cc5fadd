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
    """Return the lines in pip-compile's order, each with its place.

    `folder` is the lock file's, relative to the project root: pip reads a folder in a lock file
    relative to that file.
    """
    indexes: dict[str, Place] = {}
    links: dict[str, Place] = {}
    hosts: dict[str, Place] = {}
    formats: dict[str, dict[str, Place]] = {"--no-binary": {}, "--only-binary": {}}
    has_index = True
    for name, value, place in options:
        if name == "--no-index":
            has_index = False
        elif name == "--index-url":
            indexes = {f"{name} {value}": place}
        elif name == "--extra-index-url":
            indexes.setdefault(f"{name} {value}", place)
        elif name == "--find-links":
            path = value if "://" in value else posixpath.relpath(value, folder or ".")
            links.setdefault(f"{name} {path}", place)
        elif name == "--trusted-host":
            hosts.setdefault(f"{name} {value}", place)
        elif name in formats:
            (other,) = formats.keys() - {name}
            _choose(value.split(","), place, formats[name], formats[other])
    chosen = [(name, *item) for name, projects in formats.items() for item in projects.items()]
    chosen.sort(key=lambda each: (each[1] != ":all:", each[0] != "--no-binary", each[1]))
    written = {f"{name} {project}": place for name, project, place in chosen}
    return (indexes if has_index else {}) | links | hosts | written


def _choose(
    names: list[str], place: Place, chosen: dict[str, Place], other: dict[str, Place]
) -> None:
    """Apply one option of formats, with ``:all:`` and ``:none:`` as pip does."""
    while ":all:" in names:
        other.clear()
        chosen.clear()
        chosen[":all:"] = place
        names = names[names.index(":all:") + 1 :]
        if ":none:" not in names:
            return
    for name in names:
        if name == ":none:":
            chosen.clear()
        else:
            project = canonicalize_name(name)
            other.pop(project, None)
            chosen[project] = place

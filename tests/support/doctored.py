"""Packages that differ in a few places from those that are installed, for a closed list."""

from __future__ import annotations

from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def doctor(folder: Path, package: str, changes: Mapping[str, Mapping[str, str]]) -> str:
    """Link an installed package into a folder, but for files with changes; return the folder.

    `changes` are by file, as from the package: what is in it, in some version, and what is put in
    its place.
    """
    # Not importlib.util: the hook of setuptools clears distutils away when it is asked for pip.
    spec = PathFinder.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    _link(Path(spec.origin).parent, folder / package, changes)
    return str(folder)


def _link(source: Path, target: Path, changes: Mapping[str, Mapping[str, str]]) -> None:
    """Link what is in a folder; of a folder with a changed file, what is in it."""
    target.mkdir(parents=True)
    for each in source.iterdir():
        below = {
            name.partition("/")[2]: edits
            for name, edits in changes.items()
            if name.partition("/")[0] == each.name
        }
        if not below:
            (target / each.name).symlink_to(each)
        elif each.is_dir():
            _link(each, target / each.name, below)
        else:
            text = each.read_text(encoding="utf-8")
            for old, new in below[""].items():
                text = text.replace(old, new)
            (target / each.name).write_text(text, encoding="utf-8")

"""Stub: replaced by the real reader."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from nox_lock._entries import Entry, Where


@dataclass(frozen=True, slots=True)
class Ask:
    file: str
    project: bool
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProjectInput:
    entries: tuple[Entry, ...]
    group_lines: tuple[tuple[Where, str], ...]
    reached: frozenset[str]
    dynamic: str
    name: str


def is_project_file(file: str) -> bool:
    return posixpath.basename(file) in {"pyproject.toml", "setup.py", "setup.cfg"}


def read_project(ask: Ask, root: Path) -> ProjectInput:
    raise NotImplementedError

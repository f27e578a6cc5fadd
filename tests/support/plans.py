"""The lock files that a folder must have, planned from what is in it now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nox_lock.planning.config import load_config
from nox_lock.planning.paths import find_orphans
from nox_lock.planning.planner import plan
from nox_lock.project import Project

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from packaging.specifiers import SpecifierSet

    from nox_lock.planning.lock_plan import LockPlan
    from nox_lock.target import Target


def open_folder(root: Path, environ: Mapping[str, str] | None = None) -> Project:
    """Return a folder as nox-lock reads it; `support.project.Project` is a whole test project."""
    return Project(root, environ or {})


def plan_folder(
    root: Path,
    environ: Mapping[str, str] | None = None,
    *,
    names: Iterable[str | None] = (),
    used: Mapping[str, Collection[Target | SpecifierSet]] | None = None,
) -> list[LockPlan]:
    """Plan the lock files of a folder."""
    project = open_folder(root, environ)
    return plan(load_config(project), names=names, used=used)


def plan_with_orphans(
    root: Path, environ: Mapping[str, str] | None = None
) -> tuple[list[LockPlan], list[str]]:
    """Plan the lock files of a folder, and find those of no lock any more."""
    project = open_folder(root, environ)
    config = load_config(project)
    planned = plan(config)
    return planned, find_orphans(config.locks.values(), planned, project)

"""Which files of a project are inputs by their names, and what helps if there are none."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from nox_lock.errors import ConfigError
from nox_lock.inputs.toml_tables import FILE
from nox_lock.text import quoted

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from nox_lock.planning.config import LockConfig
    from nox_lock.project import Project


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


def discover(project: Project, declared: Collection[LockConfig]) -> dict[str, str]:
    """Return the inputs of no declared lock by the names of their locks, `requirements` first.

    Raises:
        ConfigError: where two would have one name.
    """
    taken = {file for lock in declared for file in lock.inputs}
    names = {lock.name: f"[tool.nox-lock.locks.{lock.name}]" for lock in declared}
    inputs: dict[str, str] = {}
    for file in sorted((*project.glob("*.in"), *project.glob("requirements/*.in"))):
        name = name_of_input(file)
        if name is None or file in taken or not project.is_file(file):
            continue
        if not file.isprintable():
            message = f"{quoted(file)} is no path: it is not UTF-8, or has invisible characters"
            raise ConfigError(message, hint="Rename the file.")
        if name in names:
            raise ConfigError(
                f"{file} and {names[name]} would both make the lock {name!r}",
                hint=f'Name one of them: [tool.nox-lock.locks.NAME] inputs = ["{file}"] in {FILE}.',
            )
        names[name] = inputs[name] = file
    return dict(sorted(inputs.items(), key=lambda item: (item[0] != "requirements", item[0])))


def no_inputs(project: Project, document: Mapping[str, Any]) -> ConfigError:
    """Return the error for a project without inputs; `document` is its `pyproject.toml`."""
    return ConfigError(
        "no inputs found: no requirements.in, requirements-*.in, *-requirements.in or "
        "requirements/*.in here",
        hint=f"{_find_hint(project, document)}Write the projects you use, one a line, into "
        "requirements.in; or name your files in [tool.nox-lock.locks.NAME] inputs = [...].",
    )


def _find_hint(project: Project, document: Mapping[str, Any]) -> str:
    """Say how to lock what the project has instead of inputs; empty where it has nothing."""
    table, groups = document.get("project"), document.get("dependency-groups")
    if isinstance(table, dict) and "dependencies" in table.get("dynamic", ()):
        return (
            f"The dependencies in {FILE} are only known after a build: to have it built, write "
            f'[tool.nox-lock.locks.requirements] inputs = ["{FILE}"]. '
        )
    if isinstance(groups, dict) and groups:
        group = next((name for name in groups if name.isprintable()), "dev")
        return (
            f"There are dependency groups: a lock of one is [tool.nox-lock.locks.{group}] "
            f'groups = ["{group}"]. '
        )
    for file in sorted((*project.glob("*requirements*.txt"), *project.glob("requirements/*.txt"))):
        if _is_frozen(project, file):
            return (
                f"{file} is the output of `pip freeze`, not an input. Write the projects that you "
                f"use yourself into {file.removesuffix('.txt')}.in, without their dependencies; "
                "then: nox -s lock -- --overwrite. "
            )
    return ""


def _is_frozen(project: Project, file: str) -> bool:
    """Return whether a file has nothing but pins by version, and no header."""
    try:
        lines = project.read(file).decode().split("\n")
    except (OSError, UnicodeDecodeError):
        return False
    pins = [line.rstrip("\r") for line in lines if line.strip()]
    return bool(pins) and all(re.match(r"[\w.-]+(\[[^\]]*\])?===?\S+$", pin) for pin in pins)

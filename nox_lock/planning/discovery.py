"""Which files of a project are inputs by their names; and what to do where there are none."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from nox_lock.errors import ConfigError
from nox_lock.inputs.toml_tables import FILE
from nox_lock.text import quoted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from nox_lock.project import Project

FOUND_IN = ("*.in", "requirements/*.in")
_OWN = (
    "Write the projects you use, one a line, into requirements.in; "
    "or name your files in [tool.nox-lock.locks.NAME] inputs = [...]."
)
_FREEZE = (
    "{file} holds pins, as `pip freeze` tells them, and no input. Write the projects that you use "
    "yourself into {input}, without what they bring along; then: nox -s lock -- --overwrite"
)
_GROUPS = (
    "There are dependency groups: a lock of one is [tool.nox-lock.locks.{group}] "
    'groups = ["{group}"].'
)


class NoInputsError(ConfigError):
    """A project has no input that could be found."""

    def __init__(self, hint: str = "") -> None:
        super().__init__(
            "no inputs found: no requirements.in, requirements-*.in, *-requirements.in or "
            "requirements/*.in here",
            hint=f"{hint} {_OWN}".strip(),
        )


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


def discover(found: Iterable[str], taken: Collection[str]) -> dict[str, str]:
    """Return the inputs among `found` by the names of their locks, but for those `taken`.

    Raises:
        ConfigError: where two would have one name.
    """
    names: dict[str, str] = {}
    for file in found:
        name = name_of_input(file)
        if name is None:
            continue
        if not file.isprintable():
            message = f"{quoted(file)} is no path: it is not UTF-8, or holds what nobody sees"
            raise ConfigError(message, hint="Rename the file.")
        other = names.get(name) or (name in taken and f"[tool.nox-lock.locks.{name}]")
        if other:
            raise ConfigError(
                f"{file} and {other} would both make the lock {name!r}",
                hint=f'Name one of them: [tool.nox-lock.locks.NAME] inputs = ["{file}"] in {FILE}.',
            )
        names[name] = file
    return dict(sorted(names.items(), key=lambda item: (item[0] != "requirements", item[0])))


def what_next(project: Project, document: Mapping[str, Any]) -> str:
    """Say what a project without inputs has instead, and what makes inputs of it; or nothing."""
    table = document.get("project")
    if isinstance(table, dict) and "dependencies" in table.get("dynamic", ()):
        return (
            f"Only a build tells the dependencies in {FILE}: to have it built, write "
            f'[tool.nox-lock.locks.requirements] inputs = ["{FILE}"].'
        )
    groups = document.get("dependency-groups")
    if isinstance(groups, dict) and groups:
        listed = [name for name in groups if name.isprintable()]
        return _GROUPS.format(group=(listed or ["dev"])[0])
    patterns = ("*requirements*.txt", "requirements/*.txt")
    for file in sorted(file for pattern in patterns for file in project.glob(pattern)):
        if _is_frozen(project, file):
            return _FREEZE.format(file=file, input=f"{file.removesuffix('.txt')}.in")
    return ""


def _is_frozen(project: Project, file: str) -> bool:
    """Return whether a file has nothing but pins by version, and no header."""
    try:
        lines = project.read(file).decode().replace("\r\n", "\n").split("\n")
    except (OSError, UnicodeDecodeError):
        return False
    pins = [line for line in lines if line.strip()]
    return bool(pins) and all(re.match(r"[\w.-]+(\[[^\]]*\])?===?\S+$", line) for line in pins)

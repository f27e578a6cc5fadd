"""Real requirement sets, kept as data in a folder: what can be locked there, and copies of it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pip._internal.models.index import PyPI

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Sequence

# Where a set is in a project: not where nox-lock looks for inputs by itself.
PLACE = "sets"
# What the sets have for the address of the default index.
_EXAMPLE = b"https://index.example/simple"
# What is locked together there; all else is locked alone.
_TOGETHER = (
    (
        "bazelbuild__rules_python",
        "tests/multiple_inputs/requirements_1.in",
        "tests/multiple_inputs/requirements_2.in",
    ),
    (
        "bazelbuild__rules_python",
        "tests/multiple_inputs/a/pyproject.toml",
        "tests/multiple_inputs/b/pyproject.toml",
    ),
    (
        "freedomofpress__securedrop",
        "admin/requirements-ansible.in",
        "admin/requirements.in",
    ),
)


@dataclass(frozen=True)
class Input:
    """What a lock is made from: files of one set, with the extras of a project file."""

    set: str
    files: tuple[str, ...]
    extras: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.set}/{' + '.join(self.files)}"

    @property
    def paths(self) -> list[str]:
        """Its files, relative to a project with a copy of the set."""
        return [f"{PLACE}/{self.set}/{file}" for file in self.files]


def default_corpus() -> Path:
    """Return where the requirement sets are, beside a checkout of the repository."""
    return Path(__file__).resolve().parents[3] / "shared" / "corpus"


def find_inputs(corpus: Path) -> list[Input]:
    """List all that can be locked: each requirements input, each project file, some together."""
    found = []
    for folder in sorted(path for path in corpus.iterdir() if path.is_dir()):
        for path in sorted([*folder.rglob("*.in"), *folder.rglob("pyproject.toml")]):
            extras = _extras(path) if path.suffix == ".toml" else ()
            found.append(Input(folder.name, (path.relative_to(folder).as_posix(),), extras))
    for name, *files in _TOGETHER:
        if all((corpus / name / file).is_file() for file in files):
            found.append(Input(name, tuple(files)))
    return found


def _extras(path: Path) -> tuple[str, ...]:
    project: dict[str, Any] = tomllib.loads(path.read_text("utf-8")).get("project", {})
    return tuple(project.get("optional-dependencies", ()))


def copy_sets(corpus: Path, inputs: Sequence[Input], root: Path) -> None:
    """Copy the sets of some inputs into a project, without lock files that a lock would start from.

    Others stay: inputs name them.
    """
    assert len({each.set for each in inputs}) == len(inputs), "two inputs of one set"
    for entry in inputs:
        folder = corpus / entry.set
        own = {Path(file).with_suffix(".txt").as_posix() for file in entry.files}
        for path in folder.rglob("*"):
            relative = path.relative_to(folder).as_posix()
            if path.is_file() and relative not in own:
                copy = root / PLACE / entry.set / relative
                copy.parent.mkdir(parents=True, exist_ok=True)
                index = PyPI.simple_url.rstrip("/").encode()
                copy.write_bytes(path.read_bytes().replace(_EXAMPLE, index))

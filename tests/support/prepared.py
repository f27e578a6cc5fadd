"""A project and its index made once for a module: what a test changes is its own copy."""

from __future__ import annotations

import shutil
from contextlib import closing
from typing import TYPE_CHECKING

from support.index import LocalIndex
from support.project import Project

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from typing_extensions import Self


class Prepared:
    """Fill `index` and `project`, then `freeze`; each `copy` is the frozen state anew.

    The index is one and the same for all copies, put back into its frozen state for each: its
    address is part of what a cache keeps.
    """

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self.index = LocalIndex(folder / "index")
        self.project = Project(folder / "project", folder / "home", self.index, env)
        self._releases: dict[str, bytes] = {}

    def __enter__(self) -> Self:
        self.index.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.project.close()
        self.index.stop()

    def freeze(self) -> None:
        """Remember what the index has now."""
        self._releases = {path.name: path.read_bytes() for path in self._files()}

    def copy(self, folder: Path) -> Project:
        """Return a copy of the project, and of its user's home, in `folder`."""
        self.index.start()
        for path in self._files():
            if path.name not in self._releases:
                path.unlink()
        for name, content in self._releases.items():
            path = self.index.folder / name
            if not path.exists() or path.read_bytes() != content:
                path.write_bytes(content)
        self.index.clear_requests()
        shutil.copytree(self.project.root, folder / "project", dirs_exist_ok=True)
        shutil.copytree(self.project.home, folder / "home", dirs_exist_ok=True)
        return Project(folder / "project", folder / "home", self.index, self.project.env)

    def lend(self, folder: Path) -> Iterator[Project]:
        """Yield a copy, which is closed afterwards: the body of a fixture."""
        with closing(self.copy(folder)) as project:
            yield project

    def _files(self) -> list[Path]:
        return [path for path in self.index.folder.iterdir() if path.is_file()]

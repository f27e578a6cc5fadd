"""Pythons like those of this machine, each in a folder of its own, with another content."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support.project import interpreters

if TYPE_CHECKING:
    from pathlib import Path


def relocate(version: str, folder: Path, *, without: str = " ") -> Path:
    """Return the program of a Python whose site-packages are empty, and not to be written.

    It lacks the extension modules whose names begin with `without`.
    """
    if sys.platform == "win32":
        pytest.skip("a Python of Windows has another layout")
    source = interpreters()[version].resolve()
    program = folder / "bin" / f"python{version}"
    program.parent.mkdir(parents=True)
    shutil.copy(source, program)
    library = folder / "lib" / f"python{version}"
    _link(source.parents[1] / "lib" / f"python{version}", library, ("site-packages", "lib-dynload"))
    extensions = source.parents[1] / "lib" / f"python{version}" / "lib-dynload"
    _link(extensions, library / "lib-dynload", ())
    for each in (library / "lib-dynload").glob(f"{without}*"):
        each.unlink()
    (library / "site-packages").mkdir(mode=0o555)
    command = [str(program), "-c", "import os, sys; print(os.path.realpath(sys.prefix))"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.stdout.strip() != str(folder.resolve()):
        pytest.skip(f"Python {version} cannot be moved: {done.stderr}")
    return program


def _link(source: Path, target: Path, left_out: tuple[str, ...]) -> None:
    target.mkdir(parents=True)
    for each in source.iterdir():
        if each.name not in left_out:
            (target / each.name).symlink_to(each)

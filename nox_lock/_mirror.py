"""Inputs as pip-compile is to read them, where that is not what stands on disk.

A lock file that an input names may be made and not written yet, and pip-compile knows no
dependency groups: then all inputs are laid out in a private folder, with the same paths.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nox_lock._entries import URL, relative
from nox_lock._projects import is_project_file

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nox_lock._inputs import Inputs

# Names of the files that hold what is written out for pip-compile.
_WRITTEN = "written-"


@dataclass(frozen=True, slots=True)
class Mirror:
    """What pip-compile is given to read.

    Attributes:
        arguments: its sources, and the options that they need.
        paths: places in the private folder, by how they are to be shown.
    """

    arguments: tuple[str, ...]
    paths: Mapping[str, Path]

    def show(self, text: str, root: Path) -> str:
        """Return a text of pip-compile's with the inputs named as from the project root."""
        for shown, path in sorted(self.paths.items(), key=lambda each: -len(each[0])):
            for spelled in (str(path), relative(path, root)):
                if path.name.startswith(_WRITTEN):
                    text = text.replace(f"-r {spelled}", shown)
                text = text.replace(spelled, shown)
        return text


def lay_out(inputs: Inputs, texts: Mapping[str, str], root: Path, folder: Path) -> Mirror:
    """Lay out `inputs` in `folder` where they must be read from there; `texts` are by path.

    Raises:
        OSError: when `folder` cannot be written.
    """
    if not inputs.written and not set(texts) & set(inputs.files):
        return Mirror(inputs.native, {})
    # Files above the project root keep their place as well.
    up = max((len(file.split("../")) - 1 for file in inputs.files), default=0)
    tree = folder.joinpath("inputs", *["up"] * up, "project")
    paths: dict[str, Path] = {}
    for file in inputs.files:
        if is_project_file(file):
            continue
        path = Path(os.path.normpath(tree / file))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(
            texts[file].encode() if file in texts else (root / file).read_bytes(),
        )
        paths[file] = path
    for number, (name, lines) in enumerate(inputs.written.items()):
        paths[name] = folder / f"{_WRITTEN}{number}.in"
        paths[name].write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    links = (option.value for option in inputs.options if option.name == "--find-links")
    return Mirror(
        (
            *(f"--find-links={root / link}" for link in links if not URL.match(link)),
            *(str(paths.get(source, source)) for source in inputs.native),
            *(str(paths[name]) for name in inputs.written),
        ),
        paths,
    )

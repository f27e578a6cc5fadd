"""Inputs as pip-compile is to read them, where that is not what is on disk.

A lock file that an input names may be made and not written yet; pip-compile knows no dependency
groups, loses what a ``file:./path`` names, and takes no editable as a constraint: then all inputs
are laid out in a private folder, with the same paths.
"""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nox_lock.inputs import syntax
from nox_lock.inputs.entry import URL
from nox_lock.inputs.local_projects import is_project_file
from nox_lock.project import relative

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nox_lock.errors import Place
    from nox_lock.inputs.requirements import Include, Inputs

# Names of the files that hold what is written out for pip-compile.
_WRITTEN = "written-"
_RELATIVE_URL = re.compile(
    r"(?P<before>@\s*|^\s*(?:(?:-e|--editable)[\s=]*)?)file:(?P<path>[^/\s#;][^\s#;]*)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class InputCopies:
    """What pip-compile is given to read.

    Attributes:
        arguments: its sources, and the options that they need.
        paths: places in the private folder, by how they are to be shown.
        root: the project root.
        folder: that private folder.
    """

    arguments: tuple[str, ...]
    paths: Mapping[str, Path]
    root: Path
    folder: Path

    def show(self, text: str) -> str:
        """Return a text of pip-compile's with all paths as from the project root."""
        for shown, path in sorted(self.paths.items(), key=lambda each: -len(each[0])):
            for spelled in (str(path), relative(path, self.root)):
                if path.name.startswith(_WRITTEN):
                    text = text.replace(f"-r {spelled}", shown)
                text = text.replace(spelled, shown)
        for place in map(str, (self.folder, self.root)):
            text = text.replace(f"{place}/", "").replace(f"{place}\\", "").replace(place, ".")
        return text


def copy_inputs(inputs: Inputs, texts: Mapping[str, str], root: Path, folder: Path) -> InputCopies:
    """Lay out `inputs` in `folder` where they must be read from there; `texts` are by path.

    Raises:
        OSError: when `folder` cannot be written.
    """
    local = any(each.url and not URL.match(each.url) for each in inputs.entries)
    changed = inputs.left_out or inputs.written or set(texts) & set(inputs.files)
    if not local and not changed:
        return InputCopies(tuple(inputs.native), {}, root, folder)
    # Files above the project root keep their place as well.
    up = max((len(file.split("../")) - 1 for file in inputs.files), default=0)
    tree = folder.joinpath("inputs", *["up"] * up, "project")
    files = [file for file in inputs.files if not is_project_file(file)]
    paths = {file: Path(os.path.normpath(tree / file)) for file in files}
    for file, path in paths.items():
        includes = [each for each in inputs.includes if each.place.file == file]
        text = texts.get(file)
        if text is None:
            text = syntax.decode((root / file).read_bytes(), file)
        left_out = [each.place for each in inputs.left_out if each.place.file == file]
        path.parent.mkdir(parents=True, exist_ok=True)
        # The mark comes before an encoding that the text declares.
        path.write_text(_rewrite(text, includes, left_out, paths, root), encoding="utf-8-sig")
    for number, (name, lines) in enumerate(inputs.written.items()):
        paths[name] = folder / f"{_WRITTEN}{number}.in"
        paths[name].write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    links = (option.value for option in inputs.options if option.name == "--find-links")
    return InputCopies(
        (
            *(f"--find-links={root / link}" for link in links if not URL.match(link)),
            *(str(paths.get(source, source)) for source in inputs.native),
            *(str(paths[name]) for name in inputs.written),
        ),
        paths,
        root,
        folder,
    )


def _rewrite(
    text: str,
    includes: Iterable[Include],
    left_out: Iterable[Place],
    paths: Mapping[str, Path],
    root: Path,
) -> str:
    """Return the text of an input for its place in the folder, without the lines left out.

    What it includes is named by its place there: a path with a variable, or through a folder
    that is not laid out, would lead elsewhere.
    """
    lines = text.splitlines()
    for file, place, constraint in includes:
        number = (place.line or 1) - 1
        if file in paths and not lines[number].endswith("\\"):
            flag = "-c" if constraint else "-r"
            lines[number] = f"{flag} {shlex.quote(str(paths[file]))}"
    for _, first in left_out:
        lines[(first or 1) - 1] = ""
    base = root.as_uri()
    return "".join(
        _RELATIVE_URL.sub(lambda found: f"{found['before']}{base}/{found['path']}", line) + "\n"
        for line in lines
    )

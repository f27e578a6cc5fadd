"""Wheels of what is installed beside the tests: real pip-tools and real pip, and no network."""

from __future__ import annotations

import re
import zipfile
from importlib import metadata
from typing import TYPE_CHECKING

from packaging.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_LEFT_OUT = re.compile(
    r"\.\./|.*\.pyc$|.*__pycache__$|[^/]+\.dist-info/(?:RECORD|INSTALLER|REQUESTED)$"
)
# setuptools has those of other projects inside.
_INFO = re.compile(r"[^/]+\.dist-info(?=/)")


def repack(
    folder: Path, name: str, *, version: str = "", changes: Mapping[str, str] | None = None
) -> Path:
    """Write the wheel of an installed project to `folder`.

    `version` is what it calls itself, and `changes` are new texts of its files.
    """
    installed = metadata.distribution(name)
    stem = re.sub(r"[-_.]+", "_", name).lower()
    files: dict[str, bytes] = {}
    for each in installed.files or ():
        path = each.as_posix()
        if _LEFT_OUT.match(path):
            continue
        content = each.read_binary()
        if version:
            path = path.replace(f"-{installed.version}.dist-info/", f"-{version}.dist-info/")
            if path.endswith(".dist-info/METADATA"):
                old, new = f"\nVersion: {installed.version}\n", f"\nVersion: {version}\n"
                content = content.replace(old.encode(), new.encode())
        files[path] = content
    files |= {path: text.encode() for path, text in (changes or {}).items()}
    info = next(found[0] for path in files if (found := _INFO.match(path)))
    record = f"{info}/RECORD"
    lines = "".join(f"{path},,\n" for path in [*files, record])
    made = folder / f"{stem}-{version or installed.version}-py3-none-any.whl"
    with zipfile.ZipFile(made, "w") as archive:
        for path, content in {**files, record: lines.encode()}.items():
            archive.writestr(path, content)
    return made


def repack_with_dependencies(folder: Path, *names: str) -> None:
    """Write the wheels of installed projects and of all that they depend on here."""
    todo, done = list(names), set[str]()
    while todo:
        name = todo.pop()
        if name in done:
            continue
        done.add(name)
        repack(folder, name)
        for text in metadata.requires(name) or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                todo.append(requirement.name)

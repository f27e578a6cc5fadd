"""Source distributions and projects that build themselves, without a package index.

Their backend is a file in them: a build takes a fraction of what setuptools needs.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# What a dynamic project depends on is what `requires` of its backend returns.
_BACKEND = """
import os
import pathlib
import sys
import zipfile

NAME, VERSION = "{name}", "{version}"


def requires():
    return []

{code}

def get_requires_for_build_wheel(config_settings=None):
    return []


def _metadata():
    lines = ["Metadata-Version: 2.1", f"Name: {{NAME}}", f"Version: {{VERSION}}"]
    return "\\n".join([*lines, *(f"Requires-Dist: {{each}}" for each in requires()), ""])


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    folder = pathlib.Path(metadata_directory, f"{{NAME}}-{{VERSION}}.dist-info")
    folder.mkdir()
    (folder / "METADATA").write_text(_metadata(), encoding="utf-8")
    return folder.name


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    name = f"{{NAME}}-{{VERSION}}-py3-none-any.whl"
    info = f"{{NAME}}-{{VERSION}}.dist-info"
    wheel = "Wheel-Version: 1.0\\nGenerator: tests\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
    with zipfile.ZipFile(pathlib.Path(wheel_directory, name), "w") as archive:
        archive.writestr(f"{{NAME}}.py", "")
        archive.writestr(f"{{info}}/METADATA", _metadata())
        archive.writestr(f"{{info}}/WHEEL", wheel)
        archive.writestr(f"{{info}}/RECORD", "")
    return name


get_requires_for_build_editable = get_requires_for_build_wheel
prepare_metadata_for_build_editable = prepare_metadata_for_build_wheel
build_editable = build_wheel
"""
_PROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "{name}"
dynamic = ["version", "dependencies"]
"""


def project_files(name: str, version: str = "1.0", *, code: str = "") -> dict[str, str]:
    """Return the files of a project that builds itself; `code` is put into its backend.

    A function ``requires()`` there returns what it depends on.
    """
    code = textwrap.dedent(code)
    return {
        "pyproject.toml": _PROJECT.format(name=name),
        "backend.py": _BACKEND.format(name=name, version=version, code=code),
    }


def build_sdist(
    folder: Path, name: str, version: str = "1.0", *, code: str = "", metadata: str | None = None
) -> Path:
    """Write the source distribution of such a project.

    `metadata` is its PKG-INFO, but for name and version; by default it promises nothing.
    """
    metadata = metadata or "Metadata-Version: 2.1\n"
    info = f"{metadata.rstrip()}\nName: {name}\nVersion: {version}\n"
    return write_archive(
        folder / f"{name}-{version}.tar.gz",
        {**project_files(name, version, code=code), "PKG-INFO": info},
    )


def write_archive(path: Path, files: Mapping[str, str]) -> Path:
    """Write files to a source distribution: equal files are equal bytes."""
    stem = path.name.removesuffix(".tar.gz")
    buffer = io.BytesIO()
    with (
        gzip.GzipFile("", "wb", compresslevel=0, fileobj=buffer, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as archive,
    ):
        for name, text in files.items():
            entry = tarfile.TarInfo(f"{stem}/{name}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return place(path, buffer.getvalue())


def place(path: Path, content: bytes) -> Path:
    """Write whole or not at all: an index may be serving the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(content)
    return partial.replace(path)

"""Distributions made without a build: tests need many, at once, byte for byte the same."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import zipfile
import zlib
from typing import TYPE_CHECKING, TypedDict

from support.sdists import place, write_archive

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from typing_extensions import Unpack


class WheelOptions(TypedDict, total=False):
    """What a wheel may have beside name and version.

    `modules` maps paths inside it (`app.py`, `app/data.txt`) to their text; without it there is one
    module named after the project, with `__version__`.
    """

    requires: Sequence[str]
    extras: Mapping[str, Sequence[str]]
    modules: Mapping[str, str]
    requires_python: str
    tag: str


def stem(name: str, version: str) -> str:
    """Return what the file names of this release begin with."""
    return f"{_escape(name)}-{version.replace('-', '_')}"


def build_wheel(folder: Path, name: str, version: str, **options: Unpack[WheelOptions]) -> Path:
    """Write a wheel, a pure-Python one without a `tag`; equal arguments give equal bytes."""
    tag = options.get("tag", "py3-none-any")
    files = dict(options.get("modules", _module(name, version)))
    info = f"{stem(name, version)}.dist-info"
    files[f"{info}/METADATA"] = _metadata(name, version, options)
    files[f"{info}/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {tag}\n"
    )
    record = [f"{path},{_record_hash(text)},{len(text.encode())}" for path, text in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""])

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, text in files.items():
            entry = zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # else Windows writes other bytes
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, text.encode())
    return place(folder / f"{stem(name, version)}-{tag}.whl", buffer.getvalue())


def build_sdist(folder: Path, name: str, version: str, *, requires: Sequence[str] = ()) -> Path:
    """Write a source distribution that setuptools must build before its dependencies are known."""
    pyproject = [
        "[build-system]",
        'requires = ["setuptools>=64"]',
        'build-backend = "setuptools.build_meta"',
        "[project]",
        f"name = {json.dumps(name)}",
        f"version = {json.dumps(version)}",
        f"dependencies = {json.dumps(list(requires))}",
        "[tool.setuptools]",
        f"py-modules = [{json.dumps(_escape(name))}]",
        "",
    ]
    files = {
        "pyproject.toml": "\n".join(pyproject),
        # Metadata 2.1 promises nothing about an sdist's dependencies: uv too has to build it.
        "PKG-INFO": _metadata(name, version, {}),
        **_module(name, version),
    }
    return write_archive(folder / f"{stem(name, version)}.tar.gz", files)


def _escape(name: str) -> str:
    return re.sub(r"[-_.]+", "_", name).lower()


def _module(name: str, version: str) -> dict[str, str]:
    # Byte code is found by the second and size of its source: no two versions have one size.
    size = zlib.crc32(version.encode()) % 997
    return {f"{_escape(name)}.py": f"__version__ = {version!r}\n#{'-' * size}\n"}


def _metadata(name: str, version: str, options: WheelOptions) -> str:
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    if "requires_python" in options:
        lines.append(f"Requires-Python: {options['requires_python']}")
    extras = options.get("extras", {})
    lines += [f"Provides-Extra: {extra}" for extra in extras]
    requires = [*options.get("requires", ()), *_conditional(extras)]
    lines += [f"Requires-Dist: {requirement}" for requirement in requires]
    return "\n".join([*lines, ""])


def _conditional(extras: Mapping[str, Sequence[str]]) -> Iterable[str]:
    for extra, requirements in extras.items():
        for text in requirements:
            requirement, _, marker = text.partition(";")
            condition = f'extra == "{extra}"'
            if marker:
                condition = f"({marker.strip()}) and {condition}"
            yield f"{requirement.strip()} ; {condition}"


def _record_hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return "sha256=" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

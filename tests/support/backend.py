"""A build backend that builds at once: tests have many projects to build.

It is published to the local index like anything else, so that a build has to ask that index; or it
is in the project itself, which saves the half second of each build in which pip fetches it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from support.index import LocalIndex

NAME = "tiny-backend"
_SOURCE = """
import ast, pathlib, re, zipfile


def _read(key, default):
    text = pathlib.Path("pyproject.toml").read_text("utf-8")
    found = re.search(rf"(?m)^{key} = (.*)$", text)
    return ast.literal_eval(found[1]) if found else default


def _extras():
    text = pathlib.Path("pyproject.toml").read_text("utf-8")
    return text.partition("[project.optional-dependencies]")[2].partition("\\n[")[0]


def _build(folder, files):
    stem = re.sub(r"[-_.]+", "_", _read("name", None)) + "-" + _read("version", None)
    metadata = ["Metadata-Version: 2.1", "Name: " + _read("name", None)]
    metadata += ["Version: " + _read("version", None)]
    metadata += ["Requires-Dist: " + each for each in _read("dependencies", [])]
    for name, needs in re.findall(r"(?m)^(\\w+) = (.*)$", _extras()):
        metadata += ["Provides-Extra: " + name]
        for each in ast.literal_eval(needs):
            metadata += [f"Requires-Dist: {each} ; extra == '{name}'"]
    info = stem + ".dist-info"
    files = dict(files)
    files[info + "/METADATA"] = "\\n".join([*metadata, ""])
    files[info + "/WHEEL"] = (
        "Wheel-Version: 1.0\\nGenerator: tiny\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
    )
    files[info + "/RECORD"] = "".join(f"{name},,\\n" for name in [*files, info + "/RECORD"])
    name = stem + "-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder, name), "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return name


def build_wheel(folder, config_settings=None, metadata_directory=None):
    modules = pathlib.Path().glob("*.py")
    return _build(folder, {path.name: path.read_text("utf-8") for path in modules})


def build_editable(folder, config_settings=None, metadata_directory=None):
    return _build(folder, {"_editable_" + _read("name", None) + ".pth": str(pathlib.Path.cwd())})
"""


def publish_backend(index: LocalIndex) -> None:
    """Put the backend on an index."""
    index.publish(NAME, "1.0", modules={"tiny_backend.py": _SOURCE})


def project_table(name: str, version: str = "1.0", *, dependencies: str = "[]") -> str:
    """Return the `pyproject.toml` of a project of top-level modules that the backend builds."""
    return (
        "[build-system]\n"
        f'requires = ["{NAME}"]\n'
        'build-backend = "tiny_backend"\n'
        "\n"
        "[project]\n"
        f'name = "{name}"\n'
        f'version = "{version}"\n'
        f"dependencies = {dependencies}\n"
    )


def write_own_backend(folder: Path, source: str = _SOURCE) -> None:
    """Put the backend into the project in `folder`, whose builds ask no index for it then."""
    file = folder / "pyproject.toml"
    text = file.read_text("utf-8")
    asked = f'requires = ["{NAME}"]\n'
    assert asked in text
    own = 'requires = []\nbackend-path = ["backend"]\n'
    file.write_text(text.replace(asked, own), encoding="utf-8")
    (folder / "backend").mkdir()
    (folder / "backend" / "tiny_backend.py").write_text(source, encoding="utf-8")

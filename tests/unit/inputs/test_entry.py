"""What may decide the dependencies of a project that are known only after a build."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from nox_lock.errors import Place, RequirementsError
from nox_lock.inputs.entry import parse_entry
from nox_lock.inputs.requirements import Files, read_inputs
from nox_lock.inputs.syntax import Line
from nox_lock.project import Project

if TYPE_CHECKING:
    from pathlib import Path

FILE = "pyproject.toml"
HEAD = '[project]\nname = "My.Proj"\nversion = "2.0"\n'
EXTRAS = "[project.optional-dependencies]\n"

DYNAMIC = (
    '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
    f"{HEAD}dynamic = ['dependencies']\n[tool.setuptools.dynamic]\n"
    "dependencies = {file = ['needs/deps.in']}\noptional-dependencies.a = {file = 'a.in'}\n"
    "readme = {file = 'README.md'}\n"
)
SETUP_CFG = (
    "[metadata]\nlong_description = file: README.md\n[options]\ninstall_requires =\n"
    "  file: needs/deps.in, more.in\n[options.extras_require]\na = file: a.in\n"
)
SETUP_PY = "setup(install_requires=open('needs/deps.in').readlines())\n"
HATCH = (
    "[build-system]\nrequires = ['hatchling']\nbuild-backend = 'hatchling.build'\n"
    f"{HEAD}dynamic = ['dependencies']\n[tool.hatch.metadata.hooks.requirements_txt]\n"
    "files = ['needs/deps.in']\n"
)
POETRY = (
    "[build-system]\nrequires = ['poetry-core']\nbuild-backend = 'poetry.core.masonry.api'\n"
    "[tool.poetry.dependencies]\napp = '1'\n"
)


@pytest.mark.parametrize(
    ("files", "file", "deciding"),
    [
        ({FILE: DYNAMIC}, FILE, ["needs/deps.in", "a.in", "setup.py", "setup.cfg"]),
        ({FILE: "", "setup.py": SETUP_PY}, FILE, ["needs/deps.in", "setup.py", "setup.cfg"]),
        ({"setup.py": SETUP_PY}, "setup.py", ["needs/deps.in", "setup.py", FILE]),
        ({"setup.py": "", "setup.cfg": SETUP_CFG}, "setup.cfg",
         ["needs/deps.in", "more.in", "a.in", "setup.cfg", "setup.py"]),
        ({FILE: HATCH}, FILE, ["needs/deps.in"]),
        ({FILE: POETRY}, FILE, []),
    ],
    ids=["setuptools", "setup.py beside", "setup.py", "setup.cfg", "hatch", "poetry"],
)  # fmt: skip
def test_dynamic(tmp_path: Path, files: dict[str, str], file: str, deciding: list[str]) -> None:
    """The digest moves with each file that decides, and with no other."""

    def digest() -> str:
        found = read_inputs([file], Files(Project(tmp_path, {})))
        assert found.entries == []
        return found.dynamic.get(file, "")

    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "needs").mkdir()
    seen = {digest()}
    assert "" not in seen
    for name in deciding:
        path = tmp_path / name
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        path.write_text(f"{text}\n# {name}\nx = 1\n", encoding="utf-8")
        assert digest() not in seen, name
        seen.add(digest())
    last = digest()
    for name in ("README.md", "other.in", "app.py"):
        (tmp_path / name).write_text("app\n", encoding="utf-8")
    path = tmp_path / FILE
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    if text:
        path.write_text(f"# new\n{text}\n[tool.nox-lock]\npython = '3.9'\n", encoding="utf-8")
        assert digest() == last
        path.write_text(f"{text}\n[tool.unknown]\nx = 1\n", encoding="utf-8")
        assert digest() != last


def test_what_is_static_needs_no_digest(tmp_path: Path) -> None:
    """A dynamic version or extra decides nothing that is asked for."""

    def dynamic(text: str, *extras: str, group: str = "") -> bool:
        (tmp_path / FILE).write_text(text, encoding="utf-8")
        files, groups = Files(Project(tmp_path, {})), [group] if group else []
        found = read_inputs([] if group else [FILE], files, extras=extras, groups=groups)
        return bool(found.dynamic)

    text = f"{HEAD}dynamic = ['readme', 'optional-dependencies']\ndependencies = ['app']\n"
    assert not dynamic(text)
    assert dynamic(text, "a")
    text = f"{HEAD}dynamic = ['dependencies']\n{EXTRAS}a = ['dep']\n"
    assert dynamic(text, "a")
    with pytest.raises(RequirementsError, match="there is no extra 'b'"):
        dynamic(text, "b")
    assert not dynamic(f"{text}[dependency-groups]\ndev = ['lib']\n", group="dev")


def digest(folder: Path) -> str:
    """Return the digest of the project in a folder, as a line with its path has it."""
    return parse_entry(Line(Place("requirements.in", 1), "."), Project(folder, {})).metadata


@pytest.mark.parametrize("value", ["5", "'dependencies'", "[['x']]", "{}"])
def test_the_digest_of_a_folder_with_a_wrong_project_file(tmp_path: Path, value: str) -> None:
    """pip says what is wrong, if it is; a check must live with it."""
    (tmp_path / FILE).write_text(f"{HEAD}dynamic = {value}\ndependencies = [1979-05-27]\n")
    assert re.fullmatch("[0-9a-f]{32}", digest(tmp_path))
    (tmp_path / FILE).write_text("tool = 1\n[")
    (tmp_path / "setup.cfg").write_text("install_requires = file: x\n[[[\n")
    assert re.fullmatch("[0-9a-f]{32}", digest(tmp_path))


def test_line_ends_of_what_builds_a_project_do_not_count(tmp_path: Path) -> None:
    """A checkout on Windows may have others; a byte more than these is another project."""
    found = []
    for number, (end, needs) in enumerate([("\n", "app"), ("\r\n", "app"), ("\n", "lib")]):
        folder = tmp_path / str(number)
        folder.mkdir()
        setup = f"from setuptools import setup{end}setup(install_requires=open('needs.txt'){end})"
        (folder / "setup.py").write_bytes(setup.encode())
        (folder / "needs.txt").write_bytes(f"{needs}{end}".encode())
        found.append(digest(folder))
    assert found[0] == found[1] != found[2]

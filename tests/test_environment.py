"""Environments read by their files alone: conda's, half-made ones, the project itself."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from nox_lock._environment import (
    Environment,
    direct_urls,
    discard_halves,
    find_environment,
    find_project,
    has_other_python,
    list_installed,
    read_note,
    write_note,
)
from nox_lock._errors import ToolchainError
from nox_lock._target import Target

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the layout is that of POSIX")


@pytest.fixture
def venv(tmp_path: Path) -> Environment:
    location = tmp_path / "env"
    site = location / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    (location / "pyvenv.cfg").write_text("version = 3.11.4\n", encoding="utf-8")
    return Environment(location, site, Target("3.11"))


def install(venv: Environment, name: str, version: str, **files: str) -> Path:
    """Write the metadata of a distribution."""
    folder = venv.site / f"{name}-{version}.dist-info"
    folder.mkdir()
    for file, text in {"METADATA": f"Name: {name}\n", "RECORD": "", **files}.items():
        (folder / file.replace("__", ".")).write_text(text, encoding="utf-8")
    return folder


def test_what_conda_brought_is_its_own(venv: Environment) -> None:
    """A conda environment has no pyvenv.cfg, and distributions that pip did not install."""
    (venv.location / "pyvenv.cfg").unlink()
    (venv.location / "conda-meta").mkdir()
    (venv.location / "conda-meta" / "python-3.11.4-h1.json").write_text("{}", encoding="utf-8")
    install(venv, "numpy", "2.0", INSTALLER="conda\n")
    install(venv, "Flask", "3.0", INSTALLER="pip\n")
    install(venv, "nobody_knows", "1.0")
    found = find_environment(venv.location, "remake")
    assert found == venv
    installed = list_installed(found)
    assert {name: each.version for name, each in installed.items()} == {
        "flask": "3.0",
        "nobody-knows": "1.0",
    }


@pytest.mark.parametrize("gone", ["METADATA", "RECORD"])
def test_halves_are_not_there_and_go(venv: Environment, gone: str) -> None:
    (install(venv, "half", "1.0") / gone).unlink()
    whole = install(venv, "whole", "1.0")
    assert list(list_installed(venv)) == ["whole"]
    discard_halves(venv)
    assert list(venv.site.iterdir()) == [whole]


def test_the_project_itself(venv: Environment, tmp_path: Path) -> None:
    told = {"url": tmp_path.as_uri(), "dir_info": {"editable": True}}
    install(venv, "mine", "1.0", direct_url__json=json.dumps(told))
    install(venv, "other", "1.0", direct_url__json='{"url": "https://example.invalid/x.whl"}')
    install(venv, "broken", "1.0", direct_url__json="{")
    direct = direct_urls(list_installed(venv))
    assert find_project(direct, tmp_path) == {"mine": True}
    assert direct["other"] == ("https://example.invalid/x.whl", False)
    assert "broken" not in direct


def test_a_folder_that_is_no_environment(tmp_path: Path) -> None:
    with pytest.raises(ToolchainError, match="cannot tell which Python") as caught:
        find_environment(tmp_path, "nox --reuse-venv=never -s tests")
    assert caught.value.hint == "Run: nox --reuse-venv=never -s tests"


@pytest.mark.parametrize(
    ("beneath", "other"),
    [("python3.11", False), ("python3.12", True), ("python3.11t", False), ("anything", False)],
)
def test_the_python_beneath(
    venv: Environment,
    tmp_path: Path,
    beneath: str,
    other: bool,  # noqa: FBT001
) -> None:
    (tmp_path / beneath).touch()
    (venv.location / "bin").mkdir()
    (venv.location / "bin" / "python").symlink_to(tmp_path / beneath)
    assert has_other_python(venv) is other


def test_notes(venv: Environment) -> None:
    assert read_note(venv, "left") == ""
    write_note(venv, "left", "tool")
    assert read_note(venv, "left") == "tool"
    before = (venv.notes / "left").stat().st_mtime_ns
    write_note(venv, "left", "tool")
    assert (venv.notes / "left").stat().st_mtime_ns == before

"""Environments read by their files alone: conda's, half-made ones, the project itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nox_lock.console import Console
from nox_lock.environments.comparison import LockedEnvironment
from nox_lock.environments.environment import (
    Distribution,
    Environment,
    find_environment,
    project_digest,
    read_distribution,
)
from nox_lock.environments.snapshot import libraries
from nox_lock.errors import ToolchainError
from nox_lock.project import Project
from nox_lock.target import Target, running_target
from support.project import clean_environment


@pytest.fixture
def venv(tmp_path: Path) -> Environment:
    location = tmp_path / "env"
    site = location / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    (location / "pyvenv.cfg").write_text("version = 3.11.4\n", encoding="utf-8")
    return Environment(location, site, Target("3.11"), "remake")


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
    (install(venv, "scipy", "1.0", INSTALLER="conda\n") / "RECORD").unlink()
    install(venv, "Flask", "3.0", INSTALLER="pip\n")
    install(venv, "nobody_knows", "1.0")
    found = find_environment(venv.location, "remake")
    assert found == venv
    installed = found.distributions().installed
    assert {name: each.version for name, each in installed.items()} == {
        "flask": "3.0",
        "nobody-knows": "1.0",
    }
    assert found.distributions().damaged == {}


def test_halves_are_not_there_and_go(venv: Environment) -> None:
    (install(venv, "half", "1.0") / "RECORD").unlink()
    whole = install(venv, "whole", "1.0")
    assert list(venv.distributions().installed) == ["whole"]
    [half] = venv.distributions().damaged.values()
    venv.delete(half)
    assert list(venv.site.iterdir()) == [whole]


def test_what_has_no_metadata_or_two_is_damaged(venv: Environment) -> None:
    lost = install(venv, "lost", "1.0")
    (lost / "METADATA").unlink()
    twice = [install(venv, name, "1.0") for name in ("Two_Times", "two.times")]
    more = install(venv, "more", "1.0")
    other = install(venv, "more", "2.0")
    (other / "RECORD").unlink()
    found = venv.distributions()
    assert found.installed == {}
    copies = {name: {each.metadata for each in found.damaged[name]} for name in found.damaged}
    assert copies == {"lost": {lost}, "two-times": {*twice}, "more": {more, other}}


def test_files_of_the_environment_alone_are_deleted(venv: Environment, tmp_path: Path) -> None:
    """And a folder without any other file goes, too: it would be a namespace package."""
    outside = tmp_path / "outside.py"
    script = venv.location / "bin" / "script"
    other = venv.site / "other" / "other.py"
    files = ["p/q/a.py", "p/__init__.py", "other/mine.py", "../../../bin/script", "p/gone.py"]
    for path in (outside, script, other, *(venv.site / file for file in files[:3])):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (venv.site / "p" / "q" / "__pycache__").mkdir()
    (venv.site / "p" / "q" / "__pycache__" / "a.cpython-311.pyc").touch()
    record = "".join(f"{file},,\n" for file in [*files, "../../../../outside.py", outside])
    gone = install(venv, "gone", "1.0", RECORD=record)
    venv.delete([Distribution("1.0", gone)])
    assert outside.exists()
    assert not script.exists()
    assert script.parent.exists()
    assert [*venv.site.iterdir()] == [other.parent]
    assert [*other.parent.iterdir()] == [other]


def test_what_pip_set_aside_goes(venv: Environment) -> None:
    """pip renames what it replaces, and is ended before it takes that away."""
    install(venv, "~hole", "1.0")
    (venv.site / "~hole").mkdir()
    whole = install(venv, "whole", "1.1")
    (venv.site / "whole.py").touch()
    # Those that this names are by now of what came after it.
    (venv.site / "~hole-1.0.dist-info" / "RECORD").write_text("whole.py,,\n")
    found = venv.distributions()
    assert list(found.installed) == ["whole"]
    venv.delete(found.damaged["~hole"])
    assert {*venv.site.iterdir()} == {whole, venv.site / "whole.py"}


def test_the_project_itself(venv: Environment, tmp_path: Path) -> None:
    record = {"url": tmp_path.as_uri(), "dir_info": {"editable": True}}
    install(venv, "mine", "1.0", direct_url__json=json.dumps(record))
    install(venv, "other", "1.0", direct_url__json='{"url": "https://example.invalid/x.whl"}')
    install(venv, "broken", "1.0", direct_url__json="{")
    installed = venv.distributions().installed
    locked = LockedEnvironment([], venv, Project(tmp_path, {}), Console(print, print))
    assert locked.compare().remove == ["broken", "other"]
    assert (installed["mine"].url, installed["mine"].editable) == (tmp_path.as_uri(), True)
    assert installed["other"].url == "https://example.invalid/x.whl"
    assert installed["broken"].url == ""


def test_an_editable_project_is_built_again_where_its_build_changed(
    venv: Environment, tmp_path: Path
) -> None:
    record = {"url": tmp_path.as_uri(), "dir_info": {"editable": True}}
    install(venv, "mine", "1.0", direct_url__json=json.dumps(record))
    for content in (b"", b"# \xe9, as Latin-1 has it"):
        (tmp_path / "setup.py").write_bytes(content)
        project = Project(tmp_path, {})
        installed = venv.distributions().installed
        assert not venv.has_project(installed, project)
        venv.write_note("project", project_digest(project))
        assert venv.has_project(installed, project)


def test_a_folder_that_is_no_environment(tmp_path: Path) -> None:
    with pytest.raises(ToolchainError, match="cannot tell which Python") as caught:
        find_environment(tmp_path, "nox --reuse-venv=never -s tests")
    assert caught.value.hint == "Run: nox --reuse-venv=never -s tests"


@pytest.mark.skipif(sys.platform == "win32", reason="links to a Python are those of POSIX")
@pytest.mark.parametrize(
    ("running", "other"),
    [("python3.11", False), ("python3.12", True), ("python3.11t", False), ("anything", False)],
)
def test_the_python_it_runs(
    venv: Environment,
    tmp_path: Path,
    running: str,
    other: bool,  # noqa: FBT001
) -> None:
    (tmp_path / running).touch()
    (venv.location / "bin").mkdir()
    (venv.location / "bin" / "python").symlink_to(tmp_path / running)
    assert venv.is_replaced() is other


@pytest.mark.parametrize(
    ("dlls", "other"),
    [
        (("python3.dll", "python311.dll"), False),
        (("python3.dll", "python312.dll"), True),
        (("PYTHON3.DLL", "python312t.dll"), True),
        (("python311.dll", "python312.dll"), False),  # which of them runs, nothing shows
        ((), False),
    ],
)
def test_the_python_it_runs_on_windows(
    tmp_path: Path,
    dlls: tuple[str, ...],
    other: bool,  # noqa: FBT001
) -> None:
    """There is no link, but the folder in pyvenv.cfg, such as a junction named `current`."""
    home, location = tmp_path / "A Python", tmp_path / "env"
    home.mkdir()
    for name in dlls:
        (home / name).touch()
    site = location / "Lib" / "site-packages"
    site.mkdir(parents=True)
    (location / "Scripts").mkdir()
    config = f"home = {home}\r\nversion = 3.11.4\r\n"
    (location / "pyvenv.cfg").write_bytes(config.encode())
    found = find_environment(location, "remake")
    assert found == Environment(location, site, Target("3.11"), "remake")
    assert found.is_replaced() is other


@pytest.mark.parametrize("site", ["Lib/site-packages", "lib/python3.11/site-packages"])
def test_a_conda_environment_of_either_system(tmp_path: Path, site: str) -> None:
    """On Windows the standard library is beside site-packages; elsewhere there is `python3.1`."""
    location = tmp_path / "env"
    (location / site).mkdir(parents=True)
    (location / "conda-meta").mkdir()
    (location / "conda-meta" / "python-3.11.4-h1.json").write_text("{}", encoding="utf-8")
    if site.startswith("Lib"):
        (location / "Lib" / "pydoc.py").touch()
    elif sys.platform != "win32":
        (location / "lib" / "python3.1").symlink_to("python3.11")
    found = find_environment(location, "remake")
    assert found.target == Target("3.11")
    install(found, "numpy", "2.0", INSTALLER="conda\n")
    install(found, "flask", "3.0", INSTALLER="pip\n")
    assert list(found.distributions().installed) == ["flask"]
    assert found.site.resolve() == location / site


def test_long_paths(tmp_path: Path) -> None:
    """Our own names add no more to a path than those of the distributions do."""
    site = Path("Lib", "site-packages")
    longest = len(str(site / "a_project_of_some_name-1.0.0.dist-info" / "METADATA"))
    venv = Environment(tmp_path, tmp_path / site, Target("3.11"), "remake")
    venv.write_note("unfinished", "x")
    [note] = venv.notes.iterdir()
    assert len(str(note.relative_to(tmp_path))) < longest


def test_notes(venv: Environment) -> None:
    assert venv.read_note("left") == ""
    venv.write_note("left", "tool")
    assert venv.read_note("left") == "tool"
    before = (venv.notes / "left").stat().st_mtime_ns
    venv.write_note("left", "tool")
    assert (venv.notes / "left").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "1", "{}", "[" * 100_000, '{"url": 1}', '{"url": "https://["}', "\xff"),
        *('{"url": "a", "vcs_info": [1]}', '{"url": "a", "dir_info": 1}', '{"url": ["a"]}'),
        '{"url": "a", "vcs_info": {"commit_id": {}}}',
    ],
)
def test_a_broken_origin_is_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "direct_url.json").write_text(text, encoding="latin-1")
    assert read_distribution("1.0", tmp_path) == Distribution("1.0", tmp_path)


# Which Python
CONFIGS = {
    "virtualenv": (
        "home = X/bin\nimplementation = CPython\nversion_info = 3.11.7.final.0\n"
        "version = 3.11.7\nvirtualenv = 21.7.0\ninclude-system-site-packages = false\n"
    ),
    "virtualenv, before 21": (
        "home = X/bin\nimplementation = CPython\nversion_info = 3.11.7.final.0\n"
        "virtualenv = 20.24\n"
    ),
    "uv": (
        "home = X/bin\nimplementation = CPython\nuv = 0.13.9\nversion_info = 3.11.7\n"
        "include-system-site-packages = false\nprompt = p\n"
    ),
    "venv": (
        "home = X/bin\ninclude-system-site-packages = false\nversion = 3.11.7\n"
        "executable = X/bin/python3.11\ncommand = X/bin/python -m venv Y\n"
    ),
    "with CRLF": "home = X\r\nversion = 3.11.7\r\n",
}


def write_environment(root: Path, config: str, library: str = "python3.11") -> Path:
    location = root / "venv"
    packages = location / ("Lib" if os.name == "nt" else f"lib/{library}") / "site-packages"
    packages.mkdir(parents=True)
    (location / "pyvenv.cfg").write_bytes(config.encode())
    return location


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_the_python_of_an_environment(tmp_path: Path, config: str) -> None:
    location = write_environment(tmp_path, config)
    assert find_environment(location, "remake").target == Target("3.11")
    [library] = libraries(location)
    assert (library / "site-packages").is_dir()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no versions in the names of its folders")
@pytest.mark.parametrize(
    ("library", "target"),
    [("pypy3.11", Target("3.11", "pypy")), ("python3.11t", Target("3.11", threaded=True))],
)
def test_the_build_of_an_environment(tmp_path: Path, library: str, target: Target) -> None:
    location = write_environment(tmp_path, CONFIGS["venv"], library)
    assert find_environment(location, "remake").target == target


@pytest.mark.parametrize(
    ("programs", "target"),
    [
        (("python.exe", "pythonw.exe", "pip3.11.exe"), Target("3.11")),
        (("python.exe", "python3.11t.exe"), Target("3.11", threaded=True)),
        (("python.exe", "pypy.exe", "pypy3.exe"), Target("3.11", "pypy")),
        (("python.exe", "pytest.exe", "pypyr.exe"), Target("3.11")),
    ],
)
def test_the_build_of_an_environment_of_windows(
    tmp_path: Path, programs: tuple[str, ...], target: Target
) -> None:
    location = tmp_path / "venv"
    (location / "Lib" / "site-packages").mkdir(parents=True)
    (location / "Scripts").mkdir()
    (location / "pyvenv.cfg").write_text(CONFIGS["venv"], encoding="utf-8")
    for name in programs:
        (location / "Scripts" / name).touch()
    assert find_environment(location, "remake").target == target


def test_the_python_of_a_conda_environment(tmp_path: Path) -> None:
    location = write_environment(tmp_path, "")
    (location / "pyvenv.cfg").unlink()
    with pytest.raises(ToolchainError):
        find_environment(location, "remake")
    records = location / "conda-meta"
    records.mkdir()
    (records / "python-dateutil-2.9.0-x.json").write_text("", encoding="utf-8")
    (records / "python_abi-3.12-x.json").write_text("", encoding="utf-8")
    (records / "python-3.11.7-h955ad1f_0.json").write_text("", encoding="utf-8")
    assert find_environment(location, "remake").target == Target("3.11")


@pytest.mark.parametrize("config", ["", "home = X\n", "uv = 3.11\n", "version = soon\n"])
def test_an_environment_that_does_not_show_its_python(tmp_path: Path, config: str) -> None:
    for location in (write_environment(tmp_path, config), tmp_path / "nowhere"):
        with pytest.raises(ToolchainError):
            find_environment(location, "remake")
    assert libraries(tmp_path / "nowhere") == []


@pytest.mark.parametrize(
    "command",
    [
        ("-m", "virtualenv", "-q", "--no-seed"),
        ("-m", "venv", "--without-pip"),
        ("-m", "uv", "venv", "-q", "--no-config", "--python", sys.executable),
    ],
    ids=["virtualenv", "venv", "uv"],
)
def test_real_environments(tmp_path: Path, home: Path, command: tuple[str, ...]) -> None:
    location = tmp_path / "venv"
    subprocess.run(
        [sys.executable, *command, str(location)], check=True, env=clean_environment(home)
    )
    assert find_environment(location, "remake").target == running_target()
    [library] = libraries(location)
    assert (library / "site-packages").is_dir()

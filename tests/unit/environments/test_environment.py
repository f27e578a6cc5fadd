"""Environments read by their files alone: conda's, half-made ones, the project itself."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from nox_lock.environments.environment import (
    Environment,
    discard,
    find_environment,
    find_project,
    has_other_python,
    list_installed,
    list_origins,
    project_is_installed,
    read_note,
    record_project,
    take_stock,
    write_note,
)
from nox_lock.environments.origin import Origin, is_from, read_origin
from nox_lock.errors import ToolchainError
from nox_lock.lockfile.pins import Pin
from nox_lock.target import Target


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
    (install(venv, "scipy", "1.0", INSTALLER="conda\n") / "RECORD").unlink()
    install(venv, "Flask", "3.0", INSTALLER="pip\n")
    install(venv, "nobody_knows", "1.0")
    found = find_environment(venv.location, "remake")
    assert found == venv
    installed = list_installed(found)
    assert {name: each.version for name, each in installed.items()} == {
        "flask": "3.0",
        "nobody-knows": "1.0",
    }
    assert take_stock(found).halves == []


@pytest.mark.parametrize("gone", ["METADATA", "RECORD"])
def test_halves_are_not_there_and_go(venv: Environment, gone: str) -> None:
    (install(venv, "half", "1.0") / gone).unlink()
    whole = install(venv, "whole", "1.0")
    assert list(list_installed(venv)) == ["whole"]
    discard(take_stock(venv).halves)
    assert list(venv.site.iterdir()) == [whole]


def test_what_pip_set_aside_goes(venv: Environment) -> None:
    """pip renames what it replaces, and is ended before it takes that away."""
    install(venv, "~hole", "1.0")
    (venv.site / "~hole").mkdir()
    whole = install(venv, "whole", "1.1")
    stock = take_stock(venv)
    assert list(stock.whole) == ["whole"]
    discard(stock.halves)
    assert list(venv.site.iterdir()) == [whole]


def test_the_project_itself(venv: Environment, tmp_path: Path) -> None:
    told = {"url": tmp_path.as_uri(), "dir_info": {"editable": True}}
    install(venv, "mine", "1.0", direct_url__json=json.dumps(told))
    install(venv, "other", "1.0", direct_url__json='{"url": "https://example.invalid/x.whl"}')
    install(venv, "broken", "1.0", direct_url__json="{")
    origins = list_origins(list_installed(venv))
    assert find_project(origins, tmp_path) == {"mine": True}
    assert origins["other"] == Origin("https://example.invalid/x.whl")
    assert "broken" not in origins


def test_an_editable_project_is_built_again_where_its_build_changed(
    venv: Environment, tmp_path: Path
) -> None:
    told = {"url": tmp_path.as_uri(), "dir_info": {"editable": True}}
    install(venv, "mine", "1.0", direct_url__json=json.dumps(told))
    for content in (b"", b"# \xe9, as Latin-1 has it"):
        (tmp_path / "setup.py").write_bytes(content)
        assert not project_is_installed(venv, list_installed(venv), tmp_path)
        record_project(venv, tmp_path)
        assert project_is_installed(venv, list_installed(venv), tmp_path)


def test_a_folder_that_is_no_environment(tmp_path: Path) -> None:
    with pytest.raises(ToolchainError, match="cannot tell which Python") as caught:
        find_environment(tmp_path, "nox --reuse-venv=never -s tests")
    assert caught.value.hint == "Run: nox --reuse-venv=never -s tests"


@pytest.mark.skipif(sys.platform == "win32", reason="links to a Python are those of POSIX")
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


@pytest.mark.parametrize(
    ("dlls", "other"),
    [
        (("python3.dll", "python311.dll"), False),
        (("python3.dll", "python312.dll"), True),
        (("PYTHON3.DLL", "python312t.dll"), True),
        (("python311.dll", "python312.dll"), False),  # which of them runs, nothing tells
        ((), False),
    ],
)
def test_the_python_beneath_on_windows(
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
    assert found == Environment(location, site, Target("3.11"))
    assert has_other_python(found) is other


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
    assert list(list_installed(found)) == ["flask"]
    assert found.site.resolve() == location / site


def test_long_paths(tmp_path: Path) -> None:
    """Our own names add no more to a path than those of the distributions do."""
    site = Path("Lib", "site-packages")
    longest = len(str(site / "a_project_of_some_name-1.0.0.dist-info" / "METADATA"))
    venv = Environment(tmp_path, tmp_path / site, Target("3.11"))
    write_note(venv, "unfinished", "x")
    [note] = venv.notes.iterdir()
    assert len(str(note.relative_to(tmp_path))) < longest


def test_notes(venv: Environment) -> None:
    assert read_note(venv, "left") == ""
    write_note(venv, "left", "tool")
    assert read_note(venv, "left") == "tool"
    before = (venv.notes / "left").stat().st_mtime_ns
    write_note(venv, "left", "tool")
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
    assert read_origin(tmp_path) is None


COMMIT, OTHER = "1" * 40, "2" * 40
CLONE = {"vcs": "git", "requested_revision": COMMIT, "commit_id": COMMIT}
BRANCH = CLONE | {"requested_revision": "main"}
NO_BRANCH = {"vcs": "git", "commit_id": COMMIT}
ORIGINS: list[tuple[str, dict[str, object], bool]] = [
    (f"git+https://h.invalid/a.git@{COMMIT}", {"vcs_info": CLONE}, True),
    (f"git+https://h.invalid/a.git@{OTHER}", {"vcs_info": CLONE}, False),
    (f"git+https://h.invalid/a.git@{COMMIT}#egg=a", {"vcs_info": BRANCH}, True),
    ("git+https://h.invalid/a.git@main", {"vcs_info": BRANCH}, True),
    ("git+https://h.invalid/a.git", {"vcs_info": NO_BRANCH}, True),
    ("git+https://h.invalid/a.git", {"vcs_info": BRANCH}, False),
    (f"git+https://u:${{TOKEN}}@h.invalid/a.git@{COMMIT}", {"vcs_info": CLONE}, True),
    (f"git+https://h.invalid/b.git@{COMMIT}", {"vcs_info": CLONE}, False),
    (f"git+https://h.invalid/a.git@{COMMIT}#subdirectory=x", {"vcs_info": CLONE}, False),
    (
        f"git+https://h.invalid/a.git@{COMMIT}#egg=a&subdirectory=x",
        {"vcs_info": CLONE, "subdirectory": "x"},
        True,
    ),
    ("https://h.invalid/a.git", {}, True),
    ("https://h.invalid/a.git#sha256=0", {}, True),
    ("git+https://h.invalid/a.git", {}, False),
]


@pytest.mark.parametrize(("url", "told", "same"), ORIGINS)
def test_what_came_from_a_url(
    venv: Environment,
    tmp_path: Path,
    url: str,
    told: dict[str, object],
    same: bool,  # noqa: FBT001
) -> None:
    record = json.dumps({"url": "https://h.invalid/a.git", **told})
    install(venv, "a", "1.0", direct_url__json=record)
    [origin] = list_origins(list_installed(venv)).values()
    assert is_from(Pin("a", None, url, 1), origin, tmp_path) is same


@pytest.mark.parametrize(
    ("url", "same"),
    [
        (".", True),
        ("file:.", True),
        ("./sub dir/..", True),
        ("{root}", True),
        ("git+{root}@1", False),
        ("../other", False),
    ],
)
def test_what_came_from_a_folder(
    tmp_path: Path,
    url: str,
    same: bool,  # noqa: FBT001
) -> None:
    pin = Pin("a", None, url.format(root=tmp_path.as_uri()), 1, editable=True)
    assert is_from(pin, Origin(tmp_path.as_uri(), editable=True), tmp_path) is same
    assert not is_from(pin, Origin(tmp_path.as_uri()), tmp_path)
    # As pip-compile writes it.
    mangled = Pin("a", None, f"git+file:{tmp_path.as_posix()}@v1", 1)
    assert is_from(mangled, Origin(tmp_path.as_uri(), revisions=frozenset({"v1"})), tmp_path)


def test_an_editable_clone(tmp_path: Path) -> None:
    """pip does not record its commit, which stands in the clone."""
    (tmp_path / "src" / "a" / ".git").mkdir(parents=True)
    (tmp_path / "src" / "a" / ".git" / "HEAD").write_text(f"{COMMIT}\n", encoding="utf-8")
    origin = Origin((tmp_path / "src" / "a").as_uri(), editable=True)
    for revision, same in ((f"@{COMMIT}", True), (f"@{OTHER}", False), ("@main", True), ("", True)):
        pin = Pin("a", None, f"git+https://h.invalid/a{revision}#egg=a", 1, editable=True)
        assert is_from(pin, origin, tmp_path) is same

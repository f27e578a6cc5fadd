"""The one reader of a project: what it reads once, records and compares."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nox_lock.project import Project, local_path, relative


@pytest.fixture
def project(tmp_path: Path) -> Project:
    root = tmp_path / "project"
    (root / "folder").mkdir(parents=True)
    (root / "a.in").write_text("app\n", encoding="utf-8")
    (root / "folder" / "b.in").write_text("lib\n", encoding="utf-8")
    return Project(root, {"HOST": "here"})


def again(project: Project, **environ: str) -> Project:
    return Project(project.root, environ or project.environ)


def test_a_file_is_read_once(project: Project) -> None:
    assert project.read("a.in") == project.read("./a.in") == b"app\n"
    (project.root / "a.in").write_text("other\n", encoding="utf-8")
    assert project.read("a.in") == b"app\n"
    project.forget("./a.in")
    assert project.read("a.in") == b"other\n"


def test_a_file_that_is_missing_stays_so(project: Project) -> None:
    for _ in range(2):
        with pytest.raises(FileNotFoundError) as raised:
            project.read("c.in")
        assert raised.value.filename == str(project.root / "c.in")
    (project.root / "c.in").touch()
    with pytest.raises(FileNotFoundError):
        project.read("c.in")
    assert not again(project).matches(project.facts)


def test_a_folder_is_no_file(project: Project) -> None:
    with pytest.raises(IsADirectoryError):
        project.read("folder")
    assert project.exists("folder")
    assert not project.is_file("folder")


def test_what_was_read_is_compared_with_what_is_there(project: Project) -> None:
    assert project.glob("*.in") == ["a.in"]
    assert project.glob("folder/*.in") == ["folder/b.in"]
    assert project.glob("nowhere/*") == []
    assert project.variable("HOST") == "here"
    assert project.variable("PORT") is None
    facts = project.facts
    assert again(project).matches(facts)
    assert not again(project, HOST="there").matches(facts)
    assert not again(project, HOST="here", PORT="1").matches(facts)
    (project.root / "folder" / "c.in").touch()
    assert not again(project).matches(facts)


@pytest.mark.parametrize(
    ("file", "inside"),
    [
        ("a.in", True),
        ("folder/../a.in", True),
        ("missing/x.txt", True),
        (".github/x.txt", True),
        ("../x.txt", False),
        (".git/config", False),
        ("folder/.GIT/config", False),
    ],
)
def test_what_is_within_the_project(project: Project, file: str, *, inside: bool) -> None:
    assert project.is_within(file) is inside


@pytest.mark.skipif(os.name == "nt", reason="of POSIX")
@pytest.mark.parametrize(("to", "inside"), [("folder", True), (".git", False), ("..", False)])
def test_links_are_resolved(project: Project, to: str, *, inside: bool) -> None:
    (project.root / ".git").mkdir()
    (project.root / "link").symlink_to(project.root / to)
    assert project.is_within("link/x.txt") is inside
    assert project.real("link/x.txt") == Path(os.path.normpath(f"{to}/x.txt")).as_posix()


def test_relative(tmp_path: Path) -> None:
    assert relative(tmp_path / "a" / "b.txt", tmp_path) == "a/b.txt"
    assert relative(tmp_path / "b.txt", tmp_path / "a") == "../b.txt"


@pytest.mark.parametrize(
    ("system", "path", "found"),
    [
        ("nt", "/C:/there/a", "C:/there/a"),
        ("nt", "/there/a", "/there/a"),
        ("nt", "C:/there", "C:/there"),
        ("posix", "/C:/there/a", "/C:/there/a"),
    ],
)
def test_the_path_of_a_file_url(
    monkeypatch: pytest.MonkeyPatch, system: str, path: str, found: str
) -> None:
    monkeypatch.setattr(os, "name", system)
    shown = local_path(path)
    monkeypatch.undo()
    assert shown == found

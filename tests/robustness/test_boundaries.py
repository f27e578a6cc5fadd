"""Nothing is written outside the project, and nothing is shared with other users."""

from __future__ import annotations

import os
import stat
import sys
from typing import TYPE_CHECKING

import pytest

from nox_lock.compiling.cache import open_cache
from nox_lock.console import Console
from nox_lock.errors import ConfigError, LockFileError
from nox_lock.files import write_all
from nox_lock.lockfile import lock_file
from nox_lock.locking.changes import COMPILED, Outcome
from nox_lock.locking.compiler import Compiler
from nox_lock.locking.options import CompileOptions
from nox_lock.locking.stacks import _write
from nox_lock.project import Project
from support.inside import nox_inside
from support.mistakes import BODY, HEADER, IN, PLAIN, TOML, TXT
from support.plans import plan_folder
from support.project import clean_environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nox_lock.planning.lock_plan import LockPlan

posix = pytest.mark.skipif(os.name == "nt", reason="modes and owners of POSIX")
ROOT_USER = hasattr(os, "geteuid") and os.geteuid() == 0
NOBODY = 65534


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "project"
    made.mkdir()
    (made / "noxfile.py").write_text(PLAIN, encoding="utf-8")
    (made / IN).write_text("app\n", encoding="utf-8")
    return made


def planned(root: Path, configuration: str) -> list[LockPlan]:
    (root / TOML).write_text(configuration, encoding="utf-8")
    return plan_folder(root)


def table(pattern: str, name: str = "app") -> str:
    return f"[tool.nox-lock.locks.{name}]\ninputs = ['{IN}']\nlockfile = '{pattern}'\n"


# Names


@pytest.mark.parametrize(
    "pattern",
    [
        *("../x.txt", "/x.txt", "a/../../x.txt", "..", "C:x.txt", r"\\server\x.txt", r"a\..\..\x"),
        *("CON", "nul.txt", "a/AUX.txt", "com1", "LPT9.lock.txt", "con .txt", "CONIN$"),
        *("x.", "x ", "a /x.txt", "a./x.txt", "x?.txt", "x|y.txt", "a<b.txt", "*.txt"),
    ],
)  # fmt: skip
def test_a_path_that_is_none_somewhere_is_refused(pattern: str, root: Path) -> None:
    with pytest.raises(ConfigError, match=r"(?s)tool\.nox-lock\.locks\.app\.lockfile.*\n\w+"):
        planned(root, table(pattern))


@pytest.mark.parametrize("name", ["con", "Aux", "nul.x", "lpt1"])
def test_a_lock_with_the_name_of_a_device_is_refused(name: str, root: Path) -> None:
    text = f"[tool.nox-lock]\nlockfile = 'locks/{{name}}.txt'\n[tool.nox-lock.locks.'{name}']\n"
    with pytest.raises(ConfigError, match="not every system"):
        planned(root, f"{text}inputs = ['{IN}']\n")


@pytest.mark.parametrize("file", ["...in", "requirements-...in"])
def test_the_name_of_an_input_leads_nowhere(file: str, root: Path) -> None:
    """By its name it would be the lock "..", with a file above the project."""
    (root / IN).unlink()
    place = root / "requirements" / file
    place.parent.mkdir()
    place.write_text("app\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="not every system"):
        planned(root, "[tool.nox-lock]\nlockfile = '{name}/locked.txt'\n")


@pytest.mark.parametrize(
    "pattern",
    ["console.txt", "aux-x.txt", "a.b/c-d.txt", ".locks/x", "nullable/x.txt", "com10", "\xe9.txt"],
)
def test_other_names_are_taken(pattern: str, root: Path) -> None:
    assert [each.path for each in planned(root, table(pattern))] == [pattern]


def test_two_paths_that_differ_in_case_alone_clash(root: Path) -> None:
    with pytest.raises(ConfigError, match=r"lock 'b' would write Dev\.TXT, which is lock 'a'"):
        planned(root, table("dev.txt", "a") + table("Dev.TXT", "b"))


@pytest.mark.parametrize("name", ["../secret.txt", "../../secret.txt", "{}/secret.txt"])
def test_a_lock_file_includes_none_from_outside(name: str, root: Path) -> None:
    """Else a check would read, and tell, what a stranger named in it."""
    (root.parent / "secret.txt").write_text("hunter==2\n", encoding="utf-8")
    include = name.format(root.parent.as_posix())
    (root / TXT).write_text(f"{HEADER}-r {include}\n{BODY}", encoding="utf-8")
    project = Project(root, {})
    assert lock_file.read(project, TXT) is not None
    assert [name for kind, name in project.found if kind == "read"] == [TXT]
    run = nox_inside(root, "-s", "lock-check", env=clean_environment(root.parent)).failed()
    assert f"includes {include}; lock files are whole" in run.output
    assert "hunter" not in run.output


# Links


def link(path: Path, to: Path) -> None:
    try:
        path.symlink_to(to, target_is_directory=to.is_dir())
    except OSError as error:  # Windows may not allow links
        pytest.skip(str(error))


def test_a_link_out_of_the_project_is_not_followed(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    link(root / "locks", outside)
    link(root / "x.txt", outside / "new.txt")
    for path in ("locks/a.txt", "locks/b/c.txt", "x.txt"):
        with pytest.raises(LockFileError, match="a link leads out of the project"):
            planned(root, table(path))
    env = clean_environment(tmp_path)
    run = nox_inside(root, "-s", "lock", "--", "--overwrite", env=env).failed()
    assert "x.txt: a link leads out of the project" in run.output
    assert list(outside.iterdir()) == []


def test_a_link_within_the_project_is_followed(root: Path, tmp_path: Path) -> None:
    (root / "real").mkdir()
    link(root / "locks", root / "real")
    assert planned(root, table("locks/a.txt"))
    link(tmp_path / "checkout", root)
    assert planned(tmp_path / "checkout", table("locks/a.txt"))
    write_all({root / "locks" / "a.txt": "locked\n"})
    assert (root / "real" / "a.txt").read_text(encoding="utf-8") == "locked\n"
    assert (root / "locks").is_symlink()


def test_what_came_to_stand_there_meanwhile_is_left_alone(root: Path) -> None:
    """A compile takes its time; a person may have written a file of that name."""
    stack = planned(root, table("a.txt", "a") + table("b.txt", "b"))
    results = {each.path: Outcome(each, COMPILED, HEADER + BODY) for each in stack}
    (root / "b.txt").write_text("notes of my own\n", encoding="utf-8")
    compiler = Compiler(Project(root, {}), CompileOptions(), Console(print, print))
    made = {each.path: result for each, result in _write(compiler, stack, results)}
    assert "b.txt:1: this is not a lock file" in str(made["b.txt"])
    assert str(made["a.txt"]).startswith("a.txt: not updated: ")
    assert (root / "b.txt").read_text(encoding="utf-8") == "notes of my own\n"
    assert not (root / "a.txt").exists()


# Modes


@posix
def test_a_new_file_has_the_mode_of_any_new_file(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To ask for the mask is to take it away for a moment, from all threads."""
    before = os.umask(0o027)
    try:
        with monkeypatch.context() as patch:
            patch.delattr(os, "umask")
            write_all({root / TXT: "new\n"})
        (root / IN).chmod(0o604)
        write_all({root / IN: "old\n", root / TXT: "newer\n"})
    finally:
        os.umask(before)
    assert stat.S_IMODE((root / TXT).stat().st_mode) == 0o640
    assert stat.S_IMODE((root / IN).stat().st_mode) == 0o604
    assert {each.name for each in root.iterdir()} == {IN, TXT, "noxfile.py"}


# The cache


def opened(folder: Path) -> tuple[Path | None, list[str]]:
    """Open a cache; return its folder, and what was warned of."""
    told: list[str] = []
    return open_cache({"NOX_LOCK_CACHE_DIR": str(folder)}, told.append).folder, told


@posix
def test_the_cache_is_the_users_own(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        folder = tmp_path / "new" / "cache"
        assert opened(folder) == (folder, [])
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        folder.chmod(0o777)  # by an unpacked archive, for instance
        assert opened(folder) == (folder, [])
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert all(stat.S_IMODE(each.stat().st_mode) == 0o700 for each in folder.glob("*s"))
    finally:
        os.umask(before)


def theirs(folder: Path) -> None:
    folder.mkdir()
    os.chown(folder, NOBODY, NOBODY)
    folder.chmod(0o777)


def their_link(folder: Path) -> None:
    (folder.parent / "mine").mkdir()
    folder.symlink_to("mine")
    os.chown(folder, NOBODY, NOBODY, follow_symlinks=False)


def my_link_to_theirs(folder: Path) -> None:
    theirs(folder.parent / "theirs")
    folder.symlink_to("theirs")


@posix
@pytest.mark.skipif(not ROOT_USER, reason="only root can give a folder away")
@pytest.mark.parametrize(
    ("make", "below", "why"),
    [
        (theirs, "", "belongs to another user"),
        (my_link_to_theirs, "", "belongs to another user"),
        (their_link, "", "is reached through a link of another user"),
        (their_link, "deep/er", "is reached through a link of another user"),
    ],
)
def test_a_cache_of_others_is_done_without(
    make: Callable[[Path], None], below: str, why: str, tmp_path: Path
) -> None:
    make(tmp_path / "cache")
    before = sorted(tmp_path.rglob("*"))
    folder, told = opened(tmp_path / "cache" / below)
    assert folder is None
    said = f"unusable cache folder: it {why} (NOX_LOCK_CACHE_DIR names another)"
    assert told == [f"{said}; continuing without a cache"]
    assert sorted(tmp_path.rglob("*")) == before


def their_part(cache: Path, part: str) -> None:
    place = cache / part
    place.mkdir(parents=True, exist_ok=True)
    os.chown(place, NOBODY, NOBODY)


def their_link_to_a_part(cache: Path, part: str) -> None:
    place = cache / part
    place.rmdir() if place.exists() else place.parent.mkdir(exist_ok=True)
    place.symlink_to(cache.parent / "mine")
    os.chown(place, NOBODY, NOBODY, follow_symlinks=False)


def my_link_to_their_part(cache: Path, part: str) -> None:
    theirs(cache.parent / "theirs")
    place = cache / part
    place.rmdir() if place.exists() else place.parent.mkdir(exist_ok=True)
    place.symlink_to(cache.parent / "theirs")


def their_file(cache: Path, part: str) -> None:
    place = cache / part / "ab.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("{}", encoding="utf-8")
    os.chown(place, NOBODY, NOBODY)


@posix
@pytest.mark.skipif(not ROOT_USER, reason="only root can give a folder away")
@pytest.mark.parametrize("make", [their_part, their_link_to_a_part, my_link_to_their_part])
@pytest.mark.parametrize(
    "part",
    [
        *("v2/locks", "v2/locks/ab", "v2/busy", "v2/work", "pip-tools", "pip-tools/http-v2"),
        *("bytecode", "bytecode/x"),
    ],
)
def test_a_part_of_others_is_not_used(
    make: Callable[[Path, str], None], part: str, tmp_path: Path
) -> None:
    """Somebody was faster, while the folder was open to all."""
    (tmp_path / "mine").mkdir()
    cache = tmp_path / "cache"
    assert opened(cache) == (cache, [])
    make(cache, part)
    for _ in range(2):
        folder, told = opened(cache)
        assert folder is None
        said = f"unusable cache folder: it holds what another user has put there ({part})"
        assert told == [f"{said} (NOX_LOCK_CACHE_DIR names another); continuing without a cache"]


@posix
@pytest.mark.skipif(not ROOT_USER, reason="only root can give a file away")
@pytest.mark.parametrize(
    ("part", "mode"),
    [("v2/locks/ab", 0o700), ("v2/busy", 0o700), ("pip-tools/a/b/c", 0o777), ("x/y/z", 0o770)],
)
def test_a_file_of_others_is_not_used(part: str, mode: int, tmp_path: Path) -> None:
    """Deep in what is large it can be only where others could write, and is looked for then."""
    cache = tmp_path / "cache"
    assert opened(cache) == (cache, [])
    their_file(cache, part)
    cache.chmod(mode)
    for _ in range(2):
        folder, told = opened(cache)
        assert folder is None
        assert f"({part}/ab.json)" in told[0]
    (cache / part / "ab.json").unlink()
    assert opened(cache) == (cache, [])
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700


@posix
@pytest.mark.skipif(not ROOT_USER, reason="only root can give a link away")
def test_a_link_of_others_to_nowhere_is_not_used(tmp_path: Path) -> None:
    """An entry would be written through it."""
    cache = tmp_path / "cache"
    assert opened(cache) == (cache, [])
    link_to = cache / "v2" / "locks" / "ab" / "ab.json"
    link_to.parent.mkdir()
    link_to.symlink_to(tmp_path / "nowhere")
    os.chown(link_to, NOBODY, NOBODY, follow_symlinks=False)
    assert opened(cache)[0] is None


@posix
def test_a_part_behind_a_link_of_ones_own_is_used(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "pip-tools").symlink_to(tmp_path / "disk")
    assert opened(tmp_path / "cache") == (tmp_path / "cache", [])


@posix
def test_a_link_of_ones_own_is_followed(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "cache").symlink_to("disk")
    folder, told = opened(tmp_path / "cache")
    assert folder is not None
    assert not told
    assert (tmp_path / "disk" / "v2").is_dir()


@pytest.mark.skipif(sys.platform != "win32", reason="of Windows")
def test_windows_has_owners_of_another_kind(tmp_path: Path) -> None:
    assert opened(tmp_path / "cache") == (tmp_path / "cache", [])

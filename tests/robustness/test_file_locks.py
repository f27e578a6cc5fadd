"""Exclusive file locks: a wait names its process, and ends; without any, all is right as well."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from nox_lock.errors import NoxLockError
from nox_lock.files import exclusive, read_timeout
from support.locks import pins
from support.project import NOXFILE, Project, finish
from support.scripted import SILENT, ScriptedIndex

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.index import LocalIndex

HOLD = """
import sys
from pathlib import Path
from nox_lock.files import exclusive
with exclusive(Path(sys.argv[1]), 0, print, "is quick"):
    print("held", flush=True)
    sys.stdin.read()
"""
LOCK = ("-s", "lock")
SINCE = r"since \d\d:\d\d:\d\d"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "v2" / "busy" / "key.lock"


@pytest.fixture
def other(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the file lock, until its standard input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def unheard(text: str) -> None:
    raise AssertionError(text)


def left(path: Path) -> set[str]:
    return {each.name for each in path.parent.iterdir()} - {path.name}


def test_a_wait_names_the_process_and_its_end(
    path: Path, other: subprocess.Popen[str], tmp_path: Path
) -> None:
    """Past the limit: the file inside the cache, the process, the variable; no path of here."""
    lines: list[str] = []
    with (
        pytest.raises(NoxLockError) as caught,
        exclusive(path, 0.1, lines.append, "compiles the same lock"),
    ):
        raise AssertionError
    who = rf"another process that compiles the same lock\b.* \(process {other.pid} {SINCE}\)"
    assert [bool(re.fullmatch(f"waiting for {who}", line)) for line in lines] == [True]
    assert re.match(who, caught.value.message)
    assert "within 0.1 s" in caught.value.message
    assert "v2/busy/key.lock" in caught.value.message
    assert "NOX_LOCK_TIMEOUT" in str(caught.value.hint)
    assert str(tmp_path) not in str(caught.value)


def test_who_waits_goes_on_when_the_other_ends(path: Path, other: subprocess.Popen[str]) -> None:
    def end(_: str) -> None:
        assert other.stdin is not None
        other.stdin.close()

    note = path.with_suffix(".holder")
    with exclusive(path, 60, end, "compiles"):  # once we wait
        assert re.fullmatch(f"process {os.getpid()} {SINCE}", note.read_text("utf-8"))
    assert left(path) == set()


def test_a_killed_process_holds_nothing(path: Path, other: subprocess.Popen[str]) -> None:
    """Its note is left; the next process that holds the lock writes over it."""
    other.kill()
    other.wait()
    assert left(path) == {"key.holder"}
    with exclusive(path, 0, unheard, "compiles"):
        assert str(os.getpid()) in path.with_suffix(".holder").read_text("utf-8")
    assert left(path) == set()


@pytest.mark.parametrize("note", [b"", b"two\nlines", b"\x1b[31m", b"\xff\xfe", None])
def test_a_broken_note_names_nobody(
    note: bytes | None, path: Path, other: subprocess.Popen[str]
) -> None:
    place = path.with_suffix(".holder")
    if note is None:
        place.unlink()
    else:
        place.write_bytes(note)
    lines: list[str] = []
    with pytest.raises(NoxLockError), exclusive(path, 0, lines.append, "compiles"):
        raise AssertionError
    assert lines == ["waiting for another process that compiles"]
    assert other.poll() is None


def test_the_limit_is_ten_minutes_unless_said() -> None:
    assert read_timeout({}) == 600
    assert read_timeout({"NOX_LOCK_TIMEOUT": "0.5"}) == 0.5


@pytest.mark.parametrize("place", ["key.lock", "key.holder"])
def test_a_folder_in_the_way_is_no_error(path: Path, place: str) -> None:
    """What cannot be locked is done without a lock, what cannot be noted without a note."""
    (path.parent / place).mkdir(parents=True)
    with exclusive(path, 0, unheard, "compiles"):
        pass
    assert (path.parent / place).is_dir()


# Real nox


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Return a project that another nox compiles, until its index answers: never."""
    folder = tmp_path_factory.mktemp("crowded")
    with ScriptedIndex(SILENT) as index:
        project = Project(folder / "project", folder / "home", env={"PIP_INDEX_URL": index.url})
        project.write("noxfile.py", NOXFILE)
        project.write("requirements.in", "app\n")
        process = project.start_nox(*LOCK)
        while not index.asked:
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        project.write("pid", str(process.pid))
        yield project
        assert process.poll() is None
        project.close()


def test_nox_names_the_process_it_waited_for_in_vain(crowded: Project) -> None:
    run = crowded.nox(*LOCK, env={"NOX_LOCK_TIMEOUT": "0.1"}).failed()
    pid = crowded.read("pid")
    who = rf"another process that compiles the same lock \(process {pid} {SINCE}\)"
    assert re.search(f"requirements.txt: waiting for {who}", run.output)
    assert re.search(r"it holds the file lock v2/busy/[0-9a-f]{64}\.lock", run.output)
    assert "NOX_LOCK_TIMEOUT=SECONDS waits longer" in run.output
    assert str(crowded.home) not in run.output
    assert not crowded.exists("requirements.txt")


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_a_wait_can_be_interrupted(crowded: Project) -> None:
    """Ctrl-C ends who waits at once, not at the end of the wait."""
    waiting = crowded.start_nox(*LOCK)
    assert waiting.stderr is not None
    for line in waiting.stderr:
        if "waiting for" in line:
            break
    waiting.send_signal(signal.SIGINT)
    [run] = finish(waiting, timeout=60)
    assert run.returncode != 0
    assert "Traceback" not in run.output


WITHOUT_LOCKS = """
import errno, fcntl, os

def flock(*_):
    raise OSError(errno.{name}, os.strerror(errno.{name}))

fcntl.flock = flock
"""


@pytest.mark.skipif(sys.platform == "win32", reason="has no flock to take away")
@pytest.mark.parametrize("name", ["ENOLCK", pytest.param("ENOSYS", marks=pytest.mark.long)])
def test_without_file_locks_all_succeed(name: str, project: Project, index: LocalIndex) -> None:
    """On a file system without locks two may both compile; each lock is right and whole."""
    index.publish("app", "1.0")
    project.write("noxfile.py", NOXFILE)
    project.write("requirements.in", "app\n")
    where = project.home / "without"
    where.mkdir()
    (where / "sitecustomize.py").write_text(WITHOUT_LOCKS.format(name=name), encoding="utf-8")
    project.env["PYTHONPATH"] = str(where)
    for run in finish(*(project.start_nox(*LOCK) for _ in range(2))):
        assert "Warning" not in run.ok().output
        # Who waits may be let in before the other has written its lock file.
        assert re.search("compiled|up to date|restored from the cache", run.output)
    assert pins(project.read("requirements.txt")) == {"app": "1.0"}
    assert set(project.snapshot()) == {"noxfile.py", "requirements.in", "requirements.txt"}
    project.nox("-s", "lock-check").ok()

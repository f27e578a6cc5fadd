"""One after the other: who is waited for is told, and no wait is without end."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from nox_lock._errors import ConfigError, InterruptedWorkError, WaitError
from nox_lock._turns import SECONDS, read_timeout, take_turn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DOING = "compiles the same lock"
HOLDER = """
import sys
from pathlib import Path
from nox_lock._turns import take_turn
with take_turn(Path(sys.argv[1]), 0, print, "waits"):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "busy" / "key.lock"


@pytest.fixture
def holder(lock: Path) -> Iterator[subprocess.Popen[str]]:
    """Return another process that holds the file lock until its input ends."""
    command = [sys.executable, "-c", HOLDER, str(lock)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_end_of_a_wait_names_file_holder_and_variable(
    lock: Path, holder: subprocess.Popen[str]
) -> None:
    told: list[str] = []
    with pytest.raises(WaitError) as caught, take_turn(lock, 0.2, told.append, DOING):
        pass
    who = rf"process {holder.pid} since \d\d:\d\d:\d\d"
    assert len(told) == 1
    assert re.fullmatch(rf"waiting for another process that {DOING} \({who}\)", told[0])
    said = str(caught.value)
    assert re.search(rf"\(it holds the file lock busy/key\.lock, {who}\)", said)
    assert "NOX_LOCK_TIMEOUT" in said
    assert str(lock.parent.parent) not in said


def test_a_limit_of_nothing_does_not_wait(lock: Path, holder: subprocess.Popen[str]) -> None:
    assert holder.poll() is None
    with pytest.raises(WaitError, match="within 0 s"), take_turn(lock, 0, print, DOING):
        pass


@pytest.mark.parametrize("text", ["", "x", "1 99999999999999999999", "-", "\udcff"])
def test_who_holds_it_may_be_unknown(lock: Path, holder: subprocess.Popen[str], text: str) -> None:
    """What stands beside the lock is for people: nothing depends on it."""
    assert holder.poll() is None
    lock.with_suffix(".holder").write_bytes(text.encode("utf-8", "surrogateescape"))
    told: list[str] = []
    with pytest.raises(WaitError, match=r"key\.lock\)"), take_turn(lock, 0.2, told.append, DOING):
        pass
    assert told == [f"waiting for another process that {DOING}"]


def test_a_killed_holder_holds_nothing(lock: Path, holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.wait()
    told: list[str] = []
    with take_turn(lock, 0, told.append, DOING):
        assert str(os.getpid()) in lock.with_suffix(".holder").read_text("ascii")
    assert told == []
    assert not lock.with_suffix(".holder").exists()


def test_a_wait_can_be_interrupted(lock: Path, holder: subprocess.Popen[str]) -> None:
    assert holder.poll() is None
    interrupted = threading.Event()

    def tell(_: str) -> None:
        interrupted.set()

    with pytest.raises(InterruptedWorkError), take_turn(lock, 600, tell, DOING, interrupted):
        pass


def test_a_lock_that_goes_away_is_done_without(lock: Path) -> None:
    """Deleted while it is held, or where no file can be: the work is done all the same."""
    with take_turn(lock, 0, print, DOING):
        if sys.platform != "win32":  # which deletes no open file
            lock.unlink()
    lock.parent.joinpath("obstacle").write_text("a file", encoding="utf-8")
    done = False
    with take_turn(lock.parent / "obstacle" / "key.lock", 0, print, DOING):
        done = True
    assert done


def test_the_limit_is_a_number_of_seconds() -> None:
    assert read_timeout({}) == SECONDS == 600
    assert read_timeout({"NOX_LOCK_TIMEOUT": "1.5"}) == 1.5
    for text in ("-1", "nan", "inf", "1e999", "soon", " "):
        with pytest.raises(ConfigError, match="NOX_LOCK_TIMEOUT"):
            read_timeout({"NOX_LOCK_TIMEOUT": text})

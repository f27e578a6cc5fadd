"""A private folder is its maker's alone, however many make one at once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import filelock
import pytest

from nox_lock._workshops import clear, open_workshop

if TYPE_CHECKING:
    from pathlib import Path


def test_a_folder_whose_maker_comes_late_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its maker may lock it just when somebody who took it for dead lets go of it."""
    folder = tmp_path / "work-1"
    folder.mkdir()
    (folder / "alive").touch()
    makers: list[filelock.BaseFileLock] = []
    release = filelock.FileLock.release

    def come_late(self: filelock.FileLock) -> None:
        release(self)
        if folder.exists() and not makers:
            maker = filelock.FileLock(folder / "alive")
            makers.append(maker)
            maker.acquire(timeout=0)
            (folder / "work").touch()

    monkeypatch.setattr(filelock.FileLock, "release", come_late)
    clear(tmp_path, "work-")
    assert (folder / "work").exists() == bool(makers)
    for maker in makers:
        release(maker)


@pytest.mark.parametrize("rounds", [100, pytest.param(3000, marks=pytest.mark.long)])
def test_many_at_once(rounds: int, tmp_path: Path) -> None:
    lost: list[OSError] = []

    def work(parent: Path, start: threading.Barrier) -> None:
        start.wait()
        try:
            with open_workshop(parent, "work-") as folder:
                (folder / "deep").mkdir()
                for number in range(20):
                    (folder / "deep" / str(number)).touch()
        except OSError as error:
            lost.append(error)

    for number in range(rounds):
        parent, start = tmp_path / str(number), threading.Barrier(4)
        parent.mkdir()
        threads = [threading.Thread(target=work, args=(parent, start)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not list(parent.iterdir())
    assert not lost

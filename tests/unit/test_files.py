"""A file is moved to its place; what is left to real processes is in `tests/robustness`."""

from __future__ import annotations

from pathlib import Path

import pytest

from nox_lock.files import write_all


@pytest.mark.parametrize("times", [3, 99])
def test_a_file_that_another_process_reads_on_windows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, times: int
) -> None:
    """It cannot be replaced meanwhile: that is tried again, and is an error after a second."""
    refused = 0
    replace = Path.replace

    def refusing(path: Path, place: Path) -> Path:
        nonlocal refused
        if refused < times:
            refused += 1
            raise PermissionError
        return replace(path, place)

    lock = tmp_path / "requirements.txt"
    lock.write_text("old\n", encoding="utf-8")
    monkeypatch.setattr("nox_lock.files._PAUSES", (0.001,) * 5)
    monkeypatch.setattr(Path, "replace", refusing)
    if times == 99:
        with pytest.raises(PermissionError):
            write_all({lock: "new\n"})
    else:
        write_all({lock: "new\n"})
    assert refused == min(times, 6)
    assert lock.read_text(encoding="utf-8") == ("old\n" if times == 99 else "new\n")
    assert [each.name for each in tmp_path.iterdir()] == [lock.name]

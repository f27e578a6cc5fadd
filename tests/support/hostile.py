"""A process that reads hostile text, and can be ended: one JSON question a line, one answer.

Run as a script it does what it is asked for; `Reader` asks it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from typing_extensions import Self

_GIGABYTE = 2**30
# Of a machine that does much else; what counts is the processor's time.
_PATIENCE = 30.0


class Reader:
    """Asks the process; one that does not answer is ended, and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def ask(self, what: str, text: str = "") -> dict[str, Any]:
        """Return what came of it, and how many seconds of processor time it took.

        `what` is one of `WAYS`; the answer is the error ``too long`` where there is none.
        """
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(self.folder)],
                env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                encoding="utf-8",
            )
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps([what, text]) + "\n")
        process.stdin.flush()
        timer = threading.Timer(_PATIENCE, process.kill)
        timer.start()
        answer = process.stdout.readline()
        timer.cancel()
        if not answer:
            self._end()
            return {"error": "too long, or out of memory", "seconds": _PATIENCE}
        found: dict[str, Any] = json.loads(answer)
        return found

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def _ways(folder: Path) -> Mapping[str, Callable[[str], object]]:
    """Return what can be done with a text: each parser, and all that redacts."""
    from nox_lock import text  # noqa: PLC0415
    from support.verdicts import INPUT, LOCK, PYPROJECT, make, verdicts  # noqa: PLC0415

    def judge(_: str = "") -> object:
        return verdicts(folder)

    def fresh() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        make(folder, "plain")

    def lock(text: str) -> object:
        fresh()
        (folder / LOCK).write_bytes(text.encode())
        return judge()

    def end_of_lock(text: str) -> object:
        fresh()
        with (folder / LOCK).open("ab") as file:
            file.write(text.encode())
        return judge()

    def inputs(text: str) -> object:
        fresh()
        (folder / INPUT).write_bytes(text.encode())
        return judge()

    def project(text: str) -> object:
        fresh()
        table = f"[project]\nname = 'x'\nversion = '1'\ndependencies = [{json.dumps(text)}]\n"
        named = PYPROJECT.replace("requirements.in", "pyproject.toml")
        (folder / "pyproject.toml").write_text(table + named, encoding="utf-8")
        return judge()

    return {
        "judge": judge,
        "lock": lock,
        "end of a lock": end_of_lock,
        "input": inputs,
        "project": project,
        "redact": text.redact,
        "mask": text.mask,
        "shareable": text.shareable,
        "without folders": text.without_folders,
        "has password": text.has_password,
        "quoted": text.quoted,
    }


# By name what `ask` can do; ``judge`` takes the folder as it is.
WAYS = (
    "lock", "end of a lock", "input", "project", "redact", "mask", "shareable",
    "without folders", "has password", "quoted",
)  # fmt: skip


def main() -> None:
    with contextlib.suppress(ImportError, ValueError):
        import resource  # noqa: PLC0415  (not on Windows)

        resource.setrlimit(resource.RLIMIT_AS, (2 * _GIGABYTE, 2 * _GIGABYTE))
    ways = _ways(Path(sys.argv[1]))
    for question in sys.stdin:
        what, text = json.loads(question)
        before = time.process_time()
        try:
            answer = {"found": ways[what](text)}
        except Exception as error:  # noqa: BLE001  (a traceback is an answer: a wrong one)
            answer = {"error": f"{type(error).__name__}: {error}"[:500]}
        answer["seconds"] = time.process_time() - before
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

"""A compile that takes too long is ended, with all that it has started."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from support.project import Project

BACKEND = """
    import os, pathlib, time

    def get_requires_for_build_wheel(config_settings=None):
        return []

    def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
        pathlib.Path(os.environ["PID_FILE"]).write_text(str(os.getpid()))
        time.sleep(600)
    """
PROJECT = """
    [build-system]
    requires = []
    build-backend = "backend"
    backend-path = ["."]
    """


def runs(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


@pytest.mark.skipif(sys.platform == "win32", reason="signal 0 is no question there")
def test_the_build_of_a_compile_ends_with_it(project: Project) -> None:
    project.write("noxfile.py", "import nox_lock\n\nnox_lock.add_sessions()\n")
    project.write("requirements.in", "./slow\n")
    project.write("slow/backend.py", BACKEND)
    project.write("slow/pyproject.toml", PROJECT)
    project.write("pyproject.toml", "[tool.nox-lock]\ncompile-timeout = 6\n")
    noted = project.home / "pid"
    told = project.nox("-s", "lock", env={"PID_FILE": str(noted)}).failed().output
    assert "the compile took longer than 6 s and was ended; at last it built slow" in told
    assert "[tool.nox-lock] compile-timeout = SECONDS" in told
    for folder in (project.root, project.home):
        assert str(folder) not in told
    assert not project.exists("requirements.txt")
    pid = int(noted.read_text(encoding="utf-8"))
    for _ in range(100):  # the system takes a moment to bury it
        if not runs(pid):
            break
        time.sleep(0.05)
    assert not runs(pid)

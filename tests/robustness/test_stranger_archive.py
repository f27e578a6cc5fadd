"""A pin whose version makes its line the name of an archive, which a stranger has put beside."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from support.sdists import project_files, write_archive
from support.stranger import MARKER, RUNS, lock_once
from support.verdicts import INPUT, LOCK, restamped

if TYPE_CHECKING:
    from pathlib import Path

    from support.prepared import Prepared


@pytest.fixture(scope="module")
def made(prepared: Prepared) -> Prepared:
    return lock_once(prepared, "app>=1,<2\n")


def test_code_of_an_archive_beside_does_not_run(made: Prepared, tmp_path: Path) -> None:
    project = made.copy(tmp_path)
    archive = project.root / "app==1.0+x.tar.gz"
    info = {"PKG-INFO": "Metadata-Version: 2.1\nName: app\nVersion: 1.0+x\n"}
    write_archive(archive, project_files("app", "1.0+x", code=RUNS) | info)
    text = project.read(LOCK)
    at = text.index("app==1.0")
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    pin = f"{archive.name} \\\n    --hash=sha256:{digest}\n    # via -r {INPUT}\n"
    (project.root / LOCK).write_bytes(restamped(f"{text[:at]}{pin}".encode()))
    env = {"CI": "1", "STRANGER": str(project.root)}
    check = project.nox("-s", "lock-check", env=env)
    run = project.nox("-s", "tests", env=env)
    assert not project.exists(MARKER), f"code ran.\n{check.output}\n{run.output}"
    check.failed()
    run.failed()

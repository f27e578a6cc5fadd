"""A pin whose version makes its line the name of an archive, which a stranger has put beside."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from support.inside import nox_inside
from support.sdists import project_files, write_archive
from support.verdicts import INPUT, LOCK, restamped

if TYPE_CHECKING:
    from pathlib import Path

    from support.prepared import Prepared

NOXFILE = """
    import nox_lock

    nox_lock.add_sessions()


    @nox_lock.session(lock="requirements")
    def tests(session):
        session.log("it runs")
    """
MARKER = "ran.txt"
RUNS = f"""
pathlib.Path(os.environ["STRANGER"], "{MARKER}").write_text("")
"""


@pytest.fixture(scope="module")
def made(prepared: Prepared) -> Prepared:
    prepared.index.publish("app", "1.0")
    prepared.project.write("noxfile.py", NOXFILE)
    prepared.project.write(INPUT, "app>=1,<2\n")
    prepared.project.nox("-s", "lock").ok()
    prepared.freeze()
    return prepared


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
    env = project.environment({"CI": "1", "STRANGER": str(project.root)})
    check = nox_inside(project.root, "-s", "lock-check", env=env)
    run = nox_inside(project.root, "-s", "tests", env=env)
    assert not project.exists(MARKER), f"code ran.\n{check.output}\n{run.output}"
    check.failed()
    run.failed()

"""A `uv.toml` that a stranger has put beside a lock file: uv obeys it wherever it installs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from support.sdists import build_sdist
from support.verdicts import INPUT, LOCK, unstamped

if TYPE_CHECKING:
    from support.index import LocalIndex
    from support.project import Project

NOXFILE = """
    import nox_lock

    nox_lock.add_sessions()


    @nox_lock.session(lock="requirements", venv_backend="uv")
    def tests(session):
        session.log("it runs")
    """
MARKER = "ran.txt"
RUNS = f"""
pathlib.Path(os.environ["STRANGER"], "{MARKER}").write_text("")
"""


def test_another_index_for_uv(project: Project, index: LocalIndex) -> None:
    index.publish("app", "1.0")
    project.write("noxfile.py", NOXFILE)
    project.write(INPUT, "app>=1,<2\n")
    project.nox("-s", "lock").ok()
    bare = project.read(LOCK).replace(" --generate-hashes", "")
    project.write(LOCK, unstamped(re.sub(r" \\\n    --hash=\S+", "", bare).encode()).decode())
    project.nox("-s", "lock-check").ok()
    links = project.root / "links"
    links.mkdir()
    build_sdist(links, "app", "1.0", code=RUNS)
    project.write("uv.toml", '[[index]]\nname = "evil"\nurl = "./links"\nformat = "flat"\n')
    env = {"CI": "1", "STRANGER": str(project.root)}
    check = project.nox("-s", "lock-check", env=env)
    run = project.nox("-s", "tests", env=env)
    assert not project.exists(MARKER), f"code ran.\n{check.output}\n{run.output}"

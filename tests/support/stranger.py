"""What a stranger has put into a project: code that leaves a file behind when it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.verdicts import INPUT

if TYPE_CHECKING:
    from support.prepared import Prepared

NOXFILE = """
    import nox_lock

    nox_lock.add_sessions()


    @nox_lock.session(lock="requirements"{more})
    def tests(session):
        session.log("it runs")
    """
MARKER = "ran.txt"
# Builds run somewhere else: the file is found by this variable.
RUNS = f"""
pathlib.Path(os.environ["STRANGER"], "{MARKER}").write_text("")
"""


def lock_once(prepared: Prepared, wanted: str) -> Prepared:
    """Return a project with a good lock file, really made."""
    prepared.index.publish("app", "1.0")
    prepared.project.write("noxfile.py", NOXFILE.format(more=""))
    prepared.project.write(INPUT, wanted)
    prepared.project.nox("-s", "lock").ok()
    assert not prepared.project.exists(MARKER)
    prepared.freeze()
    return prepared

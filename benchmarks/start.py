"""Rows of what it costs to have the plugin there at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.measure import Contender
from benchmarks.peers import OURS
from benchmarks.projects import EMPTY, SESSIONS
from benchmarks.setting import Row

if TYPE_CHECKING:
    from benchmarks.setting import Setting


def _import(setting: Setting) -> list[Contender]:
    """Import nox, and a plugin after it."""

    def make(tool: str, environment: str, code: str) -> Contender:
        command = [setting.peers.python(environment), "-c", code]
        return Contender(
            tool=tool, command=command, place=setting.folder, environ=setting.environ()
        )

    return [
        make("import nox", OURS, "import nox"),
        make("import nox, nox_lock", OURS, "import nox, nox_lock"),
        make("import nox, nox_uv", "nox-uv", "import nox, nox_uv"),
    ]


def _list(setting: Setting) -> list[Contender]:
    """List the sessions of a noxfile."""
    locked = """
@nox_lock.session
def tests(session):
    pass
"""
    (setting.folder / "plain.py").write_text(EMPTY, "utf-8")
    (setting.folder / "noxfile.py").write_text(EMPTY + SESSIONS + locked, "utf-8")

    def make(tool: str, file: str) -> Contender:
        return Contender(
            tool=tool,
            command=setting.nox("-l", "-f", file),
            place=setting.folder,
            environ=setting.environ(),
        )

    return [make("nox -l, plain", "plain.py"), make("nox -l, with nox-lock", "noxfile.py")]


ROWS = (
    Row(
        name="import",
        group="start",
        title="import nox, alone and with a plugin",
        make=_import,
        note="nox-lock may take 5 ms more than nox alone. nox-uv is one small module.",
    ),
    Row(name="list", group="start", title="`nox -l`", make=_list),
)

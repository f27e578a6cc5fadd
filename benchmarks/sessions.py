"""Rows of a session whose environment is there and whose lock has not changed, and of a start."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING

from benchmarks.measure import Contender
from benchmarks.peers import OURS
from benchmarks.projects import EMPTY, SESSIONS, names, write_input, write_uv_project, write_wheels
from benchmarks.results import TIME
from benchmarks.setting import Row

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.setting import Setting

_BUDGETS = {TIME: 1.10}
_ALL = 60  # pins of the row in which every peer takes part
_NOXFILE = """
import nox
import nox_lock

nox_lock.add_sessions()

@nox_lock.session(lock="requirements")
def ours(session):
    session.run("python", "-c", "pass")

@nox_lock.session(lock="requirements", venv_backend="uv")
def ours_uv(session):
    session.run("python", "-c", "pass")
"""
_PLAIN = """
import nox

@nox.session(reuse_venv=True)
def plain(session):
    session.run("python", "-c", "pass")

@nox.session(reuse_venv=True)
def pip(session):
    session.install("-r", "requirements.txt")
    session.run("python", "-c", "pass")

@nox.session(reuse_venv=True, venv_backend="uv")
def uv(session):
    session.install("-r", "requirements.txt")
    session.run("python", "-c", "pass")

@nox.session(reuse_venv=True, venv_backend="uv")
def sync(session):
    session.run_install("uv", "pip", "sync", "requirements.txt", external=True)
    session.run("python", "-c", "pass")
"""
_NOX_UV = """
import nox_uv

@nox_uv.session(venv_backend="uv", reuse_venv=True, uv_only_groups=["test"])
def tests(session):
    session.run("python", "-c", "pass")
"""
_TOX = """\
[tox]
skipsdist = true
[testenv:tests]
runner = uv-venv-lock-runner
dependency_groups = test
skip_install = true
commands = python -c pass
"""
_NOTE = """\
The floor is the same session without any installing. `session.install("-r")` removes nothing of
what is too much; `uv pip sync` removes it, and proves no dependency; nox-lock does both. `uv.lock`
is quick to compare: nox-uv costs little more than a start of uv. tox starts slower than nox."""


def _sessions(pins: int, setting: Setting) -> list[Contender]:
    """Run a session with so many pins in its reused environment."""
    place = setting.folder / "project"
    write_wheels(setting.folder / "wheels", pins)
    write_input(place / "requirements.in", names(pins), "../wheels")
    (place / "noxfile.py").write_text(_NOXFILE, "utf-8")
    (place / "plain.py").write_text(_PLAIN, "utf-8")
    make = functools.partial(Contender, place=place, environ=setting.environ(uv=True))

    def nox(
        tool: str, file: str, session: str, budgets: Mapping[str, float] | None = None
    ) -> Contender:
        command = setting.nox("-f", file, "-s", session)
        return make(tool=tool, command=command, budgets=budgets or {})

    setting.prepare(make(tool="lock", command=setting.nox("-s", "lock")))
    found = [
        nox("plain session, nothing installed", "plain.py", "plain"),
        nox("nox-lock", "noxfile.py", "ours", _BUDGETS),
        nox("nox-lock, environment by uv", "noxfile.py", "ours_uv", _BUDGETS),
        nox('session.install("-r"), pip', "plain.py", "pip"),
        nox('session.install("-r"), uv', "plain.py", "uv"),
    ]
    if pins == _ALL:
        found += [nox("uv pip sync", "plain.py", "sync"), *_with_uv_lock(setting, pins)]
    setting.prepare(*found)
    return found


def _with_uv_lock(setting: Setting, pins: int) -> list[Contender]:
    """Return those that install from a `uv.lock` of the same projects."""
    place = setting.folder / "uv-project"
    write_uv_project(place, names(pins), setting.folder / "wheels")
    (place / "noxfile.py").write_text(_NOX_UV, "utf-8")
    (place / "tox.ini").write_text(_TOX, "utf-8")
    uv = setting.peers.command("uv", "uv")
    make = functools.partial(Contender, place=place)
    # Without this uv takes whatever Python it finds first.
    python = {"UV_PYTHON": sys.executable}
    command = [uv, "lock", "--quiet"]
    setting.prepare(make(tool="uv lock", command=command, environ=setting.environ(python, uv=True)))
    nox_uv = [setting.peers.python("nox-uv"), "-m", "nox", "--no-color", "-s", "tests"]
    tox = [setting.peers.python("tox"), "-m", "tox", "run", "-q", "-e", "tests"]
    return [
        make(tool="nox-uv", command=nox_uv, environ=setting.environ(uv=True)),
        make(tool="tox, uv's lock runner", command=tox, environ=setting.environ(uv=True)),
    ]


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
    *(
        Row(
            name=f"session {pins}",
            group="session",
            title=f"a session in its environment of {pins} packages, nothing changed",
            make=functools.partial(_sessions, pins),
            note=_NOTE,
        )
        for pins in (10, _ALL, 300)
    ),
    Row(
        name="import",
        group="start",
        title="import nox, alone and with a plugin",
        make=_import,
        note="nox-lock may take 5 ms more than nox alone. nox-uv is one small module.",
    ),
    Row(name="list", group="start", title="`nox -l`", make=_list),
)

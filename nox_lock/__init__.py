"""Pinned, layered, cached requirements for Nox, made by pip-tools.

In a noxfile::

    import nox
    import nox_lock

    nox_lock.add_sessions()          # nox -s lock, nox -s lock-check

    @nox_lock.session(lock="dev")    # a drop-in for nox.session
    def tests(session):
        session.run("pytest")
"""

from __future__ import annotations

from nox_lock.errors import NoxLockError
from nox_lock.sessions.api import add_sessions, install, session

__version__ = "0.1.0"
__all__ = ["NoxLockError", "__version__", "add_sessions", "install", "session"]

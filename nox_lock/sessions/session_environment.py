"""The environment of a running session, and what it takes to make it match its lock files.

Apart from `api`, which each noxfile loads: this is loaded only if there is something to do.
"""

from __future__ import annotations

import functools
import shlex
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import nox

from nox_lock.checking.judge import judge_all, lacks_hashes_alone
from nox_lock.checking.verdict import STALE
from nox_lock.environments.comparison import LockedEnvironment, refuse_disagreement
from nox_lock.environments.environment import (
    find_environment,
    has_other_python,
    project_is_installed,
)
from nox_lock.environments.snapshot import CREATED
from nox_lock.environments.sync import install_project, sync, write_constraints
from nox_lock.errors import InstallerBrokenError, ToolchainError
from nox_lock.planning.planner import for_environment
from nox_lock.project import is_ci
from nox_lock.sessions.noxfile import is_for
from nox_lock.target import running_target
from nox_lock.text import redact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nox.virtualenv import CondaEnv, VirtualEnv

    from nox_lock.checking.verdict import Judged
    from nox_lock.console import Console
    from nox_lock.environments.environment import Environment
    from nox_lock.environments.snapshot import Snapshot
    from nox_lock.planning.config import Config
    from nox_lock.sessions.installer import SessionInstaller
    from nox_lock.sessions.noxfile import Noxfile

ProjectInstall = Literal["editable", "wheel"] | None


class SessionEnvironment:
    """The environment of a session.

    Args:
        session: the session.
        names: its locks; None is the only one, or `requirements`.
        noxfile: the noxfile it is in.
        console: where to print.
        order: how many times this session has installed locks before.
    """

    def __init__(
        self,
        session: nox.Session,
        names: Sequence[str | None],
        noxfile: Noxfile,
        console: Console,
        order: int,
    ) -> None:
        self.session = session
        self.names = names
        self.noxfile = noxfile
        self.project = noxfile.project
        self.console = console
        self.order = order
        self.recreate_command = f"nox --reuse-venv=never -s {shlex.quote(session.name)}"

    def prepare(
        self, install: ProjectInstall, snapshot: Snapshot, *, constrain: bool
    ) -> LockedEnvironment:
        """Make the environment match its lock files, and install the project as requested.

        `snapshot` is saved if there was nothing to do.

        Raises:
            NoxLockError: when that is not possible.
        """
        venv = self._find_usable()
        config, locked = self.find_locks(venv)
        judged, on_stale = judge_all(locked.planned), config.on_stale
        stale = [each for each in judged if not self._is_usable(each, on_stale)]
        if stale:
            from nox_lock.sessions.commands import relock  # noqa: PLC0415

            allowed = on_stale == "lock" or (on_stale == "auto" and not is_ci(self.project.environ))
            allowed = allowed and self._may_install
            made = relock(stale, self.project, self.console, allowed=allowed)
            locked = locked._replace(planned=[made.get(each.path, each) for each in locked.planned])
        refuse_disagreement(locked.planned)
        comparison = locked.compare()
        installed, editable = install is None, install == "editable"
        if editable:
            installed = project_is_installed(venv, comparison.installed, self.project)
        if comparison.matches:
            line = f"{self.session.name} holds exactly what is locked in {locked.paths}"
            nox.logger.logger.output(redact(line))
            proven = on_stale != "install" or all(each.verdict.fresh for each in judged)
            if installed and proven and not stale:
                snapshot.save(self.project.facts, locked.paths)
        elif self._may_install:
            locked = self._sync(locked)
        else:
            line = f"{self.session.name} does not hold exactly what is locked in {locked.paths}"
            self.console.warn(line)
            locked = locked._replace(ignored=comparison.remove)
        if constrain:
            write_constraints(locked)
        if not installed and self._may_install:
            install_project(locked, self._installer(locked), self.console, editable=editable)
        return locked

    def find(self) -> Environment:
        """Return the environment as it is.

        Raises:
            NoxLockError: when its files do not name its Python.
        """
        location = Path(self.session.virtualenv.location).resolve()
        return find_environment(location, self.recreate_command)

    def find_locks(self, venv: Environment) -> tuple[Config, LockedEnvironment]:
        """Return the configuration, and an environment with the lock files it has to match.

        Raises:
            NoxLockError: when they cannot be planned, or there is none for its Python.
        """
        config, planned = self.noxfile.plan(self.names, to_install=True)
        names = {config.lock(name).name for name in self.names}
        chosen = for_environment([each for each in planned if each.name in names], venv.target)
        commands = self.recreate_command, self.console.lock_command
        return config, LockedEnvironment(chosen, venv, self.project, *commands, order=self.order)

    def _find_usable(self) -> Environment:
        """Return the environment; recreate it if it is of another folder, or of another Python.

        Raises:
            ToolchainError: when it is, and nothing may be installed.
        """
        venv = self.find()
        wanted = str(self.session.python or running_target())
        if reason := self._describe_mismatch(venv, wanted):
            message = f"{self.session.name} was created {reason}"
            if not self._may_install:
                raise ToolchainError(message, hint=f"Run: {self.recreate_command}")
            self.console.warn(f"{message}: creating it again")
            self._recreate()
            venv = self.find()
        with suppress(OSError):  # whoever cannot write it uses it as it is
            venv.write_note(CREATED, f"{venv.location}\n{wanted}")
        return venv

    def _describe_mismatch(self, venv: Environment, wanted: str) -> str:
        """Return how an environment was created that this session cannot use, else nothing.

        Its scripts name its folder: those of a copy run what is in the original.
        """
        folder, _, python = venv.read_note(CREATED).partition("\n")
        if folder not in {"", str(venv.location)}:
            return "in another folder"
        # Without `python=` and a note, its Python may be that of `venv_params`.
        fits = python == wanted or not (python or self.session.python)
        if not fits:
            known = is_for(wanted, venv.target)
            fits = not python if known is None else known
        return "" if fits and not has_other_python(venv) else "with another Python"

    def _recreate(self) -> None:
        venv = cast("VirtualEnv | CondaEnv", self.session.virtualenv)
        venv.reuse_existing = False
        venv.create()

    @functools.cached_property
    def _may_install(self) -> bool:
        """Whether nox installs in this session: not under -R or --no-install.

        nox has no other public way to ask; see `session.run_install` in its documentation.
        """
        return self.session.run_install("python", "-V", silent=True, log=False) is not None

    def _is_usable(self, judged: Judged, on_stale: str) -> bool:
        """Return whether a lock file may be installed; outside CI also without required hashes."""
        verdict, current = judged.verdict, judged.planned and judged.planned.current
        if on_stale == "install" and verdict.word == STALE and current and not current.includes:
            self.console.warn(
                f"{judged.path} is {STALE}, and installed: {verdict.reasons[0].message}"
            )
            return True
        if is_ci(self.project.environ) or not lacks_hashes_alone(verdict):
            return verdict.fresh
        self.console.warn(f"{judged.path}: {verdict.reasons[0].message}")
        return True

    def _sync(self, locked: LockedEnvironment) -> LockedEnvironment:
        """Install; recreate an environment whose pip does not run: nox was killed creating it."""
        try:
            sync(locked, self._installer(locked), self.console)
        except InstallerBrokenError as error:
            self.console.warn(f"{self.session.name}: {error.message}: creating it again")
            self._recreate()
            locked = locked._replace(venv=self.find())
            sync(locked, self._installer(locked), self.console)
        return locked

    def _installer(self, locked: LockedEnvironment) -> SessionInstaller:
        from nox_lock.sessions.installer import SessionInstaller  # noqa: PLC0415  (seldom needed)

        return SessionInstaller(self.session, locked)

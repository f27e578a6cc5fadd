"""A nox session as the core sees it: where its environment is, and what installs there.

Apart from `api`, which each noxfile loads: this is loaded only where there is work.
"""

from __future__ import annotations

import logging
import os
import re
import shlex
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import nox
from nox.command import CommandFailed
from nox.virtualenv import VirtualEnv

from nox_lock.console import Console, Terminal, is_interactive, supports_unicode
from nox_lock.environments.environment import site_packages
from nox_lock.errors import InstallerBrokenError, InstallError, NoxLockError
from nox_lock.text import mask, redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nox_lock.planning.config import Config
    from nox_lock.planning.lock_plan import LockPlan
    from nox_lock.project import Project

    Plan = Callable[[Project, Iterable[str | None]], tuple[Config, list[LockPlan]]]


# Without -I, a `pip.py` of the project would be run. A variable would reach all that builds, too.
_PIP = ("python", "-I", "-m", "pip")


class SessionHost:
    """A session, as `providing` knows it; what installs in it is pip, or uv."""

    def __init__(
        self, session: nox.Session, console: Console, project: Project, plan: Plan
    ) -> None:
        self.session = session
        self.name = session.name
        self.console = console
        self.project = project
        self._plan = plan

    def plan(self, names: Iterable[str | None]) -> tuple[Config, list[LockPlan]]:
        return self._plan(self.project, names)

    @property
    def location(self) -> Path:
        return Path(self.session.virtualenv.location).resolve()

    @property
    def remake_command(self) -> str:
        return f"nox --reuse-venv=never -s {shlex.quote(self.name)}"

    def make_installer(self, build_constraints: Iterable[str]) -> SessionInstaller:
        return SessionInstaller(self.session, build_constraints)

    def installs(self) -> bool:
        """Tell whether nox installs in this session: not under -R or --no-install.

        nox has no other public way to ask; see `session.run_install` in its documentation.
        """
        return self.session.run_install("python", "-V", silent=True, log=False) is not None

    def remake(self) -> bool:
        made = self.session.virtualenv
        if not isinstance(made, VirtualEnv):
            return False
        made.reuse_existing = False
        made.create()
        return True

    def output(self, line: str) -> None:
        nox.logger.logger.output(redact(line))


def _has_old_pip(location: Path) -> bool:
    """Return whether only the constraints of pip itself reach what it builds: before 25.3."""
    found = site_packages(location)
    names = [each.name for each in found.glob("pip-*.dist-info")] if found else []
    return any(tuple(map(int, re.findall(r"\d+", name)[:2])) < (25, 3) for name in names)


class SessionInstaller:
    """What installs in a session: pip, or uv with the indexes that pip is told of."""

    def __init__(self, session: nox.Session, build_constraints: Iterable[str]) -> None:
        from nox_lock.compiling.index_settings import (  # noqa: PLC0415  (most have nothing to install)
            REPOSITORY,
            UNASKED,
            file_urls,
            read_index_settings,
            refuse_uv_settings,
            uv_environment,
        )

        self.session = session
        self.by_uv = session.venv_backend == "uv"
        # What a git hook says of its own repository would mislead a clone, or a build.
        self.environ: dict[str, str | None] = dict.fromkeys(REPOSITORY & os.environ.keys())
        self.environ |= UNASKED
        if limits := file_urls(Path.cwd(), build_constraints):
            self.environ |= dict.fromkeys(("PIP_BUILD_CONSTRAINT", "UV_BUILD_CONSTRAINT"), limits)
            if _has_old_pip(Path(session.virtualenv.location)):
                self.environ["PIP_CONSTRAINT"] = limits
        if self.by_uv:
            refuse_uv_settings(Path.cwd(), os.environ)
            self.environ |= uv_environment(read_index_settings(os.environ), os.environ)

    def install(self, arguments: list[str], log: Path | None = None) -> None:
        try:
            if not self.by_uv:
                self._install_by_pip(arguments, log)
            elif log is None:
                self.session.install(*arguments, env=self.environ)
            else:
                self._install_by_uv(arguments, log)
        except CommandFailed as error:
            # pip keeps its log from its start on.
            if not self.by_uv and log is not None and not log.stat().st_size and not self._runs():
                raise InstallerBrokenError(
                    "pip does not run in this environment",
                    hint=f"Run: nox --reuse-venv=never -s {shlex.quote(self.session.name)}",
                ) from error
            from nox_lock.compiling.index_settings import read_index_settings  # noqa: PLC0415

            with suppress(NoxLockError):  # of the indexes in it only the hosts are shown
                read_index_settings(os.environ)
            raise InstallError("the installer failed") from error

    def _install_by_pip(self, arguments: list[str], log: Path | None) -> None:
        """Do what `session.install` does, with our pip command."""
        environ = {**self.environ, "PIP_LOG": str(log)} if log else self.environ
        silent = not nox.logger.logger.isEnabledFor(nox.logger.OUTPUT)
        self.session.run_install(
            *_PIP, "install", *arguments, env=environ, silent=silent, external="error"
        )

    def _runs(self) -> bool:
        """Tell whether pip can install at all, whatever its settings are."""
        command = (*_PIP, "--isolated", "help", "install")
        try:
            self.session.run_install(*command, silent=True, log=False)
        except CommandFailed:
            return False
        return True

    def _install_by_uv(self, arguments: list[str], log: Path) -> None:
        """Keep what uv says, and show it as nox does: in verbose mode, or when uv fails."""
        show = nox.logger.logger.error
        try:
            with log.open("w", encoding="utf-8") as stderr:
                self.session.install(*arguments, env=self.environ, stderr=stderr)
            show = nox.logger.logger.output
        finally:
            if said := log.read_text(encoding="utf-8", errors="replace"):
                show(mask(said))

    def uninstall(self, names: list[str]) -> None:
        command = ["uv", "pip", "uninstall"] if self.by_uv else [*_PIP, "uninstall", "--yes"]
        try:
            self.session.run_install(*command, *names, env=self.environ, silent=True)
        except CommandFailed as error:
            raise InstallError(f"could not be taken away: {', '.join(names)}") from error


def console_of(session: nox.Session, lock_command: str) -> Console:
    """Return the console of a session, which prints as its nox does."""
    return Console(
        session.log,
        session.warn,
        lock_command,
        Terminal(
            unicode=supports_unicode(sys.stderr.encoding),
            colour=_has_colours(),
            interactive=is_interactive(os.environ),
        ),
        verbose=nox.logger.logger.isEnabledFor(nox.logger.OUTPUT),
    )


def _has_colours() -> bool:
    """Tell whether nox was told, or decided, to log in colours; it says so nowhere else."""
    record = logging.LogRecord("nox", logging.INFO, "", 0, "", None, None)
    return any("\x1b" in handler.format(record) for handler in logging.getLogger().handlers)

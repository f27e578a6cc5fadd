"""The environment of a running session, and pip or uv, which make it match its lock files.

Apart from `api`, which each noxfile loads: this is loaded only if there is something to do.
"""

from __future__ import annotations

import functools
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import nox
from nox.command import CommandFailed
from packaging.specifiers import SpecifierSet

from nox_lock.checking.judge import judge_all, lacks_hashes_alone
from nox_lock.checking.verdict import STALE
from nox_lock.compiling import index_settings
from nox_lock.environments.comparison import LockedEnvironment, refuse_disagreement
from nox_lock.environments.environment import (
    current_version,
    find_environment,
    list_distributions,
    project_is_installed,
)
from nox_lock.environments.snapshot import CREATED
from nox_lock.environments.sync import install_project, list_first, sync, write_constraints
from nox_lock.errors import (
    ConfigError,
    InstallerBrokenError,
    InstallError,
    NoxLockError,
    ToolchainError,
)
from nox_lock.inputs.syntax import meets
from nox_lock.planning.planner import for_environment
from nox_lock.project import is_ci
from nox_lock.sessions.noxfile import is_for
from nox_lock.target import running_target
from nox_lock.text import as_argument, mask, redact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nox.virtualenv import CondaEnv, VirtualEnv

    from nox_lock.checking.verdict import Judged
    from nox_lock.console import Console
    from nox_lock.environments.environment import Environment
    from nox_lock.environments.snapshot import Snapshot
    from nox_lock.planning.config import Config
    from nox_lock.project import Project
    from nox_lock.sessions.noxfile import Noxfile

ProjectInstall = Literal["editable", "wheel"] | None
# Without -I, a `pip.py` of the project would be run. A variable would reach all that builds, too.
_PIP = ("python", "-I", "-m", "pip")
# What uv says where one of its settings hides a release.
_HIDDEN_FROM_UV = {
    "`exclude-newer`": "exclude-newer",
    "index lookups were disabled": "no-index",
    "network was disabled": "offline",
}


@dataclass(frozen=True)
class SessionEnvironment:
    """The environment of a session.

    Attributes:
        names: its locks; None is the only one, or `requirements`.
        order: how many times this session has installed locks before.
    """

    session: nox.Session
    names: Sequence[str | None]
    noxfile: Noxfile
    console: Console
    order: int

    @property
    def project(self) -> Project:
        """The project of the noxfile."""
        return self.noxfile.project

    @property
    def recreate_command(self) -> str:
        """The command that creates the environment again."""
        return f"nox --reuse-venv=never -s {as_argument(self.session.name)}"

    def prepare(
        self, install: ProjectInstall, snapshot: Snapshot, *, constrain: bool
    ) -> LockedEnvironment:
        """Make the environment match; save `snapshot` if there was nothing to do, else install."""
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
            self.console.warn(line, *list_first(map(str, comparison.missing)))
            differing = (each.pin.name or "" for each in comparison.missing)
            locked = locked._replace(ignored={*comparison.remove, *differing})
        if constrain:
            write_constraints(locked)
        if not installed and self._may_install:
            install_project(
                locked, SessionInstaller(self.session, locked), self.console, editable=editable
            )
        elif editable and not installed:
            self.console.warn(f"{self.session.name} does not hold the project as it is now")
        return locked

    def find(self) -> Environment:
        """Return the environment as it is."""
        location = Path(self.session.virtualenv.location).resolve()
        return find_environment(location, self.recreate_command)

    def find_locks(self, venv: Environment) -> tuple[Config, LockedEnvironment]:
        """Return the configuration, and an environment with the lock files it has to match."""
        config, planned = self.noxfile.plan(self.names, to_install=True)
        names = {config.lock(name).name for name in self.names}
        chosen = for_environment([each for each in planned if each.name in names], venv.target)
        commands = self.recreate_command, self.console.lock_command
        return config, LockedEnvironment(chosen, venv, self.project, *commands, order=self.order)

    def _find_usable(self) -> Environment:
        """Return the environment; recreate it if it is of another folder, or of another Python."""
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
        """Return how an environment was created that this session cannot use, else nothing."""
        folder, _, python = venv.read_note(CREATED).partition("\n")
        if folder not in {"", str(venv.location)}:  # which its scripts name
            return "in another folder"
        # Without `python=` and a note, its Python may be that of `venv_params`.
        fits = python == wanted or not (python or self.session.python)
        if not fits:
            known = is_for(wanted, venv.target)
            fits = not python if known is None else known
        if fits and current_version(venv.location) in {None, venv.target.version}:
            return ""
        return "with another Python"

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
        verdict, current = judged.verdict, getattr(judged.planned, "current", None)
        if on_stale == "install" and verdict.word == STALE and current and not current.includes:
            self.console.warn(
                f"{judged.path} is {STALE}, and installed: {verdict.reasons[0].message}"
            )
            return True
        if is_ci(self.project.environ) or not lacks_hashes_alone(verdict):
            return verdict.fresh
        self.console.warn(f"{judged.path}: {verdict.reasons[0].message}; installed as it is")
        return True

    def _sync(self, locked: LockedEnvironment) -> LockedEnvironment:
        """Install; recreate an environment whose pip does not run: nox was killed creating it."""
        try:
            sync(locked, SessionInstaller(self.session, locked), self.console)
        except InstallerBrokenError as error:
            self.console.warn(f"{self.session.name}: {error.message}: creating it again")
            self._recreate()
            locked = locked._replace(venv=self.find())
            sync(locked, SessionInstaller(self.session, locked), self.console)
        return locked


class SessionInstaller:
    """Installs into the environment of a session, by pip, or by uv with pip's indexes."""

    def __init__(self, session: nox.Session, locked: LockedEnvironment) -> None:
        root, environ = locked.project.root, locked.project.environ
        self.session = session
        self.locked = locked
        self.by_uv = session.venv_backend == "uv"
        # What a git hook sets for its own repository would mislead a clone, or a build.
        self.environ: dict[str, str | None] = dict.fromkeys(
            index_settings.REPOSITORY & environ.keys()
        )
        self.environ |= index_settings.UNASKED
        limiting = (file for each in locked.planned for file in each.lock.build_constraints)
        if limits := index_settings.file_urls(root, dict.fromkeys(limiting)):
            self.environ |= dict.fromkeys(("PIP_BUILD_CONSTRAINT", "UV_BUILD_CONSTRAINT"), limits)
            pip = list_distributions(locked.venv).installed.get("pip")
            # Before 25.3 only its own constraints limit what pip builds.
            if pip and meets(SpecifierSet("<25.3"), pip.version):
                self.environ["PIP_CONSTRAINT"] = limits
        if self.by_uv:
            index_settings.refuse_uv_settings(root, environ)
            self.environ |= index_settings.uv_environment(
                index_settings.read_index_settings(environ), environ
            )
            # For this alone uv has no variable.
            self.no_index = ["--no-index"] * bool(index_settings.find_set(["no-index"], environ))
        elif found := index_settings.find_set(index_settings.DIVERTING, environ):
            message = f"{', '.join(found)}: pip would install nothing into this environment"
            raise ConfigError(message, hint="Unset it: `pip config debug` shows where it is set.")

    def install(self, arguments: list[str], log: Path) -> None:
        silent = not nox.logger.logger.isEnabledFor(nox.logger.OUTPUT)
        try:
            if self.by_uv:
                self._install_by_uv(arguments, log, silent=silent)
            else:
                variables = {**self.environ, "PIP_LOG": str(log)}
                self._run("install", *arguments, env=variables, silent=silent)
        except CommandFailed as error:
            # pip writes to its log from its start on.
            if not self.by_uv and not log.stat().st_size and not self._pip_runs():
                raise InstallerBrokenError(
                    "pip does not run in this environment", hint=f"Run: {self.locked.recreate}"
                ) from error
            environ = self.locked.project.environ
            with suppress(NoxLockError):  # from then on only the hosts of the indexes are shown
                index_settings.read_index_settings(environ)
            hiding = self._find_hiding(log)
            hint = f"Unset what may hide it, and run this again: {', '.join(hiding)}"
            raise InstallError("the installer failed", hint=hint if hiding else None) from error

    def _find_hiding(self, log: Path) -> list[str]:
        """Return the settings that may hide what was to be installed."""
        environ = self.locked.project.environ
        if not self.by_uv or self.no_index:
            return index_settings.find_set(
                ["no-index"] if self.by_uv else index_settings.HIDING, environ
            )
        said = log.read_text(encoding="utf-8", errors="replace")
        found = [name for text, name in _HIDDEN_FROM_UV.items() if text in said]
        variables = [f"UV_{name.upper().replace('-', '_')}" for name in found]
        return [
            variable if environ.get(variable) else f"{name} of uv's configuration"
            for name, variable in zip(found, variables, strict=True)
        ]

    def _install_by_uv(self, arguments: list[str], log: Path, *, silent: bool) -> None:
        """Keep what uv prints, and show it as nox does: in verbose mode, or when uv fails."""
        show = nox.logger.logger.error
        try:
            with log.open("w", encoding="utf-8") as stderr:
                command = "install", *self.no_index, *arguments
                self._run(*command, env=self.environ, silent=silent, stderr=stderr)
            show = nox.logger.logger.output
        finally:
            if printed := log.read_text(encoding="utf-8", errors="replace"):
                show(mask(printed))

    def uninstall(self, names: list[str]) -> None:
        options = [] if self.by_uv else ["--yes"]
        try:
            self._run("uninstall", *options, *names, env=self.environ, silent=True)
        except CommandFailed as error:
            raise InstallError(f"could not be removed: {', '.join(names)}") from error

    def _pip_runs(self) -> bool:
        """Return whether pip can install at all, whatever its settings are."""
        try:
            self._run("--isolated", "help", "install", silent=True, log=False)
        except CommandFailed:
            return False
        return True

    def _run(self, *arguments: str, **options: Any) -> None:
        command = ("uv", "pip") if self.by_uv else _PIP
        self.session.run_install(*command, *arguments, external="error", **options)

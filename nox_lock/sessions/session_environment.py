"""The environment of a running session, and pip or uv; loaded only if there is something to do."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import nox
from nox.command import CommandFailed
from packaging.specifiers import SpecifierSet

from nox_lock.checking.judge import judge_all, lacks_hashes_alone
from nox_lock.checking.verdict import STALE, Judged
from nox_lock.compiling import index_settings
from nox_lock.console import Console
from nox_lock.environments.comparison import LockedEnvironment, refuse_disagreement
from nox_lock.environments.environment import Environment, find_environment
from nox_lock.environments.snapshot import CREATED, Snapshot, read_text
from nox_lock.environments.sync import Installed, install_project, list_first, sync
from nox_lock.errors import ConfigError, InstallerBrokenError, ToolchainError
from nox_lock.inputs.syntax import meets
from nox_lock.planning.config import Config
from nox_lock.planning.planner import for_environment, is_within
from nox_lock.project import is_ci
from nox_lock.sessions.noxfile import Noxfile, read_pythons
from nox_lock.target import running_target
from nox_lock.text import as_argument, mask, redact

if TYPE_CHECKING:
    from nox.virtualenv import CondaEnv, VirtualEnv

# What uv says where one of its settings hides a release, with the variable of that.
_HIDDEN_FROM_UV = {
    "`exclude-newer`": "UV_EXCLUDE_NEWER",
    "index lookups were disabled": "UV_NO_INDEX",
    "network was disabled": "UV_OFFLINE",
}
ProjectInstall = Literal["editable", "wheel"] | None
# Without -I, a `pip.py` of the project would be run. A variable would reach all that builds, too.
_PIP = ("python", "-I", "-m", "pip")


@dataclass(frozen=True)
class SessionEnvironment:
    """The environment of a session, and the locks it has to match."""

    session: nox.Session
    names: Sequence[str | None]  # None is the only one, or `requirements`
    noxfile: Noxfile
    console: Console
    order: int  # how often the session has installed locks before

    def prepare(self, install: ProjectInstall, snapshot: Snapshot) -> LockedEnvironment:
        """Make the environment match; save `snapshot` if there was nothing to do, else install."""
        venv, project = self._find_usable(), self.noxfile.project
        config, locked = self.find_locks(venv)
        judged, on_stale = judge_all(locked.planned), config.on_stale
        if stale := [each for each in judged if not self._is_usable(each, on_stale)]:
            from nox_lock.sessions.commands import relock  # noqa: PLC0415

            allowed = on_stale == "lock" or (on_stale == "auto" and not is_ci(project.environ))
            made = relock(stale, project, self.console, allowed=allowed and self._may_install)
            locked = locked._replace(planned=[made.get(each.path, each) for each in locked.planned])
        refuse_disagreement(locked.planned)
        comparison = locked.compare()
        editable = install == "editable"
        has_project = editable and venv.has_project(comparison.installed, project)
        lacks_project = install is not None and not has_project
        if comparison.matches:
            line = f"{self.session.name} holds exactly what is locked in {locked.paths}"
            nox.logger.logger.output(redact(line))
            proven = on_stale != "install" or all(each.verdict.fresh for each in judged)
            if proven and not (lacks_project or stale):
                snapshot.save(project.facts, locked.paths)
        elif self._may_install:
            try:
                sync(locked, SessionInstaller(self.session, locked))
            except InstallerBrokenError as error:  # nox was killed while it made the environment
                self.console.warn(f"{self.session.name}: {error.message}: creating it again")
                locked = locked._replace(venv=self._recreate())
                sync(locked, SessionInstaller(self.session, locked))
        else:
            line = f"{self.session.name} does not hold exactly what is locked in {locked.paths}"
            self.console.warn(line, *list_first(map(str, comparison.missing)))
            locked = locked._replace(is_exact=False)
        if lacks_project and self._may_install:
            install_project(locked, SessionInstaller(self.session, locked), editable=editable)
        elif lacks_project and editable:
            self.console.warn(f"{self.session.name} does not hold the project as it is now")
        return locked

    def find_locks(self, venv: Environment | None = None) -> tuple[Config, LockedEnvironment]:
        """Return the configuration, and the environment with the lock files it has to match."""
        venv = venv or self._find()
        config, planned = self.noxfile.plan(self.names, to_install=True)
        names = {config.lock(name).name for name in self.names}
        chosen = for_environment([each for each in planned if each.name in names], venv.target)
        project = self.noxfile.project
        return config, LockedEnvironment(chosen, venv, project, self.console, self.order)

    def _find(self) -> Environment:
        location = Path(self.session.virtualenv.location).resolve()
        recreate = f"nox --reuse-venv=never -s {as_argument(self.session.name)}"
        return find_environment(location, recreate)

    def _find_usable(self) -> Environment:
        """Return the environment; recreate it if it is of another folder, or of another Python."""
        venv = self._find()
        wanted = str(self.session.python or running_target())
        folder, _, python = venv.read_note(CREATED).partition("\n")
        reason, fits = "", True
        # Without `python=` and a note, its Python may be that of `venv_params`.
        if python != wanted and (python or self.session.python):
            known = [is_within(venv.target, each) for each in read_pythons([wanted])]
            fits = all(known) if known else not python
        if not fits or venv.is_replaced():
            reason = "with another Python"
        if folder not in {"", str(venv.location)}:  # which its scripts name
            reason = "in another folder"
        if reason:
            message = f"{self.session.name} was created {reason}"
            if not self._may_install:
                raise ToolchainError(message, hint=f"Run: {venv.recreate}")
            self.console.warn(f"{message}: creating it again")
            venv = self._recreate()
        with suppress(OSError):  # whoever cannot write it uses it as it is
            venv.write_note(CREATED, f"{venv.location}\n{wanted}")
        return venv

    def _recreate(self) -> Environment:
        venv = cast("VirtualEnv | CondaEnv", self.session.virtualenv)
        venv.reuse_existing = False
        venv.create()
        return self._find()

    @functools.cached_property
    def _may_install(self) -> bool:
        """Whether nox installs in this session: not under -R. It has no other public way to ask."""
        return self.session.run_install("python", "-V", silent=True, log=False) is not None

    def _is_usable(self, judged: Judged, on_stale: str) -> bool:
        """Return whether a lock file may be installed; outside CI also without required hashes."""
        verdict, current = judged.verdict, getattr(judged.planned, "current", None)
        reason = verdict.reasons[0].message if verdict.reasons else ""
        if on_stale == "install" and verdict.word == STALE and current and not current.includes:
            self.console.warn(f"{judged.path} is {STALE}, and installed: {reason}")
        elif lacks_hashes_alone(verdict) and not is_ci(self.noxfile.project.environ):
            self.console.warn(f"{judged.path}: {reason}; installed as it is")
        else:
            return verdict.fresh
        return True


class SessionInstaller:
    """Installs into the environment of a session, by pip, or by uv with pip's indexes."""

    def __init__(self, session: nox.Session, locked: LockedEnvironment) -> None:
        root, environ = locked.project.root, locked.project.environ
        self.session, self.locked = session, locked
        self.by_uv = session.venv_backend == "uv"
        self.environ: dict[str, str | None] = {**index_settings.UNASKED, "PIP_YES": "1"}
        # What a git hook sets for its own repository would mislead a clone, or a build.
        self.environ |= dict.fromkeys(index_settings.REPOSITORY & environ.keys())
        limiting = (file for each in locked.planned for file in each.lock.build_constraints)
        if limits := " ".join((root / each).as_uri() for each in dict.fromkeys(limiting)):
            self.environ |= dict.fromkeys(("PIP_BUILD_CONSTRAINT", "UV_BUILD_CONSTRAINT"), limits)
            pip = locked.venv.distributions().installed.get("pip")
            if pip and meets(SpecifierSet("<25.3"), pip.version):  # it has none for builds alone
                self.environ["PIP_CONSTRAINT"] = limits
        settings = index_settings.read_index_settings(environ)  # of them only hosts are shown now
        if self.by_uv:
            self.environ |= index_settings.uv_environment(settings, environ)
        elif found := index_settings.find_set(index_settings.DIVERTING, environ):
            message = f"{', '.join(found)}: pip would install nothing into this environment"
            raise ConfigError(message, hint="Unset it: `pip config debug` shows where it is set.")
        hiding = ["no-index"] if self.by_uv else index_settings.HIDING
        self.hiding = index_settings.find_set(hiding, environ)

    def __call__(self, arguments: Sequence[str]) -> Installed:
        # Only the user can read it: pip writes folders and whole URLs into it.
        log = self.locked.venv.notes / "install.log"
        log.parent.mkdir(exist_ok=True)
        log.unlink(missing_ok=True)
        log.touch(mode=0o600)
        try:
            if self.by_uv:
                # For this alone uv has no variable.
                more = ["--no-index"] if self.hiding and arguments[0] == "install" else []
                with log.open("w", encoding="utf-8") as stderr:
                    done = self._run(*arguments, *more, stderr=stderr)
            else:
                done = self._run(*arguments, env={**self.environ, "PIP_LOG": str(log)})
        finally:
            printed = read_text(log)
            log.unlink(missing_ok=True)
        if self.by_uv and printed:  # shown as nox does: in verbose mode, or when it fails
            (nox.logger.logger.output if done else nox.logger.logger.error)(mask(printed))
        # pip writes to its log from its start on.
        works = done or printed or self.by_uv
        if not (works or self._run("--isolated", "help", "install", silent=True, log=False)):
            hint = f"Run: {self.locked.venv.recreate}"
            raise InstallerBrokenError("pip does not run in this environment", hint=hint)
        text = " ".join(printed.split())  # uv wraps its lines
        found = [variable for words, variable in _HIDDEN_FROM_UV.items() if words in text]
        found = [f"{each}, or the same in uv's configuration" for each in found]
        return Installed(printed, not done, self.hiding or found)

    def _run(self, *arguments: str, **options: Any) -> bool:
        """Run pip or uv, quiet unless it fails, or nox is verbose; return whether it succeeded."""
        quiet = not nox.logger.logger.isEnabledFor(nox.logger.OUTPUT)
        options = {"env": self.environ, "silent": quiet, **options}
        command = ("uv", "pip") if self.by_uv else _PIP
        with suppress(CommandFailed):
            self.session.run_install(*command, *arguments, external="error", **options)
            return True
        return False

"""pip or uv, as they install into the environment of a session."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import nox
from nox.command import CommandFailed
from packaging.specifiers import SpecifierSet

from nox_lock.compiling.index_settings import (
    DIVERTING,
    HIDING,
    REPOSITORY,
    UNASKED,
    file_urls,
    find_set,
    read_index_settings,
    refuse_uv_settings,
    uv_environment,
)
from nox_lock.environments.environment import list_distributions
from nox_lock.errors import ConfigError, InstallerBrokenError, InstallError, NoxLockError
from nox_lock.inputs.pep508 import meets
from nox_lock.text import mask

if TYPE_CHECKING:
    from pathlib import Path

    from nox_lock.environments.comparison import LockedEnvironment

# Without -I, a `pip.py` of the project would be run. A variable would reach all that builds, too.
_PIP = ("python", "-I", "-m", "pip")
# What uv says where one of its settings hides a release.
_HIDDEN_FROM_UV = {
    "`exclude-newer`": "exclude-newer",
    "index lookups were disabled": "no-index",
    "network was disabled": "offline",
}


class SessionInstaller:
    """Installs into the environment of a session, by pip, or by uv with pip's indexes.

    Args:
        session: the session.
        locked: its environment.
    """

    def __init__(self, session: nox.Session, locked: LockedEnvironment) -> None:
        root, environ = locked.project.root, locked.project.environ
        self.session = session
        self.locked = locked
        self.by_uv = session.venv_backend == "uv"
        # What a git hook sets for its own repository would mislead a clone, or a build.
        self.environ: dict[str, str | None] = dict.fromkeys(REPOSITORY & environ.keys())
        self.environ |= UNASKED
        if limits := file_urls(root, locked.build_constraints):
            self.environ |= dict.fromkeys(("PIP_BUILD_CONSTRAINT", "UV_BUILD_CONSTRAINT"), limits)
            pip = list_distributions(locked.venv).installed.get("pip")
            # Before 25.3 only its own constraints limit what pip builds.
            if pip and meets(SpecifierSet("<25.3"), pip.version):
                self.environ["PIP_CONSTRAINT"] = limits
        if self.by_uv:
            refuse_uv_settings(root, environ)
            self.environ |= uv_environment(read_index_settings(environ), environ)
            # For this alone uv has no variable.
            self.no_index = ["--no-index"] * bool(find_set(["no-index"], environ))
        elif found := find_set(DIVERTING, environ):
            raise ConfigError(
                f"{', '.join(found)}: pip would install nothing into this environment",
                hint="Unset it: `pip config debug` shows where it is set.",
            )

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
                    "pip does not run in this environment",
                    hint=f"Run: {self.locked.recreate}",
                ) from error
            environ = self.locked.project.environ
            with suppress(NoxLockError):  # from then on only the hosts of the indexes are shown
                read_index_settings(environ)
            hiding = self._find_hiding(log)
            hint = f"Unset what may hide it, and run this again: {', '.join(hiding)}"
            raise InstallError("the installer failed", hint=hint if hiding else None) from error

    def _find_hiding(self, log: Path) -> list[str]:
        """Return the settings that may hide what was to be installed."""
        environ = self.locked.project.environ
        if not self.by_uv or self.no_index:
            return find_set(["no-index"] if self.by_uv else HIDING, environ)
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

"""The work behind a session with a lock: fresh locks, then an environment that holds them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from nox_lock.environments.comparison import LockedEnvironment, refuse_disagreement
from nox_lock.environments.environment import (
    find_environment,
    has_other_python,
    project_is_installed,
    record_project,
)
from nox_lock.environments.sync import exclusive_use, sync, write_constraints
from nox_lock.errors import InstallerBrokenError, InstallError
from nox_lock.planning.planner import of_target
from nox_lock.project import is_ci

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from nox_lock.console import Console
    from nox_lock.environments.environment import Environment
    from nox_lock.environments.snapshot import Snapshot
    from nox_lock.environments.sync import Installer
    from nox_lock.planning.config import Config
    from nox_lock.planning.lock_plan import LockPlan
    from nox_lock.project import Project

ProjectInstall = Literal["editable", "wheel"] | None


class Host(Protocol):
    """A session that wants locks installed, as the task runner has it."""

    name: str
    console: Console
    project: Project

    @property
    def location(self) -> Path:
        """The folder of its environment."""

    @property
    def remake_command(self) -> str:
        """What a person runs to make the environment anew."""

    def make_installer(self, build_constraints: Iterable[str]) -> Installer:
        """Return what installs into it, with files that limit what builds use."""

    def installs(self) -> bool:
        """Tell whether anything may be installed in this run."""

    def remake(self) -> bool:
        """Make the environment anew; False where that cannot be done here."""

    def output(self, line: str) -> None:
        """Say what only those want to hear who asked for everything."""

    def plan(self, names: Iterable[str | None]) -> tuple[Config, list[LockPlan]]:
        """Plan the lock files of some locks."""


def look_up(names: Sequence[str], host: Host) -> LockedEnvironment:
    """Return what a session's environment is to hold, by its lock files as they are now.

    Raises:
        NoxLockError: where that cannot be told.
    """
    return _look_up(names, host, find_environment(host.location, host.remake_command))[1]


def _look_up(
    names: Sequence[str], host: Host, venv: Environment
) -> tuple[Config, LockedEnvironment]:
    locks: Sequence[str | None] = names or [None]
    config, planned = host.plan(locks)
    asked = {config.lock(name).name for name in locks}
    chosen = of_target([each for each in planned if each.name in asked], venv.target)
    return config, LockedEnvironment(
        chosen, venv, host.project, host.remake_command, host.console.lock_command
    )


def provide(
    names: Sequence[str],
    project: ProjectInstall,
    host: Host,
    snapshot: Snapshot,
    *,
    constrain: bool = False,
) -> LockedEnvironment:
    """Make a session's environment hold exactly its locks, and the project where that is asked.

    `snapshot` is saved if there was nothing to do.

    Raises:
        NoxLockError: where it cannot, saying why.
    """
    on_stale = _on_stale(host.project)
    venv = _find_environment(host)
    config, wanted = _look_up(names, host, venv)
    stale = [each for each in wanted.planned if not _is_fresh(each, host)]
    there = _project_is_there(wanted, project)
    if stale:
        made = _relock(host, on_stale or config.on_stale, stale)
        wanted = wanted._replace(planned=[made.get(each.path, each) for each in wanted.planned])
    refuse_disagreement(wanted.planned)
    comparison = wanted.compare()
    if comparison.matches:
        host.output(f"{host.name} holds exactly what is locked in {wanted.paths}")
        if there and not stale:
            snapshot.save(host.project.facts, wanted.paths)
    elif host.installs():
        wanted = _make_equal(wanted, host)
    else:
        host.console.warn(f"{host.name} does not hold exactly what is locked in {wanted.paths}")
        wanted = wanted._replace(ignored=comparison.remove)
    if constrain:
        write_constraints(wanted)
    if not there and host.installs():
        _install_project(host, wanted, editable=project == "editable")
    return wanted


def _make_equal(wanted: LockedEnvironment, host: Host) -> LockedEnvironment:
    """Install; an environment that was half made, which nox takes for whole, is made anew."""
    try:
        sync(wanted, host.make_installer(wanted.build_constraints), host.console)
    except InstallerBrokenError as error:
        host.console.warn(f"{host.name}: {error.message}: it is made anew")
        if not host.remake():
            raise
        wanted = wanted._replace(venv=find_environment(host.location, host.remake_command))
        sync(wanted, host.make_installer(wanted.build_constraints), host.console)
    return wanted


def _is_fresh(planned: LockPlan, host: Host) -> bool:
    """Return whether a lock file may be installed; outside CI, without hashes that it must have."""
    from nox_lock.checking.judge import judge, lacks_hashes_alone  # noqa: PLC0415  (it must start at once)

    verdict = judge(planned)
    if is_ci(host.project.environ) or not lacks_hashes_alone(verdict):
        return verdict.fresh
    host.console.warn(f"{planned.path}: {verdict.reasons[0].message}")
    return True


def _find_environment(host: Host) -> Environment:
    """Look at the session's environment; one whose Python has changed beneath it is made anew."""
    venv = find_environment(host.location, host.remake_command)
    if has_other_python(venv) and host.installs():
        host.console.warn(f"{host.name} was made with another Python: it is made anew")
        if host.remake():
            venv = find_environment(host.location, host.remake_command)
    return venv


def _project_is_there(wanted: LockedEnvironment, project: ProjectInstall) -> bool:
    """Tell whether the project is installed as it is now; one to be built never is."""
    if project != "editable":
        return project is None
    return project_is_installed(wanted.venv, wanted.project)


def _install_project(host: Host, wanted: LockedEnvironment, *, editable: bool) -> None:
    with exclusive_use(wanted.venv, host.console):
        try:
            host.make_installer(wanted.build_constraints).install(
                ["--no-deps", *(["-e"] if editable else []), "."]
            )
        except InstallError as error:
            raise InstallError(
                "the project itself could not be installed",
                hint="What its build needs, and why it failed, stands above.",
            ) from error
    if editable:
        record_project(wanted.venv, wanted.project)


def _on_stale(project: Project) -> str:
    """Return what `NOX_LOCK_ON_STALE` says, or nothing."""
    from nox_lock.planning.config import check_on_stale  # noqa: PLC0415

    said = project.environ.get("NOX_LOCK_ON_STALE", "")
    return check_on_stale(said, "NOX_LOCK_ON_STALE") if said else ""


def _relock(host: Host, on_stale: str, stale: Sequence[LockPlan]) -> Mapping[str, LockPlan]:
    from nox_lock.sessions.relocking import relock  # noqa: PLC0415

    return relock(host.project, host.console, stale, on_stale, host.installs)

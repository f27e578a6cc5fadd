"""Where nox-lock meets nox: sessions, the decorator, options, and the one error boundary.

Beside `session_host`, which is loaded only where there is work, the only module that imports nox.
"""

from __future__ import annotations

import functools
import logging
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import nox
import nox.registry

from nox_lock.errors import ConfigError, NoxLockError, as_error
from nox_lock.sessions.noxfile import Locked, lock_names, plan_noxfile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from nox._decorators import Func

    from nox_lock.console import Console
    from nox_lock.environments.comparison import LockedEnvironment
    from nox_lock.environments.snapshot import Snapshot
    from nox_lock.planning.config import Config
    from nox_lock.planning.lock_plan import LockPlan
    from nox_lock.project import Project
    from nox_lock.sessions.providing import ProjectInstall
    from nox_lock.sessions.session_host import SessionHost

    RawFunc = Callable[..., Any]


_PROJECTS = (None, "editable", "wheel")
# The sessions of the noxfile, and the two of `add_sessions` by name.
_LOCKED: list[Locked] = []
_OURS: dict[str, Func] = {}


@overload
def session(func: RawFunc | Func, /) -> Func: ...
@overload
def session(
    func: None = None,
    /,
    *,
    lock: str | Sequence[str] | None = None,
    project: ProjectInstall = None,
    constrain: bool = False,
    **kwargs: Any,
) -> Callable[[RawFunc | Func], Func]: ...


def session(
    func: RawFunc | Func | None = None,
    /,
    *,
    lock: str | Sequence[str] | None = None,
    project: ProjectInstall = None,
    constrain: bool = False,
    **kwargs: Any,
) -> Any:
    """Make a nox session that installs its lock before its body runs.

    A drop-in for `nox.session`: every other argument goes through to it untouched. The
    environment is reused unless ``reuse_venv`` says otherwise, which is safe, because what it
    holds is compared with the lock each time.

    Args:
        func: the session's body, when used without parentheses.
        lock: the name of its lock, or several; left out, the only one, or `requirements`.
        project: also install the project itself: ``"editable"``, or ``"wheel"`` for a build.
        constrain: hold what the body installs later to the versions of the lock.
        kwargs: arguments of `nox.session`,
            https://nox.thea.codes/en/stable/config.html#defining-sessions
    """
    if func is None:
        return functools.partial(_make, lock=lock, project=project, constrain=constrain, **kwargs)
    return _make(func, lock=lock, project=project, constrain=constrain, **kwargs)


def _make(
    func: Any,
    /,
    *,
    lock: str | Sequence[str] | None,
    project: ProjectInstall,
    constrain: bool,
    **kwargs: Any,
) -> Func:
    body = getattr(func, "func", func)  # a Func, when stacked on nox.session
    names = lock_names(lock)
    given = [name for name in names if name is not None]

    @functools.wraps(body)
    def locked(session: nox.Session, *args: Any, **options: Any) -> Any:
        record = _provide(session, given, project, constrain=constrain)
        try:
            return body(session, *args, **options)
        finally:
            _record_body(session, record)

    kwargs.setdefault("reuse_venv", True)
    made = nox.session(locked, **kwargs)
    python = kwargs.get("python", kwargs.get("py"))
    _LOCKED.append(Locked(names, made, python))
    return made


def add_sessions(lock: str = "lock", check: str = "lock-check") -> None:
    """Add the sessions that make and check the locks to the noxfile.

    Args:
        lock: name of the session that makes them.
        check: name of the session that judges them.

    Ends nox with one line when the noxfile has a session of such a name already.
    """
    for name, body in ((lock, _lock), (check, _check)):
        if name in nox.registry.get():
            if name in _OURS:
                sys.exit("nox-lock: this noxfile calls add_sessions() twice. Once is enough.")
            sys.exit(
                f"nox-lock: this noxfile has a session {name!r} of its own. "
                f"Rename it, or write nox_lock.add_sessions(lock=..., check=...)."
            )
        register = nox.session(name=name, python=False, venv_backend="none", default=False)
        _OURS[name] = register(body)


def install(
    session: nox.Session, *names: str, project: ProjectInstall = None, constrain: bool = False
) -> None:
    """Make a session's environment hold what its lock says; run nothing when it does already.

    A stale or missing lock is compiled first, or is an error, as `on-stale` says.

    Args:
        session: the session, with a virtual environment.
        names: the locks; none means the only one, or `requirements`. Several must agree.
        project: also install the project itself: ``"editable"``, or ``"wheel"`` for a build.
        constrain: hold what is installed later to the versions of the lock.
    """
    if not isinstance(session, nox.Session):
        sys.exit(
            f"nox-lock: install(session, ...) in this noxfile is given {session!r}. "
            "Call it inside a session, with that session first."
        )
    _provide(session, names, project, constrain=constrain)


class _Provided(NamedTuple):
    """An environment that holds its locks: how that was told, and what it was found to hold.

    `wanted` is None where the snapshot matched: the locks were not read.
    """

    names: Sequence[str]
    snapshot: Snapshot
    wanted: LockedEnvironment | None


def _provide(
    session: nox.Session, names: Sequence[str], project: ProjectInstall, *, constrain: bool
) -> _Provided | None:
    with _reported(session):
        if project not in _PROJECTS:
            raise ConfigError(f"project={project!r}", hint='Use "editable" or "wheel".')
        if session.bin_paths is None:
            _refuse_no_environment(session)
            return None
        from nox_lock.environments.snapshot import take_snapshot  # noqa: PLC0415
        from nox_lock.project import is_ci  # noqa: PLC0415

        wanted = None
        location = Path(session.virtualenv.location).resolve()
        in_ci = is_ci(os.environ)
        used = [(each.locks, *each.said()) for each in _in_use()]
        snapshot = take_snapshot(location, repr((names, project, constrain, in_ci, used)))
        paths = snapshot.match(_project())
        if paths is None:
            from nox_lock.sessions.providing import provide  # noqa: PLC0415

            wanted = provide(names, project, _host(session), snapshot, constrain=constrain)
        else:
            from nox_lock.text import redact  # noqa: PLC0415

            line = f"{session.name} holds exactly what is locked in {paths}"
            nox.logger.logger.output(redact(line))
        if constrain:
            session.env.update(
                dict.fromkeys(("PIP_CONSTRAINT", "UV_CONSTRAINT"), snapshot.constraints)
            )
        return _Provided(names, snapshot, wanted)


def _host(session: nox.Session) -> SessionHost:
    from nox_lock.sessions.session_host import SessionHost  # noqa: PLC0415  (only when there is work)

    return SessionHost(session, _console(session), _project(), _plan)


def _project() -> Project:
    from nox_lock.project import Project  # noqa: PLC0415  (only when a session runs)

    return Project(Path.cwd(), os.environ)  # place nox runs a noxfile


def _record_body(session: nox.Session, provided: _Provided | None) -> None:
    """Keep what the body left in the environment, and say what it changed."""
    if provided is None or (provided.wanted is None and provided.snapshot.is_unchanged()):
        return
    from nox_lock.environments.sync import record_body  # noqa: PLC0415
    from nox_lock.sessions.providing import look_up  # noqa: PLC0415

    try:
        wanted = provided.wanted or look_up(provided.names, _host(session))
        for line in record_body(wanted):
            message = f"changed by this session itself, and repaired by the next run: {line}"
            _console(session).warn(message)
    except OSError as error:
        session.warn(f"what this session left cannot be kept: {error.strerror}")
    except NoxLockError as error:
        session.warn(f"what this session left cannot be kept: {error.message}")


def _lock(session: nox.Session) -> None:
    """Compile the inputs (requirements.in, ...) into pinned lock files; -- --help tells more."""
    with _reported(session):
        from nox_lock.sessions.lock_command import run_lock  # noqa: PLC0415

        run_lock(session.posargs, session.name, _plan, _console(session))


def _check(session: nox.Session) -> None:
    """Tell whether each lock file is what its inputs ask for; offline, writes nothing."""
    with _reported(session):
        from nox_lock.sessions.check_command import run_check  # noqa: PLC0415

        run_check(session.posargs, session.name, _plan, _console(session))


def _console(session: nox.Session) -> Console:
    from nox_lock.sessions.session_host import console_of  # noqa: PLC0415

    return console_of(session, _lock_command())


def _plan(project: Project, names: Iterable[str | None]) -> tuple[Config, list[LockPlan]]:
    return plan_noxfile(project, _in_use(), names)


def _in_use() -> list[Locked]:
    """Return the sessions with locks, without those that a later one of their name has replaced."""
    registered = {id(made) for made in nox.registry.get().values()}
    return [each for each in _LOCKED if id(each.made) in registered]


def _refuse_no_environment(session: nox.Session) -> None:
    try:
        session.install("--version")  # returns under --no-install, raises else
    except ValueError as error:
        raise ConfigError(
            f"the session {session.name} has no virtual environment to install its lock into",
            hint="Leave out --no-venv (or venv_backend='none'); "
            "--no-install runs it with what is there.",
        ) from error


def _lock_command() -> str:
    """Return what to run to lock, by the name that `add_sessions` was given."""
    name = next((name for name, made in _OURS.items() if made.func is _lock), "lock")
    return f"nox -s {name}"


@contextmanager
def _reported(session: nox.Session) -> Iterator[None]:
    """The one error boundary: show an error as a block, and end the session."""
    # filelock tells of each lock at a level that old nox versions show.
    logging.getLogger("filelock").setLevel(logging.WARNING)
    try:
        _refuse_overridden()
        yield
    except (NoxLockError, OSError, RecursionError) as error:
        from nox_lock.text import redact  # noqa: PLC0415  (only for an error)

        shown = error if isinstance(error, NoxLockError) else as_error(error, Path.cwd())
        lines = [redact(line) for line in str(shown).split("\n")]
        for line in lines:
            session.warn(line)
        # nox puts a full stop behind this, so the text with commands stands above.
        session.error(redact(shown.message.partition("\n")[0]).rstrip(":.?"))


def _refuse_overridden() -> None:
    """Refuse a noxfile that defines a session of a name of ours after `add_sessions`."""
    for name, made in _OURS.items():
        if nox.registry.get().get(name, made) is not made:
            raise ConfigError(
                f"this noxfile has a session {name!r} of its own, which hides the one of nox-lock",
                hint="Rename it, or write nox_lock.add_sessions(lock=..., check=...).",
            )

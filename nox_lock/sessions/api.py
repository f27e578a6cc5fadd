"""The public functions; each noxfile loads this, so it imports the rest only for work."""

from __future__ import annotations

import functools
import gc
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import nox
import nox.registry

from nox_lock.errors import ConfigError, NoxLockError, as_error
from nox_lock.sessions.noxfile import DeclaredSession, Noxfile

if TYPE_CHECKING:
    from nox._decorators import Func
    from nox.virtualenv import ProcessEnv

    from nox_lock.console import Console
    from nox_lock.environments.comparison import LockedEnvironment
    from nox_lock.environments.snapshot import Snapshot
    from nox_lock.sessions.session_environment import ProjectInstall, SessionEnvironment

    RawFunc = Callable[..., Any]

# The locks of sessions, with the `python=` of their decorators: nox's is False under ``--no-venv``.
_LOCKED: dict[object, tuple[tuple[str | None, ...], object]] = {}
_OURS: dict[str, Func] = {}  # the sessions of `add_sessions` by name
_RENAME = "Rename it, or write nox_lock.add_sessions(lock=..., check=...)."


class _Record:
    """What a session has installed, by its decorator and `install`: each call adds locks."""

    names: tuple[str | None, ...] = ()  # of the locks of all calls
    snapshot: Snapshot | None = None  # of the first call, if it matched: then no lock was read

    def __init__(self, session: nox.Session) -> None:
        self.session = session
        self.environments: list[LockedEnvironment] = []  # one for each call whose locks were read

    def open(self, noxfile: Noxfile, names: Sequence[str | None]) -> SessionEnvironment:
        """Return the environment of the session, with locks to be found and installed."""
        from nox_lock.sessions.session_environment import SessionEnvironment  # noqa: PLC0415

        order, console = len(self.environments), _console(self.session)
        return SessionEnvironment(self.session, names, noxfile, console, order)

    def find(self, noxfile: Noxfile) -> list[LockedEnvironment]:
        """Return the environment with the locks of each call; read those of the first if needed."""
        if self.names and not self.environments:
            self.environments.append(self.open(noxfile, self.names).find_locks()[1])
        return self.environments


_RECORDS: dict[ProcessEnv, _Record] = {}


@overload
def session(func: RawFunc | Func, /) -> Func: ...
@overload
def session(
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
    environment is reused unless ``reuse_venv`` says otherwise, which is safe: what is installed is
    compared with the lock each time.

    Args:
        func: the session's body, when used without parentheses.
        lock: the name of its lock, or several; left out, the only one, or `requirements`.
        project: also install the project itself: ``"editable"``, or ``"wheel"`` for a build.
        constrain: constrain what the body installs later to the versions of the lock.
        kwargs: arguments of `nox.session`,
            https://nox.thea.codes/en/stable/config.html#defining-sessions
    """
    if func is None:
        return functools.partial(session, lock=lock, project=project, constrain=constrain, **kwargs)
    body = getattr(func, "func", func)  # a Func, when stacked on nox.session
    names = tuple(lock) if isinstance(lock, (list, tuple)) else (lock,)
    if lock is not None and not all(isinstance(name, str) for name in names):
        sys.exit(
            f"nox-lock: lock={lock!r} in this noxfile names no lock. "
            'Write lock="NAME", or lock=["NAME", "NAME"].'
        )

    @functools.wraps(body)
    def locked(session: nox.Session, *args: Any, **options: Any) -> Any:
        _prepare(session, names, project, constrain=constrain)
        try:
            return body(session, *args, **options)
        finally:
            _record_body(session)

    kwargs.setdefault("reuse_venv", True)
    made = nox.session(locked, **kwargs)
    _LOCKED[made] = names, kwargs.get("python", kwargs.get("py"))
    return made


def add_sessions(lock: str = "lock", check: str = "lock-check") -> None:
    """Add two sessions to the noxfile: `lock` compiles the locks, and `check` checks them.

    Ends nox with one line when the noxfile has a session of such a name already.
    """
    for name, body in ((lock, _lock), (check, _check)):
        if name in nox.registry.get():
            if name in _OURS:
                sys.exit("nox-lock: this noxfile calls add_sessions() twice. Once is enough.")
            sys.exit(f"nox-lock: this noxfile has a session {name!r} of its own. {_RENAME}")
        register = nox.session(name=name, python=False, venv_backend="none", default=False)
        _OURS[name] = register(body)


def install(
    session: nox.Session, *names: str, project: ProjectInstall = None, constrain: bool = False
) -> None:
    """Make a session's environment match its lock; run nothing if it does already.

    A stale or missing lock is compiled first, or is an error, as `on-stale` says. What one session
    installs, by its decorator and by several calls, adds up, and must agree.

    Args:
        session: the session, with a virtual environment.
        names: the locks; none means the only one, or `requirements`. Several must agree.
        project: also install the project itself: ``"editable"``, or ``"wheel"`` for a build.
        constrain: constrain what is installed later to the versions of the lock.
    """
    if not isinstance(session, nox.Session):
        sys.exit(
            f"nox-lock: install(session, ...) in this noxfile is given {session!r}. "
            "Call it inside a session, with that session first."
        )
    _prepare(session, names, project, constrain=constrain)


def _prepare(
    session: nox.Session, names: Sequence[str | None], project: ProjectInstall, *, constrain: bool
) -> None:
    """Make the environment match these locks, and those that the session installed before."""
    with _open_noxfile(session) as noxfile:
        if project not in (None, "editable", "wheel"):
            message = f'project={project!r} is neither "editable" nor "wheel"'
            raise ConfigError(message, hint="Write one of these in the noxfile.")
        if session.bin_paths is None:
            if session._runner.global_config.no_install:  # noqa: SLF001  (nox has no public way)
                return
            message = f"the session {session.name} has no virtual environment to install into"
            hint = "Leave out --no-venv (or venv_backend='none'); --no-install runs its body alone."
            raise ConfigError(message, hint=hint)
        from nox_lock import __version__  # noqa: PLC0415  (it imports this module)
        from nox_lock.environments import snapshot as snapshots  # noqa: PLC0415
        from nox_lock.project import is_ci  # noqa: PLC0415
        from nox_lock.text import redact  # noqa: PLC0415

        record = _RECORDS.setdefault(session.virtualenv, _Record(session))
        all_names = tuple(dict.fromkeys((*record.names, *(names or (None,)))))
        used = [(each.locks, *each.pythons) for each in noxfile.sessions if each.locks]
        location = Path(session.virtualenv.location).resolve()
        wanted = session.python or sys.version_info[:2]
        ours = (__version__, all_names, project, constrain, is_ci(os.environ))
        facts = (*ours, used, wanted, str(location))
        # Only the locks that are installed first have a snapshot.
        state = None if record.names else snapshots.read_state(location)
        snapshot = snapshots.Snapshot(location, repr(facts), state)
        if paths := snapshot.match(noxfile.project):
            line = f"{session.name} holds exactly what is locked in {paths}"
            nox.logger.logger.output(redact(line))
            record.snapshot = snapshot
        else:
            earlier = record.find(noxfile)
            environment = record.open(noxfile, all_names)
            if earlier:
                earlier[-1].keep_new()
            locked = environment.prepare(project, snapshot)
            if constrain:
                locked.write_constraints()
            _record_body(session)  # with the locks of earlier calls alone
            earlier.append(locked)
        record.names = all_names
        if constrain:
            pins = (location / snapshots.NOTES / snapshots.CONSTRAINTS).as_uri()
            session.env.update(dict.fromkeys(("PIP_CONSTRAINT", "UV_CONSTRAINT"), pins))


def _record_body(session: nox.Session) -> None:
    """Note what the body installed after each of its locks, and warn of the pins it changed."""
    record = _RECORDS.get(session.virtualenv)
    if record is None or not record.names:
        return
    with _open_noxfile(session, recording=True) as noxfile:
        if record.snapshot and not record.environments:
            from nox_lock.environments.snapshot import read_state  # noqa: PLC0415

            same = read_state(record.snapshot.location) == record.snapshot.state
            if same or not record.snapshot.match(noxfile.project):
                return  # what other lock files do not have was not installed by the body
        found = record.find(noxfile)
        for line in dict.fromkeys(line for each in found for line in each.record_body()):
            message = f"changed by this session itself, and repaired by the next run: {line}"
            _console(session).warn(message)


def _lock(session: nox.Session) -> None:
    """Compile the inputs (requirements.in, ...) into pinned lock files; see -- --help."""
    with _open_noxfile(session) as noxfile:
        from nox_lock.sessions.commands import run  # noqa: PLC0415

        run(session, _OURS, noxfile, _console(session), check=False)


def _check(session: nox.Session) -> None:
    """Check that each lock file is what its inputs require; offline, writes nothing."""
    enabled = gc.isenabled()
    with _open_noxfile(session) as noxfile:
        gc.disable()  # of thousands of new pins none is a cycle, and to look for them takes time
        try:
            from nox_lock.sessions.commands import run  # noqa: PLC0415

            run(session, _OURS, noxfile, _console(session), check=True)
        finally:
            if enabled:
                gc.enable()


def _console(session: nox.Session) -> Console:
    from nox_lock.console import Console, Terminal  # noqa: PLC0415

    colour = bool(session._runner.global_config.color)  # noqa: SLF001  (nox has no public way)
    terminal = Terminal.of(sys.stderr, os.environ, colour=colour)
    verbose = nox.logger.logger.isEnabledFor(nox.logger.OUTPUT)
    command = f"nox -s {next(iter(_OURS), 'lock')}"  # the first of ours locks
    return Console(session.log, session.warn, command, terminal, verbose=verbose)


@contextmanager
def _open_noxfile(session: nox.Session, *, recording: bool = False) -> Iterator[Noxfile]:
    """Work in the folder of the noxfile, wherever `session.chdir` led.

    The one error boundary: an error is printed as a block, and ends the session. While `recording`
    what a body did, it is only warned of.
    """
    from nox_lock.project import Project  # noqa: PLC0415  (only when a session runs)

    # filelock logs each lock at a level that old nox versions show.
    logging.getLogger("filelock").setLevel(logging.WARNING)
    folder = Path(session._runner.global_config.noxfile).parent.resolve()  # noqa: SLF001
    before = None
    with suppress(OSError):  # it may be gone
        before = Path.cwd()
    try:
        os.chdir(folder)
        registered = nox.registry.get()  # without those that a later one of their name replaces
        for name, made in _OURS.items():
            if registered.get(name, made) is not made:
                message = f"this noxfile has a session {name!r} of its own, which hides ours"
                raise ConfigError(message, hint=_RENAME)
        sessions = []
        for name, made in registered.items():
            inner = _LOCKED.get(getattr(made, "func", None))  # where nox.session is on top
            locks, python = _LOCKED.get(made, inner or ((), made.python))
            calls = getattr(made, "parametrize", ())
            given = [getattr(call, "call_spec", {}).get("python") for call in calls]
            sessions.append(DeclaredSession(name, locks, [python, made.python, *given]))
        yield Noxfile(Project(folder, os.environ), sessions)
    except (NoxLockError, OSError, RecursionError) as caught:
        from nox_lock.text import redact  # noqa: PLC0415  (only for an error)

        error = caught if isinstance(caught, NoxLockError) else as_error(caught, folder)
        if recording:  # nothing takes the place of the body's own error
            message = f"what this session installed cannot be recorded: {error.message}"
            session.warn(redact(message))
            return
        for line in str(error).split("\n"):
            session.warn(redact(line))
        # nox puts a full stop behind this, so the commands are printed above.
        session.error(redact(error.message.partition("\n")[0]).rstrip(":.?"))
    finally:
        if before:
            os.chdir(before)

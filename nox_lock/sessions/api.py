"""Where nox-lock meets nox: sessions, the decorator, options, and the one error boundary.

It is loaded by each noxfile, so it imports the rest only when there is work.
"""

from __future__ import annotations

import functools
import gc
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, overload
from weakref import WeakKeyDictionary

import nox
import nox.registry

from nox_lock.errors import ConfigError, NoxLockError, as_error
from nox_lock.sessions.noxfile import LockedSession, Noxfile, names_python

if TYPE_CHECKING:
    from nox._decorators import Func
    from nox.virtualenv import ProcessEnv

    from nox_lock.console import Console
    from nox_lock.environments.comparison import LockedEnvironment
    from nox_lock.environments.snapshot import Snapshot
    from nox_lock.sessions.commands import Others
    from nox_lock.sessions.session_environment import ProjectInstall, SessionEnvironment

    RawFunc = Callable[..., Any]


# The locked sessions of the noxfile, and those of `add_sessions` by name.
_LOCKED: list[LockedSession] = []
_OURS: dict[str, Func] = {}
_RENAME = "Rename it, or write nox_lock.add_sessions(lock=..., check=...)."


class _Installed(NamedTuple):
    """Locks that a session has installed, after others; `locked` is None if a snapshot matched."""

    session: nox.Session
    names: tuple[str | None, ...]
    order: int
    snapshot: Snapshot
    locked: LockedEnvironment | None = None

    def environment(self) -> SessionEnvironment:
        from nox_lock.sessions.session_environment import SessionEnvironment  # noqa: PLC0415

        console = _console(self.session)
        return SessionEnvironment(self.session, self.names, _noxfile(), console, self.order)

    def find_locked(self) -> LockedEnvironment:
        environment = self.environment()
        return self.locked or environment.find_locks(environment.find())[1]


# By environment, in order.
_INSTALLED: WeakKeyDictionary[ProcessEnv, list[_Installed]] = WeakKeyDictionary()


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
        installed = _prepare(session, names, project, constrain=constrain)
        try:
            return body(session, *args, **options)
        finally:
            _record_body(installed)

    kwargs.setdefault("reuse_venv", True)
    made = nox.session(locked, **kwargs)
    _LOCKED.append(LockedSession(names, made, kwargs.get("python", kwargs.get("py"))))
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
) -> list[_Installed]:
    """Make the environment match its locks; return all that the session has installed."""
    with _report_errors(session):
        if project not in (None, "editable", "wheel"):
            message = f'project={project!r} is neither "editable" nor "wheel"'
            raise ConfigError(message, hint="Write one of these in the noxfile.")
        if session.bin_paths is None:
            if session._runner.global_config.no_install:  # noqa: SLF001  (nox has no public way)
                return []
            raise ConfigError(
                f"the session {session.name} has no virtual environment to install its lock into",
                hint="Leave out --no-venv (or venv_backend='none'); "
                "--no-install runs it with what is there.",
            )
        from nox_lock import __version__  # noqa: PLC0415  (it imports this module)
        from nox_lock.environments import snapshot as snapshots  # noqa: PLC0415
        from nox_lock.project import is_ci  # noqa: PLC0415
        from nox_lock.text import redact  # noqa: PLC0415

        noxfile = _noxfile()
        installed = _INSTALLED.setdefault(session.virtualenv, [])
        before = installed[-1].names if installed else ()
        all_names = tuple(dict.fromkeys((*before, *(names or (None,)))))
        used = [(each.locks, *each.pythons()) for each in noxfile.sessions]
        location = Path(session.virtualenv.location).resolve()
        wanted = session.python or sys.version_info[:2]
        ours = (__version__, all_names, project, constrain, is_ci(os.environ))
        facts = (*ours, used, wanted, str(location))
        # It is of the locks that are installed first.
        state = None if installed else snapshots.read_state(location)
        snapshot = snapshots.Snapshot(location, repr(facts), state)
        this = _Installed(session, all_names, len(installed), snapshot)
        if paths := snapshot.match(noxfile.project):
            line = f"{session.name} holds exactly what is locked in {paths}"
            nox.logger.logger.output(redact(line))
        else:
            environment = this.environment()
            if installed:
                installed[-1].find_locked().keep_new()
            locked = environment.prepare(project, snapshot, constrain=constrain)
            this = this._replace(locked=locked)
        if constrain:
            pins = (location / snapshots.NOTES / snapshots.CONSTRAINTS).as_uri()
            session.env.update(dict.fromkeys(("PIP_CONSTRAINT", "UV_CONSTRAINT"), pins))
        _record_body(installed)
        installed.append(this)
        return installed


def _record_body(installed: Sequence[_Installed]) -> None:
    """Note what the body installed after each of its locks, and warn of the pins it changed."""
    if not installed:
        return
    session, found = installed[0].session, installed[0].snapshot
    if len(installed) == 1 and installed[0].locked is None:
        from nox_lock.environments.snapshot import read_state  # noqa: PLC0415

        if read_state(found.location) == found.state or not found.match(_noxfile().project):
            return  # what other lock files do not have was not installed by the body
    try:
        with _folder_of_noxfile(session):
            changed = [line for each in installed for line in each.find_locked().record_body()]
            for line in dict.fromkeys(changed):
                message = f"changed by this session itself, and repaired by the next run: {line}"
                _console(session).warn(message)
    except (NoxLockError, OSError) as error:
        reason = error.message if isinstance(error, NoxLockError) else error.strerror
        message = f"what this session installed cannot be recorded: {reason}"
        _console(session).warn(message)  # the folder may be gone


def _noxfile() -> Noxfile:
    """Return the noxfile, without the sessions that a later one of their name replaces."""
    from nox_lock.project import Project  # noqa: PLC0415  (only when a session runs)

    registered = {id(made) for made in nox.registry.get().values()}
    sessions = [each for each in _LOCKED if id(each.made) in registered]
    return Noxfile(Project(Path.cwd(), os.environ), sessions)  # nox runs it in its folder


def _lock(session: nox.Session) -> None:
    """Compile the inputs (requirements.in, ...) into pinned lock files; see -- --help."""
    with _report_errors(session):
        from nox_lock.sessions.commands import run  # noqa: PLC0415

        run(session, _find_others(session), _noxfile(), _console(session), check=False)


def _check(session: nox.Session) -> None:
    """Check that each lock file is what its inputs require; offline, writes nothing."""
    enabled = gc.isenabled()
    with _report_errors(session):
        gc.disable()  # of thousands of new pins none is a cycle, and to look for them takes time
        try:
            from nox_lock.sessions.commands import run  # noqa: PLC0415

            run(session, _find_others(session), _noxfile(), _console(session), check=True)
        finally:
            if enabled:
                gc.enable()


def _find_others(session: nox.Session) -> Others:
    """Return the other sessions that get its arguments; refuse ``-P six`` without ``--`` before."""
    python = session.python
    if isinstance(python, str) and not names_python(python):
        from nox_lock.text import as_argument  # noqa: PLC0415  (only for an error)

        message = f"-P {python} names no Python, and before -- it is an option of nox"
        command = _console(session).lock_command
        raise ConfigError(message, hint=f"Run: {command} -- -P {as_argument(python)}")
    from nox_lock.sessions.commands import Others  # noqa: PLC0415

    runner = session._runner  # noqa: SLF001  (nox has no public way to ask)
    if session.posargs != [*runner.global_config.posargs]:  # `notify` gave them to this one alone
        return Others([])
    if getattr(session, "parallel", False):
        return Others(["other sessions"])  # which ones, no worker of ``nox -j`` knows
    every = (each for each, _ in runner.manifest.list_all_sessions() if each in runner.manifest)
    names = dict.fromkeys(each.name for each in every)
    ours = (name for name in names if name in _OURS and name != session.name)
    return Others([name for name in names if name not in _OURS], next(ours, None))


def _console(session: nox.Session) -> Console:
    from nox_lock.console import Console, Terminal  # noqa: PLC0415

    colour = bool(session._runner.global_config.color)  # noqa: SLF001  (nox has no public way)
    terminal = Terminal.of(sys.stderr, os.environ, colour=colour)
    verbose = nox.logger.logger.isEnabledFor(nox.logger.OUTPUT)
    name = next((name for name, made in _OURS.items() if made.func is _lock), "lock")
    return Console(session.log, session.warn, f"nox -s {name}", terminal, verbose=verbose)


@contextmanager
def _report_errors(session: nox.Session) -> Iterator[None]:
    """The one error boundary: print an error as a block, and end the session."""
    # filelock logs each lock at a level that old nox versions show.
    logging.getLogger("filelock").setLevel(logging.WARNING)
    try:
        with _folder_of_noxfile(session):
            for name, made in _OURS.items():
                if nox.registry.get().get(name, made) is not made:
                    message = f"this noxfile has a session {name!r} of its own, which hides ours"
                    raise ConfigError(message, hint=_RENAME)
            yield
    except (NoxLockError, OSError, RecursionError) as caught:
        from nox_lock.text import redact  # noqa: PLC0415  (only for an error)

        error = caught if isinstance(caught, NoxLockError) else as_error(caught, Path.cwd())
        for line in str(error).split("\n"):
            session.warn(redact(line))
        # nox puts a full stop behind this, so the commands are printed above.
        session.error(redact(error.message.partition("\n")[0]).rstrip(":.?"))


@contextmanager
def _folder_of_noxfile(session: nox.Session) -> Iterator[None]:
    """Work in the folder of the noxfile meanwhile, wherever `session.chdir` led."""
    before = Path.cwd()
    os.chdir(Path(session._runner.global_config.noxfile).parent)  # noqa: SLF001
    try:
        yield
    finally:
        os.chdir(before)

"""Where nox-lock meets nox: sessions, the decorator, options, and the one error boundary.

The only module that imports nox.
"""

from __future__ import annotations

import functools
import logging
import os
import shlex
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import nox
import nox.registry
from nox.virtualenv import InterpreterNotFound

from nox_lock._errors import ConfigError, InterpretersMissingError, NoxLockError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from nox._decorators import Func
    from packaging.specifiers import SpecifierSet

    from nox_lock._config import Config
    from nox_lock._planned import Planned
    from nox_lock._target import Target
    from nox_lock._voice import Voice

    Project = Literal["editable", "wheel"] | None
    RawFunc = Callable[..., Any]

_PROJECT = ("editable", "wheel")


@dataclass(frozen=True)
class _Locked:
    """A session that uses locks: their names, and the Pythons as its decorator was given them.

    nox changes ``made.python`` to False under ``--no-venv``, so what was given is kept as well.
    """

    locks: tuple[str | None, ...]
    made: Func
    python: object


# The sessions of the noxfile, and the two of `add_sessions` by name.
_LOCKED: list[_Locked] = []
_OURS: dict[str, Func] = {}


@overload
def session(func: RawFunc | Func, /) -> Func: ...
@overload
def session(
    func: None = None,
    /,
    *,
    lock: str | Sequence[str] | None = None,
    project: Project = None,
    **kwargs: Any,
) -> Callable[[RawFunc | Func], Func]: ...


def session(
    func: RawFunc | Func | None = None,
    /,
    *,
    lock: str | Sequence[str] | None = None,
    project: Project = None,
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
        kwargs: arguments of `nox.session`,
            https://nox.thea.codes/en/stable/config.html#defining-sessions
    """
    if func is None:
        return functools.partial(_make, lock=lock, project=project, **kwargs)
    return _make(func, lock=lock, project=project, **kwargs)


def _make(
    func: Any, /, *, lock: str | Sequence[str] | None, project: Project, **kwargs: Any
) -> Func:
    body = getattr(func, "func", func)  # a Func, when stacked on nox.session
    names = _names(lock)

    @functools.wraps(body)
    def locked(session: nox.Session, *args: Any, **options: Any) -> Any:
        install(session, *(name for name in names if name is not None), project=project)
        return body(session, *args, **options)

    kwargs.setdefault("reuse_venv", True)
    made = nox.session(locked, **kwargs)
    python = kwargs.get("python", kwargs.get("py"))
    _LOCKED.append(_Locked(names, made, python))
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
            sys.exit(
                f"nox-lock: this noxfile has a session {name!r} of its own. "
                f"Rename it, or write nox_lock.add_sessions(lock=..., check=...)."
            )
        register = nox.session(name=name, python=False, venv_backend="none", default=False)
        _OURS[name] = register(body)


def install(session: nox.Session, *names: str, project: Project = None) -> None:
    """Make a session's environment hold what its lock says; run nothing when it does already.

    A stale or missing lock is compiled first, or is an error, as `on-stale` says.

    Args:
        session: the session, with a virtual environment.
        names: the locks; none means the only one, or `requirements`. Several must agree.
        project: also install the project itself: ``"editable"``, or ``"wheel"`` for a build.
    """
    with _reported(session):
        if project not in (None, *_PROJECT):
            raise ConfigError(f"project={project!r}", hint='Use "editable" or "wheel".')
        _install(session, names, project)


def _lock(session: nox.Session) -> None:
    """Compile the inputs (requirements.in, ...) into pinned lock files; -- --help tells more."""
    with _reported(session):
        from nox_lock._commands import run_lock  # noqa: PLC0415

        run_lock(session.posargs, session.name, _plan, _voice(session))


def _check(session: nox.Session) -> None:
    """Tell whether each lock file is what its inputs ask for; offline, writes nothing."""
    with _reported(session):
        from nox_lock._checking import run_check  # noqa: PLC0415

        run_check(session.posargs, session.name, _plan, _voice(session))


def _voice(session: nox.Session) -> Voice:
    from nox_lock._voice import Voice, speaks_unicode  # noqa: PLC0415

    unicode = speaks_unicode(sys.stderr.encoding)
    return Voice(session.log, session.warn, _lock_command(), unicode=unicode)


def _install(session: nox.Session, names: Sequence[str], project: Project) -> None:
    from nox_lock import _environment  # noqa: PLC0415
    from nox_lock._freshness import is_fresh  # noqa: PLC0415
    from nox_lock._targets import of_target  # noqa: PLC0415

    if session.bin_paths is None:
        _refuse_no_environment(session)
        return
    root, on_stale = Path.cwd(), _on_stale()
    remake = f"nox --reuse-venv=never -s {shlex.quote(session.name)}"
    venv = _environment.find_environment(Path(session.virtualenv.location).resolve(), remake)
    wanted: Sequence[str | None] = names or [None]
    config, planned = _plan(wanted)
    asked = {config.lock(name).name for name in wanted}
    chosen = of_target([each for each in planned if each.name in asked], venv.target)
    by_content = bool(os.environ.get("CI"))
    stale = [each for each in chosen if not is_fresh(each, by_content=by_content)]
    made = _relock(session, on_stale or config.on_stale, stale) if stale else {}
    chosen = [made.get(each.path, each) for each in chosen]
    _environment.refuse_disagreement(chosen)
    for each in chosen:
        if _environment.find_differences(each, venv.site, root) and _installs(session):
            _environment.make_equal(each, venv, root, _installer(session), remake)
    if project == "wheel" and _installs(session):
        _installer(session)(["--no-deps", "."])
    editable = project == "editable" and not _environment.project_is_installed(venv, root)
    if editable and _installs(session):
        _installer(session)(["--no-deps", "-e", "."])
        _environment.record_project(venv, root)


def _installer(session: nox.Session) -> Callable[[list[str]], None]:
    """Return what installs in a session: pip, or uv with the indexes that pip is told of."""
    from nox_lock._indexes import read_index_settings, uv_environment  # noqa: PLC0415

    environ: dict[str, str] = {}
    if session.venv_backend == "uv":
        environ = uv_environment(read_index_settings(os.environ), os.environ)
    return lambda words: session.install(*words, env=environ)


def _on_stale() -> str:
    """Return what `NOX_LOCK_ON_STALE` says, or nothing."""
    from nox_lock._config import check_on_stale  # noqa: PLC0415

    said = os.environ.get("NOX_LOCK_ON_STALE", "")
    return check_on_stale(said, "NOX_LOCK_ON_STALE") if said else ""


def _relock(session: nox.Session, on_stale: str, stale: Sequence[Planned]) -> Mapping[str, Planned]:
    from nox_lock._commands import make_locker  # noqa: PLC0415
    from nox_lock._resolution import Wishes  # noqa: PLC0415
    from nox_lock._stacks import relock  # noqa: PLC0415

    locker = make_locker(Wishes(), _voice(session))
    return relock(locker, stale, on_stale, lambda: _installs(session), _lock_command())


def _plan(names: Iterable[str | None]) -> tuple[Config, list[Planned]]:
    """Plan the lock files of those locks, or of all, for the Pythons of their sessions."""
    from nox_lock._config import load_config  # noqa: PLC0415
    from nox_lock._plan import plan  # noqa: PLC0415
    from nox_lock._targets import pythons_of  # noqa: PLC0415

    root = Path.cwd()
    config = load_config(root)
    used: dict[str, set[Target | SpecifierSet]] = {}
    registered = {id(made) for made in nox.registry.get().values()}
    for each in _LOCKED:
        # One that a later session of the same name has replaced does not count.
        for lock in each.locks if id(each.made) in registered else ():
            try:
                name = config.lock(lock).name
            except ConfigError as error:
                told = f"session {each.made.name!r} of the noxfile: {error.message}"
                raise ConfigError(told, hint=error.hint) from error
            used.setdefault(name, set()).update(pythons_of(_said(each)))
    return config, plan(config, root, os.environ, names=names, used=used)


def _said(locked: _Locked) -> Iterator[object]:
    """Yield what says on which Pythons a session runs.

    nox adds those of ``-P`` and ``--extra-python`` to what the decorator was given.
    """
    yield locked.python
    yield locked.made.python
    for call in getattr(locked.made, "parametrize", ()):
        yield getattr(call, "call_spec", {}).get("python")


def _installs(session: nox.Session) -> bool:
    """Tell whether nox installs in this session: not under -R or --no-install.

    nox has no other public way to ask; see `session.run_install` in its documentation.
    """
    return session.run_install("python", "-V", silent=True, log=False) is not None


def _refuse_no_environment(session: nox.Session) -> None:
    try:
        session.install("--version")  # returns under --no-install, raises else
    except ValueError as error:
        raise ConfigError(
            f"the session {session.name} has no virtual environment to install its lock into",
            hint="Leave out --no-venv (or venv_backend='none'); "
            "--no-install runs it with what is there.",
        ) from error


def _names(lock: str | Sequence[str] | None) -> tuple[str | None, ...]:
    return (lock,) if lock is None or isinstance(lock, str) else tuple(lock)


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
    except InterpretersMissingError as error:
        # nox skips the session for it, or fails it in CI and where it is told to.
        raise InterpreterNotFound(error.pythons) from error
    except NoxLockError as error:
        for line in str(error).splitlines():
            session.warn(line)
        # nox puts a full stop behind this, so the text with commands stands above.
        session.error(error.message.splitlines()[0].rstrip(":.?"))


def _refuse_overridden() -> None:
    """Refuse a noxfile that defines a session of a name of ours after `add_sessions`."""
    for name, made in _OURS.items():
        if nox.registry.get().get(name, made) is not made:
            raise ConfigError(
                f"this noxfile has a session {name!r} of its own, which hides the one of nox-lock",
                hint="Rename it, or write nox_lock.add_sessions(lock=..., check=...).",
            )

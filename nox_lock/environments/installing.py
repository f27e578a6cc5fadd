"""Make an environment hold what its lock files say, with the least work, and prove it."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, Protocol

from nox_lock.environments.contents import active_pins, compare, find_unmet
from nox_lock.environments.environment import (
    discard,
    list_installed,
    read_note,
    take_stock,
    write_note,
)
from nox_lock.environments.install_log import explain, withdrawn
from nox_lock.environments.snapshot import CONSTRAINTS
from nox_lock.errors import EnvironmentMismatchError, InstallerBrokenError, InstallError
from nox_lock.file_locks import read_timeout, take_turn
from nox_lock.files import write_all
from nox_lock.inputs.entry import URL, relative
from nox_lock.target import parse_platform, running_platform

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

    from nox_lock.console import Voice
    from nox_lock.environments.contents import Contents, Difference
    from nox_lock.environments.environment import Environment
    from nox_lock.lockfile.pins import Pin
    from nox_lock.planning.planned import Planned

_PROOF, _LEFT, _UNFINISHED = "proof", "left", "unfinished"


class Installer(Protocol):
    """What changes an environment: pip or uv, as its backend has it."""

    def install(self, arguments: list[str], log: Path | None = None) -> None:
        """Install; what pip has to say in detail, and what uv says, goes to `log`.

        Raises:
            InstallError: where that fails.
        """

    def uninstall(self, names: list[str]) -> None:
        """Take distributions away.

        Raises:
            InstallError: where that fails.
        """


class Wanted(NamedTuple):
    """What an environment is to hold.

    Attributes:
        planned: the lock files, which agree.
        venv: the environment.
        root: the project root.
        remake: the command that makes the environment anew.
        lock: the command that locks.
        tolerated: what is too much, where nothing may be installed or taken away.
    """

    planned: Sequence[Planned]
    venv: Environment
    root: Path
    remake: str
    lock: str
    tolerated: Collection[str] = ()

    @property
    def paths(self) -> str:
        """The lock files, for a message."""
        return ", ".join(each.path for each in self.planned)

    def look(self) -> Contents:
        """Compare the environment as it is now; what was left unfinished is not there."""
        doubtful = self.unfinished
        whole, halves = take_stock(self.venv)
        there = {name: each for name, each in whole.items() if name not in doubtful}
        found = compare(self.planned, self.venv, there, self.root)
        return found._replace(halves=tuple(halves))

    @property
    def build_constraints(self) -> list[str]:
        """The files that limit what is built, as from the project root."""
        return list(dict.fromkeys(f for each in self.planned for f in each.lock.build_constraints))

    @property
    def unfinished(self) -> list[str]:
        """What was being installed when an installer was ended: old files may be gone already."""
        return read_note(self.venv, _UNFINISHED).split()

    def extras(self, contents: Contents) -> list[str]:
        """Return what is neither locked nor was left by the session's own body."""
        kept = read_note(self.venv, _LEFT).split()
        return [name for name in contents.extras if name not in kept]


def is_equal(wanted: Wanted) -> bool:
    """Tell whether an environment holds exactly what it should, and that was proven."""
    contents = wanted.look()
    if contents.differences or contents.halves or wanted.extras(contents):
        return False
    return read_note(wanted.venv, _PROOF) == contents.digest


@contextmanager
def alone_in(venv: Environment, voice: Voice) -> Iterator[None]:
    """Be the only process that installs into an environment.

    Raises:
        InstallError: when nothing can be written into it.
        WaitError: when another one does so for too long.
    """
    busy, timeout = venv.notes / "busy.lock", read_timeout(os.environ)
    with take_turn(busy, timeout, voice.tell, "installs into this environment"):
        try:
            yield
        except OSError as error:
            raise InstallError(
                f"the environment {venv.location.name} cannot be written: {error.strerror}",
                hint="Make room for it, or make it anew with nox --reuse-venv=never.",
            ) from error


def make_equal(wanted: Wanted, installer: Installer, voice: Voice) -> None:
    """Make an environment hold exactly what it should, and prove that it is whole.

    Nothing is taken away before all that is new is there.

    Raises:
        EnvironmentMismatchError: naming what differs still, or what a lock file lacks.
        InstallError: naming the pins that could not be installed.
        InstallerBrokenError: when only a new environment helps.
        WaitError: when another process installs into it for too long.
    """
    with alone_in(wanted.venv, voice):
        contents = wanted.look()
        discard(contents.halves)
        force: list[str]
        # An installer that trusts what is half there is told not to.
        for force in (["--force-reinstall"] if wanted.unfinished else [], ["--force-reinstall"]):
            if not contents.differences:
                break
            names = (each.pin.name or "" for each in contents.differences)
            write_note(wanted.venv, _UNFINISHED, " ".join(sorted(names)))
            for arguments in _runs(wanted, contents.differences, voice.warn):
                _install(installer, [*force, *arguments], wanted, voice)
            write_note(wanted.venv, _UNFINISHED, "")
            contents = wanted.look()
        if contents.differences:
            shown = "\n".join(f"  {each}" for each in contents.differences)
            raise EnvironmentMismatchError(
                f"after installing, the environment is not what is locked:\n{shown}",
                hint=f"Run: {wanted.remake}",
            )
        if extras := wanted.extras(contents):
            installer.uninstall(extras)
            contents = wanted.look()
            if left := wanted.extras(contents):
                raise EnvironmentMismatchError(
                    f"not locked, and could not be taken away: {', '.join(left)}",
                    hint=f"Run: {wanted.remake}",
                )
        _prove(wanted, contents)


def _install(installer: Installer, arguments: list[str], wanted: Wanted, voice: Voice) -> None:
    """Run the installer; say which pins are withdrawn, and of which it failed.

    Raises:
        InstallError: naming them with their lines.
    """
    log = wanted.venv.notes / "install.log"
    log.unlink(missing_ok=True)
    pending = wanted.look().differences
    log.parent.mkdir(exist_ok=True)
    log.touch(mode=0o600)  # pip writes the folders of this machine into it, and whole URLs
    try:
        installer.install(arguments, log)
        voice.warn(*withdrawn(_read(log), pending))
    except InstallerBrokenError:
        raise
    except InstallError as error:
        raise explain(_read(log), wanted.look().differences, wanted.lock) from error
    finally:
        log.unlink(missing_ok=True)


def _read(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""


def _prove(wanted: Wanted, contents: Contents) -> None:
    """Check the dependencies of what is installed, and keep that they are met.

    Raises:
        EnvironmentMismatchError: naming those that are not.
    """
    unmet = find_unmet(wanted.planned, wanted.venv, list_installed(wanted.venv))
    if not unmet:
        write_note(wanted.venv, _PROOF, contents.digest)
        return
    here = running_platform()
    stamps = [each.existing.stamp for each in wanted.planned if each.existing]
    elsewhere = [each.platform for each in stamps if each and each.platform != str(here)]
    hint = f"Lock again, from the pins it has: {wanted.lock}"
    resolved_for = wanted.planned[0].target
    newer = wanted.venv._replace(target=replace(resolved_for, patch=resolved_for.newest_patch))
    if not find_unmet(wanted.planned, newer, list_installed(wanted.venv)):
        has = wanted.venv.target.full_version
        hint = (
            f"This session runs Python {has}, and the lock is for a later patch release. Use one, "
            f'or lock for this one: [tool.nox-lock] python = ["{has}"]'
        )
    elif elsewhere:
        made = parse_platform(elsewhere[0])
        hint = (
            f"It was made on {made.system}, this is {here.system}. Have one for each: "
            f'[tool.nox-lock] platforms = ["{made.system}", "{here.system}"]'
        )
    raise EnvironmentMismatchError(
        "\n".join(
            [f"{wanted.paths} lacks what its own pins need:", *(f"  {each}" for each in unmet)]
        ),
        hint=hint,
    )


def record_body(wanted: Wanted) -> list[str]:
    """Keep what the body of a session has left; say which pins it has changed, a line each."""
    contents = wanted.look()
    left = (name for name in contents.extras if name not in wanted.tolerated)
    write_note(wanted.venv, _LEFT, " ".join(left))
    return [str(each) for each in contents.differences]


def write_constraints(wanted: Wanted) -> None:
    """Write the pins as a plain constraints file into the environment.

    pip takes no extras in such a file, and hashes in it would be required of all else.
    """
    lines = {
        f"{pin.name}=={pin.version}{f' ; {pin.marker}' if pin.marker else ''}"
        for each in wanted.planned
        for pin in each.pins
        if pin.version is not None
    }
    write_note(wanted.venv, CONSTRAINTS, "".join(f"{line}\n" for line in sorted(lines)))


def _runs(
    wanted: Wanted, differences: Collection[Difference], warn: Callable[[str], None]
) -> Iterator[list[str]]:
    """Yield the arguments of the installer runs that mend differences."""
    for planned in wanted.planned:
        pins = [each.pin for each in differences if each.planned is planned]
        if planned.existing is None or not pins:
            continue
        all_of_it = len(pins) == len([*active_pins([planned], wanted.venv)])
        bare = [pin for pin in pins if not pin.hashes]
        hashed = [pin for pin in pins if pin.hashes]
        if all_of_it and not (hashed and bare):
            flags = ["--require-hashes"] if hashed else []
            yield ["--no-deps", *flags, "-r", planned.path]
            continue
        # Of a folder or a repository pip takes no hash, and refuses a file that has one for others.
        for name, some, flags in (("hashed", hashed, ["--require-hashes"]), ("rest", bare, [])):
            if not some:
                continue
            if name == "rest" and planned.existing.hashed:
                shown = ", ".join(pin.shown for pin in some)
                warn(f"{planned.path}: installed without a hash: {shown}")
            path = wanted.venv.notes / f"{planned.name}-{name}.txt"
            options = _options(planned, wanted.root)
            write_all({path: "\n".join([*options, *map(_line, some), ""])})
            yield ["--no-deps", *flags, "-r", relative(path, wanted.root)]


def _options(planned: Planned, root: Path) -> Iterator[str]:
    """Yield the option lines of a lock file, for a file somewhere else."""
    for option in planned.existing.options if planned.existing else ():
        name, _, value = option.text.partition(" ")
        if name == "--find-links" and not URL.match(value):
            yield f"{name} {(root / planned.path).parent / value}"
        else:
            yield option.text


def _line(pin: Pin) -> str:
    """Return a pin as a line of its own, for a file somewhere else."""
    demand = f"{pin.name} @ {pin.url}" if pin.name and pin.url and not pin.editable else pin.shown
    marker = f" ; {pin.marker}" if pin.marker else ""
    hashes = "".join(f" --hash={value}" for value in pin.hashes)
    return f"{'-e ' if pin.editable else ''}{demand}{marker}{hashes}"

"""Which lock files must exist, and what shapes each."""

from __future__ import annotations

import posixpath
import shlex
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, NamedTuple

from nox_lock import _lockfile
from nox_lock._config import UNSAFE_PACKAGES, Settings, resolve_settings
from nox_lock._errors import ConfigError
from nox_lock._option_lines import WRITTEN, option_lines
from nox_lock._requirements import read_inputs
from nox_lock._tables import FILE
from nox_lock._target import (
    holds,
    parse_platform,
    parse_target,
    running_platform,
    running_target,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from nox_lock._config import Config, LockConfig
    from nox_lock._entries import Where
    from nox_lock._lockfile import LockFile
    from nox_lock._requirements import Inputs
    from nox_lock._target import Platform, Target


class Fact(NamedTuple):
    """Something that shapes a lock and leaves no trace in it: what, who says so, and a digest."""

    text: str
    where: Where | None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Planned:
    """One lock file that must exist: the pinned output for one lock and one target.

    Attributes:
        name: the lock's name.
        target: the Python it is for.
        path: the lock file, relative to the project root.
        inputs: what it is made from.
        settings: how, with nothing left open.
        existing: the lock file as it stands, or None.
        platform: the platform it is judged for: its stamp's, else the one this runs on.
    """

    name: str
    target: Target
    path: str
    inputs: Inputs
    settings: Settings
    existing: LockFile | None
    platform: Platform

    @property
    def options(self) -> dict[str, Where]:
        """The option lines its inputs declare, as pip-compile writes and orders them."""
        return option_lines(self.inputs.options, posixpath.dirname(self.path))

    @property
    def command(self) -> str:
        """The plain command that makes the same lock, as pip-compile spells and orders it."""
        settings = self.settings
        options = [f"--output-file={shlex.quote(self.path)}"]
        options += ["--allow-unsafe"] if settings.allow_unsafe else []
        options += ["--generate-hashes"] if settings.generate_hashes else []
        options += ["--strip-extras"] if settings.strip_extras else []
        if settings.unsafe_packages != UNSAFE_PACKAGES:
            options += [f"--unsafe-package={name}" for name in settings.unsafe_packages or ()]
        if len(self.inputs.sources) > 1:
            return "nox -s lock"
        return " ".join(["pip-compile", *sorted(options), shlex.quote(self.inputs.sources[0])])

    def canonical(self) -> str:
        """Everything that shapes the lock, one fact a line: what its digest is taken of."""
        settings = (f"{each.name}={getattr(self.settings, each.name)}" for each in fields(Settings))
        return "\n".join([f"target={self.target}", *settings, *self.inputs.canonical()])

    def hidden(self) -> dict[str, Fact]:
        """The facts of `canonical` that the body of the lock cannot show, by their digests."""
        facts: list[Fact] = []
        for entry in self.inputs.entries:
            if entry.extras and self.settings.strip_extras and not entry.constraint:
                extras = f"{entry.name or entry.url}[{','.join(sorted(entry.extras))}]"
                facts.append(Fact(extras, entry.where))
            if entry.metadata:
                depends = f"what {entry.text} depends on now"
                facts.append(Fact(depends, entry.where, entry.metadata))
            if holds(entry.marker, self.target, self.platform) is None:
                facts.append(Fact(entry.text, entry.where))
        facts += [
            Fact(f"{option.name} {option.value}".strip(), option.where)
            for option in (*self.inputs.options, *self.inputs.remote)
            if option.name not in WRITTEN
        ]
        if self.settings.uploaded_prior_to:
            facts.append(Fact(f"uploaded-prior-to {self.settings.uploaded_prior_to}", None))
        return {_lockfile.digest(fact.text + fact.detail)[:10]: fact for fact in facts}

    def digest(self) -> str:
        """The stamp's `inputs`."""
        return _lockfile.digest(self.canonical())


def plan(
    config: Config,
    root: Path,
    environ: Mapping[str, str],
    *,
    names: Iterable[str | None] = (),
    used: Mapping[str, Collection[Target]] | None = None,
) -> list[Planned]:
    """List the lock files that must exist.

    `names` keeps to those locks; `used` gives, by lock, the Pythons of the sessions that use it.

    Raises:
        ConfigError: for a name that is no lock, or two lock files with one path.
        RequirementsError: for an input that cannot be read.
        LockFileError: for a lock file that cannot be read.
    """
    chosen = [config.lock(name) for name in names] or list(config.locks.values())
    planned: dict[str, Planned] = {}
    for lock in dict.fromkeys(chosen):
        inputs = read_inputs(lock.inputs, root, environ)
        targets, existing = _targets(lock, root, (used or {}).get(lock.name, ()))
        for target in targets:
            path = lockfile_path(lock, target, several=len(targets) > 1)
            if path in planned or path in inputs.files:
                other = f"lock {planned[path].name!r}" if path in planned else "one of its inputs"
                raise ConfigError(
                    f"lock {lock.name!r} would write {path}, which is {other}",
                    file=FILE,
                    hint=f'Give it its own: [tool.nox-lock.locks.{lock.name}] lockfile = "...".',
                )
            existing = existing or _lockfile.read(root, path)
            planned[path] = _planned(lock, target, path, inputs, existing)
            existing = None
    return list(planned.values())


def of_target(planned: Iterable[Planned], target: Target) -> list[Planned]:
    """Return, of each lock, the file that an environment of `target` installs.

    Raises:
        ConfigError: for a lock that is not made for that Python.
    """
    by_name: dict[str, list[Planned]] = {}
    for each in planned:
        by_name.setdefault(each.name, []).append(each)
    chosen = []
    for name, files in by_name.items():
        fitting = [each for each in files if each.target == target]
        if not fitting:
            has = [str(each.target) for each in files]
            wanted = ", ".join(f'"{each}"' for each in (*has, target))
            raise ConfigError(
                f"this session runs Python {target}; the lock {name!r} is for {', '.join(has)}",
                hint=f"Say so in {FILE}: [tool.nox-lock] python = [{wanted}]",
            )
        chosen += fitting
    return chosen


def _planned(
    lock: LockConfig, target: Target, path: str, inputs: Inputs, existing: LockFile | None
) -> Planned:
    stamp = existing and existing.stamp
    return Planned(
        name=lock.name,
        target=target,
        path=path,
        inputs=inputs,
        settings=resolve_settings(lock.settings, existing.command if existing else None),
        existing=existing,
        platform=parse_platform(stamp.platform) if stamp else running_platform(),
    )


def _targets(
    lock: LockConfig, root: Path, used: Collection[Target]
) -> tuple[list[Target], LockFile | None]:
    """List a lock's targets: said and used; else the one its lock file names; else this Python.

    The lock file comes with them where it had to be read for that.
    """
    said = {*lock.pythons, *used}
    if said:
        return sorted(said, key=lambda target: target.sort_key), None
    if "{python}" in (lock.lockfile or ""):
        return [running_target()], None
    existing = _lockfile.read(root, lockfile_path(lock, running_target(), several=False))
    named = existing.python if existing else None
    return [parse_target(named) if named else running_target()], existing


def lockfile_path(lock: LockConfig, target: Target, *, several: bool) -> str:
    """Return where a lock file stands, relative to the project root.

    Raises:
        ConfigError: for several targets and a pattern that gives them one path.
    """
    source = lock.inputs[0]
    stem = posixpath.splitext(source)[0]
    pattern = lock.lockfile
    if pattern is None:
        short = str(target).removeprefix("py")
        return f"{stem}-py{short}.txt" if several else f"{stem}.txt"
    if several and "{python}" not in pattern:
        raise ConfigError(
            f"`tool.nox-lock.locks.{lock.name}.lockfile` needs {{python}}, having several",
            file=FILE,
        )
    return pattern.format(name=lock.name, stem=posixpath.basename(stem), python=target)

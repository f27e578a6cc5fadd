"""One lock file that must exist, and everything that shapes it."""

from __future__ import annotations

import copy
import posixpath
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from packaging.utils import canonicalize_name

from nox_lock.errors import Place, Reason
from nox_lock.inputs.entry import Inputs
from nox_lock.inputs.syntax import FORMATS, INDEXES
from nox_lock.lockfile import lock_file
from nox_lock.lockfile.lock_file import LockFile, Pin
from nox_lock.target import Levels, Platform, Target, find_platform, holds, running_platform

# pip-tools' own list: https://pip-tools.readthedocs.io/en/stable/cli/pip-compile/
UNSAFE_PACKAGES = ("distribute", "pip", "setuptools")
_Places = dict[str, Place]
# Every other option leaves no line in a lock file.
_WRITTEN = (*INDEXES, "--trusted-host", *FORMATS)


class Settings(NamedTuple):
    """How a lock is compiled; None leaves it to the next source (see `resolve_settings`)."""

    generate_hashes: bool | None = None
    strip_extras: bool | None = None
    allow_unsafe: bool | None = None
    unsafe_packages: tuple[str, ...] | None = None
    uploaded_prior_to: str | None = None


class LockConfig(NamedTuple):
    """A lock, as configured or found; files are relative to the project root."""

    name: str  # what `lock=` and the command line call it
    inputs: tuple[str, ...]  # may be none when it has groups
    lockfile: str | None = None  # pattern of its lock files; None for beside the first input
    pylock: bool = False  # whether a `pylock.toml` is made of its lock files
    pythons: tuple[Target, ...] = ()  # empty where none is configured
    platforms: tuple[str, ...] = ()  # those with a lock file each, as written; none: one for all
    extras: tuple[str, ...] = ()  # of its project files
    groups: tuple[str, ...] = ()  # dependency groups (PEP 735) of `pyproject.toml`
    constraints: tuple[str, ...] = ()  # names of the locks it must agree with
    builds_on: tuple[str, ...] | None = None  # the same of those it includes; None for all
    settings: Settings = Settings()
    levels: Levels = Levels()
    build_constraints: tuple[str, ...] = ()  # files that limit what builds use
    compile_timeout: float = 600.0  # seconds


@dataclass(frozen=True, eq=False, repr=False)
class LockPlan:
    """One lock file that must exist: the pinned output for one lock and one target."""

    lock: LockConfig
    target: Target
    path: str  # relative to the project root
    inputs: Inputs
    settings: Settings  # with nothing left open
    current: LockFile | None  # as it is now, on disk or made in this run; None for no file
    system: str  # the platform it is for, as configured; empty for none
    below: tuple[LockPlan, ...]  # the lock files it builds on, for the same target
    apart: tuple[str, ...]  # locks that it builds on and that are not made for its target
    earlier: LockFile | None  # if there is no file yet, the most similar one of this lock
    build_constraints: Mapping[str, str]  # texts of the files that limit what builds use, by path
    lookalikes: tuple[str, ...]  # paths that pip would take for a URL in it or in its inputs

    def with_current(self, current: LockFile | None) -> LockPlan:
        """Return the same plan with another state of the lock file."""
        other = copy.copy(self)  # with the cached properties, which do not depend on it
        object.__setattr__(other, "current", current)
        return other

    def at(self, line: int | None = None) -> Place:
        return Place(self.path, line)

    @property
    def name(self) -> str:
        return self.lock.name

    @property
    def pins(self) -> Sequence[Pin]:
        return self.current.pins if self.current else ()

    @cached_property
    def platform(self) -> Platform:
        """The platform it is for: the named one, else this machine's."""
        return find_platform(self.system) or running_platform()

    @property
    def here(self) -> bool:
        """Whether it is for this machine, or for one of its kind with a usual processor."""
        named, here = self.platform, running_platform()
        fits = named.machine == here.machine or "-" not in self.system
        return fits and (named.system, named.libc) == (here.system, here.libc)

    @property
    def constraints(self) -> tuple[str, ...]:
        """The lock files that are handed to pip-compile as constraints."""
        return tuple(low.path for low in self.below if low.name in self.lock.constraints)

    @cached_property
    def options(self) -> _Places:
        """The option lines its inputs declare, as pip-compile writes and orders them."""
        lines: dict[str, _Places] = {name: {} for name in _WRITTEN}
        for name, value, place in self.inputs.options:
            if name == "--index-url":  # it replaces the indexes before it
                lines |= {name: {value: place}, "--extra-index-url": {}}
            elif name in FORMATS:
                (other,) = {*FORMATS} - {name}
                _choose(value.split(","), place, lines[name], lines[other])
            elif name == "--find-links" and "://" not in value:
                # pip reads a folder in a lock file relative to that file.
                folder = posixpath.relpath(value, posixpath.dirname(self.path) or ".")
                lines[name].setdefault(folder, place)
            elif name in lines:
                lines[name].setdefault(value, place)
        if any(option.name == "--no-index" for option in self.inputs.options):
            lines |= {"--index-url": {}, "--extra-index-url": {}}
        formats = [(name, *item) for name in FORMATS for item in lines.pop(name).items()]
        formats.sort(key=lambda each: (each[1] != ":all:", each[0] != "--no-binary", each[1]))
        others = [(name, *item) for name, values in lines.items() for item in values.items()]
        return {f"{name} {value}": place for name, value, place in others + formats}

    @cached_property
    def command(self) -> str:
        """The command of pip-compile that makes the same lock, as it spells it; empty for none."""
        settings = self.settings
        options = [f"--output-file={shlex.quote(self.path)}"]
        options += ["--allow-unsafe"] if settings.allow_unsafe else []
        options += ["--generate-hashes"] if settings.generate_hashes else []
        options += ["--strip-extras"] if settings.strip_extras else []
        if settings.unsafe_packages != UNSAFE_PACKAGES:
            options += [f"--unsafe-package={name}" for name in settings.unsafe_packages or ()]
        options += [f"--constraint={shlex.quote(path)}" for path in self.constraints]
        parts = self.lock.extras or self.inputs.written or len(self.lock.inputs) != 1
        # A bot must not compile what is for another platform for its own.
        if parts or self.system or self.lock.build_constraints or self.inputs.left_out:
            return ""
        return " ".join(["pip-compile", *sorted(options), shlex.quote(self.lock.inputs[0])])

    @cached_property
    def digest(self) -> str:
        """The stamp's `inputs`: of all that shapes the lock, however its inputs are written."""
        inputs, patch = self.inputs, f".{self.target.patch}" if self.target.patch else ""
        facts = [f"target={self.target}{patch}{f' {self.system}' if self.system else ''}"]
        facts += (f"{name}={value}" for name, value in self.settings._asdict().items())
        if self.system:
            facts.append(f"levels={' '.join(self.lock.levels)}")
        facts += (f"build-constraints {text}" for text in self.build_constraints.values())
        extras = (f"extra {extra}" for extra in self.lock.extras)
        facts += (f"source {part}" for part in (*self.lock.inputs, *extras, *inputs.written))
        entries = {  # with their files, which annotations name
            f"{'-c' if entry.constraint else '-r'} {entry.place.file}: {entry.text}{entry.metadata}"
            for entry in inputs.entries
        }
        facts += sorted(entries)
        # In their order, because that of indexes counts.
        facts += (f"{option.name} {option.value}" for option in (*inputs.options, *inputs.remote))
        facts += (f"dynamic {file} {digest}" for file, digest in inputs.dynamic.items())
        for low in self.below:
            body = lock_file.digest(low.current.body) if low.current else "-"
            facts.append(f"below {low.path} {body}")
        return lock_file.digest("\n".join(facts))

    @cached_property
    def hidden(self) -> dict[str, Reason]:
        """The facts of `digest` that the body cannot show, by digest, as what a stamp lacks."""
        facts: list[tuple[str, Place, str]] = []  # with what changes behind the text
        now = "what {} depends on now"
        for entry in self.inputs.entries:
            if entry.extras and self.settings.strip_extras and not entry.constraint:
                extras = f"{entry.name or entry.url}[{','.join(sorted(entry.extras))}]"
                facts.append((extras, entry.place, ""))
            if entry.metadata:
                facts.append((now.format(entry.text), entry.place, entry.metadata))
            if holds(entry.marker, self.target, self.platform) is None:
                facts.append((entry.text, entry.place, ""))
        for name, value, place in (*self.inputs.options, *self.inputs.remote):
            if name not in _WRITTEN:
                facts.append((f"{name} {value}".strip(), place, ""))
        dynamic, builds = self.inputs.dynamic.items(), self.build_constraints.items()
        facts += [(now.format(file), Place(file, 1), text) for file, text in dynamic]
        facts += [(f"{file} as it is now", Place(file, 1), text) for file, text in builds]
        if self.target.patch:
            facts.append((f"the patch release {self.target.full_version}", self.at(), ""))
        if self.system and self.lock.levels != Levels():
            facts.append((f"the levels {' and '.join(self.lock.levels)}", self.at(), ""))
        if self.settings.uploaded_prior_to:
            facts.append((f"uploaded-prior-to {self.settings.uploaded_prior_to}", self.at(), ""))
        return {
            lock_file.digest(text + detail)[:10]: Reason(f"it was locked without {text}", place)
            for text, place, detail in facts
        }


class PylockPlan(NamedTuple):
    """A `pylock.toml` that must exist, made of all lock files of one lock: those below it."""

    path: str  # relative to the project root
    name: str
    below: tuple[LockPlan, ...]
    inputs: Inputs
    target: str  # all of them, as reports name them
    system: str
    data: bytes | None  # what is there now

    def at(self, line: int | None = None) -> Place:
        """Return a place in it."""
        return Place(self.path, line)

    @property
    def text(self) -> str:
        """What is there now, with LF; bytes that are no UTF-8 as surrogates."""
        return (self.data or b"").decode(errors="surrogateescape").replace("\r\n", "\n")

    @property
    def pins(self) -> Sequence[str]:
        return sorted({pin.shown for each in self.below for pin in each.pins})


AnyPlan = LockPlan | PylockPlan


def _choose(names: list[str], place: Place, chosen: _Places, other: _Places) -> None:
    """Apply one option of formats, with ``:all:`` and ``:none:`` as pip does."""
    while ":all:" in names:
        other.clear()
        chosen.clear()
        chosen[":all:"] = place
        names = names[names.index(":all:") + 1 :]
        if ":none:" not in names:
            return
    for name in names:
        if name == ":none:":
            chosen.clear()
        else:
            project = canonicalize_name(name)
            other.pop(project, None)
            chosen[project] = place

"""Compare an environment with its lock files: what is missing, what has to go, what is unmet."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from nox_lock.console import Console
from nox_lock.environments.environment import Distribution, Environment, split_url
from nox_lock.environments.snapshot import CONSTRAINTS, read_text
from nox_lock.errors import NoxLockError, Place
from nox_lock.inputs.syntax import meets, parse_version
from nox_lock.lockfile.lock_file import Pin
from nox_lock.planning.lock_plan import LockPlan
from nox_lock.project import Project, fingerprint, local_path
from nox_lock.target import Target, counts, holds, running_platform

# Notes in an environment. UNFINISHED names what is being installed: when that is interrupted, files
# may be missing whatever the metadata says. KEPT names what the session's body installed. VERIFIED
# is the digest of contents whose dependencies are complete. FOLDERS: the state of copied folders.
UNFINISHED, KEPT, VERIFIED, FOLDERS = "unfinished", "kept", "verified", "folders"
SEEDS = frozenset({"pip", "setuptools", "wheel"})  # what installs, and comes with an environment
_REPOSITORY = re.compile(r"(?:git|hg|svn|bzr)\+")
# What precedes the path of a folder, also in ``file:///C:/there``.
_FILE = re.compile(r"file:(?://(?=/))?(?:/(?=[A-Za-z]:))?")
_COMMIT = re.compile(r"[0-9a-f]{7,}")


class Difference(NamedTuple):
    """A pin that is not installed, and the version that is installed instead, if any."""

    planned: LockPlan
    pin: Pin
    installed: str | None = None

    @property
    def place(self) -> Place:
        return self.planned.at(self.pin.line)

    def __str__(self) -> str:
        state = f"is locked, {self.installed} is" if self.installed else "is not"
        return f"{self.pin.shown} {state} installed ({self.place})"


class Comparison(NamedTuple):
    """What an environment needs in order to match its lock files; see also `Distributions`."""

    installed: Mapping[str, Distribution]
    missing: list[Difference]
    remove: list[str]  # neither locked, nor the project, nor from the body
    kept: list[str]  # what the session's body installed
    damaged: Mapping[str, Sequence[Distribution]]
    digest: str  # of lock files, what is locked and Python, for which dependencies are verified
    matches: bool  # whether they are, and nothing else has to be done

    def files(self, names: Iterable[str]) -> set[str]:
        """Return the files of what is installed, or damaged."""
        copies = {name: [each] for name, each in self.installed.items()} | {**self.damaged}
        found = (each.files() for name in names for each in copies.get(name, ()))
        return set().union(*found)


class LockedEnvironment(NamedTuple):
    """An environment and the lock files it has to match, after others: `order` many."""

    planned: Sequence[LockPlan]
    venv: Environment
    project: Project
    console: Console
    order: int = 0
    is_exact: bool = True  # before the body; under -R it may not be

    @property
    def paths(self) -> str:
        return ", ".join(each.path for each in self.planned)

    def note(self, name: str) -> str:
        """Return the name of KEPT or VERIFIED for these locks."""
        return f"{name}{self.order or ''}"

    def compare(self, without: Collection[str] = ()) -> Comparison:
        """Compare the environment as it is now, as if some distributions were not installed."""
        installed, damaged = self.venv.distributions()
        root = self.project.root
        known = self.venv.read_note(FOLDERS).splitlines()
        changed = [pin for line, pin in self.folders().items() if line not in known]
        old = {n for n in installed if any(fits(pin, installed[n], root) for pin in changed)}
        doubtful = {*without, *old, *self.venv.read_note(UNFINISHED).split()}
        whole = {name: each for name, each in installed.items() if name not in doubtful}
        missing, locked = self.find_missing(whole)
        for name in SEEDS.difference(each.pin.name for each in missing):
            damaged.pop(name, None)
        own = {name for name, each in installed.items() if each.is_of(self.project)}
        others = installed.keys() - own - locked - old - SEEDS
        kept = sorted(others.intersection(self.venv.read_note(self.note(KEPT)).split()) - doubtful)
        bodies = [(each.path, each.current and each.current.body) for each in self.planned]
        # The project itself and what a body installs come later, and nothing locked needs them.
        needed = {n: whole[n].version for n in sorted(whole.keys() & (locked | SEEDS))}
        digest = fingerprint((self.venv.target, bodies, needed))
        remove = sorted(others.difference(kept))
        verified = self.venv.read_note(self.note(VERIFIED)) == digest
        matches = verified and not (missing or remove or damaged)
        return Comparison(installed, missing, remove, kept, damaged, digest, matches)

    def find_missing(
        self, installed: Mapping[str, Distribution]
    ) -> tuple[list[Difference], set[str]]:
        """Return the pins that are not installed, and the names of all of them."""
        missing: list[Difference] = []
        locked: set[str] = set()
        root = self.project.root
        for each, pin in active_pins(self.planned, self.venv.target):
            names = installed if pin.name is None else installed.keys() & {pin.name}
            name = next((name for name in names if fits(pin, installed[name], root)), None)
            if name is None:
                other = installed.get(pin.name or "")
                missing.append(Difference(each, pin, other and other.version))
            locked.add(name or pin.name or "")
        return missing, locked

    def find_unmet(
        self, target: Target, installed: Mapping[str, Distribution], also: Iterable[str] = ()
    ) -> list[str]:
        """Return a line for each unmet dependency of what is locked; unsafe ones do not count."""
        from importlib.metadata import PathDistribution  # noqa: PLC0415  (seldom)

        here = running_platform()
        unsafe = {name for each in self.planned if each.current for name in each.current.unsafe}
        pending = [(name, "") for name in also]  # each with an extra, or with an empty text
        for each, pin in active_pins(self.planned, target):
            entries = (entry for entry in each.inputs.requirements if entry.name == pin.name)
            extras = {"", *pin.extras, *(extra for entry in entries for extra in entry.extras)}
            pending += [(pin.name or "", extra) for extra in sorted(extras)]
        done: set[tuple[str, str]] = set()
        unmet: dict[str, None] = {}
        while pending:
            name, extra = pending.pop(0)
            if (name, extra) in done or name not in installed:
                continue
            done.add((name, extra))
            for text in PathDistribution(installed[name].metadata).requires or ():
                try:
                    requirement = Requirement(text)
                except InvalidRequirement:
                    continue  # pip and uv ignore it, too
                needed = canonicalize_name(requirement.name)
                if needed in unsafe or not holds(requirement.marker, target, here, extra):
                    continue
                found = installed.get(needed)
                line = f"{name} {installed[name].version} needs {requirement.name}"
                if found is None:
                    unmet[f"{line}{requirement.specifier}, which is not installed"] = None
                elif not (requirement.url or meets(requirement.specifier, found.version)):
                    unmet[f"{line}{requirement.specifier}, but {found.version} is installed"] = None
                extras = {"", *map(canonicalize_name, requirement.extras)}
                pending += [(needed, each) for each in sorted(extras)]
        return list(unmet)

    def folders(self) -> dict[str, Pin]:
        """Return the pins that are installed as copies of a folder, by the folder and its state."""
        pins = (pin for _, pin in active_pins(self.planned, self.venv.target))
        copied = ((local_file(p), p) for p in pins if p.unhashable and not p.editable)
        return {f"{f} {fingerprint(self.project.tree(f))}": p for f, p in copied if f is not None}

    def record_body(self) -> list[str]:
        """Note what the body of a session installed; return a line for each pin it has changed."""
        if not self.is_exact:
            return []
        comparison = self.compare()
        names = sorted(comparison.remove + comparison.kept)
        self.venv.write_note(self.note(KEPT), " ".join(names))
        return [str(each) for each in comparison.missing]

    def keep_new(self) -> None:
        """Note what the body installed since: it stays when the next locks are installed."""
        note = self._replace(order=self.order + 1).note(KEPT)
        names = {*self.venv.read_note(note).split(), *self.compare().remove}
        self.venv.write_note(note, " ".join(sorted(names)))

    def write_constraints(self) -> None:
        """Write the pins into the environment as constraints, which have no extras and hashes."""
        pins = [pin for each in self.planned for pin in each.pins if pin.version is not None]
        lines = {f"{pin.shown}{f' ; {pin.marker}' if pin.marker else ''}\n" for pin in pins}
        self.venv.write_note(CONSTRAINTS, "".join(sorted(lines)))


def active_pins(planned: Sequence[LockPlan], target: Target) -> Iterator[tuple[LockPlan, Pin]]:
    """Yield the pins whose markers apply to a target here, each with its lock file."""
    here = running_platform()
    for each in planned:
        for pin in each.pins:
            if counts(pin.marker, target, here):
                yield each, pin


def local_file(pin: Pin) -> str | None:
    """Return the path of a folder or an archive on this machine; None for any other pin."""
    url = (pin.url or "").partition("#")[0]
    if url.startswith("file:"):
        return unquote(_FILE.sub("", url))
    return url if url[:1] in {".", "/"} else None


def whole_url(pin: Pin, root: Path) -> str:
    """Return the URL of a pin, absolute if local: pip records ``file:./lib`` as ``file:///./lib``."""
    url, mark, fragment = (pin.url or "").partition("#")
    if (path := local_file(pin)) is not None:
        url = (root / path).resolve().as_uri()
    return f"{url}{mark}{fragment}"


def fits(pin: Pin, found: Distribution, root: Path) -> bool:
    """Return whether a distribution has the version of a pin, or is from its URL or path."""
    if pin.version is not None:
        return parse_version(found.version) == parse_version(pin.version)
    url, _, fragment = (pin.url or "").partition("#")
    subdirectory = parse_qs(fragment).get("subdirectory", [""])[0]
    elsewhere = subdirectory != found.subdirectory and not pin.editable
    if pin.editable is not found.editable or elsewhere:
        return False
    locked = {each.lower() for each in pin.hashes if each.startswith("sha256:")}
    if locked and found.sha256 and f"sha256:{found.sha256}" not in locked:
        return False
    if not _REPOSITORY.match(url):
        return split_url(whole_url(pin, root).partition("#")[0]) == split_url(found.url)
    if pin.editable:  # a clone that pip has made in ``src``
        folder = Path(local_path(unquote(urlsplit(found.url).path)))
        head = read_text(folder / ".git" / "HEAD").strip()
        revision = urlsplit(url).path.partition("@")[2]
        return head != "" and (head == revision or not _COMMIT.fullmatch(revision))
    scheme, host, path = split_url(url.partition("+")[2])
    path, _, revision = path.partition("@")
    return (scheme, host, path) == split_url(found.url) and revision in found.revisions


def refuse_disagreement(planned: Sequence[LockPlan]) -> None:
    """Refuse lock files for one environment that pin different versions."""
    versions: dict[str, dict[str, str]] = {}
    for each in planned:
        for pin in each.pins:
            versions.setdefault(pin.name or pin.shown, {})[each.path] = pin.version or pin.shown
    differing = [
        f"  {name}: " + ", ".join(f"{version} in {path}" for path, version in found.items())
        for name, found in sorted(versions.items())
        if len(set(found.values())) > 1
    ]
    if differing:
        message = "\n".join(["these lock files of one session do not agree:", *differing])
        hint = "Bring their inputs together, for instance by one `-c` file for both."
        raise NoxLockError(message, hint=hint)

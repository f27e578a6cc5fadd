"""Compare an environment with its lock files: what is missing, what has to go, what is unmet."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from nox_lock.environments.environment import list_distributions, split_url
from nox_lock.errors import NoxLockError
from nox_lock.inputs.syntax import meets, parse_version
from nox_lock.lockfile import lock_file
from nox_lock.project import fingerprint, local_path
from nox_lock.target import counts, holds, running_platform

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from nox_lock.environments.environment import Distribution, Environment, Origin
    from nox_lock.errors import Place
    from nox_lock.lockfile.lock_file import Pin
    from nox_lock.planning.lock_plan import LockPlan
    from nox_lock.project import Project
    from nox_lock.target import Target

# Notes in an environment. UNFINISHED names what is being installed: when that is interrupted, files
# may be missing whatever the metadata says. KEPT names what the session's body installed. VERIFIED
# is the digest of the contents whose dependencies were found complete.
# FOLDERS has the state of the folders that were installed as copies.
UNFINISHED, KEPT, VERIFIED, FOLDERS = "unfinished", "kept", "verified", "folders"
# What virtualenv and venv install, and what installs the rest.
SEEDS = frozenset({"pip", "setuptools", "wheel"})
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
        """Where the pin is."""
        return self.planned.at(self.pin.line)

    def __str__(self) -> str:
        if self.installed is None:
            return f"{self.pin.shown} is not installed ({self.place})"
        return f"{self.pin.shown} is locked, {self.installed} is installed ({self.place})"


class Comparison(NamedTuple):
    """What has to change in an environment, so that it matches its lock files.

    Attributes:
        installed: what is installed, by normalized name.
        remove: names of what is neither locked, nor the project, nor installed by the body, and of
            what is damaged.
        kept: names of what the session's body installed.
        damaged: see `Distributions`.
        digest: of lock files, what is locked and Python, for which dependencies are verified.
        verified: whether they are.
    """

    installed: Mapping[str, Distribution]
    missing: list[Difference]
    remove: list[str]
    kept: list[str]
    broken: list[Path]
    damaged: Mapping[str, Sequence[Distribution]]
    digest: str
    verified: bool

    @property
    def matches(self) -> bool:
        """Whether nothing has to be done."""
        return self.verified and not (self.missing or self.remove or self.broken)

    def files(self, names: Iterable[str]) -> set[str]:
        """Return the files of what is installed, or damaged."""
        copies = {name: [each] for name, each in self.installed.items()} | {**self.damaged}
        found = (each.files() for name in names for each in copies.get(name, ()))
        return set().union(*found)


class LockedEnvironment(NamedTuple):
    """An environment and the lock files it has to match.

    Attributes:
        recreate: the command that creates the environment again.
        lock: the command that locks.
        ignored: what differs from the lock, and cannot be changed in this run.
        order: how many times the session has installed locks before.
    """

    planned: Sequence[LockPlan]
    venv: Environment
    project: Project
    recreate: str
    lock: str
    ignored: Collection[str] = ()
    order: int = 0

    @property
    def paths(self) -> str:
        """The lock files, for a message."""
        return ", ".join(each.path for each in self.planned)

    def note(self, name: str) -> str:
        """Return the name of KEPT or VERIFIED for these locks."""
        return f"{name}{self.order or ''}"

    def compare(self, without: Collection[str] = ()) -> Comparison:
        """Compare the environment as it is now, as if some distributions were not installed."""
        found = list_distributions(self.venv)
        unfinished = found.installed.keys() & self.venv.read_note(UNFINISHED).split()
        half = {name: [found.installed.pop(name)] for name in unfinished}
        known = self.venv.read_note(FOLDERS).splitlines()
        changed = [pin for line, pin in self._folders().items() if line not in known]
        old = (
            name
            for name, each in found.installed.items()
            if any(is_from(pin, each.origin, self.project.root) for pin in changed)
        )
        for name in (*without, *old):
            found.installed.pop(name, None)
        comparison = compare(self.planned, self.venv.target, found.installed, self.project.root)
        locked = {pin.name: pin.version for _, pin, _ in comparison.missing}
        damaged = {name: each for name, each in half.items() if name not in locked}
        for name, each in found.damaged.items():
            if [one.version for one in each] == [locked.get(name)]:
                found.broken.append(each[0].metadata)  # what is installed has the same files
            else:
                damaged[name] = each
        kept = set(self.venv.read_note(self.note(KEPT)).split())
        remove = {*comparison.remove} - kept | (damaged.keys() - (SEEDS - locked.keys()))
        return comparison._replace(
            remove=sorted(remove),
            kept=sorted({*comparison.remove} & kept),
            broken=found.broken,
            damaged=damaged,
            verified=self.venv.read_note(self.note(VERIFIED)) == comparison.digest,
        )

    def _folders(self) -> dict[str, Pin]:
        """Return the pins that are installed as copies of a folder, by the state of that."""
        pins = (pin for _, pin in active_pins(self.planned, self.venv.target))
        copied = (p for p in pins if is_local(p) and p.unhashable and not p.editable)
        folders = {unquote(_FILE.sub("", pin.url or "").partition("#")[0]): pin for pin in copied}
        return {f"{name} {fingerprint(self.project.tree(name))}": p for name, p in folders.items()}

    def record_folders(self) -> None:
        """Note the state of the folders that are installed as copies, after a build in them."""
        for line in self._folders():
            self.project.forget(line.rpartition(" ")[0])
        self.venv.write_note(FOLDERS, "".join(f"{line}\n" for line in self._folders()))


def compare(
    planned: Sequence[LockPlan], target: Target, installed: Mapping[str, Distribution], root: Path
) -> Comparison:
    """Compare distributions with lock files that agree; nothing of them is kept or verified."""
    missing: list[Difference] = []
    locked = {*SEEDS}
    for each, pin in active_pins(planned, target):
        if pin.version is None:
            names = (n for n, found in installed.items() if pin.name in {None, n})
            name = next((n for n in names if is_from(pin, installed[n].origin, root)), None)
            locked.add(name or pin.name or "")
            if name is None:
                missing.append(Difference(each, pin))
            continue
        locked.add(pin.name or "")
        found = installed.get(pin.name or "")
        if found is None or parse_version(found.version) != parse_version(pin.version):
            missing.append(Difference(each, pin, found and found.version))
    project = root.resolve().as_uri()
    remove = (name for name, each in installed.items() if not each.is_at(project))
    facts = [f"{target} {target.full_version}", *(each.path for each in planned)]
    facts += [lock_file.digest(each.current.body) for each in planned if each.current]
    # The project itself and what a body installs come later, and nothing locked needs them.
    facts += sorted(f"{name} {installed[name].version}" for name in installed.keys() & locked)
    digest = lock_file.digest("\n".join(facts))
    return Comparison(
        installed, missing, sorted({*remove} - locked), [], [], {}, digest, verified=False
    )


def active_pins(planned: Sequence[LockPlan], target: Target) -> Iterator[tuple[LockPlan, Pin]]:
    """Yield the pins whose markers apply to a target here, each with its lock file."""
    here = running_platform()
    for each in planned:
        for pin in each.pins:
            if counts(pin.marker, target, here):
                yield each, pin


def is_local(pin: Pin) -> bool:
    """Return whether a pin is a folder or an archive on this machine."""
    url = pin.url or ""
    return url[:1] in {".", "/"} or url.startswith("file:")


def whole_url(pin: Pin, root: Path) -> str:
    """Return the URL of a pin, absolute if local: pip records ``file:./lib`` as ``file:///./lib``."""
    url, mark, fragment = (pin.url or "").partition("#")
    if is_local(pin):
        path = unquote(_FILE.sub("", url)) if url.startswith("file:") else url
        url = (root / path).resolve().as_uri()
    return f"{url}{mark}{fragment}"


def is_from(pin: Pin, origin: Origin | None, root: Path) -> bool:
    """Return whether a distribution was installed from the URL or path of a pin."""
    url, _, fragment = (pin.url or "").partition("#")
    if origin is None or pin.editable is not origin.editable:
        return False
    subdirectory = parse_qs(fragment).get("subdirectory", [""])[0]
    if subdirectory != origin.subdirectory and not pin.editable:
        return False
    locked = {each.lower() for each in pin.hashes if each.startswith("sha256:")}
    if locked and origin.sha256 and f"sha256:{origin.sha256}" not in locked:
        return False
    if not _REPOSITORY.match(url):
        return split_url(whole_url(pin, root).partition("#")[0]) == split_url(origin.url)
    if pin.editable:
        return _is_clone(url, Path(local_path(unquote(urlsplit(origin.url).path))))
    scheme, host, path = split_url(url.partition("+")[2])
    path, _, revision = path.partition("@")
    return (scheme, host, path) == split_url(origin.url) and revision in origin.revisions


def _is_clone(url: str, folder: Path) -> bool:
    """Return whether an editable clone, which pip makes in ``src``, is at the commit of a URL."""
    revision = urlsplit(url).path.partition("@")[2]
    try:
        head = (folder / ".git" / "HEAD").read_text(encoding="utf-8").strip()
    except OSError:
        return False
    return not _COMMIT.fullmatch(revision) or head == revision


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
        raise NoxLockError(
            "\n".join(["these lock files of one session do not agree:", *differing]),
            hint="Bring their inputs together, for instance by one `-c` file for both.",
        )


def find_unmet(
    planned: Sequence[LockPlan], target: Target, installed: Mapping[str, Distribution]
) -> list[str]:
    """Return a line for each dependency of a locked distribution that is not met.

    Those of an extra count if an input or another distribution requires that extra. What
    pip-compile leaves out as unsafe is not checked.
    """
    unsafe = {name for each in planned if each.current for name in each.current.unsafe}
    pending: list[tuple[str, str]] = []
    for each, pin in active_pins(planned, target):
        entries = (entry for entry in each.inputs.requirements if entry.name == pin.name)
        extras = {"", *pin.extras, *(extra for entry in entries for extra in entry.extras)}
        pending += [(pin.name or "", extra) for extra in sorted(extras)]
    return _find_unmet(pending, unsafe, target, installed)


def find_unmet_by_project(locked: LockedEnvironment) -> list[str]:
    """Return a line for each dependency of the project itself that is not met."""
    installed = list_distributions(locked.venv).installed
    url = locked.project.root.resolve().as_uri()
    own = [(name, "") for name, each in installed.items() if each.is_at(url)]
    return _find_unmet(own, (), locked.venv.target, installed)


def _find_unmet(
    pending: list[tuple[str, str]],
    unsafe: Collection[str],
    target: Target,
    installed: Mapping[str, Distribution],
) -> list[str]:
    """Follow the dependencies of distributions, each with an extra or an empty text."""
    done: set[tuple[str, str]] = set()
    unmet: dict[str, None] = {}
    while pending:
        name, extra = pending.pop(0)
        if (name, extra) in done or name not in installed:
            continue
        done.add((name, extra))
        for requirement in _requirements(installed[name], target, extra):
            needed = canonicalize_name(requirement.name)
            if needed in unsafe:
                continue
            found = installed.get(needed)
            text = f"{name} {installed[name].version} needs {requirement.name}"
            if found is None:
                unmet[f"{text}{requirement.specifier}, which is not installed"] = None
            elif not (requirement.url or meets(requirement.specifier, found.version)):
                unmet[f"{text}{requirement.specifier}, but {found.version} is installed"] = None
            pending += [(needed, canonicalize_name(each)) for each in requirement.extras]
            pending.append((needed, ""))
    return list(unmet)


def _requirements(distribution: Distribution, target: Target, extra: str) -> Iterator[Requirement]:
    """Yield what a distribution requires itself, or for one of its extras alone."""
    here = running_platform()
    for text in distribution.requires():
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue  # pip and uv ignore it, too
        if holds(requirement.marker, target, here, extra) and not (
            extra and holds(requirement.marker, target, here)
        ):
            yield requirement

"""What does not belong in a lock file, whatever its inputs say: what a reviewer may overlook.

npm's users have lockfile-lint for this. https://github.com/lirantal/lockfile-lint
"""

from __future__ import annotations

import posixpath
import re
import shlex
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from packaging.markers import Marker
from packaging.utils import canonicalize_name

from nox_lock.checking.coverage import show_url
from nox_lock.checking.verdict import Reason
from nox_lock.inputs.pep508 import parse_version
from nox_lock.lockfile.pins import is_plain_marker
from nox_lock.planning.settings import UNSAFE_PACKAGES
from nox_lock.target import counting_patches
from nox_lock.text import has_password, redact

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nox_lock.lockfile.lock_file import LockFile
    from nox_lock.lockfile.pins import Pin
    from nox_lock.planning.lock_plan import LockPlan

_INDEXES = ("--index-url", "--extra-index-url", "--find-links")
# Options of pip-compile that a line of an input says as well.
_AS_LINES = (*_INDEXES, "--trusted-host", "--pre")
_FLAGS = ("--pre", "--all-extras", "--no-annotate")
_LONG_NAMES = {"-c": "--constraint", "-i": "--index-url", "-f": "--find-links"}
_LONGEST = 4096  # a command that anybody has typed
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
# pip's own list of systems: https://pip.pypa.io/en/stable/topics/vcs-support/
_REPOSITORY = re.compile(r"(?:git|hg|svn|bzr)\+", re.IGNORECASE)
_COMMIT = re.compile(r"@(?:[0-9a-f]{40}|[0-9a-f]{64})(?=$|#)|(?<=^svn).*@\d+(?=$|#)")


def find_faults(planned: LockPlan, lock: LockFile) -> Iterator[Reason]:
    """Yield what makes a lock file `invalid`: secrets, pins without a hash or a version."""
    for option in lock.options:
        if has_password(option.text):
            yield Reason("a password is written here in clear", planned.at(option.number))
    hashed = lock.hashed and planned.settings.generate_hashes
    for pin in lock.pins:
        if pin.url and has_password(pin.url):
            yield Reason("a password is written here in clear", planned.at(pin.line))
        if hashed and not pin.hashes and not pin.unhashable:
            yield Reason(f"{pin.shown} has no hash", planned.at(pin.line))
        if pin.version and parse_version(pin.version) is None:
            yield Reason(f"{pin.shown} pins what is no version", planned.at(pin.line))
        if pin.marker and not is_plain_marker(pin.marker) and not _is_given(pin, planned):
            said = f"the marker {pin.marker[:80]}, which readers take differently"
            yield Reason(f"{pin.shown} has {said}", planned.at(pin.line))
    yield from find_repeated(planned, lock)


def _is_given(pin: Pin, planned: LockPlan) -> bool:
    """Return whether an input gives a project the marker that its pin has."""
    entries = (entry for entry in planned.inputs.entries if entry.name == pin.name)
    return str(Marker(pin.marker)) in {str(entry.marker) for entry in entries if entry.marker}


def find_repeated(planned: LockPlan, lock: LockFile) -> Iterator[Reason]:
    """Yield the projects with two pins that differ, and both hold for the target.

    pip-compile may repeat a pin for its extras.
    """
    pins: dict[str, list[Pin]] = {}
    for pin in lock.pins:
        if pin.name:
            pins.setdefault(pin.name, []).append(pin)
    for name, found in pins.items():
        if len(found) > 1 and _differ(found, planned):
            yield Reason(f"{name} is pinned twice", planned.at(found[-1].line))


def _differ(pins: list[Pin], planned: LockPlan) -> bool:
    """Return whether two pins of one project differ in some patch release of the target."""
    if len({pin.shown for pin in pins}) == 1:
        return len({frozenset(pin.hashes) for pin in pins}) > 1
    taken: dict[str, frozenset[int]] = {}
    for pin in pins:
        found = counting_patches(pin.marker, planned.target, planned.platform)
        taken[pin.shown] = taken.get(pin.shown, frozenset()) | found
    return sum(map(len, taken.values())) > len(frozenset().union(*taken.values()))


def find_warnings(planned: LockPlan, lock: LockFile) -> Iterator[Reason]:
    """Yield what is allowed and better changed."""
    for line, where in planned.options.items():
        name, _, value = line.partition(" ")
        if name in _INDEXES and _is_open(value):
            yield Reason(f"{line} is not encrypted: anybody on the way can change it", where)
    for name in planned.apart:
        said = f"it builds on {name!r}, which is not made for Python {planned.target}"
        fix = "the versions of both may differ; [tool.nox-lock] python makes both for the same"
        yield Reason(f"{said}: {fix}", planned.at())
    for option in planned.inputs.remote:
        said = f"{option.name} {option.value} is remote: what it holds is seen by --deep alone"
        yield Reason(said, option.place)
    if planned.lock.settings.generate_hashes is None and lock.pins and not lock.hashed:
        fix = "say generate-hashes = true in [tool.nox-lock], and run: nox -s lock"
        yield Reason(f"its pins have no hashes: {fix}", planned.at())
    for pin in lock.pins:
        if risk := _find_risk(pin):
            yield Reason(risk, planned.at(pin.line))
    yield from find_unused_arguments(planned, lock)


def _find_risk(pin: Pin) -> str:
    """Return why what a pin names may change unseen, or nothing."""
    if pin.url is None:
        return ""
    if pin.editable:
        return f"-e {pin.url} is editable: its code is not locked"
    if _REPOSITORY.match(pin.url) and not _COMMIT.search(pin.url):
        return f"{show_url(pin)} names no commit: what is there can change"
    if _is_open(pin.url) and not pin.hashes:
        return f"{show_url(pin)} is not encrypted and has no hash"
    return ""


def find_unused_arguments(planned: LockPlan, lock: LockFile) -> Iterator[Reason]:
    """Yield arguments of the command that made an adopted lock file and that nothing else says.

    They would be lost in silence when it is compiled. The settings that a body shows are taken
    over (see `planning.settings`); https://pip-tools.readthedocs.io/en/stable/cli/pip-compile/
    """
    inputs, table = planned.inputs, f"[tool.nox-lock.locks.{planned.name}]"
    source = next(iter(inputs.sources), "an input")
    options = {f"{each.name} {each.value}".strip() for each in inputs.options}
    unsafe = {*UNSAFE_PACKAGES, *(planned.settings.unsafe_packages or ())}
    given = {posixpath.normpath(each) for each in inputs.files}
    for name, value in _arguments(lock.command or "") if lock.stamp is None else ():
        fix = ""
        if name == "--constraint" and posixpath.normpath(value) not in given:
            fix = f"write -c {value} into {source}"
        elif name == "--extra" and value not in inputs.extras:
            fix = f'{table} extras = ["{value}"]'
        elif name == "--all-extras" and not inputs.extras:
            fix = f"{table} extras = [...] names them"
        elif name in _AS_LINES and f"{name} {value}".strip() not in options:
            fix = redact(f"write {name} {value}".strip()) + f" into {source}"
        elif name == "--unsafe-package" and canonicalize_name(value) not in unsafe:
            fix = f'{table} unsafe-package = ["{value}"]'
        elif name == "--no-annotate" or (name, value) == ("--annotation-style", "line"):
            fix = "nox-lock writes `# via` notes below each pin, which a check needs"
        if fix:
            shown = redact(f"{name}={value}" if value else name)
            yield Reason(f"made with {shown}, which is not said elsewhere: {fix}", planned.at())


def _arguments(command: str) -> Iterator[tuple[str, str]]:
    """Yield the options of a command of pip-compile or uv, by their long names."""
    try:  # `shlex` takes time that grows with the square of a word's length
        words = shlex.split(command) if len(command) < _LONGEST else []
    except ValueError:
        return
    if words[:1] not in (["pip-compile"], ["uv"]):
        return
    for word, after in zip(words, [*words[1:], ""], strict=True):
        name, equals, value = word.partition("=")
        name = _LONG_NAMES.get(name, name)
        if name.startswith("--"):
            yield name, value if equals or name in _FLAGS else after


def _is_open(url: str) -> bool:
    """Return whether a URL is fetched over the network in clear."""
    if found := _REPOSITORY.match(url):
        url = url[found.end() :]
    try:
        parts = urlsplit(url)
    except ValueError:  # whoever fetches it will say so
        return False
    return parts.scheme.lower() in {"http", "ftp"} and parts.hostname not in _LOOPBACK

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

from nox_lock.checking.coverage import judge_urls, show_url
from nox_lock.checking.verdict import Reason
from nox_lock.errors import Place
from nox_lock.inputs.pep508 import parse_version
from nox_lock.lockfile.pins import is_plain_marker
from nox_lock.planning.settings import UNSAFE_PACKAGES
from nox_lock.target import marker_environment, patch_releases
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
_LONGEST = 4096  # a command that anybody has typed
_MOST_VERSIONS = 50  # of one project in a lock file for all Pythons and platforms
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
# pip's own list of systems: https://pip.pypa.io/en/stable/topics/vcs-support/
_REPOSITORY = r"(?:git|hg|svn|bzr)\+"
_COMMIT = r"@(?:[0-9a-f]{40}|[0-9a-f]{64})(?=$|#)|(?<=^svn).*@\d+(?=$|#)"


def find_faults(planned: LockPlan, lock: LockFile) -> Iterator[Reason]:
    """Yield what makes a lock file `invalid`: secrets, pins without a hash, strange URLs."""
    path = planned.path
    for option in lock.options:
        if has_password(option.text):
            yield Reason("a password stands here in clear", Place(path, option.line))
    hashed = lock.hashed and planned.settings.generate_hashes
    seen: dict[str, list[Pin]] = {}
    for pin in lock.pins:
        if pin.url and has_password(pin.url):
            yield Reason("a password stands here in clear", Place(path, pin.line))
        if hashed and not pin.hashes and not pin.unhashable:
            yield Reason(f"{pin.shown} has no hash", Place(path, pin.line))
        if pin.version and parse_version(pin.version) is None:
            yield Reason(f"{pin.shown} pins what is no version", Place(path, pin.line))
        seen.setdefault(pin.name or "", []).append(pin)
        if pin.marker and not is_plain_marker(pin.marker):
            yield from _find_unlike(planned, pin)
    for name, pins in seen.items():
        if name and len(pins) > 1:
            yield from _find_twice(planned, pins)
    yield from judge_urls(planned, lock)


def _find_unlike(planned: LockPlan, pin: Pin) -> Iterator[Reason]:
    """Yield that readers take a marker differently, unless an input has it for this project."""
    entries = planned.inputs.entries
    given = {str(entry.marker) for entry in entries if entry.name == pin.name and entry.marker}
    if str(Marker(pin.marker)) not in given:
        said = f"{pin.shown} has the marker {pin.marker[:80]}, which readers take differently"
        yield Reason(said, planned.at(pin.line))


def _find_twice(planned: LockPlan, pins: list[Pin]) -> Iterator[Reason]:
    """Yield that two pins of one project differ and both hold in some patch release of the target.

    pip-compile may repeat a pin for its extras.
    """
    twice = Reason(f"{pins[0].name} is pinned twice", planned.at(pins[-1].line))
    if len({pin.shown for pin in pins}) == 1:
        if len({frozenset(pin.hashes) for pin in pins}) > 1:
            yield twice
        return
    if len(pins) > _MOST_VERSIONS:
        yield twice
        return
    markers = [(pin.shown, Marker(pin.marker) if pin.marker else None) for pin in pins]
    for patch in patch_releases(" ".join(pin.marker for pin in pins), planned.target):
        environment = marker_environment(planned.target, planned.platform, patch)
        holding = {shown for shown, each in markers if not each or each.evaluate(environment)}
        if len(holding) > 1:
            yield twice
            return


def find_weak(planned: LockPlan) -> Iterator[Reason]:
    """Yield what is allowed and still not good: a warning each."""
    for line, where in planned.options.items():
        name, _, value = line.partition(" ")
        if name in _INDEXES and _is_open(value):
            yield Reason(f"{line} is not encrypted: anybody on the way can change it", where)
    for name in planned.apart:
        said = f"it builds on {name!r}, which is not made for Python {planned.target}"
        fix = "the versions of both may differ; [tool.nox-lock] python makes both for the same"
        yield Reason(f"{said}: {fix}", planned.at())
    for option in planned.inputs.remote:
        seen = "what stands there is seen by --deep alone"
        yield Reason(f"{option.name} {option.value} is remote: {seen}", option.place)
    lock = planned.current
    if lock is not None:
        yield from _find_weak_pins(planned, lock)
        yield from find_unhonoured(planned, lock)


def find_unhonoured(planned: LockPlan, lock: LockFile) -> Iterator[Reason]:
    """Yield arguments of the command that made an adopted lock file and that nothing else says.

    They would be lost in silence when it is compiled. The settings that a body shows are taken
    over (see `_settings`); https://pip-tools.readthedocs.io/en/stable/cli/pip-compile/
    """
    words = _words(lock.command or "") if lock.stamp is None else []
    if words[:1] not in (["pip-compile"], ["uv"]):
        return
    table = f"[tool.nox-lock.locks.{planned.name}]"
    source = next(iter(planned.inputs.sources), "an input")
    options = {f"{each.name} {each.value}".strip() for each in planned.inputs.options}
    unsafe = {*UNSAFE_PACKAGES, *(planned.settings.unsafe_packages or ())}
    given = {posixpath.normpath(each) for each in planned.inputs.files}
    for name, value in _pairs(words):
        said = ""
        if name == "--constraint" and posixpath.normpath(value) not in given:
            said = f"write -c {value} into {source}"
        elif name == "--extra" and value not in planned.inputs.extras:
            said = f'{table} extras = ["{value}"]'
        elif name == "--all-extras" and not planned.inputs.extras:
            said = f"{table} extras = [...] names them"
        elif name in _AS_LINES and f"{name} {value}".strip() not in options:
            said = redact(f"write {name} {value}".strip()) + f" into {source}"
        elif name == "--unsafe-package" and canonicalize_name(value) not in unsafe:
            said = f'{table} unsafe-package = ["{value}"]'
        elif name == "--no-annotate" or (name, value) == ("--annotation-style", "line"):
            said = "nox-lock writes `# via` notes below each pin, which a check needs"
        if said:
            shown = redact(f"{name}={value}" if value else name)
            yield Reason(f"made with {shown}, which is not said elsewhere: {said}", planned.at())


def _words(command: str) -> list[str]:
    try:  # `shlex` takes time that grows with the square of a word's length
        return shlex.split(command) if len(command) < _LONGEST else []
    except ValueError:
        return []


def _pairs(words: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the long options of a command with their values."""
    for word, after in zip(words, [*words[1:], ""], strict=True):
        name, equals, value = word.partition("=")
        name = {"-c": "--constraint", "-i": "--index-url", "-f": "--find-links"}.get(name, name)
        if name.startswith("--"):
            yield name, value if equals or name in _FLAGS else after


def _find_weak_pins(planned: LockPlan, lock: LockFile) -> Iterator[Reason]:
    if planned.lock.settings.generate_hashes is None and lock.pins and not lock.hashed:
        fix = "say generate-hashes = true in [tool.nox-lock], and run: nox -s lock"
        yield Reason(f"its pins have no hashes: {fix}", planned.at())
    for pin in lock.pins:
        if pin.url is None:
            continue
        if pin.editable:
            yield Reason(f"-e {pin.url} is editable: its code is not locked", planned.at(pin.line))
        elif re.match(_REPOSITORY, pin.url, re.IGNORECASE) and not re.search(_COMMIT, pin.url):
            said = f"{show_url(pin)} names no commit: what stands there can change"
            yield Reason(said, planned.at(pin.line))
        elif _is_open(pin.url) and not pin.hashes:
            said = f"{show_url(pin)} is not encrypted and has no hash"
            yield Reason(said, planned.at(pin.line))


def _is_open(url: str) -> bool:
    """Tell whether a URL is fetched over the network in clear."""
    try:
        parts = urlsplit(
            url.partition("+")[2] if re.match(_REPOSITORY, url, re.IGNORECASE) else url
        )
    except ValueError:  # whoever fetches it will say so
        return False
    return parts.scheme.lower() in {"http", "ftp"} and parts.hostname not in _LOOPBACK

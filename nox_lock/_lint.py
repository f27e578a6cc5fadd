"""What does not belong in a lock file, whatever its inputs say: what a reviewer may overlook.

npm's users have lockfile-lint for this. https://github.com/lirantal/lockfile-lint
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from packaging.markers import Marker
from packaging.version import Version

from nox_lock._coverage import judge_urls
from nox_lock._target import marker_environment
from nox_lock._verdict import Reason
from nox_lock.text import has_password, has_token

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nox_lock._planned import Planned
    from nox_lock.lockfile.lock_file import LockFile
    from nox_lock.lockfile.pins import Pin

_INDEXES = ("--index-url", "--extra-index-url", "--find-links")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
# pip's own list of systems: https://pip.pypa.io/en/stable/topics/vcs-support/
_REPOSITORY = r"(?:git|hg|svn|bzr)\+"
_COMMIT = r"@(?:[0-9a-f]{40}|[0-9a-f]{64})(?=$|#)|(?<=^svn).*@\d+(?=$|#)"


def find_faults(planned: Planned, lock: LockFile) -> Iterator[Reason]:
    """Yield what makes a lock file `invalid`: secrets, pins without a hash, strange URLs."""
    path = planned.path
    for option in lock.options:
        if has_password(option.text) or has_token(option.text):
            yield Reason("a password stands here in clear", path, option.line)
    hashed = lock.hashed and planned.settings.generate_hashes
    seen: dict[str, list[Pin]] = {}
    for pin in lock.pins:
        if pin.url and has_password(pin.url):
            yield Reason("a password stands here in clear", path, pin.line)
        if hashed and not pin.hashes and not pin.unhashable:
            yield Reason(f"{pin.shown} has no hash", path, pin.line)
        if pin.version and not is_version(pin.version):
            yield Reason(f"{pin.shown} pins what is no version", path, pin.line)
        seen.setdefault(pin.name or "", []).append(pin)
    for name, pins in seen.items():
        if name and len({each.shown for each in pins}) > 1:
            yield from _find_twice(planned, pins)
    yield from judge_urls(planned, lock)


def _find_twice(planned: Planned, pins: list[Pin]) -> Iterator[Reason]:
    """Yield that two pins of one project both hold in some patch release of the target."""
    patches = [planned.target.patch] if planned.target.patch else [*map(str, range(100))]
    for patch in patches:
        environment = marker_environment(planned.target, planned.platform, patch)
        holding = [
            pin for pin in pins if not pin.marker or Marker(pin.marker).evaluate(environment)
        ]
        if len({pin.shown for pin in holding}) > 1:
            yield Reason(f"{pins[0].name} is pinned twice", planned.path, holding[-1].line)
            return


def find_weak(planned: Planned) -> Iterator[Reason]:
    """Yield what is allowed and still not good: a warning each."""
    for line, where in planned.options.items():
        name, _, value = line.partition(" ")
        if name in _INDEXES and _is_open(value):
            yield Reason(f"{line} is not encrypted: anybody on the way can change it", *where)
    for name in planned.apart:
        said = f"it builds on {name!r}, which is not made for Python {planned.target}"
        mend = "the versions of both may differ; [tool.nox-lock] python makes both for the same"
        yield Reason(f"{said}: {mend}", planned.path)
    for option in planned.inputs.remote:
        seen = "what stands there is seen by --deep alone"
        yield Reason(f"{option.name} {option.value} is remote: {seen}", *option.where)
    lock = planned.existing
    if lock is not None:
        yield from _find_weak_pins(planned, lock)


def _find_weak_pins(planned: Planned, lock: LockFile) -> Iterator[Reason]:
    if planned.lock.settings.generate_hashes is None and lock.pins and not lock.hashed:
        fix = "say generate-hashes = true in [tool.nox-lock], and run: nox -s lock"
        yield Reason(f"its pins have no hashes: {fix}", planned.path)
    for pin in lock.pins:
        if pin.url is None:
            continue
        if pin.editable:
            yield Reason(
                f"-e {pin.url} is editable: its code is not locked", planned.path, pin.line
            )
        elif re.match(_REPOSITORY, pin.url, re.IGNORECASE) and not re.search(_COMMIT, pin.url):
            said = f"{_named(pin)} names no commit: what stands there can change"
            yield Reason(said, planned.path, pin.line)
        elif _is_open(pin.url) and not pin.hashes:
            said = f"{_named(pin)} is not encrypted and has no hash"
            yield Reason(said, planned.path, pin.line)


@functools.lru_cache(maxsize=4096)  # most pins stand in several lock files of a project
def is_version(text: str) -> bool:
    """Tell whether pip can read a version."""
    try:
        Version(text)
    except ValueError:  # InvalidVersion, or more digits than an int is made of
        return False
    return True


def _named(pin: Pin) -> str:
    url = pin.url or ""
    return url if pin.name is None or url.startswith((".", "/")) else f"{pin.name} @ {url}"


def _is_open(url: str) -> bool:
    """Tell whether a URL is fetched over the network in clear."""
    try:
        parts = urlsplit(
            url.partition("+")[2] if re.match(_REPOSITORY, url, re.IGNORECASE) else url
        )
    except ValueError:  # whoever fetches it will say so
        return False
    return parts.scheme.lower() in {"http", "ftp"} and parts.hostname not in _LOOPBACK

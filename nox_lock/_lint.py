"""What does not belong in a lock file, whatever its inputs say: what a reviewer may overlook.

npm's users have lockfile-lint for this. https://github.com/lirantal/lockfile-lint
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from packaging.utils import canonicalize_name
from packaging.version import Version

from nox_lock._coverage import bare_url
from nox_lock._pins import HASH_LENGTHS
from nox_lock._target import holds
from nox_lock._verdict import Reason
from nox_lock.text import has_password, has_token, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nox_lock._lockfile import LockFile
    from nox_lock._pins import Pin
    from nox_lock._planned import Planned

_INDEXES = ("--index-url", "--extra-index-url", "--find-links")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
# pip's own list of systems: https://pip.pypa.io/en/stable/topics/vcs-support/
_REPOSITORY = r"(?:git|hg|svn|bzr)\+"
_COMMIT = r"@(?:[0-9a-f]{40}|[0-9a-f]{64})(?=$|#)|(?<=^svn).*@\d+(?=$|#)"


def find_faults(planned: Planned, lock: LockFile) -> Iterator[Reason]:
    """Yield what makes a lock file `invalid`: secrets, pins without a hash, strange URLs."""
    for option in lock.options:
        if has_password(option.text) or has_token(option.text):
            yield Reason("a password stands here in clear", planned.path, option.line)
    hashed = lock.hashed and planned.settings.generate_hashes
    for pin in planned.own_pins:
        if pin.url and has_password(pin.url):
            yield Reason("a password stands here in clear", *planned.place_of(pin))
        if hashed and not pin.hashes and not pin.unhashable:
            yield Reason(f"{pin.shown} has no hash", *planned.place_of(pin))
        if pin.version and not (lock.as_stamped or is_version(pin.version)):
            yield Reason(f"{pin.shown} pins what is no version", *planned.place_of(pin))
        if not HASH_LENGTHS.issuperset(map(len, pin.hashes)):
            wrong = next(each for each in pin.hashes if len(each) not in HASH_LENGTHS)
            said = f"{pin.shown} has {quoted(wrong)}, which is no hash or not all of it"
            yield Reason(said, *planned.place_of(pin))
    if not lock.as_stamped:
        yield from find_strangers(planned, lock)


def find_strangers(planned: Planned, lock: LockFile) -> Iterator[Reason]:
    """Yield the pins to a direct URL that no input asks for.

    Inputs that ask for a version are met by nothing but a version. A project that is a URL or a
    folder itself may ask for others so; which, is known to its metadata alone, and that is left
    to the stamp. What comes from an index asks for nothing from elsewhere.
    """
    if not planned.inputs.judgeable:
        return
    by_name = {entry.name for entry in planned.inputs.entries if entry.url}
    by_url = {bare_url(entry.url) for entry in planned.inputs.entries if entry.url}
    versions = {pin.name for pin in lock.pins if pin.version}
    for pin in planned.own_pins:
        if pin.url is None or pin.name in by_name or bare_url(pin.url) in by_url:
            continue
        askers = [canonicalize_name(via) for via in pin.via if not via.startswith("-")]
        if not lock.as_stamped or (askers and versions.issuperset(askers)):
            yield Reason(f"no input asks for {_named(pin)}", *planned.place_of(pin))
            continue
        if askers:
            continue
        for entry in planned.inputs.requirements:
            if entry.name == pin.name and holds(entry.marker, planned.target, planned.platform):
                yield Reason(f"{entry.text} is not met by {_named(pin)}", *entry.where)


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
    for pin in planned.own_pins:
        if pin.url is None:
            continue
        if pin.editable:
            yield Reason(
                f"-e {pin.url} is editable: its code is not locked", *planned.place_of(pin)
            )
        elif re.match(_REPOSITORY, pin.url, re.IGNORECASE) and not re.search(_COMMIT, pin.url):
            said = f"{_named(pin)} names no commit: what stands there can change"
            yield Reason(said, *planned.place_of(pin))
        elif _is_open(pin.url) and not pin.hashes:
            said = f"{_named(pin)} is not encrypted and has no hash"
            yield Reason(said, *planned.place_of(pin))


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

"""What pip's private log (``PIP_LOG``) tells of each package index.

pip passes over an index that fails and takes what the others have, with the same words on the
terminal as for a project that does not exist. Only its log tells them apart.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from packaging.utils import canonicalize_name

from nox_lock._errors import CompileError

if TYPE_CHECKING:
    from collections.abc import Mapping

_ASKED = re.compile(r"(?:Getting page|Downloading|Collecting \S+ @) (\w+://\S+)")
_FETCHED = re.compile(r"Fetched page (\S+) as text/html")
_FILE = re.compile(r"(?:Found link|Skipping link: (?!not a file)).* \(from (\S+?)\)")
_SKIPPED = re.compile(r"Could not fetch URL (\S+): (.*) - skipping")
_NO_PAGE = re.compile(r"Skipping page (\S+) because the \w+ request got Content-Type: (\S+)\.")
_UNTRUSTED = re.compile(r"The repository located at (\S+) is not a trusted or secure host")
_DEPENDS = re.compile(r"(?:\S+ +)?(\S+) (\S+) depends on (\S.*)$")
_STATUS = re.compile(r"(\d{3}) (?:Client|Server) Error")
_BROKEN = re.compile(
    r"^.*\b((?:ChunkedEncodingError|IncompleteRead|ProtocolError|ReadTimeoutError|"
    r"ConnectionResetError|NetworkConnectionError|SSLError|ConnectTimeoutError|"
    r"IncompleteDownloadError|Connection\w*Error)\b.*"
    r"|HTTP error [45]\d\d while getting \S+|[45]\d\d (?:Client|Server) Error: .*)",
    re.MULTILINE,
)
_YANKED = re.compile(
    r"is a yanked version: '(\S+)' candidate \(version (\S+) at .*\n.*Reason for being yanked: (.*)"
)
_CREDENTIALS = re.compile(r"(\w+://)[^/@\s]*@")
_QUERY = re.compile(r"((?:\w+://|url: /)[^\s?#'\"]*\?)[^\s#'\",;)]+")
_WHO = (
    ": it wants a user name and password "
    "(in pip's configuration or netrc, or keyring-provider = subprocess)"
)
# In this order: a TLS failure may be told as a connection that failed.
_FAILURES = (
    (("certificate", "ssl"), "TLS failed: its certificate is not trusted, or it speaks no TLS"),
    (("refused",), "it cannot be reached: connection refused"),
    (("timed out", "timeout", "respond within"), "it did not answer in time"),
    (("resolve", "name or service", "getaddrinfo"), "its name cannot be resolved"),
    (("incomplete", "broken", "chunked", "reset"), "its answer broke off"),
    (("connectionfailed", "connection-failed"), "it cannot be reached"),
)


class Rejected(NamedTuple):
    """A version that pip tried and passed over: its project, and what it wanted instead."""

    name: str
    version: str
    wanted: str


class Yanked(NamedTuple):
    """A version that pip took although it was withdrawn (PEP 592), with the reason given."""

    name: str
    version: str
    reason: str


def yanked(log: str) -> tuple[Yanked, ...]:
    """Return the withdrawn versions that pip took."""
    return tuple(
        Yanked(canonicalize_name(name), version, reason.strip())
        for name, version, reason in dict.fromkeys(_YANKED.findall(log))
    )


def rejected(log: str) -> tuple[Rejected, ...]:
    """Return the versions that pip passed over, in the order it tried them."""
    found: dict[Rejected, None] = {}
    for block in log.split("Will try a different candidate, due to conflict:\n")[1:]:
        for line in block.split("\n"):
            demand = _DEPENDS.match(line)
            if not demand and "The user requested " not in line:
                break
            if demand:
                name, version, wanted = demand.groups()
                found[Rejected(canonicalize_name(name), version, wanted)] = None
    return tuple(found)


def mask(text: str) -> str:
    """Return `text` without the user names, passwords and queries of its URLs."""
    return _QUERY.sub(r"\1****", _CREDENTIALS.sub(r"\1****@", text))


def index_failure(output: str, log: str) -> CompileError | None:
    """Return what to say of an index that failed, also when the compile did not, or None.

    404 and 410, and 403 for single projects, only mean that an index does not have a project.
    `output` is what a failed compile printed; empty for one that ended well.
    """
    failed = _failures(log)
    if not failed and (broken := _BROKEN.search(output)):
        asked = _ASKED.findall(log)
        failed = {_index_of(asked[-1]) if asked else "": _reason(broken[1])}
    if not failed:
        return None
    return CompileError(
        f"a package index failed: {'; '.join(_told(failed))}",
        kind="index",
        hint="Nothing was locked: what another index offers instead may be a stranger's package.",
    )


def last_asked(log: str) -> str:
    """Return the address that pip asked last; empty where it asked none."""
    asked = _ASKED.findall(log)
    return mask(asked[-1]) if asked else ""


def failed_indexes(log: str) -> list[str]:
    """Say, a line each, which indexes failed, and how."""
    return _told(_failures(log))


def _told(failed: Mapping[str, str]) -> list[str]:
    return [f"{mask(index)}: {why}" if index else why for index, why in failed.items()]


def _failures(log: str) -> dict[str, str]:
    """Return the reason for each index that failed."""
    fetched = {_index_of(url) for url in _FETCHED.findall(log)}
    with_files = {_index_of(url) for url in set(_FILE.findall(log))}
    answered = set(with_files)
    forbidden: dict[str, str] = {}
    failed = dict.fromkeys(_UNTRUSTED.findall(log), "it is plain http and not trusted by pip")
    for url, kind in _NO_PAGE.findall(log):
        failed.setdefault(_index_of(url), f"it answered {kind}, which is no package index")
    for url, reason in _SKIPPED.findall(log):
        index, status = _index_of(url), _STATUS.search(reason)
        if status and status[1] in {"404", "410"}:
            answered.add(index)
        elif status and status[1] == "403":
            forbidden.setdefault(index, "it answered 403 to everything")
        else:
            failed.setdefault(index, _reason(reason))
    for index in fetched - answered:
        failed.setdefault(index, "no page of it lists a file: is it a login page?")
    return failed | {index: why for index, why in forbidden.items() if index not in answered}


def _index_of(url: str) -> str:
    """Return the index a project page belongs to: its URL without the project, and the user."""
    return _CREDENTIALS.sub(r"\1", url).rstrip("/").rpartition("/")[0]


def _reason(text: str) -> str:
    """Say in words of our own why a page was not fetched; pip's words where we have none."""
    if status := _STATUS.search(text):
        meaning = _WHO if status[1] == "401" else ""
        return f"it answered {status[1]}{meaning}"
    lowered = text.lower()
    for signs, words in _FAILURES:
        if any(sign in lowered for sign in signs):
            return words
    return mask(text)[:200]

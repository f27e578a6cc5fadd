"""What pip and uv say of the pins that they install: which failed, why, and what was withdrawn.

pip says it in its private log (``PIP_LOG``), uv on standard error.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from nox_lock.compiling.index_failures import index_reasons
from nox_lock.compiling.report import Page
from nox_lock.errors import InstallError
from nox_lock.text import shareable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nox_lock.environments.contents import Difference
    from nox_lock.lockfile.pins import Pin

_SHOWN = 5
_COLOUR = re.compile(r"\x1b\[[\d;]*m")
_ERROR = re.compile(r"\berror: ", re.IGNORECASE)
_TRACEBACK = re.compile(r"^.*\bException information:\n(?:.*\n)*?(?=\S* ?ERROR: |\Z)", re.MULTILINE)
_YANKED_BY_UV = re.compile(r"`([^`]+?)==([^`]+)` is yanked(?: \(reason: \"(.*)\"\))?")
_YANKED_BY_PIP = re.compile(
    r"is a yanked version: '(\S+)' candidate \(version (\S+) at .*\n.*Reason for being yanked: (.*)"
)
_SKIPPED = re.compile(r"Could not fetch URL (\S+): (.*) - skipping")
_STATUS = re.compile(r"(\d{3}) (?:Client|Server) Error")
# Words in pip's reasons, in this order: a TLS failure may be told as a connection that failed.
_PROBLEMS = {
    "tls": ("certificate", "ssl"),
    "refused": ("refused",),
    "timeout": ("timed out", "timeout", "respond within"),
    "name": ("resolve", "name or service", "getaddrinfo"),
    "broken": ("incomplete", "broken", "chunked", "reset"),
    "unreachable": ("connectionfailed", "connection-failed"),
}
_OTHER_FILE = re.compile(r"do not match the hashes|hash mismatch", re.IGNORECASE)
_NOT_THERE = re.compile(
    r"No matching distribution found|no version of|was not found in|404 (?:Client|Not Found)",
    re.IGNORECASE,
)


def withdrawn(said: str, pins: Sequence[Difference]) -> list[str]:
    """Say, a line each, which pins were installed although their makers withdrew them."""
    found = _YANKED_BY_PIP.findall(said) + _YANKED_BY_UV.findall(_COLOUR.sub("", said))
    reasons: dict[str | None, str] = {
        canonicalize_name(name): reason.strip() for name, _, reason in found
    }
    return [
        f"{each.pin.shown} was yanked: {reasons[name] or '<none given>'} ({each.place})"
        for each in pins
        if (name := each.pin.name) in reasons
    ]


def explain(said: str, pending: Sequence[Difference], lock: str) -> InstallError:
    """Return what to tell of an installer that failed: on which pins, why, and what mends it."""
    text = _COLOUR.sub("", said)
    error = _ERROR.search(text)
    errors = _TRACEBACK.sub("", text[error.start() :]) if error else ""
    named = _named(errors, pending)
    shown = [f"  {each.pin.shown} ({each.place})" for each in named[:_SHOWN]]
    more = [f"  and {len(named) - _SHOWN} more"] if len(named) > _SHOWN else []
    failed = [f"  {each}" for each in index_reasons(_failed_pages(text))]
    names = " ".join(f"-P {each.pin.name}" for each in named if each.pin.version)
    hint = None
    if _NOT_THERE.search(errors) and names and not failed:
        hint = f"The index has it no more. Lock another version: {lock} -- {names}"
    elif failed or "Failed to fetch" in errors:
        hint = "Run it again when the package index answers; what is installed stays."
    elif _OTHER_FILE.search(errors):
        hint = (
            "The index has another file than the one that was locked. Find out why; "
            f"if it can be trusted: {lock} -- {names}"
        )
    lines = ["not all that is locked could be installed:", *shown, *more, *failed]
    return InstallError("\n".join(lines), hint=hint)


def _failed_pages(said: str) -> Iterator[Page]:
    """Yield the index pages that pip could not fetch."""
    for url, reason in _SKIPPED.findall(said):
        status = _STATUS.search(reason)
        words = reason.lower()
        problem = next(
            (name for name, signs in _PROBLEMS.items() if any(s in words for s in signs)),
            shareable(reason)[:200],
        )
        address, _, project = shareable(url).rstrip("/").rpartition("/")
        yield Page(address, project, int(status[1]) if status else None, problem)


def _named(errors: str, pending: Sequence[Difference]) -> Sequence[Difference]:
    """Return the pins that an error is about; all of them where it does not tell."""
    for names in (_names_exactly, _names):
        if found := [each for each in pending if names(errors, each.pin)]:
            return found
    return pending


def _names_exactly(errors: str, pin: Pin) -> bool:
    """Tell whether errors have a pin with its version, or the index's page of it."""
    name = _spellings(pin)
    version = re.escape(pin.version or "")
    told = rf"(?<![\w.-]){name}(?:\[[^\]]*\])?=={version}(?![\w+!]|\.\w)"
    page = rf"Failed to fetch: \S*/{name}/[`\s]"
    wanted = f"{told}|{page}" if version else page
    return re.search(wanted, errors, re.IGNORECASE) is not None


def _names(errors: str, pin: Pin) -> bool:
    """Tell whether errors have a pin's name, but in the path of a file."""
    word = rf"(?<![\w./\\-]){_spellings(pin)}(?![\w/\\-]|\.\w)"
    return re.search(word, errors, re.IGNORECASE) is not None


def _spellings(pin: Pin) -> str:
    return re.escape(pin.name or pin.shown).replace("\\-", "[-_.]")

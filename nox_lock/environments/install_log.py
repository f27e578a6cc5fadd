"""Read what pip and uv print when they install: which pins failed, why, and what was yanked.

pip prints it to its log (``PIP_LOG``), uv to standard error.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from nox_lock.compiling.index_failures import Page, index_reasons
from nox_lock.errors import InstallError
from nox_lock.text import shareable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nox_lock.environments.comparison import Difference
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
# Words in pip's reasons, in this order: a TLS failure may be reported as a failed connection.
_PROBLEMS = {
    "tls": ("certificate", "ssl"),
    "refused": ("refused",),
    "timeout": ("timed out", "timeout", "respond within"),
    "name": ("resolve", "name or service", "getaddrinfo"),
    "broken": ("incomplete", "broken", "chunked", "reset"),
    "unreachable": ("connectionfailed", "connection-failed"),
}
_OTHER_FILE = re.compile(r"do not match the hashes|hash mismatch", re.IGNORECASE)
_NOT_FOUND = re.compile(
    r"No matching distribution found|no version of|was not found in|404 (?:Client|Not Found)",
    re.IGNORECASE,
)


def find_yanked(log: str, installed: Sequence[Difference]) -> list[str]:
    """Return a line for each pin that was installed although it is yanked, with the reason."""
    found = _YANKED_BY_PIP.findall(log) + _YANKED_BY_UV.findall(_COLOUR.sub("", log))
    reasons: dict[str | None, str] = {
        canonicalize_name(name): reason.strip() for name, _, reason in found
    }
    return [
        f"{each.pin.shown} was yanked: {reasons[name] or '<none given>'} ({each.place})"
        for each in installed
        if (name := each.pin.name) in reasons
    ]


def explain_failure(
    log: str, missing: Sequence[Difference], lock: str, hidden: str | None = None
) -> InstallError:
    """Return the error for a failed install: which pins, why, and how to fix it.

    `missing` are the pins that were to be installed; `lock` is the command that locks;
    `hidden` is the hint if settings may hide what an index has.
    """
    text = _COLOUR.sub("", log)
    error = _ERROR.search(text)
    errors = _TRACEBACK.sub("", text[error.start() :]) if error else ""
    failed = _find_failed(errors, missing)
    lines = [f"  {each.pin.shown} ({each.place})" for each in failed[:_SHOWN]]
    lines += [f"  and {len(failed) - _SHOWN} more"] if len(failed) > _SHOWN else []
    pages = [f"  {each}" for each in index_reasons(_failed_pages(text))]
    upgrade = " ".join(f"-P {each.pin.name}" for each in failed if each.pin.version)
    hint = None
    if _NOT_FOUND.search(errors) and upgrade and not pages:
        hint = hidden or f"The index no longer has it. Lock another version: {lock} -- {upgrade}"
    elif pages or "Failed to fetch" in errors:
        hint = "Run it again when the package index answers; what is installed stays."
    elif _OTHER_FILE.search(errors):
        hint = (
            "The index has another file than the one that was locked. Find out why; "
            f"if it can be trusted: {lock} -- {upgrade}"
        )
    message = "\n".join(["not all that is locked could be installed:", *lines, *pages])
    return InstallError(message, hint=hint)


def _failed_pages(log: str) -> Iterator[Page]:
    """Yield the index pages that pip could not fetch."""
    for url, reason in _SKIPPED.findall(log):
        status = _STATUS.search(reason)
        words = reason.lower()
        problem = next(
            (name for name, signs in _PROBLEMS.items() if any(s in words for s in signs)),
            shareable(reason)[:200],
        )
        address, _, project = shareable(url).rstrip("/").rpartition("/")
        yield Page(address, project, int(status[1]) if status else None, problem)


def _find_failed(errors: str, missing: Sequence[Difference]) -> Sequence[Difference]:
    """Return the pins that errors name with their versions, else by name, else all of them."""
    for names in (_names_exactly, _names):
        if found := [each for each in missing if names(errors, each.pin)]:
            return found
    return missing


def _names_exactly(errors: str, pin: Pin) -> bool:
    """Return whether errors name a pin with its version, or the index page of its project."""
    name = _spellings(pin)
    page = rf"Failed to fetch: \S*/{name}/[`\s]"
    version = re.escape(pin.version or "")
    exact = rf"(?<![\w.-]){name}(?:\[[^\]]*\])?=={version}(?![\w+!]|\.\w)"
    pattern = f"{exact}|{page}" if version else page
    return re.search(pattern, errors, re.IGNORECASE) is not None


def _names(errors: str, pin: Pin) -> bool:
    """Return whether errors name a pin's project, other than in the path of a file."""
    word = rf"(?<![\w./\\-]){_spellings(pin)}(?![\w/\\-]|\.\w)"
    return re.search(word, errors, re.IGNORECASE) is not None


def _spellings(pin: Pin) -> str:
    return re.escape(pin.name or pin.shown).replace("\\-", "[-_.]")

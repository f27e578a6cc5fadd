"""Package indexes that failed, by how their pages were answered.

pip passes over an index that fails and takes what the others have: what another index offers
instead may be a stranger's package. So one that fails fails the lock, also where pip is content.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nox_lock._errors import CompileError
from nox_lock.text import shareable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nox_lock.compiling.report import Page

_NOT_THERE = (404, 410)
_FORBIDDEN = 403
_UNAUTHORIZED = 401
_FIRST_ERROR = 400
_WHO = (
    ": it wants a user name and password "
    "(in pip's configuration or netrc, or keyring-provider = subprocess)"
)
PROBLEMS = {
    "tls": "TLS failed: its certificate is not trusted, or it speaks no TLS",
    "refused": "it cannot be reached: connection refused",
    "timeout": "it did not answer in time",
    "name": "its name cannot be resolved",
    "broken": "its answer broke off",
    "unreachable": "it cannot be reached",
    "untrusted": "it is plain http and not trusted by pip",
}


def index_failure(pages: Iterable[Page]) -> CompileError | None:
    """Return the error for the indexes that failed, or None.

    404 and 410, and 403 for single projects, only mean that an index does not have a project.
    """
    failed = _find_failures(pages)
    return index_error(failed) if failed else None


def index_reasons(pages: Iterable[Page]) -> list[str]:
    """Say, a line each, which indexes failed, and how."""
    return _told(_find_failures(pages))


def _told(failed: Mapping[str, str]) -> list[str]:
    return [f"{index}: {why}" if index else why for index, why in failed.items()]


def index_error(failed: Mapping[str, str]) -> CompileError:
    """Return the error for failed indexes, by their addresses with the reasons."""
    return CompileError(
        f"a package index failed: {'; '.join(_told(failed))}",
        kind="index",
        hint="Nothing was locked: what another index offers instead may be a stranger's package.",
    )


def _find_failures(pages: Iterable[Page]) -> dict[str, str]:
    """Return the reason for each index that failed."""
    failed: dict[str, str] = {}
    listed: set[str] = set()
    answered: set[str] = set()
    forbidden: dict[str, str] = {}
    for page in pages:
        if page.status == _FORBIDDEN:
            forbidden.setdefault(page.address, "it answered 403 to everything")
        elif page.status in _NOT_THERE or page.links:
            answered.add(page.address)
        elif page.status is not None and page.status < _FIRST_ERROR:
            listed.add(page.address)
        else:
            failed.setdefault(page.address, reason_of(page))
    for index in listed - answered:
        failed.setdefault(index, "no page of it lists a file: is it a login page?")
    return failed | {index: why for index, why in forbidden.items() if index not in answered}


def reason_of(page: Page) -> str:
    """Say why a page was not fetched, in our words; in pip's where we have none."""
    if page.status is not None:
        return f"it answered {page.status}{_WHO if page.status == _UNAUTHORIZED else ''}"
    return PROBLEMS.get(page.problem) or shareable(page.problem) or "it gave no answer"

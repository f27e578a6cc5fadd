"""Package indexes that failed, by how their pages were answered.

pip passes over an index that fails and takes what the others have: what another index offers
instead may be somebody else's package. So one that fails fails the lock, also where pip is content.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from nox_lock.errors import CompileError
from nox_lock.text import shareable, without_folders

if TYPE_CHECKING:
    from collections.abc import Iterable

_FINE = (200, 404, 410)
_FORBIDDEN = 403
_UNAUTHORIZED = 401
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
    "unreadable": "what it answers for {} cannot be read",
    "page": "what it answers for {} is no page of the simple API: is it a login page? "
    "(A page without files has a meta element named pypi:repository-version)",
}


class Page(NamedTuple):
    """An index page that was asked for, and how that was answered.

    Attributes:
        address: of the index that it belongs to, without credentials.
        project: whose page it is.
        status: of HTTP, or None where there was no answer that counts.
        problem: what else was wrong: a key of `PROBLEMS`, or in words.
    """

    address: str
    project: str = ""
    status: int | None = None
    problem: str = ""

    @property
    def reason(self) -> str:
        """Why it was not fetched, in our words; in pip's where we have none."""
        if self.status is not None:
            return f"it answered {self.status}{_WHO if self.status == _UNAUTHORIZED else ''}"
        words = PROBLEMS.get(self.problem, "").format(self.project)
        return words or shareable(self.problem) or "it gave no answer"


def index_reasons(pages: Iterable[Page]) -> list[str]:
    """Say, a line each, which indexes failed, and how.

    404 and 410, and 403 for single projects, only mean that an index does not have a project. What
    is no page of the simple API may mean that, too, where no other index could offer it instead.
    """
    failed: dict[str, str] = {}
    excused: dict[str, str] = {}
    pages = list(pages)
    fine = {page.address for page in pages if page.status in _FINE}
    several = len({page.address for page in pages}) > 1
    for page in pages:
        if page.status == _FORBIDDEN:
            excused.setdefault(page.address, "it answered 403 to everything")
        elif page.problem == "page" and not several:
            excused.setdefault(page.address, page.reason)
        elif page.status not in _FINE:
            failed.setdefault(page.address, page.reason)
    failed |= {index: why for index, why in excused.items() if index not in fine}
    return [f"{without_folders(index)}: {why}" for index, why in failed.items()]


def index_error(reasons: Iterable[str]) -> CompileError:
    """Return the error for indexes that failed, or hosts of files."""
    return CompileError(
        f"a package index failed: {'; '.join(reasons)}",
        kind="index",
        hint="Nothing was locked: another index may offer somebody else's package instead.",
    )

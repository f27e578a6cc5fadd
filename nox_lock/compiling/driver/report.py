"""What happens in a compile, taken from pip's own objects, as data.

The report is one JSON object; `nox_lock.compiling.report` reads it, and says what its parts are.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pip._internal.utils.misc import remove_auth_from_url
from pip._vendor.packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterator

# What a failed request is, by the classes of the exceptions it came with; the first that fits.
_PROBLEMS = (
    ("content", {"_NotAPIContent"}),
    ("tls", {"SSLError", "SSLVerificationError", "SSLMissingError"}),
    ("name", {"gaierror", "NameResolutionError"}),
    ("refused", {"ConnectionRefusedError"}),
    ("timeout", {"TimeoutError", "Timeout", "ConnectionTimeoutError"}),
    ("broken", {"ChunkedEncodingError", "IncompleteRead", "ProtocolError", "ConnectionResetError"}),
    ("broken", {"IncompleteDownloadError", "ContentDecodingError"}),
    ("unreachable", {"ConnectionError", "ConnectionFailedError", "ProxyError", "OSError"}),
)


class Report:
    """Collects what happens.

    Args:
        events: a file that gets a line for what is begun: what an ended process was at.
    """

    def __init__(self, events: str) -> None:
        self.said: dict[str, Any] = {"untrusted": [], "built": [], "built_projects": []}
        self.pages: dict[str, dict[str, Any]] = {}
        self._answered: dict[str, dict[str, Any]] = {}
        # By project: who evaluated which files, and those that may be taken.
        self.files: dict[str, list[tuple[Any, Any]]] = {}
        self.candidates: dict[str, list[Any]] = {}
        # What failed, with its exception: requirements, inputs that are projects, a remote file.
        self.refused: list[tuple[Any, Exception]] = []
        self.projects_failed: list[tuple[str, Exception]] = []
        self.remote: tuple[str, Exception | None] = ("", None)
        self.conflict: tuple[Any, Any] = (None, {})
        self._events = open(events, "a", encoding="utf-8")  # noqa: PTH123, SIM115

    def event(self, kind: str, text: str) -> None:
        """Write down what is begun."""
        self._events.write(json.dumps([kind, text]) + "\n")
        self._events.flush()

    def note_page(self, location: Any, outcome: Any, content: Any) -> None:
        """Take in how an index page was answered: with a status, or not, with an exception."""
        if outcome is not None:
            url = bare_url(location.url)
            page = self.pages.setdefault(url, {"url": url, "links": 0, **describe_answer(outcome)})
            # What it holds may be of another address: that of a redirect, or an index.html.
            self._answered[getattr(content, "url", url)] = page

    def note_links(self, page: str, links: int) -> None:
        """Take in how many files a page lists."""
        if page in self._answered:
            self._answered[page]["links"] += links

    def note_files(self, evaluator: Any, links: Any, candidates: list[Any]) -> None:
        """Take in the files that a page offers of a project, and those that pip can take."""
        name = canonicalize_name(evaluator.project_name)
        self.files.setdefault(name, []).append((evaluator, links))
        self.candidates.setdefault(name, []).extend(candidates)

    def note_conflict(self, _factory: Any, impossible: Any, constraints: Any) -> None:
        """Take in the demands that cannot hold together; the last such conflict counts."""
        self.conflict = impossible, constraints

    def note_refusal(self, error: Exception, candidate: Any) -> None:
        """Take in a requirement that could not be prepared."""
        self.refused.append((candidate.get_install_requirement(), error))

    def note_remote(self, error: Exception, url: str, *_args: Any) -> None:
        """Take in a requirements file that could not be read."""
        self.remote = url, error

    def note_result(self, requirements: Any, _resolver: Any, resolver_result: Any) -> None:
        """Take in what is to be known of a resolution: by candidates, and as it will be pinned."""
        extras, yanked, newest = [], [], {}
        for candidate in resolver_result.mapping.values():
            if (base := getattr(candidate, "base", None)) is not None:
                provided = set(map(canonicalize_name, base.dist.iter_provided_extras()))
                missing = sorted(set(map(canonicalize_name, candidate.extras)) - provided)
                extras += [(base.project_name, str(base.version), each) for each in missing]
        for requirement in requirements:
            name, link = canonicalize_name(requirement.name), requirement.link
            if link is not None and link.is_yanked:
                version = next((each.version for each in requirement.specifier), "")
                yanked.append((name, version, link.yanked_reason or ""))
            there = (c for c in self.candidates.get(name, ()) if not c.link.is_yanked)
            if versions := [each.version for each in there if not each.version.is_prerelease]:
                newest[name] = str(max(versions))
        self.said |= {"extras": extras, "yanked": yanked, "newest": newest}

    def write(self, path: str) -> None:
        """Leave the report, whole or not at all."""
        new = Path(f"{path}.new")
        new.write_text(json.dumps({**self.said, "pages": list(self.pages.values())}), "utf-8")
        os.replace(new, path)  # noqa: PTH105


def bare_url(url: str) -> str:
    """Return a URL without credentials, query and fragment."""
    return str(remove_auth_from_url(url)).partition("#")[0].partition("?")[0]


def linked(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and all that it comes from or holds, the outermost first."""
    waiting: list[Any] = [error]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop(0)
        if isinstance(each, BaseException) and id(each) not in seen:
            seen.add(id(each))
            yield each
            inner = (getattr(each, name, None) for name in ("reason", "error", "exception"))
            waiting += [each.__cause__, each.__context__, *each.args, *inner]


def describe_answer(outcome: Any) -> dict[str, Any]:
    """Return how a request was answered: its status, or the name of the problem."""
    if isinstance(outcome, int):
        return {"status": outcome}
    errors = list(linked(outcome))
    for each in errors:
        status = getattr(getattr(each, "response", None), "status_code", None)
        if status is not None:
            return {"status": status}
    classes = {cls.__name__ for each in errors for cls in type(each).__mro__}
    problem = next((name for name, signs in _PROBLEMS if classes & signs), "other")
    content = next((getattr(each, "content_type", None) for each in errors), None)
    return {"status": None, "problem": problem, "detail": content or str(outcome)}

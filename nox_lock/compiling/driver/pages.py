"""Index pages: each fetched and parsed once; and the hashes that they publish."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pip._internal.index import collector, package_finder
from pip._internal.network.session import PipSession
from piptools.repositories.pypi import PyPIRepository

from .report import bare_url

if TYPE_CHECKING:
    from .report import Report

_RELEASE = re.compile(r"v?(?:\d+!)?(\d+(?:\.\d+)*)")
_fetch, _parse = collector.LinkCollector.fetch_response, package_finder.parse_links
_ask, _is_secure = collector._get_simple_response, PipSession.is_secure_origin
_find_matching = PyPIRepository._get_matching_candidates
_evaluate = package_finder.PackageFinder.evaluate_links


class Pages:
    """The pages of one compile; pip fetches and parses by way of this from its making on.

    Args:
        report: is given how each page was answered.
    """

    def __init__(self, report: Report) -> None:
        self.report = report
        self._fetched: dict[str, Any] = {}
        self._parsed: dict[str, list[Any]] = {}
        self._answer: int | Exception | None = None
        collector._get_simple_response = self._ask_index
        collector.LinkCollector.fetch_response = self._as_method(self._fetch)
        package_finder.parse_links = self._parse
        PipSession.is_secure_origin = self._as_method(self._is_secure)

    @staticmethod
    def _as_method(call: Any) -> Any:
        """Return what is called with the object that it is a method of, as a function is."""
        return lambda *args, **more: call(*args, **more)  # noqa: PLW0108

    def _ask_index(self, *args: Any, **more: Any) -> Any:
        try:
            response = _ask(*args, **more)
        except Exception as error:
            self._answer = error
            raise
        self._answer = response.status_code
        return response

    def _fetch(self, collected: Any, location: Any, **more: Any) -> Any:
        if location.url not in self._fetched:
            self._answer = content = None
            try:
                content = self._fetched[location.url] = _fetch(collected, location, **more)
            finally:
                self.report.note_page(location, self._answer, content)
        return self._fetched[location.url]

    def _parse(self, page: Any) -> list[Any]:
        if page.url not in self._parsed:
            self._parsed[page.url] = list(_parse(page))
            self.report.note_links(page.url, len(self._parsed[page.url]))
        return self._parsed[page.url]

    def _is_secure(self, session: Any, location: Any) -> Any:
        is_secure = _is_secure(session, location)
        if not is_secure:
            self.report.said["untrusted"].append(bare_url(location.url))
        return is_secure


def take_hashes_from_pages(report: Report) -> None:
    """Have pip-tools take the hashes that pages publish, of the very files that it would hash.

    What has no sha256 there it downloads and hashes, as it always does. For hashes it evaluates all
    files once more, those of other platforms, too: only those that can be of the pinned version.
    """
    known: dict[str, Any] = {}
    narrowed: list[re.Pattern[str]] = []

    def find_candidates(self: Any, ireq: Any) -> Any:
        key = str(ireq.req)
        if key not in known:
            narrowed.extend(_patterns_of_files(ireq.specifier))
            try:
                known[key] = _find_matching(self, ireq)
            finally:
                narrowed.clear()
        return known[key]

    def evaluate_links(self: Any, link_evaluator: Any, links: Any) -> Any:
        if narrowed:
            links = [link for link in links if narrowed[0].search(link.filename)]
            return _evaluate(self, link_evaluator, links)
        links = list(links)
        found = _evaluate(self, link_evaluator, links)
        report.note_files(link_evaluator, links, found)
        return found

    def read_hashes(self: Any, ireq: Any) -> dict[str, str]:
        found = {}
        for link in (candidate.link for candidate in find_candidates(self, ireq)):
            # A page may name several digests; `Link.hash` gives the first.
            hashes = getattr(link, "_hashes", None) or {link.hash_name: link.hash}
            if hashes.get("sha256"):
                found[link.url] = f"sha256:{hashes['sha256'].lower()}"
        return found

    package_finder.PackageFinder.evaluate_links = evaluate_links
    PyPIRepository._get_matching_candidates = find_candidates
    PyPIRepository._get_hashes_from_pypi = read_hashes


def _patterns_of_files(specifier: Any) -> list[re.Pattern[str]]:
    """Return what the names of all files of a pinned version hold: its release, however spelled.

    1.0 and 1.0.0 are one version, and so are 2024.1 and 2024.01. None for what is no plain pin.
    """
    pins = [each.version for each in specifier]
    release = _RELEASE.match(pins[0]) if len(pins) == 1 else None
    if release is None:
        return []
    parts = list(map(int, release[1].split(".")))
    while len(parts) > 1 and parts[-1] == 0:
        parts.pop()
    return [re.compile(r"(?<!\d)0*" + r"\.0*".join(map(str, parts)) + r"(?!\d)")]

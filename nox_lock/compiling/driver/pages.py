"""Index pages: each fetched and parsed once, some ahead; and the hashes that they publish."""

from __future__ import annotations

import re
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from pip._internal.index import collector, package_finder
from pip._internal.models.link import Link
from pip._internal.network.session import PipSession
from piptools.repositories.pypi import PyPIRepository

from .report import bare_url

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .report import Report

_THREADS = 8
_RELEASE = re.compile(r"v?(?:\d+!)?(\d+(?:\.\d+)*)")
_fetch, _parse = collector.LinkCollector.fetch_response, package_finder.parse_links
_ask, _is_secure = collector._get_simple_response, PipSession.is_secure_origin
_find_matching = PyPIRepository._get_matching_candidates
_evaluate = package_finder.PackageFinder.evaluate_links


class Pages:
    """The pages of one compile; pip fetches and parses by way of this from its making on.

    Args:
        report: is given how each page was answered.
        expected: projects that will be looked up.
    """

    def __init__(self, report: Report, expected: Iterable[str]) -> None:
        self.report = report
        self._expected = list(expected)
        self._fetched: dict[str, Future[Any]] = {}
        self._parsed: dict[str, list[Any]] = {}
        self._answer = threading.local()
        self._pool = ThreadPoolExecutor(_THREADS)
        collector._get_simple_response = self._ask_index
        collector.LinkCollector.fetch_response = self._as_method(self._fetch)
        package_finder.parse_links = self._parse
        PipSession.is_secure_origin = self._as_method(self._is_secure)

    @staticmethod
    def _as_method(call: Any) -> Any:
        """Return what is called with the object that it is a method of, as a function is."""
        return lambda *args, **more: call(*args, **more)  # noqa: PLW0108

    def close(self) -> None:
        """Fetch no more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _ask_index(self, *args: Any, **more: Any) -> Any:
        try:
            response = _ask(*args, **more)
        except Exception as error:
            self._answer.last = error
            raise
        self._answer.last = response.status_code
        return response

    def _fetch_page(self, *args: Any, **more: Any) -> tuple[Any, Any]:
        """Return a page and how it was answered; an exception is raised by who needs the page."""
        self._answer.last = None
        try:
            return _fetch(*args, **more), self._answer.last
        except Exception as error:  # noqa: BLE001
            return error, self._answer.last

    def _fetch(self, collected: Any, location: Any, **more: Any) -> Any:
        while self._expected:
            self._fetch_ahead(collected, self._expected.pop(0), named="package_name" in more)
        if location.url not in self._fetched:
            self._fetched[location.url] = Future()
            self._fetched[location.url].set_result(self._fetch_page(collected, location, **more))
        content, answer = self._fetched[location.url].result()
        # Only now: a page that nobody needs fails nothing.
        self.report.note_page(location, answer, content)
        if isinstance(content, Exception):
            raise content
        return content

    def _fetch_ahead(self, collected: Any, name: str, *, named: bool) -> None:
        """Begin to fetch a project's pages, of all indexes: the inputs have been read by now."""
        for url in collected.search_scope.get_index_urls_locations(name):
            link, more = Link(str(url)), {"package_name": name} if named else {}
            if link.scheme not in {"http", "https"} or link.url in self._fetched:
                continue
            if collected.session.is_secure_origin(link):
                page = self._pool.submit(self._fetch_page, collected, link, **more)
                self._fetched[link.url] = page

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

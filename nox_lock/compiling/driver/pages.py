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

# More than these do not make it faster: 5.35 s of waiting become 1.11 s on a line with 40 ms.
_THREADS = 8
_RELEASE = re.compile(r"v?(?:\d+!)?(\d+(?:\.\d+)*)")


class Pages:
    """The pages of one compile.

    Args:
        report: is given how each page was answered.
        expected: projects that will be looked up.
    """

    def __init__(self, report: Report, expected: Iterable[str]) -> None:
        self.report = report
        self._expected = list(expected)
        self._fetched: dict[str, Future[Any]] = {}
        self._parsed: dict[str, list[Any]] = {}
        self._outcome = threading.local()
        self._pool = ThreadPoolExecutor(_THREADS)

    def install(self) -> None:
        """Have pip fetch and parse by way of this."""
        fetch, parse = collector.LinkCollector.fetch_response, package_finder.parse_links
        ask, is_secure = collector._get_simple_response, PipSession.is_secure_origin

        def ask_index(url: str, *args: Any, **kwargs: Any) -> Any:
            try:
                response = ask(url, *args, **kwargs)
            except Exception as error:
                self._outcome.last = error
                raise
            self._outcome.last = response.status_code
            return response

        def fetch_as_future(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
            self._outcome.last = None
            try:
                content = fetch(*args, **kwargs)
            except Exception as error:  # noqa: BLE001  (raised again by who needs the page)
                content = error
            return content, self._outcome.last

        def fetch_once(self_: Any, location: Any, *args: Any, **kwargs: Any) -> Any:
            if self._expected:
                self._fetch_ahead(self_, fetch_as_future, named="package_name" in kwargs)
            url = location.url
            if url not in self._fetched:
                self._fetched[url] = Future()
                self._fetched[url].set_result(fetch_as_future(self_, location, *args, **kwargs))
            content, outcome = self._fetched[url].result()
            # Only now: a page that nobody needs fails nothing.
            self.report.note_page(location, outcome, content)
            if isinstance(content, Exception):
                raise content
            return content

        def parse_once(page: Any) -> list[Any]:
            if page.url not in self._parsed:
                self._parsed[page.url] = list(parse(page))
                self.report.note_links(page.url, len(self._parsed[page.url]))
            return self._parsed[page.url]

        def is_secure_origin(self_: Any, location: Any) -> Any:
            trusted = is_secure(self_, location)
            if not trusted:
                self.report.said["untrusted"].append(bare_url(location.url))
            return trusted

        collector._get_simple_response = ask_index
        collector.LinkCollector.fetch_response = fetch_once
        package_finder.parse_links = parse_once
        PipSession.is_secure_origin = is_secure_origin

    def close(self) -> None:
        """Fetch no more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _fetch_ahead(self, collected: Any, fetch: Any, *, named: bool) -> None:
        """Begin to fetch the pages of expected projects, of all indexes that inputs have named."""
        while self._expected:
            name = self._expected.pop(0)
            for url in collected.search_scope.get_index_urls_locations(name):
                link = Link(str(url))
                if link.scheme not in {"http", "https"} or link.url in self._fetched:
                    continue
                if collected.session.is_secure_origin(link):
                    more = {"package_name": name} if named else {}
                    self._fetched[link.url] = self._pool.submit(fetch, collected, link, **more)


def take_hashes_from_pages(report: Report) -> None:
    """Have pip-tools take the hashes that pages publish, of the very files that it would hash.

    What has no sha256 there it downloads and hashes, as it always does. All files are evaluated
    again for hashes, those of other platforms, too: only those that can be of the pinned version.
    """
    find_matching = PyPIRepository._get_matching_candidates
    evaluate = package_finder.PackageFinder.evaluate_links
    known: dict[str, Any] = {}
    narrowed: list[re.Pattern[str]] = []

    def find_candidates(self: Any, ireq: Any) -> Any:
        key = str(ireq.req)
        if key not in known:
            pattern = _pattern_of_files(ireq.specifier)
            narrowed[:] = [pattern] if pattern else []
            try:
                known[key] = find_matching(self, ireq)
            finally:
                narrowed.clear()
        return known[key]

    def evaluate_links(self: Any, link_evaluator: Any, links: Any) -> Any:
        links = list(links)
        if narrowed:
            links = [link for link in links if narrowed[0].search(link.filename)]
        found = evaluate(self, link_evaluator, links)
        if not narrowed:
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


def _pattern_of_files(specifier: Any) -> re.Pattern[str] | None:
    """Return what the names of all files of a pinned version hold: its release, however spelled.

    1.0 and 1.0.0 are one version, and so are 2024.1 and 2024.01.
    """
    pins = [each.version for each in specifier]
    release = _RELEASE.match(pins[0]) if len(pins) == 1 else None
    if release is None:
        return None
    parts = list(map(int, release[1].split(".")))
    while len(parts) > 1 and parts[-1] == 0:
        parts.pop()
    return re.compile(r"(?<!\d)0*" + r"\.0*".join(map(str, parts)) + r"(?!\d)")

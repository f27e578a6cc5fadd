"""Index pages: each fetched and parsed once; and the hashes that they publish."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pip._internal.index import collector, package_finder
from pip._internal.models.link import Link
from pip._internal.network.session import PipSession
from pip._internal.utils.filetypes import is_archive_file
from pip._vendor.packaging.utils import canonicalize_name
from pip._vendor.packaging.version import Version
from piptools.repositories.pypi import PyPIRepository
from piptools.resolver import BacktrackingResolver

from .report import Recorder, bare_url, watch

# Of a page without files: PEP 629, what was before it, and titles of servers that have neither.
_HTML = rb"(?i)pypi:repository-version|name=.api-version|<title>[^<]*(links for|simple index)"


def fetch_pages_once(report: Recorder) -> None:
    """Have pip fetch and parse each page once, and the report say how each was answered."""
    fetch, parse = collector.LinkCollector.fetch_response, package_finder.parse_links
    is_secure = PipSession.is_secure_origin
    parse_links = functools.cache(lambda page: list(parse(page)))
    fetched: dict[str, Any] = {}

    def fetch_response(self: Any, location: Any, **more: Any) -> Any:
        if location.url not in fetched:
            page = fetched[location.url] = fetch(self, location, **more)
            if page is not None:
                report.note_page(location.url, *_judge(location.url, page, parse_links))
        return fetched[location.url]

    def is_secure_origin(self: Any, location: Any) -> Any:
        if not (secure := is_secure(self, location)):
            report.note_page(location.url, None, "it is plain http and not trusted by pip")
        return secure

    watch(collector, "_get_simple_response", failed=report.note_failed_page)
    collector.LinkCollector.fetch_response = fetch_response
    package_finder.parse_links = parse_links
    PipSession.is_secure_origin = is_secure_origin


def _judge(url: str, page: Any, parse: Any) -> tuple[int | None, str]:
    """Return how a page was answered; pip takes any other page for one without files."""
    said = f"what it answers for {bare_url(url.rstrip('/')).rpartition('/')[2]}"
    try:
        listed = any(is_archive_file(link.filename) for link in parse(page))
    except Exception:  # noqa: BLE001  (which ends the compile)
        return None, f"{said} cannot be read"
    sign = rb'"files"' if "json" in page.content_type.lower() else _HTML
    if listed or re.search(sign, page.content):
        return 200, ""
    said += " is not a page of the simple API: is it a login page? "
    said += "(A page without files has a meta element named pypi:repository-version)"
    return 200, said


def take_hashes_from_pages(report: Recorder) -> None:
    """Have pip-tools download and hash only those files that have no sha256 on their page."""
    finder = package_finder.PackageFinder
    find, evaluate = PyPIRepository._get_matching_candidates, finder.evaluate_links
    hash_files = PyPIRepository.get_hashes
    hashed: list[re.Pattern[str]] = []

    def get_matching_candidates(self: Any, ireq: Any) -> Any:
        hashed.append(_pattern_of_files(next(iter(ireq.specifier)).version))
        try:
            return find(self, ireq)
        finally:
            hashed.clear()

    def evaluate_links(self: Any, link_evaluator: Any, links: Any) -> Any:
        # For hashes it evaluates all files of a project once more: of other platforms, too.
        links = [each for each in links if not hashed or hashed[0].search(each.filename)]
        found = evaluate(self, link_evaluator, links)
        if not hashed:
            name = canonicalize_name(link_evaluator.project_name)
            report.files.setdefault(name, []).append((link_evaluator, links, found))
        return found

    def get_hashes_from_pypi(self: Any, ireq: Any) -> dict[str, str]:
        links = (candidate.link for candidate in self._get_matching_candidates(ireq))
        return {link.url: f"sha256:{found}" for link in links if (found := _sha256(link))}

    finder.evaluate_links = evaluate_links
    PyPIRepository._get_matching_candidates = get_matching_candidates
    PyPIRepository._get_hashes_from_pypi = get_hashes_from_pypi
    # pip-tools takes the path of an editable with extras for that of a file.
    PyPIRepository.get_hashes = lambda self, req: set() if req.editable else hash_files(self, req)


def _sha256(link: Any) -> str:
    # A page may name several digests; `Link.hash` gives the first.
    hashes = getattr(link, "_hashes", None) or {link.hash_name: link.hash}
    return (hashes.get("sha256") or "").lower()


def read_pages_alone(wanted: Mapping[str, Collection[str]], report: Recorder) -> None:
    """Have pip-tools read the pages of some projects in place of resolving.

    The report gets their files with one of the `wanted` sha256: URL, time of the upload, size,
    sha256. A URL with a query is not whole.
    """
    from_json, files = Link.from_json, report.said.setdefault("files", [])
    known: dict[str, tuple[str, str]] = {}

    def link_from_json(file: dict[str, Any], page_url: str) -> Any:
        found = from_json(file, page_url)
        if found is not None:
            known[found.url] = str(file.get("upload-time") or ""), str(file.get("size") or "")
        return found

    def list_links(_finder: Any, link_evaluator: Any, links: Any) -> list[Any]:
        for link in links:
            sha256 = _sha256(link)
            if not sha256 and link.is_file:
                sha256 = hashlib.sha256(Path(link.file_path).read_bytes()).hexdigest()
            if sha256 in wanted[link_evaluator.project_name]:
                files.append((bare_url(link.url), *known.get(link.url, ("", "")), sha256))
        return []

    def read_pages(resolver: Any, **_more: Any) -> set[Any]:
        for name in wanted:
            resolver.repository.finder.find_all_candidates(name)
        return set()

    Link.from_json = link_from_json
    package_finder.PackageFinder.evaluate_links = list_links
    BacktrackingResolver.resolve = read_pages


def _pattern_of_files(version: str) -> re.Pattern[str]:
    """Return what the names of files of a version hold: its release, as 1.0, 1.0.0 or 1.00."""
    release = re.sub(r"^\d+!|(\.0)+$", "", Version(version).base_version)
    return re.compile(r"(?<!\d)0*" + release.replace(".", r"\.0*") + r"(?!\d)")

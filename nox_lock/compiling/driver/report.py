"""What happens in a compile, taken from pip's own objects and exceptions, as data.

The report is one JSON object; `nox_lock.compiling.report` reads it, and says what its parts are.
"""

from __future__ import annotations

import errno
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pip._internal.utils.misc import remove_auth_from_url
from pip._vendor.packaging.utils import (
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from pip._vendor.packaging.version import Version

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
    ("unreachable", {"ConnectionError", "ConnectionFailedError", "ProxyError"}),
)

_PLACE = re.compile(r"-[rc] (?P<file>.+) \(line (?P<line>\d+)\)")
_REPOSITORY = re.compile(r"(git|hg|svn|bzr) ")
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_LINES = 400
# The kinds of failures by the classes of their exceptions; the first that fits.
_KINDS = (
    ("hash", {"HashError", "HashErrors"}),
    ("egg", {"InvalidEggFragment"}),
    ("build", {"InstallationSubprocessError", "MetadataGenerationFailed", "CalledProcessError"}),
    ("build", {"FailedToPrepareCandidate", "BuildBackendException", "BuildException"}),
    ("build", {"BackendUnavailable", "InvalidPyProjectBuildRequires", "TOMLDecodeError"}),
    ("build", {"MissingPyProjectBuildRequires", "BuildDependencyInstallError"}),
    ("syntax", {"InvalidRequirement", "RequirementsFileParseError", "OptionParsingError"}),
    ("download", {"NetworkConnectionError", "RequestException", "IncompleteDownloadError"}),
    ("download", {"ConnectionFailedError", "ConnectionTimeoutError", "ProtocolError", "HTTPError"}),
    ("download", {"SSLVerificationError", "SSLMissingError", "ProxyConnectionError"}),
    ("metadata", {"MetadataInvalid", "MetadataInconsistent"}),
)
# pip and pip-tools do not fit each other, or us.
_BUGS = (AttributeError, TypeError, ImportError, NameError, KeyError, AssertionError)
# What pip's `LinkType` says of files that it cannot take.
_UNFIT = {
    "requires_python_mismatch": "python",
    "upload_too_late": "late",
    "platform_mismatch": "platform",
    "format_unsupported": "format",
}


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
            address = bare_url(location.url.rstrip("/").rpartition("/")[0])
            said = {"address": address, "links": 0, **describe_answer(outcome)}
            page = self.pages.setdefault(location.url, said)
            # What it holds may be of another address: that of a redirect, or an index.html.
            self._answered[getattr(content, "url", "")] = page

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
    """Return a URL without credentials and fragment, and with its query masked."""
    bare, has_query, _ = str(remove_auth_from_url(url)).partition("#")[0].partition("?")
    return f"{bare}?****" if has_query else bare


def place_of(url: str) -> str:
    """Return where a URL leads: its host and last part; what is between may open an index."""
    scheme, found, rest = bare_url(url).partition("://")
    if scheme not in {"http", "https"}:
        return bare_url(url)
    host, *path = rest.rstrip("/").split("/")
    return f"{scheme}{found}{host}{f' ({path[-1]})' if path else ''}"


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
        if status is None and type(each).__name__ == "ResponseError":  # of the last of its retries
            status = next(iter(map(int, re.findall(r"too many (\d{3}) error", str(each)))), None)
        if status is not None:
            return {"status": status}
    classes = {cls.__name__ for each in errors for cls in type(each).__mro__}
    problem = next((name for name, signs in _PROBLEMS if classes & signs), "other")
    content = next((getattr(each, "content_type", None) for each in errors), None)
    return {"status": None, "problem": problem, "detail": content or str(outcome)}


def describe_failure(error: BaseException, report: Report) -> dict[str, Any]:
    """Return what ended a compile: its kind, what was said, and what else is known of it."""
    errors = list(linked(error))
    classes = {cls.__name__ for each in errors for cls in type(each).__mro__}
    said: dict[str, Any] = {"message": _message(error)}
    if any(isinstance(each, OSError) and each.errno in _FULL for each in errors):
        return {**said, "kind": "disk"}
    if report.conflict[0] in errors:
        return {**said, "kind": "demands", **_describe_conflict(report)}
    if report.remote[1] in errors:
        return {"kind": "remote", **said, "url": report.remote[0], **describe_answer(error)}
    refused = [each for each, why in report.refused if why in errors]
    named = (getattr(each, "req", None) for each in errors)
    refused += [each for each in named if hasattr(each, "comes_from")]
    if refused:
        said |= _describe_requirement(refused[0])
    said["project"] = next((file for file, why in report.projects_failed if why in errors), None)
    said["output"] = _output(errors)
    commands = [str(getattr(each, "command_description", "")) for each in errors]
    if repository := next(filter(None, map(_REPOSITORY.match, commands)), None):
        return {**said, "kind": "repository", "tool": repository[1]}
    kind = next((kind for kind, signs in _KINDS if classes & signs), "other")
    if kind == "download":
        said |= {"url": _requested(errors), **describe_answer(error)}
    elif kind == "other" and isinstance(error, _BUGS):
        kind = "tool"
    return {**said, "kind": "build" if said["project"] else kind}


def _message(error: BaseException) -> str:
    message = getattr(error, "message", None)  # of pip's diagnostics: a text with styles
    return str(error if message is None else message) or type(error).__name__


def _output(errors: list[BaseException]) -> list[str]:
    """Return the end of what the processes printed that failed."""
    lines = [line for each in errors for line in getattr(each, "output_lines", None) or ()]
    for each in errors:
        printed = getattr(each, "output", None)
        if isinstance(printed, bytes):
            lines += printed.decode("utf-8", "replace").splitlines()
        # Of a backend that cannot be imported.
        lines += str(getattr(each, "traceback", "")).splitlines()
    return [line.rstrip("\r\n") for line in lines][-_LINES:]


def _requested(errors: list[BaseException]) -> str:
    holders = (getattr(each, name, None) for each in errors for name in ("request", "response"))
    urls = (getattr(each, "url", None) for each in (*holders, *errors))
    return next((bare_url(str(url)) for url in urls if url), "")


def _describe_requirement(requirement: Any) -> dict[str, Any]:
    """Return what a requirement is, and where it comes from."""
    return {
        "name": canonicalize_name(requirement.name) if requirement.name else None,
        "link": bare_url(requirement.link.url) if requirement.link else None,
        **_walk(requirement),
    }


def _walk(requirement: Any) -> dict[str, Any]:
    """Return the projects between a requirement and an input, and that input's line."""
    through = []
    asking = getattr(requirement, "comes_from", None)
    while asking is not None and not isinstance(asking, str):
        through += [canonicalize_name(asking.name)] if asking.name else []
        asking = asking.comes_from
    found = _PLACE.search(asking or "")
    line = int(found["line"]) if found else None
    return {"through": through, "file": found and found["file"], "line": line}


def _describe_conflict(report: Report) -> dict[str, Any]:
    """Return the demands that cannot hold together, and the versions there are."""
    impossible, constraints = report.conflict
    demands = [_describe_demand(each.requirement, each.parent) for each in impossible.causes]
    for name in dict.fromkeys(each["project"] for each in demands):
        if name in constraints:
            specifier = str(constraints[name].specifier)
            demands.append(
                {"project": name, "text": f"{name}{specifier}", "specifier": specifier}
                | {"constraint": True}
            )
    parents = (each["by"][0].partition("[")[0] for each in demands if each.get("by"))
    asking = (name for each in demands for name in each.get("through", ()))
    known = {canonicalize_name(name) for name in (*parents, *asking)}
    known |= {each["project"] for each in demands}
    discarded = [
        (name, next((pin.version for pin in each.specifier), ""), getattr(why, "error", ""))
        for each, why in report.refused
        if type(why).__name__ == "MetadataInvalid"
        and (name := canonicalize_name(each.name or "")) in known
    ]
    versions = {name: _describe_versions(name, report) for name in known if name}
    return {"demands": demands, "versions": versions, "discarded": discarded}


def _describe_demand(requirement: Any, parent: Any) -> dict[str, Any]:
    if type(requirement).__name__ == "RequiresPythonRequirement":
        candidate = own = None
        said: dict[str, Any] = {"project": "", "text": "", "python": str(requirement.specifier)}
    else:
        candidate, own = requirement.get_candidate_lookup()
        text = str(own.req if own else requirement).partition(";")[0].strip()
        said = {"project": canonicalize_name(requirement.project_name), "text": text}
    if own is not None and own.req is not None:
        said["specifier"] = str(own.req.specifier)
    if candidate is not None:
        said["fixed"] = (str(candidate.version), getattr(candidate.source_link, "filename", ""))
        own = candidate.get_install_requirement()
    if parent is not None:
        said["by"] = (parent.name, str(parent.version))
        # A candidate with extras has none of its own.
        own = parent.get_install_requirement() or parent.base.get_install_requirement()
    return {**said, **_walk(own)}


def _describe_versions(name: str, report: Report) -> dict[str, Any]:
    """Return the versions of a project by what may become of them, each in one list alone."""
    candidates = report.candidates.get(name, ())
    found = {each.version for each in candidates if not each.link.is_yanked}
    yanked = {each.version for each in candidates} - found
    unfit: dict[str, dict[str, str]] = {kind: {} for kind in _UNFIT.values()}
    for evaluator, links in report.files.get(name, ()):
        for link in links:
            kind = _UNFIT.get(evaluator.evaluate_link(link)[0].name)
            if kind and (version := _file_version(link.filename)):
                unfit[kind].setdefault(version, link.requires_python or "")
    seen = set(map(str, found | yanked))
    for kind, versions in unfit.items():
        ordered = sorted(versions.keys() - seen, key=Version)
        unfit[kind] = {each: versions[each] for each in ordered}
        seen |= versions.keys()
    there = {"found": list(map(str, sorted(found))), "yanked": list(map(str, sorted(yanked)))}
    return {**there, **unfit}


def _file_version(filename: str) -> str:
    try:
        parse = parse_wheel_filename if filename.endswith(".whl") else parse_sdist_filename
        return str(parse(filename)[1])
    except ValueError:  # as all errors of packaging are
        return ""

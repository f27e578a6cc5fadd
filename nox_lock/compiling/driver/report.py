"""What happens in a compile, from pip's objects and exceptions: `compiling.failures.Report`."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from pip._internal.utils.misc import remove_auth_from_url
from pip._vendor.packaging import utils
from pip._vendor.packaging.utils import canonicalize_name
from pip._vendor.packaging.version import Version

Callback = Callable[..., None]
# Why a request failed, by the classes of the exceptions it came with; the first that fits.
_PROBLEMS = {
    "TLS failed: its certificate is not trusted, or it speaks no TLS": "SSLError SSLMissingError",
    "its name cannot be resolved": "gaierror",
    "it cannot be reached: connection refused": "ConnectionRefusedError",
    "it did not answer in time": "TimeoutError Timeout",
    "its answer broke off": "ProtocolError ConnectionResetError IncompleteDownloadError "
    "ContentDecodingError",
    "it cannot be reached": "ConnectionError",
}
_LOGIN = (
    ": it wants a user name and password (in pip's configuration or netrc, or "
    "keyring-provider = subprocess)"
)
# Of which kind a failure is, in the same way.
_KINDS = {
    "hash": "HashError HashErrors",
    "egg": "InvalidEggFragment",
    "build": "InstallationSubprocessError CalledProcessError BuildBackendException BuildException "
    "BackendUnavailable BuildDependencyInstallError TOMLDecodeError "
    "InvalidPyProjectBuildRequires MissingPyProjectBuildRequires",
    "syntax": "InvalidRequirement RequirementsFileParseError OptionParsingError",
    "download": "RequestException HTTPError NetworkConnectionError IncompleteDownloadError",
}
_NOT_HERE = (404, 410)
_UNAUTHORIZED, _FORBIDDEN = 401, 403
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_PLACE = re.compile(r"-[rc] (?P<file>.+) \(line (?P<line>\d+)\)")
# What pip's `LinkType` says of files that it cannot take.
_UNFIT = {
    "requires_python_mismatch": "python",
    "upload_too_late": "late",
    "platform_mismatch": "platform",
    "format_unsupported": "format",
}


class Recorder:
    """Collects what happens; what begins is written to a file at once, for time-outs."""

    def __init__(self, begun: str) -> None:
        self.said: dict[str, Any] = {"built": [], "built_projects": []}
        self.pages: list[tuple[str, int | None, str]] = []  # address of its index, status, problem
        # By project: who evaluated which files, and those that may be taken.
        self.files: dict[str, list[tuple[Any, Any, Any]]] = {}
        self.refused: dict[str, dict[str, str]] = {}  # by project: versions, and why not they
        self._begun = open(begun, "w", 1, encoding="utf-8")  # noqa: PTH123, SIM115

    def note_begun(self, what: str) -> None:
        """Write down what is begun."""
        self._begun.write(f"{what}\n")  # at once: it is buffered by lines

    def note_request(self, _session: Any, _method: Any, url: str, *_: Any, **_more: Any) -> None:
        """Write down a request; what is between host and last part may be a token."""
        parts = bare_url(url).rstrip("/").split("/")
        self.note_begun(f"waited for {'/'.join(parts[:3])} ({parts[-1]})")

    def note_page(self, url: str, status: int | None = None, problem: str = "") -> None:
        """Record how an index page was answered: with a problem, in words, if it does not count."""
        self.pages.append((bare_url(url.rstrip("/")).rpartition("/")[0], status, problem))

    def note_failed_page(self, error: Exception, url: str, *_args: Any) -> None:
        """Record why an index page could not be fetched."""
        self.note_page(url, *describe_answer(error))

    def note_conflict(self, _factory: Any, impossible: Any, constraints: Any) -> None:
        """Record demands that cannot hold together."""
        impossible.reported = partial(_report_conflict, impossible, constraints, self)

    def note_refusal(self, error: Any, candidate: Any) -> None:
        """Record a requirement that could not be prepared."""
        requirement = candidate.get_install_requirement()
        name = canonicalize_name(requirement.name) if requirement.name else None
        link = bare_url(requirement.link.url) if requirement.link else None
        error.reported = lambda: {"name": name, "link": link, **_walk(requirement)}
        if type(error).__name__ == "MetadataInvalid" and name:
            version = str(candidate._version or 0)  # of a URL it is not known
            self.refused.setdefault(name, {})[version] = str(error.error)

    def note_result(self, _resolver: Any, resolver_result: Any) -> None:
        """Record yanked pins, and extras that do not exist."""
        extras, yanked = [], []
        for candidate in resolver_result.mapping.values():
            name, version, link = candidate.project_name, candidate.version, candidate.source_link
            if (base := getattr(candidate, "base", None)) is not None:
                provided = set(map(canonicalize_name, base.dist.iter_provided_extras()))
                missing = sorted(set(map(canonicalize_name, candidate.extras)) - provided)
                extras += [(name, str(version), each) for each in missing]
            elif link is not None and link.is_yanked:
                yanked.append((name, str(version), link.yanked_reason or ""))
        self.said |= {"extras": extras, "yanked": yanked}

    def note_failure(self, error: BaseException) -> None:
        """Record what ended the compile: its kind, what was said, and what else is known of it."""
        errors = _linked(error)
        kind = _classify(errors, _KINDS) or "other"
        commands = [str(getattr(each, "command_description", "")) for each in errors]
        if any(each.startswith(("git ", "hg ", "svn ", "bzr ")) for each in commands):
            kind = "repository"
        # Of pip's diagnostics the message is a part.
        message = str(getattr(error, "message", "") or error) or type(error).__name__
        said: dict[str, Any] = {"kind": kind, "message": message, "output": _output(errors)}
        for each in reversed(errors):
            said |= getattr(each, "reported", dict)()  # what was recorded of it, see above
        if kind == "download":
            said |= {"link": _requested(errors), "message": describe_answer(error)[1]}
        if any(isinstance(each, OSError) and each.errno in _FULL for each in errors):
            said["kind"] = "disk"
        self.said["failure"] = said


def watch(
    holder: Any, name: str, before: Callback | None = None, failed: Callback | None = None
) -> None:
    """Have what is called by this name noted before each call, and each exception it raises."""
    call = getattr(holder, name)

    def watched(*args: Any, **kwargs: Any) -> Any:
        if before is not None:
            before(*args, **kwargs)
        try:
            return call(*args, **kwargs)
        except Exception as error:
            if failed is not None:
                failed(error, *args)
            raise

    setattr(holder, name, watched)


def bare_url(url: str) -> str:
    """Return a URL without credentials and fragment, and with its query masked."""
    bare, has_query, _ = str(remove_auth_from_url(url)).partition("#")[0].partition("?")
    return f"{bare}?****" if has_query else bare


def _linked(error: BaseException) -> list[BaseException]:
    """Return an exception and all that it comes from or holds, the outermost first."""
    found, seen = [error], {id(error)}
    for each in found:
        inner = (getattr(each, name, None) for name in ("reason", "error", "exception"))
        for linked in (each.__cause__, each.__context__, *each.args, *inner):
            if isinstance(linked, BaseException) and id(linked) not in seen:
                seen.add(id(linked))
                found.append(linked)
    return found


def _classify(errors: list[BaseException], table: Mapping[str, str]) -> str:
    """Return the first name of a table that has a class of these exceptions; empty for none."""
    classes = {cls.__name__ for each in errors for cls in type(each).__mro__}
    return next((name for name, signs in table.items() if classes & set(signs.split())), "")


def failed_indexes(pages: Sequence[tuple[str, int | None, str]]) -> list[tuple[str, str]]:
    """Return the indexes that failed, each with its first problem.

    404 and 410, and 403 for single projects, only mean that an index does not have a project. What
    is not a page of the simple API may mean that, too, where no other index could offer it instead.
    """
    failed: dict[str, str] = {}
    fine = {address for address, status, why in pages if not why or status in _NOT_HERE}
    excused = {_FORBIDDEN} if len({address for address, *_ in pages}) > 1 else {_FORBIDDEN, 200}
    for address, status, why in pages:
        if why and status not in _NOT_HERE and not (status in excused and address in fine):
            failed.setdefault(address, why + " to everything" * (status == _FORBIDDEN))
    return list(failed.items())


def describe_answer(error: BaseException) -> tuple[int | None, str]:
    """Return why a request failed: the status of the answer, if it had one, and the problem."""
    errors = _linked(error)
    for each in errors:
        status = getattr(getattr(each, "response", None), "status_code", None)
        if status is None and type(each).__name__ == "ResponseError":  # of the last of its retries
            status = next(iter(map(int, re.findall(r"too many (\d{3}) error", str(each)))), None)
        if status is not None:
            return status, f"it answered {status}{_LOGIN if status == _UNAUTHORIZED else ''}"
        if hasattr(each, "content_type"):
            return None, f"it answered {each.content_type}, which is no package index"
    return None, _classify(errors, _PROBLEMS) or str(error) or "it gave no answer"


def note_printed(error: Any, *, output_lines: list[str] | None, **_more: Any) -> None:
    """Keep what a process printed: some pips take it out of the error on its way."""
    error.printed = output_lines or []


def _output(errors: list[BaseException]) -> list[str]:
    lines = []
    for each in errors:
        lines += "".join(getattr(each, "printed", ())).splitlines()
        printed = getattr(each, "output", None)
        if isinstance(printed, bytes):
            lines += printed.decode("utf-8", "replace").splitlines()
        # Of a backend that cannot be imported.
        lines += str(getattr(each, "traceback", "")).splitlines()
    return lines


def _requested(errors: list[BaseException]) -> str:
    holders = (getattr(each, name, None) for each in errors for name in ("request", "response"))
    urls = (getattr(each, "url", None) for each in (*holders, *errors))
    return next((bare_url(str(url)) for url in urls if url), "")


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


def _report_conflict(impossible: Any, constraints: Any, report: Recorder) -> dict[str, Any]:
    demands = [_report_demand(each.requirement, each.parent) for each in impossible.causes]
    known = {name for each in demands for name in (each["project"], *each["through"]) if name}
    for name in dict.fromkeys(each["project"] for each in demands):
        if name in constraints:
            said = {"project": name, "specifier": str(constraints[name].specifier)}
            demands.append({**said, "constraint": True})
    versions = {name: _report_versions(name, report) for name in known}
    return {"kind": "demands", "demands": demands, "versions": versions}


def _report_demand(requirement: Any, parent: Any) -> dict[str, Any]:
    candidate, own = requirement.get_candidate_lookup()
    name, text, specifier = canonicalize_name(requirement.project_name), str(requirement), None
    if type(requirement).__name__ == "RequiresPythonRequirement":
        name, specifier = "", str(requirement.specifier)
    elif candidate is not None:
        own, specifier = candidate.get_install_requirement(), f"=={candidate.version}"
        file = getattr(candidate.source_link, "filename", "")
        text = f"{name} {candidate.version}, from {file}"
    elif own is not None and own.req is not None:
        text, specifier = str(own.req), str(own.req.specifier)
    if own is None and parent is not None:
        # A candidate with extras has none of its own.
        own = parent.get_install_requirement() or parent.base.get_install_requirement()
    return {
        "project": name,
        "text": text.partition(";")[0].strip(),
        "specifier": specifier,
        "by": parent and (parent.name, str(parent.version)),
        **_walk(own),
    }


def _report_versions(name: str, report: Recorder) -> dict[str, Any]:
    """Return the versions of a project by what becomes of them, each in the first that fits."""
    there: dict[str, dict[str, str]] = {"refused": dict(report.refused.get(name, {}))}
    there |= {kind: {} for kind in ("found", "yanked", *_UNFIT.values())}
    for evaluator, links, candidates in report.files.get(name, ()):
        for each in candidates:
            there["yanked" if each.link.is_yanked else "found"][str(each.version)] = ""
        for link in links:
            if kind := _UNFIT.get(evaluator.evaluate_link(link)[0].name):
                parse = utils.parse_wheel_filename if link.is_wheel else utils.parse_sdist_filename
                with suppress(ValueError):  # as all errors of packaging are
                    version = str(parse(link.filename)[1])
                    there[kind].setdefault(version, link.requires_python or "")
    seen: set[str] = set()
    for kind, versions in there.items():
        there[kind] = {each: versions[each] for each in sorted(versions.keys() - seen, key=Version)}
        seen |= versions.keys()
    return there

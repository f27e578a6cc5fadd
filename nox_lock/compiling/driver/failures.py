"""Why a compile failed: the exception that ended it, and the objects it speaks of, as data."""

from __future__ import annotations

import errno
import re
from typing import TYPE_CHECKING, Any

from pip._vendor.packaging.utils import (
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)

from .report import bare_url, describe_answer, linked

if TYPE_CHECKING:
    from .report import Report

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


def describe(error: BaseException, report: Report) -> dict[str, Any]:
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
        unfit[kind] = {each: python for each, python in versions.items() if each not in seen}
        seen |= versions.keys()
    ordered = {"found": list(map(str, sorted(found))), "yanked": list(map(str, sorted(yanked)))}
    return {**ordered, **unfit}


def _file_version(filename: str) -> str:
    try:
        parse = parse_wheel_filename if filename.endswith(".whl") else parse_sdist_filename
        return str(parse(filename)[1])
    except ValueError:  # as all errors of packaging are
        return ""

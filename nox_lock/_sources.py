"""Failures of what is not taken from an index: folders, URLs and repositories, and builds."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from nox_lock._errors import CompileError
from nox_lock._origins import find_cause, placed, project_of
from nox_lock._wording import last_line, quoted, without_class, without_folders

if TYPE_CHECKING:
    from nox_lock._entries import Entry
    from nox_lock._inputs import Inputs

_LOOKED_AT = re.compile(r"\b(?:Collecting|Processing|Obtaining) \S.*$", re.MULTILINE)
_LOOKED = re.compile(r"(?:Obtaining|Processing) .*? \(from -r (\S+) \(line (\d+)\)\)")
_TOML = re.compile(r"TOMLDecodeError: (.*)")
_EGG = re.compile(r"\begg=([\w.-]+)(?![\w.-])(?!\[[^\]]*\](?:&|$))[^&]+")
# What pip runs for a repository: https://pip.pypa.io/en/stable/topics/vcs-support/
_REPOSITORY = re.compile(r"^\s*\S (git|hg|svn|bzr) .* did not run successfully", re.MULTILINE)
_CLONED = re.compile(r"^\s*(?:Cloning|Checking out|Updating) (\S+)", re.MULTILINE)
_REASON = re.compile(
    r"^\s*(?:fatal|abort|error|svn: E\d+): (?!subprocess-exited-with-error)(.+)$", re.MULTILINE
)
_BUILD = re.compile(
    r"Failed to build '?([\w.-]+)|metadata-generation-failed|subprocess-exited-with-error"
    r"|BackendUnavailable|Backend '.*' is not available|BuildBackendException"
)


def source_failure(output: str, inputs: Inputs) -> CompileError | None:
    """Return the error of a source that could not be read, fetched or built, if it was that."""
    return (
        _broken_toml(output, inputs)
        or _egg(output, inputs)
        or _repository(output, inputs)
        or _build(output, inputs)
    )


def _broken_toml(output: str, inputs: Inputs) -> CompileError | None:
    """Tell of a local project whose `pyproject.toml` cannot be read: pip names neither."""
    found, entry = _TOML.search(last_line(output)), _local_project(output, inputs)
    if not found or entry is None:
        return None
    line = re.search(r"\(at line (\d+)", found[1])
    return CompileError(
        f"this is no TOML: {found[1]}",
        kind="syntax",
        file=posixpath.join(_folder_of(entry), "pyproject.toml"),
        line=int(line[1]) if line else None,
        hint=f"Mend it, or do without it ({entry.where.file}:{entry.where.line}).",
    )


def _local_project(output: str, inputs: Inputs) -> Entry | None:
    """Return the requirement of the folder that pip looked at last."""
    looked = _LOOKED.findall(output)
    places = [(file, int(line)) for file, line in looked[-1:]]
    return next((each for each in inputs.entries if each.url and each.where in places), None)


def _folder_of(entry: Entry) -> str:
    return posixpath.normpath((entry.url or "").removeprefix("file:"))


def _egg(output: str, inputs: Inputs) -> CompileError | None:
    """Tell of a URL that gives its project more than a name, which pip 25 and later refuse."""
    if "InvalidEggFragment" not in last_line(output):
        return None
    found = ((each, _EGG.search(each.url or "")) for each in inputs.entries)
    entry, egg = next(((each, egg) for each, egg in found if egg), (None, None))
    said = quoted(egg[0]) if egg else "an egg fragment"
    hint = f"Leave the name alone: #egg={egg[1]}" if egg else None
    told = f"{said} of a URL is more than a project's name"
    return placed(told, "syntax", None, entry, hint)


def _repository(output: str, inputs: Inputs) -> CompileError | None:
    """Tell of a repository that cannot be cloned, or has no such revision."""
    tool = _REPOSITORY.search(output)
    cloned = _CLONED.findall(output)
    if not tool or not cloned:
        return None
    before = output[: tool.start()]
    reason = (_REASON.findall(before) or [f"{tool[1]} failed"])[-1]
    built = _BUILD.search(last_line(output))
    name = project_of(built[1]) if built and built[1] else None
    url = cloned[-1]
    entry = find_cause(name, output, inputs) if name else None
    entry = entry or next((each for each in inputs.entries if each.url and url in each.url), None)
    shown = without_folders(url)
    can_be_asked = tool[1] == "git" and shown == url  # the rest is a folder of this machine
    return placed(
        f"{name or shown}: its repository cannot be had: {without_folders(reason)}",
        "build",
        name,
        entry,
        f"See what is wrong: git ls-remote {url}" if can_be_asked else None,
    )


def _build(output: str, inputs: Inputs) -> CompileError | None:
    found = _BUILD.search(output)
    if not found:
        return None
    looked = (_LOOKED_AT.findall(output) or [""])[-1]
    local = None if found[1] else _local_project(looked, inputs)
    name = None if local else project_of(found[1] or looked.partition(" ")[2]) or None
    lines = [line.strip() for line in output.splitlines() if re.search(r"[Ee]rror", line)]
    said = without_folders(without_class(lines[-1] if lines else found[0]))[:300]
    what = f"./{_folder_of(local)}" if local else name or "a project"
    return placed(
        f"{what} has to be built to be locked, and its build failed: {said}",
        "build",
        name,
        find_cause(name, output, inputs) if name else local,
        f"See what is wrong with it: python -m pip wheel --no-deps {what}"
        if local
        else "Ask for a version that has a wheel for this Python.",
    )

"""Tell a compile's failures apart, by what pip and pip-tools wrote.

With an old lock, pip-tools tries its pins first and tells of those that fell: the last word counts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from nox_lock._conflicts import tell_conflict
from nox_lock._errors import CompileError
from nox_lock._index_log import index_failure, mask
from nox_lock._origins import find_cause, find_entry, placed, project_of
from nox_lock._sources import source_failure
from nox_lock._versions import (
    allowed,
    find_versions,
    left_out,
    nearest,
    read_specifier,
    read_versions,
)
from nox_lock._wording import last_line, without_class, without_folders

if TYPE_CHECKING:
    from nox_lock._inputs import Inputs

KINDS = (
    "syntax",
    "unknown project",
    "no version",
    "conflict",
    "python",
    "index",
    "time-out",
    "build",
    "tool",
    "disk",
    "hash",
    "other",
)

_UNMET = re.compile(r"satisfies the requirement (.+?) \(from versions: (.*)\)\s*$", re.MULTILINE)
_YANKED = re.compile(r"Ignored the following yanked versions: (.*)$", re.MULTILINE)
_OTHER_PYTHON = re.compile(r"require a different python version: (.*)$", re.MULTILINE)
_WRONG_PYTHON = re.compile(
    r"Package '(\S+)' requires a different Python: (\S+) not in '([^']*)'", re.MULTILINE
)
_SYNTAX = re.compile(r"Invalid requirement: .*|RequirementsFileParseError: .*")
_SYNTAX_PLACE = re.compile(r"\(from line (\d+) of (.+?)\)")
_MISMATCH = re.compile(r"HashMismatch: .*\n\s+(\S+) from ")
_FORMAT = (
    "What a requirements file may hold: "
    "https://pip.pypa.io/en/stable/reference/requirements-file-format/"
)
_NOWHERE = (None, None)
_FULL = re.compile(r"No space left on device|Disk quota exceeded|File too large")
_TOOL = re.compile(
    r"^(?:ModuleNotFoundError|ImportError|AttributeError|TypeError|(?:\S+: )?No module named).*$",
    re.MULTILINE,
)


def diagnose(output: str, log: str, inputs: Inputs) -> CompileError:
    """Return the error for a compile that failed, from what it printed and pip's log."""
    output = mask(output)
    found = (
        _disk(output)
        or index_failure(output, log)
        or _python(output, inputs)
        or _conflict(output, log, inputs)
        or _unmet(output, log, inputs)
        or _other_file(output, inputs)
        or _syntax(output, inputs)
        or source_failure(output, inputs)
        or _tool(output)
    )
    if found:
        return found
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    said = without_class(lines[-1]) if lines else "(it said nothing)"
    file, line = _place(said, inputs)
    said = without_folders(said)
    return CompileError(f"pip-tools failed: {said}", kind="other", file=file, line=line)


def _place(said: str, inputs: Inputs) -> tuple[str | None, int | None]:
    """Return the file and line of the input that pip speaks of, where that can be told."""
    if found := re.search(r"-[rc] (\S+) \(line (\d+)\)", said):
        return found[1], int(found[2])
    for option in inputs.options:
        if f"{option.name} {option.value}" in said:
            return option.where
    return next((each.where for each in inputs.entries if each.url and each.url in said), _NOWHERE)


def _other_file(output: str, inputs: Inputs) -> CompileError | None:
    """Tell of a file that has not the hash that the lock file has for it."""
    found = _MISMATCH.search(output)
    if not found:
        return None
    # It names no projects: a seed without them would lock the other file, unseen.
    return placed(
        f"{found[1]}: the index offers another file than those that the lock file has hashes of",
        "hash",
        None,
        find_cause(project_of(found[1]), output, inputs),
        "Somebody may have tampered with it: find out. If all is well, take its pin out of the "
        "lock file, and lock again.",
    )


def _disk(output: str) -> CompileError | None:
    if _FULL.search(output):
        return CompileError("the disk is full: nothing was written", kind="disk")
    return None


def _python(output: str, inputs: Inputs) -> CompileError | None:
    found = _WRONG_PYTHON.search(last_line(output))
    if not found:
        return None
    name = canonicalize_name(found[1])
    return placed(
        f"{name} has no version for this Python ({found[2]}): it wants {found[3]}",
        "python",
        name,
        find_cause(name, output, inputs),
        "Ask for an older version, or lock for another Python.",
    )


def _conflict(output: str, log: str, inputs: Inputs) -> CompileError | None:
    if "ResolutionImpossible" not in last_line(output):
        return None
    return tell_conflict(output, log, inputs)


def _unmet(output: str, log: str, inputs: Inputs) -> CompileError | None:
    found = _UNMET.findall(output)
    if not found:
        return None
    wanted, listed = found[-1]
    demand, _, by = wanted.partition(" (from ")
    name = project_of(demand)
    entry = find_entry(name, inputs)
    asked = ""
    if entry is None and by:
        parent = project_of(by)
        asked, entry = f", which {parent} asks for", find_cause(parent, output, inputs)
    known, there = "" if listed == "none" else listed, find_versions(log, name)
    other = _OTHER_PYTHON.search(output)
    if other and (wanted_python := _wanted_python(demand, other[1])):
        return placed(
            f"{demand}{asked} has no version for this Python: {wanted_python}",
            "python",
            name,
            entry,
            "Ask for an older version, or lock for another Python.",
        )
    if not known and not there.any and not other:
        return placed(
            f"no package index has a project {name!r}{asked}",
            "unknown project",
            name,
            entry,
            "Check its spelling, and that your pip configuration names the index that has it.",
        )
    bounds = read_specifier(demand)
    limits = () if bounds is None else (bounds,)
    there_are = nearest(read_versions(known), *limits)
    said = [f"no version meets {demand}{asked}; there are {there_are}"]
    said += [f"  {each}" for each in left_out(there, _yanked(output), limits)]
    hint = None
    if allowed(there.late, *limits):
        hint = "Wait, let uploaded-prior-to allow more, or ask for an older version."
    return placed("\n".join(said), "no version", name, entry, hint)


def _wanted_python(demand: str, ignored: str) -> str:
    """Say which versions that meet a demand want another Python; empty where none does."""
    specifier = read_specifier(demand)
    wanted: dict[str, list[str]] = {}
    for each in ignored.split("; "):
        version, _, python = each.partition(" Requires-Python ")
        known = read_versions(version)
        if specifier is None or allowed(known, specifier):
            wanted.setdefault(python.strip(), []).extend(known)
    return "; ".join(
        f"{nearest(read_versions(','.join(there)))} {'wants' if len(there) == 1 else 'want'} "
        f"Python {python}"
        for python, there in wanted.items()
        if there
    )


def _yanked(output: str) -> list[str]:
    found = _YANKED.findall(output)
    return read_versions(found[-1]) if found else []


def _syntax(output: str, inputs: Inputs) -> CompileError | None:
    found = _SYNTAX.findall(output)
    if not found:
        return None
    said = found[-1].removeprefix("RequirementsFileParseError: ")
    place = _SYNTAX_PLACE.search(output)
    file, line = (place[2], int(place[1])) if place else _place(said, inputs)
    if file is None and (entry := find_entry(project_of(said.partition(": ")[2]), inputs)):
        file, line = entry.where
    return CompileError(said, kind="syntax", file=file, line=line, hint=_FORMAT)


def _tool(output: str) -> CompileError | None:
    found = _TOOL.findall(output)
    if not found:
        return None
    return CompileError(
        f"pip-tools does not work here: {without_folders(found[-1])}",
        kind="tool",
        hint='Reinstall both: pip install --force-reinstall "pip-tools>=7.6.2" pip',
    )

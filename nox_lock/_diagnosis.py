"""Tell a compile's failures apart, by what pip and pip-tools wrote.

pip prints the same text for most of them; its private log (``PIP_LOG``) tells the rest.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from nox_lock._errors import CompileError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nox_lock._requirements import Entry, Inputs

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
    "other",
)

_SKIPPED = re.compile(r"Could not fetch URL (?P<url>\S+): (?P<reason>.*) - skipping")
_NO_INDEX = re.compile(
    r"Skipping page (?P<url>\S+) because the \w+ request got Content-Type: (?P<reason>\S+)\."
)
_FETCHED = re.compile(r"Fetched page (\S+) as ")
_STATUS = re.compile(r"(\d{3}) (?:Client|Server) Error")
_BROKEN = re.compile(
    r"((?:ChunkedEncodingError|IncompleteRead|ProtocolError|ReadTimeoutError|ConnectionResetError|"
    r"NetworkConnectionError|SSLError|ConnectTimeoutError|IncompleteDownloadError)\b.*"
    r"|HTTP error [45]\d\d while getting \S+|[45]\d\d (?:Client|Server) Error: .*)"
)
_UNMET = re.compile(r"satisfies the requirement (.+?) \(from versions: (.*)\)\s*$", re.MULTILINE)
_OTHER_PYTHON = re.compile(r"require a different python version: (.*)$", re.MULTILINE)
_CAUSES = re.compile(r"The conflict is caused by:\n(.*?)\n\s*\n", re.DOTALL)
_ASKED = re.compile(r"Collecting (\S+?) \(from ([^\n]*?)\)")
_SYNTAX = re.compile(r"Invalid requirement: .*|RequirementsFileParseError: .*")
_SYNTAX_PLACE = re.compile(r"\(from line (\d+) of (.+?)\)")
_BUILD = re.compile(
    r"Failed to build '?([\w.-]+)|metadata-generation-failed|subprocess-exited-with-error"
    r"|BackendUnavailable|Backend '.*' is not available|BuildBackendException"
)
_TOOL = re.compile(
    r"^(?:ModuleNotFoundError|ImportError|AttributeError|TypeError|(?:\S+: )?No module named).*$",
    re.MULTILINE,
)
_CREDENTIALS = re.compile(r"(\w+://)[^/@\s]*@")
# In this order: a TLS failure may be told as a connection that failed.
_FAILURES = (
    (("certificate", "ssl"), "TLS failed: its certificate is not trusted, or it speaks no TLS"),
    (("refused",), "it cannot be reached: connection refused"),
    (("timed out", "timeout"), "it did not answer in time"),
    (("resolve", "name or service", "getaddrinfo"), "its name cannot be resolved"),
)


def mask(text: str) -> str:
    """Return `text` without the user names and passwords of its URLs."""
    return _CREDENTIALS.sub(r"\1****@", text)


def index_failure(output: str, log: str) -> CompileError | None:
    """Return what to say of an index that failed, also when the compile did not, or None.

    404 and 410, and 403 for single projects, only mean that an index does not have a project.
    """
    answered = {_index_of(url) for url in _FETCHED.findall(log)}
    forbidden: dict[str, str] = {}
    failed: dict[str, str] = {}
    for found in (*_SKIPPED.finditer(log), *_NO_INDEX.finditer(log)):
        index, reason = _index_of(found["url"]), found["reason"]
        status = _STATUS.search(reason)
        if status and status[1] in {"404", "410"}:
            answered.add(index)
        elif status and status[1] == "403":
            forbidden.setdefault(index, "it answered 403 Forbidden to everything")
        else:
            failed.setdefault(index, _reason(reason, status[1] if status else None))
    failed |= {index: why for index, why in forbidden.items() if index not in answered}
    if not failed and (broken := _BROKEN.search(output)):
        failed = {"": _reason(broken[1], None)}
    if not failed:
        return None
    named = "; ".join(f"{mask(index)}: {why}" if index else why for index, why in failed.items())
    return CompileError(
        f"a package index failed: {named}",
        kind="index",
        hint="Nothing was locked: what another index offers instead may be a stranger's package.",
    )


def diagnose(output: str, log: str, inputs: Inputs) -> CompileError:
    """Return the error for a compile that failed, from what it printed and pip's log."""
    found = (
        index_failure(output, log)
        or _disk(output)
        or _conflict(output, inputs)
        or _unmet(output, inputs)
        or _syntax(output)
        or _build(output, inputs)
        or _tool(output)
    )
    if found:
        return found
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return CompileError(
        f"pip-tools failed: {mask(lines[-1] if lines else '(it said nothing)')}", kind="other"
    )


def _index_of(url: str) -> str:
    """Return the index a project page belongs to: its URL without the project."""
    return url.rstrip("/").rpartition("/")[0]


def _reason(text: str, status: str | None) -> str:
    """Say in words of our own why a page was not fetched; pip's words where we have none."""
    if status:
        meaning = ": it wants a user name and password" if status == "401" else ""
        return f"it answered {status}{meaning}"
    if text.startswith(("text/", "application/")):
        return f"it answered {text}, which is no package index"
    lowered = text.lower()
    for signs, words in _FAILURES:
        if any(sign in lowered for sign in signs):
            return words
    return mask(text)[:200]


def _disk(output: str) -> CompileError | None:
    if "No space left on device" in output:
        return CompileError("the disk is full: nothing was written", kind="disk")
    return None


def _conflict(output: str, inputs: Inputs) -> CompileError | None:
    causes = _CAUSES.search(output)
    if causes is None and "ResolutionImpossible" not in output.rpartition("\n\n")[2]:
        return None
    origins = dict(_origins(output))
    demands = [line.strip() for line in (causes[1].splitlines() if causes else [])]
    shown = [f"  {demand}{_place(demand, inputs, origins)}" for demand in demands]
    return CompileError(
        "\n".join(["these cannot hold together:", *shown])
        if shown
        else "the requirements conflict",
        kind="conflict",
        hint="Loosen one of the requirements named.",
    )


def _origins(output: str) -> Iterator[tuple[str, str]]:
    """Yield (project, chain of who asked for it) from pip's progress lines."""
    for what, chain in _ASKED.findall(output):
        yield (
            _project(what),
            " <- ".join(part for part in chain.split("->") if not part.startswith("-")),
        )


def _place(demand: str, inputs: Inputs, origins: dict[str, str]) -> str:
    """Return where a line of pip's conflict text comes from, in the inputs."""
    bare = demand.removeprefix("The user requested ").removeprefix("(constraint) ")
    project = _project(bare)
    entry = _entry(project, inputs, constraint="(constraint)" in demand)
    if entry is None:
        chain = origins.get(project)
        entry = _entry(_project(chain.split(" <- ")[-1]), inputs) if chain else None
    return f" ({entry.where.file}:{entry.where.line})" if entry else ""


def _project(text: str) -> str:
    found = re.match(r"[A-Za-z0-9][\w.-]*", text)
    return canonicalize_name(found[0]) if found else text


def _entry(name: str, inputs: Inputs, *, constraint: bool = False) -> Entry | None:
    entries = [entry for entry in inputs.entries if entry.name == name]
    entries.sort(key=lambda entry: entry.constraint is not constraint)
    return entries[0] if entries else None


def _unmet(output: str, inputs: Inputs) -> CompileError | None:
    found = _UNMET.search(output)
    if not found:
        return None
    wanted, versions = found[1], found[2]
    demand, _, by = wanted.partition(" (from ")
    by = by.rstrip(")")
    name = _project(demand)
    entry = _entry(name, inputs)
    file, line = (entry.where.file, entry.where.line) if entry else (None, None)
    asked = "" if entry or not by else f", which {by} asks for,"
    if other := _OTHER_PYTHON.search(output):
        return CompileError(
            f"{demand}{asked} has no version for this Python: {other[1][:300]}",
            kind="python",
            file=file,
            line=line,
            hint="Ask for an older version, or lock for a newer Python.",
        )
    if versions == "none":
        return CompileError(
            f"no package index has a project {name!r}{asked.rstrip(',')}",
            kind="unknown project",
            file=file,
            line=line,
            hint="Check its spelling, and that your pip configuration names the index that has it.",
        )
    newest = ", ".join(versions.split(", ")[-8:])
    return CompileError(
        f"no version meets {demand}{asked} the newest there are: {newest}"
        if asked
        else f"no version meets {demand}; the newest there are: {newest}",
        kind="no version",
        file=file,
        line=line,
    )


def _syntax(output: str) -> CompileError | None:
    found = _SYNTAX.search(output)
    if not found:
        return None
    place = _SYNTAX_PLACE.search(output)
    file, line = (place[2], int(place[1])) if place else (None, None)
    return CompileError(mask(found[0]), kind="syntax", file=file, line=line)


def _build(output: str, inputs: Inputs) -> CompileError | None:
    found = _BUILD.search(output)
    if not found:
        return None
    name = found[1] and _project(found[1])
    entry = _entry(name, inputs) if name else None
    lines = [line.strip() for line in output.splitlines() if re.search(r"[Ee]rror", line)]
    return CompileError(
        f"{name or 'a project'} has to be built to be locked, and its build failed: "
        f"{mask(lines[-1] if lines else found[0])[:300]}",
        kind="build",
        file=entry.where.file if entry else None,
        line=entry.where.line if entry else None,
        hint="Ask for a version that has a wheel for this Python.",
    )


def _tool(output: str) -> CompileError | None:
    found = _TOOL.findall(output)
    if not found:
        return None
    return CompileError(
        f"pip-tools does not work here: {found[-1]}",
        kind="tool",
        hint='Reinstall both: pip install --force-reinstall "pip-tools>=7.6.1" pip',
    )

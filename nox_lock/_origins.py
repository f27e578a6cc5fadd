"""Which line of an input brings a project, by what pip prints on its way."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from packaging.utils import canonicalize_name

from nox_lock._errors import CompileError

if TYPE_CHECKING:
    from nox_lock._entries import Entry
    from nox_lock._inputs import Inputs

_ASKED = re.compile(r"Collecting (\S+) \(from ([^\n]+)\)$", re.MULTILINE)


class Origin(NamedTuple):
    """The requirement of an input that brings a project; `through` are those between, if any."""

    entry: Entry
    through: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """The file and line of that requirement."""
        return f"{self.entry.where.file}:{self.entry.where.line}"


def project_of(text: str) -> str:
    """Return the normalized name that a requirement begins with."""
    found = re.match(r"[A-Za-z0-9][\w.-]*", text)
    return canonicalize_name(found[0]) if found else text


def find_entry(name: str, inputs: Inputs) -> Entry | None:
    """Return what inputs say of a project, requirements before constraints."""
    entries = [entry for entry in inputs.entries if entry.name == name]
    return min(entries, key=lambda entry: entry.constraint, default=None)


def find_origin(name: str, output: str, inputs: Inputs) -> Origin | None:
    """Return the requirement that brings a project, by pip's progress lines."""
    entry = find_entry(name, inputs)
    if entry and not entry.constraint:
        return Origin(entry)
    for what, chain in reversed(_ASKED.findall(output)):
        if project_of(what) == name:
            # "a>=1 (from b==2->c->-r requirements.in (line 3))": c stands in the input.
            parents = [project_of(part) for part in chain.split("->") if not part.startswith("-")]
            through = tuple(dict.fromkeys(part for part in parents if part != name))
            if through and (top := find_entry(through[-1], inputs)):
                return Origin(top, through)
            break
    return Origin(entry) if entry else None


def find_cause(name: str, output: str, inputs: Inputs) -> Entry | None:
    """Return the requirement that brings a project, if that can be told."""
    found = find_origin(name, output, inputs)
    return found.entry if found else None


def placed(
    message: str, kind: str, name: str | None, entry: Entry | None, hint: str | None = None
) -> CompileError:
    """Return the error of a compile, where the requirement that is to blame stands."""
    file, line = entry.where if entry else (None, None)
    return CompileError(
        message, kind=kind, file=file, line=line, hint=hint, projects=(name,) if name else ()
    )

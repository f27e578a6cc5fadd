"""Names, versions and requirements as PEP 508 has them, wherever they are written."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

from packaging.markers import Marker, UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from nox_lock.errors import RequirementsError
from nox_lock.inputs.syntax import MERGE, MERGE_MARKS
from nox_lock.text import quoted

if TYPE_CHECKING:
    from nox_lock.errors import Place

# In a marker: the comparisons of versions alone, and names that only a lock file has.
_DOUBTFUL = r"~=|===|extras|dependency_groups"
_DIGITS = 1000  # Python reads no more than 4300
_LONGEST = 10_000  # letters of what anybody means
EXAMPLE_NAME = 'name==1.2, name[extra]>=1,<2 ; python_version < "3.12"'
_EXAMPLE = f"One project a line, such as: {EXAMPLE_NAME}"

# The same names are in many lock files of a project.
normalized = functools.lru_cache(maxsize=8192)(canonicalize_name)


def parse_requirement(text: str, place: Place, message: str = "") -> Requirement:
    """Read what PEP 508 calls a requirement, with a marker that can be evaluated.

    It is shared by all who read this text: not to be changed. `message` replaces the default
    text of the error.

    Raises:
        RequirementsError: when it is not one.
    """
    try:
        return _parse(text)
    except (UndefinedComparison, UndefinedEnvironmentName) as error:
        reason = f"its marker compares what are no versions, or has no value here: {error}"
    except ValueError as error:  # one of packaging's, or ours
        reason = str(error).splitlines()[0]
    except RecursionError:
        reason = "its marker is nested too deep"
    if text.startswith(MERGE_MARKS):
        raise RequirementsError(MERGE, place, "Keep the lines you want, and take its marks out.")
    message = message or f"{quoted(text)} is no requirement"
    raise RequirementsError(f"{message}: {reason}", place, _EXAMPLE)


@functools.lru_cache(maxsize=8192)  # the same lines are in many inputs of a project
def _parse(text: str) -> Requirement:
    bare, _, when = text.partition(";")
    if len(text) > _LONGEST:
        raise ValueError(f"it has more than {_LONGEST} letters")
    if len(text) > _DIGITS and re.search(rf"\d{{{_DIGITS}}}", text):
        raise ValueError("a number has too many digits")
    # pip splits here, also behind a URL, where PEP 508 wants a blank.
    found = Requirement(bare if when else text)
    if when:
        found.marker = _parse_marker(when)
    return found


@functools.lru_cache(maxsize=1024)  # a few are in many lines
def _parse_marker(text: str) -> Marker:
    found = Marker(text)
    if re.search(_DOUBTFUL, text):
        found.evaluate({"extra": ""})
    return found


def name_of(requirement: str) -> str:
    """Return the normalized name of the project that a valid requirement names."""
    return canonicalize_name(Requirement(requirement).name)


@functools.lru_cache(maxsize=4096)  # most pins are in several lock files of a project
def parse_version(text: str) -> Version | None:
    """Return a version, or None for a text that is not one."""
    try:
        return Version(text)
    except ValueError:  # InvalidVersion, or a number of more digits than Python reads
        return None


def parse_specifier(text: str | None) -> SpecifierSet | None:
    """Return the versions that a text allows; None for no text, or one that is not valid."""
    try:
        return None if text is None else SpecifierSet(text)
    except InvalidSpecifier:
        return None


def meets(specifier: SpecifierSet, version: str) -> bool:
    """Return whether a version is one of those allowed.

    pip-tools keeps a pre-release that is locked, so one always counts. A text that is no version
    meets only no specifier, and ``===`` with this text.
    """
    found = parse_version(version)
    if found is None:
        return str(specifier) in {"", f"==={version}"}
    return specifier.contains(found, prereleases=True)

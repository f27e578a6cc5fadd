"""What the driver reports of a compile; `driver.report` writes it."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from nox_lock.compiling.demands import Versions, find_origin, read_demand
from nox_lock.compiling.index_failures import Page
from nox_lock.errors import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from nox_lock.compiling.demands import Demand
    from nox_lock.inputs.entry import Entry
    from nox_lock.inputs.requirements import Inputs

_NONE: Mapping[str, Any] = MappingProxyType({})


class Failure(NamedTuple):
    """What ended a compile.

    Attributes:
        kind: ``demands``, or another that `driver.report.describe_failure` gives.
        message: what pip or pip-tools said.
        name: the project it is about, or None.
        link: the URL of that requirement, without credentials, or None.
        place: the line of an input that it comes from, as pip says, or None.
        entry: the requirement of an input that brings `name`, or None.
        project: the input that is itself a project and could not be built, or None.
        output: what a build printed, in lines.
        page: what could not be fetched.
        demands: those that cannot hold together.
        versions: those of each project in question.
    """

    kind: str
    message: str
    name: str | None = None
    link: str | None = None
    place: Place | None = None
    entry: Entry | None = None
    project: str | None = None
    output: Sequence[str] = ()
    page: Page = Page("")
    demands: Sequence[Demand] = ()
    versions: Mapping[str, Versions] = _NONE


class Report(NamedTuple):
    """What happened in a compile.

    Attributes:
        failure: what ended it, or None.
        pages: the index pages that were asked for.
        built: what had to be built for its metadata: project, version.
        built_projects: inputs that are projects and had to be built.
        yanked: pins that were withdrawn (PEP 592): project, version, reason.
        extras: extras that were asked for and do not exist: project, version, extra.
        newest: the newest version of each pin that fits, by project.
        unsupported: touch points that this pip or pip-tools does not have.
    """

    failure: Failure | None = None
    pages: Sequence[Page] = ()
    built: Sequence[Sequence[str]] = ()
    built_projects: Sequence[str] = ()
    yanked: Sequence[Sequence[str]] = ()
    extras: Sequence[Sequence[str]] = ()
    newest: Mapping[str, str] = _NONE
    unsupported: Sequence[str] = ()


def read_report(
    path: Path, inputs: Inputs, show: Callable[[str], str] = lambda text: text
) -> Report | None:
    """Return the report in a file, or None if there is no whole one; `show` changes each text."""
    try:
        return parse_report(_show_all(json.loads(path.read_bytes()), show), inputs)
    except (OSError, ValueError):
        return None


def parse_report(found: Mapping[str, Any], inputs: Inputs) -> Report:
    """Return a report, with the requirements of `inputs` that what is in it comes from."""
    known = {name: found[name] for name in Report._fields if name in found}
    known["pages"] = [Page(**each) for each in found.get("pages", ())]
    if failure := found.get("failure"):
        parts = {name: failure[name] for name in Failure._fields if name in failure}
        origin = find_origin(failure.get("name") or "", failure, inputs)
        parts["entry"] = origin and origin.entry
        if failure.get("file") is not None:
            parts["place"] = Place(failure["file"], failure.get("line"))
        parts["page"] = Page(**failure.get("page", {"address": ""}))
        demands = (read_demand(each, inputs) for each in failure.get("demands", ()))
        parts["demands"] = [demand for lines in demands for demand in lines]
        versions = failure.get("versions", {}).items()
        parts["versions"] = {name: Versions(**each) for name, each in versions}
        known["failure"] = Failure(**parts)
    return Report(**known)


def _show_all(found: Any, show: Callable[[str], str]) -> Any:
    if isinstance(found, str):
        return show(found)
    if isinstance(found, list):
        return [_show_all(each, show) for each in found]
    if isinstance(found, dict):
        return {key: _show_all(each, show) for key, each in found.items()}
    return found

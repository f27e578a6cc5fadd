"""What the driver reports of a compile; `driver.report` writes it."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

_NONE: Mapping[str, Any] = MappingProxyType({})


class Page(NamedTuple):
    """An index page that was asked for, and how that was answered.

    Attributes:
        address: of the index that it belongs to, without credentials.
        project: whose page it is.
        status: of HTTP, or None where there was no answer that counts.
        problem: what else was wrong: a key of `index_failures.PROBLEMS`, or in words.
    """

    address: str
    project: str = ""
    status: int | None = None
    problem: str = ""


class Demand(NamedTuple):
    """What is asked of a project, in a conflict.

    Attributes:
        project: normalized; empty for a demand on Python itself.
        text: the requirement.
        specifier: the versions it allows, or None where that is no question of versions.
        by: the project that asks and its version, or None for an input.
        constraint: whether it only narrows.
        file: the input that it comes from, or None where that is not known.
        line: its line there.
        through: the projects that bring it, up to the one of that line.
    """

    project: str
    text: str
    specifier: str | None = None
    by: Sequence[str] | None = None
    constraint: bool = False
    file: str | None = None
    line: int | None = None
    through: Sequence[str] = ()


class Versions(NamedTuple):
    """The versions of a project, each in one of these, in order.

    Attributes:
        refused: those whose metadata pip refuses, with why.
        found: those that pip may take.
        yanked: those that were withdrawn (PEP 592).
        python: those for other Pythons, with these.
        late: those younger than `uploaded-prior-to` allows.
        platform: those that have files for other platforms or Pythons alone.
        format: those that `--only-binary` or `--no-binary` leave out.
    """

    refused: Mapping[str, str] = _NONE
    found: Collection[str] = ()
    yanked: Collection[str] = ()
    python: Mapping[str, str] = _NONE
    late: Collection[str] = ()
    platform: Collection[str] = ()
    format: Collection[str] = ()


class Failure(NamedTuple):
    """What ended a compile.

    Attributes:
        kind: ``demands``, or another that `driver.report.describe_failure` gives.
        message: what pip or pip-tools said.
        name: the project it is about, or None.
        link: the URL of that requirement, without credentials, or None.
        file: the input that it comes from, or None where that is not known.
        line: its line there.
        through: the projects between it and that line.
        project: the input that is itself a project and could not be built, or None.
        output: what a build printed, in lines.
        page: what could not be fetched.
        demands: those that cannot hold together.
        versions: what there is of each project in question.
    """

    kind: str
    message: str
    name: str | None = None
    link: str | None = None
    file: str | None = None
    line: int | None = None
    through: Sequence[str] = ()
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
        unsupported: touch points that this pip or pip-tools has not.
    """

    failure: Failure | None = None
    pages: Sequence[Page] = ()
    built: Sequence[Sequence[str]] = ()
    built_projects: Sequence[str] = ()
    yanked: Sequence[Sequence[str]] = ()
    extras: Sequence[Sequence[str]] = ()
    newest: Mapping[str, str] = _NONE
    unsupported: Sequence[str] = ()


def read_report(path: Path, show: Callable[[str], str]) -> Report | None:
    """Return the report in a file, or None where there is none; `show` is for each text in it."""
    try:
        said = _show_all(json.loads(path.read_bytes()), show)
    except (OSError, ValueError):
        return None
    said["pages"] = [Page(**each) for each in said.get("pages", ())]
    if (failure := said.get("failure")) is not None:
        versions = failure.get("versions", {}).items()
        failure["versions"] = {name: Versions(**each) for name, each in versions}
        failure["demands"] = [Demand(**each) for each in failure.get("demands", ())]
        failure["page"] = Page(**failure.get("page", {"address": ""}))
        said["failure"] = Failure(**failure)
    return Report(**{name: said[name] for name in Report._fields if name in said})


def _show_all(said: Any, show: Callable[[str], str]) -> Any:
    if isinstance(said, str):
        return show(said)
    if isinstance(said, list):
        return [_show_all(each, show) for each in said]
    if isinstance(said, dict):
        return {key: _show_all(each, show) for key, each in said.items()}
    return said

"""What the driver reports of a compile; `driver.report` writes it."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_NONE: Mapping[str, Any] = MappingProxyType({})


class Page(NamedTuple):
    """An index page that was asked for, and how that was answered.

    Attributes:
        address: of the index that it belongs to, without credentials.
        links: how many files it lists.
        status: of HTTP, or None where there was no answer.
        problem: why there was none: a key of `index_failures.PROBLEMS`, ``content`` or ``other``.
        detail: what else is known of that.
    """

    address: str
    links: int = 0
    status: int | None = None
    problem: str = ""
    detail: str = ""


class Demand(NamedTuple):
    """What is asked of a project, in a conflict.

    Attributes:
        project: normalized; empty for a demand on Python itself.
        text: the requirement.
        specifier: the versions it allows, or None where that is no question of versions.
        python: the Pythons it allows, where it is about those.
        fixed: its version and file, where a URL or a path is asked for.
        by: the project that asks and its version, or None for an input.
        constraint: whether it only narrows.
        file: the input that it comes from, or None where that is not known.
        line: its line there.
        through: the projects between the one that asks and that line.
    """

    project: str
    text: str
    specifier: str | None = None
    python: str | None = None
    fixed: Sequence[str] | None = None
    by: Sequence[str] | None = None
    constraint: bool = False
    file: str | None = None
    line: int | None = None
    through: Sequence[str] = ()


class Versions(NamedTuple):
    """The versions of a project, each in one of these.

    Attributes:
        found: those that pip may take, in order.
        yanked: those that were withdrawn (PEP 592), in order.
        python: those for other Pythons, with these.
        late: those younger than `uploaded-prior-to` allows.
        platform: those that have files for other platforms or Pythons alone.
        format: those that `--only-binary` or `--no-binary` leave out.
    """

    found: Sequence[str] = ()
    yanked: Sequence[str] = ()
    python: Mapping[str, str] = _NONE
    late: Mapping[str, str] = _NONE
    platform: Mapping[str, str] = _NONE
    format: Mapping[str, str] = _NONE


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
        tool: of a repository, such as ``git``.
        url: what could not be fetched; how that was answered is in the next three.
        demands: those that cannot hold together.
        versions: what there is of each project in question.
        discarded: what was passed over for its metadata: project, version, reason.
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
    tool: str = ""
    url: str = ""
    status: int | None = None
    problem: str = ""
    detail: str = ""
    demands: Sequence[Demand] = ()
    versions: Mapping[str, Versions] = _NONE
    discarded: Sequence[Sequence[str]] = ()

    @property
    def page(self) -> Page:
        """What could not be fetched."""
        return Page(self.url, 0, self.status, self.problem, self.detail)


class Report(NamedTuple):
    """What happened in a compile.

    Attributes:
        failure: what ended it, or None.
        pages: the index pages that were asked for.
        untrusted: pages that pip passed over because they are plain http.
        built: what had to be built for its metadata: project, version.
        built_projects: inputs that are projects and had to be built.
        yanked: pins that were withdrawn (PEP 592): project, version, reason.
        extras: extras that were asked for and do not exist: project, version, extra.
        newest: the newest version of each pin that fits, by project.
        unsupported: touch points that this pip or pip-tools has not.
    """

    failure: Failure | None = None
    pages: Sequence[Page] = ()
    untrusted: Sequence[str] = ()
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
    said["failure"] = _read_failure(said.get("failure"))
    return Report(**{name: said[name] for name in Report._fields if name in said})


def _read_failure(said: Mapping[str, Any] | None) -> Failure | None:
    if said is None:
        return None
    demands = [Demand(**each) for each in said.get("demands", ())]
    versions = {name: Versions(**each) for name, each in said.get("versions", {}).items()}
    return Failure(**{**said, "demands": demands, "versions": versions})


def _show_all(said: Any, show: Callable[[str], str]) -> Any:
    if isinstance(said, str):
        return show(said)
    if isinstance(said, list):
        return [_show_all(each, show) for each in said]
    if isinstance(said, dict):
        return {key: _show_all(each, show) for key, each in said.items()}
    return said

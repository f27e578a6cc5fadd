"""Run pip-compile as an order says, and report what pip and pip-tools do on the way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pip._internal.resolution.resolvelib import factory
from piptools.scripts.compile import cli

from . import target
from .pages import fetch_pages_once, take_hashes_from_pages
from .report import Report, describe_failure, note_printed
from .touch_points import COMFORT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Callback = Callable[..., None]


def compile_lock(order: Mapping[str, Any]) -> int:
    """Make the lock file of an order, leave a report, and return pip-compile's exit status."""
    report = Report(order["begun"])
    fetch_pages_once(report)
    take_hashes_from_pages(report)
    target.apply(order["target"], report)
    target.build_projects_within(order["build_constraints"])
    _keep_origins()
    _report_calls(report)
    code: int | str | None = 0
    failed: BaseException | None = None
    try:
        cli.main(order["arguments"], prog_name="pip-compile", standalone_mode=False)
    except SystemExit as end:  # after pip-tools has said what is wrong with a build
        code, failed = end.code, end.__context__
    except Exception as error:  # noqa: BLE001  (whatever it is, it is reported)
        failed = error
    if failed is not None:
        code, report.said["failure"] = 1, describe_failure(failed, report)
    Path(order["report"]).write_text(json.dumps(report.said), encoding="utf-8")
    return code if isinstance(code, int) else 1


def _keep_origins() -> None:
    """Let a path with extras come from its line: for pip it comes from itself, an absolute path."""
    drop_extras = factory.install_req_drop_extras

    def drop_extras_alone(ireq: Any) -> Any:
        found = drop_extras(ireq)
        found.comes_from = ireq.comes_from
        return found

    factory.install_req_drop_extras = drop_extras_alone


def _report_calls(report: Report) -> None:
    """Wrap the touch points that only add comfort, so that the report has what they do."""
    calls: dict[str, tuple[Callback | None, Callback | None]] = {
        "PipSession.request": (report.note_request, None),
        "Factory.get_installation_error": (report.note_conflict, None),
        "BacktrackingResolver._get_install_requirements": (report.note_result, None),
        "InstallationSubprocessError.__init__": (note_printed, None),
        "get_file_content": (None, report.note_remote),
        "_InstallRequirementBackedCandidate._prepare": (None, report.note_refusal),
    }
    for point in COMFORT:
        if point.fits():
            point.replace(_wrap(point.find(), *calls[point.name]))


def _wrap(call: Callable[..., Any], before: Callback | None, failed: Callback | None) -> Any:
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if before is not None:
            before(*args, **kwargs)
        try:
            return call(*args, **kwargs)
        except Exception as error:
            if failed is not None:
                failed(error, *args)
            raise

    return wrapped

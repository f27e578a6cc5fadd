"""Run pip-compile as an order says, and report what pip and pip-tools do on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from piptools.scripts.compile import cli

from . import target
from .pages import Pages, take_hashes_from_pages
from .report import Report, describe_failure, place_of
from .touch_points import COMFORT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Callback = Callable[..., None]


def compile_lock(order: Mapping[str, Any]) -> int:
    """Make the lock file of an order, leave a report, and return pip-compile's exit status."""
    report = Report(order["events"])
    Pages(report)
    target.apply(order["target"], report)
    target.build_projects_with(order["pip"], order["build_constraints"])
    take_hashes_from_pages(report)
    _report_calls(report)
    code = 1
    try:
        code = _run_pip_compile(order["arguments"])
    except Exception as error:  # noqa: BLE001  (whatever it is, it is reported)
        report.said["failure"] = describe_failure(error, report)
    report.write(order["report"])
    return code


def _run_pip_compile(arguments: Sequence[str]) -> int:
    try:
        cli.main(list(arguments), prog_name="pip-compile", standalone_mode=False)
    except click.exceptions.Exit as error:
        return error.exit_code
    except SystemExit as error:  # after pip-tools has said what is wrong with a build
        if error.__context__ is not None:
            raise error.__context__ from None
        return error.code if isinstance(error.code, int) else 1
    return 0


def _report_calls(report: Report) -> None:
    """Have each touch point that is there say what it does, before or after it or when it fails."""
    before: dict[str, Callback] = {
        "PipSession.request": lambda _session, _method, url, *_args, **_more: report.event(
            "asking", place_of(url)
        ),
        "BacktrackingResolver.resolve_hashes": lambda *_args: report.event("hashing", ""),
        "Factory.get_installation_error": report.note_conflict,
    }
    after: dict[str, Callback] = {
        "BacktrackingResolver._get_install_requirements": report.note_result,
        "InstallationSubprocessError.__init__": _keep_output,
    }
    failed: dict[str, Callback] = {
        "get_file_content": report.note_remote,
        "_InstallRequirementBackedCandidate._prepare": report.note_refusal,
    }
    for point in COMFORT:
        if point.fits():
            callbacks = (each.get(point.name, _ignore) for each in (before, after, failed))
            point.replace(_wrap(point.find(), *callbacks))


def _wrap(
    call: Callable[..., Any], before: Callback, after: Callback, failed: Callback
) -> Callable[..., Any]:
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        before(*args, **kwargs)
        try:
            result = call(*args, **kwargs)
        except Exception as error:
            failed(error, *args)
            raise
        after(result, *args, **kwargs)
        return result

    return wrapped


def _ignore(*_args: Any, **_more: Any) -> None:
    """Report nothing."""


def _keep_output(_result: None, error: Any, *_args: Any, **kwargs: Any) -> None:
    error.output_lines = kwargs.get("output_lines") or []

"""Run pip-compile for the target of an order, whichever Python runs this, and report on it."""

from __future__ import annotations

import email
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from venv import EnvBuilder

import build
import pip
import piptools.build
import piptools.scripts.compile
import pyproject_hooks
from pip._internal.cli.req_command import RequirementCommand
from pip._internal.distributions.sdist import SourceDistribution
from pip._internal.models.target_python import TargetPython
from pip._internal.resolution.resolvelib import factory
from pip._internal.resolution.resolvelib.factory import Factory
from pip._vendor.packaging import markers
from pip._vendor.packaging.utils import canonicalize_name, canonicalize_version
from piptools.scripts.compile import cli

from .pages import fetch_pages_once, read_pages_alone, take_hashes_from_pages
from .report import Callback, Recorder, bare_url, failed_indexes, note_printed, watch
from .touch_points import COMFORT

# PEP 643: from this version of the metadata on, what is not named as dynamic is the same wherever
# it is built. https://packaging.python.org/en/latest/specifications/core-metadata/#dynamic
_STATIC_SINCE = (2, 2)
_DECISIVE = {"requires-dist", "requires-python", "provides-extra"}


def compile_lock(order: Mapping[str, Any]) -> int:
    """Make the lock file of an order, leave a report, and return pip-compile's exit status."""
    report = Recorder(order["begun"])
    fetch_pages_once(report)
    take_hashes_from_pages(report)
    if order["files"]:
        read_pages_alone(order["files"], report)
    set_target(order["target"], report)
    build_projects_within(order["build_constraints"])
    _keep_origins()
    _report_calls(report)
    code, failed = 0, None
    try:
        cli.main(order["arguments"], prog_name="pip-compile", standalone_mode=False)
    except SystemExit as end:  # after pip-tools has said what is wrong with a build
        code, failed = 1, end.__context__
    except Exception as error:  # noqa: BLE001  (whatever it is, it is reported)
        code, failed = 1, error
    if failed is not None:
        report.note_failure(failed)
    said = {**report.said, "indexes": failed_indexes(report.pages)}
    Path(order["report"]).write_text(json.dumps(said), encoding="utf-8")
    return code


def _keep_origins() -> None:
    """Let a path with extras come from its line: for pip it comes from itself, an absolute path."""
    drop_extras = factory.install_req_drop_extras

    def drop_extras_alone(ireq: Any) -> Any:
        found = drop_extras(ireq)
        found.comes_from = ireq.comes_from
        return found

    factory.install_req_drop_extras = drop_extras_alone


def _report_calls(report: Recorder) -> None:
    """Wrap the touch points that only add comfort, so that the report has what they do."""
    calls: dict[str, tuple[Callback | None, Callback | None]] = {
        "PipSession.request": (report.note_request, None),
        "Factory.get_installation_error": (report.note_conflict, None),
        "BacktrackingResolver._get_install_requirements": (report.note_result, None),
        "InstallationSubprocessError.__init__": (note_printed, None),
        "_InstallRequirementBackedCandidate._prepare": (None, report.note_refusal),
    }
    for point in COMFORT:
        if point.fits():
            watch(*point.locate(), *calls[point.name])


def set_target(target: Mapping[str, Any], report: Recorder) -> None:
    """Set the target for all that pip and pip-tools decide; what is None is this machine's."""
    if target["python"] is not None:  # else it is this very Python, which knows itself best
        environment = {**markers.default_environment(), **target["environment"]}
        # `Marker.evaluate` looks the name up in its module at each call.
        markers.default_environment = lambda: dict(environment)
        initialize, version = TargetPython.__init__, {"py_version_info": tuple(target["python"])}
        tags = {"implementation": "cp", "platforms": target["platforms"], "abis": target["abis"]}
        TargetPython.__init__ = lambda self, **_given: initialize(self, **version, **tags)
        make_resolver = partial(RequirementCommand.make_resolver, **version)
        RequirementCommand.make_resolver = staticmethod(make_resolver)
    _watch_builds(report, foreign=target["foreign"])


def _watch_builds(report: Recorder, *, foreign: bool) -> None:
    prepare = SourceDistribution.prepare_distribution_metadata
    build_metadata = piptools.scripts.compile.build_project_metadata

    def prepare_metadata(self: Any, *args: Any, **more: Any) -> None:
        if foreign and _use_static_metadata(self.req):
            return
        report.note_begun(f"built {self.req.name or bare_url(str(self.req.link))}")
        prepare(self, *args, **more)
        name, version = self.req.metadata["Name"], self.req.metadata["Version"]
        version = canonicalize_version(str(version), strip_trailing_zero=False)
        report.said["built"].append((canonicalize_name(name), version))

    def build_project_metadata(src_file: Any, **more: Any) -> Any:
        file = Path(src_file).as_posix()
        try:
            found = build_metadata(src_file, **more)
        except Exception as error:
            vars(error)["reported"] = lambda: {"kind": "build", "project": file}
            raise
        if not isinstance(found, piptools.build.StaticProjectMetadata):
            report.said["built_projects"].append(file)
        return found

    SourceDistribution.prepare_distribution_metadata = prepare_metadata
    piptools.scripts.compile.build_project_metadata = build_project_metadata
    if foreign:  # a wheel in pip's cache was built for this Python
        Factory.get_wheel_cache_entry = lambda _factory, _link, _name: None


def _use_static_metadata(requirement: Any) -> bool:
    """Use the metadata in a source distribution, if every build of it gives the same."""
    source = Path(requirement.unpacked_source_directory)
    try:
        raw = (source / "PKG-INFO").read_bytes()
        metadata = email.message_from_bytes(raw)
        version = tuple(map(int, metadata.get("Metadata-Version", "1.0").split(".")))
    except (OSError, ValueError):
        return False
    dynamic = {name.lower() for name in metadata.get_all("Dynamic") or []}
    if version < _STATIC_SINCE or dynamic & _DECISIVE:
        return False
    # pip takes the version from the folder's name, and drops a candidate where the two differ.
    names = (re.sub(r"[-.]+", "_", metadata["Name"]), metadata["Version"].replace("-", "_"))
    folder = source / ".static" / f"{'-'.join(names)}.dist-info"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "METADATA").write_bytes(raw)
    requirement.metadata_directory = str(folder)
    return True


def build_projects_within(constraints: Sequence[str]) -> None:
    """Build inputs that are projects by our pip: pip-tools takes the one bundled with Python."""
    limits = [f"--constraint={each}" for each in constraints]
    our_pip = [sys.executable, str(Path(pip.__file__).with_name("__pip-runner__.py"))]

    @contextmanager
    def create_project_builder(src_dir: Path, **_more: Any) -> Iterator[Any]:
        with tempfile.TemporaryDirectory() as temporary:
            EnvBuilder(symlinks=os.name != "nt").create(temporary)
            python = Path(temporary, "Scripts/python.exe" if os.name == "nt" else "bin/python")
            command = [*our_pip, "--python", str(python), "install", "-q", *limits]

            def install(requirements: Any) -> None:
                if requirements:  # its output is a part of the error when it fails
                    subprocess.check_output([*command, *requirements], stderr=subprocess.STDOUT)

            runner = pyproject_hooks.quiet_subprocess_runner
            builder = build.ProjectBuilder(src_dir, str(python), runner=runner)
            install(builder.build_system_requires)
            install(builder.get_requires_for_build("wheel"))
            yield builder

    piptools.build._create_project_builder = create_project_builder

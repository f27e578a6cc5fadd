"""What is resolved for: markers, wheel tags, Requires-Python; and who builds what has to be built.

All of it comes from the target's definition in the order, whichever Python runs this.
"""

from __future__ import annotations

import email
import os
import re
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from venv import EnvBuilder

import build
import piptools.build
import piptools.scripts.compile
import pyproject_hooks
from pip._internal.cli.req_command import RequirementCommand
from pip._internal.distributions.sdist import SourceDistribution
from pip._internal.models.target_python import TargetPython
from pip._internal.resolution.resolvelib.factory import Factory
from pip._vendor.packaging import markers
from pip._vendor.packaging.utils import canonicalize_name

from .report import bare_url

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .report import Report

# Of PEP 643, https://packaging.python.org/en/latest/specifications/core-metadata/#dynamic: from
# this version of the metadata on, what is not named as dynamic is the same wherever it is built.
_STATIC_SINCE = (2, 2)
_DECISIVE = {"requires-dist", "requires-python", "provides-extra"}


def apply(target: Mapping[str, Any], report: Report, pip: Sequence[str]) -> None:
    """Set the target for everything that pip and pip-tools decide.

    Args:
        target: a mapping with

            - environment: markers (PEP 508) and their values; the others are this machine's,
            - python: the version as numbers; or None, for this very Python,
            - platforms, abis, implementation: of its wheel tags (PEP 425), None for this one's,
            - foreign: whether this Python or platform is another than the target's.
        report: is given what was built.
        pip: the arguments that run pip for what a build needs.
    """
    if target["python"] is not None:
        _set_markers(target["environment"])
        _set_version(target)
    _watch_builds(report, foreign=target["foreign"])
    piptools.build._create_project_builder = _make_project_builder(pip)


def _set_markers(environment: Mapping[str, str]) -> None:
    known = {**markers.default_environment(), **environment}
    # `Marker.evaluate` looks the name up in its module at each call.
    markers.default_environment = lambda: dict(known)


def _set_version(target: Mapping[str, Any]) -> None:
    version = tuple(target["python"])
    make, make_resolver = TargetPython.__init__, RequirementCommand.make_resolver.__func__

    def initialize(
        self: Any,
        platforms: Any = None,
        py_version_info: Any = None,
        abis: Any = None,
        implementation: Any = None,
    ) -> None:
        make(
            self,
            platforms or target["platforms"],
            py_version_info or version,
            abis or target["abis"],
            implementation or target["implementation"],
        )

    def make_resolver_for_target(cls: Any, *args: Any, **kwargs: Any) -> Any:
        return make_resolver(cls, *args, **{**kwargs, "py_version_info": version})

    TargetPython.__init__ = initialize
    RequirementCommand.make_resolver = classmethod(make_resolver_for_target)


def _watch_builds(report: Report, *, foreign: bool) -> None:
    prepare = SourceDistribution.prepare_distribution_metadata
    build_metadata = piptools.scripts.compile.build_project_metadata

    def prepare_metadata(self: Any, *args: Any, **kwargs: Any) -> None:
        static = _read_static_metadata(self.req)
        if foreign and static:
            _use_static_metadata(self.req, static)
            return
        report.event("building", str(self.req.name or bare_url(str(self.req.link))))
        prepare(self, *args, **kwargs)
        if not static:
            metadata = self.req.metadata
            name = canonicalize_name(metadata["Name"])
            report.said["built"].append((name, str(metadata["Version"])))

    def build_project_metadata(*args: Any, **kwargs: Any) -> Any:
        file = str(kwargs.get("src_file") or args[0])
        try:
            found = build_metadata(*args, **kwargs)
        except Exception as error:
            report.projects_failed.append((file, error))
            raise
        if not isinstance(found, piptools.build.StaticProjectMetadata):
            report.said["built_projects"].append(file)
        return found

    SourceDistribution.prepare_distribution_metadata = prepare_metadata
    piptools.scripts.compile.build_project_metadata = build_project_metadata
    if foreign:  # a wheel in pip's cache was built for this Python
        Factory.get_wheel_cache_entry = lambda _self, _link, _name: None


def _read_static_metadata(requirement: Any) -> bytes | None:
    """Return the metadata of a source distribution, where every build of it gives the same."""
    folder = requirement.unpacked_source_directory
    try:
        raw = (Path(folder) / "PKG-INFO").read_bytes()
        metadata = email.message_from_bytes(raw)
        version = tuple(map(int, metadata.get("Metadata-Version", "1.0").split(".")))
    except (OSError, ValueError):
        return None
    dynamic = {name.lower() for name in metadata.get_all("Dynamic") or []}
    return raw if version >= _STATIC_SINCE and not dynamic & _DECISIVE else None


def _use_static_metadata(requirement: Any, raw: bytes) -> None:
    metadata = email.message_from_bytes(raw)
    # pip takes the version from the folder's name, and drops a candidate where the two differ.
    name = re.sub(r"[-.]+", "_", metadata["Name"])
    folder = f"{name}-{metadata['Version'].replace('-', '_')}.dist-info"
    place = Path(requirement.unpacked_source_directory) / ".static-metadata" / folder
    place.mkdir(parents=True, exist_ok=True)
    (place / "METADATA").write_bytes(raw)
    requirement.metadata_directory = str(place)


def _make_project_builder(pip: Sequence[str]) -> Any:
    """Return what builds an input that is a project, in an environment of this Python by our pip.

    Else it would take whichever pip is bundled with this Python, or none.
    """

    @contextmanager
    def create_project_builder(
        src_dir: Path,
        *,
        upgrade_packages: Sequence[str] | None = None,
        isolated: bool = True,
        quiet: bool = False,
    ) -> Iterator[Any]:
        del isolated, quiet
        with tempfile.TemporaryDirectory() as temporary:
            environment = Path(temporary) / "environment"
            EnvBuilder(symlinks=os.name != "nt").create(environment)
            folder = "Scripts/python.exe" if os.name == "nt" else "bin/python"
            constraints = Path(temporary) / "constraints.txt"
            constraints.write_text("\n".join(upgrade_packages or ()), encoding="utf-8")
            python = str(environment / folder)

            def install(requirements: Any) -> None:
                if requirements:
                    options = ["--quiet", "--no-warn-script-location", "-c", str(constraints)]
                    command = [sys.executable, *pip, "--python", python, "install", *options]
                    subprocess.run(
                        [*command, *sorted(requirements)],
                        check=True,
                        stdout=subprocess.PIPE,
                        stderr=subprocess.STDOUT,
                    )

            # Its output is a part of the error when it fails.
            runner = pyproject_hooks.quiet_subprocess_runner
            builder = build.ProjectBuilder(src_dir, python_executable=python, runner=runner)
            install(builder.build_system_requires)
            install(builder.get_requires_for_build("wheel"))
            yield builder

    return create_project_builder

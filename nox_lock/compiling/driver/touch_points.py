"""Every name inside pip and pip-tools that the driver reaches for, with what for.

Each was seen in pip 24.1 to 26.3 with pip-tools 7.6.2. Those that a right lock needs: where one is
missing, or takes other parameters, the driver refuses to start, and says which.

    piptools.scripts.compile:cli.main
        run pip-compile
    pip._vendor.packaging.markers:default_environment
        the markers of the target
    pip._internal.models.target_python:TargetPython.__init__(platforms py_version_info abis)
        the target's wheel tags, and the Requires-Python of index pages
    pip._internal.cli.req_command:RequirementCommand.make_resolver(py_version_info)
        the Requires-Python of metadata
    pip._internal.resolution.resolvelib.factory:Factory.get_wheel_cache_entry(link name)
        no wheel that another Python built
    pip._internal.distributions.sdist:SourceDistribution.prepare_distribution_metadata
        read static metadata without a build, and report what was built
    piptools.build:_create_project_builder(src_dir)
        build dynamic inputs with this Python and our pip
    piptools.scripts.compile:build_project_metadata(src_file)
        report inputs that had to be built
    piptools.build:StaticProjectMetadata
        know those from the others
    piptools.repositories.pypi:PyPIRepository._get_hashes_from_pypi(ireq)
        take the hashes that index pages publish
    piptools.repositories.pypi:PyPIRepository._get_matching_candidates(ireq)
        the very files that pip-tools hashes
    pip._internal.index.package_finder:PackageFinder.evaluate_links(link_evaluator links)
        for hashes, look only at files of the pinned version
    pip._internal.index.package_finder:parse_links
        parse each page once
    pip._internal.index.collector:LinkCollector.fetch_response(location)
        fetch each page once, and some ahead
    pip._internal.index.collector:_get_simple_response(url session)
        know which pages failed, and how: a failing index must fail the lock
    pip._internal.network.session:PipSession.is_secure_origin(location)
        know which indexes pip passes over

Those that only add comfort: without one, the report says less.

    pip._internal.network.session:PipSession.request
        what was asked for last, in a time-out
    pip._internal.req.req_file:get_file_content
        which remote requirements file failed
    pip._internal.resolution.resolvelib.factory:Factory.get_installation_error(e constraints)
        the demands of a conflict
    pip._internal.resolution.resolvelib.candidates:_InstallRequirementBackedCandidate._prepare
        which requirement failed, and why a version was passed over
    piptools.resolver:BacktrackingResolver._get_install_requirements(resolver_result)
        yanked pins, extras that do not exist, newer versions
    piptools.resolver:BacktrackingResolver.resolve_hashes
        when hashing begins
    pip._internal.exceptions:InstallationSubprocessError.__init__(output_lines)
        what a build printed
"""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from typing import Any, NamedTuple


class TouchPoint(NamedTuple):
    """A name inside pip or pip-tools: its module, its name there, the parameters that are used."""

    module: str
    name: str
    parameters: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"

    @property
    def holder(self) -> Any:
        """What it is an attribute of: the module, or a class in it."""
        found: Any = import_module(self.module)
        for part in self.name.split(".")[:-1]:
            found = getattr(found, part)
        return found

    def find(self) -> Any:
        """Return what the name stands for."""
        return getattr(self.holder, self.name.split(".")[-1])

    def replace(self, new: Any) -> None:
        """Put something else in its place."""
        setattr(self.holder, self.name.split(".")[-1], new)

    def fits(self) -> bool:
        """Return whether it is there, with its parameters."""
        try:
            found = self.find()
        except (ImportError, AttributeError):
            return False
        known = inspect.signature(found).parameters if self.parameters else ()
        return all(name in known for name in self.parameters)


def _read(text: str) -> tuple[TouchPoint, ...]:
    found = re.findall(r"^    ([\w.]+):([\w.]+)(?:\((.*)\))?$", text, re.MULTILINE)
    return tuple(TouchPoint(module, name, tuple(used.split())) for module, name, used in found)


NEEDED, COMFORT = map(_read, (__doc__ or "").split("Those that only add comfort"))


def find_missing() -> list[str]:
    """Return the touch points that a right lock needs and that are not there as they should be."""
    return [str(each) for each in NEEDED if not each.fits()]

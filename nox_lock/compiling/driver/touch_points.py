"""Every name inside pip and pip-tools that the driver reaches for, with what for.

Each was seen in pip 24.1 to 26.3 (from ``pip._internal`` where a dot comes first) with pip-tools
7.6.2. Those that a right lock needs: where one is missing, or takes other parameters, the driver
refuses to start, and says which.

    piptools.scripts.compile:cli.main  run pip-compile
    pip._vendor.packaging.markers:default_environment  the markers of the target
    .models.target_python:TargetPython.__init__(platforms py_version_info abis)  wheel tags
    .cli.req_command:RequirementCommand.make_resolver(py_version_info)  the target's Requires-Python
    .resolution.resolvelib.factory:Factory.get_wheel_cache_entry(link name)  none of another Python
    .resolution.resolvelib.factory:install_req_drop_extras(ireq)  what requires a path with extras
    .distributions.sdist:SourceDistribution.prepare_distribution_metadata  what is built
    piptools.build:_create_project_builder(src_dir)  build dynamic inputs with our pip
    piptools.build:StaticProjectMetadata  know those that are not dynamic
    piptools.scripts.compile:build_project_metadata(src_file)  report dynamic inputs
    piptools.repositories.pypi:PyPIRepository.get_hashes(ireq)  editables have none
    piptools.resolver:BacktrackingResolver.resolve(max_rounds)  not to resolve
    piptools.repositories.pypi:PyPIRepository._get_hashes_from_pypi(ireq)  hashes from pages
    piptools.repositories.pypi:PyPIRepository._get_matching_candidates(ireq)  what is hashed
    .index.package_finder:PackageFinder.evaluate_links(link_evaluator links)  of one version
    .index.package_finder:PackageFinder.find_all_candidates(project_name)  read pages alone
    .index.package_finder:parse_links  parse each page once
    .models.link:Link.from_json(file_data page_url)  sizes and times of files
    .index.collector:LinkCollector.fetch_response(location)  fetch each page once
    .index.collector:_get_simple_response(url session)  a failing index must fail the lock
    .network.session:PipSession.is_secure_origin(location)  and one that pip passes over, too

Those that only add comfort: without one, the report says less.

    .network.session:PipSession.request  what was asked for last, in a time-out
    .exceptions:InstallationSubprocessError.__init__(output_lines)  what a build printed
    .resolution.resolvelib.factory:Factory.get_installation_error(e constraints)  conflicts
    .resolution.resolvelib.candidates:_InstallRequirementBackedCandidate._prepare  what failed
    piptools.resolver:BacktrackingResolver._get_install_requirements(resolver_result)  yanked pins
"""

from __future__ import annotations

import inspect
import os
import platform
import re
import sys
import sysconfig
from functools import reduce
from importlib import import_module
from typing import Any, NamedTuple


class TouchPoint(NamedTuple):
    """A name inside pip or pip-tools: where it is, and the parameters that are used."""

    module: str
    name: str
    parameters: tuple[str, ...]

    def locate(self) -> tuple[Any, str]:
        """Return what has it as an attribute, and the name of that."""
        *path, last = self.name.split(".")
        return reduce(getattr, path, import_module(self.module, "pip._internal")), last

    def fits(self) -> bool:
        """Return whether it is there, with its parameters."""
        try:
            found = getattr(*self.locate())
        except (ImportError, AttributeError):
            return False
        known = inspect.signature(found).parameters if self.parameters else ()
        return all(name in known for name in self.parameters)


_LINE = re.compile(r"^    ([\w.]+):([\w.]+)(?:\((.*)\))?  \S", re.MULTILINE)
NEEDED, COMFORT = (
    [TouchPoint(module, name, tuple(used.split())) for module, name, used in _LINE.findall(text)]
    for text in (__doc__ or "").split("Those that only add comfort")
)


def examine() -> dict[str, Any]:
    """Return the needed touch points that are not as they should be, and what this Python is."""
    try:
        for name in ("ssl", "zlib", "venv"):  # without them a Python is no use, whatever pip it has
            import_module(name)
        known = "is not there as nox-lock knows it"
        missing = [f"{each.module}.{each.name} {known}" for each in NEEDED if not each.fits()]
    except Exception as error:  # noqa: BLE001  (whatever an unknown pip does when it is imported)
        missing = [f"{type(error).__name__}: {error}"]
    version = "{}.{}".format(*sys.version_info)
    threaded = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
    is_musl = "musl" in str(sysconfig.get_config_var("SOABI"))
    return {
        "unsupported": missing,
        "python": [version, sys.implementation.name, threaded, platform.machine().lower(), is_musl],
        # Of a virtual environment the base Python.
        "executable": os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable),
    }

"""How six real projects lay out their locks: the sets of the shared corpus.

`Layout.config` is all that nox-lock is told, beside a noxfile of two lines; `Layout.locks` says the
same lock files by hand.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from support.layout import CONSTRAINT, Layout, Lock

if TYPE_CHECKING:
    from collections.abc import Mapping


def _beside(folder: str, *stems: str, suffix: str = ".txt") -> tuple[Lock, ...]:
    """Return locks that stand beside their one input."""
    inputs = (posixpath.join(folder, stem) for stem in stems)
    return tuple(Lock(f"{path}-py{{python}}{suffix}", (f"{path}.in",)) for path in inputs)


_ON_RUNTIME = (f"{CONSTRAINT}requirements/runtime-deps-py{{python}}.txt",)
_AIOHTTP = Layout(
    "aio-libs__aiohttp",
    # runtime-deps asks for an older multidict than what the newest aiohttp takes.
    """\
[tool.nox-lock]
python = ["3.11", "3.12"]
generate-hashes = false
locks.constraints = { inputs = ["requirements/constraints.in"], unsafe-package = ["aiohttp"] }
locks.lint = { inputs = ["requirements/lint.in"], constraints = ["runtime-deps"] }
locks.multidict = { inputs = ["requirements/multidict.in"], constraints = ["runtime-deps"] }
locks.test-common-base.inputs = ["requirements/test-common-base.in"]
locks.test-common-base.constraints = ["runtime-deps"]
""",
    (
        *_beside("requirements", "base", "base-ft", "cython", "dev", "doc", "doc-spelling"),
        *_beside("requirements", "runtime-deps", "test", "test-common", "test-ft", "test-mobile"),
        *(
            Lock(f"requirements/{stem}-py{{python}}.txt", (f"requirements/{stem}.in",), _ON_RUNTIME)
            for stem in ("lint", "multidict", "test-common-base")
        ),
        Lock(
            "requirements/constraints-py{python}.txt",
            ("requirements/constraints.in",),
            ("--unsafe-package=aiohttp",),
        ),
    ),
)
_COVERAGE = Layout(
    "nedbat__coveragepy",
    """\
[tool.nox-lock]
python = ["3.11", "3.12"]
generate-hashes = false
lockfile = "requirements/{name}-py{python}.pip"
locks.doc = { inputs = ["doc/requirements.in"], lockfile = "doc/requirements-py{python}.pip" }
""",
    (
        *_beside("doc", "requirements", suffix=".pip"),
        *_beside("requirements", "dev", "kit", "light-threads", "mypy", suffix=".pip"),
        *_beside("requirements", "pip", "pytest", "tox", suffix=".pip"),
    ),
)
_FLASK = Layout(
    "pallets__flask",
    """\
[tool.nox-lock]
python = ["3.11", "3.12"]
generate-hashes = false
allow-unsafe = false
locks.main = { inputs = ["main/pyproject.toml"], extras = ["async", "dotenv"] }
""",
    (
        *_beside("requirements", "dev", "docs", "tests", "tests-pallets-min", "typing"),
        Lock(
            "main/requirements-main-py{python}.txt",
            ("main/pyproject.toml",),
            ("--extra=async", "--extra=dotenv"),
        ),
    ),
    options=("--strip-extras",),
    left_out={"requirements/tests-pallets-dev.in": "archives of a git host"},
)
_HASHED = ("--allow-unsafe", "--generate-hashes", "--strip-extras")
_MANYLINUX = Layout(
    "pypa__manylinux",
    """\
[tool.nox-lock]
python = ["3.11", "3.12"]
lockfile = "docker/build_scripts/{stem}{python}.txt"
locks.base-tools.inputs = ["requirements-base-tools.in"]
locks.base-tools.python = "3.12"
locks.base-tools.lockfile = "docker/build_scripts/{stem}.txt"
""",
    (
        Lock("docker/build_scripts/requirements{python}.txt", ("requirements.in",)),
        Lock("docker/build_scripts/requirements-tools{python}.txt", ("requirements-tools.in",)),
        Lock(
            "docker/build_scripts/requirements-base-tools.txt",
            ("requirements-base-tools.in",),
            pythons=("3.12",),
        ),
    ),
    _HASHED,
)
_PYTHON3 = "securedrop/requirements/python3"
_SECUREDROP = Layout(
    "freedomofpress__securedrop",
    f"""\
[tool.nox-lock]
python = ["3.11", "3.12"]
locks.admin.inputs = ["admin/requirements.in", "admin/requirements-ansible.in"]
locks.admin-dev.inputs = ["admin/requirements-dev.in"]
locks.admin-testinfra.inputs = ["admin/requirements-testinfra.in"]
locks.journalist_gui.inputs = ["journalist_gui/dev-requirements.in"]
locks.bootstrap.inputs = ["{_PYTHON3}/bootstrap-requirements.in"]
locks.requirements.inputs = ["{_PYTHON3}/requirements.in"]
locks.test.inputs = ["{_PYTHON3}/test-requirements.in"]
locks.translation.inputs = ["{_PYTHON3}/translation-requirements.in"]
""",
    (
        Lock(
            "admin/requirements-py{python}.txt",
            ("admin/requirements-ansible.in", "admin/requirements.in"),
        ),
        *_beside("admin", "requirements-dev", "requirements-testinfra"),
        *_beside("journalist_gui", "dev-requirements"),
        *_beside(_PYTHON3, "bootstrap-requirements", "requirements"),
        *_beside(_PYTHON3, "test-requirements", "translation-requirements"),
    ),
    _HASHED,
    left_out={
        f"{_PYTHON3}/requirements.in: mod_wsgi>=4.9.3": "does not build without Apache",
        f"{_PYTHON3}/develop-requirements.in": "its own row, without hashes",
    },
)
# pip walks back through hundreds of semgrep's releases of 50 MB: minutes, and gigabytes.
_DEVELOP = Layout(
    "freedomofpress__securedrop",
    f"""\
[tool.nox-lock]
python = ["3.11", "3.12"]
generate-hashes = false
locks.develop.inputs = ["{_PYTHON3}/develop-requirements.in"]
""",
    _beside(_PYTHON3, "develop-requirements"),
    left_out={"all but develop-requirements.in": "in the row of securedrop"},
    added={f"{_PYTHON3}/develop-requirements.in": ("-c develop-constraints.txt",)},
)
_UV_LOCK = "tests/uv/lock/testdata"
_MULTIPLE = "tests/multiple_inputs"
_TWO = f'"{_MULTIPLE}/requirements_1.in", "{_MULTIPLE}/requirements_2.in"'
_PROJECTS = f'"{_MULTIPLE}/a/pyproject.toml", "{_MULTIPLE}/b/pyproject.toml"'
_NAMED = f'lockfile = "{_MULTIPLE}/{{name}}_{{python}}.txt"'
_PUBLISH = 'lockfile = "tools/publish/requirements_{platform}_{python}.txt"'
_RULES_PYTHON = Layout(
    "bazelbuild__rules_python",
    f"""\
[tool.nox-lock]
python = ["3.11", "3.12"]
locks.docs = {{ inputs = ["docs/pyproject.toml"], lockfile = "docs/requirements-py{{python}}.txt" }}
locks.build_file_generation.inputs = ["examples/build_file_generation/requirements.in"]
locks.other_module.inputs = ["examples/bzlmod/other_module/requirements.in"]
locks.bzlmod_generation.inputs = ["examples/bzlmod_build_file_generation/requirements.in"]
locks.multi_versions.inputs = ["examples/multi_python_versions/requirements/requirements.in"]
locks.pip_parse.inputs = ["examples/pip_parse/requirements.in"]
locks.pip_parse_vendored.inputs = ["examples/pip_parse_vendored/requirements.in"]
locks.annotations.inputs = ["examples/pip_repository_annotations/requirements.in"]
locks.wheel.inputs = ["examples/wheel/requirements_server.in"]
locks.deprecated.inputs = ["tests/deprecated/requirements.in"]
locks.uv.inputs = ["{_UV_LOCK}/requirements.in"]
locks.bzlmod.inputs = ["examples/bzlmod/requirements.in"]
locks.bzlmod.lockfile = "examples/bzlmod/requirements_lock_{{python}}.txt"
locks.publish = {{ inputs = ["tools/publish/requirements.in"], platforms = ["linux"], {_PUBLISH} }}
locks.multiple_requirements_in = {{ inputs = [{_TWO}], {_NAMED} }}
locks.multiple_pyproject_toml = {{ inputs = [{_PROJECTS}], {_NAMED} }}
locks.multiple_inputs = {{ inputs = [{_TWO}, {_PROJECTS}], {_NAMED} }}
""",
    (
        Lock("docs/requirements-py{python}.txt", ("docs/pyproject.toml",)),
        *_beside("examples/build_file_generation", "requirements"),
        *_beside("examples/bzlmod/other_module", "requirements"),
        *_beside("examples/bzlmod_build_file_generation", "requirements"),
        *_beside("examples/multi_python_versions/requirements", "requirements"),
        *_beside("examples/pip_parse", "requirements"),
        *_beside("examples/pip_parse_vendored", "requirements"),
        *_beside("examples/pip_repository_annotations", "requirements"),
        *_beside("examples/wheel", "requirements_server"),
        *_beside("tests/deprecated", "requirements"),
        *_beside(_UV_LOCK, "requirements"),
        Lock(
            "examples/bzlmod/requirements_lock_{python}.txt",
            ("examples/bzlmod/requirements.in",),
        ),
        Lock(
            "tools/publish/requirements_linux_{python}.txt",
            ("tools/publish/requirements.in",),
        ),
        *(
            Lock(f"{_MULTIPLE}/{name}_{{python}}.txt", tuple(f"{_MULTIPLE}/{i}" for i in inputs))
            for name, inputs in {
                "multiple_requirements_in": ("requirements_1.in", "requirements_2.in"),
                "multiple_pyproject_toml": ("a/pyproject.toml", "b/pyproject.toml"),
                "multiple_inputs": (
                    *("requirements_1.in", "requirements_2.in"),
                    *("a/pyproject.toml", "b/pyproject.toml"),
                ),
            }.items()
        ),
    ),
    _HASHED,
    added={f"{_UV_LOCK}/requirements.in": ("-c constraints.txt", "-c constraints2.txt")},
)
LAYOUTS: Mapping[str, Layout] = {
    "aiohttp": _AIOHTTP,
    "coverage": _COVERAGE,
    "flask": _FLASK,
    "manylinux": _MANYLINUX,
    "securedrop": _SECUREDROP,
    "securedrop-develop": _DEVELOP,
    "rules_python": _RULES_PYTHON,
}

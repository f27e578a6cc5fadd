from __future__ import annotations

import importlib.metadata
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from support.index import LocalIndex
from support.prepared import Prepared
from support.project import Project, forget, is_ambient
from support.pythons import three_pythons, with_pythons
from support.warm_driver import use_warm_driver

if TYPE_CHECKING:
    from collections.abc import Iterator


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--run-long", action="store_true", help="run the tests marked `long` too")


def pytest_configure(config: pytest.Config) -> None:
    settings.register_profile("brief", max_examples=50)
    settings.register_profile("many", max_examples=1000)
    settings.load_profile("many" if config.getoption("--run-long") else "brief")
    # What runs in the background ignores Ctrl-C, and so would all that the tests start.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    use_warm_driver()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--run-long"):
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(pytest.mark.skip(reason="long: needs --run-long"))


def pytest_report_header() -> str:
    tools = ("nox", "pip", "pip-tools", "uv", "filelock", "packaging", "platformdirs", "virtualenv")
    found = {dist.name: dist.version for dist in importlib.metadata.distributions()}
    return "tools: " + ", ".join(f"{name} {found.get(name, '-')}" for name in tools)


@pytest.fixture(autouse=True)
def _isolation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if is_ambient(name):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("NOX_LOCK_CACHE_DIR", str(tmp_path / "home" / "nox-lock-cache"))
    forget()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def index(tmp_path: Path) -> Iterator[LocalIndex]:
    with LocalIndex(tmp_path / "index") as local:
        yield local


@pytest.fixture(scope="session")
def common(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all processes of a test run have in common."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session")
def seeds(common: Path) -> dict[str, str]:
    """Return the variables by which environments link to one unpacked pip, with its byte code.

    To unpack, copy and compile it takes seconds. `nox -s pips` chooses which pip it is.
    """
    found = {
        "VIRTUALENV_OVERRIDE_APP_DATA": str(common / "virtualenv"),
        "VIRTUALENV_SYMLINK_APP_DATA": "1",
    }
    if pip := os.environ.get("SEED_PIP"):
        found["VIRTUALENV_PIP"] = pip
        found["VIRTUALENV_EXTRA_SEARCH_DIR"] = os.environ["SEED_FOLDER"]
    return found


@pytest.fixture(scope="session")
def bytecode(common: Path) -> Path:
    """Return a folder for the byte code of other Pythons: to make it takes seconds."""
    folder = common / "bytecode"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def project(
    tmp_path: Path, home: Path, index: LocalIndex, seeds: dict[str, str]
) -> Iterator[Project]:
    local = Project(tmp_path / "project", home, index, seeds)
    yield local
    local.close()


@pytest.fixture
def pythons(project: Project, bytecode: Path) -> Project:
    """Return a project whose nox finds three Pythons."""
    kept = project.home / "nox-lock-cache" / "bytecode"
    if kept.exists():
        kept.rmdir()
    kept.parent.mkdir(exist_ok=True)
    with suppress(OSError):  # not everybody may, on Windows
        kept.symlink_to(bytecode, target_is_directory=True)
    project.env.update(with_pythons(three_pythons()))
    return project


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, seeds: dict[str, str]) -> Iterator[Prepared]:
    """Return an empty project and index, to be filled once for a module, and frozen."""
    with Prepared(tmp_path_factory.mktemp("prepared"), seeds) as made:
        yield made


@pytest.fixture(scope="session")
def shared() -> Path:
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip(f"no folder {folder} on this machine")
    return folder

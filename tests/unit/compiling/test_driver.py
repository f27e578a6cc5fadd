"""The driver: what it knows of pip and pip-tools, what it imports, how it ends, what it writes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from nox_lock.compiling import interpreters
from nox_lock.compiling.driver.touch_points import COMFORT, NEEDED, TouchPoint
from nox_lock.compiling.interpreters import DRIVER, closed_list, tool_versions
from nox_lock.errors import CompileError, NoxLockError
from support.compiles import CompileFolder
from support.doctored import doctor
from support.long import long
from support.offers import Offer
from support.scripted import NOT_FOUND, SILENT, ScriptedIndex
from support.sdists import project_files
from support.wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = "planted-in-a-url"  # noqa: S105


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScriptedIndex]:
    offer, files = Offer(), tmp_path_factory.mktemp("files")
    offer.add(build_wheel(files, "app", "1.0", requires=["dep[more]==1.0"]))
    offer.add(build_wheel(files, "dep", "1.0"), yanked="it deletes files")
    offer.add(build_wheel(files, "old", "1.0", requires=["dep<1"]))
    with ScriptedIndex(NOT_FOUND, offer.answers()) as scripted:
        yield scripted


@pytest.fixture
def folder(tmp_path: Path, index: ScriptedIndex) -> CompileFolder:
    return CompileFolder(tmp_path, index.url)


# Touch points


def test_each_touch_point_fits_the_installed_pip(tmp_path: Path) -> None:
    """Also those that only add comfort: where one is missing here, the report says less."""
    script = (
        "import json, sys\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "from driver.touch_points import COMFORT, NEEDED\n"
        "print(json.dumps([str(each) for each in (*NEEDED, *COMFORT) if not each.fits()]))\n"
    )
    command = [sys.executable, "-c", script, str(DRIVER.parent)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_list_of_touch_points_is_read() -> None:
    """They are a docstring: what is not read of it would never be looked for."""
    text = (DRIVER / "touch_points.py").read_text(encoding="utf-8").split('"""')[1]
    assert len(NEEDED) + len(COMFORT) == text.count("\n    ")
    assert len(COMFORT) == text.partition("Those that only add comfort")[2].count("\n    ")
    factory = ".resolution.resolvelib.factory"
    assert TouchPoint(factory, "Factory.get_wheel_cache_entry", ("link", "name")) in NEEDED


@pytest.mark.parametrize(
    ("point", "fits"),
    [
        (TouchPoint("shutil", "which", ()), True),
        (TouchPoint("shutil", "which", ("cmd", "path")), True),
        (TouchPoint("pathlib", "Path.read_text", ("encoding",)), True),
        (TouchPoint("no_such_module_at_all", "which", ()), False),
        (TouchPoint("shutil", "whither", ()), False),
        (TouchPoint("pathlib", "NoPath.read_text", ()), False),
        (TouchPoint("pathlib", "Path.read_words", ()), False),
        (TouchPoint("shutil", "which", ("command",)), False),
    ],
    ids=str,
)
def test_what_fits(point: TouchPoint, *, fits: bool) -> None:
    assert point.fits() is fits


def use(monkeypatch: pytest.MonkeyPatch, **folders: str) -> None:
    """Have compiles find packages in these folders instead."""
    monkeypatch.setattr(interpreters, "closed_list", lambda: closed_list() | folders)


FACTORY = "_internal/resolution/resolvelib/factory.py"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({FACTORY: {"get_wheel_cache_entry": "find_in_cache"}}, "Factory.get_wheel_cache_entry"),
        long({"_internal/models/target_python.py": {"abis": "kinds"}}, "TargetPython.__init__"),
        (
            {"_internal/index/collector.py": {"import email": "import no_such_module, email"}},
            " is not there as nox-lock knows it",
        ),
        long(
            {"_internal/index/collector.py": {"import email": "import email, in"}},
            "SyntaxError: invalid syntax",
        ),
    ],
    ids=["a name", "a parameter", "an import", "a syntax"],
)
def test_a_pip_that_is_not_supported(
    changes: dict[str, dict[str, str]],
    named: str,
    folder: CompileFolder,
    index: ScriptedIndex,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use(monkeypatch, pip=doctor(tmp_path / "doctored", "pip", changes))
    before = len(index.asked)
    said = folder.fail({"requirements.in": "app\n"})
    versions = "pip {1} with pip-tools {0}".format(*tool_versions())
    assert said.startswith(f"tool: {versions} is not supported: ")
    assert named in said
    assert 'Run: python -m pip install --upgrade "pip>=24.1,' in said
    assert len(index.asked) == before


COMFORTS = {
    "pip": {
        FACTORY: {"get_installation_error": "make_installation_error"},
        "_internal/resolution/resolvelib/resolver.py": {
            "get_installation_error": "make_installation_error"
        },
        "_internal/resolution/resolvelib/candidates.py": {"_prepare()": "_make()"}
        | {"_prepare(self)": "_make(self)"},
    },
    "piptools": {
        "resolver.py": {
            "_get_install_requirements": "_make_install_requirements",
            "resolve_hashes": "find_hashes",
        },
        "scripts/compile.py": {"resolve_hashes": "find_hashes"},
    },
}


def test_without_comfort_the_report_says_less(
    folder: CompileFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock is the same; what failed is said in pip's words."""
    folder.write({"requirements.in": "app\n"})
    whole = folder.run()
    assert len(whole.notes) == 2
    places = {name: doctor(tmp_path / name, name, made) for name, made in COMFORTS.items()}
    use(monkeypatch, **places)
    less = folder.run()
    assert less.body == whole.body
    assert less.notes == ()
    said = folder.fail({"requirements.in": "app\nold\n"})
    assert said.startswith("other: pip-tools failed: ")
    assert "ResolutionImpossible" in said
    assert "Traceback" not in said


# What it imports


def test_nothing_of_the_project_is_imported(folder: CompileFolder) -> None:
    """Whatever its folder holds, and whatever variables say."""
    names = ("pip", "piptools", "click", "json", "logging", "driver", "email", "sitecustomize")
    folder.write({f"{name}.py": "raise SystemExit('imported')\n" for name in names})
    folder.write({"build/__init__.py": "raise SystemExit('imported')\n"})
    folder.environ["PYTHONPATH"] = str(folder.root)
    folder.environ["PYTHONHOME"] = str(folder.root)
    folder.write({"requirements.in": "app\n"})
    assert [pin.shown for pin in folder.run().lock.pins] == ["app==1.0", "dep==1.0"]


def test_a_pip_tools_that_does_not_work(
    folder: CompileFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever becomes of it, it is said in one error, with what installs one that works."""
    broken = {"exceptions.py": {"import typing as t": "import typing as t; raise OSError('rust')"}}
    use(monkeypatch, click=doctor(tmp_path / "doctored", "click", broken))
    said = folder.fail({"requirements.in": "app\n"})
    assert said.startswith("tool: ")
    assert "is not supported: OSError: rust\n" in said
    assert "Run: python -m pip install --upgrade" in said


# How it ends

HANGS = """
    def requires():
        pathlib.Path(os.environ["PID_FILE"]).write_text(str(os.getpid()))
        import time
        time.sleep(600)
    """


def runs(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def assert_gone(noted: Path) -> None:
    pid = int(noted.read_text(encoding="utf-8"))
    until = time.monotonic() + 10
    while runs(pid) and time.monotonic() < until:  # the system takes a moment to clear it away
        time.sleep(0.02)
    assert not runs(pid)


@pytest.fixture
def hanging(folder: CompileFolder, tmp_path: Path) -> CompileFolder:
    """Return a folder with a project whose build does not end."""
    folder.environ["PID_FILE"] = str(tmp_path / "pid")
    folder.write({f"slow/{n}": text for n, text in project_files("slow", code=HANGS).items()})
    folder.write({"requirements.in": "./slow\n"})
    return folder


@pytest.mark.skipif(sys.platform == "win32", reason="signal 0 asks nothing there")
def test_it_ends_with_all_that_it_has_started(hanging: CompileFolder, tmp_path: Path) -> None:
    """When nox is ended, its end of the pipe closes."""
    ended: list[BaseException] = []

    def compile_it() -> None:
        try:
            hanging.run()
        except NoxLockError as error:
            ended.append(error)

    thread = threading.Thread(target=compile_it)
    thread.start()
    until = time.monotonic() + 60
    noted = tmp_path / "pid"
    while not (noted.exists() and noted.read_bytes()) and time.monotonic() < until:
        time.sleep(0.05)
    hanging.ended.set()
    thread.join(60)
    assert [str(error) for error in ended] == ["interrupted"]
    assert_gone(noted)
    with pytest.raises(NoxLockError, match="interrupted"):  # and none is started later
        hanging.run()


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="signal 0 asks nothing there")
def test_a_build_that_takes_too_long(hanging: CompileFolder, tmp_path: Path) -> None:
    """Without nox: by nox, it is robustness/test_deadline.py, for each change."""
    order = hanging.order()._replace(until=time.monotonic() + 6)
    said = hanging.fail(order=order)
    assert said.startswith("time-out: the compile took longer than 600 s and was ended")
    assert "; at last it built slow\n" in said
    assert "[tool.nox-lock] compile-timeout = SECONDS" in said
    assert str(tmp_path) not in said
    assert_gone(tmp_path / "pid")


# What it writes


def test_no_secret_is_written(folder: CompileFolder, index: ScriptedIndex) -> None:
    """Neither in the report nor in what is noted while it works; not in an error, either."""
    extra = index.url.replace("://", f"://user:{SECRET}@")
    folder.environ["PIP_EXTRA_INDEX_URL"] = f"{extra} {extra}gone/"
    folder.write({"requirements.in": "app\n"})
    assert SECRET not in folder.run().body
    assert_not_written(SECRET, folder.workshop)
    with ScriptedIndex(SILENT) as silent:
        folder.environ["PIP_INDEX_URL"] = silent.url.replace("://", f"://{SECRET}@")
        folder.environ["PIP_DEFAULT_TIMEOUT"] = "1"
        said = folder.fail({"requirements.in": "app==99\n"})
        assert f"{silent.url.rstrip('/')}: it did not answer in time" in said
    assert SECRET not in said
    assert_not_written(SECRET, folder.workshop)


def assert_not_written(secret: str, workshop: Path) -> None:
    files = [path for path in workshop.rglob("*") if path.is_file()]
    assert {"order.json", "report.json", "begun.txt"} <= {path.name for path in files}
    for path in files:
        assert secret.encode() not in path.read_bytes(), path.name


def test_a_report_is_whole_or_none(folder: CompileFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python that dies on the way leaves none: what it printed last is said."""
    script = "import sys; print('Fatal Python error: no stack'); sys.exit(3)"
    (folder.root / "driver").mkdir()
    (folder.root / "driver" / "__main__.py").write_text(script, encoding="utf-8")
    monkeypatch.setattr(interpreters, "DRIVER", folder.root / "driver")
    folder.write({"requirements.in": "app\n"})
    with pytest.raises(CompileError) as raised:
        folder.run()
    assert raised.value.kind == "tool"
    assert "Fatal Python error: no stack" in raised.value.message

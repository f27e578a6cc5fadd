"""What a compile starts from, and what it is given."""

from __future__ import annotations

import time
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, cast

import pytest

from nox_lock.compiling.failures import Report
from nox_lock.compiling.interpreters import Interpreter
from nox_lock.compiling.pip_tools import InputCopies, copy_inputs, find_notes, relative_paths
from nox_lock.inputs.requirements import Files, read_inputs
from nox_lock.lockfile.lock_file import Pin
from nox_lock.locking.options import CompileOptions
from nox_lock.project import Project
from nox_lock.target import Target, running_target
from support.compiles import CompileFolder
from support.offers import Offer
from support.scripted import NOT_FOUND, ScriptedIndex
from support.wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

OLD = "app==1.0\ndep==1.0\nlib==1.0"
LONGEST = 2.0  # seconds, for half a million lines


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScriptedIndex]:
    offer, files = Offer(), tmp_path_factory.mktemp("files")
    for version in ("1.0", "2.0"):
        offer.add(build_wheel(files, "app", version, requires=["dep"]))
        offer.add(build_wheel(files, "dep", version))
    for version in ("1.0", "2.0", "3.0"):
        offer.add(build_wheel(files, "lib", version))
    offer.add(build_wheel(files, "new", "1.0", requires=["dep"]))
    with ScriptedIndex(NOT_FOUND, offer.answers()) as scripted:
        yield scripted


@pytest.fixture
def folder(tmp_path: Path, index: ScriptedIndex) -> CompileFolder:
    return CompileFolder(tmp_path, index.url)


def pins(folder: CompileFolder, options: CompileOptions | None = None) -> list[str]:
    return [pin.shown for pin in folder.resolve(options).lock.pins]


@pytest.mark.parametrize(
    ("inputs", "options", "expected"),
    [
        # Old pins stay where they hold, and get their hashes.
        ("app\nlib\n", CompileOptions(), ["app==1.0", "dep==1.0", "lib==1.0"]),
        # What is added moves nothing.
        pytest.param(
            "app\nnew\n",
            CompileOptions(),
            ["app==1.0", "dep==1.0", "new==1.0"],
            marks=pytest.mark.long,
        ),
        # What an input forces to move moves alone.
        ("app\nlib>1\n", CompileOptions(), ["app==1.0", "dep==1.0", "lib==3.0"]),
        pytest.param(
            "app\nlib\n",
            CompileOptions(upgrade=True),
            ["app==2.0", "dep==2.0", "lib==3.0"],
            marks=pytest.mark.long,
        ),
        pytest.param(
            "app\nlib\n",
            CompileOptions(upgrade_package=("lib<3",)),
            ["app==1.0", "dep==1.0", "lib==2.0"],
            marks=pytest.mark.long,
        ),
    ],
    ids=["kept", "added", "forced", "all", "one"],
)
def test_what_a_compile_starts_from(
    inputs: str, options: CompileOptions, expected: list[str], folder: CompileFolder
) -> None:
    folder.write({"requirements.in": inputs})
    folder.write_lock(OLD)
    compiled = folder.resolve(options)
    assert [pin.shown for pin in compiled.lock.pins] == expected
    assert all(pin.hashes for pin in compiled.lock.pins)


def test_old_pins_of_another_python_let_go(tmp_path: Path) -> None:
    """A folder says no Python of its files; pip names the one, not the pin that leads to it."""
    wheels = tmp_path / "wheels"
    build_wheel(wheels, "app", "1.0", requires=["dep<2"])
    build_wheel(wheels, "app", "2.0", requires=["dep>=2"], requires_python=">=3.99")
    build_wheel(wheels, "dep", "1.0")
    build_wheel(wheels, "dep", "2.0")
    folder = CompileFolder(tmp_path)
    folder.write({"requirements.in": f"--no-index\n--find-links {wheels}\napp\n"})
    folder.write_lock("app==2.0\ndep==2.0")
    assert pins(folder) == ["app==1.0", "dep==1.0"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("-e file:///home/me/project/lib", "-e ./lib"),
        ("-e file:///home/me/project", "-e ."),
        ("file:///home/me/project/lib", "./lib"),
        ("lib @ file:///home/me/project/my%20lib", "lib @ file:./my%20lib"),
        ("lib @ file:///home/me/a.whl ; os_name == 'nt'", "lib @ file:../a.whl ; os_name == 'nt'"),
        ("lib==1.0  # file:///home/me/project", "lib==1.0  # file:///home/me/project"),
        ("lib @ https://host.example/lib.whl", "lib @ https://host.example/lib.whl"),
    ],
)
def test_paths_are_as_from_the_project(line: str, expected: str) -> None:
    via = "\n    # via -r requirements.in"
    assert relative_paths(line + via, Path("/home/me/project")) == expected + via


# What a person should know of it


@pytest.mark.parametrize(
    ("line", "copied"),
    [
        ("lib @ file:lib", "lib @ {}/lib"),
        ("-e  =  file:lib", "-e  =  {}/lib"),
        ("--editable\tfile:lib", "--editable\t{}/lib"),
        ("lib @ file:/lib", "lib @ file:/lib"),
        ("# file:lib", "# file:lib"),
        ("\n" * 500_000 + "file:lib", "\n" * 500_000 + "{}/lib"),
        ("@ " * 100_000 + "x", "@ " * 100_000 + "x"),
    ],
)
def test_a_relative_url_leads_from_a_copy_to_the_project(
    tmp_path: Path, line: str, copied: str
) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "pyproject.toml").write_text("[project]\nname = 'lib'\nversion = '1'\n")
    (tmp_path / "requirements.in").write_text("./lib\n", encoding="utf-8")
    project = Project(tmp_path, {})
    inputs = read_inputs(["requirements.in"], Files(project))
    (tmp_path / "requirements.in").write_text(f"{line}\n", encoding="utf-8")
    began = time.process_time()
    made = copy_inputs(inputs, tmp_path, tmp_path / "private").paths["requirements.in"]
    assert time.process_time() - began < LONGEST
    expected = copied.replace("{}", tmp_path.as_uri())
    assert made.read_text("utf-8-sig") == f"{expected}\n"


def test_what_pip_only_warns_of(tmp_path: Path) -> None:
    offer, files = Offer(), tmp_path / "files"
    offer.add(build_wheel(files, "app", "1.0", requires=["dep[none]"], extras={"known": ["lib"]}))
    offer.add(build_wheel(files, "dep", "1.0"))
    offer.add(build_wheel(files, "lib", "1.0"))
    offer.add(build_wheel(files, "old", "1.0"), yanked="it deletes files")
    offer.add(build_wheel(files, "older", "0.9"), yanked="")
    offer.add(build_wheel(files, "asks", "1.0", requires=["older==0.9"]))
    with ScriptedIndex(NOT_FOUND, offer.answers()) as index:
        folder = CompileFolder(tmp_path, index.url)
        folder.write(
            {
                "requirements.in": "asks\nold==1.0\napp[known,un_known]\n",
                "pyproject.toml": """
                    [project]
                    name = "mine"
                    version = "1.0"
                    requires-python = ">=3.99"
                    [tool.nox-lock.locks.requirements]
                    inputs = ["requirements.in", "pyproject.toml"]
                    """,
            }
        )
        compiled = folder.run()
    assert sorted(compiled.notes) == [
        "app 1.0 does not provide the extra 'un-known' (requirements.in:3)",
        "dep 1.0 does not provide the extra 'none'",
        "old==1.0 was withdrawn (yanked): it deletes files (requirements.in:2)",
        "older==0.9 was withdrawn (yanked)",
        f"the project wants Python >=3.99 (pyproject.toml:4), not {running_target()}",
    ]


def test_who_built_what(tmp_path: Path) -> None:
    """Of all that was built on the way, only what is pinned."""
    folder = CompileFolder(tmp_path)
    folder.write({"requirements.in": "app\n"})
    order = folder.order()
    report = Report(
        built=[("app", "1.0"), ("app", "0.9"), ("lib", "2.0"), ("app", "1.0")],
        built_projects=["pyproject.toml"],
    )
    foreign = Interpreter("python", Target("3.10"), "Python 3.10 on linux")
    by_version = [Pin("app", "1.0", None, 1), Pin("lib", "1.0", None, 2)]

    def notes(*pins: Pin) -> list[str]:
        built_by = order._replace(python=foreign)
        return [each.partition(": ")[2] for each in find_notes(report, built_by, pins)]

    assert notes(*by_version) == ["app==1.0, pyproject.toml"]
    # One that is named by a URL or a folder has whichever version it has.
    assert notes(Pin("lib", None, "./lib", 1)) == ["lib==2.0, pyproject.toml"]
    assert notes(Pin(None, None, "./app", 1)) == ["app==1.0, app==0.9, lib==2.0, pyproject.toml"]
    assert list(find_notes(report, order, by_version)) == []


def test_a_place_in_a_private_folder_of_windows_is_not_shown() -> None:
    """pip-tools writes its paths with slashes into the notes of pins."""
    folder = PureWindowsPath(r"C:\Users\me\Cache\x1")
    written, copied = folder / "written-0.in", folder / "inputs" / "project" / "dev.in"
    paths = {"the group a": cast("Path", written), "dev.in": cast("Path", copied)}
    copies = InputCopies((), paths, Path("/project"), cast("Path", folder))
    text = f"# via\n#   -r {copied.as_posix()}\n#   -r {written.as_posix()}\n"
    assert copies.show(text) == "# via\n#   -r dev.in\n#   the group a\n"

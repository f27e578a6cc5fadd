"""Lock files for named platforms and patch releases, made on this machine, by real nox."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from nox_lock.target import running_platform
from support.locks import pins
from support.pythons import HERE

if TYPE_CHECKING:
    from support.index import LocalIndex
    from support.project import Project

NOXFILE = """
import nox_lock

nox_lock.add_sessions()


@nox_lock.session(lock="requirements")
def tests(session):
    session.run("python", "-c", "import app")
"""
SHORT = HERE.replace(".", "")
WHEELS = {
    "manylinux_2_28_x86_64": "linux",
    "manylinux_2_17_aarch64.manylinux2014_aarch64": "linux-aarch64",
    "musllinux_1_2_x86_64": "musllinux",
    "macosx_11_0_arm64": "darwin",
    "macosx_10_9_x86_64": "darwin-x86_64",
    "win_amd64": "win32",
    "win_arm64": "win32-arm64",
}


def table(text: str) -> str:
    return f"[tool.nox-lock]\n{text}\n"


@pytest.fixture
def local(project: Project) -> Project:
    project.write("noxfile.py", NOXFILE)
    project.write("requirements.in", "app\n")
    return project


@pytest.mark.parametrize(
    "platforms",
    [
        # Of the others, `test_a_target` of `test_markers_and_tags` is sooner.
        ["linux", "musllinux", "darwin-x86_64", "win32"],
        pytest.param([*WHEELS.values()], marks=pytest.mark.long),
    ],
    ids=len,
)
def test_each_platform_gets_what_it_can_take(
    platforms: list[str], local: Project, index: LocalIndex
) -> None:
    """Each has a newest version of its own, and markers of its own; what is pure is for all."""
    markers = ["nt ; os_name == 'nt'", "apple ; sys_platform == 'darwin'"]
    markers += ["arm ; platform_machine == 'aarch64' or platform_machine == 'arm64'"]
    index.publish("app", "1.0", requires=["compiled", *markers])
    for name in ("nt", "apple", "arm"):
        index.publish(name, "1.0")
    for number, tag in enumerate(WHEELS, start=1):
        index.publish("compiled", f"{number}.0", tag=f"cp{SHORT}-cp{SHORT}-{tag}")
    local.write("pyproject.toml", table(f"platforms = {platforms}"))
    run = local.nox("-s", "lock").ok()
    assert run.output.count("compiled in") == len(platforms)
    more = {
        "darwin": ("apple", "arm"),
        "darwin-x86_64": ("apple",),
        "linux-aarch64": ("arm",),
        "win32": ("nt",),
        "win32-arm64": ("nt",),
    }
    newest = {name: f"{number}.0" for number, name in enumerate(WHEELS.values(), start=1)}
    for name in platforms:
        found = pins(local.read(f"requirements-{name}.txt"))
        assert found == {
            "app": "1.0",
            "compiled": newest[name],
            **dict.fromkeys(more.get(name, ()), "1.0"),
        }, name
    local.nox("-s", "lock-check").ok()


def test_levels(local: Project, index: LocalIndex) -> None:
    """Wheels that need a newer glibc or macOS than the level are passed over."""
    for version, linux, darwin in (("1.0", "2_17", "12_0"), ("2.0", "2_28", "14_0")):
        for tag in (f"manylinux_{linux}_x86_64", f"macosx_{darwin}_arm64"):
            index.publish("app", version, tag=f"py3-none-{tag}")
    index.publish("app", "3.0", tag="py3-none-manylinux_2_34_x86_64")
    index.publish("app", "3.0", tag="py3-none-macosx_15_0_arm64")
    platforms = "platforms = ['linux', 'darwin']\n"
    for levels, version in (
        ("", "2.0"),
        ("manylinux = '2.17'\nmacos = '12.0'", "1.0"),
        ("manylinux = '2.34'\nmacos = '15.0'", "3.0"),
    ):
        local.write("pyproject.toml", table(platforms + levels))
        if levels:
            run = local.nox("-s", "lock-check").failed()
            assert "it was locked without the levels" in run.output
        local.nox("-s", "lock", "--", "-U").ok()
        for name in ("linux", "darwin"):
            assert pins(local.read(f"requirements-{name}.txt")) == {"app": version}, levels
    local.write("pyproject.toml", table(f"{platforms}manylinux = '2014'"))
    run = local.nox("-s", "lock-check").failed()
    said = "pyproject.toml:3: `tool.nox-lock.manylinux`: '2014' is not a version of glibc"
    assert said in run.output


def test_only_some(local: Project, index: LocalIndex) -> None:
    """`--platform` limits a lock and a check; one that is not there is named."""
    index.publish("app", "1.0")
    local.write("pyproject.toml", table("platforms = ['linux', 'darwin', 'win32']"))
    local.nox("-s", "lock", "--", "--platform", "darwin").ok()
    made = {path for path in local.snapshot() if path.endswith(".txt")}
    assert made == {"requirements-darwin.txt"}
    local.nox("-s", "lock-check", "--", "--platform", "darwin").ok()
    assert "2 missing" in local.nox("-s", "lock-check").failed().output
    run = local.nox("-s", "lock", "--", "--platform", "windows").failed()
    assert "no lock is for the platform 'windows'; did you mean 'win32'?" in run.output
    assert "There are: linux, darwin, win32" in run.output


@pytest.mark.skipif(str(running_platform()) != "linux-x86_64", reason="for that platform")
def test_a_session_takes_the_file_of_its_machine(local: Project, index: LocalIndex) -> None:
    """The one with its machine before the one without; relocked where it is stale."""
    index.publish("app", "1.0")
    local.write("pyproject.toml", table("platforms = ['linux-aarch64', 'linux-x86_64', 'darwin']"))
    run = local.nox("-s", "tests").ok()
    assert "requirements-linux-x86_64.txt: compiling" in run.output
    assert {path for path in local.snapshot() if path.endswith(".txt")} == {
        "requirements-linux-x86_64.txt"
    }
    local.write("pyproject.toml", table("platforms = ['musllinux', 'linux']"))
    assert "requirements-linux.txt: compiling" in local.nox("-s", "tests").ok().output


def test_a_deep_check_is_for_each_platform(local: Project, index: LocalIndex) -> None:
    index.publish("app", "1.0", tag="py3-none-win_amd64")
    index.publish("app", "0.9", tag="py3-none-macosx_11_0_arm64")
    local.write("pyproject.toml", table("platforms = ['win32', 'darwin']"))
    local.nox("-s", "lock").ok()
    index.unpublish("app", "0.9")
    run = local.nox("-s", "lock-check", "--", "--deep").failed()
    assert "requirements-win32.txt: fresh" in run.output
    assert "requirements-darwin.txt: stale" in run.output
    assert "it can no longer be resolved" in run.output
    local.nox("-s", "lock-check", "--", "--deep", "--platform", "win32").ok()


# Patch releases

OLDEST, NEWEST = f"{HERE}.0", f"{HERE}.99"


def test_a_python_is_its_newest_patch_release(local: Project, index: LocalIndex) -> None:
    """Whichever runs: what an older one needs is not pinned, unless the lock is for that."""
    index.publish("app", "1.0", requires=[f"old ; python_full_version < '{HERE}.50'"])
    index.publish("app", "2.0", requires_python=f">={HERE}.50")
    index.publish("old", "1.0")
    local.nox("-s", "lock").ok()
    assert pins(local.read("requirements.txt")) == {"app": "2.0"}
    local.write("pyproject.toml", table(f"python = '{OLDEST}'"))
    run = local.nox("-s", "lock-check").failed()
    assert f"it was locked without the patch release {OLDEST}" in run.output
    local.nox("-s", "lock", "--", "-U").ok()
    assert pins(local.read("requirements.txt")) == {"app": "1.0", "old": "1.0"}
    assert f"with Python {HERE}\n" in local.read("requirements.txt")
    run = local.nox("-s", "tests").ok()
    assert "compiling" not in run.output
    local.write("pyproject.toml", table(f"python = ['{HERE}', '{OLDEST}']"))
    run = local.nox("-s", "lock-check").failed()
    assert "`tool.nox-lock.python`: one X.Y is named with two patch releases" in run.output


@pytest.mark.skipif(sys.version_info[2] >= 50, reason="this is a newer patch release")
def test_a_session_on_an_older_patch_release(local: Project, index: LocalIndex) -> None:
    """It says which release it runs on, and what to write; then it passes."""
    index.publish("app", "1.0", requires=[f"old ; python_full_version < '{HERE}.50'"])
    index.publish("old", "1.0")
    local.nox("-s", "lock").ok()
    run = local.nox("-s", "tests").failed()
    here = "{}.{}.{}".format(*sys.version_info)
    assert "app 1.0 needs old, which is not installed" in run.output
    assert f"This session runs Python {here}, and the lock is for a later patch" in run.output
    line = f'python = ["{here}"]'
    assert f"[tool.nox-lock] {line}" in run.output
    local.write("pyproject.toml", table(line))
    local.nox("-s", "lock", "tests").ok()
    assert local.venv_versions("tests")["old"] == "1.0"


def test_a_project_for_other_pythons(local: Project, index: LocalIndex) -> None:
    """Its own `requires-python` is for a note alone, as pip-compile ignores it."""
    index.publish("app", "1.0")
    project = '[project]\nname = "mine"\ndependencies = ["app"]\nrequires-python = ">=3.98"\n'
    local.write("pyproject.toml", project + table(""))
    (local.root / "requirements.in").unlink()
    run = local.nox("-s", "lock").ok()
    assert "the project wants Python >=3.98 (pyproject.toml:4)" in run.output
    (local.root / "requirements.txt").unlink()
    run = local.nox("-s", "lock").ok()
    assert "restored from the cache" in run.output
    assert "the project wants Python >=3.98 (pyproject.toml:4)" in run.output

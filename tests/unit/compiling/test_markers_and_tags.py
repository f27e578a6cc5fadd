"""Markers, wheel tags and Requires-Python are those of the target, whichever Python runs it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from nox_lock.target import running_platform
from support.compiles import CompileFolder
from support.offers import Offer
from support.pythons import HERE
from support.scripted import NOT_FOUND, ScriptedIndex
from support.wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# What a wheel is for, by the version that it alone has: the newest that fits is taken.
WHEELS = {
    "1.0": "py3-none-any",
    "2.0": "cp39-cp39-manylinux_2_17_aarch64.manylinux2014_aarch64",
    "3.0": "cp39-cp39-manylinux_2_28_aarch64",
    "4.0": "cp39-cp39-manylinux_2_31_aarch64",
    "5.0": "cp312-cp312-win_amd64",
    "6.0": "cp312-abi3-win_arm64",
    "7.0": "cp311-abi3-macosx_11_0_arm64",
    "8.0": "cp313-cp313t-macosx_14_0_arm64",
    "9.0": "cp313-cp313-macosx_15_0_arm64",
    "10.0": "cp313-cp313-macosx_13_0_x86_64",
    "11.0": "cp313-none-musllinux_1_2_x86_64",
    "12.0": "cp37-abi3-musllinux_1_3_x86_64",
    "13.0": f"cp{HERE.replace('.', '')}-none-linux_s390x",
}
MARKERS = {
    "windows": "sys_platform == 'win32' and os_name == 'nt' and platform_system == 'Windows'",
    "mac": "sys_platform == 'darwin' and os_name == 'posix' and platform_system == 'Darwin'",
    "linux": "sys_platform == 'linux' and os_name == 'posix' and platform_system == 'Linux'",
    "arm": "platform_machine == 'arm64' or platform_machine == 'aarch64'",
    "amd": "platform_machine == 'AMD64'",
    "old": "python_version < '3.10'",
    "patched": "python_full_version >= '3.9.50' and implementation_version >= '3.9.50'",
    "first": "python_full_version == '3.12.1'",
    "usual": "implementation_name == 'cpython' and platform_python_implementation == 'CPython'",
    "released": "platform_release != ''",
}
INPUT = "lib\nwheel\n" + "".join(f"{name}; {marker}\n" for name, marker in MARKERS.items())


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScriptedIndex]:
    offer, files = Offer(), tmp_path_factory.mktemp("files")
    offer.add(build_wheel(files, "lib", "1.0"))
    # Some pages say for which Pythons a file is, others leave it to its metadata.
    offer.add(build_wheel(files, "lib", "2.0", requires_python=">=3.12.1"))
    offer.add(build_wheel(files, "lib", "3.0", requires_python=">=3.13"), python=">=3.13")
    offer.add(build_wheel(files, "lib", "4.0"), python="<3.9.50")
    for version, tag in WHEELS.items():
        path = build_wheel(files, "wheel", version)
        offer.add(path.rename(path.with_name(path.name.replace("py3-none-any", tag))))
    for name in MARKERS:
        offer.add(build_wheel(files, name, "1.0"))
    with ScriptedIndex(NOT_FOUND, offer.answers()) as scripted:
        yield scripted


def lock_for(folder: CompileFolder, table: str) -> list[str]:
    """Return the pins for a target, those by marker without their version."""
    folder.hide_pythons()
    folder.write({"pyproject.toml": f"[tool.nox-lock]\n{table}", "requirements.in": INPUT})
    pins = [pin.shown for pin in folder.run().lock.pins]
    return [pin.partition("==")[0] if pin.partition("==")[0] in MARKERS else pin for pin in pins]


@pytest.mark.parametrize(
    ("table", "pins"),
    [
        pytest.param(
            'python = "3.9"\nplatforms = ["linux-aarch64"]\n',
            ["arm", "lib==1.0", "linux", "old", "patched", "usual", "wheel==3.0"],
            marks=pytest.mark.long,
        ),
        (
            'python = "3.9.2"\nplatforms = ["linux-aarch64"]\nmanylinux = "2.17"\n',
            ["arm", "lib==4.0", "linux", "old", "usual", "wheel==2.0"],
        ),
        pytest.param(
            'python = "3.12"\nplatforms = ["win32"]\n',
            ["amd", "lib==2.0", "patched", "usual", "wheel==5.0", "windows"],
            marks=pytest.mark.long,
        ),
        (
            'python = "3.12.1"\nplatforms = ["win32-arm64"]\n',
            ["first", "lib==2.0", "patched", "usual", "wheel==6.0", "windows"],
        ),
        (
            'python = "3.13"\nplatforms = ["darwin"]\n',
            ["arm", "lib==3.0", "mac", "patched", "usual", "wheel==7.0"],
        ),
        pytest.param(
            'python = "3.13"\nplatforms = ["darwin-x86_64"]\n',
            ["lib==3.0", "mac", "patched", "usual", "wheel==10.0"],
            marks=pytest.mark.long,
        ),
        pytest.param(
            'python = "3.13"\nplatforms = ["musllinux"]\n',
            ["lib==3.0", "linux", "patched", "usual", "wheel==11.0"],
            marks=pytest.mark.long,
        ),
    ],
    ids=["linux", "an older one", "windows", "its first patch", "mac", "its other", "musl"],
)
def test_a_target(table: str, pins: list[str], tmp_path: Path, index: ScriptedIndex) -> None:
    assert lock_for(CompileFolder(tmp_path, index.url), table) == pins


@pytest.mark.skipif(sys.platform != "linux", reason="the tags of another system differ")
def test_without_a_platform_it_is_this_machine(tmp_path: Path, index: ScriptedIndex) -> None:
    """Its markers and its tags, but for those of the Python."""
    pins = lock_for(CompileFolder(tmp_path, index.url), 'python = "3.99"\n')
    arm = ["arm"] if running_platform().machine == "aarch64" else []
    assert pins == [*arm, "lib==3.0", "linux", "patched", "released", "usual", "wheel==1.0"]

"""Pythons and platforms: how they are written, found in environments, and put into markers."""

from __future__ import annotations

import sys
from typing import cast

import pytest
from packaging.markers import Marker, default_environment

from nox_lock.errors import ConfigError
from nox_lock.target import (
    Platform,
    Target,
    holds,
    parse_platform,
    parse_target,
    running_platform,
    running_target,
)

LINUX = Platform("linux", "x86_64")


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("3.11", Target("3.11")),
        ("3.9", Target("3.9")),
        (" 3.11 ", Target("3.11")),
        ("3.11.7", Target("3.11")),
        ("python3.11", Target("3.11")),
        ("Python3.11", Target("3.11")),
        ("cpython3.11", Target("3.11")),
        ("pypy3.10", Target("3.10", "pypy")),
        ("pypy-3.10", Target("3.10", "pypy")),
        ("3.13t", Target("3.13", threaded=True)),
        ("python3.14t", Target("3.14", threaded=True)),
    ],
)
def test_targets_are_read(text: str, target: Target) -> None:
    assert parse_target(text) == target
    assert parse_target(str(target)) == target


@pytest.mark.parametrize(
    "text", ["", "3", "latest", "3.x", ">=3.11", "3.11-dev", "/usr/bin/python3.11", "3.11 3.12"]
)
def test_what_names_no_python_is_refused(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_target(text)
    assert repr(text) in str(caught.value)


def test_the_running_python() -> None:
    assert running_target().version == "{}.{}".format(*sys.version_info)
    assert running_target().implementation == sys.implementation.name
    assert parse_platform(str(running_platform())) == running_platform()
    assert parse_platform("linux-x86_64") == LINUX
    assert parse_platform("macosx-arm-64") == Platform("macosx", "arm-64")


# Markers


@pytest.mark.parametrize(
    ("marker", "expected"),
    [
        ("python_version >= '3.10'", True),
        ("python_version < '3.10'", False),
        ("python_version < '3.9'", False),
        ("python_full_version >= '3.11.0'", True),
        ("python_full_version >= '3.11.1'", None),
        ("python_full_version < '3.11.4'", None),
        ("python_full_version < '3.12'", True),
        ("python_full_version == '3.11.3'", None),
        ("implementation_version >= '3.11.5'", None),
        ("sys_platform == 'linux'", True),
        ("sys_platform == 'win32'", False),
        ("platform_system == 'Linux'", True),
        ("platform_system != 'Windows'", True),
        ("os_name == 'posix'", True),
        ("platform_machine == 'x86_64'", True),
        ("platform_machine == 'arm64'", False),
        ("implementation_name == 'cpython'", True),
        ("platform_python_implementation == 'CPython'", True),
        ("platform_python_implementation == 'PyPy'", False),
        ("extra == 'x'", False),
        ("platform_release >= '5'", None),
        ("platform_version == 'whatever'", None),
        ("sys_platform == 'linux' and python_version > '3'", True),
    ],
)
def test_markers_hold_for_a_target(marker: str, expected: object) -> None:
    assert holds(Marker(marker), Target("3.11"), LINUX) is expected


@pytest.mark.parametrize(
    ("marker", "platform", "expected"),
    [
        ("sys_platform == 'win32'", "win32-amd64", True),
        ("os_name == 'nt'", "win32-amd64", True),
        ("platform_system == 'Windows'", "win32-amd64", True),
        ("platform_machine == 'AMD64'", "win32-amd64", True),
        ("platform_system == 'Darwin'", "darwin-arm64", True),
        ("os_name == 'posix'", "darwin-arm64", True),
        ("platform_machine == 'arm64'", "darwin-arm64", True),
        ("sys_platform == 'linux'", "darwin-arm64", False),
    ],
)
def test_markers_hold_for_a_platform(marker: str, platform: str, *, expected: bool) -> None:
    assert holds(Marker(marker), Target("3.11"), parse_platform(platform)) is expected


def test_markers_hold_for_an_implementation() -> None:
    target = Target("3.10", "pypy")
    assert holds(Marker("platform_python_implementation == 'PyPy'"), target, LINUX)
    assert holds(Marker("implementation_name == 'pypy'"), target, LINUX)
    assert holds(None, target, LINUX)


def test_here_markers_are_what_pip_has() -> None:
    here = cast("dict[str, str]", default_environment())
    for name in ("os_name", "sys_platform", "platform_system", "platform_machine"):
        marker = Marker(f"{name} == '{here[name]}'")
        assert holds(marker, running_target(), running_platform()), name
    for name in ("implementation_name", "platform_python_implementation", "python_version"):
        marker = Marker(f"{name} == '{here[name]}'")
        assert holds(marker, running_target(), running_platform()), name

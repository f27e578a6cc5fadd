"""Which of the user's pip settings a compile sees."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from nox_lock.compiling.index_settings import (
    index_identity,
    module_command,
    parse_index_settings,
    pip_environment,
    read_index_settings,
    refuse_broken,
    uv_environment,
)
from nox_lock.errors import ConfigError, ToolchainError
from support.project import clean_environment

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """\
[global]
index_url = https://user:secret@main.example/simple
extra-index-url =
    https://one.example/simple
    https://two.example/simple
timeout = 7
no-color = true
pre = yes
[install]
only-binary = :all:
timeout = 9
no-binary =
[list]
format = json
index-url = https://wrong.example
[download]
proxy = http://wrong.example
"""


def machine(home: Path, **extra: str) -> dict[str, str]:
    """Return an environment with no setting of pip but these."""
    environ = clean_environment(home, **extra)
    for name in ("PIP_CERT", "PIP_PROXY", "PIP_CLIENT_CERT"):
        environ.pop(name, None)
    return environ


def configured(home: Path, text: str = CONFIG, **extra: str) -> dict[str, str]:
    """Return an environment in which pip reads this as its configuration."""
    path = home / "pip.conf"
    path.write_text(text, encoding="utf-8")
    return machine(home, **{"PIP_CONFIG_FILE": str(path), **extra})


# Reading


def test_real_pip_tells_its_settings(home: Path) -> None:
    environ = configured(
        home, PIP_FIND_LINKS="it's here", PIP_PREFER_BINARY="1", PIP_ONLY_FINAL="0", PIP_RETRIES="2"
    )
    found = read_index_settings(environ)
    assert {name: found.allowed[name] for name in found.allowed if name != "cert"} == {
        "index-url": "https://user:secret@main.example/simple",
        "extra-index-url": "https://one.example/simple https://two.example/simple",
        "find-links": "it's here",
        "timeout": "9",
        "retries": "2",
        "only-binary": ":all:",
    }
    # A machine may have constraints of its own for all its users.
    assert [name for name in found.dropped if name != "constraint"] == ["pre", "prefer-binary"]


def test_real_pip_sees_what_is_handed_on(home: Path) -> None:
    settings = read_index_settings(configured(home, PIP_REQUIRE_VIRTUALENV="1"))
    environ = pip_environment(configured(home, PIP_NO_DEPS="1"), settings, log="x")
    done = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        cwd=home,
        env=environ,
        check=True,
        capture_output=True,
        text=True,
    )
    seen = [line for line in done.stdout.splitlines() if ".cert" not in line]
    assert seen == [
        ":env:.config-file='" + os.devnull + "'",
        ":env:.disable-pip-version-check='1'",
        ":env:.extra-index-url='https://one.example/simple https://two.example/simple'",
        ":env:.index-url='https://user:secret@main.example/simple'",
        ":env:.log='x'",
        ":env:.no-input='1'",
        ":env:.only-binary=':all:'",
        ":env:.timeout='9'",
    ]


def test_a_broken_configuration_is_told(home: Path) -> None:
    for text in ("index-url = s3cret\n", "[global]\ntimeout = 3\ns3cret\n"):
        with pytest.raises(ToolchainError, match=r"(?s)pip cannot read its.*pip config") as raised:
            read_index_settings(configured(home, text))
        assert f"line {text.count(chr(10))} is wrong" in str(raised.value)
        assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    ("listing", "allowed", "dropped"),
    [
        ("", {}, ()),
        ("global.index-url='a'", {"index-url": "a"}, ()),
        ("install.index-url='b'\nglobal.index-url='a'", {"index-url": "b"}, ()),
        (":env:.index-url='c'\ninstall.index-url='b'", {"index-url": "c"}, ()),
        ("download.index-url='a'", {}, ()),
        ("global.extra-index-url='\\na\\n b '", {"extra-index-url": "a  b"}, ()),
        ('global.find-links="it\'s"', {"find-links": "it's"}, ()),
        ("global.index-url='a=b'", {"index-url": "a=b"}, ()),
        ("global.quiet='1'\nglobal.user='true'", {}, ()),
        ("global.pre='true'", {}, ("pre",)),
        ("global.pre='True'", {}, ("pre",)),
        ("global.pre='false'", {}, ()),
        ("global.pre='0'", {}, ()),
        ("global.pre='true'\n:env:.pre='0'", {}, ()),
        ("global.no-binary=':all:'", {}, ("no-binary",)),
        ("global.no-binary=''", {}, ()),
        ("global.constraint='c.txt'", {}, ("constraint",)),
        ("install.build-constraint='b.txt'", {}, ("build-constraint",)),
        ("global.keyring-provider='import'", {"keyring-provider": "subprocess"}, ()),
        ("global.only-binary=':all:'", {"only-binary": ":all:"}, ()),
        ("global.uploaded-prior-to='2026-01-01'", {"uploaded-prior-to": "2026-01-01"}, ()),
        (":env:.default-timeout='3'", {"default-timeout": "3"}, ()),
        ("some warning = of pip\nglobal.index-url='a'", {"index-url": "a"}, ()),
    ],
)
def test_a_listing_is_read(listing: str, allowed: dict[str, str], dropped: tuple[str, ...]) -> None:
    found = parse_index_settings(listing)
    assert {name: " ".join(value.split()) for name, value in found.allowed.items()} == {
        name: " ".join(value.split()) for name, value in allowed.items()
    }
    assert found.dropped == dropped


# Handing on


def test_nothing_else_of_the_user_is_handed_on() -> None:
    environ = {
        "PATH": "p",
        "HOME": "h",
        "PIP_PRE": "1",
        "PIP_INDEX_URL": "old",
        "pip_user": "1",
        "PIPTOOLS_CACHE_DIR": "c",
        "CUSTOM_COMPILE_COMMAND": "make",
        "PIPX_HOME": "x",
        "HTTPS_PROXY": "proxy",
        "GIT_DIR": ".git",
        "GIT_INDEX_FILE": ".git/index",
        "GIT_CONFIG_COUNT": "0",
    }
    settings = parse_index_settings("global.index-url='new'\nglobal.pre='1'")
    assert pip_environment(environ, settings, uploaded_prior_to="2026-01-01") == {
        "PATH": "p",
        "HOME": "h",
        "PIPX_HOME": "x",
        "HTTPS_PROXY": "proxy",
        "GIT_CONFIG_COUNT": "0",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INPUT": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_INDEX_URL": "new",
        "PIP_UPLOADED_PRIOR_TO": "2026-01-01",
    }


@pytest.mark.parametrize(
    ("listing", "expected"),
    [
        ("", {}),
        ("global.index-url='a'", {"UV_INDEX_URL": "a"}),
        (
            "global.extra-index-url='a b'",
            {"UV_EXTRA_INDEX_URL": "a b", "UV_INDEX_STRATEGY": "unsafe-best-match"},
        ),
        (
            "global.find-links='a b'",
            {"UV_FIND_LINKS": "a,b", "UV_INDEX_STRATEGY": "unsafe-best-match"},
        ),
        ("global.trusted-host='h'", {"UV_INSECURE_HOST": "h"}),
        ("global.cert='c'", {"SSL_CERT_FILE": "c"}),
        ("global.proxy='p'", {"HTTP_PROXY": "p", "HTTPS_PROXY": "p"}),
        ("global.retries='3'\nglobal.only-binary=':all:'", {"UV_HTTP_RETRIES": "3"}),
    ],
)
def test_uv_is_told_the_same(listing: str, expected: dict[str, str]) -> None:
    settings = parse_index_settings(listing)
    assert uv_environment(settings, {}) == expected
    # What the user says to uv goes first.
    own = dict.fromkeys(expected, "own")
    assert uv_environment(settings, own) == {}


def test_a_module_is_run_apart_from_the_folder(home: Path) -> None:
    """A project's own `pip.py` or `json.py` is not imported."""
    for name in ("pip.py", "json.py"):
        (home / name).write_text("raise SystemExit('the wrong one')", encoding="utf-8")
    done = subprocess.run(
        module_command(sys.executable, "pip", "--version"),
        cwd=home,
        env=machine(home),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("pip ")


# Identity: a part of the cache's key


def test_the_identity_is_of_the_indexes(home: Path) -> None:
    base = index_identity(configured(home))
    assert base == index_identity(configured(home))
    assert base == index_identity(configured(home, CONFIG.replace("user:secret@", "")))
    assert base == index_identity(configured(home, CONFIG.replace("user:secret@", "you:other@")))
    assert base == index_identity(configured(home, CONFIG.replace("timeout = 9", "timeout = 8")))
    assert base == index_identity(configured(home, CONFIG.replace("yes", "no")))
    assert base == index_identity(configured(home, PIP_RETRIES="1"))
    for old, new in (
        ("main.example", "another.example"),
        ("one.example", "another.example"),
        (":all:", "app"),
    ):
        assert base != index_identity(configured(home, CONFIG.replace(old, new))), old
    for name in ("INDEX_URL", "EXTRA_INDEX_URL", "FIND_LINKS", "NO_INDEX", "ONLY_BINARY"):
        assert base != index_identity(configured(home, **{f"PIP_{name}": "x"})), name
    assert base != index_identity(machine(home))


def test_the_identity_sees_the_order_of_indexes(home: Path) -> None:
    swapped = CONFIG.replace("one.", "X.").replace("two.", "one.").replace("X.", "two.")
    assert index_identity(configured(home)) != index_identity(configured(home, swapped))


@pytest.mark.skipif(os.name == "nt", reason="the places are those of POSIX")
@pytest.mark.parametrize("place", [".config/pip/pip.conf", ".pip/pip.conf"])
def test_the_identity_sees_the_users_own_file(
    home: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(home))
    environ = machine(home)
    del environ["PIP_CONFIG_FILE"]
    if sys.platform == "darwin" and place.startswith(".config"):
        place = "Library/Application Support/pip/pip.conf"
    before = index_identity(environ)
    path = home / place
    path.parent.mkdir(parents=True)
    path.write_text("[global]\nindex-url = https://main.example/\n", encoding="utf-8")
    assert index_identity(environ) != before
    # And so does pip.
    assert read_index_settings(environ).allowed["index-url"] == "https://main.example/"


def test_a_broken_file_is_an_identity_too(home: Path) -> None:
    assert index_identity(configured(home, "nonsense")) != index_identity(machine(home))


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("=banana", "what it says is neither a URL nor a folder that exists"),
        ("simple/", "what it says is neither a URL nor a folder that exists"),
        ("http://[", "'http://[' is no URL"),
        ("http://", "'http://' names no host"),
        ("https:///simple", "'https://' names no host"),
        ("https://host:port/simple", "'https://****' is no URL"),
        ("gopher://h.example/", "'gopher://h.example' is neither a URL nor a folder that exists"),
        ("https://h.example:1x/s3cret/simple", "'https://****' is no URL"),
        ("user:s3cret@h.example/simple", "what it says is neither a URL"),
        ("http://user:s3cret@[", "'http://[' is no URL"),
    ],
)
@pytest.mark.parametrize("name", ["index-url", "extra-index-url"])
def test_an_index_that_can_be_none_is_named(value: str, why: str, name: str) -> None:
    variable = f"PIP_{name.upper().replace('-', '_')}"
    settings = parse_index_settings(f"global.{name}={value!r}")
    for environ, place, mend in (
        ({variable: value}, variable, f"unset {variable}"),
        ({variable: ""}, f"{name} of your pip configuration", "pip config debug"),
    ):
        with pytest.raises(ConfigError) as raised:
            refuse_broken(settings, environ)
        assert str(raised.value).startswith(f"{place}: {why}")
        assert mend in str(raised.value)
        assert "s3cret" not in str(raised.value)


def test_indexes_that_can_be_some_are_not_refused(home: Path) -> None:
    environ = machine(
        home,
        PIP_INDEX_URL=str(home),
        PIP_EXTRA_INDEX_URL=f"https://u:p@h.example:8/x http://[::1]/ {home.as_uri()} HTTP://H",
    )
    refuse_broken(read_index_settings(environ), environ)
    unset = machine(home, PIP_INDEX_URL="")
    refuse_broken(read_index_settings(unset), unset)


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"PIP_INDEX_URL": "https://user:secret@one.example/simple"},
        {"PIP_EXTRA_INDEX_URL": "https://one.example https://two.example", "PIP_RETRIES": "2"},
        {"PIP__RETRIES": "2", "PIP_PRE": "1", "pip_proxy": "http://wrong.example"},
        {"PIP_FIND_LINKS": "", "PIP_NO_BINARY": "it's", "PIP_UPLOADED_PRIOR_TO": "2026-01-01"},
    ],
)
def test_variables_alone_are_read_as_pip_reads_them(
    variables: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No process is needed where there is no file."""
    environ = machine(tmp_path, PIP_CONFIG_FILE=os.devnull, **variables)
    command = module_command(sys.executable, "pip", "config", "list")
    listing = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    monkeypatch.setattr(subprocess, "run", None)
    assert read_index_settings(environ) == parse_index_settings(listing.stdout)


def test_a_place_that_cannot_be_looked_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one without a file: pip reads none, either."""
    closed = tmp_path / ("a" * 5000) / "pip.conf"
    monkeypatch.setattr(
        "nox_lock.compiling.index_settings._config_files", lambda _environ: [closed]
    )
    environ = machine(tmp_path, PIP_INDEX_URL="https://one.example")
    assert read_index_settings(environ).allowed["index-url"] == "https://one.example"


@pytest.mark.skipif(sys.platform != "linux", reason="these are the places of Linux")
@pytest.mark.parametrize("place", ["home/.config/pip", "home/.pip", "xdg/pip", "site/pip"])
def test_a_file_in_any_place_is_read(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / place / "pip.conf"
    path.parent.mkdir(parents=True)
    path.write_text("[global]\nindex-url = https://main.example\n", encoding="utf-8")
    environ = machine(tmp_path / "home")
    environ.pop("PIP_CONFIG_FILE", None)
    for name, folder in (("XDG_CONFIG_HOME", "xdg"), ("XDG_CONFIG_DIRS", "site")):
        if place.startswith(folder):
            environ[name] = str(tmp_path / folder)
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS"):
        if name in environ:
            monkeypatch.setenv(name, environ[name])
        else:
            monkeypatch.delenv(name, raising=False)
    assert read_index_settings(environ).allowed["index-url"] == "https://main.example"

"""Which of the user's pip settings a compile sees."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from nox_lock.compiling import index_settings
from nox_lock.compiling.index_settings import (
    ACCESS,
    DROPPED,
    NARROWING,
    IndexSettings,
    compile_environment,
    read_index_settings,
    uv_environment,
)
from nox_lock.errors import ConfigError, ToolchainError
from support.project import clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterable
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


def asked(environ: dict[str, str], folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Return what pip itself makes of settings, for `pip install`; what is not set is left out."""
    script = """if True:
        import json, sys
        from pip._internal.configuration import Configuration, ConfigurationError
        configuration, found = Configuration(isolated=False), {}
        configuration.load()
        for name in sys.argv[1:]:
            for section in ("global", "install", ":env:"):
                try:
                    found[name] = configuration.get_value(f"{section}.{name}") or found[name]
                except (ConfigurationError, KeyError):
                    pass
        print(json.dumps(found))
        """
    done = subprocess.run(
        [sys.executable, "-c", script, *names],
        cwd=folder,
        env=environ,
        check=True,
        capture_output=True,
        text=True,
    )
    return dict(json.loads(done.stdout))


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
    environ = compile_environment(configured(home, PIP_NO_DEPS="1"), settings, log="x")
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
    ("text", "variables", "allowed", "dropped"),
    [
        ("", {}, {}, ()),
        ("[global]\nindex-url = https://a", {}, {"index-url": "https://a"}, ()),
        (
            "[install]\nindex-url = https://b\n[global]\nindex-url = https://a",
            {},
            {"index-url": "https://b"},
            (),
        ),
        (
            "[install]\nindex-url = https://b",
            {"PIP_INDEX_URL": "https://c"},
            {"index-url": "https://c"},
            (),
        ),
        (
            "[install]\nindex-url = https://b",
            {"PIP_INDEX_URL": ""},
            {"index-url": "https://b"},
            (),
        ),
        ("[download]\nindex-url = https://a", {}, {}, ()),
        (
            "[global]\nextra-index-url =\n  https://a\n  https://b ",
            {},
            {"extra-index-url": "https://a https://b"},
            (),
        ),
        ("[global]\nfind-links = it's", {}, {"find-links": "it's"}, ()),
        ("[global]\nindex-url = https://a?a=b", {}, {"index-url": "https://a?a=b"}, ()),
        ("[global]\n--Only_Binary = app", {}, {"only-binary": "app"}, ()),
        ("[global]\nquiet = 1\nuser = true", {}, {}, ()),
        ("[global]\npre = true", {}, {}, ("pre",)),
        ("[global]\npre = True", {}, {}, ("pre",)),
        ("[global]\npre = false", {}, {}, ()),
        ("[global]\npre = 0", {}, {}, ()),
        ("[global]\npre = true", {"PIP_PRE": "0"}, {}, ()),
        ("[global]\nno-binary = :all:", {}, {}, ("no-binary",)),
        ("[global]\nno-binary =", {}, {}, ()),
        ("[global]\nconstraint = c.txt", {}, {}, ("constraint",)),
        ("[install]\nbuild-constraint = b.txt", {}, {}, ("build-constraint",)),
        ("[global]\nkeyring-provider = import", {}, {"keyring-provider": "subprocess"}, ()),
        ("[global]\nonly-binary = :all:", {}, {"only-binary": ":all:"}, ()),
        (
            "[global]\nuploaded-prior-to = 2026-01-01",
            {},
            {"uploaded-prior-to": "2026-01-01"},
            (),
        ),
        ("", {"PIP_DEFAULT_TIMEOUT": "3"}, {"default-timeout": "3"}, ()),
    ],
)
def test_settings_are_read(
    text: str,
    variables: dict[str, str],
    allowed: dict[str, str],
    dropped: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "pip.conf"
    path.write_text(f"{text}\n", encoding="utf-8")
    monkeypatch.setattr(index_settings, "_config_files", lambda _environ: [path])
    found = read_index_settings(variables)
    assert {name: " ".join(value.split()) for name, value in found.allowed.items()} == allowed
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
        "PYTHONPATH": "lib",
        "PIPX_HOME": "x",
        "HTTPS_PROXY": "proxy",
        "GIT_DIR": ".git",
        "GIT_INDEX_FILE": ".git/index",
        "GIT_CONFIG_COUNT": "0",
    }
    settings = IndexSettings({"index-url": "new"}, ("pre",))
    assert compile_environment(environ, settings, uploaded_prior_to="2026-01-01") == {
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
    ("allowed", "expected"),
    [
        ({}, {}),
        ({"index-url": "a"}, {"UV_INDEX_URL": "a"}),
        (
            {"extra-index-url": "a b"},
            {"UV_EXTRA_INDEX_URL": "a b", "UV_INDEX_STRATEGY": "unsafe-best-match"},
        ),
        (
            {"find-links": "a b"},
            {"UV_FIND_LINKS": "a,b", "UV_INDEX_STRATEGY": "unsafe-best-match"},
        ),
        ({"trusted-host": "h"}, {"UV_INSECURE_HOST": "h"}),
        ({"cert": "c"}, {"SSL_CERT_FILE": "c"}),
        ({"proxy": "p"}, {"ALL_PROXY": "p"}),
        ({"retries": "3", "only-binary": ":all:"}, {"UV_HTTP_RETRIES": "3"}),
    ],
)
def test_uv_is_told_the_same(allowed: dict[str, str], expected: dict[str, str]) -> None:
    settings = IndexSettings(allowed)
    assert uv_environment(settings, {}) == expected
    # What the user says to uv goes first.
    own = dict.fromkeys(expected, "own")
    assert uv_environment(settings, own) == {}


# Identity: a part of the cache's key


def identity(environ: dict[str, str]) -> str:
    return read_index_settings(environ).identity


def test_the_identity_is_of_the_indexes(home: Path) -> None:
    base = identity(configured(home))
    assert base == identity(configured(home))
    assert base == identity(configured(home, CONFIG.replace("user:secret@", "")))
    assert base == identity(configured(home, CONFIG.replace("user:secret@", "you:other@")))
    assert base == identity(configured(home, CONFIG.replace("timeout = 9", "timeout = 8")))
    assert base == identity(configured(home, CONFIG.replace("yes", "no")))
    assert base == identity(configured(home, PIP_RETRIES="1"))
    for old, new in (
        ("main.example", "another.example"),
        ("one.example", "another.example"),
        (":all:", "app"),
    ):
        assert base != identity(configured(home, CONFIG.replace(old, new))), old
    for name in ("INDEX_URL", "EXTRA_INDEX_URL", "FIND_LINKS", "NO_INDEX", "ONLY_BINARY"):
        value = {f"PIP_{name}": "https://x"}
        assert base != identity(configured(home, **value)), name
    assert base != identity(machine(home))


def test_the_identity_sees_the_order_of_indexes(home: Path) -> None:
    swapped = CONFIG.replace("one.", "X.").replace("two.", "one.").replace("X.", "two.")
    assert identity(configured(home)) != identity(configured(home, swapped))


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
    before = identity(environ)
    path = home / place
    path.parent.mkdir(parents=True)
    path.write_text("[global]\nindex-url = https://main.example/\n", encoding="utf-8")
    assert identity(environ) != before
    # And so does pip.
    assert read_index_settings(environ).allowed["index-url"] == "https://main.example/"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("=banana", "what it says"),
        ("simple/", "what it says"),
        ("http://[", "'http://['"),
        ("http://", "'http://'"),
        ("https:///simple", "'https://'"),
        ("https://host:port/simple", "'https://****'"),
        ("gopher://h.example/", "'gopher://h.example'"),
        ("https://h.example:1x/s3cret/simple", "'https://****'"),
        ("user:s3cret@h.example/simple", "what it says"),
        ("http://user:s3cret@[", "'http://['"),
    ],
)
@pytest.mark.parametrize("name", ["index-url", "extra-index-url"])
def test_an_index_that_can_be_none_is_named(
    value: str, shown: str, name: str, tmp_path: Path
) -> None:
    variable = f"PIP_{name.upper().replace('-', '_')}"
    for environ, place in (
        (machine(tmp_path, **{variable: value}), variable),
        (
            configured(tmp_path, f"[global]\n{name} = {value}\n", **{variable: ""}),
            f"{name} of your pip configuration",
        ),
    ):
        with pytest.raises(ConfigError) as raised:
            read_index_settings(environ)
        assert str(raised.value).startswith(
            f"{place}: {shown} is neither a URL with a host nor a folder\n"
        )
        assert "pip config debug" in str(raised.value)
        assert "s3cret" not in str(raised.value)


def test_indexes_that_can_be_some_are_not_refused(home: Path) -> None:
    environ = machine(
        home,
        PIP_INDEX_URL=str(home),
        PIP_EXTRA_INDEX_URL=f"https://u:p@h.example:8/x http://[::1]/ {home.as_uri()} HTTP://H",
    )
    assert read_index_settings(environ).allowed["index-url"] == str(home)
    assert "index-url" not in read_index_settings(machine(home, PIP_INDEX_URL="")).allowed


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
def test_variables_are_read_as_pip_reads_them(variables: dict[str, str], tmp_path: Path) -> None:
    environ = machine(tmp_path, PIP_CONFIG_FILE=os.devnull, **variables)
    found = read_index_settings(environ)
    assert found.allowed == asked(environ, tmp_path, (*ACCESS, *NARROWING))
    assert list(found.dropped) == list(asked(environ, tmp_path, DROPPED))


def test_a_place_that_cannot_be_looked_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one without a file: pip reads none, either."""
    closed = tmp_path / ("a" * 5000) / "pip.conf"
    monkeypatch.setattr(index_settings, "_config_files", lambda _environ: [closed, tmp_path])
    environ = machine(tmp_path, PIP_INDEX_URL="https://one.example")
    assert read_index_settings(environ).allowed["index-url"] == "https://one.example"


@pytest.mark.skipif(sys.platform != "linux", reason="these are the places of Linux")
@pytest.mark.parametrize("given", [False, True])
def test_files_are_read_as_pip_reads_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, given: bool
) -> None:
    """In each place that may have one, and the later ones win."""
    environ = machine(tmp_path / "home")
    environ |= {"XDG_CONFIG_DIRS": f"{tmp_path}/site:{tmp_path}/other"}
    environ["PIP_CONFIG_FILE"] = str(tmp_path / "given" / "pip.conf")
    places = ["home/.pip", "home/.config/pip", "site/pip", "other/pip", *["given"] * given]
    names = ("retries", "timeout", "client-cert", "trusted-host", "keyring-provider")
    for number, place in enumerate(places):
        path = tmp_path / place / "pip.conf"
        path.parent.mkdir(parents=True)
        lines = [f"{name} = {place}\n" for name in names[: number + 1]]
        path.write_text("".join(["[global]\n", *lines]), encoding="utf-8")
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS"):
        if name in environ:
            monkeypatch.setenv(name, environ[name])
        else:
            monkeypatch.delenv(name, raising=False)
    allowed = read_index_settings(environ).allowed
    found = {name: allowed[name] for name in names if name in allowed}
    assert found == asked(environ, tmp_path, names)
    assert found["trusted-host"] == ("given" if given else "other/pip")


def test_a_pylock_sees_the_users_login_for_a_declared_index_and_no_other_index() -> None:
    settings = read_index_settings(
        {
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": "https://me:pass@a.example/simple",
            "PIP_EXTRA_INDEX_URL": "https://b.example/simple https://A.example:443/more",
            "PIP_FIND_LINKS": "wheels",
            "PIP_NO_INDEX": "1",
            "PIP_TRUSTED_HOST": "a.example",
        }
    )
    allowed = settings.of_declared(["https://a.example/other", "wheels"]).allowed
    kept = "https://me:pass@a.example/simple https://A.example:443/more"
    assert allowed == {"trusted-host": "a.example", "extra-index-url": kept}
    assert settings.of_declared([]).allowed == {"trusted-host": "a.example"}

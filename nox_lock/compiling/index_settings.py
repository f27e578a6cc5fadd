"""Which of the user's pip settings a compile may see.

A lock must not depend on who makes it: what gives access to packages, or only narrows the choice,
is handed on; all else of pip's configuration is kept out. https://pip.pypa.io/en/stable/topics/configuration/
"""

from __future__ import annotations

import ast
import configparser
import hashlib
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from nox_lock.errors import ConfigError, Place, ToolchainError
from nox_lock.inputs.entry import relative
from nox_lock.text import hide_index, origin, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

ACCESS = (
    "index-url",
    "extra-index-url",
    "find-links",
    "no-index",
    "trusted-host",
    "proxy",
    "cert",
    "client-cert",
    "keyring-provider",
    "timeout",
    "default-timeout",
    "retries",
)
NARROWING = ("only-binary", "uploaded-prior-to")
DROPPED = (
    "pre",
    "no-binary",
    "prefer-binary",
    "all-releases",
    "only-final",
    "constraint",
    "build-constraint",
    "config-settings",
    "no-build-isolation",
)
# Those that shape what is found; a proxy or a certificate does not.
_IDENTITY = (*ACCESS[:4], *NARROWING)
_CREDENTIALS = re.compile(r"//[^/@\s]*@")
_SECTIONS = ("global", "install")
_SCHEMES = ("http", "https", "file", "ftp")
_OFF = ("", "0", "false", "no", "off", "n", "f")
_UV = {
    "index-url": "UV_INDEX_URL",
    "extra-index-url": "UV_EXTRA_INDEX_URL",
    "no-index": "UV_NO_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "client-cert": "SSL_CLIENT_CERT",
    "keyring-provider": "UV_KEYRING_PROVIDER",
    "timeout": "UV_HTTP_TIMEOUT",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "retries": "UV_HTTP_RETRIES",
}
_OF_UV = ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS")
# What git sets for its hooks: a clone would take the index of the commit under way for its own.
# Not GIT_CONFIG_*, which may hold what gives access.
REPOSITORY = {
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_WORK_TREE",
}
# Nobody is asked for a password, by pip or by git: who works may not sit there.
UNASKED = {"PIP_NO_INPUT": "1", "GIT_TERMINAL_PROMPT": "0"}
_PATH = "import sys; sys.path[:] = [p for p in sys.path if p]; sys.argv.pop(0)\n"
_RUN = "import runpy; runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)"


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """A user's pip settings, sorted.

    Attributes:
        allowed: option names with the values that a compile may see; may hold credentials.
        dropped: names of settings that were left out and would have changed the lock.
    """

    allowed: Mapping[str, str]
    dropped: tuple[str, ...]


def read_index_settings(environ: Mapping[str, str]) -> IndexSettings:
    """Ask `pip config list` once; only pip knows how it reads its files, where there are any.

    Raises:
        ToolchainError: when pip cannot read its own configuration.
    """
    if not any(os.path.exists(path) for path in _config_files(environ)):  # noqa: PTH110  (in a closed folder there is none)
        given = ((name, value) for name, value in environ.items() if name.startswith("PIP_"))
        return _sort({_normalize(name[4:]): value for name, value in given})
    result = subprocess.run(
        module_command(sys.executable, "pip", "config", "list"),
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if result.returncode != 0:
        # It quotes the line, which may hold a password.
        found = re.search(r"\bline:? +(\d+)", result.stderr)
        raise ToolchainError(
            f"pip cannot read its configuration{f': line {found[1]} is wrong' if found else ''}",
            hint="See `pip config debug`.",
        )
    return parse_index_settings(result.stdout)


def parse_index_settings(listing: str) -> IndexSettings:
    """Read the output of `pip config list`: lines such as ``global.index-url='...'``."""
    values: dict[str, str] = {}
    for section in (*_SECTIONS, ":env:"):  # the later wins
        for line in listing.splitlines():
            place, found, value = line.partition("=")
            if found and place.startswith(f"{section}."):
                values[place[len(section) + 1 :]] = str(ast.literal_eval(value))
    return _sort(values)


def _sort(values: Mapping[str, str]) -> IndexSettings:
    for name in ("index-url", "extra-index-url", "find-links", "proxy"):
        for url in values.get(name, "").split():
            hide_index(url)
    allowed = {
        name: values[name].strip().replace("\n", " ")
        for name in (*ACCESS, *NARROWING)
        if name in values
    }
    if allowed.get("keyring-provider") == "import":  # the driver imports nothing of the user's
        allowed["keyring-provider"] = "subprocess"
    dropped = (name for name in DROPPED if values.get(name, "").lower() not in _OFF)
    return IndexSettings(allowed, tuple(dropped))


def refuse_broken(settings: IndexSettings, environ: Mapping[str, str]) -> None:
    """Refuse an index that can be none: pip takes most of them for one that has no project.

    Raises:
        ConfigError: naming the variable, or the setting of pip's configuration.
    """
    for name in ("index-url", "extra-index-url"):
        for value in settings.allowed.get(name, "").split():
            if not (why := _why_no_index(value)):
                continue
            place, more = _variable(name), f", or: unset {_variable(name)}"
            if not environ.get(place):
                place = f"{name} of your pip configuration"
                more = "; `pip config debug` shows which file it is in."
            hint = f"Write a URL such as https://host.example/simple{more}"
            raise ConfigError(f"{place}: {why}", hint=hint)


def _why_no_index(value: str) -> str:
    """Say why no index can be at an address, of which only the host is shown; empty if it can."""
    shown = quoted(origin(value)) if "://" in value else "what it says"
    try:
        parts = urlsplit(value)
        if parts.scheme in {"http", "https"} and not parts.hostname:
            return f"{shown} names no host"
        _ = parts.port
    except ValueError:  # whose words may be those of a password
        return f"{shown} is no URL"
    if parts.scheme in _SCHEMES or os.path.isdir(value):  # noqa: PTH112  (one that is too long is no folder, either)
        return ""
    return f"{shown} is neither a URL nor a folder that exists"


def module_command(python: str, module: str, *arguments: str) -> list[str]:
    """Return a command that runs a module.

    Neither imports anything from the folder it runs in: ``-m`` puts that first on the path, where a
    project's own ``pip.py`` or ``build/`` would be imported; ``-P`` is not in Python 3.10, ``-I``
    loses user installs.
    """
    return [python, "-c", _PATH + _RUN, module, *arguments]


def pip_environment(
    environ: Mapping[str, str], settings: IndexSettings, **extra: str
) -> dict[str, str]:
    """Return an environment in which pip sees `settings` and nothing else of the user's.

    `extra` are pip options by their names with underscores, and win.
    """
    left_out = {"CUSTOM_COMPILE_COMMAND", *REPOSITORY}
    options = {"config_file": os.devnull, "disable_pip_version_check": "1"}
    options |= {**settings.allowed, **extra}
    clean = {
        name: value
        for name, value in environ.items()
        if not name.upper().startswith(("PIP_", "PIPTOOLS_")) and name not in left_out
    }
    return clean | UNASKED | {_variable(name): value for name, value in options.items()}


def uv_environment(settings: IndexSettings, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that show uv the same indexes, which it does not read of pip.

    What the user sets for uv itself is left alone. https://docs.astral.sh/uv/reference/environment/
    """
    for name in _OF_UV:
        for url in re.findall(r"https?://[^\s,]+", environ.get(name, "")):
            hide_index(url)
    found = {_UV[name]: value for name, value in settings.allowed.items() if name in _UV}
    if links := settings.allowed.get("find-links"):
        found["UV_FIND_LINKS"] = ",".join(links.split())
    if any(name in found for name in ("UV_EXTRA_INDEX_URL", "UV_FIND_LINKS")):
        found["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # as pip looks at all of them
    if "proxy" in settings.allowed:
        found |= dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY"), settings.allowed["proxy"])
    return {name: value for name, value in found.items() if name not in environ}


def refuse_uv_settings(root: Path, environ: Mapping[str, str]) -> None:
    """Refuse a `uv.toml` that comes with the project: whoever adds it names the indexes.

    uv looks in each folder above, too. What is in pyproject.toml is the project's own.

    Raises:
        ConfigError: naming it, and what to do.
    """
    if environ.get("UV_CONFIG_FILE") or environ.get("UV_NO_CONFIG"):
        return
    for folder in (root, *root.parents):
        if (folder / "uv.toml").exists():
            raise ConfigError(
                "uv would install by this file, which a lock file does not cover",
                Place(relative(folder / "uv.toml", root)),
                "Move it into [tool.uv] of pyproject.toml, or say that it is meant by "
                "UV_CONFIG_FILE, or that it is not by UV_NO_CONFIG=1.",
            )
        if (folder / ".git").exists():
            return


def file_urls(root: Path, files: Iterable[str]) -> str:
    """Return files as a variable of pip's or uv's names them: both split it at blanks."""
    return " ".join((root / each).as_uri() for each in files)


def index_identity(environ: Mapping[str, str]) -> str:
    """Return a digest of what the user's pip settings make of the indexes, without credentials.

    It is part of a cache key, so it must cost no process: it reads the places pip documents.
    """
    facts = [f"env.{name}={environ.get(_variable(name))}" for name in _IDENTITY]
    parser = configparser.RawConfigParser()
    for path in _config_files(environ):
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError) as error:
            facts.append(str(error))  # pip will say what is wrong with it
    for section in filter(parser.has_section, _SECTIONS):
        facts += [
            f"{section}.{_normalize(key)}={' '.join(value.split())}"
            for key, value in sorted(parser.items(section))
            if _normalize(key) in _IDENTITY
        ]
    shown = _CREDENTIALS.sub("//", "\n".join(facts))
    return hashlib.sha256(shown.encode("utf-8", "surrogatepass")).hexdigest()


def _variable(name: str) -> str:
    return f"PIP_{name.upper().replace('-', '_')}"


def _normalize(name: str) -> str:
    """Return the name of an option as pip spells it, of one in a file or a variable."""
    return name.lower().replace("_", "-").removeprefix("--")


def _config_files(environ: Mapping[str, str]) -> Iterator[Path]:
    """List pip's configuration files, the later ones winning, as its documentation does."""
    import platformdirs  # noqa: PLC0415  (2 ms, only when something is not fresh)

    given = environ.get("PIP_CONFIG_FILE")
    if given == os.devnull:
        return
    name = "pip.ini" if os.name == "nt" else "pip.conf"
    site = platformdirs.site_config_dir("pip", appauthor=False, multipath=True)
    for folder in reversed(site.split(os.pathsep)):
        yield Path(folder) / name
    if os.name != "nt":
        yield Path("/etc") / name
    home = Path(environ.get("HOME") or environ.get("USERPROFILE") or "~").expanduser()
    yield home / ("pip" if os.name == "nt" else ".pip") / name
    yield home / ".config" / "pip" / name  # on macOS, too
    yield Path(platformdirs.user_config_dir("pip", appauthor=False, roaming=True)) / name
    yield Path(sys.prefix) / name
    if given:
        yield Path(given)

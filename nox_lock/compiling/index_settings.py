"""The user's pip settings; a compile and uv get those that give access, or narrow the choice.

A lock must not depend on who makes it. https://pip.pypa.io/en/stable/topics/configuration/
"""

from __future__ import annotations

import configparser
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from nox_lock.errors import ConfigError, ToolchainError
from nox_lock.text import hide_index, origin, quoted

# Each with uv's variable, where it has one: https://docs.astral.sh/uv/reference/environment/
ACCESS = {
    "index-url": "UV_INDEX_URL",
    "extra-index-url": "UV_EXTRA_INDEX_URL",
    "find-links": "UV_FIND_LINKS",
    "no-index": "",
    "trusted-host": "UV_INSECURE_HOST",
    "proxy": "ALL_PROXY",
    "cert": "SSL_CERT_FILE",
    "client-cert": "SSL_CLIENT_CERT",
    "keyring-provider": "UV_KEYRING_PROVIDER",
    "timeout": "UV_HTTP_TIMEOUT",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "retries": "UV_HTTP_RETRIES",
}
NARROWING = ("only-binary", "uploaded-prior-to")
_CHOICE = ("pre", "no-binary", "prefer-binary", "all-releases", "only-final", "constraint")
DROPPED = (*_CHOICE, "build-constraint", "config-settings", "no-build-isolation")
DIVERTING = ("target", "prefix", "root", "user", "dry-run")  # pip installs elsewhere, or nothing
HIDING = ("no-index", *NARROWING)  # what an index has
# Those that shape what is found; a proxy or a certificate does not.
_INDEXES = ("index-url", "extra-index-url")
_PLACES = (*_INDEXES, "find-links", "no-index")
_OFF = ("", "0", "false", "no", "off", "n", "f")
_OF_UV = ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS")
# What git sets for its hooks: a clone would take the index of the commit under way for its own.
# Not GIT_CONFIG_*, which may hold what gives access.
REPOSITORY = {"GIT_DIR", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_WORK_TREE"}
# Neither pip nor git prompts for a password: the terminal may be unattended.
UNASKED = {"PIP_NO_INPUT": "1", "GIT_TERMINAL_PROMPT": "0"}


class IndexSettings(NamedTuple):
    """A user's pip settings, sorted."""

    allowed: Mapping[str, str] = {}  # those that a compile may see; may hold credentials
    dropped: tuple[str, ...] = ()  # names of those that would have changed the lock

    @property
    def identity(self) -> str:
        """What they make of the indexes, without credentials: a part of the cache's key."""
        facts = "\n".join(f"{name}={self.allowed.get(name)}" for name in (*_PLACES, *NARROWING))
        return re.sub(r"//[^/@\s]*@", "//", facts)

    def of_declared(self, urls: Iterable[str]) -> IndexSettings:
        """Return the settings with no index but those at the hosts of `urls`: for their logins."""
        hosts = set(map(origin, urls))
        allowed = {name: each for name, each in self.allowed.items() if name not in _PLACES}
        own = " ".join(self.allowed.get(name, "") for name in _INDEXES).split()
        if kept := " ".join(each for each in own if origin(each) in hosts):
            allowed["extra-index-url"] = kept
        return self._replace(allowed=allowed)


def read_index_settings(environ: Mapping[str, str]) -> IndexSettings:
    """Read pip's configuration files and variables as pip does: to ask it would take too long."""
    values = _read_values(environ)
    for name in (*_INDEXES, "find-links", "proxy"):
        for url in values.get(name, "").split():
            hide_index(url)
    for name in _INDEXES:
        # pip takes most that are wrong for an index without files.
        for value in values.get(name, "").split():
            with suppress(ValueError):
                parts = urlsplit(value)
                _ = parts.port
                # os.path: a name that is too long is no folder, either.
                named = parts.scheme in {"file", "ftp"} or os.path.isdir(value)  # noqa: PTH112
                if parts.hostname if parts.scheme in {"http", "https"} else named:
                    continue
            shown = quoted(origin(value)) if "://" in value else "what it says"
            message = f"{_where(name, environ)}: {shown} is neither a URL with a host nor a folder"
            hint = "Write a URL such as https://host.example/simple, or unset it: "
            hint += "`pip config debug` shows where it is set."
            raise ConfigError(message, hint=hint)
    known = (name for name in (*ACCESS, *NARROWING) if name in values)
    allowed = {name: values[name].strip().replace("\n", " ") for name in known}
    if allowed.get("keyring-provider") == "import":  # the driver imports nothing of the user's
        allowed["keyring-provider"] = "subprocess"
    dropped = (name for name in DROPPED if values.get(name, "").lower() not in _OFF)
    return IndexSettings(allowed, tuple(dropped))


def find_set(names: Iterable[str], environ: Mapping[str, str]) -> list[str]:
    """Return, of some options of pip, those that are set: the variable, or the name."""
    values = _read_values(environ)
    return [_where(name, environ) for name in names if values.get(name, "").lower() not in _OFF]


def _read_values(environ: Mapping[str, str]) -> dict[str, str]:
    """Return pip's settings by their names; the later source wins, what is empty counts nowhere."""
    parser = configparser.RawConfigParser()
    try:
        parser.read(_config_files(environ))
    except (configparser.Error, UnicodeDecodeError) as error:
        # It quotes the line, which may hold a password.
        line = re.search(r"\bline:? +(\d+)", str(error))
        wrong = f": line {line[1]} is wrong" if line else ""
        message = f"pip cannot read its configuration{wrong}"
        raise ToolchainError(message, hint="See `pip config debug`.") from None
    sections = (parser.items(each) for each in ("global", "install") if parser.has_section(each))
    variables = [(name[4:], each) for name, each in environ.items() if name.startswith("PIP_")]
    values: dict[str, str] = {}
    for source in (*sections, variables):
        # As pip spells an option, of a file or a variable.
        said = {name.lower().replace("_", "-").removeprefix("--"): each for name, each in source}
        values |= {name: each for name, each in said.items() if each.strip()}
    return values


def _config_files(environ: Mapping[str, str]) -> Iterator[Path]:
    """Yield pip's configuration files, the later ones winning, whether they are there or not."""
    import platformdirs  # noqa: PLC0415  (2 ms, only when something is not fresh)

    given = environ.get("PIP_CONFIG_FILE")
    if given == os.devnull:
        return
    name = "pip.ini" if os.name == "nt" else "pip.conf"
    dirs = platformdirs.PlatformDirs("pip", appauthor=False, roaming=True, multipath=True)
    is_mac = sys.platform == "darwin"
    site = dirs.site_data_dir if is_mac else dirs.site_config_dir
    yield from (Path(folder) / name for folder in site.split(os.pathsep))
    if os.name != "nt" and not is_mac:
        yield Path("/etc") / name
    if not (given and Path(given).exists()):
        home = Path(environ.get("USERPROFILE" if os.name == "nt" else "HOME") or "~").expanduser()
        yield home / ("pip" if os.name == "nt" else ".pip") / name
        own = Path(dirs.user_data_dir if is_mac else dirs.user_config_dir)
        yield (home / ".config" / "pip" if is_mac and not own.is_dir() else own) / name
    yield Path(sys.prefix) / name
    if given:
        yield Path(given)


def compile_environment(
    environ: Mapping[str, str], settings: IndexSettings, **extra: str
) -> dict[str, str]:
    """Return an environment where pip sees `settings`, with `extra` over them, and no others."""
    left_out = {"CUSTOM_COMPILE_COMMAND", *REPOSITORY}
    options = {"config_file": os.devnull, "disable_pip_version_check": "1"}
    options |= {**settings.allowed, **extra}
    clean = {
        name: value
        for name, value in environ.items()
        if not name.upper().startswith(("PIP_", "PIPTOOLS_", "PYTHON")) and name not in left_out
    }
    said = {f"PIP_{name.upper().replace('-', '_')}": value for name, value in options.items()}
    return clean | UNASKED | said


def uv_environment(settings: IndexSettings, environ: Mapping[str, str]) -> dict[str, str]:
    """Return variables that give uv the same indexes; what the user sets for uv itself stays."""
    for name in _OF_UV:
        for url in re.findall(r"https?://[^\s,]+", environ.get(name, "")):
            hide_index(url)
    found = {ACCESS[name]: value for name, value in settings.allowed.items() if ACCESS.get(name)}
    if "UV_FIND_LINKS" in found:
        found["UV_FIND_LINKS"] = ",".join(found["UV_FIND_LINKS"].split())
    if found.keys() & {"UV_EXTRA_INDEX_URL", "UV_FIND_LINKS"}:
        found["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # as pip looks at all of them
    return {name: value for name, value in found.items() if name not in environ}


def _where(name: str, environ: Mapping[str, str]) -> str:
    variable = f"PIP_{name.upper().replace('-', '_')}"
    return variable if environ.get(variable) else f"{name} of your pip configuration"

"""The tools that nox-lock is compared with: their pins, and an environment for each of them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_PIP = "pip==26.3"
_PIP_TOOLS = "pip-tools==7.6.2"
_NOX = ("nox==2026.10.20", "virtualenv==21.15.8")

# The one place for versions. What these depend on is as the package index has it on the day an
# environment is made; `results.json` has all versions that were measured.
PINS = {
    "nox": (*_NOX, _PIP, _PIP_TOOLS),  # plain nox, plain pip-compile, and nox-lock
    "uv": ("uv==0.13.9",),
    "pip-compile-multi": ("pip-compile-multi==3.3.2", _PIP, _PIP_TOOLS),
    "hatch": ("hatch==1.18.2", "uv==0.13.9"),
    "nox-uv": ("nox-uv==0.8.0", *_NOX),
    "tox": ("tox==4.67.15", "tox-uv-bare==1.37.1"),
}
OURS = "nox"
_SCRIPTS = "Scripts" if os.name == "nt" else "bin"
_VERSIONS = """
import importlib.metadata, json
print(json.dumps({d.metadata["Name"]: d.version for d in importlib.metadata.distributions()}))
"""


class Peers:
    """The environments, each made when it is first needed and kept in `folder` between runs.

    Attributes:
        source: the copy of nox-lock that is measured.
        versions: what is installed, by environment.
    """

    def __init__(self, folder: Path, source: Path) -> None:
        self._folder = folder
        self.source = source
        self.python = cache(self._python)
        self.uv = cache(self._uv)
        self.versions: dict[str, dict[str, str]] = {}

    def command(self, name: str, command: str) -> str:
        """Return the path of a command in the environment `name`."""
        self.python(name)
        return str(self._folder / name / _SCRIPTS / _executable(command))

    def scripts(self, name: str) -> str:
        """Return the folder of the commands of the environment `name`."""
        self.python(name)
        return str(self._folder / name / _SCRIPTS)

    def _python(self, name: str) -> str:
        """Return the interpreter of the environment `name`, made with its pins if need be."""
        place = self._folder / name
        python = str(place / _SCRIPTS / _executable("python"))
        done = place / "pins.json"
        wanted = json.dumps([sys.version, *PINS[name]])
        if not done.is_file() or done.read_text("utf-8") != wanted:
            print(f"making the environment of {name} ...", file=sys.stderr, flush=True)
            shutil.rmtree(place, ignore_errors=True)
            venv.create(place, with_pip=True)
            _install(python, *PINS[name])
            done.write_text(wanted, "utf-8")
        if name == OURS:
            # A copy, as users have it: an editable install costs each start a little.
            _install(python, "--force-reinstall", "--no-deps", str(self.source))
            _install(python, str(self.source))
        listed = subprocess.run(
            [python, "-c", _VERSIONS], capture_output=True, text=True, check=True
        )
        self.versions[name] = dict(sorted(json.loads(listed.stdout).items()))
        return python

    def _uv(self) -> str:
        """Return a folder that holds uv and nothing else, to be put on a PATH or left out."""
        alone = self._folder / "uv-alone"
        shutil.rmtree(alone, ignore_errors=True)
        alone.mkdir(parents=True)
        shutil.copy2(self.command("uv", "uv"), alone)
        return str(alone)


def _install(python: str, *requirements: str) -> None:
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*command, *requirements], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"cannot install {' '.join(requirements)}:\n{done.stderr}")


def _executable(name: str) -> str:
    return name + (sysconfig.get_config_var("EXE") or "")

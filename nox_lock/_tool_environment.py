"""Make an environment with pip-tools for another Python: with uv when it is there, else virtualenv.

Neither may download a Python, and none of the user's settings may shape what is made, but those
that give access to packages.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module, metadata
from typing import TYPE_CHECKING

from nox_lock._errors import InterpreterMissingError, ToolchainError
from nox_lock._index_log import index_failure, mask
from nox_lock._indexes import NARROWING, module_command, pip_environment, uv_environment
from nox_lock._target import Target, running_target, site_packages
from nox_lock._wording import without_folders
from nox_lock._workshops import clear, open_workshop

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from nox_lock._indexes import IndexSettings
    from nox_lock._processes import Processes

PREFIX = "env-"
_MAKING = "making-"
_DEADLINE_SECONDS = 600.0
# With these end the scripts of pyenv and asdf that stand in for a Python that is not there.
_STANDS_IN = (126, 127)
# Of virtualenv's settings: where it looks for Pythons, and where it unpacks its wheels.
_VIRTUALENV_KEPT = (
    "VIRTUALENV_DISCOVERY",
    "VIRTUALENV_OVERRIDE_APP_DATA",
    "VIRTUALENV_TRY_FIRST_WITH",
)
# Of uv's settings: other versions than the newest, or an environment that leans on uv's cache.
_UV_DROPPED = (
    "UV_CONSTRAINT",
    "UV_LINK_MODE",
    "UV_OVERRIDE",
    "UV_PRERELEASE",
    "UV_REQUIRE_HASHES",
    "UV_RESOLUTION",
)
_WHO = (
    "import os, sys, sysconfig; "
    "print('%d.%d' % sys.version_info[:2], sys.implementation.name, "
    "bool(sysconfig.get_config_var('Py_GIL_DISABLED')), "
    # In uv's environments a Python below 3.11 takes itself for its base: the link knows better.
    "os.path.realpath(getattr(sys, '_base_executable', None) or sys.executable), sep='\\n')"
)
_ERROR_LINE = re.compile(r"^(?:error|ERROR|[\w.]*(?:Error|Exception)):? .*", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Way:
    """A tool that makes environments.

    Attributes:
        name: what people call what installs.
        create: the command that makes one, but for the Python and the folder.
        missing: what it says when it finds no such Python.
        environment: what its commands run with.
        uv: the uv that installs, or None where the environment's own pip does.
    """

    name: str
    create: list[str]
    missing: str
    environment: dict[str, str]
    uv: str | None = None

    def install(self, python: str, requirements: tuple[str, ...]) -> list[str]:
        """Return the command that brings these to their newest versions."""
        if self.uv is None:
            return module_command(python, "pip", "install", "--upgrade", *requirements)
        options = ["--no-config", "--python", python, "--upgrade"]
        return [self.uv, "pip", "install", *options, *requirements]


@dataclass(frozen=True, slots=True)
class Maker:
    """What an environment is made of.

    Attributes:
        target: the Python it is for.
        version: the version of pip-tools it gets.
        indexes: where packages come from.
        environ: the environment nox has; its pip settings are replaced by `indexes`.
        processes: what its processes are among.
    """

    target: Target
    version: str
    indexes: IndexSettings
    environ: Mapping[str, str]
    processes: Processes

    def make(self, home: Path) -> tuple[Path, str]:
        """Make an environment in a new folder below `home`, and return it with its pip's version.

        Raises:
            InterpreterMissingError: when the machine has no such Python.
            ToolchainError: when pip-tools cannot be installed for it, or does not run there.
        """
        wanted = python = self._wanted()
        reasons: dict[str, str] = {}
        for way in self._ways():
            try:
                with _new_folder(home) as folder:
                    # What uv found, virtualenv may not find by itself: it is told.
                    python = self._create(way, python, folder)
                    self._install(way, folder, "pip", f"pip-tools=={self.version}")
                    return folder, self._prove(way, folder)
            except InterpreterMissingError as error:
                reasons[way.name] = "" if python == wanted else error.message
            except ToolchainError as error:
                reasons[way.name] = error.message
        *others, last = reasons  # the last is the one that knows the most Pythons
        if not reasons[last]:
            self._refuse_one_that_fails()
            raise InterpreterMissingError(str(self.target))
        more = "".join(
            f" (with {each}: {reasons[each]})"
            for each in others
            if reasons[each] not in {"", reasons[last]}
        )
        raise ToolchainError(
            f"pip-tools {self.version} cannot be set up for Python {self.target}: "
            f"{reasons[last]}{more}"
        )

    def _refuse_one_that_fails(self) -> None:
        """Tell of a Python that stands on the path and does not run: the tools pass it over."""
        if self.target.implementation != "cpython":
            return
        name = f"python{self.target.version}{'t' if self.target.threaded else ''}"
        found = shutil.which(name, path=self.environ.get("PATH", ""))
        if found is None:
            return
        tried = self._run([found, "-I", "-c", ""], pip_environment(self.environ, self.indexes))
        if tried.returncode in {0, *_STANDS_IN}:
            return
        raise ToolchainError(
            f"Python {self.target} cannot be used: the `{name}` on PATH does not run: "
            f"{_reason(tried.stdout)}",
            hint=f"Mend it, or take it away: `{'where' if os.name == 'nt' else 'which'} {name}` "
            f"tells where it is. Else take {self.target} out of `python = [...]`.",
        )

    def _wanted(self) -> str:
        """Return what uv and virtualenv are asked for; a bare 3.12 may be any implementation's."""
        if self.target == running_target():
            return sys.executable  # it need not be on the path
        suffix = "t" if self.target.threaded else ""
        return f"{self.target.implementation}{self.target.version}{suffix}"

    def _ways(self) -> Iterator[_Way]:
        common = pip_environment(self.environ, self.indexes)
        # uv cannot be told of all that narrows the choice, and it must not be widened.
        narrowed = any(name in self.indexes.allowed for name in NARROWING)
        if not narrowed and (uv := find_uv(self.environ)):
            kept = {name: each for name, each in common.items() if name not in _UV_DROPPED}
            yield _Way(
                "uv",
                [uv, "venv", "--no-project", "--no-config", "--no-python-downloads"],
                "No interpreter found",
                kept | uv_environment(self.indexes, self.environ),
                uv,
            )
        kept = {
            name: each
            for name, each in common.items()
            if not name.upper().startswith("VIRTUALENV_") or name in _VIRTUALENV_KEPT
        }
        yield _Way(
            "pip",
            module_command(sys.executable, "virtualenv", "--no-periodic-update"),
            "failed to find interpreter",
            kept | {"VIRTUALENV_CONFIG_FILE": os.devnull},
        )

    def _create(self, way: _Way, python: str, folder: Path) -> str:
        """Make an empty environment, and return the path of the Python it is of."""
        made = self._run([*way.create, "-p", python, str(folder)], way.environment)
        if made.returncode != 0:
            if way.missing in made.stdout:
                raise InterpreterMissingError(str(self.target))
            raise ToolchainError(f"no environment was made: {_reason(made.stdout)}")
        asked = self._run([str(python_in(folder)), "-I", "-X", "utf8", "-c", _WHO], way.environment)
        if asked.returncode != 0:
            raise ToolchainError(f"its Python does not run: {_reason(asked.stdout)}")
        version, implementation, threaded, base = asked.stdout.splitlines()[-4:]
        if Target(version, implementation, threaded=threaded == "True") != self.target:
            raise InterpreterMissingError(str(self.target))
        return base

    def _install(self, way: _Way, folder: Path, *requirements: str) -> None:
        log = folder / "pip.log"  # goes with the environment, should this be killed
        command = way.install(str(python_in(folder)), requirements)
        installed = self._run(command, way.environment | {"PIP_LOG": str(log)})
        logged = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
        log.unlink(missing_ok=True)
        if installed.returncode == 0:
            return
        if failure := index_failure("", logged):
            raise ToolchainError(failure.message)
        raise ToolchainError(_reason(installed.stdout))

    def _run(
        self, command: list[str], environment: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; one that cannot start or does not end has failed as well."""
        with tempfile.TemporaryFile() as output:
            try:
                code = self.processes.run(command, environment, output, deadline=_DEADLINE_SECONDS)
            except subprocess.TimeoutExpired:
                told = f"it took longer than {_DEADLINE_SECONDS:g} s and was ended"
                return subprocess.CompletedProcess(command, 1, told)
            output.seek(0)
            # Universal line ends, as of a text file.
            told = "\n".join(output.read().decode("utf-8", "replace").splitlines())
            return subprocess.CompletedProcess(command, code, told)

    def _prove(self, way: _Way, folder: Path) -> str:
        """Run pip-tools, and return the version of the pip that it works with."""
        python = str(python_in(folder))
        command = module_command(python, "piptools", "compile", "--version")
        proof = self._run(command, way.environment)
        if proof.returncode != 0:
            # pip-tools stands on pip's private parts: the newest pip may be too new for it.
            self._install(way, folder, f"pip=={metadata.version('pip')}")
            proof = self._run(command, way.environment)
        if proof.returncode != 0:
            raise ToolchainError(f"it does not run there: {_reason(proof.stdout)}")
        site = site_packages(folder)
        found = metadata.distributions(name="pip", path=[str(site)])
        return next((each.version for each in found), "")


def find_uv(environ: Mapping[str, str]) -> str | None:
    """Return the uv that is installed beside us, else the one on the path, else None."""
    try:
        return str(import_module("uv").find_uv_bin())
    except (ImportError, AttributeError, FileNotFoundError):
        return shutil.which("uv", path=environ.get("PATH", ""))


def python_in(folder: Path) -> Path:
    """Return an environment's interpreter, whether or not it is there."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


@contextmanager
def _new_folder(home: Path) -> Iterator[Path]:
    """Give an empty folder of nobody else's, gone again if what is done with it fails."""
    with open_workshop(home, _MAKING) as making:
        folder = _made_in(making)
        folder.mkdir()
        try:
            yield folder
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise


def clear_half_made(home: Path) -> None:
    """Remove the environments below `home` whose makers died in the middle."""

    def remove(making: Path) -> None:
        if (folder := _made_in(making)).exists():
            shutil.rmtree(folder)

    clear(home, _MAKING, remove)


def _made_in(making: Path) -> Path:
    """Return the environment that a workshop stands for; one cannot be moved to its place."""
    return making.with_name(f"{PREFIX}{making.name.removeprefix(_MAKING)}")


def _reason(text: str) -> str:
    """Return the last line that tells of an error, else the last; no secret and no folder in it."""
    told = _ERROR_LINE.findall(text) or [line for line in text.splitlines() if line.strip()]
    return without_folders(mask(told[-1].strip())) if told else "no reason given"

"""One compile: the inputs and the order for the driver, its environment, and what came of it.

A lock file that an input names may be made and not written yet; pip-compile knows no dependency
groups, loses what a ``file:./path`` names, and takes no editable as a constraint: then all inputs
are laid out in a private folder, with the same paths.
"""

from __future__ import annotations

import copy
import math
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from packaging.version import Version

from nox_lock.compiling import failures
from nox_lock.compiling.failures import Report
from nox_lock.compiling.index_settings import IndexSettings, compile_environment, file_urls
from nox_lock.compiling.interpreters import Interpreter, Processes, driver_command, tool_versions
from nox_lock.errors import CompileError
from nox_lock.inputs import syntax
from nox_lock.inputs.entry import URL, Entry, is_project_file
from nox_lock.inputs.requirements import Inputs
from nox_lock.inputs.syntax import meets, parse_specifier
from nox_lock.lockfile import lock_file
from nox_lock.lockfile.lock_file import Pin
from nox_lock.project import local_path, relative
from nox_lock.target import (
    Levels,
    Platform,
    Target,
    find_platform,
    marker_environment,
    platform_tags,
    running_platform,
    running_target,
)
from nox_lock.text import shareable

# Names of the files that hold what is written out for pip-compile.
_WRITTEN = "written-"
_RELATIVE_URL = re.compile(
    r"(?P<before>@\s*|^\s*(?:(?:-e|--editable)[\s=]*)?)file:(?P<path>[^/\s#;][^\s#;]*)",
    re.IGNORECASE,
)
_ROOM = 1 << 18
_LOCAL = re.compile(r"(?P<before>^-e |^\S+ @ |^)file://(?P<path>/[^\s#;]*)", re.MULTILINE)


class InputCopies(NamedTuple):
    """What pip-compile is given to read.

    Attributes:
        arguments: its sources, and the options that they need.
        paths: places in the private folder, by how they are to be shown.
    """

    arguments: tuple[str, ...]
    paths: Mapping[str, Path]
    root: Path
    folder: Path

    def show(self, text: str) -> str:
        """Return a text of pip-compile's with all paths as from the project root."""
        for shown, path in sorted(self.paths.items(), key=lambda each: -len(each[0])):
            for spelled in (str(path), path.as_posix(), relative(path, self.root)):
                if path.name.startswith(_WRITTEN):
                    text = text.replace(f"-r {spelled}", shown)
                text = text.replace(spelled, shown)
        for place in map(str, (self.folder, self.root)):
            text = text.replace(f"{place}/", "").replace(f"{place}\\", "").replace(place, ".")
        return text


def copy_inputs(inputs: Inputs, texts: Mapping[str, str], root: Path, folder: Path) -> InputCopies:
    """Lay out `inputs` in `folder` where they must be read from there; `texts` are by path."""
    local = any(each.url and not URL.match(each.url) for each in inputs.entries)
    changed = inputs.left_out or inputs.written or set(texts) & set(inputs.files)
    if not local and not changed:
        return InputCopies(tuple(inputs.native), {}, root, folder)
    # Files above the project root keep their place as well.
    up = max((len(file.split("../")) - 1 for file in inputs.files), default=0)
    tree = folder.joinpath("inputs", *["up"] * up, "project")
    # One on another drive of Windows has no path from the root: it is read where it is.
    within = (file for file in inputs.files if not Path(file).is_absolute())
    files = [file for file in within if not is_project_file(file)]
    paths = {file: Path(os.path.normpath(tree / file)) for file in files}
    for file, path in paths.items():
        text = texts.get(file)
        if text is None:
            text = syntax.decode((root / file).read_bytes(), file)
        path.parent.mkdir(parents=True, exist_ok=True)
        # The mark comes before an encoding that the text declares.
        path.write_text(_rewrite(file, text, inputs, paths, root), encoding="utf-8-sig")
    for number, (name, lines) in enumerate(inputs.written.items()):
        paths[name] = folder / f"{_WRITTEN}{number}.in"
        paths[name].write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    links = (option.value for option in inputs.options if option.name == "--find-links")
    arguments = (
        *(f"--find-links={root / link}" for link in links if not URL.match(link)),
        *(str(paths.get(source, source)) for source in inputs.native),
        *(str(paths[name]) for name in inputs.written),
    )
    return InputCopies(arguments, paths, root, folder)


def _rewrite(file: str, text: str, inputs: Inputs, paths: Mapping[str, Path], root: Path) -> str:
    """Return the text of an input for its place in the folder, without the lines left out.

    What it includes is named by its place there: a path with a variable, or through a folder
    that is not laid out, would lead elsewhere.
    """
    lines = text.splitlines()
    for option, included, place in inputs.includes:
        number = (place.line or 1) - 1
        if place.file == file and included in paths and not lines[number].endswith("\\"):
            lines[number] = f"{option} {shlex.quote(str(paths[included]))}"
    for entry in inputs.left_out:
        if entry.place.file == file:
            lines[(entry.place.line or 1) - 1] = ""
    base = root.as_uri()
    return "".join(
        _RELATIVE_URL.sub(lambda found: f"{found['before']}{base}/{found['path']}", line) + "\n"
        for line in lines
    )


class Order(NamedTuple):
    """What one compile has to do.

    Attributes:
        path: the lock file to make, as messages name it.
        system: the platform it is for, as configured; empty for this machine's.
        levels: the oldest systems that wheels for a named platform may be for.
        arguments: those of pip-compile: how the lock file looks, and what is upgraded.
        settings: of pip, by option names with underscores.
        constraints: paths of lock files that narrow it.
        build_constraints: paths of files that limit what builds use.
        timeout: how many seconds it may take, as configured.
        starting_pins: body of a lock whose pins are kept where they are allowed.
        texts: lock files that are made but not written, by path, for inputs that name them.
        fixed: pins of the lock files below, which may not move.
        files: sha256 by project: these are looked for on index pages, and nothing is compiled.
        until: when it has to be done, by the monotonic clock.
    """

    path: str
    inputs: Inputs
    target: Target
    system: str
    levels: Levels
    arguments: tuple[str, ...]
    settings: Mapping[str, str]
    constraints: tuple[str, ...]
    build_constraints: tuple[str, ...]
    timeout: float
    starting_pins: str = ""
    texts: Mapping[str, str] = {}
    fixed: tuple[Entry, ...] = ()
    files: Mapping[str, Sequence[str]] = {}
    until: float = math.inf

    @property
    def platform(self) -> Platform | None:
        """The platform that the configuration names for it, or None."""
        return find_platform(self.system) if self.system else None


class Compiled(NamedTuple):
    """What a compile made: a body with LF and no absolute path; the others as in `Report`."""

    body: str
    notes: tuple[str, ...] = ()
    yanked: Sequence[Sequence[str]] = ()
    files: Sequence[Sequence[str]] = ()

    @property
    def pins(self) -> tuple[Pin, ...]:
        """What the body pins."""
        return tuple(lock_file.parse(self.body).pins)


class PipTools(NamedTuple):
    """pip-tools, run by the driver.

    Attributes:
        root: the project root, where it runs.
        environ: the environment nox has; its pip settings are replaced by `indexes`.
        cache_folder: where what is downloaded is kept, or None to keep nothing.
        detail: is called with all lines that pip-tools printed, or None.
    """

    root: Path
    interpreter: Interpreter
    environ: Mapping[str, str]
    indexes: IndexSettings
    cache_folder: Path | None
    processes: Processes
    detail: Callable[..., None] | None = None

    def __call__(self, order: Order, folder: Path) -> Compiled:
        """Compile in `folder`, a private one.

        Raises:
            CompileError: saying which kind of failure it was.
            OSError: when the disk of `folder` is full.
        """
        output = folder / "requirements.txt"
        if order.starting_pins:
            output.write_text(f"{order.starting_pins}\n", encoding="utf-8", newline="\n")
        copies = copy_inputs(order.inputs, order.texts, self.root, folder)
        bytecode = None
        if self.interpreter.target != running_target():
            bytecode = (self.cache_folder or folder) / "bytecode"
        asked = self._order(order, output, copies)
        command = driver_command(self.interpreter.path, asked, folder, bytecode)
        environment = self._environment(order, folder)
        deadline = max(order.until - time.monotonic(), 0.0)
        try:
            with (folder / "printed.txt").open("wb") as printed:
                code = self.processes.run(
                    command, environment, printed, deadline=deadline, folder=self.root
                )
        except subprocess.TimeoutExpired as error:
            raise _took_too_long(order, folder) from error
        inputs = copy.copy(order.inputs)
        inputs.entries = [*inputs.entries, *order.fixed]
        report = self._report(code, order.path, inputs, copies)
        if failed := failures.describe_failure(report, inputs):
            failed.hint = self._find_hint(failed, order)
            raise failed
        body = copies.show(relative_paths(output.read_text("utf-8"), self.root)).rstrip("\n")
        notes = find_notes(report, order, lock_file.parse(body).pins, self.interpreter)
        return Compiled(body, tuple(notes), report.yanked, report.files)

    def _find_hint(self, failed: CompileError, order: Order) -> str | None:
        """Return the hint of an error, with what this machine and its variables add to it."""
        if failed.kind == "build" and self.interpreter.foreign:
            if order.platform in {None, running_platform()}:
                return f"Python {order.target} has to build it: install that, and lock again"
            return f"It cannot be built here: lock on {order.system}"
        unset = [
            f"{variable} ({option.place})"
            for option in order.inputs.options
            for variable in syntax.variables(option.value)
            if not self.environ.get(variable)
        ]
        if failed.kind == "index" and unset:
            return f"{failed.hint}\nVariables that are not set: {', '.join(unset)}"
        return failed.hint

    def _report(self, code: int, path: str, inputs: Inputs, copies: InputCopies) -> Report:
        """Return what the driver reported, with no place of this machine in it."""
        folder = copies.folder
        printed = copies.show((folder / "printed.txt").read_text("utf-8", errors="replace"))
        if self.detail:
            lines = shareable(printed).splitlines()
            self.detail(f"{path}: pip-tools ended with {code}, and said:", *lines)
        if code != 0:
            # On a full disk it could not even write that.
            (folder / "room").write_bytes(bytes(_ROOM))
        last = (printed.strip().splitlines() or ["it printed nothing"])[-1]
        report = failures.read_report(folder / "report.json", inputs, copies.show)
        if report is None:
            return Report("tool", last)
        if code != 0 and not report.kind:
            return report._replace(kind="other", message=last)
        return report

    def _order(self, order: Order, output: Path, copies: InputCopies) -> dict[str, Any]:
        folder = copies.folder
        arguments = [
            "--no-config",  # which works only as the first
            "--no-header",  # header and options are ours: pip-compile would write the user's own
            "--no-emit-options",
            "--newline=LF",
            f"--output-file={output}",
            f"--cache-dir={(self.cache_folder or folder) / 'pip-tools'}",
            *order.arguments,
            *(f"--constraint={copies.paths.get(path, path)}" for path in order.constraints),
            *copies.arguments,
            "--verbose" if self.detail else "--quiet",
        ]
        if order.fixed:
            fixed = folder / "fixed.txt"
            fixed.write_text("".join(f"{each.text}\n" for each in order.fixed), encoding="utf-8")
            arguments.append(f"--constraint={fixed}")
        return {
            "begun": str(folder / "begun.txt"),
            "arguments": arguments,
            "target": self._target(order),
            "files": order.files,
            "build_constraints": [str(self.root / each) for each in order.build_constraints],
        }

    def _target(self, order: Order) -> dict[str, Any]:
        target, platform = order.target, order.platform
        if target.implementation != "cpython":  # it runs this itself, and knows itself best
            return {"python": None, "environment": {}, "foreign": False}
        environment = marker_environment(target, platform or running_platform())
        if platform is None:  # the others are those of this machine
            names = ("python_version", "python_full_version", "implementation_version")
            environment = {name: environment[name] for name in names}
        else:
            environment |= {"platform_release": "", "platform_version": ""}
        short = target.version.replace(".", "")
        return {
            "python": list(map(int, target.full_version.split("."))),
            "environment": environment,
            "platforms": platform and platform_tags(platform, order.levels),
            "abis": [f"cp{short}{'t' * target.threaded}"],
            "foreign": self.interpreter.foreign,
        }

    def _environment(self, order: Order, folder: Path) -> dict[str, str]:
        settings = dict(order.settings)
        if files := file_urls(self.root, order.build_constraints):
            # Before it had an option for them, pip handed its own constraints on to builds.
            has_option = Version(tool_versions()[1]) >= Version("25.3")
            settings["build_constraint" if has_option else "constraint"] = files
        environment = compile_environment(self.environ, self.indexes, **settings)
        # pip-tools takes the pins it lets go of from a set: the same ones each time.
        environment["PYTHONHASHSEED"] = "0"
        beside = str(Path(sys.executable).parent)
        uses_keyring = self.indexes.allowed.get("keyring-provider") == "subprocess"
        if uses_keyring and not shutil.which("keyring") and shutil.which("keyring", path=beside):
            # pip runs the one on PATH.
            environment["PATH"] = f"{beside}{os.pathsep}{environment.get('PATH', '')}"
        temporary = folder / "tmp"
        temporary.mkdir()
        return environment | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary))


def _took_too_long(order: Order, folder: Path) -> CompileError:
    begun = folder / "begun.txt"
    # The last line is not whole yet.
    lines = begun.read_text("utf-8", errors="replace").split("\n")[:-1] if begun.exists() else []
    doing = f"; at last it {shareable(lines[-1].replace('file://', ''))}" if lines else ""
    return CompileError(
        f"the compile took longer than {order.timeout:g} s and was ended{doing}",
        kind="time-out",
        hint="Is an index slow or a requirement very loose? Tighten it, or give it "
        "more time: [tool.nox-lock] compile-timeout = SECONDS.",
    )


def relative_paths(body: str, root: Path) -> str:
    """Rewrite the absolute ``file://`` paths that pip-compile writes, relative to `root`.

    pip and uv read ``-e ./path`` and ``name @ file:./path`` from the folder they run in.
    """

    def rewrite(found: re.Match[str]) -> str:
        path = quote(relative(Path(local_path(unquote(found["path"]))), root))
        path = path if path.startswith(".") else f"./{path}"
        if found["before"].startswith("-e"):  # a path is taken as it is, a URL is not
            return f"-e file:{path}" if "%" in path else f"-e {path}"
        return f"{found['before']}file:{path}" if found["before"] else path

    return _LOCAL.sub(rewrite, body)


def find_notes(
    report: Report, order: Order, pins: Collection[Pin], interpreter: Interpreter
) -> Iterator[str]:
    """Yield the notes on a lock file, each with the place in an input, where there is one."""
    target = order.target
    for _, wanted, where in order.inputs.pythons:
        specifier = parse_specifier(wanted)
        if specifier is not None and not meets(specifier, target.full_version):
            this = target.full_version if target.patch else target
            yield f"the project wants Python {wanted} ({where}), not {this}"
    for name, version, extra in report.extras:
        yield f"{name} {version} does not provide the extra {extra!r}{_place(order, name, extra)}"
    for name, version, reason in report.yanked:
        why = f": {reason}" if reason else ""
        yield f"{name}=={version} was withdrawn (yanked){why}{_place(order, name)}"
    versions = {(pin.name, pin.version) for pin in pins}
    direct = {pin.name for pin in pins if pin.version is None}
    built = dict.fromkeys(
        f"{name}=={version}"
        for name, version in report.built
        if (name, version) in versions or name in direct or None in direct
    )
    what = [*built, *report.built_projects]
    if what and interpreter.foreign:
        system = f" on {order.system}" if order.system else ""
        yield (
            f"only a build says what these depend on, and {interpreter.builder} built them, "
            f"not Python {order.target}{system}: {', '.join(what)}"
        )


def _place(order: Order, name: str, extra: str = "") -> str:
    for entry in order.inputs.requirements:
        if entry.name == name and (not extra or extra in entry.extras):
            return f" ({entry.place})"
    return ""

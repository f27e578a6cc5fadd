"""One compile: the inputs and the order for the driver, its environment, and what came of it.

Where pip-compile cannot read an input (a dependency group, ``file:./path``, an editable constraint,
a lock file that is not written yet), all are copied to a private folder, with the same paths.
"""

from __future__ import annotations

import copy
import os
import re
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from packaging.version import Version

from nox_lock.compiling.failures import Report, describe_failure, read_report
from nox_lock.compiling.index_settings import IndexSettings, compile_environment
from nox_lock.compiling.interpreters import Interpreter, driver_command, run_process, tool_versions
from nox_lock.errors import CompileError
from nox_lock.inputs.entry import URL, Entry, Inputs, is_project_file
from nox_lock.inputs.syntax import decode, meets, parse_specifier, variables
from nox_lock.lockfile import lock_file
from nox_lock.lockfile.lock_file import LockFile, Pin
from nox_lock.project import Project, local_path, relative
from nox_lock.target import (
    Levels,
    Target,
    find_platform,
    marker_environment,
    platform_tags,
    running_platform,
    running_target,
)
from nox_lock.text import shareable

_WRITTEN = "written-"  # begins the names of files that are written out for pip-compile
_BLANK = r"[^\S\n]"
_RELATIVE_URL = (
    rf"(?im)(@{_BLANK}*|^{_BLANK}*(?:(?:-e|--editable)(?:{_BLANK}|=)*)?)file:(?=[^/\s#;])"
)
_LOCAL = re.compile(r"(?P<before>^-e |^\S+ @ |^)file://(?P<path>/[^\s#;]*)", re.MULTILINE)


class InputCopies(NamedTuple):
    """What pip-compile is given to read."""

    arguments: tuple[str, ...]  # its sources, and the options that they need
    paths: Mapping[str, Path]  # places in the private folder, by how they are to be shown
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


def copy_inputs(inputs: Inputs, root: Path, folder: Path) -> InputCopies:
    """Lay out `inputs` in `folder` where they must be read from there."""
    local = any(each.url and not URL.match(each.url) for each in inputs.entries)
    if not (local or inputs.left_out or inputs.written or inputs.made.keys() & {*inputs.files}):
        return InputCopies(tuple(inputs.native), {}, root, folder)
    # Files above the project root keep their place as well.
    up = max((len(file.split("../")) - 1 for file in inputs.files), default=0)
    tree = folder.joinpath("inputs", *["up"] * up, "project")
    # One on another drive of Windows has no path from the root: it is read where it is.
    within = (file for file in inputs.files if not Path(file).is_absolute())
    files = [file for file in within if not is_project_file(file)]
    paths = {file: Path(os.path.normpath(tree / file)) for file in files}
    for file, path in paths.items():
        text = inputs.made.get(file)
        if text is None:
            text = decode((root / file).read_bytes(), file)
        path.parent.mkdir(parents=True, exist_ok=True)
        # The mark comes before an encoding that the text declares.
        path.write_text(_rewrite(file, text, inputs, paths, root), encoding="utf-8-sig")
    for number, (name, lines) in enumerate(inputs.written.items()):
        paths[name] = folder / f"{_WRITTEN}{number}.in"
        paths[name].write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    links = (option.value for option in inputs.options if option.name == "--find-links")
    arguments = (
        *(f"--find-links={root / link}" for link in links if not URL.match(link)),
        *(str(paths.get(each, each)) for each in (*inputs.native, *inputs.written)),
    )
    return InputCopies(arguments, paths, root, folder)


def _rewrite(file: str, text: str, inputs: Inputs, paths: Mapping[str, Path], root: Path) -> str:
    """Return the text of an input for its place in the folder, without the lines left out."""
    lines = text.splitlines()
    # A path with a variable, or through a folder that is not laid out, would lead elsewhere.
    for option, included, place in inputs.includes:
        number = (place.line or 1) - 1
        if place.file == file and included in paths and not lines[number].endswith("\\"):
            lines[number] = f"{option} {shlex.quote(str(paths[included]))}"
    for entry in inputs.left_out:
        if entry.place.file == file:
            lines[(entry.place.line or 1) - 1] = ""
    text = "".join(f"{line}\n" for line in lines)
    return re.sub(_RELATIVE_URL, rf"\1{root.as_uri()}/", text)


class Order(NamedTuple):
    """What one compile has to do, and with what."""

    path: str  # the lock file to make, as messages name it
    project: Project  # in its root pip-tools runs
    indexes: IndexSettings  # in place of the pip settings in the project's environment
    python: Interpreter  # runs pip-tools
    inputs: Inputs
    target: Target
    system: str  # the platform it is for, as configured; empty for this machine's
    levels: Levels  # the oldest systems that wheels for a named platform may be for
    arguments: tuple[str, ...]  # of pip-compile: how the lock looks, and what is upgraded
    settings: Mapping[str, str]  # of pip, by option names with underscores
    constraints: tuple[str, ...]  # paths of lock files that narrow it
    build_constraints: tuple[str, ...]  # paths of files that limit what builds use
    timeout: float  # how many seconds it may take, as configured
    until: float  # when it has to be done, by the monotonic clock
    starting_pins: str = ""  # body of a lock whose pins are kept where they are allowed
    fixed: tuple[Entry, ...] = ()  # pins of the lock files below, which may not move
    files: Mapping[str, Sequence[str]] = {}  # sha256 by project: only to be found on index pages


class Compiled(NamedTuple):
    """What a compile made: a body with LF and no absolute path."""

    body: str
    lock: LockFile  # the body, parsed
    notes: tuple[str, ...]
    report: Report


def run_pip_tools(
    order: Order,
    folder: Path,
    cache_folder: Path | None,
    ended: threading.Event,
    detail: Callable[..., None] | None = None,  # gets all lines that pip-tools printed
) -> Compiled:
    """Compile in `folder`, a private one; CompileError, or OSError where its disk is full."""
    output, printed = folder / "requirements.txt", folder / "printed.txt"
    kept = cache_folder or folder
    if order.starting_pins:
        output.write_text(f"{order.starting_pins}\n", encoding="utf-8", newline="\n")
    copies = copy_inputs(order.inputs, order.project.root, folder)
    asked = _describe(order, copies, kept, verbose=detail is not None)
    bytecode = kept / "bytecode" if order.python.target != running_target() else None
    command = driver_command(order.python.path, asked, folder, bytecode)
    seconds = max(order.until - time.monotonic(), 0.0)
    try:
        environment = _environment(order, folder)
        code = run_process(command, environment, printed, seconds, order.project.root, ended)
    except subprocess.TimeoutExpired as error:
        raise _took_too_long(order, folder) from error
    said = copies.show(printed.read_text("utf-8", errors="replace")).strip()
    if detail:
        detail(f"{order.path}: pip-tools ended with {code}:", *shareable(said).splitlines())
    if code != 0:
        # An OSError where the disk is so full that the driver could not report it.
        (folder / "room").write_bytes(bytes(1 << 18))
    inputs = copy.copy(order.inputs)
    inputs.entries = [*inputs.entries, *order.fixed]
    report = read_report(folder / "report.json", inputs, copies.show) or Report("tool")
    if (code != 0 or report.kind) and not report.message:
        last = (said.splitlines() or ["it printed nothing"])[-1]
        report = report._replace(kind=report.kind or "other", message=last)
    if failed := describe_failure(report, inputs):
        failed.hint = _find_hint(failed, order)
        raise failed
    body = copies.show(relative_paths(output.read_text("utf-8"), order.project.root)).rstrip("\n")
    lock = lock_file.parse(body)
    return Compiled(body, lock, tuple(find_notes(report, order, lock.pins)), report)


def _describe(order: Order, copies: InputCopies, kept: Path, *, verbose: bool) -> dict[str, Any]:
    """Return the order as the driver reads it, see `driver.__main__`."""
    arguments = [
        "--no-config",  # which works only as the first
        "--no-header",  # header and options are ours: pip-compile would write the user's own
        "--no-emit-options",
        "--newline=LF",
        f"--output-file={copies.folder / 'requirements.txt'}",
        f"--cache-dir={kept / 'pip-tools'}",
        *order.arguments,
        *(f"--constraint={copies.paths.get(path, path)}" for path in order.constraints),
        *copies.arguments,
        "--verbose" if verbose else "--quiet",
    ]
    if order.fixed:
        fixed = copies.folder / "fixed.txt"
        fixed.write_text("".join(f"{each.text}\n" for each in order.fixed), encoding="utf-8")
        arguments.append(f"--constraint={fixed}")
    target, platform = order.target, find_platform(order.system)
    resolved_for: dict[str, Any] = {"python": None, "foreign": False}
    if target.implementation == "cpython":  # another runs this itself, and knows itself best
        full = ("python_full_version", "implementation_version")
        environment = {"python_version": target.version, **dict.fromkeys(full, target.full_version)}
        if platform is not None:  # else the others are those of this machine
            unknown = {"platform_release": "", "platform_version": ""}
            environment = marker_environment(target, platform) | unknown
        resolved_for = {
            "python": list(map(int, target.full_version.split("."))),
            "environment": environment,
            "platforms": platform and platform_tags(platform, order.levels),
            "abis": [f"cp{target.version.replace('.', '')}{'t' * target.threaded}"],
            "foreign": bool(order.python.builder),
        }
    return {
        "begun": str(copies.folder / "begun.txt"),
        "arguments": arguments,
        "target": resolved_for,
        "files": order.files,
        "build_constraints": [str(order.project.root / each) for each in order.build_constraints],
    }


def _environment(order: Order, folder: Path) -> dict[str, str]:
    settings = dict(order.settings)
    # As URLs: pip splits the value at blanks.
    if files := " ".join((order.project.root / each).as_uri() for each in order.build_constraints):
        # Before it had an option for them, pip handed its own constraints on to builds.
        has_option = Version(tool_versions()[1]) >= Version("25.3")
        settings["build_constraint" if has_option else "constraint"] = files
    environment = compile_environment(order.project.environ, order.indexes, **settings)
    # pip-tools takes the pins it lets go of from a set: the same ones each time.
    environment["PYTHONHASHSEED"] = "0"
    if order.indexes.allowed.get("keyring-provider") == "subprocess":
        # pip runs the first one on PATH: the user's, else one that is installed beside nox.
        places = (environment.get("PATH"), str(Path(sys.executable).parent))
        environment["PATH"] = os.pathsep.join(filter(None, places))
    temporary = folder / "tmp"
    temporary.mkdir()
    return environment | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary))


def _took_too_long(order: Order, folder: Path) -> CompileError:
    begun = folder / "begun.txt"
    # The last line is not whole yet.
    lines = begun.read_text("utf-8", errors="replace").split("\n")[:-1] if begun.exists() else []
    doing = f"; at last it {shareable(lines[-1].replace('file://', ''))}" if lines else ""
    message = f"the compile took longer than {order.timeout:g} s and was ended{doing}"
    hint = "Tighten requirements, or give it more time: [tool.nox-lock] compile-timeout = SECONDS."
    return CompileError(message, hint=hint, kind="time-out")


def _find_hint(failed: CompileError, order: Order) -> str | None:
    """Return the hint of an error, with what this machine and its variables add to it."""
    if failed.kind == "build" and order.python.builder:
        if find_platform(order.system) in {None, running_platform()}:
            return f"Python {order.target} has to build it: install that, and lock again"
        return f"It cannot be built here: lock on {order.system}"
    unset = [
        f"{variable} ({option.place})"
        for option in order.inputs.options
        for variable in variables(option.value)
        if not order.project.environ.get(variable)
    ]
    if failed.kind == "index" and unset:
        return f"{failed.hint}\nVariables that are not set: {', '.join(unset)}"
    return failed.hint


def relative_paths(body: str, root: Path) -> str:
    """Rewrite absolute ``file://`` paths as from `root`: pip and uv read them where they run."""

    def rewrite(found: re.Match[str]) -> str:
        path = quote(relative(Path(local_path(unquote(found["path"]))), root))
        path = path if path.startswith(".") else f"./{path}"
        if found["before"].startswith("-e"):  # a path is taken as it is, a URL is not
            return f"-e file:{path}" if "%" in path else f"-e {path}"
        return f"{found['before']}file:{path}" if found["before"] else path

    return _LOCAL.sub(rewrite, body)


def find_notes(report: Report, order: Order, pins: Collection[Pin]) -> Iterator[str]:
    """Yield the notes on a lock file, each with the place in an input, where there is one."""

    def place(name: str, extra: str = "") -> str:
        asking = (each for each in order.inputs.requirements if each.name == name)
        places = (each.place for each in asking if not extra or extra in each.extras)
        return next((f" ({each})" for each in places), "")

    target, builder = order.target, order.python.builder
    for _, wanted, where in order.inputs.pythons:
        specifier = parse_specifier(wanted)
        if specifier is not None and not meets(specifier, target.full_version):
            this = target.full_version if target.patch else target
            yield f"the project wants Python {wanted} ({where}), not {this}"
    for name, version, extra in report.extras:
        yield f"{name} {version} does not provide the extra {extra!r}{place(name, extra)}"
    for name, version, reason in report.yanked:
        why = f": {reason}" if reason else ""
        yield f"{name}=={version} was withdrawn (yanked){why}{place(name)}"
    known = {(pin.name, pin.version) for pin in pins}
    built = dict.fromkeys(
        f"{name}=={version}"
        for name, version in report.built
        if known & {(name, version), (name, None), (None, None)}  # URLs have no version
    )
    what = [*built, *report.built_projects]
    if what and builder:
        system = f" on {order.system}" if order.system else ""
        yield (
            f"only a build says what these depend on, and {builder} built them, "
            f"not Python {order.target}{system}: {', '.join(what)}"
        )

"""Files by their names: inputs that are found, paths of lock files, and what could be locked."""

from __future__ import annotations

import functools
import glob
import posixpath
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from packaging.utils import canonicalize_name

from nox_lock.errors import ConfigError, RequirementsError
from nox_lock.inputs.entry import is_project_file, static_name
from nox_lock.inputs.requirements import Files
from nox_lock.inputs.toml_tables import FILE, Table, find_table
from nox_lock.lockfile import lock_file
from nox_lock.lockfile.lock_file import LockFile, Pin
from nox_lock.planning.lock_plan import AnyPlan, LockConfig
from nox_lock.project import Project
from nox_lock.target import SYSTEM, Target, find_platform, parse_target, running_platform
from nox_lock.text import quoted

# What Windows takes for a device, or another name; or what leads out of the folder.
# https://learn.microsoft.com/en-us/windows/win32/fileio/naming-a-file
_UNPORTABLE = (
    r"(?<![^/])(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3])"
    r"(?=\s*(?:[./:]|$))[^/]*"
    r'|[^/]*[. ](?=/|$)|[^/]*[<>:"|?*][^/]*'
)
_PYTHON = r"(?:pypy)?\d+\.\d+t?"
_NODOT = r"(?:pypy)?\d{2,3}t?"
# The folder that a URL is in, if it is taken for a path: ``https:``, ``tool @ git+https:``.
_LIKE_URL = re.compile(r".*:\Z|(?:.*@\s*)?file:", re.IGNORECASE)
_SHOWN = 5
_Locks = Collection[LockConfig]
_Named = tuple[str, str]  # the Python and the platform in a path; empty for what it does not name
# Folders of what was built or installed, beside the hidden ones.
_MADE = re.compile(r"(?:^|/)(?:\.|node_modules/|build/|dist/|v?env/|site-packages/)")


def lockfile_path(
    lock: LockConfig, target: Target, system: str, project: Project, *, several: bool
) -> str:
    """Return the path of a lock file; `several` is whether the lock has several Pythons."""
    if lock.lockfile is None:
        python = [f"py{str(target).removeprefix('py')}"] * several
        return "-".join([_stem(lock), *python, *([system] if system else [])]) + ".txt"
    here = running_platform()
    path = lock.lockfile.format(
        name=lock.name,
        stem=posixpath.basename(_stem(lock)),
        python=target,
        python_nodot=str(target).replace(".", ""),
        platform=system or here.system,
        machine=(find_platform(system) or here).machine,
    )
    if found := re.search(_UNPORTABLE, path, re.IGNORECASE):
        fault = f" gives {quoted(path)}: not every system can have a file {quoted(found[0])}"
        hint = 'CON, NUL, a dot or blank at the end, and < > : " | ? * are special on Windows.'
        raise find_table("lockfile", lock.name, project).wrong("lockfile", fault, hint)
    return path


def parse_path(lock: LockConfig, path: str, *, any_system: bool = False) -> _Named | None:
    """Parse a path as one of this lock, for any target, or for `any_system`, too; None if not."""
    begin, brace, rest = _pattern(lock).partition("{")
    if not path.startswith(begin):  # of nearly all, this says enough
        return None
    systems = SYSTEM if any_system else "|".join(map(re.escape, lock.platforms))
    # Others have files like `requirements-py311.txt`.
    found = _compiled(brace + rest, systems, nodot=any_system).fullmatch(path, len(begin))
    groups = found.groupdict() if found else {}
    dotted = re.sub(r"(\d)(\d+)", r"\1.\2", groups.get("python_nodot") or "")  # 311 is 3.11
    python = groups.get("python") or dotted
    if not found or dotted not in {"", python}:
        return None
    return python, groups.get("platform") or ""


def find_files(
    lock: LockConfig, project: Project, *, any_system: bool = False
) -> dict[str, _Named]:
    """Return the lock files of a lock on disk, for any target."""
    files = project.glob(_wild(_pattern(lock)))
    found = ((file, parse_path(lock, file, any_system=any_system)) for file in files)
    return {file: parsed for file, parsed in found if parsed is not None}


def find_owner(path: str, locks: Iterable[LockConfig]) -> LockConfig | None:
    """Return the lock that has a lock file of this path, for some target, or None."""
    usual = path.endswith(".txt")  # as all names do that are not configured
    owners = [each for each in locks if (usual or each.lockfile) and parse_path(each, path)]
    # Of `requirements` and `requirements-py3.11`, the latter has `requirements-py3.11.txt`.
    return max(owners, key=lambda lock: len(_stem(lock)), default=None)


def find_earlier(
    lock: LockConfig, target: Target, project: Project, locks: _Locks
) -> LockFile | None:
    """Return the most similar lock file of this lock on disk, also of another pattern, or None."""
    found = find_files(lock._replace(lockfile=None), project, any_system=True)
    found |= find_files(lock, project, any_system=True)
    distances = []
    for path, (python, system) in found.items():
        other = parse_target(python) if python else target
        minor, wanted = (int(each.version.partition(".")[2]) for each in (other, target))
        is_foreign = system not in {"", running_platform().system}
        is_other = other.implementation != target.implementation
        distances.append((is_foreign, is_other, abs(minor - wanted), -minor, path))
    for *_, path in sorted(distances):
        if find_owner(path, locks) in (None, lock):
            earlier = lock_file.read(project, path)
            if earlier is not None and earlier.recognised:
                return earlier
    return None


def find_orphans(locks: _Locks, planned: Collection[AnyPlan], project: Project) -> list[str]:
    """Return files of ours where lock files or pylocks may be, that are none of `planned`."""
    folders = {"", "requirements", *(posixpath.dirname(_stem(lock)) for lock in locks)}
    patterns = {posixpath.join(glob.escape(folder), "*.txt") for folder in folders}
    folders |= set(map(folder_of, locks))
    patterns |= {posixpath.join(glob.escape(folder), "pylock*.toml") for folder in folders}
    found = {path for pattern in patterns for path in project.glob(pattern)}
    for pattern in {lock.lockfile for lock in locks if lock.lockfile}:
        expression = _compiled(pattern, SYSTEM, nodot=False)
        found |= {path for path in project.glob(_wild(pattern)) if expression.fullmatch(path)}
    # A link to one of these is another name of it.
    live = {project.real(path) for each in planned for path in (each.path, *each.inputs.files)}
    for lock in locks:  # it may have files of other machines
        if re.search(r"\{(?:machine|platform)\}", lock.lockfile or "") and not lock.platforms:
            pythons = {"", *(str(each.target) for each in planned if each.name == lock.name)}
            others = find_files(lock, project, any_system=True).items()
            live |= {project.real(path) for path, (python, _) in others if python in pythons}
    found = {path for path in found if project.real(path) not in live}
    return sorted(path for path in found if lock_file.is_stamped(project, path))


def find_lookalikes(project: Project, folders: Iterable[str], pins: Iterable[Pin]) -> Iterator[str]:
    """Yield the paths that pip would take for a URL: it looks for a path first."""
    # On another drive of Windows a folder has no path from the root.
    for folder in (each for each in folders if not Path(each).is_absolute()):
        for path in project.glob(posixpath.join(glob.escape(folder), "*[:]*")):
            if _LIKE_URL.match(posixpath.basename(path)):
                yield path
    for pin in pins:
        if pin.name and pin.url and not pin.editable:
            # ``tool @ file:../../x`` is ``x``.
            whole = posixpath.normpath(f"{pin.name} @ {pin.url}")
            if not whole.startswith(f"{pin.name} @ ") and project.exists(whole):
                yield whole


def folder_of(lock: LockConfig) -> str:
    """Return the folder of all files of a lock, relative to the project root."""
    return posixpath.dirname(lock.lockfile.partition("{")[0] if lock.lockfile else _stem(lock))


@functools.lru_cache(maxsize=1024)
def _stem(lock: LockConfig) -> str:
    """Return what the names of a lock's files begin with; as pip-compile, which knows no extras."""
    first = lock.inputs[0] if lock.inputs else FILE
    if not is_project_file(first):
        return posixpath.splitext(first)[0]
    alone = lock.name == "requirements" or not (lock.extras or lock.groups)
    name = "requirements" if alone else f"requirements-{lock.name}"
    return posixpath.join(posixpath.dirname(first), name)


@functools.lru_cache(maxsize=1024)
def _pattern(lock: LockConfig) -> str:
    """Return the pattern of a lock's files; `{target}` is ``-py3.11-linux``, or parts of it."""
    if lock.lockfile is None:
        return f"{_stem(lock)}{{target}}.txt"
    stem = posixpath.basename(_stem(lock))
    return lock.lockfile.replace("{name}", lock.name).replace("{stem}", stem)


def _wild(pattern: str) -> str:
    return re.sub(r"(?:\{\w+\})+", "*", glob.escape(pattern))  # two stars would be any folders


@functools.lru_cache
def _compiled(pattern: str, systems: str, *, nodot: bool) -> re.Pattern[str]:
    """Return a pattern of paths as a regular expression with a group for each placeholder."""
    version = rf"(?P<python>{_PYTHON})" + rf"|(?P<python_nodot>{_NODOT})" * nodot
    target = rf"(?:-(?:py(?=\d)|(?=pypy))(?:{version}))?"
    target += rf"(?:-(?P<platform>{systems}))?" if systems else ""
    expression = re.escape(pattern).replace(r"\{target\}", target)
    parts = {"python": _PYTHON, "python_nodot": _NODOT, "machine": r"\w+"}
    parts["platform"] = systems or re.escape(running_platform().system)
    parts |= {"name": r"[\w.-]*", "stem": r"[\w.-]+"}  # of any lock, also one that was
    for key, value in parts.items():
        first, *others = expression.split(rf"\{{{key}\}}")
        again = f"(?P={key})".join(others)
        expression = f"{first}(?P<{key}>{value}){again}" if others else first
    return re.compile(expression)


def name_of_input(file: str) -> str | None:
    """Return the name of the lock an input makes (`requirements-dev.in`: `dev`), None for none."""
    folder, _, base = file.rpartition("/")
    stem = base.removesuffix(".in")
    if found := re.fullmatch(r"requirements[-_.](.+)|(.+)[-_.]requirements", stem):
        return found[1] or found[2]
    return stem if folder or stem == "requirements" else None


def discover(
    project: Project, declared: _Locks, find: Iterable[str], document: Table
) -> dict[str, str]:
    """Return the inputs of no declared lock, by name of their lock, `requirements` first.

    They are those with usual names, and those like the patterns of `find`; if there is none, and
    no lock is declared, a `pyproject.toml` with dependencies.
    """
    more: set[str] = set()
    for pattern in find:
        allowed = pattern.endswith(".in") and "**" not in pattern
        named = [file for file in project.glob(pattern) if "MANIFEST.in" not in file] * allowed
        if not named:
            message = f": there is no file like {quoted(pattern)}"
            hint = 'Patterns end in .in, and name each level of folders: find = ["tests/*.in"]'
            raise document.table("tool").table("nox-lock").wrong("find", message, hint)
        more |= {*named}
    files = sorted({*project.glob("*.in"), *project.glob("requirements/*.in"), *more})
    files = [file for file in files if project.is_file(file)]
    taken = {file for lock in declared for file in lock.inputs}
    for file in files:  # those of constraints, which another names with -c, are no inputs
        with suppress(OSError):  # whoever reads it as an input says why
            text = project.read(file).decode(errors="replace")
            limits = re.findall(r"^[ \t]*(?:-c|--constraint)[= \t]*([^\s#]+)", text, re.MULTILINE)
            limits = [each for each in limits if "constraint" in posixpath.basename(each)]
            folder = posixpath.dirname(file)
            taken |= {posixpath.normpath(posixpath.join(folder, each)) for each in limits}
    names = {lock.name: f"[tool.nox-lock.locks.{lock.name}]" for lock in declared}
    inputs: dict[str, str] = {}
    for file in files:
        name = name_of_input(file) or (file.removesuffix(".in") if file in more else None)
        if name is None or file in taken:
            continue
        if not file.isprintable():
            message = f"{quoted(file)} is not a path: it is not UTF-8, or has invisible characters"
            raise ConfigError(message, hint="Rename the file.")
        if name in names:
            message = f"{file} and {names[name]} would both make the lock {name!r}"
            hint = f'Name one of them: [tool.nox-lock.locks.NAME] inputs = ["{file}"] in {FILE}.'
            raise ConfigError(message, hint=hint)
        names[name] = inputs[name] = file
    if not names and "dependencies" in document.table("project").values:
        inputs["requirements"] = FILE
    return dict(sorted(inputs.items(), key=lambda item: (item[0] != "requirements", item[0])))


def no_inputs(project: Project, document: Table) -> ConfigError:
    """Return the error for a project without inputs; `document` is its `pyproject.toml`."""
    hint = suggest(project, document)
    files = (*project.glob("*requirements*.txt"), *project.glob("requirements/*.txt"))
    if files and not hint:
        file, name = min(files), f"{min(files).removesuffix('.txt')}.in"
        hint = f"If {file} is written by hand, rename it to {name}; if it is the output of "
        hint += f"`pip freeze`, write the projects that you use yourself into {name}, without "
        hint += "their dependencies, and lock with -- --overwrite.\n"
    usual = "requirements.in, requirements-*.in, *-requirements.in or requirements/*.in"
    hint += "Write the projects you use, one a line, into requirements.in; or name your files in "
    hint += "[tool.nox-lock.locks.NAME] inputs = [...]."
    return ConfigError(f"no inputs found: no {usual} here", hint=hint)


def suggest(project: Project, document: Table, lock: str | None = None) -> str:
    """Say what could be locked, or be the lock of a name, and how; empty for nothing."""
    wanted, hint = canonicalize_name(lock or ""), ""
    inputs = find_missing_inputs(project, ()).items()
    files = [file for name, file in inputs if lock in {None, name} and not project.is_file(file)]
    if files:
        hint = f"{', '.join(files)} is not here, and its lock file is. Put it here; or, in images "
        hint += f'without inputs, write into {FILE}:\n  [tool.nox-lock]\n  on-stale = "install"\n'
    tables: dict[str, str] = {}
    for name, keys in _find_candidates(project, document):
        if name.isprintable() and (lock is None or canonicalize_name(name) == wanted):
            table = re.sub(r"[^\w.-]+", "-", name)
            tables.setdefault(table, f"  [tool.nox-lock.locks.{table}]\n  {keys}\n")
    if tables:
        hint += f"To lock what is here, write into {FILE}, such as:\n"
    return "".join([hint, *list(tables.values())[:_SHOWN]])


def _find_candidates(project: Project, document: Table) -> Iterator[tuple[str, str]]:
    """Yield what could be locked: a name for its lock, and the keys of that."""
    static, reader = document.table("project"), Files(project)
    if "dependencies" in static.strings("dynamic"):
        yield "requirements", f'inputs = ["{FILE}"]'
    elif not static.values and project.is_file("setup.py"):
        yield "requirements", 'inputs = ["setup.py"]'
    for group in document.table("dependency-groups").values:
        yield group, f'groups = ["{group}"]'
    for extra in static.table("optional-dependencies").values:
        yield extra, f'inputs = ["{FILE}"]\n  extras = ["{extra}"]'
    for pattern in (f"{level}{name}" for name in ("*.in", FILE) for level in ("", "*/", "*/*/")):
        for file in project.glob(pattern):
            folder, _, base = file.rpartition("/")
            with suppress(RequirementsError, OSError):
                if _MADE.search(file) or not file.isprintable():
                    continue
                if base == FILE and folder and static_name(project, folder):
                    yield posixpath.basename(folder), f'inputs = ["{file}"]'
                elif base != FILE and reader.items(file, None, constraint=False):
                    name = name_of_input(file) or base.removesuffix(".in")
                    yield name, f'inputs = ["{file}"]'


def find_missing_inputs(project: Project, locks: _Locks) -> dict[str, str]:
    """Return, by lock, inputs that are not here, while a lock file of their name is, of no lock."""
    found: dict[str, str] = {}
    for path in sorted({*project.glob("*.txt"), *project.glob("requirements/*.txt")}):
        file = re.sub(rf"{_compiled('{target}.txt', SYSTEM, nodot=False).pattern}$", ".in", path)
        name = name_of_input(file)
        if name and find_owner(path, locks) is None:
            lock = lock_file.read(project, path)
            if lock is not None and (lock.maker or lock.stamp):
                found.setdefault(name, file)
    return found

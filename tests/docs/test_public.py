"""What nox_lock shows, and what it keeps out: names, imports, hosts."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import nox_lock

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "nox_lock").rglob("*.py"))
LIBRARIES = {"rich": "console.py", "dependency_groups": "pyproject.py"}
# Written so that this file does not name them.
HOSTS = ["pypi" + ".org", "python" + "hosted.org", "test." + "pypi", "pypi." + "python"]


def is_driver(path: Path) -> bool:
    """Return whether a module is run in pip-tools' own process."""
    return "driver" in path.parts


def imported(path: Path) -> set[str]:
    """Return the top-level packages a module imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level or is_driver(path), f"{path}:{node.lineno} imports relatively"
            found.add(node.module or "" if not node.level else "nox_lock")
    return {name.partition(".")[0] for name in found}


def test_the_public_names() -> None:
    assert set(nox_lock.__all__) == {
        "NoxLockError",
        "__version__",
        "add_sessions",
        "install",
        "session",
    }
    assert all(getattr(nox_lock, name) is not None for name in nox_lock.__all__)
    assert issubclass(nox_lock.NoxLockError, Exception)
    assert re.fullmatch(r"\d+\.\d+\.\d+", nox_lock.__version__)


def test_the_package_is_typed() -> None:
    assert (ROOT / "nox_lock" / "py.typed").is_file()


def loaded(code: str, *flags: str) -> set[str]:
    """Return the modules that are loaded after some code, in a process of its own."""
    done = subprocess.run(
        [sys.executable, *flags, "-c", f"{code}\nimport sys; print(*sys.modules, sep='\\n')"],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    return set(done.stdout.split())


def test_an_import_is_cheap() -> None:
    """What nox does not bring is loaded when it is needed."""
    extra = loaded("import nox, nox_lock") - loaded("import nox")
    packages = {name.partition(".")[0] for name in extra}
    forbidden = {"filelock", "platformdirs", "rich", "piptools", "pip", "click", "optparse"}
    assert not packages & (forbidden | {"tomllib", "tomli", "asyncio", "http", "urllib3"})
    both = loaded("import nox, nox_lock")
    assert not {"filelock", "platformdirs", "piptools", "pip"} & both
    ours = {name for name in extra if name.startswith("nox_lock")}
    assert ours <= {
        "nox_lock",
        "nox_lock.errors",
        "nox_lock.sessions",
        "nox_lock.sessions.noxfile",
        "nox_lock.sessions.api",
    }


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_a_module_imports(path: Path) -> None:
    """Imports between packages are checked by the session `lint`."""
    known = {"nox_lock", "packaging", "tomli", "tomllib"}
    names = imported(path) - set(sys.stdlib_module_names) - known
    if is_driver(path):
        assert names <= {"pip", "piptools", "build", "pyproject_hooks"}  # as pip-tools has them
        return
    for library, module in LIBRARIES.items():
        assert (library in names) == (path.name == module)
    nox = {"nox"} if path.parent.name == "sessions" else set()
    assert names <= {"filelock", "platformdirs", *LIBRARIES, *nox}


def test_the_core_knows_nothing_of_nox() -> None:
    """Another task runner could drive it."""
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in MODULES
        if path.name != "__init__.py" and path.parent.name != "sessions" and not is_driver(path)
    ]
    code = (
        "import importlib, types\n"
        "package = types.ModuleType('nox_lock')\n"
        f"package.__path__ = [{str(ROOT / 'nox_lock')!r}]\n"
        "sys.modules['nox_lock'] = package\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
    )
    names = loaded(f"import sys\n{code}")
    assert "nox" not in names
    assert "nox_lock.locking.one_lock" in names


def tracked() -> list[Path]:
    """Return the files of the repository."""
    done = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip("no git, or not a checkout of it")
    paths = [ROOT / name for name in done.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


def test_no_file_names_a_registry() -> None:
    """An index is a matter of pip's configuration; a pylock has the URLs of its files."""
    found = {
        path.relative_to(ROOT).as_posix(): host
        for path in tracked()
        for host in HOSTS
        if host.encode() in path.read_bytes() and not path.match("pylock.*toml")
    }
    assert found == {}


def test_no_file_names_a_place_of_a_machine() -> None:
    """Neither the folder this runs in, nor the home of whoever runs it."""
    places = {str(ROOT), str(ROOT.parent), sys.prefix, str(Path.home())} - {"/", ""}
    found = {}
    for place in places:
        pattern = re.compile(rb"(?<![\w.{}~])" + re.escape(place).encode() + rb"(?!\w)")
        for path in tracked():
            if pattern.search(path.read_bytes()):
                found[path.relative_to(ROOT).as_posix()] = place
    assert found == {}

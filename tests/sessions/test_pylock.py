"""`pylock = true`: made with the lock files, from a real index, and installed by pip and uv."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from packaging.version import Version

from nox_lock.lockfile import lock_file
from nox_lock.target import running_platform
from support.index import LocalIndex
from support.plans import plan_folder
from support.prepared import Prepared
from support.pylocks import digested, needs_select, pinned, selected
from support.pythons import HERE
from support.wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.project import Project

OTHER = "3.12" if HERE != "3.12" else "3.10"
SYSTEMS = ("linux", "darwin", "win32")
NOXFILE = """
import nox_lock

nox_lock.add_sessions()
"""
TABLE = f"""
[tool.nox-lock]
python = ["{HERE}", "{OTHER}"]
platforms = {list(SYSTEMS)}
pylock = true
"""
# Two targets: enough where all that counts is that there is more than one.
PAIR = f"""
[tool.nox-lock]
python = ["{HERE}"]
platforms = ["linux", "win32"]
pylock = true
"""
TOOLS = ("pip==", "setuptools==", "wheel==")
LIST = """
import importlib.metadata as m
print(*(f"{each.name}=={each.version}" for each in m.distributions()))
"""
APP = ["dep>=1", f"back; python_version == '{HERE}'", "win; sys_platform == 'win32'"]
ROW = re.compile(
    r'\{url = "http://127\.0\.0\.1:\d+/packages/app-1\.0-py3-none-any\.whl", '
    r'upload-time = 2024-02-03T04:05:06Z, size = \d+, hashes = \{sha256 = "\w{64}"\}\}'
)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, seeds: dict[str, str]) -> Iterator[Prepared]:
    yield from prepare(tmp_path_factory.mktemp("prepared"), seeds, TABLE)


@pytest.fixture(scope="module")
def prepared_pair(
    tmp_path_factory: pytest.TempPathFactory, seeds: dict[str, str]
) -> Iterator[Prepared]:
    yield from prepare(tmp_path_factory.mktemp("pair"), seeds, PAIR)


def prepare(folder: Path, seeds: dict[str, str], table: str) -> Iterator[Prepared]:
    """Yield a project with a pylock for the targets of a table: the body of a fixture."""
    with Prepared(folder, seeds) as made:
        made.index.speaks_json = True
        made.index.publish("app", "1.0", requires=APP)
        for name in ("dep", "back", "win"):
            made.index.publish(name, "1.0")
        made.project.write("noxfile.py", NOXFILE)
        made.project.write("pyproject.toml", table)
        made.project.write("requirements.in", f"--index-url {made.index.url}\napp\n")
        made.project.nox("-s", "lock").ok()
        made.freeze()
        yield made


@pytest.fixture
def made(prepared: Prepared, tmp_path: Path) -> Iterator[Project]:
    """Return a project whose pylock is for two Pythons and three systems."""
    yield from prepared.lend(tmp_path)


@pytest.fixture
def pair(prepared_pair: Prepared, tmp_path: Path) -> Iterator[Project]:
    """Return a project whose pylock is for one Python and two systems."""
    yield from prepared_pair.lend(tmp_path)


def check(project: Project) -> dict[str, tuple[str, ...]]:
    """Return the verdicts of `lock-check`, with their reasons, by path."""
    run = project.nox("-s", "lock-check", "--", "--format", "json")
    return {
        each["lockfile"]: (each["verdict"], *(reason["message"] for reason in each["reasons"]))
        for each in json.loads(run.stdout)["locks"]
    }


@needs_select
def test_one_file_for_all_targets(made: Project) -> None:
    text = made.read("pylock.toml")
    assert ROW.search(text), text
    files = plan_folder(made.root)
    assert len(files) == 6
    for low in files:
        assert selected(text, low) == pinned(low), low.path
    before = made.snapshot()
    run = made.nox("-s", "lock", "lock-check").ok()
    assert "pylock.toml: up to date (4 pins)" in run.output
    assert f"pylock.toml: fresh, Python {HERE}, {OTHER} on linux, darwin, win32" in run.output
    assert made.snapshot() == before
    assert made.index is not None
    assert made.index.requests() == []


def test_an_upgrade_writes_it_again_and_asks_for_new_files_alone(pair: Project) -> None:
    assert pair.index is not None
    pair.index.publish("dep", "1.5")
    run = pair.nox("-s", "lock", "--", "-P", "dep").ok()
    assert re.search(r"pylock.toml: made in [\d.]+ s \(4 pins\)", run.output)
    text = pair.read("pylock.toml")
    assert 'name = "dep"\nversion = "1.5"' in text
    assert "dep-1.0" not in text
    assert set(check(pair).values()) == {("fresh",)}
    # No other page than those that resolving needs, and of those one more of `dep`.
    pair.index.clear_requests()
    pair.write("pylock.toml", text.replace("dep-1.5", "dep-1.6"))
    assert check(pair)["pylock.toml"] == (
        "stale",
        "its files were changed since it was made, or where the inputs look for them",
    )
    (pair.root / "pylock.toml").unlink()
    assert check(pair)["pylock.toml"] == ("missing", "there is no pylock")
    pair.nox("-s", "lock").ok()
    assert pair.read("pylock.toml") == text
    assert {each.path for each in pair.index.requests()} == {
        f"/simple/{name}/" for name in ("app", "back", "dep", "win")
    }


def test_after_a_bot_it_is_behind(made: Project) -> None:
    assert made.index is not None
    made.index.publish("dep", "1.5")
    path = f"requirements-py{HERE}-linux.txt"
    text = made.read(path)
    made.nox("-s", "lock", "--", "-U", "--python", HERE, "--platform", "linux").ok()
    # Its other lock files are there, and so it was made again.
    assert "dep-1.5" in made.read("pylock.toml")
    made.write(path, text)
    said = "pylock.toml is behind: it has not dep==1.0, or not as it is here"
    assert check(made)["pylock.toml"] == ("stale", said)
    made.nox("-s", "lock").ok()
    assert set(check(made).values()) == {("fresh",)}


def test_all_or_none(pair: Project, tmp_path: Path) -> None:
    """A pin that only the user's own settings give stops its lock files from being written."""
    build_wheel(tmp_path / "own", "own", "1.0")
    pair.write("requirements.in", pair.read("requirements.in") + "own\n")
    before = pair.snapshot()
    env = {"PIP_FIND_LINKS": str(tmp_path / "own")}
    run = pair.nox("-s", "lock", env=env).failed()
    assert re.search(
        r"requirements-\w+\.txt:\d+: own==1\.0 cannot be in pylock\.toml: no page of "
        r"an index that it may name has this file: sha256:\w{64}",
        run.output,
    )
    assert "Write --extra-index-url URL into an input" in run.output
    assert str(tmp_path) not in run.output
    assert "pylock.toml (same stack) could not be locked" in run.output
    assert pair.snapshot() == before
    # A folder of the project is named by an input, and its files are beside the pylock.
    shutil.copytree(tmp_path / "own", pair.root / "wheels")
    pair.write("requirements.in", "--find-links wheels\n" + pair.read("requirements.in"))
    pair.nox("-s", "lock", env=env).ok()
    assert '{path = "wheels/own-1.0-py3-none-any.whl", hashes = ' in pair.read("pylock.toml")
    assert set(check(pair).values()) == {("fresh",)}
    # Its files are looked for again once the folder has another name.
    (pair.root / "wheels").rename(pair.root / "more")
    pair.write("requirements.in", pair.read("requirements.in").replace("wheels", "more"))
    assert check(pair)["pylock.toml"][0] == "stale"
    pair.nox("-s", "lock").ok()
    assert '{path = "more/own-1.0-py3-none-any.whl", hashes = ' in pair.read("pylock.toml")
    assert set(check(pair).values()) == {("fresh",)}


def test_an_index_that_has_moved_its_files(pair: Project) -> None:
    """Beside new files at another host the old ones would be wrong: all are looked for again."""
    assert pair.index is not None
    text = pair.read("pylock.toml")
    moved = text.replace(pair.index.url.removesuffix("/simple/"), "http://old.example")
    assert moved != text
    pair.write("pylock.toml", digested(pair.root, moved))
    pair.index.publish("more", "1.0")
    pair.write("requirements.in", pair.read("requirements.in") + "more\n")
    pair.nox("-s", "lock").ok()
    assert "old.example" not in pair.read("pylock.toml")
    assert set(check(pair).values()) == {("fresh",)}


def test_what_no_check_sees_is_undone_without_the_cache(pair: Project) -> None:
    """A URL or name that is changed together with the digest: SECURITY.md says so."""
    text, old = pair.read("pylock.toml"), "packages/app-1.0-py3-none-any.whl"
    for forged in ("other/app-1.0-py3-none-any.whl", "packages/app-1.0-py3-none-win32.whl"):
        pair.write("pylock.toml", digested(pair.root, text.replace(old, forged)))
        assert set(check(pair).values()) == {("fresh",)}
        pair.nox("-s", "lock").ok()
        assert forged in pair.read("pylock.toml")
        pair.nox("-s", "lock", "--", "--no-cache").ok()
        assert pair.read("pylock.toml") == text


def test_newlines_stay_and_an_empty_file_is_nobodys(made: Project) -> None:
    text = made.read("pylock.toml")
    old = text.replace("1.0", "1.1")
    formatted = old.replace('created-by = "nox-lock"', "created-by='nox-lock'")
    for before in (old.replace("\n", "\r\n"), formatted, "", "\n"):
        (made.root / "pylock.toml").write_bytes(before.encode())
        made.nox("-s", "lock").ok()
        after = (made.root / "pylock.toml").read_bytes().decode()
        assert after == (text.replace("\n", "\r\n") if "\r" in before else text)
    assert set(check(made).values()) == {("fresh",)}


def test_two_names_of_one_file(made: Project) -> None:
    made.write("requirements-dev.in", made.read("requirements.in"))
    (made.root / "pylock.dev.toml").symlink_to("pylock.toml")
    run = made.nox("-s", "lock").failed()
    assert "pylock.dev.toml is another file of the project already" in run.output


def test_a_pylock_of_another_tool_stays(made: Project) -> None:
    text, start = made.read("pylock.toml"), 'lock-version = "1.0"\ncreated-by = "uv"\n'
    for other in (f'{start}[[packages]]\nname = "app"\nindex = "x"\n', "[broken"):
        made.write("pylock.toml", other)
        assert check(made)["pylock.toml"][0] == "invalid"
        run = made.nox("-s", "lock").failed()
        assert "nox-lock has not made it" in run.output
        assert "pylock = false. Else: nox -s lock -- --overwrite writes over it" in run.output
        assert made.read("pylock.toml") == other
    made.nox("-s", "lock", "--", "--overwrite").ok()
    assert made.read("pylock.toml") == text


def test_without_the_setting_it_is_orphaned(made: Project) -> None:
    made.write("pyproject.toml", TABLE.replace("pylock = true", ""))
    assert check(made)["pylock.toml"][0] == "orphaned"


def test_annotations_and_a_lock_file_that_is_missing(made: Project) -> None:
    (made.root / f"requirements-py{OTHER}-win32.txt").unlink()
    run = made.nox("-s", "lock-check", "--", "--format", "github").failed()
    said = f"it is made of requirements-py{OTHER}-win32.txt, which is not there"
    assert f"::error title=nox-lock%3A pylock.toml is stale,file=pylock.toml::{said}" in run.stdout


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("generate-hashes = false", "`tool.nox-lock.pylock` needs hashes, and generate-hashes"),
        ("[tool.nox-lock.locks.'a.b']\ninputs = ['a.in']", "pylock.a.b.toml has a dot too many"),
        ("[tool.nox-lock.locks.a]\ninputs = ['pylock.toml']", "pylock.toml is another file"),
    ],
)
def test_what_cannot_have_one(made: Project, table: str, said: str) -> None:
    made.write("a.in", "app\n")
    made.write("pyproject.toml", f"{TABLE}{table}\n")
    if "inputs = ['pylock" in table:
        made.write("pylock.toml", "app\n")
    run = made.nox("-s", "lock-check").failed()
    assert said in run.output


def _installs(project: Project, installer: str, script: str = LIST) -> str:
    """Install the pylock into a new environment; return what a script prints there."""
    version = importlib.metadata.version
    if installer == "pip" and Version(version("pip")) < Version("26.1"):
        pytest.skip(f"pip {version('pip')} reads no pylock.toml; 26.1 does")
    if str(running_platform()) not in {"linux-x86_64", "darwin-arm64", "win32-amd64"}:
        pytest.skip("the locks are for usual processors")
    folder = project.root.parent / "environment"
    create = [sys.executable, "-m", "virtualenv", "-q", "--no-download", str(folder)]
    subprocess.run(create, check=True, env=project.environment())
    python = str(folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python"))
    options = {
        "pip": ("pip", "--python", python, "install", "--no-index", "-r", "pylock.toml"),
        "uv": ("uv", "pip", "sync", "--no-cache", "--python", python, "pylock.toml"),
    }[installer]
    env = project.environment()
    subprocess.run([sys.executable, "-m", *options], check=True, cwd=project.root, env=env)
    printed: str = subprocess.run(
        [python, "-I", "-c", script], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    return printed


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_pip_and_uv_install_what_the_lock_file_pins(made: Project, installer: str) -> None:
    path = f"requirements-py{HERE}-{running_platform().system}.txt"
    printed = _installs(made, installer).split()
    pinned_there = {f"{pin.name}=={pin.version}" for pin in lock_file.parse(made.read(path)).pins}
    assert {each for each in printed if not each.startswith(TOOLS)} == pinned_there


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_a_second_hash_lets_another_file_in(made: Project, installer: str, tmp_path: Path) -> None:
    """Any of the hashes of a file is enough for pip and uv: so there is one, or it is invalid."""
    modules = {"app/__init__.py": "evil = True\n"}
    with LocalIndex(tmp_path / "evil") as other:
        wheel = other.publish("app", "1.0", modules=modules)
        sha512 = hashlib.sha512(wheel.read_bytes()).hexdigest()
        text = made.read("pylock.toml")
        row = re.search(
            r'\{url = "([^"]*app-1\.0[^"]*)", .*?, (hashes = \{sha256 = "\w+")\}\}', text
        )
        assert row
        url = f"{other.url.removesuffix('simple/')}packages/{wheel.name}"
        changed = f'{{url = "{url}", {row[2]}, sha512 = "{sha512}"}}}}'
        made.write("pylock.toml", text.replace(row[0], changed))
        assert check(made)["pylock.toml"][0] == "invalid"
        assert "True" in _installs(made, installer, "import app; print(app.evil)")

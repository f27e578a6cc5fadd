"""Killed at any moment: every lock file is whole, nothing survives, nothing is stuck."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nox_lock.compiling.cache import Cache
from support.backend import project_table, write_own_backend
from support.faults import (
    PATIENCE,
    Kill,
    Victim,
    age,
    is_whole,
    leftovers,
    seeds,
    strangers,
    strike,
)
from support.project import finish

if TYPE_CHECKING:
    from support.index import LocalIndex
    from support.project import Project

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

NOXFILE = """
    import nox_lock

    nox_lock.add_sessions()
"""
LOCK, INPUT = "requirements.txt", "requirements.in"
KNOWN = {"noxfile.py", INPUT, LOCK}


@pytest.fixture
def small(project: Project, index: LocalIndex) -> Project:
    """Return a project that compiles as fast as can be."""
    index.publish("app", "1.0", requires=["lib"])
    index.publish("lib", "1.0")
    index.publish("lib", "2.0")
    project.write("noxfile.py", NOXFILE)
    project.write(INPUT, "app\n")
    return project


def cache_of(project: Project) -> Path:
    return project.home / "nox-lock-cache"


def broken_entries(project: Project) -> list[str]:
    """Return the entries of the cache that do not verify."""
    cache = Cache(cache_of(project))
    found = (cache_of(project) / "v2" / "locks").rglob("*.json")
    return [path.name for path in found if cache.get(path.stem) is None]


def ask_anew(project: Project, number: int) -> None:
    """Ask for what neither the lock nor the cache has: it must be compiled."""
    version = "1.0" if "lib==2.0" in project.read(LOCK) else "2.0"
    project.write(INPUT, f"app\nlib=={version}\nlib!=0.{number}\n")


def kill_many(project: Project, log: Path, count: int) -> Victim:
    """Kill `nox -s lock` at random moments; each run finds what the one before it left."""
    victim = Victim(project, log)
    victim.measure("-s", "lock")
    for number, seed in enumerate(seeds(count)):
        before = project.read(LOCK)
        ask_anew(project, number)
        age(project.root, cache_of(project))
        run = victim.kill(seed, "-s", "lock")
        after = project.read(LOCK)
        assert after == before or is_whole(after), victim.told(seed, run)
        assert broken_entries(project) == [], victim.told(seed, run)
        assert strangers(project, KNOWN) == [], victim.told(seed, run)
        if run.returncode == 0:
            assert "compiled in" in run.output
            assert leftovers(project.root, cache_of(project)) == [], victim.told(seed, run)
    ask_anew(project, count)
    age(project.root, cache_of(project))
    project.nox("-s", "lock", "lock-check", timeout=PATIENCE * 2).ok()
    assert leftovers(project.root, cache_of(project)) == []
    return victim


def test_random_kills(small: Project, tmp_path: Path) -> None:
    victim = kill_many(small, tmp_path / "kills.log", 15)
    print(victim.log.read_text("utf-8"))  # noqa: T201  (shown when it fails)
    assert victim.landed > 0 or len(seeds(2)) == 1


@pytest.mark.long
@pytest.mark.parametrize("part", range(5))
def test_five_hundred_random_kills(small: Project, tmp_path: Path, part: int) -> None:
    """100 in each part; the log of each is kept beside the temporary folders of the tests."""
    log = tmp_path.parent / f"kills-{part}.log"
    victim = kill_many(small, log, 100)
    print(f"{victim.landed} of 100 hit; {log}")  # noqa: T201  (figures for the record)
    assert victim.landed > 0 or len(seeds(2)) == 1


# Chosen moments

HANGING_BACKEND = """
import os, pathlib, time


def build_wheel(*_):
    pathlib.Path(os.environ["BUILDING"]).touch()
    time.sleep(600)


prepare_metadata_for_build_wheel = prepare_metadata_for_build_editable = build_wheel
build_editable = build_wheel
"""
ALL_KILLS = (
    Kill(signal.SIGKILL, group=False, share=0),
    Kill(signal.SIGTERM, group=False, share=0),
    Kill(signal.SIGINT, group=True, share=0),
)


@pytest.mark.parametrize("how", ALL_KILLS, ids=str)
def test_a_build_does_not_survive(project: Project, tmp_path: Path, how: Kill) -> None:
    """nox, pip-compile and the build that hangs: one kill of nox ends all three."""
    project.write("noxfile.py", NOXFILE)
    project.write(INPUT, "-e ./part\n")
    table = project_table("part").replace("dependencies", "dynamic = ['dependencies']\n#")
    project.write("part/pyproject.toml", table)
    write_own_backend(project.root / "part", HANGING_BACKEND)
    building = tmp_path / "building"
    victim = Victim(project, tmp_path / "kills.log")
    running = project.start_nox("-s", "lock", env={"BUILDING": str(building)})
    while running.poll() is None and not building.exists():
        time.sleep(0.01)
    strike(running, how)
    [run] = finish(running, timeout=PATIENCE)
    assert run.returncode in how.codes - {0}, run.output
    assert "Traceback" not in run.output
    assert victim.survivors() == []
    assert not project.exists(LOCK)

    project.write(INPUT, "")
    assert leftovers(cache_of(project)) or how.signal == signal.SIGINT
    age(cache_of(project))
    project.nox("-s", "lock").ok()
    assert leftovers(project.root, cache_of(project)) == []


def test_ctrl_c_ends_a_wait(small: Project, tmp_path: Path) -> None:
    """Who waits for another process's compile of the same lock ends at once, too."""
    victim = Victim(small, tmp_path / "kills.log")
    script = (
        "import sys, nox_lock.compiling.cache as c; from pathlib import Path\n"
        "key = sys.stdin.readline().strip()\n"
        "with c.Cache(Path(sys.argv[1])).hold(key, print, lambda: False):\n"
        "    print('held', flush=True); sys.stdin.readline()\n"
    )
    small.nox("-s", "lock").ok()
    locks = {path.stem for path in (cache_of(small) / "v2" / "busy").glob("*.lock")}
    (small.root / LOCK).unlink()
    command = [sys.executable, "-c", script, str(cache_of(small))]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        [key] = locks
        holder.stdin.write(f"{key}\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == "held\n"
        waiting = small.start_nox("-s", "lock", "--", "--no-cache")  # what is there is no wait
        assert waiting.stderr is not None
        said = ""
        while "waiting for" not in said:
            said = waiting.stderr.readline()
            assert said
        assert f"(process {holder.pid} since " in said
        strike(waiting, ALL_KILLS[2])
        [run] = finish(waiting, timeout=PATIENCE)
        assert run.returncode == 130
        assert "Traceback" not in run.output
        holder.stdin.close()
    assert victim.survivors() == []


FORKS = """
import os, sys
from pathlib import Path
from filelock import FileLock  # else each child imports it
from support.faults import write_until

for moment, text in enumerate(sys.stdin, 1):
    process = os.fork()
    if not process:
        write_until(Path(sys.argv[1]), moment, text * 5000)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
"""


def test_a_kill_at_each_effect_of_a_write(tmp_path: Path) -> None:
    """SIGKILL before every single thing that a write does to the disk, one after the other."""
    folder = tmp_path / "here"
    (folder / "cache" / "v2" / "work").mkdir(parents=True)
    places = [folder / name for name in ("one.txt", "two.txt")]
    for place in places:
        place.write_text("old" * 5000, encoding="utf-8")
    texts = {place.read_text("utf-8") for place in places}
    moment, code, text = 0, -signal.SIGKILL, ""
    with subprocess.Popen(
        [sys.executable, "-c", FORKS, str(folder)],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as forks:
        assert forks.stdin is not None
        assert forks.stdout is not None
        while code == -signal.SIGKILL:
            moment += 1
            age(folder)
            line = f"new {moment}\n"
            text = line * 5000
            texts.add(text)
            forks.stdin.write(line)
            forks.stdin.flush()
            code = int(forks.stdout.readline())
            for place in places:
                assert place.read_text("utf-8") in texts, moment
            for path in (folder / "cache" / "v2" / "locks").rglob("*.json"):
                assert Cache(folder / "cache").get(path.stem) is not None, moment
    assert code == 0
    assert moment > 20
    assert {place.read_text("utf-8") for place in places} == {text}
    assert leftovers(folder) == []
    assert {path.name for path in folder.iterdir()} == {"one.txt", "two.txt", "cache"}


def test_only_old_folders_are_cleared(tmp_path: Path) -> None:
    """What is younger may be of a process that still works."""
    cache = Cache(tmp_path)
    with cache.temporary_directory() as first, cache.temporary_directory() as second:
        assert first.is_dir()
        assert second.is_dir()
        (first / "work").write_text("under way", encoding="utf-8")
    assert leftovers(tmp_path) == []
    script = (
        "import os, sys, nox_lock.compiling.cache as c; from pathlib import Path\n"
        "with c.Cache(Path(sys.argv[1])).temporary_directory() as w:\n"
        "    (w / 'part').mkdir(); (w / 'part' / 'file').touch(); print(w, flush=True)\n"
        "    sys.stdin.readline()\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        theirs = Path(other.stdout.readline().strip())
        other.kill()
    with cache.temporary_directory():
        assert (theirs / "part" / "file").exists()
    age(tmp_path)
    with cache.temporary_directory():
        assert not theirs.exists()


def test_the_fresh_clear_what_the_killed_left(small: Project) -> None:
    """Also where every lock is fresh, the next `nox -s lock` finds what stands beside a lock."""
    small.nox("-s", "lock").ok()
    script = (
        "import os, sys; from pathlib import Path; from nox_lock.files import write_all\n"
        "Path.replace = lambda *_: os.kill(os.getpid(), 9)\n"
        "write_all({Path(sys.argv[1]): 'new'})\n"
    )
    command = [sys.executable, "-c", script, str(small.root / LOCK)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert leftovers(small.root)
    age(small.root)
    assert "up to date" in small.nox("-s", "lock").ok().output
    assert leftovers(small.root) == []

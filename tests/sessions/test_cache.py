"""The cache: what was resolved once is not resolved again, and nothing in it is ever trusted."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nox_lock.compiling.cache import Cache, CacheEntry, open_cache
from support.backend import project_table, publish_backend
from support.index import LocalIndex
from support.locks import fingerprint, pins
from support.long import long
from support.project import Project, finish
from support.wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.prepared import Prepared

NOXFILE = """
    import nox_lock

    nox_lock.add_sessions()
"""
LOCK = "requirements.txt"
INPUT = "requirements.in"
# An index that is down is asked again and again, with growing pauses.
ONCE = {"PIP_RETRIES": "0"}


@pytest.fixture(scope="module")
def made(prepared: Prepared) -> Prepared:
    """Return a project with a lock of its own, and of another input in its cache."""
    index, project = prepared.index, prepared.project
    index.publish("app", "1.0", requires=["lib"])
    index.publish("lib", "1.0")
    index.publish("alien", "1.0")
    project.write("noxfile.py", NOXFILE)
    for text in ("alien\n", "app\n"):
        project.write(INPUT, text)
        (project.root / LOCK).unlink(missing_ok=True)
        assert "compiled" in project.nox("-s", "lock").ok().output
    prepared.freeze()
    return prepared


@pytest.fixture
def cached(made: Prepared, tmp_path: Path) -> Iterator[Project]:
    """Return a project whose lock was just compiled, and is in the cache."""
    yield from made.lend(tmp_path)


@pytest.fixture
def index(made: Prepared) -> LocalIndex:
    made.index.start()  # the test before may have stopped it
    return made.index


@pytest.fixture
def locked(cached: Project, index: LocalIndex) -> Project:
    """Return a project whose lock was just compiled; later, newer releases came out."""
    index.publish("extra", "1.0")
    index.publish("extra", "2.0")
    index.publish("lib", "2.0")
    return cached


def remove_lock(project: Project) -> None:
    (project.root / LOCK).unlink()


def entries(project: Project) -> list[Path]:
    return sorted((project.home / "nox-lock-cache").rglob("*.json"))


@pytest.fixture
def clone(cached: Project, tmp_path: Path) -> Iterator[Project]:
    """Return another, empty checkout of the same user."""
    other = Project(tmp_path / "clone", cached.home, cached.index, cached.env)
    other.write("noxfile.py", NOXFILE)
    yield other
    other.close()


# What it answers


def test_a_lost_lock_is_restored_without_the_index(locked: Project, index: LocalIndex) -> None:
    """Delete the lock, stop the index: the same bytes come back, with the day they are of."""
    before = locked.read(LOCK)
    remove_lock(locked)
    index.stop()
    index.clear_requests()
    run = locked.nox("-s", "lock", env=ONCE).ok()
    today = dt.datetime.now(dt.timezone.utc).date().isoformat()
    assert (
        f"{LOCK}: restored from the cache (2 pins, resolved on {today}; -U looks for newer versions"
    ) in run.output
    assert locked.read(LOCK) == before
    assert index.requests() == []
    locked.nox("-s", "lock-check").ok()


@pytest.mark.parametrize("edited", ["app\nextra\n", "extra\n"])
def test_an_edit_taken_back_restores_the_first_lock(
    locked: Project, index: LocalIndex, edited: str
) -> None:
    """Lock, edit, lock, edit back, index stopped: the bytes are those of the first lock."""
    first = locked.read(LOCK)
    locked.write(INPUT, edited)
    assert "compiled" in locked.nox("-s", "lock").ok().output
    assert "extra" in pins(locked.read(LOCK))
    index.stop()
    locked.write(INPUT, "app\n")
    assert "restored" in locked.nox("-s", "lock", env=ONCE).ok().output
    assert locked.read(LOCK) == first
    locked.write(INPUT, edited)
    assert "restored" in locked.nox("-s", "lock", env=ONCE).ok().output


def test_a_version_edited_and_taken_back_restores_both_locks(
    locked: Project, index: LocalIndex
) -> None:
    """`lib==1.0`, `lib==2.0` and back again, the index stopped: each has its own lock."""
    remove_lock(locked)
    locks = {}
    for version in ("1.0", "2.0"):
        locked.write(INPUT, f"app\nlib=={version}\n")
        assert "compiled" in locked.nox("-s", "lock").ok().output
        locks[version] = locked.read(LOCK)
        assert pins(locks[version])["lib"] == version
    index.stop()
    for version in ("1.0", "2.0"):
        locked.write(INPUT, f"app\nlib=={version}\n")
        assert "restored" in locked.nox("-s", "lock", env=ONCE).ok().output
        assert locked.read(LOCK) == locks[version]


def test_a_version_that_took_another_along_comes_back_with_it(
    locked: Project, index: LocalIndex
) -> None:
    """An edit that moved a dependency too, taken back: the bytes are those of the first lock."""
    index.publish("app", "1.1", requires=["lib<2"])
    index.publish("app", "2.0", requires=["lib>=2"])
    remove_lock(locked)
    locked.write(INPUT, "app==1.1\n")
    locked.nox("-s", "lock").ok()
    first = locked.read(LOCK)
    locked.write(INPUT, "app==2.0\n")
    locked.nox("-s", "lock").ok()
    assert pins(locked.read(LOCK)) == {"app": "2.0", "lib": "2.0"}
    # Nothing tells offline that app 1.1 refuses lib 2.0: this may ask the index.
    locked.write(INPUT, "app==1.1\n")
    locked.nox("-s", "lock").ok()
    assert locked.read(LOCK) == first


def test_every_checkout_shares_it(locked: Project, clone: Project, index: LocalIndex) -> None:
    """A second clone of the user needs no index for what the first has resolved."""
    index.stop()
    clone.write(INPUT, "# another comment\napp\n")
    assert "restored" in clone.nox("-s", "lock", env=ONCE).ok().output
    assert clone.read(LOCK) == locked.read(LOCK)


def test_a_session_restores_the_lock_it_misses(locked: Project, index: LocalIndex) -> None:
    """A session that meets a missing lock takes it from the cache, and its pins, not newer ones."""
    remove_lock(locked)
    locked.write(
        "noxfile.py",
        """
        import nox_lock

        nox_lock.add_sessions()

        @nox_lock.session(venv_backend="uv|virtualenv")
        def tests(session):
            session.run("python", "-c", "import lib; print('lib', lib.__version__)")
        """,
    )
    index.clear_requests()
    assert "lib 1.0" in locked.nox("-s", "tests").ok().output
    assert (index.pages("lib"), index.downloads("lib")) == (1, 1)  # pip's, which installs it


# What it does not answer


def test_no_cache_compiles(locked: Project, index: LocalIndex) -> None:
    """`--no-cache` asks the index, though the cache has the lock; it takes what is newest."""
    remove_lock(locked)
    index.clear_requests()
    assert "compiled" in locked.nox("-s", "lock", "--", "--no-cache").ok().output
    assert index.pages("lib") > 0
    assert pins(locked.read(LOCK)) == {"app": "1.0", "lib": "2.0"}


def test_an_upgrade_is_never_answered_from_it(locked: Project, index: LocalIndex) -> None:
    """`-U` and `-P` find the newer release, also without a lock file; without index they fail.

    And after all these compiles, good or failed, no file of work is left behind.
    """
    for wish in (["-U"], ["-P", "lib"]):
        old = locked.read(LOCK)
        assert pins(old)["lib"] == "1.0"
        assert "compiled" in locked.nox("-s", "lock", "--", *wish).ok().output
        assert pins(locked.read(LOCK))["lib"] == "2.0"
        locked.write(LOCK, old)
    remove_lock(locked)
    assert "compiled" in locked.nox("-s", "lock", "--", "-U").ok().output
    new = fingerprint(locked.root / LOCK)
    index.stop()
    for wish in (["-U"], ["-P", "lib"]):
        run = locked.nox("-s", "lock", "--", *wish, env=ONCE).failed()
        assert "cannot be reached" in run.output
        assert fingerprint(locked.root / LOCK) == new
    cache = locked.home / "nox-lock-cache"
    assert entries(locked)
    assert list((cache / "v2" / "work").iterdir()) == []
    left = {path.name for path in cache.rglob("*") if path.is_file()}
    assert {Path(name).suffix for name in left} <= {".json", ".lock"}
    assert set(locked.snapshot()) == {"noxfile.py", INPUT, LOCK}


def test_a_limit_of_the_command_line_is_no_answer_for_another_checkout(
    locked: Project, clone: Project
) -> None:
    """What `-P 'lib<2'` held down is for that lock alone: no input says so."""
    locked.nox("-s", "lock", "--", "-U").ok()
    locked.nox("-s", "lock", "--", "-P", "lib<2").ok()
    assert pins(locked.read(LOCK))["lib"] == "1.0"
    clone.write(INPUT, "app\n")
    clone.nox("-s", "lock").ok()
    assert pins(clone.read(LOCK))["lib"] == "2.0"
    # Nor is there an answer for it, where there is no lock file, either.
    remove_lock(clone)
    clone.nox("-s", "lock", "--", "-P", "lib<2").ok()
    assert pins(clone.read(LOCK))["lib"] == "1.0"


def test_an_old_pin_is_not_moved_by_what_another_checkout_resolved(
    locked: Project, clone: Project
) -> None:
    """A lock that fits the inputs but has newer pins is not for a checkout that has older ones."""
    clone.write(INPUT, "app\nextra\n")
    clone.nox("-s", "lock").ok()
    clone.nox("-s", "lock", "--", "-U").ok()
    assert pins(clone.read(LOCK)) == {"app": "1.0", "extra": "2.0", "lib": "2.0"}

    locked.write(INPUT, "app\nextra\n")
    assert "compiled" in locked.nox("-s", "lock").ok().output
    assert pins(locked.read(LOCK)) == {"app": "1.0", "extra": "2.0", "lib": "1.0"}


def test_a_requirement_for_another_python_moves_no_old_pin(
    locked: Project, clone: Project, index: LocalIndex
) -> None:
    """`lib<2` for Pythons that this is not gives nobody leave to move lib from 2.0."""
    wanted = "app\nextra\nlib<2; python_version < '3'\n"
    index.unpublish("lib", "2.0")
    clone.write(INPUT, wanted)
    clone.nox("-s", "lock").ok()
    index.publish("lib", "2.0")
    locked.nox("-s", "lock", "--", "-U").ok()
    assert pins(locked.read(LOCK)) == {"app": "1.0", "lib": "2.0"}
    locked.write(INPUT, wanted)
    locked.nox("-s", "lock").ok()
    assert pins(locked.read(LOCK)) == {"app": "1.0", "extra": "2.0", "lib": "2.0"}


def test_what_was_made_from_old_pins_is_no_answer_for_who_has_none(
    locked: Project, clone: Project
) -> None:
    """One checkout keeps lib 1.0 from its lock of old; a new project gets what is newest."""
    old = f"{locked.read(LOCK).partition('app==')[0]}lib==1.0\n    # via -r {INPUT}\n"
    for action in ("compiled", "restored"):
        clone.write(INPUT, "lib\n")
        clone.write(LOCK, old)
        assert action in clone.nox("-s", "lock").ok().output
        assert pins(clone.read(LOCK)) == {"lib": "1.0"}
    remove_lock(locked)
    locked.write(INPUT, "lib\n")
    assert "compiled" in locked.nox("-s", "lock").ok().output
    assert pins(locked.read(LOCK)) == {"lib": "2.0"}


def test_another_index_is_another_question(
    locked: Project, index: LocalIndex, tmp_path: Path
) -> None:
    """The index is part of the question; the password for it is not."""
    remove_lock(locked)
    with LocalIndex(tmp_path / "other", password="one") as other:  # noqa: S106
        shutil.copytree(index.folder, other.folder, dirs_exist_ok=True)
        other.publish("lib", "3.0")
        given = {"PIP_INDEX_URL": other.url_with_credentials}
        assert "compiled" in locked.nox("-s", "lock", env=given).ok().output
        assert pins(locked.read(LOCK))["lib"] == "3.0"
    remove_lock(locked)
    changed = {"PIP_INDEX_URL": other.url_with_credentials.replace(":one@", ":two@")}
    assert "restored" in locked.nox("-s", "lock", env=ONCE | changed).ok().output
    assert pins(locked.read(LOCK))["lib"] == "3.0"
    remove_lock(locked)
    assert "restored" in locked.nox("-s", "lock").ok().output
    assert pins(locked.read(LOCK))["lib"] == "1.0"


@pytest.mark.parametrize(
    "line", ["-e ./part", pytest.param("part @ file:./part", marks=pytest.mark.long)]
)
def test_a_local_project_that_changed_is_another_question(
    project: Project, index: LocalIndex, line: str
) -> None:
    """What a local project asks for shapes the lock: its old answer is stale, and not restored."""
    publish_backend(index)
    index.publish("one", "1.0")
    index.publish("two", "1.0")
    project.write("noxfile.py", NOXFILE)
    project.write(INPUT, f"{line}\n")
    project.write("part/pyproject.toml", project_table("part", dependencies="['one']"))
    project.nox("-s", "lock").ok()
    assert pins(project.read(LOCK)) == {"one": "1.0"}
    project.nox("-s", "lock-check").ok()
    old = project.read(LOCK)
    project.write("part/pyproject.toml", project_table("part", dependencies="['two']"))
    remove_lock(project)
    project.nox("-s", "lock").ok()
    assert pins(project.read(LOCK)) == {"two": "1.0"}
    project.write(LOCK, old)
    assert "part" in project.nox("-s", "lock-check").failed().output


# What is broken


def flip(path: Path, _other: Path) -> None:
    """Change a pin in the stored body: lib 1.0 to 9.0."""
    path.write_bytes(path.read_bytes().replace(b"lib==1.0", b"lib==9.0"))


def flip_one_bit_of_a_hash(path: Path, _other: Path) -> None:
    data = bytearray(path.read_bytes())
    at = data.index(b"sha256:") + len("sha256:")
    data[at] ^= 1
    path.write_bytes(bytes(data))


def truncate(path: Path, _other: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def empty(path: Path, _other: Path) -> None:
    path.write_bytes(b"")


def swap(path: Path, other: Path) -> None:
    """Put the whole, unbroken entry of another key in its place."""
    shutil.copy(other, path)


def retype(path: Path, _other: Path) -> None:
    path.write_text(json.dumps({"body": 1, "day": None, "check": []}), encoding="utf-8")


def relist(path: Path, _other: Path) -> None:
    path.write_text("[]", encoding="utf-8")


def nest(path: Path, _other: Path) -> None:
    path.write_text("[" * 100_000, encoding="utf-8")


def unencode(path: Path, _other: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00" * 50)


def entry_of(project: Project, text: str) -> Path:
    """Return the one entry that holds `text`."""
    (found,) = [path for path in entries(project) if text in path.read_text(encoding="utf-8")]
    return found


@pytest.mark.parametrize(
    "damage",
    [
        *(flip, swap, nest),
        *map(long, (flip_one_bit_of_a_hash, truncate, empty, retype, relist, unencode)),
    ],
)
def test_a_broken_entry_is_dropped_and_made_anew(
    cached: Project, index: LocalIndex, damage: Callable[[Path, Path], None]
) -> None:
    """An entry that does not verify is compiled anew, with no traceback, and whole afterwards."""
    before = cached.read(LOCK)
    entry = entry_of(cached, "lib==1.0")
    sound = entry.read_bytes()
    damage(entry, entry_of(cached, "alien==1.0"))
    assert entry.read_bytes() != sound
    remove_lock(cached)
    run = cached.nox("-s", "lock").ok()
    assert "compiled" in run.output
    assert "Traceback" not in run.output
    assert cached.read(LOCK) == before
    assert entry.read_bytes() == sound

    remove_lock(cached)
    index.stop()
    assert "restored" in cached.nox("-s", "lock", env=ONCE).ok().output
    assert cached.read(LOCK) == before


def test_a_folder_in_the_place_of_an_entry_costs_a_compile(cached: Project) -> None:
    """What cannot be read as a file, nor replaced by one, is done without."""
    before = cached.read(LOCK)
    entry = entry_of(cached, "lib==1.0")
    entry.unlink()
    (entry / "full").mkdir(parents=True)
    for _ in range(2):
        remove_lock(cached)
        assert "compiled" in cached.nox("-s", "lock").ok().output
        assert cached.read(LOCK) == before


@pytest.mark.parametrize(
    "place", [".", "v2/locks", *map(long, ("v2", "v2/busy", "v2/work", "pip-tools"))]
)
def test_a_cache_that_cannot_be_used_is_done_without(
    project: Project, index: LocalIndex, place: str
) -> None:
    """A file where the cache, or a folder of it, should be costs the cache, not the lock."""
    index.publish("app", "1.0")
    project.write("noxfile.py", NOXFILE)
    project.write(INPUT, "app\n")
    obstacle = project.home / "nox-lock-cache" / place
    obstacle.parent.mkdir(parents=True, exist_ok=True)
    obstacle.write_text("in the way", encoding="utf-8")
    run = project.nox("-s", "lock").ok()
    assert str(project.home) not in run.output
    assert pins(project.read(LOCK)) == {"app": "1.0"}
    assert obstacle.read_text(encoding="utf-8") == "in the way"
    assert "NOX_LOCK_CACHE_DIR" in run.output
    assert "continuing without a cache" in run.output
    project.nox("-s", "lock-check").ok()


@pytest.mark.parametrize("place", [".", "v2", "v2/busy", "v2/work", "v2/locks", "pip-tools"])
def test_a_file_in_the_place_of_a_folder_of_it_is_told(tmp_path: Path, place: str) -> None:
    """The same for each folder, without a compile: one warning, and the file stays as it is."""
    folder = tmp_path / "cache"
    obstacle = folder / place
    obstacle.parent.mkdir(parents=True, exist_ok=True)
    obstacle.write_text("in the way", encoding="utf-8")
    told: list[str] = []
    assert open_cache({"NOX_LOCK_CACHE_DIR": str(folder)}, told.append).folder is None
    [warning] = told
    assert "NOX_LOCK_CACHE_DIR" in warning
    assert "continuing without a cache" in warning
    assert str(tmp_path) not in warning
    assert obstacle.read_text(encoding="utf-8") == "in the way"


def link_to_another(path: Path, other: Path) -> None:
    path.unlink()
    path.symlink_to(other)


def link_to_itself(path: Path, _other: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def link_to_nowhere(path: Path, _other: Path) -> None:
    path.unlink()
    path.symlink_to(path.with_name("nowhere"))


def from_the_future(path: Path, _other: Path) -> None:
    """As a later version might write it: another check, more keys."""
    stored = json.loads(path.read_text("utf-8"))
    told = {"version": 2, "body": stored["body"], "day": stored["day"], "check": "v2:abc"}
    path.write_text(json.dumps(told), encoding="utf-8")


@pytest.mark.parametrize(
    "damage",
    [
        *(flip, swap, nest),
        *(flip_one_bit_of_a_hash, truncate, empty, retype, relist, unencode),
        *(link_to_another, link_to_itself, link_to_nowhere, from_the_future),
    ],
)
def test_what_does_not_verify_is_dropped(
    tmp_path: Path, damage: Callable[[Path, Path], None]
) -> None:
    """The same for these and more damages, without a compile."""
    cache = Cache(tmp_path)
    (tmp_path / "v2" / "work").mkdir(parents=True)
    keys = ("a" * 64, "b" * 64)
    entry, other = (
        CacheEntry(f"lib=={version} \\\n    --hash=sha256:{'0' * 64}\n", "2026-01-02")
        for version in ("1.0", "2.0")
    )
    for key, each in zip(keys, (entry, other), strict=True):
        cache.put(key, each)
    paths = [tmp_path / "v2" / "locks" / key[:2] / f"{key}.json" for key in keys]
    damage(*paths)
    assert cache.get(keys[0]) is None
    assert cache.get(keys[1]) == other
    cache.put(keys[0], entry)
    assert cache.get(keys[0]) == entry
    assert cache.get(keys[1]) == other


def test_each_flipped_bit_is_seen(tmp_path: Path) -> None:
    cache, key = Cache(tmp_path), "a" * 64
    (tmp_path / "v2" / "work").mkdir(parents=True)
    entry = CacheEntry("lib==1.0\n", "2026-01-02")
    cache.put(key, entry)
    path = tmp_path / "v2" / "locks" / "aa" / f"{key}.json"
    sound = path.read_bytes()
    for place in range(len(sound) * 8):
        data = bytearray(sound)
        data[place // 8] ^= 1 << place % 8
        path.write_bytes(bytes(data))
        # A flip may lead to the same value by another spelling, never to another one.
        assert cache.get(key) in {None, entry}, place


def test_the_cache_may_go_at_any_time(cached: Project, index: LocalIndex) -> None:
    """Deleted while a compile is under way in it: the lock is made all the same."""
    cached.write(INPUT, "app\nlib!=0.1\n")
    cached.env["NOX_LOCK_ON_STALE"] = "lock"
    remove_lock(cached)
    index.clear_requests()
    running = cached.start_nox("-s", "lock", "--", "--no-cache")
    while running.poll() is None and not index.pages("lib"):
        time.sleep(0.005)
    shutil.rmtree(cached.home / "nox-lock-cache", ignore_errors=True)
    [run] = finish(running)
    assert run.returncode == 0 or "Traceback" not in run.output
    assert not cached.exists(LOCK) or pins(cached.read(LOCK)) == {"app": "1.0", "lib": "1.0"}
    cached.nox("-s", "lock", "lock-check").ok()
    assert pins(cached.read(LOCK)) == {"app": "1.0", "lib": "1.0"}


def age(path: Path, days: float) -> None:
    moment = time.time() - days * 24 * 3600
    os.utime(path, (moment, moment))


def test_what_is_unused_for_long_goes(tmp_path: Path) -> None:
    """After 90 days without use, on a write; to be read counts as a use."""
    cache = Cache(tmp_path)
    for part in ("work", "busy"):
        (tmp_path / "v2" / part).mkdir(parents=True)
    entry, keys = CacheEntry("lib==1.0\n", "2026-01-02"), [letter * 64 for letter in "abc"]
    for key in keys:
        cache.put(key, entry)
    old, used, young = (tmp_path / "v2" / "locks" / k[:2] / f"{k}.json" for k in keys)
    busy = tmp_path / "v2" / "busy" / "key.lock"
    busy.touch()
    for path, days in ((old, 91), (used, 91), (young, 89), (busy, 91)):
        age(path, days)
    assert cache.get(keys[1]) == entry
    cache.put("d" * 64, entry)
    assert [path.exists() for path in (old, used, young, busy)] == [False, True, True, False]


@pytest.mark.parametrize(
    "wanted", ["--find-links ./wheels\napp\nhandmade\n", "app\nhandmade @ file:./wheels/{}\n"]
)
def test_what_a_folder_here_has_is_no_answer_for_another(
    cached: Project, clone: Project, wanted: str
) -> None:
    """Two projects with the same inputs, and a file of one name in a folder of each."""
    for project, needed in ((cached, "lib"), (clone, "alien")):
        wheel = build_wheel(project.root / "wheels", "handmade", "1.0", requires=[needed])
        project.write(INPUT, wanted.format(wheel.name))
        (project.root / LOCK).unlink(missing_ok=True)
        assert "compiled" in project.nox("-s", "lock").ok().output
        assert needed in pins(project.read(LOCK))
    assert "alien" in pins(clone.read(LOCK))

"""Many at once that need the same lock: one compiles it, and all go on with it."""

from __future__ import annotations

import inspect
import re
from itertools import combinations
from typing import TYPE_CHECKING

import nox
import pytest

from support.locks import pins
from support.project import Project, finish

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.index import LocalIndex
    from support.project import Run

NOXFILE = """
    import nox_lock

    nox_lock.add_sessions()
"""
SESSIONS = ("one", "two", "three", "four")
PARALLEL_NOXFILE = (
    NOXFILE
    + """

    def use(session):
        session.run("python", "-c", "import lib; print('lib', lib.__version__)")


    for name in ("one", "two", "three", "four"):
        nox_lock.session(name=name, allow_parallel=True, venv_backend="uv|virtualenv")(use)
"""
)
LOCK = "requirements.txt"
WANTED = {"app": "1.0", "lib": "1.0"}


class Crowd:
    """Checkouts of one project by one user, and what one compile costs the index."""

    def __init__(self, index: LocalIndex, home: Path, folder: Path, env: dict[str, str]) -> None:
        self.index = index
        self.home = home
        self.folder = folder
        self.env = env
        self.checkouts: list[Project] = []

    def checkout(self, name: str, *, home: Path | None = None) -> Project:
        project = Project(self.folder / name, home or self.home, self.index, self.env)
        project.write("noxfile.py", NOXFILE)
        project.write("requirements.in", "app\n")
        self.checkouts.append(project)
        return project

    def cost_of_one(self) -> int:
        """Return how often one compile alone asks for a page; with a cache of its own."""
        alone = self.checkout("alone", home=self.folder / "home of another")
        self.index.clear_requests()
        assert compiled(alone.nox("-s", "lock").ok()) == 1
        cost = self.index.pages("lib")
        assert cost > 0
        self.index.clear_requests()
        return cost


@pytest.fixture
def crowd(index: LocalIndex, home: Path, project: Project, tmp_path: Path) -> Iterator[Crowd]:
    index.publish("app", "1.0", requires=["lib"])
    index.publish("lib", "1.0")
    gathered = Crowd(index, home, tmp_path, project.env)
    yield gathered
    for each in gathered.checkouts:
        each.close()


def compiled(*runs: Run) -> int:
    return sum(run.output.count("compiled in") for run in runs)


def test_two_on_one_checkout_compile_once(crowd: Crowd, index: LocalIndex) -> None:
    """Two `nox -s lock` at once in one folder: both succeed, one has compiled."""
    cost = crowd.cost_of_one()
    project = crowd.checkout("project")
    runs = [run.ok() for run in finish(*(project.start_nox("-s", "lock") for _ in range(2)))]
    assert index.pages("lib") == cost
    assert compiled(*runs) == 1
    # The other finds the lock file, or, before that is written, what is in the cache.
    others = ("up to date", "restored from the cache")
    assert sum(any(each in run.output for each in others) for run in runs) == 1
    assert pins(project.read(LOCK)) == WANTED
    assert set(project.snapshot()) == {"noxfile.py", "requirements.in", LOCK}
    project.nox("-s", "lock-check").ok()


def test_two_checkouts_with_one_cache_compile_once(crowd: Crowd, index: LocalIndex) -> None:
    """Two clones of one user lock at once: one compiles, the other gets it from the cache."""
    cost = crowd.cost_of_one()
    clones = [crowd.checkout(name) for name in ("left", "right")]
    runs = [run.ok() for run in finish(*(clone.start_nox("-s", "lock") for clone in clones))]
    assert index.pages("lib") == cost
    assert compiled(*runs) == 1
    assert sum("restored from the cache" in run.output for run in runs) == 1
    assert clones[0].read(LOCK) == clones[1].read(LOCK)
    assert pins(clones[0].read(LOCK)) == WANTED


def test_two_that_need_different_locks_do_not_wait_for_each_other(crowd: Crowd) -> None:
    """Only who needs the same lock waits: others compile side by side."""
    clones = [crowd.checkout(name) for name in ("left", "right")]
    clones[1].write("requirements.in", "lib\n")
    runs = [run.ok() for run in finish(*(clone.start_nox("-s", "lock") for clone in clones))]
    assert compiled(*runs) == 2
    assert not any("waiting" in run.output for run in runs)
    assert [pins(clone.read(LOCK)) for clone in clones] == [WANTED, {"lib": "1.0"}]


def test_two_upgrades_at_once_both_succeed(crowd: Crowd, index: LocalIndex) -> None:
    """Two `-U` on one checkout: the lock is whole, and holds the newest."""
    project = crowd.checkout("project")
    project.nox("-s", "lock").ok()
    index.publish("lib", "2.0")
    command = ("-s", "lock", "--", "-U")
    for run in finish(*(project.start_nox(*command) for _ in range(2))):
        run.ok()
    assert pins(project.read(LOCK)) == {"app": "1.0", "lib": "2.0"}
    project.nox("-s", "lock-check").ok()


def test_a_failure_is_told_to_each_and_leaves_no_lock_held(crowd: Crowd, index: LocalIndex) -> None:
    """When the compile fails, all say why, none hangs; and the next run finds the way free."""
    project = crowd.checkout("project")
    project.write("requirements.in", "app\nnowhere\n")
    for run in finish(*(project.start_nox("-s", "lock") for _ in range(2)), timeout=60):
        assert "no package index has a project 'nowhere'" in run.failed().output
    assert not project.exists(LOCK)
    index.publish("nowhere", "1.0")
    assert compiled(project.nox("-s", "lock", timeout=60).ok()) == 1


def needs_parallel_nox() -> None:
    if "allow_parallel" not in inspect.signature(nox.session).parameters:
        pytest.skip("this nox has no -j")


def test_sessions_side_by_side_compile_once(crowd: Crowd, index: LocalIndex) -> None:
    """`nox -j 4` with four sessions that miss the same lock: one compile, all run on it."""
    needs_parallel_nox()
    cost = crowd.cost_of_one()
    project = crowd.checkout("project")
    project.write("noxfile.py", PARALLEL_NOXFILE)
    run = project.nox("-j", "4", "-s", *SESSIONS).ok()
    assert compiled(run) == 1
    assert index.pages("lib") == cost + len(SESSIONS)  # each installs it once
    assert run.output.count("lib 1.0") == len(SESSIONS)
    for name in SESSIONS:
        found = project.venv_versions(name)
        assert {each: found.get(each) for each in WANTED} == WANTED
    assert pins(project.read(LOCK)) == WANTED

    index.clear_requests()
    again = project.nox("-j", "4", "-s", *SESSIONS).ok()
    assert again.output.count("lib 1.0") == len(SESSIONS)
    assert index.requests() == []


def test_checkouts_at_different_states_keep_to_their_own(crowd: Crowd, index: LocalIndex) -> None:
    """Two checkouts of one repository with different inputs, three rounds: never the other's."""
    index.publish("lib", "2.0")
    ways = {"left": "app\nlib<2\n", "right": "app\nlib>=2\n"}
    right = {"app\nlib<2\n": "1.0", "app\nlib>=2\n": "2.0"}
    clones = [crowd.checkout(name) for name in ways]
    texts = list(ways.values())
    total = 0
    for _ in range(3):
        for clone, text in zip(clones, texts, strict=True):
            clone.write("requirements.in", text)
            (clone.root / LOCK).unlink(missing_ok=True)
        runs = [run.ok() for run in finish(*(clone.start_nox("-s", "lock") for clone in clones))]
        total += compiled(*runs)
        for clone, text in zip(clones, texts, strict=True):
            assert pins(clone.read(LOCK)) == {"app": "1.0", "lib": right[text]}
        texts.reverse()  # each checks out the other's branch
    assert total == 2


@pytest.mark.long
def test_sixty_four_compile_once(crowd: Crowd, index: LocalIndex) -> None:
    """Half on one checkout and half on clones of it, all at once: 1 compile, 64 successes."""
    cost = crowd.cost_of_one()
    one = crowd.checkout("one")
    clones = [crowd.checkout(f"clone-{number}") for number in range(32)]
    everybody = [one] * 32 + clones
    runs = finish(*(each.start_nox("-s", "lock") for each in everybody), timeout=600)
    assert len([run.ok() for run in runs]) == 64
    assert compiled(*runs) == 1
    assert index.pages("lib") == cost
    assert len({checkout.read(LOCK) for checkout in everybody}) == 1
    assert pins(one.read(LOCK)) == WANTED


@pytest.mark.long
def test_sixteen_over_eight_locks_compile_eight_times(crowd: Crowd) -> None:
    """Two checkouts, eight locks, a process for each: each lock is compiled once."""
    checkouts = [crowd.checkout(name) for name in ("left", "right")]
    names = [f"part{number}" for number in range(8)]
    for checkout in checkouts:
        (checkout.root / "requirements.in").unlink()
        for name in names:
            checkout.write(f"requirements/{name}.in", f"app\nlib!=0.{name[-1]}\n")
    started = [
        checkout.start_nox("-s", "lock", "--", name) for checkout in checkouts for name in names
    ]
    runs = [run.ok() for run in finish(*started, timeout=600)]
    assert len(runs) == 16
    assert compiled(*runs) == 8
    assert sum(run.output.count("restored from the cache") for run in runs) == 8
    for name in names:
        [lock] = {checkout.read(f"requirements/{name}.txt") for checkout in checkouts}
        assert pins(lock) == WANTED


MIXED_NOXFILE = """
    import nox
    import nox_lock

    nox.options.allow_parallel = True
    nox_lock.add_sessions()


    def use(session):
        session.run("python", "-c", "import lib; print('lib', lib.__version__)")


    for name, lock in {uses}.items():
        nox_lock.session(name=name, lock=lock, venv_backend="uv|virtualenv")(use)
"""
USES = {"one": "app", "two": "app", "three": "lib"}
KINDS = ("lock", "lock-check", *USES)


def mixtures() -> list[tuple[str, ...]]:
    """Return every mixture of two or more of these sessions."""
    every = (combinations(KINDS, size) for size in range(2, len(KINDS) + 1))
    return [each for some in every for each in some]


def mix(project: Project, sessions: tuple[str, ...], number: int) -> None:
    """Run sessions side by side on a stale lock, or two; what holds then does not hang on luck.

    A check beside what locks sees the old or the new: either verdict is right, nothing else is.
    """
    locks = {name: f"requirements/{name}.txt" for name in ("app", "lib")}
    for name in (("app", "lib"), ("app",), ("lib",))[number % 3]:
        project.write(f"requirements/{name}.in", f"{name}\nlib!=0.{number}\n")
        (project.root / locks[name]).unlink(missing_ok=True)
    before = {name for name, path in locks.items() if project.exists(path)}
    users = [name for name in sessions if name in USES]
    needed = set(locks) if "lock" in sessions else {USES[name] for name in users}

    run = project.nox("-j", str(len(sessions)), "-s", *sessions)
    told = f"round {number}, {sessions}:\n{run.output}"
    assert "Traceback" not in run.output, told
    assert run.returncode in ({0, 1} if "lock-check" in sessions else {0}), told
    if run.returncode:
        assert re.search(r"requirements/(app|lib)\.txt: missing", run.output), told
    assert run.output.count("lib 1.0") == len(users), told
    assert compiled(run) == len(needed - before), told
    wanted = {"app": WANTED, "lib": {"lib": "1.0"}}
    for name in before | needed:
        assert pins(project.read(locks[name])) == wanted[name], told
    for name in users:
        assert project.venv_versions(name).get("lib") == "1.0", told


def mixed(crowd: Crowd, rounds: int) -> None:
    needs_parallel_nox()
    project = crowd.checkout("mixed")
    (project.root / "requirements.in").unlink()
    project.write("noxfile.py", MIXED_NOXFILE.format(uses=USES))
    every = mixtures()
    for number in range(rounds):
        # From all at once on; a stride of 7 comes past each of the 26.
        mix(project, every[-1 - number * 7 % len(every)], number)
    project.nox("-s", "lock").ok()
    project.nox("-s", "lock-check").ok()


def test_mixtures_side_by_side(crowd: Crowd) -> None:
    """`nox -j` with locks, checks and tests in one call: each does what it would do alone."""
    mixed(crowd, 3)


@pytest.mark.long
def test_every_mixture_side_by_side(crowd: Crowd) -> None:
    mixed(crowd, 52)

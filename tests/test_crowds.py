"""Many at once that need the same lock: one compiles it, and all go on with it."""

from __future__ import annotations

import inspect
import json
import random
from typing import TYPE_CHECKING

import nox
import pytest

from support.faults import leftovers, seeds
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
    assert sum("up to date" in run.output for run in runs) == 1
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


def spread(crowd: Crowd, locks: int, checkouts: int) -> None:
    """Each lock in each checkout by a process of its own, all at once: a compile for each lock."""
    names = [f"part{number}" for number in range(locks)]
    clones = [crowd.checkout(f"spread-{number}") for number in range(checkouts)]
    for clone in clones:
        (clone.root / "requirements.in").unlink()
        for number, name in enumerate(names):
            clone.write(f"requirements/{name}.in", f"app\nlib!=0.{number}\n")
    runs = [clone.start_nox("-s", "lock", "--", name) for clone in clones for name in names]
    assert compiled(*(run.ok() for run in finish(*runs))) == locks
    for name in names:
        made = {clone.read(f"requirements/{name}.txt") for clone in clones}
        assert [pins(text) for text in made] == [WANTED]
    assert leftovers(crowd.home, *(clone.root for clone in clones)) == []


def test_four_over_two_locks_and_two_checkouts(crowd: Crowd) -> None:
    spread(crowd, 2, 2)


@pytest.mark.long
def test_sixteen_over_eight_locks_and_two_checkouts(crowd: Crowd) -> None:
    spread(crowd, 8, 2)


def exchange(crowd: Crowd, index: LocalIndex, rounds: int) -> None:
    """Two checkouts that ask for different things, side by side, and then for each other's."""
    index.publish("lib", "2.0")
    versions = ["1.0", "2.0"]
    clones = [crowd.checkout(name) for name in ("left", "right")]
    for _ in range(rounds):
        for clone, version in zip(clones, versions, strict=True):
            clone.write("requirements.in", f"app\nlib=={version}\n")
        for run in finish(*(clone.start_nox("-s", "lock", "lock-check") for clone in clones)):
            run.ok()
        for clone, version in zip(clones, versions, strict=True):
            assert pins(clone.read(LOCK)) == {"app": "1.0", "lib": version}
        versions.reverse()


def test_checkouts_at_different_states_exchange_no_lock(crowd: Crowd, index: LocalIndex) -> None:
    exchange(crowd, index, 2)


@pytest.mark.long
def test_checkouts_go_back_and_forth(crowd: Crowd, index: LocalIndex) -> None:
    exchange(crowd, index, 20)


class Mixture:
    """Runs of `nox -j`, two at once on one checkout, with sessions and states by a seed."""

    def __init__(self, crowd: Crowd, index: LocalIndex) -> None:
        index.publish("lib", "2.0")
        self.project = crowd.checkout("mixed")
        self.project.write("noxfile.py", PARALLEL_NOXFILE)
        self.home = crowd.home
        # Two runs of nox that make one environment at once are in each other's way by themselves.
        self.project.nox("-j", "4", "-s", *SESSIONS[:3]).ok()

    def run(self, seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311  (to be told again, not to be guessed)
        version = chance.choice(["1.0", "2.0"])
        self.project.write("requirements.in", f"app\nlib=={version}\n")
        if chance.random() < 0.5:
            (self.project.root / LOCK).unlink(missing_ok=True)
        runs, reports = [], []
        for number in range(2):
            names = chance.sample(["lock", "lock-check", *SESSIONS[:3]], chance.randint(2, 4))
            reports.append(self.home / f"report-{number}.json")
            reports[-1].unlink(missing_ok=True)
            command = ("-j", "4", "--report", str(reports[-1]), "-s", *names)
            runs.append(self.project.start_nox(*command))
        for run, report in zip(finish(*runs), reports, strict=True):
            told = f"NOX_LOCK_TESTS_SEED={seed}\n{run.output}"
            results = json.loads(report.read_text("utf-8"))["sessions"]
            # A check may come before what makes the lock; all else must end well.
            failed = {each["name"] for each in results if each["result"] != "success"}
            assert failed <= {"lock-check"}, told
            assert "Traceback" not in run.output, told
            done = sum(each["name"] in SESSIONS for each in results)
            assert run.output.count(f"lib {version}") == done, told
        self.project.nox("-s", "lock", "lock-check").ok()
        assert pins(self.project.read(LOCK)) == {"app": "1.0", "lib": version}
        assert leftovers(self.home, self.project.root) == []


@pytest.mark.parametrize("rounds", [3, pytest.param(50, marks=pytest.mark.long)])
def test_every_mixture_of_sessions(crowd: Crowd, index: LocalIndex, rounds: int) -> None:
    """Locks, checks and sessions side by side, the lock missing, stale or fresh: no flake."""
    needs_parallel_nox()
    mixture = Mixture(crowd, index)
    for seed in seeds(rounds):
        mixture.run(seed)


@pytest.mark.long
def test_sixty_four_compile_once(crowd: Crowd, index: LocalIndex) -> None:
    """64 processes on eight checkouts that miss one lock: one compiles, all succeed."""
    cost = crowd.cost_of_one()
    clones = [crowd.checkout(f"clone-{number}") for number in range(8)]
    processes = [clone.start_nox("-s", "lock") for clone in clones for _ in range(8)]
    runs = [run.ok() for run in finish(*processes)]
    assert len(runs) == 64
    assert compiled(*runs) == 1
    assert index.pages("lib") == cost
    assert len({clone.read(LOCK) for clone in clones}) == 1
    assert leftovers(crowd.home, *(clone.root for clone in clones)) == []


@pytest.mark.long
def test_sixteen_compile_once(crowd: Crowd, index: LocalIndex) -> None:
    """Eight on one checkout and eight clones, all at once, three times: one compile each time."""
    cost = crowd.cost_of_one()
    for turn in range(3):
        one = crowd.checkout(f"{turn}-one")
        clones = [crowd.checkout(f"{turn}-clone-{number}") for number in range(8)]
        everybody = [one] * 8 + clones
        for checkout in {one, *clones}:
            checkout.write("requirements.in", f"app\nlib!=0.{turn}\n")
        index.clear_requests()
        processes = [each.start_nox("-s", "lock") for each in everybody]
        runs = [run.ok() for run in finish(*processes)]
        assert compiled(*runs) == 1
        assert index.pages("lib") == cost
        assert len({checkout.read(LOCK) for checkout in everybody}) == 1
        assert pins(one.read(LOCK)) == WANTED

"""Locks that build on each other: each form of a layer, in order, in one run, all or none."""

from __future__ import annotations

import shutil
import sys
import textwrap
import time
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nox_lock.checking.judge import judge
from nox_lock.errors import ConfigError, RequirementsError
from nox_lock.files import write_all as write_files
from nox_lock.lockfile import lock_file
from support.faults import age
from support.layers import (
    BASE,
    DEV,
    Step,
    bodies,
    by_hand,
    compiled,
    layered_project,
    layers,
    lock,
    locks,
    planned_in,
    publish,
    stamp,
    verdicts,
    write_all,
)
from support.locks import fingerprint, pins
from support.project import Project, finish, kill

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from support.index import LocalIndex
    from support.prepared import Prepared

ASKED = "app\nlib<2\n"  # of the base
OLD = ["app==1.0 -r requirements.in", "lib==1.0 -r requirements.in, app"]  # its lock
MOVED = "app\nlib>=2\n"


project = pytest.fixture(layered_project)


@pytest.fixture(scope="module")
def made(prepared: Prepared) -> Prepared:
    """Return an empty project in whose cache is what most tests lock, and what that moves to."""
    publish(prepared.index)
    for line in ("-c requirements.txt", "-r requirements.in"):
        write_all(prepared.project, over(line))
        lock(prepared.project).ok()
        prepared.project.write("requirements.in", MOVED)
        lock(prepared.project).ok()
        for path in prepared.project.snapshot():
            (prepared.project.root / path).unlink()
    prepared.freeze()
    return prepared


@pytest.fixture
def stocked(made: Prepared, tmp_path: Path) -> Iterator[Project]:
    """Return an empty project that need not compile what it first asks for."""
    yield from made.lend(tmp_path / "above")


class Form(NamedTuple):
    """A way to build on a lock: the files, which of them is the base, and the same by hand."""

    files: Mapping[str, str]
    steps: tuple[Step, ...]
    base: str = "requirements.in"


def declared(name: str, *lower: str) -> str:
    source = f"requirements-{name}.in"
    return f"[tool.nox-lock.locks.{name}]\ninputs = ['{source}']\nconstraints = {[*lower]}\n"


def over(line: str, **more: str) -> dict[str, str]:
    return {"requirements.in": ASKED, "requirements-dev.in": f"{line}\ntool\n", **more}


LOWER = Step(BASE, "requirements.in")
UPPER = Step(DEV, "requirements-dev.in", (), (BASE,))
FORMS = {
    "a chain": Form(
        {
            "requirements.in": ASKED,
            "requirements-b.in": "-c requirements.txt\ndep\n",
            "requirements-c.in": "-r requirements-b.in\nlib\n",
            "requirements-a.in": "-r requirements-c.txt\ntool\n",
        },
        (
            LOWER,
            Step("requirements-b.txt", "requirements-b.in", (), (BASE,)),
            Step("requirements-c.txt", "requirements-c.in", (), ("requirements-b.txt",)),
            Step("requirements-a.txt", "requirements-a.in", (), ("requirements-c.txt",)),
        ),
    ),
    "a diamond": Form(
        {
            "requirements.in": ASKED,
            "requirements-left.in": "-r requirements.in\ndep\n",
            "requirements-right.in": "-c requirements.txt\nlib\n",
            "requirements-all.in": "-c requirements-left.txt\n-r requirements-right.in\ntool\n",
        },
        (
            LOWER,
            Step("requirements-left.txt", "requirements-left.in", (), (BASE,)),
            Step("requirements-right.txt", "requirements-right.in", (), (BASE,)),
            Step(
                "requirements-all.txt",
                "requirements-all.in",
                (),
                ("requirements-left.txt", "requirements-right.txt"),
            ),
        ),
    ),
    "a linked input": Form(
        {
            "requirements.in -> shared/base.in": "",
            "shared/base.in": ASKED,
            "requirements-dev.in": "-c shared/base.in\ntool\n",
        },
        (LOWER, UPPER),
        "shared/base.in",
    ),
    "in a folder": Form(
        {
            "requirements/base.in": ASKED,
            "requirements/dev.in": "-c base.txt\ntool\n",
            "requirements-all.in": "-r requirements/base.in\n-c requirements/dev.txt\n",
        },
        (
            Step("requirements/base.txt", "requirements/base.in"),
            Step("requirements/dev.txt", "requirements/dev.in", (), ("requirements/base.txt",)),
            Step("requirements-all.txt", "requirements-all.in", (), ("requirements/dev.txt",)),
        ),
        "requirements/base.in",
    ),
    "above the root": Form(
        {
            "../common.in": ASKED,
            "requirements.in": "-r ../common.in\n",
            "requirements-dev.in": "-r ../common.in\n-c requirements.txt\ntool\n",
        },
        (LOWER, UPPER),
        "../common.in",
    ),
    "above the root, and down again": Form(
        {
            "../common.in": "-c own\\ name/requirements.txt\ndep\n",
            "requirements.in": ASKED,
            "requirements-dev.in": "-r ../common.in\ntool\n",
        },
        (LOWER, UPPER),
    ),
}  # fmt: skip


@pytest.mark.long  # `test_every_form_over_such_a_base` of `test_agreement` is sooner
@pytest.mark.parametrize("name", FORMS)
def test_layers_in_many_places(name: str, project: Project, index: LocalIndex) -> None:
    """One run locks all as pip-compile does by hand; the next none, until the base moves."""
    form = FORMS[name]
    write_all(project, form.files)
    wanted = by_hand(project, form.steps)
    run = project.nox("-s", "lock", "lock-check").ok()
    assert "warning" not in run.output.lower()
    assert bodies(project) == wanted
    assert compiled(run) == len(wanted)

    index.clear_requests()
    before = {path: fingerprint(project.root / path) for path in wanted}
    run = project.nox("-s", "lock", "lock-check").ok()
    assert "compil" not in run.output
    assert {path: fingerprint(project.root / path) for path in wanted} == before
    assert index.requests() == []

    project.write(form.base, MOVED)
    stale = {path for path, verdict in verdicts(project.root).items() if not verdict.fresh}
    assert form.steps[0].lockfile in stale


@pytest.mark.long  # `test_many_at_once_on_one_stack` and `test_agreement` are sooner
@pytest.mark.parametrize("name", FORMS)
def test_a_moved_base_moves_layers_in_many_places(name: str, project: Project) -> None:
    form = FORMS[name]
    write_all(project, form.files)
    lock(project).ok()
    project.write(form.base, MOVED)
    project.nox("-s", "lock", "lock-check").ok()
    assert set(locks(project)) == {step.lockfile for step in form.steps}
    for path, text in locks(project).items():
        assert pins(text).get("lib", "2.0") == "2.0", path


ALL_FORMS = {
    "requirements-a.in": "-r requirements.in\ntool\n",
    "requirements-b.in": "-c requirements.in\ntool\n",
    "requirements-c.in": "-r requirements.txt\ntool\n",
    "requirements-d.in": "-c requirements.txt\ntool\n",
    "requirements-e.in": "tool\n",
}
UPPERS = [source.replace(".in", ".txt") for source in ALL_FORMS]
ALL_STEPS = (
    LOWER,
    *(Step(source.replace(".in", ".txt"), source, (), (BASE,)) for source in list(ALL_FORMS)[:4]),
    Step("requirements-e.txt", "requirements-e.in", (f"--constraint={BASE}",), (BASE,)),
)


def all_forms(base: str, common: str = "", uppers: Sequence[str] = UPPERS) -> dict[str, str]:
    """Return a project with layers above one base, each of another form."""
    table = f"[tool.nox-lock]\n{common}\n{declared('e', 'requirements')}"
    forms = {f"{path[:-4]}.in": ALL_FORMS[f"{path[:-4]}.in"] for path in uppers}
    return {"requirements.in": base, "pyproject.toml": table, **forms}


def lib_of(project: Project, uppers: Sequence[str] = UPPERS) -> set[str]:
    """Return the versions of lib that the locks have."""
    found = locks(project)
    assert set(found) == {BASE, *uppers}
    return {pins(text)["lib"] for text in found.values()}


@pytest.mark.long  # `test_every_form_over_such_a_base` of `test_agreement` is sooner
@pytest.mark.parametrize("hashes", ["true", "false"])
def test_five_forms_of_a_layer(hashes: str, project: Project, index: LocalIndex) -> None:
    """One run makes each as pip-compile does by hand; the next none; a moved base moves all."""
    write_all(project, all_forms(ASKED, f"generate-hashes = {hashes}"))
    options = ["--allow-unsafe", "--strip-extras"] + ["--generate-hashes"] * (hashes == "true")
    wanted = by_hand(project, ALL_STEPS, options)
    run = project.nox("-s", "lock", "lock-check").ok()
    assert "warning" not in run.output.lower()
    assert bodies(project) == wanted
    assert compiled(run) == len(wanted)
    index.clear_requests()
    before = {path: fingerprint(project.root / path) for path in wanted}
    run = project.nox("-s", "lock", "lock-check").ok()
    assert "compil" not in run.output
    assert {path: fingerprint(project.root / path) for path in wanted} == before
    assert index.requests() == []
    project.write("requirements.in", MOVED)
    project.nox("-s", "lock", "lock-check").ok()
    assert lib_of(project) == {"2.0"}


@pytest.mark.parametrize(
    "uppers", [[UPPERS[0], UPPERS[4]], pytest.param(UPPERS, marks=pytest.mark.long)], ids=len
)
def test_upgrades_reach_every_layer_in_one_run(
    uppers: list[str], project: Project, index: LocalIndex
) -> None:
    """With -U and with -P, whatever the form; what nobody asked for stays."""
    write_all(project, all_forms("app\nlib<3\n", "", uppers))
    app, lib = "app==1.0 -r requirements.in", "lib==2.0 -r requirements.in, app"
    bodies: dict[str, list[str]] = {"requirements": [app, lib]}
    for name in (path.removeprefix("requirements-")[:-4] for path in uppers):
        tool = f"tool==1.0 -r requirements-{name}.in"
        bodies[name] = [app] * (name in "ac") + ["dep==1.0 tool", "lib==2.0 tool", tool]
    stamp(project, bodies)
    for name in ("lib", "tool", "dep"):
        index.publish(name, "2.1", requires=["lib", "dep"] if name == "tool" else [])
    lock(project, "-P", "lib").ok()
    assert lib_of(project, uppers) == {"2.1"}
    for path in uppers:
        found = pins(project.read(path))
        assert (found["tool"], found["dep"]) == ("1.0", "1.0"), path

    index.publish("lib", "2.2")
    lock(project, "-U").ok()
    assert lib_of(project, uppers) == {"2.2"}
    assert {pins(project.read(path))["tool"] for path in uppers} == {"2.1"}
    before = project.snapshot()
    assert compiled(project.nox("-s", "lock", "lock-check").ok()) == 0
    assert project.snapshot() == before

    # One that only the uppers have, and one with a limit.
    index.publish("dep", "2.3")
    index.publish("lib", "2.4")
    lock(project, "-P", "dep", "-P", "lib<2.2").ok()
    assert lib_of(project, uppers) == {"2.1"}
    assert {pins(project.read(path))["dep"] for path in uppers} == {"2.3"}
    project.nox("-s", "lock-check").ok()


def test_one_name_touches_it_and_what_it_builds_on(stocked: Project) -> None:
    """`-- dev` leaves the others; `-- requirements` leaves dev, and the check says why."""
    write_all(
        stocked,
        {
            "requirements.in": ASKED,
            "requirements-dev.in": "-c requirements.txt\ntool\n",
            "requirements-docs.in": "-r requirements.in\ndep\n",
        },
    )
    lock(stocked, "dev").ok()
    assert set(locks(stocked)) == {BASE, DEV}
    old = stocked.read(DEV)
    stocked.write("requirements.in", MOVED)
    lock(stocked, "requirements").ok()
    assert set(locks(stocked)) == {BASE, DEV}
    assert pins(stocked.read(BASE))["lib"] == "2.0"
    assert stocked.read(DEV) == old
    said = stocked.nox("-s", "lock-check", "--", "dev").failed().output
    line = 1 + old.splitlines().index("lib==1.0 \\")
    assert f"lib==1.0, but lib==2.0 in {BASE}, which it builds on ({DEV}:{line})" in said
    lock(stocked, "dev").ok()
    assert pins(stocked.read(DEV))["lib"] == "2.0"
    # A base put back to an older state is what counts, though dev is newer.
    (stocked.root / BASE).unlink()
    said = stocked.nox("-s", "lock-check").failed().output
    assert f"it builds on {BASE}, which is not there (requirements-dev.in:1)" in said
    stocked.write("requirements.in", "app\nlib\n")
    newer = stocked.read(DEV)
    lock(stocked).ok()
    assert pins(stocked.read(DEV)) == pins(newer)


def test_an_old_base_put_back_takes_the_upper_with_it(stocked: Project) -> None:
    """Of a base of old and a newer upper, the base counts: it moves for nobody."""
    write_all(stocked, over("-r requirements.in"))
    lock(stocked).ok()
    old = stocked.read(BASE)
    stocked.write("requirements.in", MOVED)
    lock(stocked).ok()
    stocked.write("requirements.in", "app\nlib\n")
    stocked.write(BASE, old)
    assert verdicts(stocked.root)[BASE].fresh
    assert not verdicts(stocked.root)[DEV].fresh
    stocked.nox("-s", "lock", "lock-check").ok()
    assert pins(stocked.read(BASE))["lib"] == "1.0"
    assert pins(stocked.read(DEV))["lib"] == "1.0"


def test_a_stack_comes_from_the_cache_as_a_whole(stocked: Project, made: Prepared) -> None:
    uppers = UPPERS[3:]
    write_all(stocked, all_forms(ASKED, "", uppers))
    lock(stocked).ok()
    before = stocked.snapshot()
    for path in (BASE, *uppers):
        (stocked.root / path).unlink()
    made.index.stop()
    run = lock(stocked).ok()
    assert run.output.count("restored from the cache") == 1 + len(uppers)
    assert stocked.snapshot() == before


# All or none


def test_an_upper_that_cannot_be_made_keeps_the_whole_stack_as_it_was(
    stocked: Project, made: Prepared
) -> None:
    """Another stack goes on; once it can be made, one run makes all."""
    write_all(stocked, over("-r requirements.in"))
    lock(stocked).ok()
    before = {path: fingerprint(stocked.root / path) for path in (BASE, DEV)}
    made.index.publish("dep", "2.0")
    stocked.write("requirements.in", MOVED)
    stocked.write("requirements-docs.in", "dep>1\n")
    stocked.write("requirements-dev.in", "-r requirements.in\ntool\nnowhere\n")
    said = lock(stocked).failed().output
    assert "no package index has a project 'nowhere'" in said
    assert f"{BASE}: not updated: {DEV} (same stack) could not be locked" in said
    assert {path: fingerprint(stocked.root / path) for path in (BASE, DEV)} == before
    assert pins(stocked.read("requirements-docs.txt")) == {"dep": "2.0"}
    made.index.publish("nowhere", "1.0")
    stocked.nox("-s", "lock", "lock-check").ok()
    assert pins(stocked.read(DEV))["lib"] == "2.0"


def test_a_base_that_cannot_be_made_blocks_what_is_above(stocked: Project) -> None:
    write_all(stocked, over("-c requirements.txt"))
    lock(stocked).ok()
    before = stocked.snapshot()
    stocked.write("requirements.in", "app\nlib>=9\n")
    said = lock(stocked).failed().output
    assert "no version meets lib>=9; there are 1.0, 2.0" in said
    assert f"{DEV}: not updated: {BASE} (same stack) could not be locked" in said
    assert {**stocked.snapshot(), "requirements.in": b""} == {**before, "requirements.in": b""}


def test_an_upper_that_is_no_lock_file_keeps_the_base_as_it_was(stocked: Project) -> None:
    write_all(stocked, over("-r requirements.in"))
    stocked.write(DEV, "something=else\n")
    said = lock(stocked).failed().output
    assert DEV in said
    assert not stocked.exists(BASE)
    lock(stocked, "--overwrite").ok()
    assert pins(stocked.read(DEV))["lib"] == "1.0"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_an_upper_that_cannot_be_written_keeps_the_base_as_it_was(stocked: Project) -> None:
    """Its link leads out of the project."""
    write_all(stocked, over("-c requirements.txt"))
    lock(stocked, "requirements").ok()
    before = fingerprint(stocked.root / BASE)
    (stocked.root / DEV).symlink_to("/proc/nowhere/dev.txt")
    stocked.write("requirements.in", MOVED)
    said = lock(stocked).failed().output
    assert f"{DEV}: a link leads out of the project here" in said
    assert fingerprint(stocked.root / BASE) == before
    assert not [path for path in stocked.snapshot() if path.startswith(".requirements")]
    (stocked.root / DEV).unlink()
    stocked.nox("-s", "lock", "lock-check").ok()
    assert pins(stocked.read(DEV))["lib"] == "2.0"


@pytest.mark.parametrize("there", [True, False])
def test_a_base_is_not_written_where_its_upper_cannot_be(
    there: bool,  # noqa: FBT001
    project: Project,
    index: LocalIndex,
) -> None:
    """The upper's place becomes a folder while it is compiled."""
    if there:
        write_all(project, {"requirements.in": ASKED})
        stamp(project, {"requirements": OLD})
    write_all(project, over("-r requirements.in"))
    if there:
        project.write("requirements.in", MOVED)
    before = project.snapshot()
    index.clear_requests()
    running = project.start_nox("-s", "lock")
    while running.poll() is None and not index.pages("tool"):
        time.sleep(0.01)
    (project.root / DEV).mkdir()
    [run] = finish(running)
    assert f"{DEV}: cannot be read: " in run.failed().output
    assert project.snapshot() == before
    (project.root / DEV).rmdir()
    project.nox("-s", "lock", "lock-check").ok()


@pytest.mark.parametrize("there", [True, False])
def test_of_two_moves_the_first_is_undone(there: bool, tmp_path: Path) -> None:  # noqa: FBT001
    """The second place is a folder."""
    first, second = tmp_path / BASE, tmp_path / DEV
    if there:
        first.write_text("old\n", encoding="utf-8")
    (second / "something").mkdir(parents=True)
    with pytest.raises(OSError, match=DEV):
        write_files({first: "new\n", second: "new\n"})
    assert first.exists() == there
    assert not there or first.read_text(encoding="utf-8") == "old\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == [DEV, *[BASE] * there]


# Killed, and many at once


def test_a_kill_in_the_middle_of_a_stack_leaves_nothing_half_done(
    stocked: Project, made: Prepared
) -> None:
    """SIGKILL to the whole group while the upper is compiled: no lock file has changed."""
    write_all(stocked, over("-c requirements.txt"))
    lock(stocked).ok()
    before = {path: fingerprint(stocked.root / path) for path in (BASE, DEV)}
    names = set(stocked.snapshot())
    stocked.write("requirements.in", MOVED)
    stocked.write("requirements-dev.in", "-c requirements.txt\ntool\nlib\n")  # in no cache
    made.index.clear_requests()
    running = stocked.start_nox("-s", "lock")
    while running.poll() is None and not made.index.pages("tool"):
        time.sleep(0.01)
    kill(running)
    finish(running)
    assert {path: fingerprint(stocked.root / path) for path in (BASE, DEV)} == before
    assert set(stocked.snapshot()) == names
    stocked.nox("-s", "lock", "lock-check", timeout=60).ok()
    assert pins(stocked.read(DEV))["lib"] == "2.0"


@pytest.mark.long
def test_a_kill_at_any_moment_leaves_whole_lock_files(project: Project) -> None:
    write_all(project, all_forms(ASKED))
    lock(project).ok()
    old = locks(project)
    project.write("requirements.in", MOVED)
    lock(project).ok()
    new = locks(project)
    for turn in range(20):
        for path, text in old.items():
            project.write(path, text)
        shutil.rmtree(project.home / "nox-lock-cache" / "v2", ignore_errors=True)
        running = project.start_nox("-s", "lock")
        time.sleep(0.3 * turn)
        kill(running)
        finish(running)
        found = locks(project)
        assert {path for path, text in found.items() if text not in (old[path], new[path])} == set()
        age(project.root)
        lock(project).ok()
        assert locks(project) == new
        assert not [name for name in project.snapshot() if "/." in f"/{name}"]


def test_many_at_once_on_one_stack(project: Project) -> None:
    """Three `nox -s lock`: each lock is compiled once, all end well, and the files are whole."""
    write_all(
        project,
        over("-c requirements.txt", **{"requirements-all.in": "-r requirements-dev.in\ndep\n"}),
    )
    runs = [run.ok() for run in finish(*(project.start_nox("-s", "lock") for _ in range(3)))]
    assert compiled(*runs) == 3
    once = locks(project)
    assert {pins(text)["lib"] for text in once.values()} == {"1.0"}
    names = set(project.snapshot())
    project.write("requirements.in", MOVED)
    runs = [run.ok() for run in finish(*(project.start_nox("-s", "lock") for _ in range(3)))]
    assert compiled(*runs) == 3
    assert {pins(text)["lib"] for text in locks(project).values()} == {"2.0"}
    assert set(project.snapshot()) == names
    project.nox("-s", "lock-check").ok()


@pytest.mark.long
def test_many_upgrades_at_once_on_one_stack(project: Project, index: LocalIndex) -> None:
    write_all(project, over("-c requirements.txt"))
    lock(project).ok()
    project.write("requirements.in", "app\nlib\n")
    index.publish("lib", "3.0")
    index.publish("dep", "3.0")
    command = ("-s", "lock", "--", "-U", "--no-cache")
    for run in finish(*(project.start_nox(*command) for _ in range(4))):
        run.ok()
    assert pins(project.read(DEV))["lib"] == pins(project.read(BASE))["lib"] == "3.0"
    assert compiled(project.nox("-s", "lock", "lock-check").ok()) == 0


# Sessions

SESSION = """\
import nox_lock

nox_lock.add_sessions()


@nox_lock.session(lock=["requirements", "dev"], venv_backend="uv|virtualenv")
def both(session):
    session.run("python", "-c", "import lib; print('lib', lib.__version__)")


@nox_lock.session(lock="dev", venv_backend="uv|virtualenv")
def dev(session):
    session.run("python", "-c", "import lib; print('lib', lib.__version__)")
"""


def test_a_session_locks_the_whole_stack_anew(stocked: Project, made: Prepared) -> None:
    """All of it or none; not in CI."""
    write_all(stocked, over("-c requirements.txt", **{"noxfile.py": SESSION}))
    said = stocked.nox("-s", "dev", env={"CI": "1"}).failed().output
    assert "nox -s lock" in said
    assert locks(stocked) == {}
    assert "lib 1.0" in stocked.nox("-s", "dev").ok().output
    assert set(locks(stocked)) == {BASE, DEV}
    stocked.nox("-s", "lock-check").ok()

    stocked.write("requirements.in", MOVED)
    stocked.write("requirements-dev.in", "-c requirements.txt\ntool\nlib>=2\nnowhere\n")
    before = stocked.snapshot()
    said = stocked.nox("-s", "dev", env={"CI": "1"}).failed().output
    assert stocked.snapshot() == before
    said = stocked.nox("-s", "dev").failed().output
    assert "no package index has a project 'nowhere'" in said
    assert stocked.snapshot() == before
    made.index.publish("nowhere", "1.0")
    assert "lib 2.0" in stocked.nox("-s", "dev").ok().output
    assert pins(stocked.read(BASE))["lib"] == "2.0"
    stocked.nox("-s", "lock-check").ok()


def test_a_session_with_two_locks(stocked: Project) -> None:
    """They are installed together when they agree; else the pins that do not are named."""
    write_all(stocked, over("", **{"noxfile.py": SESSION}))
    own = ["dep==1.0 tool", "lib==2.0 tool", "tool==1.0 -r requirements-dev.in"]
    stamp(stocked, {"requirements": OLD, "dev": own})
    said = stocked.nox("-s", "both").failed().output
    assert f"lib: 1.0 in {BASE}, 2.0 in {DEV}" in said
    stocked.write("requirements-dev.in", "-c requirements.txt\ntool\n")
    assert "lib 1.0" in stocked.nox("-s", "both").ok().output
    found = stocked.venv_versions("both")
    assert {name: found.get(name) for name in ("app", "lib", "tool", "dep")} == {
        "app": "1.0",
        "lib": "1.0",
        "tool": "1.0",
        "dep": "1.0",
    }


# What is a layer, and what is not


def test_layers_found(tmp_path: Path) -> None:
    """A lock builds on another only if it comprises all that one is made from."""
    planned = planned_in(
        tmp_path,
        {
            "one.in": "a\n",
            "two.in": "b\n",
            "requirements.in": "-r one.in\n",
            "requirements-half.in": "-r one.in\nc\n",
            "requirements-whole.in": "-c sub/../one.in\n--requirement=./two.in # both\n",
            "pyproject.toml": "[tool.nox-lock.locks.pair]\ninputs = ['one.in', 'two.in']\n"
            "lockfile = 'pair.lock'\n"
            "[tool.nox-lock.locks.twin]\ninputs = ['one.in', 'two.in']\nlockfile = 'twin.lock'\n",
            "requirements-top.in": "-c pair.lock\n",
        },
    )
    assert layers(planned) == {
        BASE: set(),
        "requirements-half.txt": set(),
        "pair.lock": set(),
        "twin.lock": set(),
        "requirements-whole.txt": {"pair.lock", "twin.lock"},
        "requirements-top.txt": {"pair.lock"},
    }


@pytest.mark.parametrize(
    "limits", ["limits.txt", "requirements-limits.txt", "requirements-py3.txt", "requirements2.txt"]
)
def test_a_file_of_limits_is_no_lock_file(limits: str, tmp_path: Path) -> None:
    """Whatever its name: it is written by a person, and stands there."""
    planned = planned_in(
        tmp_path,
        {
            limits: "lib<2\n",
            "requirements.in": "app\n",
            "requirements-dev.in": f"-c {limits}\ntool\n",
            "requirements-docs.in": f"-r requirements.in\n-c {limits}\ntool\n",
        },
    )
    assert layers(planned) == {BASE: set(), DEV: set(), "requirements-docs.txt": {BASE}}


def test_the_lock_file_of_a_sibling_is_its_alone(tmp_path: Path) -> None:
    """`requirements-dev.txt` is the lock file of dev, though it begins with `requirements`."""
    planned = planned_in(
        tmp_path,
        {
            "requirements.in": "app\n",
            "requirements-dev.in": "tool\n",
            "requirements-docs.in": "-c requirements-dev.txt\ntool\n",
        },
    )
    assert layers(planned) == {BASE: set(), DEV: set(), "requirements-docs.txt": {DEV}}
    # And so this is no loop.
    planned = planned_in(tmp_path, {"requirements.in": "-c requirements-docs.txt\napp\n"})
    assert [each.name for each in planned] == ["dev", "docs", "requirements"]


def test_a_lock_does_not_start_from_the_lock_file_of_a_sibling(tmp_path: Path) -> None:
    """Neither its pins nor its settings: it is no earlier file of this lock."""
    header = (
        "# This file is autogenerated by pip-compile with Python 3.8\n# by the following command:\n"
    )
    files = {
        "requirements.in": "app\n",
        "requirements-dev.in": "tool\n",
        DEV: header + "#\n#    pip-compile --output-file=requirements-dev.txt\n#\ntool==0.1\n",
    }
    found = {each.path: each for each in planned_in(tmp_path, files)}
    assert found[DEV].current
    assert found[BASE].earlier is None
    assert found[BASE].settings.generate_hashes


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """No lock is to write it, so it is a slip of the pen."""
    files = {"requirements.in": "app\n", "requirements-dev.in": "-c requirements-dve.txt\ntool\n"}
    with pytest.raises(RequirementsError) as caught:
        planned_in(tmp_path, files)
    assert "there is no file requirements-dve.txt" in str(caught.value)
    assert caught.value.place == ("requirements-dev.in", 1)


def test_what_a_lock_builds_on_can_be_chosen(tmp_path: Path) -> None:
    """A table without inputs is for the input that is found under its name."""
    files = {
        "requirements.in": "app\n",
        "requirements-dev.in": "-r requirements.in\ntool\n",
        "requirements-all.in": "-r requirements-dev.in\nlib\n",
    }
    for text, dev, top in (
        ("", {BASE}, {BASE, DEV}),
        ("dev]\nbuilds-on = []", set(), {BASE, DEV}),
        ("all]\nbuilds-on = ['dev']", {BASE}, {DEV}),
        ("all]\nbuilds-on = []\nconstraints = ['requirements']", {BASE}, {BASE}),
    ):
        table = f"[tool.nox-lock.locks.{text}\n" if text else ""
        planned = planned_in(tmp_path, files | {"pyproject.toml": table})
        found = layers(planned)
        assert (found[DEV], found["requirements-all.txt"]) == (dev, top), text
    for name, said in (
        ("docs", "'docs' is not another lock"),
        ("all", "it does not include the inputs of 'all'"),
    ):
        table = f"[tool.nox-lock.locks.dev]\nbuilds-on = ['{name}']\n"
        with pytest.raises(ConfigError, match=f"`tool.nox-lock.locks.dev.builds-on`: {said}") as e:
            planned_in(tmp_path, files | {"pyproject.toml": table})
        assert str(e.value.place) == "pyproject.toml:2"


LOOPS = {
    "lock files": (
        {
            "requirements.in": "# app\n-c requirements-dev.txt\n",
            "requirements-dev.in": "-r requirements.txt\n",
        },
        ("requirements (requirements.in:2)", "dev (requirements-dev.in:1)", "requirements"),
    ),
    "declared": (
        {
            "requirements.in": "app\n",
            "requirements-dev.in": "-r requirements.in\n",
            "pyproject.toml": """
                [tool.nox-lock.locks.requirements]
                inputs = ['requirements.in']
                constraints = ['dev']
                """,
        },
        (
            "requirements (`pyproject.toml` constraints)",
            "dev (requirements-dev.in)",
            "requirements",
        ),
    ),
    "files": (
        {
            "requirements.in": "-r requirements-dev.in\n",
            "requirements-dev.in": "-c requirements.in",
        },
        ("requirements.in", "requirements-dev.in", "requirements.in"),
    ),
    "itself": (
        {"requirements.in": "-r ./x/../requirements.in\n"},
        ("requirements.in", "requirements.in"),
    ),
}


@pytest.mark.parametrize("name", LOOPS)
def test_loops_are_shown(name: str, tmp_path: Path) -> None:
    files, loop = LOOPS[name]
    with pytest.raises((ConfigError, RequirementsError)) as caught:
        planned_in(tmp_path, {file: textwrap.dedent(text) for file, text in files.items()})
    assert f"each other: {' -> '.join(loop)}" in str(caught.value)


def test_a_loop_is_told_by_both_sessions(project: Project) -> None:
    files, loop = LOOPS["lock files"]
    write_all(project, files)
    for name in ("lock", "lock-check"):
        said = project.nox("-s", name).failed().output
        assert f"these locks build on each other: {' -> '.join(loop)}" in said


def test_several_pythons_name_what_to_write_instead(tmp_path: Path) -> None:
    """One lock file cannot be the layer below of two targets."""
    table = "[tool.nox-lock]\npython = ['3.11', '3.12']\n"
    files = {"requirements.in": "app\n", "pyproject.toml": table}
    for line in ("-c requirements-py3.11.txt", "-c requirements.txt"):
        with pytest.raises(ConfigError) as caught:
            planned_in(tmp_path, files | {"requirements-dev.in": f"tool\n{line}\n"})
        assert f"`{line}` names one lock file of 'requirements'" in str(caught.value)
        assert caught.value.place == ("requirements-dev.in", 2)
        assert 'constraints = ["requirements"]' in str(caught.value)
    table += declared("dev", "requirements")
    dev = {"requirements-dev.in": "tool\n", "pyproject.toml": table}
    assert layers(planned_in(tmp_path, files | dev)) == {
        "requirements-py3.11.txt": set(),
        "requirements-py3.12.txt": set(),
        "requirements-dev-py3.11.txt": {"requirements-py3.11.txt"},
        "requirements-dev-py3.12.txt": {"requirements-py3.12.txt"},
    }


def test_a_layer_of_other_pythons_is_told(tmp_path: Path) -> None:
    """`dev` for a Python that `requirements` has no file for: nothing holds them together."""
    dev = "[tool.nox-lock.locks.dev]\ninputs = ['requirements-dev.in']\npython = ['3.11', '3.12']\n"
    base = "[tool.nox-lock.locks.requirements]\ninputs = ['requirements.in']\npython = ['3.11']\n"
    files = {
        "requirements.in": "app\n",
        "requirements-dev.in": "tool\n-r requirements.in\n",
        "pyproject.toml": dev + base,
    }
    planned = planned_in(tmp_path, files)
    assert {each.path: each.apart for each in planned} == {
        "requirements.txt": (),
        "requirements-dev-py3.11.txt": (),
        "requirements-dev-py3.12.txt": ("requirements",),
    }
    lock = lock_file.parse("# This file is autogenerated by pip-compile with Python 3.12\n")
    warnings = judge(planned[-1].with_current(lock)).warnings
    told = "it builds on 'requirements', which is not made for Python 3.12"
    (warning,) = warnings
    assert warning.message.startswith(told)
    assert "[tool.nox-lock] python makes both" in warning.message
    assert str(warning.place) == "requirements-dev-py3.12.txt"


# Any project without a loop has an order


@st.composite
def projects(draw: st.DrawFn) -> dict[str, str]:
    """Draw layers that build on each other without a loop, named in any order."""
    number = draw(st.integers(2, 7))
    names = draw(st.permutations([f"n{each}" for each in range(number)]))
    files: dict[str, str] = {}
    tables = []
    for height, name in enumerate(names):
        lines = [f"own-{name}"]
        below = draw(st.lists(st.sampled_from(names[:height]), unique=True)) if height else []
        said = []
        for lower in below:
            kind = draw(st.sampled_from(["-r .in", "-c .in", "-r .txt", "-c .txt", "declared"]))
            if kind == "declared":
                said.append(lower)
            else:
                flag, suffix = kind.split()
                lines.append(f"{flag} {lower}{suffix}")
        files[f"requirements/{name}.in"] = "".join(
            f"{each}\n" for each in draw(st.permutations(lines))
        )
        if said:
            tables.append(
                f"[tool.nox-lock.locks.{name}]\ninputs = ['requirements/{name}.in']\n"
                f"constraints = {said}\n"
            )
    return files | {"pyproject.toml": "".join(draw(st.permutations(tables)))}


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=projects(), data=st.data())
def test_any_layers_without_a_loop_have_one_order(
    files: dict[str, str], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("drawn")
    planned = planned_in(root, files)
    place = {each.path: number for number, each in enumerate(planned)}
    assert len(place) == len(files) - 1
    for each in planned:
        assert all(place[low.path] < place[each.path] for low in each.below)
        assert {low.path for low in each.below} >= set(each.inputs.pending)
    again = planned_in(root, {})
    assert [each.path for each in again] == [each.path for each in planned]
    assert layers(again) == layers(planned)
    # A name brings what it builds on, and nothing else.
    name = data.draw(st.sampled_from([each.name for each in planned]))
    wanted, todo = set(), [f"requirements/{name}.txt"]
    while todo:
        wanted.add(path := todo.pop())
        todo += layers(planned)[path]
    assert {each.path for each in planned_in(root, {}, [name])} == wanted

"""A lock file that a stranger has changed: what can be seen offline is refused, whatever its stamp.

Who sends a change of a lock file can run our code too: a stamp that is right proves nothing.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from typing import TYPE_CHECKING

import pytest

from nox_lock.lockfile import lock_file
from support.plans import plan_folder
from support.project import Project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.prepared import Prepared
    from support.project import Run

INPUT, LOCK = "requirements.in", "requirements.txt"
HASH = f"--hash=sha256:{'0' * 64}"
EVIL = f"evil==6.6.6 \\\n    {HASH}"
NOXFILE = """
    import nox_lock

    nox_lock.add_sessions()


    @nox_lock.session(lock="requirements")
    def tests(session):
        session.log("it runs")
    """


def pinned(text: str) -> Callable[[str], str]:
    """Return what adds a pin."""
    return lambda lock: f"{lock.rstrip()}\n{text}\n"


def swapped(old: str, new: str) -> Callable[[str], str]:
    def swap(lock: str) -> str:
        assert re.search(old, lock)
        return re.sub(old, new, lock, count=1)

    return swap


def with_line(line: str) -> Callable[[str], str]:
    """Return what adds an option line above the pins."""
    return swapped(r"(?m)^(?=app==)", f"{line}\n\n")


def bare(lock: str) -> str:
    """Take away who asked for what."""
    return re.sub(r"(?m)^    #.*\n", "", lock)


# What is done to the lock file, and what is said of it.
CHANGES: dict[str, tuple[Callable[[str], str], str]] = {
    "an index line": (
        with_line("--extra-index-url https://evil.invalid/simple"),
        "no input declares --extra-index-url https://evil.invalid/simple",
    ),
    "another index": (
        with_line("--index-url https://evil.invalid/simple"),
        "no input declares --index-url https://evil.invalid/simple",
    ),
    "a folder of files": (with_line("--find-links ./vendored"), "no input declares --find-links"),
    "a host to trust": (with_line("--trusted-host evil.invalid"), "no input declares --trusted"),
    "an option": (with_line("--pre"), "no input declares --pre"),
    "an option in short": (with_line("-fhttps://evil.invalid"), "is not a pin"),
    "a file beside it": (with_line("-r more.txt"), "includes more.txt; lock files are whole"),
    "a file beside it, of a URL": (with_line("-r strange.txt"), "includes strange.txt"),
    "a file of the network": (
        with_line("-r https://evil.invalid/a.txt"),
        "includes https://evil.invalid/a.txt",
    ),
    "a direct URL": (
        swapped(r"dep==1\.0", "dep @ https://evil.invalid/dep-1.0-py3-none-any.whl"),
        "no input requires dep @ https://evil.invalid/dep-1.0-py3-none-any.whl",
    ),
    "a direct URL of a requirement": (
        swapped(r"app==1\.0", "app @ https://evil.invalid/app-1.0-py3-none-any.whl"),
        "app @ https://evil.invalid/app-1.0-py3-none-any.whl",
    ),
    "a repository": (
        swapped(r"dep==1\.0", f"dep @ git+https://evil.invalid/dep@{'1' * 40}"),
        "no input requires dep @ git+https",
    ),
    "a folder": (pinned("-e ./src\n    # via app"), "no input requires ./src"),
    "a pin": (pinned(EVIL), "evil==6.6.6 is required by no input"),
    "a pin that an input is said to ask for": (
        pinned(f"{EVIL}\n    # via -r {INPUT}"),
        "evil==6.6.6 is required by no input",
    ),
    "a pin that nobody there asks for": (
        pinned(f"{EVIL}\n    # via nobody"),
        "evil==6.6.6 is required by no input",
    ),
    "a pin that asks for itself": (
        pinned(f"{EVIL}\n    # via evil"),
        "evil==6.6.6 is required by no input",
    ),
    "a pin, and no word of who asks": (
        lambda lock: pinned(EVIL)(bare(lock)),
        "2 pins are named by no input, such as dep==1.0, and there is no `# via` note",
    ),
    "a second version": (pinned(f"dep==0.9 \\\n    {HASH}\n    # via app"), "pinned twice"),
    "no hash": (swapped(r"dep==1\.0 \\\n    --hash=\S+", "dep==1.0"), "dep==1.0 has no hash"),
    "no hashes at all": (
        lambda lock: re.sub(r" \\\n    --hash=\S+", "", lock),
        "it has no hashes",
    ),
    "a marker": (
        swapped(r"dep==1\.0", 'dep==1.0 ; python_version < "3"'),
        "which no input gives it",
    ),
    "a version that no input allows": (swapped(r"app==1\.0", "app==3.0"), "not met by app==3.0"),
}


@pytest.fixture(scope="module")
def made(prepared: Prepared) -> Prepared:
    """Return a project with a lock and an environment, really made."""
    prepared.index.publish("app", "1.0", requires=["dep"])
    prepared.index.publish("dep", "1.0")
    prepared.project.write("noxfile.py", NOXFILE)
    prepared.project.write(INPUT, "app<2\n")
    prepared.project.write("more.txt", f"{EVIL}\n    # via -r {INPUT}\n")
    prepared.project.write("strange.txt", "evil @ https://evil.invalid/evil.whl\n    # via app\n")
    prepared.project.nox("-s", "tests").ok()
    prepared.freeze()
    return prepared


@pytest.fixture
def project(made: Prepared, tmp_path: Path) -> Iterator[Project]:
    project = Project(tmp_path / "project", made.project.home, made.index, made.project.env)
    ignored = shutil.ignore_patterns(".nox", "__pycache__")
    shutil.copytree(made.project.root, project.root, ignore=ignored, dirs_exist_ok=True)
    yield project
    project.close()


def stamped(root: Path, text: str) -> str:
    """Return a lock file with a stamp that is right, made with our own functions."""
    lock = lock_file.parse(text)
    (root / LOCK).write_text(text, encoding="utf-8")
    [planned] = plan_folder(root)
    assert lock.stamp is not None
    hidden = ",".join(sorted(planned.hidden)) or "-"
    right = f"inputs={planned.digest} hidden={hidden} body={lock_file.digest(lock.body)} "
    return re.sub(r"(?m)(?<=^# nox-lock: v1 )inputs=.* (?=platform=)", right, text)


STAMPS: dict[str, Callable[[Path, str], str]] = {
    "recomputed": stamped,
    "old": lambda _root, text: text,
    "gone": lambda _root, text: re.sub(r"# nox-lock: .*\n", "", text),
}


def change(project: Project, what: str, stamp: str = "recomputed") -> str:
    """Change the lock file; return what has to be said of it."""
    edit, said = CHANGES[what]
    text = edit(project.read(LOCK))
    project.write(LOCK, STAMPS[stamp](project.root, text))
    return said


def check(project: Project) -> Run:
    return project.nox("-s", "lock-check")


def test_the_lock_is_fresh_before(project: Project) -> None:
    text = project.read(LOCK)
    assert stamped(project.root, text) == text
    check(project).ok()


@pytest.mark.parametrize("stamp", STAMPS)
@pytest.mark.parametrize("what", CHANGES)
def test_a_check_refuses_it(project: Project, what: str, stamp: str) -> None:
    said = change(project, what, stamp)
    run = check(project).failed()
    assert said in run.output
    assert re.search(r"requirements\.txt: (stale|invalid)", run.output)


@pytest.mark.parametrize(
    "what",
    [
        *("an index line", "a direct URL"),
        *(pytest.param(each, marks=pytest.mark.long) for each in ("a pin", "a file beside it")),
    ],
)
def test_a_session_in_ci_refuses_it(made: Prepared, project: Project, what: str) -> None:
    """And asks no index, and leaves the lock file as it is."""
    said = change(project, what)
    before = project.snapshot()
    made.index.clear_requests()
    run = project.nox("-s", "tests", env={"CI": "1"}).failed()
    assert said in run.output
    assert "it runs" not in run.output
    assert made.index.requests() == []
    assert project.snapshot() == before


@pytest.mark.parametrize("what", ["an index line", "a pin"])
def test_a_session_does_not_believe_a_stamp(project: Project, what: str) -> None:
    """It locks again, whatever the stamp says, where nobody can have meant the change."""
    before = project.read(LOCK)
    change(project, what)
    project.nox("-s", "tests").ok()
    assert project.read(LOCK) == before


@pytest.mark.long
@pytest.mark.parametrize("what", ["a hash", "a hash more", "a pin in the name of another"])
def test_what_no_file_tells_deep_does(made: Prepared, project: Project, what: str) -> None:
    """As SECURITY.md says: fresh offline, and not for who asks the index."""
    wheel = made.index.publish("evil", "6.6.6")
    real = f"--hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}"
    edits = {
        "a hash": swapped(r"(dep==1\.0 \\\n    )--hash=\S+", rf"\1{HASH}"),
        "a hash more": swapped(r"dep==1\.0 \\\n", rf"dep==1.0 \\\n    {HASH} \\\n"),
        "a pin in the name of another": pinned(f"evil==6.6.6 \\\n    {real}\n    # via app"),
    }
    text = stamped(project.root, edits[what](project.read(LOCK)))
    project.write(LOCK, text)
    check(project).ok()
    run = project.nox("-s", "lock-check", "--", "--deep").failed()
    assert re.search(r"requirements\.txt: (stale|invalid)", run.output)
    assert "evil==6.6.6" in run.output or f"sha256:{'0' * 64}" in run.output
    assert project.read(LOCK) == text

"""The story the tool exists for: a release of a dependency's dependency breaks what ran yesterday.

`app 1.0` takes any `lib` from 1 on, and imports what lib 2.0 no longer has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.index import LOOPBACK, LocalIndex
from support.layers import stamp
from support.locks import fingerprint, pins

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.prepared import Prepared
    from support.project import Project

NOXFILE = """
    import nox
    import nox_lock

    nox_lock.add_sessions()

    IMPORT = ("python", "-c", "import app; print('app runs on lib', app.lib.__version__)")


    @nox_lock.session(lock="requirements")
    def locked(session):
        session.run(*IMPORT)


    @nox.session
    def plain(session):
        session.install("-r", "requirements.in")
        session.run(*IMPORT)
"""
BROKEN = "cannot import name 'kept_until_2'"
LOCK = "requirements.txt"


@pytest.fixture(scope="module")
def made(prepared: Prepared) -> Prepared:
    index, project = prepared.index, prepared.project
    app = "import lib\nfrom lib import kept_until_2\n"
    index.publish("app", "1.0", requires=["lib>=1"], modules={"app.py": app})
    lib = "__version__ = '{}'\nkept_until_2 = True\n"
    index.publish("lib", "1.0", modules={"lib.py": lib.format("1.0")})
    index.publish("other", "1.0")
    index.publish("tool", "1.0", requires=["lib"])
    project.write("requirements.in", "app==1.0\nother\n")
    project.write("noxfile.py", NOXFILE)
    project.nox("-s", "lock").ok()
    assert pins(project.read(LOCK)) == {"app": "1.0", "lib": "1.0", "other": "1.0"}
    index.publish("lib", "1.5", modules={"lib.py": lib.format("1.5")})
    index.publish("lib", "2.0", modules={"lib.py": "__version__ = '2.0'\n"})
    index.publish("other", "2.0")
    prepared.freeze()
    return prepared


@pytest.fixture
def bomb(made: Prepared, tmp_path: Path) -> Iterator[Project]:
    """Return a project, locked while lib was at 1.0; now lib 2.0 and other 2.0 are out."""
    yield from made.lend(tmp_path)


def test_the_lock_outlives_a_release_that_breaks_a_plain_install(bomb: Project) -> None:
    """A new release breaks the plain session, and moves nothing in the lock or its session."""
    before = fingerprint(bomb.root / LOCK)
    assert bomb.index is not None
    plain = bomb.nox("-s", "plain", env={"UV_DEFAULT_INDEX": bomb.index.url})  # where uv is here
    assert BROKEN in plain.failed(traceback=True).output
    assert bomb.venv_versions("plain")["lib"] == "2.0"

    assert "app runs on lib 1.0" in bomb.nox("-s", "locked").ok().output
    check = bomb.nox("-s", "lock-check").ok()
    assert f"{LOCK}: fresh" in check.output
    assert f"{LOCK}: up to date (3 pins)" in bomb.nox("-s", "lock").ok().output
    assert fingerprint(bomb.root / LOCK) == before


def test_nothing_asks_the_index_what_a_fresh_lock_needs_no_answer_to(
    bomb: Project, made: Prepared
) -> None:
    """`lock` and `lock-check` on a fresh lock, and a session that holds it, use no network."""
    index = made.index
    bomb.nox("-s", "locked").ok()
    index.stop()
    index.clear_requests()
    bomb.nox("-s", "lock", "lock-check", "locked", env={"PIP_RETRIES": "0"}).ok()
    assert index.requests() == []


def test_an_upgrade_meets_the_bomb_and_a_pin_of_the_culprit_is_the_cure(bomb: Project) -> None:
    """`-U` takes the newest of all, and the locked session fails on just that.

    `lib<2` in the input then makes the lock stale, and good again.
    """
    assert f"{LOCK}: compiled" in bomb.nox("-s", "lock", "--", "-U").ok().output
    assert pins(bomb.read(LOCK)) == {"app": "1.0", "lib": "2.0", "other": "2.0"}
    bomb.nox("-s", "lock-check").ok()
    assert BROKEN in bomb.nox("-s", "locked").failed(traceback=True).output
    assert bomb.venv_versions("locked")["lib"] == "2.0"
    bomb.write("requirements.in", "app==1.0\nother\nlib<2\n")
    stale = bomb.nox("-s", "lock-check").failed()
    assert "lib<2 is not met by lib==2.0 (requirements.in:3)" in stale.output
    assert "app runs on lib 1.5" in bomb.nox("-s", "locked").ok().output  # it re-locks by itself
    assert pins(bomb.read(LOCK)) == {"app": "1.0", "lib": "1.5", "other": "2.0"}


@pytest.mark.long
def test_a_layer_above_meets_the_bomb_when_the_one_below_does(bomb: Project) -> None:
    """A layer made after the bad release holds the old pins; `-U` and the cure move both."""
    dev = "requirements-dev.txt"
    bomb.write("requirements-dev.in", "-r requirements.in\ntool\n")
    before = fingerprint(bomb.root / LOCK)
    for arguments, line, lib in (((), "", "1.0"), (("-U",), "", "2.0"), ((), "lib<2\n", "1.5")):
        bomb.write("requirements.in", f"app==1.0\nother\n{line}")
        bomb.nox("-s", "lock", "--", *arguments).ok()
        assert pins(bomb.read(LOCK))["lib"] == pins(bomb.read(dev))["lib"] == lib
        assert (fingerprint(bomb.root / LOCK) == before) is (lib == "1.0")
        bomb.nox("-s", "lock-check").ok()


def test_upgrade_package_moves_only_what_it_names(bomb: Project) -> None:
    """`-P lib` takes the newest lib, and leaves `other`, that has a newer release too."""
    bomb.nox("-s", "lock", "--", "-P", "lib").ok()
    assert pins(bomb.read(LOCK)) == {"app": "1.0", "lib": "2.0", "other": "1.0"}
    bomb.nox("-s", "lock-check").ok()


def test_upgrade_package_takes_no_more_than_it_says(bomb: Project) -> None:
    """`-P 'lib<2'` takes the newest lib below 2, and a later `lock` keeps it."""
    bomb.nox("-s", "lock", "--", "-P", "lib<2").ok()
    kept = fingerprint(bomb.root / LOCK)
    assert pins(bomb.read(LOCK)) == {"app": "1.0", "lib": "1.5", "other": "1.0"}
    bomb.nox("-s", "lock", "--", "requirements").ok()
    assert fingerprint(bomb.root / LOCK) == kept


def test_upgrade_twice_keeps_the_bytes_and_a_package_goes_down_when_told(bomb: Project) -> None:
    """`-U` on what it made itself writes the same; `-P 'lib<1.6'` then moves lib alone."""
    source = "-r requirements.in"
    newest = [f"app==1.0 {source}", "lib==2.0 app", f"other==2.0 {source}"]
    stamp(bomb, {"requirements": newest})
    first = bomb.read(LOCK)
    bomb.nox("-s", "lock", "--", "--upgrade").ok()
    assert bomb.read(LOCK) == first
    bomb.nox("-s", "lock", "--", "--upgrade-package", "lib<1.6").ok()
    assert pins(bomb.read(LOCK)) == {"app": "1.0", "lib": "1.5", "other": "2.0"}


def test_an_upgrade_asks_the_index_though_pip_may_keep_its_pages(
    bomb: Project, tmp_path: Path
) -> None:
    """`-U` and `-P` see a release at once, though the index let pip keep its pages a while."""
    pages = {"PIP_TRUSTED_HOST": LOOPBACK}  # pip keeps pages of a plain http index only if trusted
    with LocalIndex(tmp_path / "slow-moving", max_age=3600) as index:
        index.publish("app", "1.0", requires=["lib"])
        index.publish("lib", "1.0")
        index.publish("other", "1.0")
        (bomb.root / LOCK).unlink()
        bomb.index = index
        bomb.nox("-s", "lock", env=pages).ok()
        index.publish("lib", "1.1")
        bomb.nox("-s", "lock", "--", "-P", "lib", env=pages).ok()
        assert pins(bomb.read(LOCK))["lib"] == "1.1"
        index.publish("other", "1.1")
        bomb.nox("-s", "lock", "--", "-U", env=pages).ok()
        assert pins(bomb.read(LOCK)) == {"app": "1.0", "lib": "1.1", "other": "1.1"}


def test_upgrade_package_refuses_what_names_no_project(bomb: Project) -> None:
    """A `-P` that is not a requirement is refused in words; the lock is as it was."""
    before = fingerprint(bomb.root / LOCK)
    for package in ("lib<", "<2", "./lib", "lib 2"):
        run = bomb.nox("-s", "lock", "--", "-P", package).failed()
        assert f"{package!r} names no project" in run.output
    assert fingerprint(bomb.root / LOCK) == before

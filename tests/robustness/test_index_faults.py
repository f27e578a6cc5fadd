"""A package index that fails fails the lock: named, in words, with every file as it was."""

from __future__ import annotations

import re
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from support.long import long
from support.project import NOXFILE, Project
from support.refused import IMPATIENT, PASSWORD, refused
from support.scripted import (
    BROKEN,
    DRIPPING,
    EMPTY,
    EMPTY_PAGES,
    FORBIDDEN,
    GARBAGE,
    LOGIN,
    NO_FILES,
    NO_PAGES,
    NOT_FOUND,
    SILENT,
    TRUNCATED,
    UNAUTHORIZED,
    Answer,
    RefusingIndex,
    ScriptedIndex,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.prepared import Prepared
    from support.project import Run

LOCK = ("-s", "lock")
TESTS = ("-s", "tests")
FAILURES = {
    "401": (UNAUTHORIZED, "401"),
    "403 to everything": (FORBIDDEN, "403"),
    "500": (BROKEN, "500"),
    "a login page": (LOGIN, "login page"),
    "an empty page": (NO_FILES, "not a page of the simple API"),
    "nothing": (EMPTY, "not a page of the simple API"),
    "garbage": (GARBAGE, "text/plain"),
    "truncated": (TRUNCATED, "broke off"),
    "silent": (SILENT, "in time"),
}
# As extra indexes, these are in test_failures.py, too: all in one compile, without nox.
TOGETHER = ("401", "403 to everything", "a login page", "garbage", "silent")
WRONG = ("no matching distribution", "no package index has", "unknown project", "no version meets")
UNREADABLE = ("no JSON", "no object")
NO_PAGE = (
    "is not a page of the simple API: is it a login page? "
    "(A page without files has a meta element named pypi:repository-version)"
)
TIMEOUT = "[tool.nox-lock]\ncompile-timeout = 4\n"
# Runs a command on a terminal of its own, which nobody answers at.
TERMINAL = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"


def only(url: str) -> dict[str, str]:
    return {"PIP_INDEX_URL": url}


def extra(*urls: str) -> dict[str, str]:
    return {"PIP_EXTRA_INDEX_URL": " ".join(urls)}


# The one of more harm first: where there are others, they answer instead.
ways = pytest.mark.parametrize("way", [extra, long(only)])


@pytest.fixture(scope="module")
def made(prepared: Prepared) -> Prepared:
    """A project with a lock that is not fresh: its input asks for one more."""
    prepared.index.publish("app", "1.0", requires=["dep>=1"])
    prepared.index.publish("dep", "1.0")
    prepared.index.publish("new", "1.0")
    prepared.project.write("noxfile.py", NOXFILE)
    prepared.project.write("requirements.in", "app\n")
    prepared.project.nox(*LOCK).ok()
    prepared.project.write("requirements.in", "app\nnew\n")
    prepared.freeze()
    return prepared


@pytest.fixture
def stale(made: Prepared, tmp_path: Path) -> Project:
    project = made.copy(tmp_path)
    project.env.update(IMPATIENT)
    return project


def assert_index_failure(run: Run, named: str, why: str) -> None:
    assert "index failed" in run.output, run.output
    assert re.sub(r"/simple/?$", "", named) in run.output, run.output
    assert why in run.output, run.output
    assert not [words for words in WRONG if words in run.output.lower()], run.output


@pytest.mark.parametrize(
    ("failure", "way"),
    [
        *(long(each, extra) if each in TOGETHER else (each, extra) for each in FAILURES),
        *(("500", only) if each == "500" else long(each, only) for each in FAILURES),
    ],
)
def test_an_index_that_fails_fails_the_lock(
    failure: str, way: Callable[[str], dict[str, str]], stale: Project
) -> None:
    answer, why = FAILURES[failure]
    with ScriptedIndex(answer) as bad:
        run = refused(stale, *LOCK, env=way(bad.url))
        assert bad.asked
        assert_index_failure(run, bad.url, why)


@ways
def test_an_index_that_cannot_be_reached(
    way: Callable[[str], dict[str, str]], stale: Project
) -> None:
    with RefusingIndex() as bad:
        run = refused(stale, *LOCK, env=way(bad.url))
        assert_index_failure(run, bad.url, "cannot be reached")


@ways
def test_an_index_that_speaks_no_tls(way: Callable[[str], dict[str, str]], stale: Project) -> None:
    with ScriptedIndex(NOT_FOUND) as bad:
        url = bad.url.replace("http://", "https://")
        assert_index_failure(refused(stale, *LOCK, env=way(url)), url, "TLS")


@ways
def test_an_index_without_a_name(way: Callable[[str], dict[str, str]], stale: Project) -> None:
    url = "https://nowhere.invalid/simple/"
    assert_index_failure(refused(stale, *LOCK, env=way(url)), url, "name cannot be resolved")


@ways
def test_an_index_that_pip_does_not_trust(
    way: Callable[[str], dict[str, str]], stale: Project
) -> None:
    """Pip passes over plain http with no more than a warning, and takes what others have."""
    run = refused(stale, *LOCK, env=way("http://nowhere.invalid/simple/"))
    assert_index_failure(run, "nowhere.invalid", "trusted")


@pytest.mark.parametrize("way", [only, pytest.param(extra, marks=pytest.mark.long)])
def test_an_index_that_answers_a_byte_a_second(
    way: Callable[[str], dict[str, str]], stale: Project
) -> None:
    """It never is silent for long: only the time that a compile may take ends it."""
    stale.write("pyproject.toml", TIMEOUT)
    stale.env["PIP_DEFAULT_TIMEOUT"] = "5"
    with ScriptedIndex(DRIPPING) as bad:
        run = refused(stale, *LOCK, env=way(bad.url))
        assert "the compile took longer than 4 s and was ended" in run.output
        host = bad.url.removesuffix("/simple/")  # more of a user's index is not shown
        assert f"waited for {host} (app)" in run.output
        assert "compile-timeout" in run.output


def test_an_index_declared_in_an_input_that_fails(stale: Project) -> None:
    with ScriptedIndex(BROKEN) as bad:
        stale.write("requirements.in", f"--extra-index-url {bad.url}\napp\n")
        assert_index_failure(refused(stale, *LOCK), bad.url, "500")


def test_a_failing_index_shows_no_password(stale: Project) -> None:
    with ScriptedIndex(UNAUTHORIZED) as bad:
        url = bad.url.replace("://", f"://user:{PASSWORD}@")
        run = refused(stale, *LOCK, env=extra(url))
        assert_index_failure(run, bad.host, "401")


def test_what_is_no_page_shows_no_secret_of_its_address(stale: Project) -> None:
    with ScriptedIndex(LOGIN) as bad:
        for links in (
            f"{bad.url}links?sig=AAA/{PASSWORD}",
            bad.url.replace("//", f"//{PASSWORD}@"),
        ):
            run = refused(stale, *LOCK, env={"PIP_FIND_LINKS": links})
            assert "is not a page of the simple API" in run.output
            assert PASSWORD not in run.output


def test_variables_of_an_index_that_are_not_set_are_named(stale: Project) -> None:
    with ScriptedIndex(Answer(401)) as closed:
        url = closed.url.replace("//", "//${WHO_IS_IT}:${TOKEN_OF_IT}@")
        stale.write("requirements.in", f"app\nnew\n--extra-index-url {url}\n")
        run = refused(stale, *LOCK, env={"WHO_IS_IT": "me"})
        assert "requirements.in:3: a package index failed: " in run.output
        assert "Variables that are not set: TOKEN_OF_IT (requirements.in:3)" in run.output


def test_a_session_does_not_lock_from_a_failing_index(stale: Project) -> None:
    with RefusingIndex() as bad:
        before = stale.snapshot()
        run = stale.nox(*TESTS, env=extra(bad.url)).failed()
        assert_index_failure(run, bad.url, "cannot be reached")
        assert stale.snapshot() == before


@pytest.mark.parametrize("status", [404, long(410)])
def test_an_index_that_has_nothing_says_so(status: int, stale: Project) -> None:
    with ScriptedIndex(Answer(status)) as empty:
        run = refused(stale, *LOCK, env=only(empty.url))
        assert "no package index has a project" in run.output
        assert "index failed" not in run.output
        # Beside one that has it, it does no harm.
        stale.nox(*LOCK, env=extra(empty.url)).ok()
        assert empty.asked
    assert "\nnew==1.0" in stale.read("requirements.txt")


def test_a_single_403_means_not_here(stale: Project) -> None:
    with ScriptedIndex(NOT_FOUND, {"new": FORBIDDEN}) as empty:
        stale.nox(*LOCK, env=extra(empty.url)).ok()
        assert "/simple/new/" in empty.asked
    assert "\nnew==1.0" in stale.read("requirements.txt")


@pytest.mark.parametrize("last", UNREADABLE)
def test_what_is_no_page_of_the_simple_api_is_no_answer(last: str, stale: Project) -> None:
    """For one project, from indexes that answer well for the others: dependency confusion.

    All in one lock, but for those that pip cannot read, and ends at.
    """
    answers = [*(each for each in NO_PAGES if each not in UNREADABLE), last]
    with ExitStack() as stack:
        bad = {
            answer: stack.enter_context(ScriptedIndex(NOT_FOUND, {"new": NO_PAGES[answer]}))
            for answer in answers
        }
        run = refused(stale, *LOCK, env=extra(*(each.url for each in bad.values())))
        for answer, index in bad.items():
            assert {"/simple/app/", "/simple/new/"} <= set(index.asked), answer
            why = "cannot be read" if answer in UNREADABLE else NO_PAGE
            assert_index_failure(run, index.url, f"{index.host}: what it answers for new {why}")


def test_an_empty_page_means_not_here(stale: Project) -> None:
    """One that was taken for a failure would fail the lock."""
    with ExitStack() as stack:
        empty = {
            server: stack.enter_context(ScriptedIndex(page)) for server, page in EMPTY_PAGES.items()
        }
        stale.nox(*LOCK, env=extra(*(each.url for each in empty.values()))).ok()
        for server, index in empty.items():
            assert "/simple/new/" in index.asked, server
    assert "\nnew==1.0" in stale.read("requirements.txt")


def test_an_empty_page_of_the_only_index_means_not_here(stale: Project) -> None:
    with ScriptedIndex(EMPTY_PAGES["PEP 691"]) as empty:
        run = refused(stale, *LOCK, env=only(empty.url))
        assert "index failed" not in run.output
        assert "no package index has a project" in run.output


# A terminal


@pytest.fixture
def attended(stale: Project) -> Project:
    """Return the project with a nox that has a terminal, and so could ask for a password."""
    if sys.platform == "win32":
        pytest.skip("no pseudo-terminals here")
    stale.prefix = [sys.executable, "-c", TERMINAL]
    return stale


def test_a_compile_on_a_terminal_asks_nobody(attended: Project) -> None:
    with ScriptedIndex(UNAUTHORIZED) as bad:
        run = attended.nox(*LOCK, env=only(bad.url), timeout=60).failed()
        assert_index_failure(run, bad.url, "401: it wants a user name and password")
        assert "keyring-provider" in run.output


@pytest.mark.parametrize("backend", ["virtualenv", pytest.param("uv", marks=pytest.mark.long)])
def test_an_install_on_a_terminal_asks_nobody(attended: Project, backend: str) -> None:
    attended.write("requirements.in", "app\n")
    attended.env["UV_NO_CACHE"] = attended.env["PIP_NO_CACHE_DIR"] = "1"
    with ScriptedIndex(UNAUTHORIZED) as bad:
        run = attended.nox("-db", backend, *TESTS, env=only(bad.url), timeout=60).failed()
        assert "not all that is locked could be installed" in run.output
        assert "401" in run.output


@pytest.mark.parametrize("session", ["lock", "tests"])
def test_git_on_a_terminal_asks_nobody(attended: Project, session: str) -> None:
    """A repository that wants a password fails, in a compile and in an install."""
    attended.write("pyproject.toml", "[tool.nox-lock]\ngenerate-hashes = false\n")
    with ScriptedIndex(UNAUTHORIZED) as bad:
        line = f"new @ git+http://{bad.host}/new.git@{'0' * 40}\n"
        attended.write("requirements.in", line)
        if session == "tests":
            attended.write("requirements.txt", f"{line}    # via -r requirements.in\n")
        attended.nox("-s", session, timeout=60).failed()
        assert [path for path in bad.asked if path.startswith("/new.git")]

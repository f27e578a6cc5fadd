"""Which answers of an index are a failure of it, and how that is said."""

from __future__ import annotations

import pytest

from nox_lock.compiling.index_failures import PROBLEMS, Page, index_error, index_reasons

ONE, OTHER = "https://one.example/simple", "https://other.example/simple"
SECRET = "planted-in-an-answer"  # noqa: S105


@pytest.mark.parametrize(
    ("statuses", "failed"),
    [
        ({"a": 404, "b": 404}, False),
        ({"a": 410}, False),
        ({"a": 403, "b": 404}, False),
        ({"a": 403, "b": 200}, False),
        ({"a": 403, "b": 403}, True),
        ({"a": 404, "b": 500}, True),
        ({"a": 200, "b": 502}, True),
        ({"a": 200, "b": 429}, True),
        ({"a": 404, "b": 401}, True),
        ({"a": 404, "b": 407}, True),
    ],
)
def test_answers_of_an_index(statuses: dict[str, int], *, failed: bool) -> None:
    pages = [Page(OTHER, status=status) for status in statuses.values()]
    # Another one that has everything does not make it good.
    pages += [Page(ONE, status=200)] * len(statuses)
    found = index_reasons(pages)
    assert bool(found) is failed
    assert all(each.startswith(OTHER) for each in found)


NO_PAGE = Page(OTHER, "app", problem="page")


def test_what_is_no_page_of_the_simple_api() -> None:
    """A login page is answered with 200. From the only index it does no harm."""
    said = "what it answers for app is no page of the simple API: is it a login page?"
    assert said in index_reasons([NO_PAGE])[0]
    assert index_reasons([NO_PAGE, Page(OTHER, status=200)]) == []
    assert index_reasons([NO_PAGE, Page(OTHER, status=404)]) == []
    assert index_reasons([]) == []
    for status in (200, 404):
        pages = [NO_PAGE, Page(OTHER, status=status), Page(ONE, status=200)]
        assert index_reasons(pages) == [f"{OTHER}: {NO_PAGE.reason}"]


def test_what_cannot_be_read_is_a_failure_of_any_index() -> None:
    pages = [Page(OTHER, "app", problem="unreadable"), Page(OTHER, status=200)]
    assert index_reasons(pages) == [f"{OTHER}: what it answers for app cannot be read"]


def test_every_failing_index_is_named_once_with_its_first_reason() -> None:
    pages = [
        Page(ONE, problem="refused"),
        Page(ONE, problem="timeout"),
        Page(OTHER, status=500),
        Page(OTHER, status=403),
    ]
    assert index_reasons(pages) == [
        f"{ONE}: it cannot be reached: connection refused",
        f"{OTHER}: it answered 403 to everything",
    ]
    plain = Page("http://plain.example/simple", problem="untrusted")
    error = index_error(index_reasons([plain, *pages[:3]]))
    assert error.kind == "index"
    assert error.message == (
        "a package index failed: http://plain.example/simple: it is plain http and not trusted by "
        f"pip; {ONE}: it cannot be reached: connection refused; {OTHER}: it answered 500"
    )
    assert "somebody else's package" in (error.hint or "")


def test_of_an_index_in_a_folder_no_path_of_the_machine_is_shown() -> None:
    page = Page("file:///home/someone/simple", "app", problem="unreadable")
    assert index_reasons([page]) == ["file://simple: what it answers for app cannot be read"]


@pytest.mark.parametrize(
    ("page", "said"),
    [
        *((Page(ONE, "{}", problem=problem), words) for problem, words in PROBLEMS.items()),
        (Page(ONE, status=502), "it answered 502"),
        (Page(ONE, status=401), "it answered 401: it wants a user name and password"),
        (Page(ONE, problem="it is odd"), "it is odd"),
        (Page(ONE), "it gave no answer"),
    ],
)
def test_how_a_page_was_not_answered(page: Page, said: str) -> None:
    assert page.reason.startswith(said)


def test_no_secret_of_an_answer_is_shown() -> None:
    problem = f"https://user:{SECRET}@h.example/x?token={SECRET} at /home/someone/x is odd"
    said = Page(ONE, problem=problem).reason
    assert SECRET not in said
    assert "someone" not in said
    assert "odd" in said

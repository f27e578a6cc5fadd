"""Annotations and the summary of a job, with whatever is in the texts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nox_lock.checking.verdict import INVALID, ORPHANED, STALE, Judged, Verdict
from nox_lock.errors import Place, Reason
from nox_lock.project import Project
from nox_lock.reporting.verdicts import annotate, table
from nox_lock.text import markdown
from support.marks import ESCAPED, MARKS

if TYPE_CHECKING:
    from pathlib import Path


def test_what_has_a_meaning_in_a_command_is_escaped(tmp_path: Path) -> None:
    reason = Reason("50%\r\n::error::a, b", Place("in,put:1.in", 3))
    [line] = annotate([Judged("a:b,c.txt", Verdict(STALE, (reason,)))], Project(tmp_path, {}))
    assert line == (
        "::error title=nox-lock%3A a%3Ab%2Cc.txt is stale,file=in%2Cput%3A1.in,line=3::"
        "50%25%0D%0A::error::a, b"
    )


def test_what_has_a_meaning_in_a_table_is_escaped(tmp_path: Path) -> None:
    reason = Reason("x | y <script>\nz", Place("a.txt"))
    judged = [Judged("a.txt", Verdict(INVALID, (reason,)))]
    rows = list(table(judged, Project(tmp_path, {}), "nox -s lock"))
    assert "x \\| y &lt;script&gt; z (a.txt)" in rows[2]
    assert rows[2].count(" | ") == 4


def test_orphans_have_their_own_fix(tmp_path: Path) -> None:
    orphan = Judged("old.txt", Verdict(ORPHANED, (Reason("git rm old.txt", Place("old.txt")),)))
    lines = table([orphan], Project(tmp_path, {}), "nox -s lock")
    assert not any("Run" in line for line in lines)


def test_nothing_in_the_summary_is_a_mark_of_markdown_or_html(tmp_path: Path) -> None:
    verdict = Verdict(INVALID, (Reason(MARKS),), (MARKS,), (Reason(MARKS),))
    *_, row, _, run, _ = table([Judged(MARKS, verdict)], Project(tmp_path, {}), MARKS)
    assert row.count(ESCAPED) == 4
    assert f"Run: <code>{ESCAPED}" in run
    assert not re.search(r"(?<!\\)[`\[\]!*_~@]|<(?!br>|/?code>)", row + run)
    assert len(re.findall(r"(?<!\\)\|", row)) == 6
    assert markdown(ESCAPED) != ESCAPED  # it is for what is not Markdown yet


def test_several_projects_of_one_checkout_are_distinguished(tmp_path: Path) -> None:
    """Titles and the summary of a job have the paths from the top, and say where to lock."""
    judged = [Judged("a.txt", Verdict(STALE, (Reason("why", Place("a.in", 1)),)))]
    top = {"GITHUB_WORKSPACE": str(tmp_path)}
    for folder, path in (("", "a.txt"), ("back end", "back end/a.txt"), ("x/y", "x/y/a.txt")):
        project = Project(tmp_path / folder, top)
        [line] = annotate(judged, project)
        assert f"title=nox-lock%3A {path} is stale,file={path[:-3]}in,line=1::" in line
        *_, row, _, run, _ = table(judged, project, "nox -s lock")
        assert f"<code>{path}</code>" in row
        where = f" in <code>{folder}</code>" if folder else ""
        assert run == f"Run{where}: <code>nox -s lock</code>"
    outside = Project(tmp_path.parent, top)
    assert "nox-lock%3A a.txt is stale" in next(iter(annotate(judged, outside)))

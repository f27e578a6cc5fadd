"""All that pip said of a failure is kept where the error says, but what nobody is to see."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

import pytest

from nox_lock._cache import Cache
from nox_lock._failures import readable
from support.layers import lock, write_all

if TYPE_CHECKING:
    from pathlib import Path

    from support.index import LocalIndex
    from support.project import Project

SECRET = "planted-in-what-pip-says"  # noqa: S105
LONG_AGO = 91 * 24 * 3600
NAMED = re.compile(r"All that pip said: \$NOX_LOCK_CACHE_DIR/(v1/failures/[\w.-]+\.log)")


@pytest.fixture
def torn(project: Project, index: LocalIndex) -> Project:
    """Return a project whose two requirements cannot hold together."""
    for version in ("1.0", "2.0"):
        index.publish("dep", version)
    index.publish("old", "1.0", requires=["dep<2"])
    index.publish("new", "1.0", requires=["dep>=2"])
    index.publish("new", "0.9")
    write_all(project, {"requirements.in": "old\nnew>=1\n"})
    return project


def kept(project: Project) -> dict[str, str]:
    folder = project.home / "nox-lock-cache" / "v1" / "failures"
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


@pytest.mark.skipif(os.name == "nt", reason="Windows writes variables in another way")
def test_a_failure_is_kept_where_the_error_says(torn: Project) -> None:
    said = lock(torn).failed().output
    assert "old 1.0 depends on dep<2 (requirements.in:1)" in said
    assert "new 1.0 depends on dep>=2 (requirements.in:2)" in said
    assert "of dep there are 1.0, 2.0" in said
    edit = "ask for another version of new than new>=1 (requirements.in:2)"
    assert f"This may solve it: {edit}" in said
    found = NAMED.search(said)
    assert found, said
    path = torn.home / "nox-lock-cache" / found[1]
    text = path.read_text(encoding="utf-8")
    assert "The conflict is caused by:" in text
    assert str(torn.root) not in text
    assert str(torn.home) not in text
    assert path.parent.stat().st_mode & 0o077 == 0

    # The next failure of the same lock goes over it, and the JSON names it, too.
    torn.write("requirements.in", "old\nnowhere-to-be-found\n")
    told = json.loads(lock(torn, "--format", "json").failed().stdout)
    [error] = told["errors"]
    assert error["lockfile"] == "requirements.txt"
    assert (error["file"], error["line"]) == ("requirements.in", 2)
    assert error["log"] == f"$NOX_LOCK_CACHE_DIR/{found[1]}"
    [(name, text)] = kept(torn).items()
    assert name == path.name
    assert "nowhere-to-be-found" in text
    assert "The conflict is caused by:" not in text


def test_a_wheel_outside_that_does_not_do(torn: Project, index: LocalIndex) -> None:
    """pip names it by its absolute path, with a space in it; we by the line of the input."""
    outside = torn.root.parent / "my wheels"
    outside.mkdir()
    wheel = outside / index.publish("lib", "1.0").name
    (index.folder / wheel.name).rename(wheel)
    for version in ("2.0", "3.0"):
        index.publish("lib", version)
    torn.write("requirements.in", f"../my wheels/{wheel.name}\nlib>=2\n")
    said = lock(torn).failed().output.replace("nox > ", "")
    assert f"  lib 1.0, from {wheel.name} (requirements.in:1)\n" in said
    assert "  lib>=2 (requirements.in:2)\n" in said
    assert "This may solve it: loosen lib>=2 (requirements.in:2): the others allow 1.0\n" in said
    [text] = kept(torn).values()
    assert "ResolutionImpossible" in text
    for each in (said, text):
        assert str(torn.root.parent) not in each
        assert torn.root.parent.as_uri() not in each


def test_no_record_without_a_cache(torn: Project) -> None:
    """One that cannot be kept is not spoken of."""
    blocked = torn.home / "a-file"
    blocked.write_text("", encoding="utf-8")
    said = lock(torn, env={"NOX_LOCK_CACHE_DIR": str(blocked)}).failed().output
    assert "cannot hold together" in said
    assert "All that pip said" not in said


@pytest.mark.parametrize(
    "text",
    [
        f"Looking in indexes: https://user:{SECRET}@h.example/simple",
        f"https://user:p@{SECRET}@h.example/simple",
        f"https://{SECRET}@h.example/simple",
        f"git+https://{SECRET}@h.example/mine.git",
        f"https://h.example/simple?token={SECRET}",
        f"(from https://h.example/mine.whl?X-Amz-Signature={SECRET})",
        f"http://user:{SECRET}@127.0.0.1:9/ 'http://{SECRET}@h.example'",
    ],
)
def test_no_secret_is_kept(text: str) -> None:
    assert SECRET not in readable(text)
    assert "h.example" in readable(text) or "127.0.0.1" in readable(text)


def test_nothing_of_the_machine_and_nothing_a_terminal_obeys_is_kept() -> None:
    text = readable("one\n/home/someone/x/app.whl\nC:\\Users\\someone\\app.whl\n\x1b[2Jred\u202e\n")
    assert text == "one\napp.whl\napp.whl\n\\x1b[2Jred\\u202e\n"


def test_what_is_too_long_loses_its_beginning_by_whole_lines() -> None:
    line = f"https://user:{SECRET}{'x' * 1000}@h.example/\n"
    text = readable(line * 1000 + "the end")
    assert len(text) < 1 << 18
    assert text.startswith("(what stood above was too long to be kept)\n")
    assert text.endswith("h.example/\nthe end\n")
    assert SECRET not in text
    assert "xxx" not in text
    assert readable("x" * (1 << 19)) == "(what stood above was too long to be kept)\n"


def test_a_record_goes_with_its_age(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    (tmp_path / "v1" / "work").mkdir(parents=True)
    old, new = cache.keep_failure("old.log", "x\n"), cache.keep_failure("new.log", "x\n")
    assert old is not None
    assert new is not None
    then = old.stat().st_mtime - LONG_AGO
    os.utime(old, (then, then))
    os.utime(tmp_path / "v1" / "looked", (then, then))
    cache.keep_failure("new.log", "y\n")
    assert [path.name for path in new.parent.iterdir()] == ["new.log"]
    assert new.read_text(encoding="utf-8") == "y\n"

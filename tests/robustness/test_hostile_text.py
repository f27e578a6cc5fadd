"""What is in files, names and arguments reaches no terminal as it is, in no form of output.

An escape sequence can hide a line, or rewrite the ones above it; a mark of direction makes a text
look like another; a password in a lock file would go on into every log of every run.
"""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nox_lock.errors import Place, as_error
from nox_lock.text import quoted, redact
from support.inside import nox_inside
from support.mistakes import BODY, HEADER, IN, PASSWORD, PLAIN, TOML, TXT
from support.project import clean_environment

if TYPE_CHECKING:
    from support.project import Run

NASTY = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202egnp\u2066\u200b\x7f"
SHOWN = r"\x1b[2J\x1b]0;owned\x07\x9b31m\u202egnp\u2066\u200b\x7f"
CHECK = ("-s", "lock-check")
FORMS = ("text", "json", "github")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a project with a fresh lock."""
    made = tmp_path / "project"
    made.mkdir()
    for name, text in (("noxfile.py", PLAIN), (IN, "app\n"), (TXT, HEADER + BODY)):
        (made / name).write_text(text, encoding="utf-8")
    return made


def check(root: Path, *args: str, **env: str) -> Run:
    return nox_inside(root, *CHECK, *args, env=clean_environment(root.parent, **env)).failed()


def harmless(text: str) -> bool:
    return all(each.isprintable() or each in "\n\t" for each in text)


PLACES = {
    "an option": {IN: f"app\n--trusted-host {NASTY}\n"},
    "an index": {IN: f"app\n--extra-index-url http://x.invalid/{NASTY}\n"},
    "a requirement that is none": {IN: f"app {NASTY}\n"},
    "a URL": {IN: f"app\nmine @ https://x.invalid/{NASTY}.whl\n"},
    "a path": {IN: f"./{NASTY.replace(';', ',')}\n"},  # behind a semicolon is a marker
    "a file to include": {IN: f"-r {NASTY}\n"},
    "an unknown option": {IN: f"--{NASTY}\n"},
    "an option of a lock": {TXT: f"{HEADER}--index-url https://x.invalid/{NASTY}\n\n{BODY}"},
    "a pin of a lock": {TXT: f"{HEADER}{BODY}mine @ https://x.invalid/{NASTY}.whl\n"},
    "a marker of a lock": {TXT: HEADER + BODY.replace("dep==2.0", f"dep==2.0 ; x == '{NASTY}'")},
    "a line of a lock that is not a pin": {TXT: f"{HEADER}{BODY}{NASTY}\n"},
    "a file that a lock includes": {TXT: f"{HEADER}-r {NASTY}.txt\n{BODY}"},
    "a key": {TOML: f"[tool.nox-lock]\n{json.dumps(NASTY)} = 1\n"},
    "a value": {TOML: f"[tool.nox-lock]\ngenerate-hashes = {json.dumps(NASTY)}\n"},
    "the name of a lock": {TOML: f"[tool.nox-lock.locks.{json.dumps(NASTY)}]\n"},
    "an extra": {TOML: f"[tool.nox-lock.locks.a]\ninputs = ['pyproject.toml']\n"
                       f"extras = [{json.dumps(NASTY)}]\n[project]\nname = 'mine'\n"},
    "a group": {TOML: f"[tool.nox-lock.locks.a]\ngroups = ['x']\n[dependency-groups]\n"
                      f"{json.dumps(NASTY)} = []\n"},
    "a constraint": {TOML: f"[tool.nox-lock.locks.a]\ninputs = ['{IN}']\n"
                           f"constraints = [{json.dumps(NASTY)}]\n"},
    "the name of an input": {f"requirements-{NASTY}.in": "app\n"},
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("place", PLACES)
def test_no_control_character_leaves(place: str, form: str, root: Path) -> None:
    for name, text in PLACES[place].items():
        if "/" in name or os.name == "nt":
            pytest.skip("no such name here")
        (root / name).write_text(text, encoding="utf-8")
    summary = root.parent / "summary.md"
    run = check(root, "--", f"--format={form}", GITHUB_STEP_SUMMARY=str(summary))
    assert harmless(run.output), repr(run.output)
    assert not summary.exists() or harmless(summary.read_text(encoding="utf-8"))
    # It is shown, not left out.
    assert re.search(r"\\+x1b|\\+u001b|U\+001B", run.output), run.output


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "line",
    [
        f"--index-url https://me:{PASSWORD}@x.invalid/simple\n\n",
        f"--extra-index-url https://{PASSWORD}:@x.invalid/simple\n\n",
        f"mine @ https://me:{PASSWORD}@x.invalid/mine.whl\n    # via app\n",
        f"-e git+https://me:{PASSWORD}@x.invalid/mine#egg=mine\n    # via app\n",
        f"app = https://me:{PASSWORD}@x.invalid/mine\n",
        f"-r https://me:{PASSWORD}@x.invalid/base.txt\n",
    ],
)
def test_a_password_in_a_lock_file_goes_no_further(line: str, form: str, root: Path) -> None:
    (root / TXT).write_text(HEADER + line + BODY, encoding="utf-8")
    summary = root.parent / "summary.md"
    run = check(root, "--", f"--format={form}", GITHUB_STEP_SUMMARY=str(summary))
    assert PASSWORD not in run.output
    assert not summary.exists() or PASSWORD not in summary.read_text(encoding="utf-8")


def test_the_line_is_shown_as_it_is_spelled(root: Path) -> None:
    (root / TXT).write_text(f"{HEADER}{BODY}{NASTY}\n", encoding="utf-8")
    assert f"'{SHOWN}' is not a pin ({TXT}:13)" in check(root).stderr
    (root / TXT).write_text(HEADER + BODY, encoding="utf-8")
    (root / IN).write_text(f"app\n--find-links https://x.invalid/{NASTY}\n", encoding="utf-8")
    assert (
        f"--find-links https://x.invalid/{SHOWN} is not in the lock ({IN}:2)" in check(root).stderr
    )


def test_json_has_the_text_as_it_is(root: Path) -> None:
    """Programs get the text itself; JSON has its own escapes."""
    (root / IN).write_text(f"app\n--find-links https://x.invalid/{NASTY}\n", encoding="utf-8")
    report = json.loads(check(root, "--", "--format=json").stdout)
    messages = [reason["message"] for reason in report["locks"][0]["reasons"]]
    assert f"--find-links https://x.invalid/{NASTY} is not in the lock" in messages


def test_a_stream_that_cannot_show_a_letter_shows_its_number(root: Path) -> None:
    (root / IN).write_text("app\n--trusted-host caf\xe9-\u4f60\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "nox", *CHECK, "--", "--format=github"],
        cwd=root,
        env=clean_environment(root.parent, PYTHONIOENCODING="ascii"),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    assert rb"--trusted-host caf\xe9-\u4f60 is not in the lock" in done.stdout


@given(st.text() | st.text(st.characters(categories=["Cc", "Cf", "Zl", "Zp", "Cs", "Co"])))
@example(NASTY)
@example("\ud800 \udcff")
@settings(database=None, derandomize=True)
def test_any_text_can_be_shown(text: str) -> None:
    shown = redact(text)
    assert harmless(shown)
    assert "\n" not in shown
    shown.encode()
    assert redact(shown) == shown
    assert len(quoted(text).splitlines()) == 1


@given(st.text(st.characters(categories=["L", "N", "S", "Pd", "Po"], exclude_characters="@")))
@settings(database=None, derandomize=True)
def test_what_is_harmless_stays_as_it_is(text: str) -> None:
    assert redact(text) == text


def test_variables_and_user_names_are_no_secrets() -> None:
    for url in ("https://${USER}:${TOKEN}@x.invalid/a", "git+ssh://git@x.invalid/a"):
        assert redact(f"see {url} there") == f"see {url} there"
    assert redact(f"see https://me:{PASSWORD}@x.invalid/a there") == (
        "see https://****@x.invalid/a there"
    )


# What the operating system refuses


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("ENOSPC", "Make room"), ("EACCES", "Let the user"), ("EROFS", "elsewhere"),
        ("ENAMETOOLONG", "shorter name"), ("EISDIR", "by a file"), ("ELOOP", "link"),
        ("EMFILE", "ulimit"), ("ENOTDIR", "is a file"), ("EIO", "run this again"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("where", ["project", "elsewhere"])
def test_an_error_of_the_system_has_a_fix(name: str, fix: str, tmp_path: Path, where: str) -> None:
    code = getattr(errno, name)
    path = tmp_path / where / "locks" / "a.txt"
    error = as_error(OSError(code, os.strerror(code), str(path)), tmp_path / "project")
    assert error.place == Place("locks/a.txt" if where == "project" else "a.txt")
    assert os.strerror(code) in error.message
    assert fix in str(error.hint)
    assert str(tmp_path) not in str(error)


def test_an_error_of_the_system_without_a_file(tmp_path: Path) -> None:
    assert as_error(OSError("so be it"), tmp_path).place is None
    assert as_error(OSError(errno.EBADF, "Bad", 7), tmp_path).place is None
    assert as_error(OSError(errno.EIO, "Bad", b"caf\xe9"), tmp_path).place is not None


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full here")
def test_a_full_disk_is_an_error(root: Path) -> None:
    full = Path("/dev/full").open("w", encoding="utf-8")  # noqa: SIM115  (closing it fails)
    env = clean_environment(root.parent)
    run = nox_inside(root, *CHECK, "--", "--format=json", env=env, out=full)
    with pytest.raises(OSError, match="No space"):
        full.close()
    run.failed()
    assert run.returncode == 1
    assert "No space left on device" in run.stderr
    assert "Make room on the disk." in run.stderr


def test_what_is_nested_without_end_is_an_error(root: Path) -> None:
    """Deeper than any reader looks for: brackets of a marker that are just not too many."""
    lines = "".join(
        f"app ; {'(' * depth}python_version > '3'{')' * depth}\n" for depth in range(50, 400, 7)
    )
    (root / IN).write_text(lines, encoding="utf-8")
    check(root)

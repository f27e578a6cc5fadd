"""Whatever the files hold, a check ends: soon, with a verdict or with one error in words.

Time is that of the processor, in a process of its own that is ended where it takes too long.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from support.hostile import WAYS, Reader
from support.verdicts import ERROR, INPUT, LOCK, make, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Far more than the few hundredths of a second that it takes: seconds are what a bad pattern takes.
LIMIT = 2.0
LINE, MOST = 2**16, 2**20
HASH = "--hash=sha256:" + "a" * 64
FRAGMENTS = [
    " ", "\t", "  ", "?a_a_", "?", "&", "_", "a", "ab-", ";", "#", " #", "@", " @ ", "://", "//",
    "https://", "git+https://", "file:", "file:///", "--hash=", HASH, f"{HASH} ",
    f" \\\n    {HASH}",
    "[", "]", "[a]", "[a,", "'", '"', "\\", "\\\n", " \\\n", "=", "==", "===1", "-", "--", "-r ",
    "/", "../", "./", ":", ".", ",", "(", ")", "${", "${A}", "%", "token=", "?token=", "&sig=",
    "a:b@", "a@", "#egg=", "# via ", "# via a, ", "app==1 ", "app==1 ; ", 'os_name == "a" ',
    " and ", " or ", "not in ", "app==1\n", "# a\n", "\n", "-r a\n", "--pre ", "<<<<<<< ", "x.whl",
]  # fmt: skip
# A smaller text that takes as long costs minutes to find.
HABITS = settings(
    database=None,
    deadline=None,
    max_examples=25,
    phases=[Phase.generate],
    suppress_health_check=[*HealthCheck],
)
# The worst that was known when this was written, and what is like it.
KNOWN = {
    "blanks behind a semicolon": "app==1.0 ; " + " " * LINE + "x",
    "blanks behind a marker": 'app==1.0 ; os_name == "a"' + " " * LINE + "\\x",
    "blanks before a number sign": "app==1.0" + " " * LINE + "#",
    "blanks before a number sign, and no more": "app" + " " * LINE + "x#",
    "blanks after a name": "app" + " " * LINE + "!",
    "blanks in a folder": "./a ;" + " " * LINE + "x",
    "queries": "https://x.invalid/" + "?a_a_" * (LINE // 5),
    "queries without a URL": "?a_a_" * (LINE // 5) + "=x",
    "names of queries": "?" + "a-" * (LINE // 2) + "x",
    "slashes": "/a" * (LINE // 2),
    "folders in a file URL": "file:" + "/a" * (LINE // 2) + "'",
    "logins": "//a:" * (LINE // 4) + "@",
    "users": "https://a" * (LINE // 9) + " @",
    "schemes": "a" * LINE + "://",
    "brackets": "app[" + "[" * LINE,
    "extras": "app[" + "a," * (LINE // 2),
    "backslashes": "app==1.0 " + "\\" * LINE + "x",
    "continuations": "app==1.0 \\\n" * (LINE // 11),
    "quotes": "--find-links " + "'\"" * (LINE // 2),
    "parentheses": "app==1.0 ; " + "(" * LINE,
    "markers": "app==1.0 ; " + 'os_name == "a" and ' * (LINE // 19),
    "hashes on one line": "app==1.0 " + f"{HASH} " * (LINE // 79),
    "digits": "app==" + "9" * LINE,
    "dots": "app==1" + ".1" * (LINE // 2),
    "a version of letters": "app==1" + "a1" * (LINE // 2),
    "hyphens": "app==1" + "-" * LINE,
    "notes": "app==1.0\n" + "    # via a, b, c\n" * (LINE // 18),
}
WHOLE = {
    "blanks": " " * MOST,
    "newlines": "\n" * MOST,
    "comments": "#\n" * (MOST // 2),
    "number signs": "#" * MOST,
    "continuations": "\\\n" * (MOST // 2),
    "one pin": "a==1\n" * (MOST // 5),
    "junk": "%\n" * (MOST // 2),
    "blanks behind a semicolon": "app==1.0 ;" + " " * (MOST - 20) + "x",
    "queries": "app @ https://x.invalid/" + "?a_a_" * (MOST // 5 - 10),
    "options": "--pre\n" * (MOST // 6),
    "includes": "-r a.txt\n" * (MOST // 9),
    "hashes of one pin": "app==1.0" + f" \\\n    {HASH}" * (MOST // 85),
    "merge marks": "<<<<<<< a\n" * (MOST // 10),
    "pins": "".join(f"p{n}==1.{n}\n" for n in range(MOST // 15)),
    "markers": "".join(
        f"p{n}>=1,<2 ; python_version > '3.{n % 20}' and os_name == 'posix'\n"
        for n in range(MOST // 64)
    ),
    "different markers": "".join(
        f"p{n} ; python_version > '3.{n}' and os_name == 'o{n}'\n" for n in range(MOST // 55)
    ),
    "specifiers": "app" + ">=1," * (MOST // 5) + ">=1",
    "different specifiers": "app" + ",".join(f"!=1.{n}" for n in range(MOST // 9)),
    "one marker": "app ; " + "os_name == 'x' or " * (MOST // 19) + "os_name == 'y'",
    "indexes": "".join(f"--extra-index-url https://h{n}.invalid/s\n" for n in range(MOST // 42)),
    "URLs": "".join(f"p{n} @ https://x.invalid/p{n}-1.zip\n" for n in range(MOST // 38)),
}


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with Reader(tmp_path_factory.mktemp("hostile").resolve() / "project") as made:
        yield made


def read(reader: Reader, what: str, text: str) -> None:
    answer = reader.ask(what, text)
    assert "error" not in answer, answer
    assert answer["seconds"] < LIMIT, answer["seconds"]


@st.composite
def hostile_lines(draw: st.DrawFn) -> str:
    """Make a text of 64 kB: a beginning, a few fragments again and again, and an end."""
    few = st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=3).map("".join)
    begin, body, more, end = (draw(few) for _ in range(4))
    share = draw(st.sampled_from([1, 1, 2, 4]))
    text = begin + body * (LINE // len(body) // share)
    return text + more * ((LINE - len(text)) // len(more)) + end


@pytest.mark.parametrize("what", WAYS)
@settings(HABITS, derandomize=True)
@given(text=hostile_lines())
def test_hostile_lines(reader: Reader, what: str, text: str) -> None:
    read(reader, what, text)


@pytest.mark.long
@pytest.mark.parametrize("what", WAYS)
@settings(HABITS, max_examples=2000)
@given(text=hostile_lines())
def test_hostile_lines_at_length(reader: Reader, what: str, text: str) -> None:
    read(reader, what, text)


@pytest.mark.parametrize("what", WAYS)
@pytest.mark.parametrize("name", KNOWN)
def test_lines_that_are_known(reader: Reader, name: str, what: str) -> None:
    read(reader, what, KNOWN[name])


@pytest.mark.parametrize("what", ["lock", "end of a lock", "input"])
@pytest.mark.parametrize("name", WHOLE)
def test_a_megabyte(reader: Reader, name: str, what: str) -> None:
    read(reader, what, WHOLE[name])


def refused(reader: Reader, file: str) -> None:
    """Assert that there is one error, or a verdict with one reason, that names the file."""
    answer = reader.ask("judge")
    assert "error" not in answer, answer
    assert answer["seconds"] < LIMIT, answer["seconds"]
    [(word, reasons)] = answer["found"].values()
    [reason] = reasons
    assert word in (ERROR, "invalid")
    assert file in reason
    assert str(reader.folder) not in reason


@pytest.fixture
def folder(reader: Reader) -> Path:
    shutil.rmtree(reader.folder, ignore_errors=True)
    reader.folder.mkdir()
    make(reader.folder, "plain")
    write(reader.folder, {"more.in": b"app\n", INPUT: b"app\n-r more.in\n"})
    return reader.folder


FILES = ["an input", "an included input", "a lock file"]
NAMES = {"an input": INPUT, "an included input": "more.in", "a lock file": LOCK}


@pytest.mark.skipif(os.name == "nt", reason="there are none on Windows")
@pytest.mark.parametrize("file", FILES)
def test_a_pipe(file: str, reader: Reader, folder: Path) -> None:
    """Nobody writes into it: whoever opens it waits for ever."""
    (folder / NAMES[file]).unlink()
    os.mkfifo(folder / NAMES[file])
    refused(reader, NAMES[file])


@pytest.mark.skipif(os.name == "nt", reason="there is none on Windows")
@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null"])
@pytest.mark.parametrize("file", FILES)
def test_a_device(file: str, device: str, reader: Reader, folder: Path) -> None:
    (folder / NAMES[file]).unlink()
    (folder / NAMES[file]).symlink_to(device)
    refused(reader, NAMES[file])


@pytest.mark.parametrize("file", FILES)
def test_a_folder(file: str, reader: Reader, folder: Path) -> None:
    (folder / NAMES[file]).unlink()
    (folder / NAMES[file]).mkdir()
    refused(reader, NAMES[file])


@pytest.mark.parametrize("file", FILES)
def test_a_file_that_nobody_wrote(file: str, reader: Reader, folder: Path) -> None:
    """More than 16 MB are not read."""
    with (folder / NAMES[file]).open("wb") as opened:
        opened.seek(16 * MOST)
        opened.write(b"\n")
    refused(reader, NAMES[file])


def judged(reader: Reader) -> tuple[str, list[str]]:
    answer = reader.ask("judge")
    assert "error" not in answer, answer
    assert answer["seconds"] < LIMIT, answer["seconds"]
    word, reasons = answer["found"][LOCK]
    return word, reasons


@pytest.mark.parametrize("flag", ["-r", "-c"])
def test_files_that_include_each_other_twice(flag: str, reader: Reader, folder: Path) -> None:
    """Each is read once: 24 of them are 16 million ways."""
    files = {f"part{n}.in": f"{flag} part{n + 1}.in\n-r ./part{n + 1}.in\n" for n in range(24)}
    files["part24.in"] = "app<2\n"
    files[INPUT] = "app\ndep>=2 ; python_version >= '3.8'\n-r part0.in\n"
    write(folder, {name: text.encode() for name, text in files.items()})
    assert judged(reader) == ("fresh", [])
    (folder / "part24.in").write_text("app<1\n", encoding="utf-8")
    word, reasons = judged(reader)
    assert word == "stale"
    assert all("(part24.in:1)" in reason for reason in reasons)


def test_lock_files_that_include_each_other_twice(reader: Reader, folder: Path) -> None:
    write(folder, {f"part{n}.txt": f"-r part{n + 1}.txt\n".encode() * 2 for n in range(24)})
    write(folder, {"part24.txt": b"app==1.0\n"})
    with (folder / LOCK).open("ab") as file:
        file.write(b"-r part0.txt\n-r part0.txt\n")
    word, reasons = judged(reader)
    assert word == "stale"
    assert any("includes part0.txt" in reason for reason in reasons)


@pytest.mark.parametrize("order", ["forwards", "backwards", "all by one", "one by all"])
def test_five_thousand_pins(order: str, reader: Reader, folder: Path) -> None:
    """Each asks for the next, in the order of the file or against it."""
    names = [f"p{number:04}" for number in range(5000)]
    chain = names if order != "backwards" else names[::-1]
    asked = dict(zip(chain[1:], ([each] for each in chain), strict=False))
    if order == "all by one":
        asked = {name: [chain[0]] for name in chain[1:]}
    elif order == "one by all":
        asked = {name: [chain[0]] for name in chain[1:-1]} | {chain[-1]: chain[:-1]}
    head = (folder / LOCK).read_text(encoding="utf-8").partition("# nox-lock:")[0]
    pins = []
    for name in names:
        notes = asked.get(name, [f"-r {INPUT}"])
        via = f" {notes[0]}" if len(notes) == 1 else "".join(f"\n    #   {each}" for each in notes)
        pins.append(f"{name}==1.0 \\\n    {HASH}\n    # via{via}\n")
    write(folder, {INPUT: f"{chain[0]}\n".encode(), LOCK: f"{head}{''.join(pins)}".encode()})
    assert judged(reader) == ("fresh", [])
    broken = f"evil==1.0 \\\n    {HASH}\n    # via nobody\n"
    write(folder, {LOCK: f"{head}{''.join(pins)}{broken}".encode()})
    word, [reason] = judged(reader)
    assert word == "stale"
    assert "evil" in reason

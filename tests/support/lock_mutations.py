"""Seeded mutations of lock files: bytes, lines, separators, encodings, and all that pip reads."""

# ruff: noqa: E501  (a table is read by its columns)

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    Mutate = Callable[[bytes, random.Random], bytes]

SEPARATORS = [
    each.encode()
    for each in ("\u2028", "\u2029", "\x85", "\v", "\f", "\x1c", "\x1d", "\x1e", "\r", "\r\n", "\n")
]
HASH = b"--hash=sha256:" + b"e" * 64
EVIL = b"evil==6.6.6 " + HASH
OPTIONS = [
    b"--index-url https://evil.invalid/simple", b"-i https://evil.invalid/simple", b"--pre",
    b"--extra-index-url https://x.invalid/simple", b"--extra-index-url=https://evil.invalid",
    b"--find-links ./evil", b"-f evil", b"--trusted-host evil.invalid", b"--no-binary :all:",
    b"--only-binary=app", b"--no-index", b"--require-hashes", b"--prefer-binary", b"--no-deps",
    b"--config-settings=a=b", b"-Ca=b", b"--global-option=x", b"-e ./evil", b"--use-feature=x",
]  # fmt: skip
INCLUDES = [
    b"-r more.txt", b"-rmore.txt", b"--requirement=more.txt", b"-c limits.txt", b"-r empty.txt",
    b"-r nothing.txt", b"--requirem more.txt", b"--pre -r more.txt", b"-r requirements.txt",
]  # fmt: skip
MARKERS = [
    b'python_version < "3"', b'python_version >= "3.8"', b'python_full_version == "3.11.4"',
    b'sys_platform == "win32"', b'sys_platform != "win32"', b'extra == "x"', b"os_name == 'posix'",
    b'implementation_version != "3.11.4"', b"nonsense", b"", b'"${EVIL}" == "6.6.6"',
]  # fmt: skip
PINS = [
    EVIL, b"app==1.5 " + HASH, b"silk==6.6.6 " + HASH, b"tool==1.0 " + HASH, b"evil", b"app>=1",
    b"evil @ https://evil.invalid/evil.tar.gz", b"https://evil.invalid/tool.tar.gz#egg=tool",
    b"./evil", b"evil-6.6.6-py3-none-any.whl", b"app", b"app==1.*", b"silk[more]==3.0 " + HASH,
]  # fmt: skip
COMMENTS = [
    b"# a note", b"#", b"# via app", b"#   app", b"# via", b"# -r more.txt", b"#x", b"# \xc3\xa9",
    b"# -*- coding: utf-7 -*-", b"# a note \\", b"# +AAo-" + EVIL, b"# ${EVIL}", b"    # a note",
]  # fmt: skip
CODINGS = [b"utf-8", b"utf-7", b"latin-1", b"raw_unicode_escape", b"ascii", b"nonsense", b"cp037"]
TOKENS = [
    *b"\\ # ; , @ : ' \" [ ] ( ) = == === ~= ! * - -- / . .. ${EVIL} ${ ${A} #x #egg=evil".split(),
    *b"&subdirectory=evil #subdirectory=evil --hash= --hash=sha256: -r -c -e --pre via dev1".split(),
    b" ", b"  ", b"\t", b"\xc2\xa0", b"\xe2\x80\x8b", b"\xef\xbb\xbf", b"\0", b"\x1b", b" \\", b"\\\n",
    b" # ", b"  # via app, dep", b" ; ", "\u212a".encode(), "\u0663".encode(), b"\x80", b"\xff",
]  # fmt: skip


def _lines(data: bytes) -> list[bytes]:
    return data.split(b"\n")


def _at_line(change: Callable[[bytes, random.Random], bytes], only: bytes = b"") -> Mutate:
    """Return what changes one line, of those that match a pattern."""

    def mutate(data: bytes, choose: random.Random) -> bytes:
        lines = _lines(data)
        fitting = [i for i, line in enumerate(lines) if re.search(only, line)]
        if fitting:
            number = choose.choice(fitting)
            lines[number] = change(lines[number], choose)
        return b"\n".join(lines)

    return mutate


def _between(texts: list[bytes]) -> Mutate:
    """Return what puts a line between others."""

    def mutate(data: bytes, choose: random.Random) -> bytes:
        lines = _lines(data)
        lines.insert(choose.randint(0, len(lines)), choose.choice(texts))
        return b"\n".join(lines)

    return mutate


def _bytes(data: bytes, choose: random.Random) -> bytes:
    at = choose.randrange(len(data))
    end = at + choose.choice([0, 1, 1, 4, 40])
    new = choose.choice([b"", bytes([choose.randrange(256)]), data[at : at + 3], b" ", b"0", b"1"])
    return data[:at] + new + data[end:]


def _token(data: bytes, choose: random.Random) -> bytes:
    """Put a token where a word begins or ends, mostly."""
    places = [found.start() for found in re.finditer(rb"\b|(?<= )|$|^", data, re.MULTILINE)]
    at = choose.choice(places)
    return data[:at] + choose.choice(TOKENS) + data[at:]


def _separator(data: bytes, choose: random.Random) -> bytes:
    mark = choose.choice(SEPARATORS)
    if choose.random() < 0.3:
        places = [found.start() for found in re.finditer(rb"\n", data)]
        at = choose.choice(places) if places else 0
        return data[:at] + mark + data[at + 1 :]
    at = choose.randint(0, len(data))
    return data[:at] + mark + choose.choice([b"", EVIL, b"# x", b"    "]) + data[at:]


def _move(data: bytes, choose: random.Random) -> bytes:
    """Delete, repeat, swap or move lines."""
    lines = _lines(data)
    one, two = choose.randrange(len(lines)), choose.randrange(len(lines))
    kind = choose.randrange(4)
    if kind == 0:
        del lines[one]
    elif kind == 1:
        lines.insert(two, lines[one])
    elif kind == 2:
        lines[one], lines[two] = lines[two], lines[one]
    else:
        lines.insert(two, lines.pop(one))
    return b"\n".join(lines)


def _encoding(data: bytes, choose: random.Random) -> bytes:
    text = data.decode("utf-8", errors="replace")
    kind = choose.randrange(6)
    if kind == 0:
        return (
            choose.choice([b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf" * 2]) + data
        )
    if kind == 1:
        return text.encode(choose.choice(["utf-16", "utf-32", "utf-8-sig", "utf-7"]), "replace")
    if kind == 2:
        return data.replace(b"\n", choose.choice([b"\r\n", b"\r", b"\n\n"]))
    line = b"# " + choose.choice([b"coding: ", b"-*- coding=", b"vim: fileencoding="])
    line += choose.choice(CODINGS) + choose.choice([b"", b" +AAo-" + EVIL, b" \\u000a" + EVIL])
    lines = _lines(data)
    lines.insert(choose.randrange(3), line)
    return b"\n".join(lines)


def _of_hash(line: bytes, choose: random.Random) -> bytes:
    """Change a hash, or what is around it."""
    digits = b"%x" % choose.randrange(16)
    at = choose.randrange(len(line))
    return choose.choice(
        [
            line[:at] + digits + line[at + 1 :], line[:at] + digits + line[at:],
            line[:at] + line[at + 1 :], line.strip(), b"\t" + line.strip(), line + b" " + HASH,
            line.replace(b"sha256:", choose.choice([b"sha512:", b"md5:", b"SHA256:", b"sha256:x"])),
            line.replace(b"--hash=", choose.choice([b"--hash ", b"--has=", b"--HASH=", b"--hash='"])),
            line.upper(), HASH, line + b" " + choose.choice(OPTIONS + INCLUDES + PINS), b"",
            line.rstrip(b" \\") + b" --config-settings=aa=" + b"x" * 9,
            line.rstrip(b" \\") + b" -r ././././././././././more.txt",
        ]
    )  # fmt: skip


def _of_end(line: bytes, choose: random.Random) -> bytes:
    """Change where a line continues."""
    bare = line.rstrip(b" \\")
    return choose.choice(
        [
            bare, bare + b" \\", bare + b"\\", bare + b" \\ ", bare + b" \\\\", bare + b" \\\t",
            bare + b" \\\n# a note", bare + b" \\\n", bare + b"  # a note \\", line + b"   ",
            bare + b" \\\r", bare + b"   \\", b"\\" + line,
        ]
    )  # fmt: skip


def _of_pin(line: bytes, choose: random.Random) -> bytes:
    """Change a pin: its marker, its version, its name, its blanks."""
    found = re.match(rb"([^\s=;\[]+)(.*?)(\s*;.*?)?( \\)?$", line, re.DOTALL)
    assert found
    name, rest, marker, end = (each or b"" for each in found.groups())
    other = choose.choice([b" ; ", b";", b" ;"]) + choose.choice(MARKERS)
    return choose.choice(
        [
            name + rest + other + end, name + rest + end, name.upper() + rest + marker + end,
            name + rest.replace(b"==", choose.choice([b" == ", b"===", b">=", b"== ", b"=", b" =="]))
            + marker + end,
            name + rest + choose.choice([b".post1", b".1", b"0", b".*", b",!=2", b"+local"]) + marker
            + end,
            name + b"[extra]" + rest + marker + end, b"  " + line, line + b" " + HASH,
            name + b" @ https://evil.invalid/x.tar.gz" + marker + end, b"evil" + rest + marker + end,
            name + rest + b"\t" + marker + end, choose.choice(PINS), line + b"\n" + line,
            line + b" " + choose.choice(PINS), line + b" " + choose.choice(OPTIONS),
            name + rest + other + end + b"\n" + line, b'"' + name + b'"' + rest + marker + end,
        ]
    )  # fmt: skip


def _append(texts: list[bytes], before: list[bytes]) -> Callable[[bytes, random.Random], bytes]:
    return lambda line, choose: line + choose.choice(before) + choose.choice(texts)


_IS_PIN = rb"^[A-Za-z].*(==|@)"
KINDS: dict[str, Mutate] = {
    "bytes": _bytes,
    "token": _token,
    "separator": _separator,
    "lines": _move,
    "encoding": _encoding,
    "hash": _at_line(_of_hash, rb"--hash="),
    "continuation": _at_line(_of_end),
    "continuation of a pin": _at_line(_of_end, rb"\\$"),
    "pin": _at_line(_of_pin, _IS_PIN),
    "another pin": _between(PINS),
    "option": _between(OPTIONS),
    "include": _between(INCLUDES),
    "comment": _between(COMMENTS),
    "blank line": _between([b"", b"   ", b"\t"]),
    "comment behind a line": _at_line(_append(COMMENTS, [b"  ", b" ", b""])),
    "option behind a line": _at_line(_append(OPTIONS + INCLUDES, [b" ", b""])),
    "marker behind a line": _at_line(_append(MARKERS, [b" ; ", b";"])),
}
# What changes nothing, alone; an attack may need it.
_GENTLE = ("comment", "blank line", "comment behind a line", "encoding", "lines")


def mutate(data: bytes, choose: random.Random) -> tuple[bytes, list[str]]:
    """Return a lock file after one to three mutations, and which these were."""
    names = [choose.choice(list(KINDS))]
    names += [
        choose.choice(_GENTLE if choose.random() < 0.4 else list(KINDS))
        for _ in range(choose.choice([0, 0, 1, 2]))
    ]
    for name in names:
        data = KINDS[name](data, choose) or b"\n"
    return data, names

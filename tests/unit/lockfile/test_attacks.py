"""Lock files that a stranger has changed, and lock files that a person or an editor has.

What pip takes from each text is looked up in pip's own reader. A change that pip reads like the
good file is harmless, or it is refused since another reader may take it otherwise.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from packaging.utils import canonicalize_name

from support.oracle import Oracle
from support.verdicts import INPUT, LOCK, URL, by_uv, hash_of, make, restamped, unstamped, verdicts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    Edit = Callable[[str], str | bytes]

# ruff: noqa: E501  (a table is read by its columns)

INVALID, STALE, REFUSED = ("invalid",), ("stale",), ("invalid", "stale")
# What pip reads: the good file's pins and options, others, or an error.
SAME, OTHER, ERROR, DEPENDS = "same", "other", "error", "it depends"
A, B, D, SILK, TOOL = (hash_of(each) for each in "abd57")
EVIL = f"evil==6.6.6 {hash_of('e')}"
DEFAULT = ("stamped", "unstamped")

STAMPS: dict[str, Callable[[bytes], bytes]] = {
    "stamped": restamped,
    "unstamped": unstamped,
    "uv": lambda data: by_uv(unstamped(data)),
    "old": lambda data: data,
}


class Case(NamedTuple):
    """A change of a lock file.

    Attributes:
        name: what is changed.
        edit: the change.
        words: the verdicts that are right.
        pip: what pip reads then.
        at: the text of the line that a reason has to name; empty where any will do.
        project: which project.
        stamps: how the file is made to look after the change.
        says: what a reason has to say.
    """

    name: str
    edit: Edit
    words: tuple[str, ...]
    pip: str
    at: str = ""
    project: str = "hashed"
    stamps: tuple[str, ...] = DEFAULT
    says: str = ""


def swap(old: str, new: str) -> Edit:
    def edit(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return edit


def every(old: str, new: str) -> Edit:
    def edit(text: str) -> str:
        assert old in text
        return text.replace(old, new)

    return edit


def last(line: str) -> Edit:
    return lambda text: f"{text}{line}\n"


def on_top(line: str) -> Edit:
    return lambda text: f"{line}\n{text}"


def above(line: str) -> Edit:
    """Add a line above the pins, where options stand."""
    return swap("app==1.0", f"{line}\napp==1.0")


def both(*edits: Edit) -> Edit:
    def edit(text: str) -> str | bytes:
        for each in edits:
            text = each(text)  # type: ignore[assignment]
        return text

    return edit


def padded(text: str, end: str = "") -> str:
    """Return a text behind ``--hash=``, as long as a hash of 384 bits."""
    return text + "x" * (len("sha384:") + 96 - len(text) - len(end)) + end


def coded(line: str, new: str) -> Edit:
    """Declare an encoding, and add a line that is none in it."""
    return lambda text: f"# -*- coding: {line} -*-\n{new}\n{text}"


SEPARATORS = {
    "U+2028": "\u2028", "U+2029": "\u2029", "U+0085": "\x85", "VT": "\v", "FF": "\f",
    "FS": "\x1c", "GS": "\x1d", "RS": "\x1e", "CR": "\r",
}  # fmt: skip
UNPRINTABLE = {
    "ESC": "\x1b", "DEL": "\x7f", "BS": "\b", "NUL": "\0", "U+202E": "\u202e", "U+2066": "\u2066",
    "U+200B": "\u200b", "U+00AD": "\xad", "U+00A0": "\xa0", "U+FEFF": "\ufeff",
}  # fmt: skip
NOTE = "    # via -r requirements.in\ndep=="
HASH_A, HASH_B = f"    {A} \\\n", f"    {B}\n"
PIN = "silk==3.0 \\\n"
SILK_ENTRY = f"silk==3.0 \\\n    {SILK}\n    # via\n    #   app\n    #   dep\n"
TOOL_PIN = f"tool @ {URL} \\\n    {TOOL}\n"


# fmt: off
def characters() -> Iterator[Case]:
    """Yield separators and marks that two readers could read differently (row 2)."""
    for name, mark in SEPARATORS.items():
        # pip ends the line there, and what is behind it is a line: it installs evil.
        yield Case(f"{name} in a note", swap(NOTE, f"    # via -r requirements.in{mark}{EVIL}\ndep=="), INVALID, OTHER, EVIL)
        yield Case(f"{name} in the header", swap("# This file is", f"# This file is{mark}{EVIL}\n# and"), INVALID, OTHER, EVIL)
        yield Case(f"{name} behind a hash", swap(HASH_B, f"    {B}{mark}{EVIL}\n"), INVALID, OTHER, EVIL)
        # A comment follows: pip reads the same.
        yield Case(f"{name} between comments", last(f"# one{mark}# two"), INVALID, SAME, "# one")
    for name, mark in UNPRINTABLE.items():
        # pip does not read comments; an editor and a review may show another text than there is.
        yield Case(f"{name} in a comment", last(f"# one {mark} two"), INVALID, SAME, "# one ")
        yield Case(f"{name} in the header", swap("# by the", f"# by {mark} the"), INVALID, SAME, "# by ")
    # pip takes the first mark away, and the line begins with the other: no requirement.
    yield Case("two byte order marks", lambda text: "\ufeff\ufeff" + text, INVALID, ERROR)


def encodings() -> Iterator[Case]:
    """Yield texts in another encoding than UTF-8 (row 2)."""
    # pip decodes as the line says, and there the comment holds an end of line: it installs evil.
    yield Case("UTF-7", coded("utf-7", f"# +AAo-{EVIL}"), INVALID, OTHER, "coding: utf-7")
    yield Case("UTF-7, second line", on_top(f"#\n# coding=utf-7 +AAo-{EVIL}"), INVALID, OTHER, "coding=utf-7")
    yield Case("escapes", coded("raw_unicode_escape", f"# \\u000a{EVIL}"), INVALID, OTHER, "coding: raw")
    # The same text in this encoding.
    yield Case("UTF-8 declared", coded("utf-8", "#"), INVALID, SAME, "coding: utf-8")
    yield Case("latin-1 declared in the second line", on_top("#\n# vim: coding=latin-1"), INVALID, SAME, "# vim")
    # No such encoding: LookupError.
    yield Case("an unknown encoding", coded("nonsense", "#"), INVALID, ERROR, "coding: nonsense")
    # pip decodes by the mark.
    yield Case("UTF-16", lambda text: text.encode("utf-16"), INVALID, SAME, stamps=("old",))
    yield Case("UTF-32", lambda text: text.encode("utf-32"), INVALID, SAME, stamps=("old",))
    # pip decodes by the locale of whoever runs it.
    yield Case("latin-1", lambda text: f"{text}# ".encode() + b"\xe9\n", INVALID, DEPENDS, stamps=("unstamped",))


def continuations() -> Iterator[Case]:
    """Yield lines that continue, and lines that do not (row 2)."""
    # A comment never continues for pip: the line below is a pin of its own.
    yield Case("a comment that continues", last(f"# a note \\\n{EVIL}"), INVALID, OTHER, "# a note")
    yield Case("a note that continues", swap(NOTE, f"    # via -r requirements.in \\\n{EVIL}\ndep=="), INVALID, OTHER, "evil==")
    yield Case("a comment that continues with a comment", last("# a note \\\n# and more"), INVALID, SAME, "# a note")
    yield Case("a header that continues", swap("#    pip-compile", "# pip-compile \\\n#    pip-compile"), INVALID, SAME, "# pip-compile \\", stamps=("unstamped",))
    # Behind a requirement it does: pip reads the line below as a part of the comment.
    yield Case("a pin's comment that continues", swap(SILK_ENTRY, f"silk==3.0 {SILK}  # via app, dep \\\n"), INVALID, OTHER, "silk==3.0")
    yield Case("a pin inside a comment", swap(SILK_ENTRY, f"silk==3.0 {SILK}  # via app, dep \\\n{EVIL}\n"), INVALID, SAME, "silk==3.0")
    # "Has --hash but no requirement, and will be ignored": the pin has lost that hash.
    yield Case("a hash and nothing continues", swap(HASH_A, f"    {A}\n"), INVALID, OTHER, f"    {B}")
    yield Case("the only hash, and nothing continues", swap(PIN, "silk==3.0\n"), INVALID, OTHER, SILK)
    yield Case("a comment between hashes", swap(HASH_A, f"{HASH_A}    # a note\n"), INVALID, OTHER, B)
    yield Case("a comment before the hash", swap(PIN, f"{PIN}    # a note\n"), INVALID, OTHER, SILK)
    yield Case("a blank line between hashes", swap(HASH_A, f"{HASH_A}\n"), INVALID, OTHER, B)
    yield Case("a hash without a pin", above(A), INVALID, SAME, A)
    # The comment begins before the next line is joined: that hash is gone.
    yield Case("a comment behind a hash that continues", swap(HASH_A, f"    {A}  # one \\\n"), INVALID, OTHER, A)
    # The backslash is not the last: pip reads no continuation, and "no escaped character".
    yield Case("a blank behind a continuation", swap(PIN, "silk==3.0 \\ \n"), INVALID, ERROR, "silk==3.0")
    yield Case("a blank behind a hash's continuation", swap(HASH_A, f"    {A} \\ \n"), INVALID, ERROR, A)


def behind_hashes() -> Iterator[Case]:
    """Yield what stands behind a hash, and options of a pin (row 2)."""
    # pip leaves out the words that follow a hash and are no options, and options that are none of a pin.
    yield Case("a word behind a hash", swap(HASH_B, f"    {B} {EVIL[:11]}\n"), INVALID, SAME, B)
    yield Case("a marker behind a hash", swap(HASH_B, f'    {B} ; python_version < "3"\n'), INVALID, SAME, B)
    yield Case("an index behind a hash", swap(HASH_B, f"    {B} --index-url https://evil.invalid/simple\n"), INVALID, SAME, B)
    yield Case("a file behind a hash", swap(HASH_B, f"    {B} -r more.txt\n"), INVALID, SAME, B)
    yield Case("an index in a pin", swap(PIN, f"{PIN}    --index-url https://evil.invalid/simple \\\n"), INVALID, SAME, "silk==3.0")
    # pip hands these to the build: they are code, mostly.
    yield Case("settings behind a hash", swap(HASH_B, f"    {B} --config-settings=a=b\n"), INVALID, OTHER, B)
    yield Case("settings as long as a hash", swap(HASH_B, f"    --hash={padded(B[7:] + ' --config-settings=a=')}\n"), INVALID, OTHER, B)
    yield Case("settings in a pin", swap(PIN, f"{PIN}    --config-settings=a=b \\\n"), INVALID, OTHER, "silk==3.0")
    yield Case("settings in short", swap(PIN, f"{PIN}    -Ca=b \\\n"), INVALID, OTHER, "silk==3.0")
    # Without a requirement pip leaves them out.
    yield Case("settings alone", above("--config-settings=a=b"), INVALID, SAME, "--config-settings")
    # No option of a requirements file any more.
    yield Case("a global option", swap(PIN, f"{PIN}    --global-option=x \\\n"), INVALID, ERROR, "silk==3.0")
    yield Case("a global option alone", above("--global-option=x"), INVALID, ERROR, "--global-option")
    # A line of its own for pip: an option line, of which it obeys all but the hash.
    yield Case("a file behind a hash that is not a pin's", swap(HASH_B, f"{HASH_B}    --hash={padded(A[7:] + ' -r ', 'more.txt').replace('x' * 20, 'x' * 18 + './')}\n"), REFUSED, ERROR, "more.txt")
    yield Case("a file as long as a hash", swap(HASH_B, f"{HASH_B}    --hash={A[7:]} -r {'./' * 10}more.txt\n"), REFUSED, OTHER, "more.txt")
    yield Case("an index as long as a hash", swap(HASH_B, f"{HASH_B}    --hash={padded(A[7:] + ' -i https://evil.invalid/')}\n"), REFUSED, OTHER, "evil.invalid")


def hashes() -> Iterator[Case]:
    """Yield hashes that are none (row 1)."""
    # The hash pip compares with is another text, or none at all.
    for name, value in {
        "63 digits": "sha256:" + "b" * 63, "65 digits": "sha256:" + "b" * 65,
        "no digits": "sha256:" + "g" * 64, "sha512 of 64": "sha512:" + "b" * 64,
        "a semicolon": B[7:] + ";", "a number sign": B[7:] + "#x", "a comma": B[7:] + ",",
        "another joined to it": B[7:] + B,
    }.items():  # fmt: skip
        yield Case(f"a hash with {name}", swap(HASH_B, f"    --hash={value}\n"), INVALID, OTHER, f"--hash={value}")
    # In the words of pip: "Allowed hash algorithms for --hash are sha256, sha384, sha512."
    for name, value in {"md5": "md5:" + "b" * 32, "sha1": "sha1:" + "b" * 40, "no value": "", "no algorithm": "b" * 64}.items():
        yield Case(f"a hash with {name}", swap(HASH_B, f"    --hash={value}\n"), INVALID, ERROR, f"--hash={value}")
    # pip unquotes, and takes the beginning of an option's name for it: the same hash.
    yield Case("a quoted hash", swap(HASH_B, f"    --hash='{B[7:]}'\n"), INVALID, SAME, B[7:])
    yield Case("a hash by another name", swap(HASH_B, f"    --has={B[7:]}\n"), INVALID, SAME, B[7:])
    yield Case("a hash in capitals", swap(HASH_B, f"    --HASH={B[7:]}\n"), INVALID, ERROR, B[7:])
    # Not split at a tab or another blank: all of it is the requirement, and no version.
    yield Case("a tab before a hash", swap(SILK_ENTRY, f"silk==3.0\t{SILK}\n    # via app\n"), INVALID, ERROR, "silk==3.0")
    yield Case("another blank before a hash", swap(SILK_ENTRY, f"silk==3.0\xa0{SILK}\n    # via app\n"), INVALID, ERROR, "silk==3.0")
    yield Case("no blank before a hash", swap(SILK_ENTRY, f"silk==3.0{SILK}\n    # via app\n"), INVALID, ERROR, "silk==3.0")
    yield Case("no blank before a joined hash", swap(PIN + "    ", "silk==3.0\\\n"), INVALID, ERROR, "silk==3.0")


def names() -> Iterator[Case]:
    """Yield names and versions that are none (row 2)."""
    # Names and versions that pip refuses, but for the value of the variable, which it puts in.
    yield Case("a sign that is no letter k", swap("silk==3.0", "sil\u212a==3.0"), INVALID, ERROR, "==3.0")
    yield Case("digits of another script", swap("silk==3.0", "silk==\u0663.0"), INVALID, ERROR, "silk==")
    yield Case("a comment without a blank", swap(PIN, f"silk==3.0#x {SILK}\n"), INVALID, ERROR, "silk==3.0#x")
    yield Case("a number sign in a name", last(f"app#x==1.0 {A}"), INVALID, ERROR, "app#x")
    yield Case("a quoted name", swap(PIN, '"silk"==3.0 \\\n'), INVALID, ERROR, '"silk"')
    # A first backslash goes, too, where the line is continued.
    yield Case("an escaped name", swap(PIN, "\\x73ilk==3.0 \\\n"), INVALID, OTHER, "x73ilk")
    yield Case("a variable as a version", swap("silk==3.0", "silk==${EVIL}"), INVALID, OTHER, "${EVIL}")
    yield Case("a variable in a name", last(f"evil${{EVIL}}==1.0 {A}"), INVALID, OTHER, "${EVIL}")
    yield Case("a variable in a URL", swap("x.invalid/tool", "x.invalid/${EVIL}/tool"), REFUSED, OTHER)
    yield Case("a variable in a marker", swap('>= "3.8"', '>= "${EVIL}"'), REFUSED, OTHER)
    yield Case("a variable in a hash", swap(HASH_B, f"    {B[:-8]}${{EVIL}}\n"), INVALID, OTHER, "${EVIL}")


def includes() -> Iterator[Case]:
    """Yield lines that include another file (row 2)."""
    for line in (
        "-r more.txt", "-rmore.txt", "--requirement more.txt", "--requirement=more.txt",
        "-r ./more.txt", "-r more.txt  # a note", "-r more.txt --pre", "-r 'more.txt'",
    ):  # fmt: skip
        # pip reads that file too: pins without a version, options, other files, what is not a pin.
        yield Case(line, above(line), STALE, OTHER, line, says="includes")
    yield Case("-c limits.txt", above("-c limits.txt"), STALE, OTHER, "-c limits.txt", says="includes")
    yield Case("--constraint=limits.txt", above("--constraint=limits.txt"), STALE, OTHER, "--constraint=", says="includes")
    yield Case("-r at the end", last("-r more.txt"), STALE, OTHER, "-r more.txt", says="includes")
    yield Case("-r of harmless text", above("-r empty.txt"), STALE, SAME, "-r empty.txt", says="includes")
    # pip ends with an error, or would fetch it.
    yield Case("-r of nothing", above("-r nothing.txt"), STALE, ERROR, "-r nothing.txt", says="includes")
    yield Case("-r of itself", above(f"-r {LOCK}"), STALE, ERROR, f"-r {LOCK}", says="includes")
    yield Case("-r of the network", above("-r https://evil.invalid/a.txt"), STALE, ERROR, "-r https:", says="includes")
    yield Case("-r outside", above("-r ../outside.txt"), STALE, ERROR, "-r ../outside", says="includes")
    # pip takes the beginning of an option's name for it, and of several the file alone.
    yield Case("-r by another name", above("--requirem more.txt"), REFUSED, OTHER, "--requirem more.txt")
    yield Case("-r behind another option", above("--pre -r more.txt"), REFUSED, OTHER, "--pre -r")
    yield Case("-r that is continued", above("-r \\\nmore.txt"), REFUSED, OTHER, "-r \\")


def options() -> Iterator[Case]:
    """Yield option lines (row 1)."""
    for line in (
        "--index-url https://evil.invalid/simple", "-i https://evil.invalid/simple",
        "--extra-index-url https://evil.invalid/simple", "--find-links ./evil", "-fevil",
        "--trusted-host evil.invalid", "--pre", "--no-index", "--no-binary :all:",
        "--only-binary=silk", "--prefer-binary", "--extra-index-url https://x.invalid/simple --pre",
        "--index-url \\\nhttps://evil.invalid/simple", "--ind https://evil.invalid/simple",
        "--require-hashes",
    ):  # fmt: skip
        # pip obeys it, wherever it stands.
        yield Case(line.replace("\\\n", "continued "), above(line), REFUSED, OTHER, line.partition("\n")[0])
    yield Case("an index between pins", swap("silk==3.0", "--index-url https://evil.invalid/simple\nsilk==3.0"), REFUSED, OTHER, "--index-url")
    yield Case("an index, indented like a hash", swap(HASH_B, f"{HASH_B}    --index-url https://evil.invalid/simple\n"), REFUSED, OTHER, "--index-url")
    yield Case("an index once more", above("--extra-index-url https://x.invalid/simple"), STALE, OTHER, says="is there once more")
    yield Case("-e", above("-e ./evil"), REFUSED, OTHER, "-e ./evil")
    # pip obeys the option and leaves out the word.
    yield Case("a word behind an option", swap("x.invalid/simple", "x.invalid/simple https://evil.invalid"), REFUSED, SAME, "https://evil")
    yield Case("an unknown option", above("--evil"), INVALID, ERROR, "--evil")
    yield Case("an option of pip alone", above("--no-deps"), INVALID, ERROR, "--no-deps")


def lines() -> Iterator[Case]:
    """Yield lines that are no pins (row 1)."""
    for line in ("silk", "silk>=3.0", "silk~=3.0", "silk==3.*", "silk==3.0,!=2.0", "silk<9"):
        # pip takes any version that fits.
        yield Case(f"{line} for a pin", swap("silk==3.0 ", f"{line} "), INVALID, OTHER, f"{line} ")
        yield Case(f"{line} beside the pin", last(line), INVALID, OTHER, line)
    for line in (
        "silk==", "==3.0", "silk=3.0", "silk 3.0", "silk @", "%%%", "<<<<<<< HEAD", "=======",
        ">>>>>>> main", "silk==3.0 evil==6.6.6", "silk==3.0 ; nonsense", "silk==3.0 ;",
        "silk==3.0, evil==6.6.6", "[silk]", "silk==3.0 ; python_version", "silk[==3.0",
        "silk==3.0 ; unknown == 'x'", "silk==not-a-version",
    ):  # fmt: skip
        # "Invalid requirement".
        pip = OTHER if line == "silk==3.0 ;" else ERROR
        yield Case(f"{line!r}", last(line), REFUSED if ";" in line else INVALID, pip, line)
    # One requirement for pip, and none that it understands.
    yield Case("a pin that continues into another", last(f"silk==3.0 \\\nevil==6.6.6 \\\n    {A}"), INVALID, ERROR, "evil==6.6.6")
    # pip takes an archive of that name for the project, if there is one: it builds that file.
    for old in ("app==1.0", "silk==3.0"):
        for ending in ("zip", "tar.gz"):
            yield Case(f"{old}+x.{ending}", swap(f"{old} ", f"{old}+x.{ending} "), REFUSED, OTHER, f"+x.{ending}", stamps=("stamped", "unstamped", "uv"))
    # Joined it is a marker: not installed.
    yield Case("a marker on the next line", swap(PIN, f'{PIN}    ; python_version < "3" \\\n'), REFUSED, OTHER)


def markers() -> Iterator[Case]:
    """Yield pins with markers that hold somewhere (row 3): pip installs them there."""
    for marker in (
        'python_full_version == "3.11.4"', 'implementation_version == "3.11.4"',
        'python_version < "3"', 'sys_platform == "win32"', 'sys_platform != "win32"',
        'os_name == "other"', 'extra == "x"', 'extra == ""', 'platform_release == "5"',
        'python_full_version >= "3.11.1" and python_full_version < "3.11.99"',
        'platform_machine == "riscv64"', 'python_version >= "3.8"',
    ):  # fmt: skip
        for note in ("", "\n    # via nobody"):
            yield Case(
                f"evil ; {marker}{note.strip() and ', with a note'}",
                last(f"evil==6.6.6 ; {marker} {A}{note}"),
                REFUSED, OTHER, "evil==", stamps=("stamped", "unstamped", "uv"),
            )  # fmt: skip
    three = ("stamped", "unstamped", "uv")
    patch = 'python_full_version == "3.11.4"'
    other = 'python_full_version != "3.11.4"'
    # pip takes the one whose marker holds; with both it ends in an error.
    yield Case("a second version for a patch release", last(f"app==6.6.6 ; {patch} {A}\n    # via -r {INPUT}"), REFUSED, OTHER, stamps=three)
    yield Case("two versions, each with its marker", both(swap("app==1.0", f"app==1.0 ; {other}"), last(f"app==6.6.6 ; {patch} {A}\n    # via -r {INPUT}")), REFUSED, OTHER, stamps=three)
    yield Case("a second version of what others need", last(f'silk==6.6.6 ; python_version >= "3" {A}\n    # via app'), REFUSED, OTHER, stamps=three)
    yield Case("two versions, with markers that hold both", both(swap("silk==3.0", 'silk==3.0 ; python_version >= "3.8"'), last(f'silk==6.6.6 ; python_version >= "3.9" {A}\n    # via app')), REFUSED, OTHER, stamps=three)
    yield Case("a pin once more, with another hash", last(f"silk==3.0 {A}\n    # via app"), INVALID, OTHER, "silk==3.0", stamps=three, says="pinned twice")
    yield Case("a second version", last(f"silk==6.6.6 {A}\n    # via app"), REFUSED, OTHER, "silk==6.6.6", stamps=three)
    # These hold for a patch release of the target, and for none that is one off a number of theirs.
    for there, elsewhere in (
        ('python_full_version > "3.11.1rc1" and python_full_version < "3.11.8rc1"', 'python_full_version < "3.11.1rc1" or python_full_version > "3.11.8rc1"'),
        ('"7" in python_full_version', '"7" not in python_full_version'),
        ('python_full_version == "3.11.0007"', 'python_full_version != "3.11.0007"'),
        # uv takes this for a list of versions, pip for a text in which 3.11 is found.
        ('python_version not in "3.110"', 'python_version in "3.110"'),
    ):
        yield Case(f"another version where {there}", both(swap("app==1.0", f"app==1.0 ; {elsewhere}"), last(f"app==6.6.6 ; {there} {A}\n    # via -r {INPUT}")), REFUSED, OTHER, stamps=three)
        yield Case(f"asked for by what is for another Python, where {there}", last(f"evil==6.6.6 ; {there} {A}\n    # via gone"), REFUSED, OTHER, stamps=three)
    # Before 26.0 pip compares these as texts.
    yield Case("asked for by what is for another Python, in an order of texts", last(f'evil==6.6.6 ; sys_platform > "a" {A}\n    # via gone'), REFUSED, OTHER, stamps=three)
    # Not installed.
    yield Case("a marker that never holds", swap("app==1.0", 'app==1.0 ; python_version < "3"'), REFUSED, OTHER, stamps=three)
    yield Case("a marker that no input gives", swap("app==1.0", f"app==1.0 ; {other}"), REFUSED, OTHER)
    yield Case("a marker of what others need", swap("silk==3.0", f"silk==3.0 ; {other}"), REFUSED, OTHER)
    yield Case("another marker than the input's", swap('>= "3.8"', '>= "3.9"'), REFUSED, OTHER)
    yield Case("no marker", swap(' ; python_version >= "3.8"', ""), REFUSED, OTHER)


def urls() -> Iterator[Case]:
    """Yield direct URLs (row 3)."""
    three = ("stamped", "unstamped", "uv")
    # pip builds another folder of the same archive, whose hash is right.
    yield Case("a folder of the archive", swap(URL, f"{URL}&subdirectory=evil"), REFUSED, OTHER, stamps=three)
    yield Case("a folder, in the fragment alone", swap(URL, URL.partition("#")[0] + "#subdirectory=evil"), REFUSED, OTHER, stamps=three)
    yield Case("another hash in the URL", swap(URL, URL.replace("7" * 64, "8" * 64)), REFUSED, OTHER, stamps=three)
    yield Case("another name in the URL", swap(URL, f"{URL}&egg=evil"), REFUSED, OTHER, stamps=three)
    yield Case("no fragment", swap(URL, URL.partition("#")[0]), REFUSED, OTHER, stamps=three)
    yield Case("a slash more", swap(URL, URL.replace(".gz#", ".gz/#")), REFUSED, OTHER, stamps=three)
    yield Case("a file in the name of a URL", swap(URL, f"file:{URL}"), REFUSED, OTHER, stamps=three)
    yield Case("another host", swap(URL, URL.replace("x.inv", "evil.inv")), REFUSED, OTHER, stamps=three)
    # pip installs what is there, under whichever name it has, or ends in an error.
    yield Case("the URL for another project", last(f"evil @ {URL} {TOOL}"), REFUSED, OTHER, stamps=three)
    yield Case("the URL for what others need", swap("silk==3.0", f"silk @ {URL}"), REFUSED, OTHER, stamps=three)
    yield Case("the URL without the name", swap("tool @ ", ""), REFUSED, OTHER, stamps=three)
    yield Case("the URL once more without the name", last(f"{URL} {TOOL}"), REFUSED, OTHER, stamps=three)
    yield Case("a URL that says to be the project", last(f"https://evil.invalid/tool.tar.gz#egg=tool {TOOL}"), REFUSED, OTHER, stamps=three)
    yield Case("a URL that says so, with a marker", last(f'https://evil.invalid/tool.tar.gz#egg=tool ; python_version >= "3" {TOOL}'), REFUSED, OTHER, stamps=three)
    yield Case("a URL in the place of a version", swap("app==1.0", "app @ https://evil.invalid/app.whl"), REFUSED, OTHER, stamps=three)
    yield Case("a URL for what others need", swap("silk==3.0", "silk @ https://evil.invalid/silk.whl"), REFUSED, OTHER, "silk @", stamps=three)
    # The input's line is for another Python.
    gone = "https://x.invalid/gone-1.0.tar.gz"
    yield Case("a URL for another Python", last(f"gone @ {gone} {A}"), REFUSED, OTHER, stamps=three)
    yield Case("a URL for another Python, with its marker", last(f'gone @ {gone} ; python_version < "3" {A}'), REFUSED, OTHER, stamps=three)
    yield Case("another URL of that name", last(f'gone @ https://evil.invalid/gone.whl ; python_full_version == "3.11.4" {A}'), REFUSED, OTHER, stamps=three)
    yield Case("that URL by another name", last(f"evil @ {gone} {A}"), REFUSED, OTHER, stamps=three)
    # pip installs that folder.
    for pin in ("./evil", "-e ./evil", "evil @ file:./evil", "./local/../evil", "./local/evil"):
        yield Case(f"{pin} beside folders", last(f"{pin}\n    # via -r {INPUT}"), REFUSED, OTHER, project="folders", stamps=three)
    yield Case("a part of a folder", swap("\n./local\n", "\n./local#subdirectory=evil\n"), REFUSED, ERROR, project="folders", stamps=three)
    yield Case("a name for a folder", swap("\n./local\n", "\nevil @ file:./local\n"), REFUSED, OTHER, project="folders", stamps=three)
    yield Case("a folder named as a project", swap("\napp==1.0\n", "\napp @ file:./local\n"), REFUSED, OTHER, project="folders", stamps=three)
    # pip puts the folder itself on the path.
    # What follows an editable is left out, and an empty fragment is a part of the path.
    yield Case("a marker behind an editable", swap("-e ./mine\n", '-e ./mine ; python_version < "3"\n'), INVALID, SAME, "-e ./mine", project="folders", stamps=three)
    yield Case("a folder with an empty fragment", swap("\n./local\n", "\n./local#\n"), REFUSED, ERROR, project="folders", stamps=three)
    yield Case("an editable folder", swap("\n./local\n", "\n-e ./local\n"), REFUSED, OTHER, project="folders", stamps=three)
    yield Case("a folder that is not editable", swap("-e ./mine\n", "./mine\n"), REFUSED, OTHER, project="folders", stamps=three)
    # The input says which file it is to be.
    yield Case("another hash than the input's", swap("a" * 64, "b" * 64), REFUSED, OTHER, project="hash in an input", stamps=three)
    yield Case("no hash of the input", swap(f" \\\n    {A}", ""), REFUSED, OTHER, project="hash in an input", stamps=three)


def reach() -> Iterator[Case]:
    """Yield pins that no input reaches (row 3): pip installs them."""
    for note in (
        "", "\n    # via evil", "\n    # via nobody", f"\n    # via -r {INPUT}", "\n    # via",
        "\n    # via -c limits.txt", "\n    # via\n    #   nobody\n    #   evil",
    ):  # fmt: skip
        yield Case(f"evil{' '.join(note.split())}", last(f"{EVIL}{note}"), REFUSED, OTHER, "evil==", stamps=("stamped", "unstamped", "uv"))
    yield Case("two that ask for each other", last(f"{EVIL}\n    # via more\nmore==1.0 {A}\n    # via evil"), REFUSED, OTHER, "evil==", stamps=("stamped", "unstamped", "uv"))
    yield Case("asked for by what is for another Python", last(f"{EVIL}\n    # via gone"), REFUSED, OTHER, "evil==", stamps=("stamped", "unstamped", "uv"))
    yield Case("a version that no input allows", swap("app==1.0", "app==6.6.6"), REFUSED, OTHER, stamps=("stamped", "unstamped", "uv"))
    yield Case("less than the input wants", swap(f"app==1.0 \\\n{HASH_A}{HASH_B}    # via -r {INPUT}\n", ""), REFUSED, OTHER, stamps=("stamped", "unstamped", "uv"))


def claims() -> Iterator[Case]:
    """Yield what a file says of itself (row 4)."""
    here = re.compile("platform=.*")
    for platform, marker in {
        "win32-AMD64": 'sys_platform != "win32"', "linux-riscv64": 'platform_machine != "riscv64"',
        "darwin-arm64": 'platform_system != "Darwin"', "x-x": 'os_name != "y"',
    }.items():  # fmt: skip
        # pip asks the interpreter: it installs evil.
        yield Case(
            f"made for {platform}",
            both(last(f"evil==6.6.6 ; {marker} {A}"), lambda text, to=platform: here.sub(f"platform={to}", text)),  # type: ignore[misc]
            REFUSED, OTHER, "evil==", stamps=("stamped",),
        )  # fmt: skip
    for python in ("2.7", "3.12"):
        yield Case(
            f"made for Python {python}",
            both(last(f'evil==6.6.6 ; python_version == "3.11" {A}'), swap("with Python 3.11", f"with Python {python}")),
            REFUSED, OTHER,
        )  # fmt: skip
    yield Case("hashes wanted, and none there", lambda text: re.sub(r" \\\n    --hash=\S+", "", text), STALE, OTHER, project="hashes wanted", stamps=("stamped", "unstamped", "uv"))
    yield Case("hashes in the other lock file", lambda text: re.sub(r" \\\n    --hash=\S+", "", text.replace(" --generate-hashes", "")), STALE, OTHER, project="two locks")
    yield Case("a stamp of a file with hashes", lambda text: re.sub(r" \\\n    --hash=\S+", "", text), STALE, OTHER, stamps=("stamped", "old"))
    bare: Edit = lambda text: re.sub(r" \\\n    --hash=\S+", "", text.replace(" --generate-hashes", ""))  # noqa: E731
    lied: Edit = lambda text: re.sub("inputs=\\w+", f"inputs={'0' * 32}", text)  # noqa: E731
    # Nothing tells of the hashes any more, but the input.
    yield Case("no hash of the input, and nothing that tells of it", both(bare, lied), REFUSED, OTHER, project="hash in an input", stamps=("stamped", "unstamped"))
    yield Case("a project left out by the header", both(swap(f"app==1.0 \\\n{HASH_A}{HASH_B}    # via -r {INPUT}\n", ""), swap("--allow-unsafe", "--unsafe-package=app")), REFUSED, OTHER, stamps=DEFAULT)
    yield Case("one pin without hashes", swap(f"{PIN}    {SILK}", "silk==3.0"), REFUSED, OTHER, "silk==3.0")


ATTACKS = [*characters(), *encodings(), *continuations(), *behind_hashes(), *hashes(), *names(), *includes(), *options(), *lines(), *markers(), *urls(), *reach(), *claims()]
BESIDE = {
    "more.txt": f"{EVIL}\n    # via -r {INPUT}\n", "limits.txt": "silk<9\n", "empty.txt": "# nothing\n",
    "evil/pyproject.toml": '[project]\nname = "evil"\n',
    **{f"{pin}+x.{end}": "archive" for pin in ("app==1.0", "silk==3.0") for end in ("zip", "tar.gz")},
    "local/evil/pyproject.toml": '[project]\nname = "evil"\n',
}  # fmt: skip


def harmless() -> Iterator[Case]:
    """Yield what pip reads like the good file, and every editor and tool may do (row 1)."""
    edits: dict[str, Edit] = {
        "CRLF": every("\n", "\r\n"),
        "CRLF in some lines": every(" \\\n", " \\\r\n"),
        "a first byte order mark": lambda text: "\ufeff" + text,
        "a first byte order mark and CRLF": lambda text: "\ufeff" + text.replace("\n", "\r\n"),
        "no last newline": str.rstrip,
        "more last newlines": last("\n\n"),
        "blanks around the version": swap("app==1.0", "app == 1.0"),
        "a blank before the version": swap("silk==3.0", "silk== 3.0"),
        "more blanks before a continuation": swap(PIN, "silk==3.0    \\\n"),
        "no blank before a continuation": swap(PIN, "silk==3.0\\\n"),
        "blanks at the end of lines": swap(HASH_B, f"    {B}   \n"),
        "a pin indented": swap("silk==", "  silk=="),
        "a hash indented otherwise": swap(f"    {B}", f"  {B}"),
        "a hash not indented": swap(f"    {B}", B),
        "capitals in a name": swap("silk==", "Silk=="),
        "no blanks in a marker": swap('dep==2.0 ; python_version >= "3.8"', 'dep==2.0;python_version>="3.8"'),
        "other quotes in a marker": swap('"3.8"', "'3.8'"),
        "one-line hashes": both(swap(f" \\\n{HASH_A}{HASH_B}", f" {A} {B}\n"), swap(f"{PIN}    ", "silk==3.0 ")),
        "hashes on the pin's line and the next": swap(f" \\\n{HASH_A}", f" {A} \\\n"),
        "hashes in another order": swap(f"{HASH_A}{HASH_B}", f"    {B} \\\n    {A}\n"),
        "a hash of 512 bits more": swap(HASH_B, f"    {B} \\\n    --hash=sha512:{'b' * 128}\n"),
        "a hash of 384 bits more": swap(HASH_B, f"    {B} \\\n    --hash=sha384:{'b' * 96}\n"),
        "a note behind the last hash": swap(f"{HASH_B}    # via -r {INPUT}\n", f"    {B}  # via -r {INPUT}\n"),
        "a note of many behind the last hash": swap(SILK_ENTRY, f"silk==3.0 \\\n    {SILK}  # via app, dep\n"),
        "a note behind a one-line hash": swap(SILK_ENTRY, f"silk==3.0 {SILK}  # via app, dep\n"),
        "notes on one line": swap("    # via\n    #   app\n    #   dep\n", "    # via app, dep\n"),
        "a note without its pin": above("    # via\n    #   nobody"),
        "a note without its pin at the end": last("\n    # via nobody"),
        "a comment between pins": swap("silk==", "# a note\nsilk=="),
        "a comment between a pin and its note": swap("    # via\n    #   app\n    #   dep", "    # a note\n    # via\n    #   app\n    #   dep"),
        "a comment that looks like a pin": last(f"# {EVIL}"),
        "a comment that looks like an option": above("# -r more.txt"),
        "a comment in another script": last("# Größe, 大きさ"),
        "a comment before the header": on_top("# Ours."),
        "comments of many kinds": last("#\n#x\n   # y\n## z #"),
        "a coding line that is none": swap("app==", "# coding: latin-1\napp=="),
        "a blank line between pins": swap("silk==", "\nsilk=="),
        "a blank line before a note": swap(f"{HASH_B}    # via", f"{HASH_B}\n    # via"),
        "a line of blanks": swap("silk==", "    \nsilk=="),
        "pins in another order": both(swap(SILK_ENTRY, ""), last(SILK_ENTRY.rstrip())),
    }  # fmt: skip
    for name, edit in edits.items():
        same = OTHER if "bits more" in name else SAME
        yield Case(name, edit, ("fresh",), same, stamps=("old", "unstamped"))
    # Nothing is configured, and no lock file of the project has any: adoption moves nothing.
    yield Case(
        "no hashes at all", lambda text: re.sub(r" \\\n    --hash=\S+", "", text.replace(" --generate-hashes", "")),
        ("fresh",), OTHER, stamps=("unstamped",),
    )  # fmt: skip


HARMLESS = list(harmless())
# fmt: on


def ids(cases: Iterable[Case]) -> list[Any]:
    return [
        pytest.param(case, stamp, id=f"{case.name}-{stamp}")
        for case in cases
        for stamp in case.stamps
    ]


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oracle]:
    made = Oracle(tmp_path_factory.mktemp("oracle").resolve())
    yield made
    made.close()


def changed(root: Path, case: Case, stamp: str) -> bytes:
    """Make a project with a lock file that is changed; return its bytes."""
    make(root, case.project)
    for name, text in BESIDE.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(text.encode())
    good = (root / LOCK).read_bytes()
    edited = case.edit(good.decode())
    data = STAMPS[stamp](edited if isinstance(edited, bytes) else edited.encode())
    assert data not in (good, STAMPS[stamp](good))
    (root / LOCK).write_bytes(data)
    return data


def lines_of(data: bytes, at: str) -> set[int]:
    """Return the lines that a reason may name: where a text is, and where its pin begins."""
    physical = data.split(b"\n")
    found = {number for number, line in enumerate(physical) if at.encode() in line}
    assert found
    for number in list(found):
        first = number
        while physical[first - 1].rstrip(b"\r ").endswith(b"\\"):
            first -= 1
            found.add(first)
    return {number + 1 for number in found}


@pytest.mark.parametrize(
    "project", ["hashed", "folders", "hash in an input", "two locks", "hashes wanted"]
)
@pytest.mark.parametrize("stamp", ["stamped", "unstamped", "uv"])
def test_a_project_is_fresh_before(project: str, stamp: str, tmp_path: Path) -> None:
    make(tmp_path, project)
    lock = tmp_path / LOCK
    lock.write_bytes(STAMPS[stamp](lock.read_bytes()))
    found = verdicts(tmp_path)
    assert {each.word for each in found.values()} == {"fresh"}, found


@pytest.mark.parametrize(("case", "stamp"), ids(ATTACKS))
def test_an_attack_is_refused(case: Case, stamp: str, tmp_path: Path) -> None:
    data = changed(tmp_path, case, stamp)
    found = verdicts(tmp_path)[LOCK]
    assert found.word in case.words, found.reasons
    assert any(case.says in reason for reason in found.reasons), found.reasons
    if case.at:
        places = [f"({LOCK}:{number})" for number in lines_of(data, case.at)]
        named = [reason for reason in found.reasons if reason.endswith(tuple(places))]
        assert named, (places, found.reasons)


@pytest.mark.parametrize(("case", "stamp"), ids(HARMLESS))
def test_what_is_harmless_is_fresh(case: Case, stamp: str, tmp_path: Path) -> None:
    changed(tmp_path, case, stamp)
    found = verdicts(tmp_path)[LOCK]
    assert (found.word, found.reasons) == ("fresh", [])


@pytest.mark.parametrize(
    "case", [pytest.param(each, id=each.name) for each in (*ATTACKS, *HARMLESS)]
)
def test_pip_reads_it_as_the_table_says(case: Case, oracle: Oracle, tmp_path: Path) -> None:
    """A table of attacks that pip would not obey proves nothing."""
    root = tmp_path.resolve()
    make(root, case.project)
    good = reading(oracle, root)
    changed(root, case, case.stamps[-1])
    now = reading(oracle, root)
    assert good != ERROR
    found = SAME if now == good else ERROR if now == ERROR else OTHER
    assert case.pip in (found, DEPENDS), now


def reading(oracle: Oracle, root: Path) -> Any:
    """Return what pip reads from the lock file, in any order, without the places; or `ERROR`."""
    answer = oracle.ask(LOCK, root)
    if "error" in answer:
        return ERROR
    for entry in answer["entries"]:
        entry[4] = entry[4] and canonicalize_name(entry[4])
    entries = sorted(repr(entry[2:]) for entry in answer["entries"])
    options = sorted(repr(option[2]) for option in answer["options"])
    return entries, options, answer["settings"]

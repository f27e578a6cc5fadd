"""pip's requirements file format, line by line: bytes -> text -> logical lines -> `Line`.

The rules are those of pip's own reader, see
https://pip.pypa.io/en/stable/reference/requirements-file-format/ : pip offers no public way
to call it, and importing it would cost more than the whole of a check.
"""

from __future__ import annotations

import codecs
import copy
import functools
import re
import shlex
from typing import TYPE_CHECKING, Any, NamedTuple

from nox_lock.errors import Place, RequirementsError
from nox_lock.text import has_password, quoted

if TYPE_CHECKING:
    import optparse
    from collections.abc import Iterator
    from typing import NoReturn

# UTF-32 LE starts with UTF-16 LE's mark, so the longer ones come first.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED_ENCODING = rb"coding[:=]\s*([-\w.]+)"
_VARIABLE = r"\$\{([A-Z0-9_]+)\}"
_COMMENT = r"(?:^|\s)#"
_EDITABLE = r"-e|--e(?!x)"

MOST_LINES = 20_000  # that are not empty, in an input or a lock file
MOST_MARKERS = 100_000  # letters of different ones in a file; large ones have some thousand
# What git leaves in a file, and what to call it.
MERGE_MARKS = ("<<<<<<<", "=======", ">>>>>>>", "|||||||")
MERGE = "a merge conflict was left here"
_AS_UTF8 = "Save the file as UTF-8"

_FLAGS = ("--no-index", "--prefer-binary", "--require-hashes", "--no-require-hashes", "--pre")
_VALUES = (
    ("-i", "--index-url", "--pypi-url"),
    ("--extra-index-url",),
    ("-f", "--find-links"),
    ("--trusted-host",),
    ("--no-binary",),
    ("--only-binary",),
    ("--all-releases",),
    ("--only-final",),
    ("--use-feature",),
    ("-r", "--requirement"),
    ("-c", "--constraint"),
    ("-e", "--editable"),
    ("--hash",),
    ("-C", "--config-settings", "--config-setting"),
)


class Line(NamedTuple):
    """One logical line: a requirement with its options, or options alone.

    `options` holds pairs such as ``("--index-url", "https://...")``, in the order written
    and by their long names; a flag's value is the empty string.
    """

    place: Place
    requirement: str
    options: tuple[tuple[str, str], ...] = ()

    def option(self, name: str) -> str | None:
        """Return the first value of an option, or None."""
        return next((value for option, value in self.options if option == name), None)


def read_lines(data: bytes, file: str) -> list[Line]:
    """Return the logical lines of a requirements file.

    Raises:
        RequirementsError: for bytes that are not text, a malformed line, or one with a secret.
    """
    lines: list[Line] = []
    for number, text in logical_lines(decode(data, file)):
        place = Place(file, number)
        if len(lines) > MOST_LINES:
            message = f"this file has more than {MOST_LINES} lines"
            raise RequirementsError(message, place, "Take lines out.")
        refuse_secrets(text, place)
        lines.append(_parse_line(text, place))
    markers = {line.requirement.partition(";")[2] for line in lines}
    if sum(map(len, markers)) > MOST_MARKERS:
        message = f"its markers have more than {MOST_MARKERS} letters"
        raise RequirementsError(message, Place(file), "Take lines out.")
    return lines


def decode(data: bytes, file: str) -> str:
    """Decode a requirements file as pip does: byte order mark, PEP 263 comment, else UTF-8.

    Raises:
        RequirementsError: for bytes that are not text in that encoding.
    """
    encoding, declared = "utf-8", None
    for mark, name in _MARKS:
        if data.startswith(mark):
            data, encoding = data[len(mark) :], name
            break
    else:
        for number, first in enumerate(data.split(b"\n", 2)[:2], start=1):
            if first.startswith(b"#") and (found := re.search(_DECLARED_ENCODING, first)):
                encoding, declared = found[1].decode("ascii"), number
                break
    try:
        text = data.decode(encoding)
        if declared:
            text.encode()  # some encodings make what is no text
    except (UnicodeError, LookupError) as error:
        line = declared
        if isinstance(error, UnicodeDecodeError):
            line = data.count(b"\n", 0, error.start) + 1
        hint = f"{_AS_UTF8}, or name its encoding in the first line: # -*- coding: latin-1 -*-"
        raise RequirementsError(f"is not text in {encoding}", Place(file, line), hint) from error
    if "\0" in text:
        place = Place(file, text.count("\n", 0, text.index("\0")) + 1)
        message = "holds a NUL character: this is no text file"
        raise RequirementsError(message, place, f"{_AS_UTF8}.")
    return text


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield (number of its first physical line, line without comment) for each not empty."""
    first = 0
    parts: list[str] = []
    for number, physical in enumerate((*text.splitlines(), ""), start=1):
        if not (physical or parts):
            continue  # there may be a million
        comment = physical.lstrip().startswith("#")
        if physical.endswith("\\") and not comment:
            first = first or number
            parts.append(physical.strip("\\"))
            continue
        # The blank makes a comment after a continued line be seen as one.
        parts.append(f" {physical}" if comment else physical)
        if line := re.split(_COMMENT, "".join(parts), maxsplit=1)[0].strip():
            yield first or number, line
        first, parts = 0, []


def refuse_secrets(line: str, place: Place) -> None:
    """Refuse a line with a password or a token in a URL.

    Raises:
        RequirementsError: naming the place.
    """
    if not has_password(line):
        return
    hint = "Take it out, and give it to pip by a netrc file or a keyring."
    if line.startswith("-") and not re.match(_EDITABLE, line):
        hint = (
            "Write it as ${NAME} and set that variable, or move the index to pip's configuration."
        )
    message = (
        "a password is written here in clear, or a user name without a password, which is usually "
        "a token: it would be in the lock file"
    )
    raise RequirementsError(message, place, hint)


def variables(text: str) -> list[str]:
    """Return the names of the ``${NAME}`` that pip would replace in `text`."""
    return re.findall(_VARIABLE, text)


def _parse_line(text: str, place: Place) -> Line:
    """Split one logical line into the requirement and the options."""
    words = text.split(" ")
    cut = next((i for i, word in enumerate(words) if word.startswith("-")), len(words))
    if cut == len(words):
        return Line(place, text)
    try:
        # It keeps what it parses in itself, and threads read inputs side by side.
        parser = copy.copy(_option_parser())
        values, rest = parser.parse_args(shlex.split(" ".join(words[cut:])))
        if rest:
            parser.error(f"unexpected {rest[0]!r}")
    except ValueError as error:
        raise RequirementsError(
            f"{quoted(text)} is no option line: {error}",
            place,
            "Options allowed in a requirements file: "
            "https://pip.pypa.io/en/stable/reference/requirements-file-format/",
        ) from error
    return Line(place, " ".join(words[:cut]).strip(), tuple(values.ensure_value("found", [])))


@functools.cache
def _option_parser() -> optparse.OptionParser:
    """Return pip's own kind of parser: with abbreviations, ``-rfile``, ``--x=y``."""
    import optparse  # noqa: PLC0415  (many inputs hold no option; a check must stay instant)

    class Parser(optparse.OptionParser):
        def error(self, msg: str) -> NoReturn:
            raise ValueError(msg)

    def record(option: optparse.Option, _word: str, value: str | None, parser: Any) -> None:
        found = parser.values.ensure_value("found", [])
        found.append((option.get_opt_string(), value or ""))

    parser = Parser(add_help_option=False)
    for flag in _FLAGS:
        parser.add_option(flag, action="callback", callback=record)
    for names in _VALUES:
        parser.add_option(*names, action="callback", callback=record, type="string")
    return parser

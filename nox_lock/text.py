"""Text as it may be shown: without control characters, without passwords, and not too long."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from nox_lock._errors import ConfigError, NoxLockError, SystemRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable

# A user name alone is no secret, but one with an empty password is a token.
_LOGIN = r"//(?!\$\{[A-Z0-9_]+\}:@)[^/@\s:]*:(?!\$\{[A-Z0-9_]+\}@)[^/@\s]*@"
# One alone that a web server is told is a token mostly; repositories have users such as git.
_USER = r"(?<![\w+])(?P<scheme>https?:)//(?!\$\{[A-Z0-9_]+\}@)[^/@\s:\"']+@"
_QUERY = (
    r"(?P<name>[?&](?:[\w.-]*[-_.])?(?:\w*token|secret|passw(?:or)?d|auth|credential|"
    r"(?:api|access)[-_]?key|sig(?:nature)?)=)(?!\$\{[A-Z0-9_]+\}(?![^&#\s\"']))[^&#\s\"'*]+"
)
# The folders of an absolute path, not those of a URL.
_FOLDERS = re.compile(r"(?<![\w:/\\.])(?:[A-Za-z]:)?[/\\](?:[^\s/\\'\"`:]+[/\\])+")
_FILE_URL = re.compile(r"(file:(?://)?)(?=/[^/])(?:/[^\s/'\"()]+)+/")
_LONGEST = 120
_MENDS = {
    "ENOENT": "Make it, or take out what names it.",
    "EACCES": "Let the user who runs nox read and write it.",
    "EPERM": "Let the user who runs nox read and write it.",
    "EROFS": "It lies where nothing can be written: run this elsewhere.",
    "ENOSPC": "Make room on the disk.",
    "EDQUOT": "Make room on the disk.",
    "ENAMETOOLONG": "Give it a shorter name.",
    "EISDIR": "Put a file in the place of this folder.",
    "ENOTDIR": "A part of its path is a file: move that, or it.",
    "ELOOP": "A link leads back to itself: put a file in its place.",
    "EMFILE": "Close what holds many files open, or raise that limit: ulimit -n",
    "ENFILE": "Close what holds many files open, or raise that limit: ulimit -n",
}


# With a password that holds an @, too: of what others print, rather more is taken out.
_CREDENTIALS = re.compile(r"(\w+://)[^/\s'\"]*@")
_ANY_QUERY = re.compile(r"((?:\w+://|url: /)[^\s?#'\"]*\?)[^\s#'\",;)]+")


def mask(text: str) -> str:
    """Return `text` without the user names, passwords and queries of its URLs."""
    return _ANY_QUERY.sub(r"\1****", _CREDENTIALS.sub(r"\1****@", text))


def shareable(text: str) -> str:
    """Return what another tool printed, without credentials and folders of this machine."""
    return without_folders(mask(text))


def redact(text: str) -> str:
    """Return a line as people, terminals and logs may see it, whatever file it comes from.

    A terminal obeys control characters, and marks of direction make a text look like another.
    """
    if "@" in text:
        text = re.sub(_LOGIN, "//****@", text)
        text = re.sub(_USER, r"\g<scheme>//****@", text, flags=re.IGNORECASE)
    if "?" in text:
        text = re.sub(_QUERY, r"\g<name>****", text, flags=re.IGNORECASE)
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each == "\t" else each.encode("unicode_escape").decode()
        for each in text
    )


def has_password(text: str) -> bool:
    """Tell whether a literal password stands in a URL; ``${NAME}`` is none."""
    return ("@" in text and re.search(_LOGIN, text) is not None) or (
        "?" in text and re.search(_QUERY, text, re.IGNORECASE) is not None
    )


def has_token(text: str) -> bool:
    """Tell whether a user name stands alone where a web server is told it."""
    return "@" in text and re.search(_USER, text, re.IGNORECASE) is not None


def quoted(text: str) -> str:
    """Return a text as an error quotes it: on one line, and of a long one the beginning."""
    return repr(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...")


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` for the one of `known` that `word` is nearly, or nothing."""
    import difflib  # noqa: PLC0415  (only for an error)

    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


def without_folders(text: str) -> str:
    """Return what another tool said with files by their own names: the rest is this machine's."""
    return _FOLDERS.sub("", _FILE_URL.sub(r"\1", text))


def mend_of(error: OSError) -> str:
    """Return what a person can do about what the operating system refused."""
    name = errno.errorcode.get(error.errno or 0, "")
    return _MENDS.get(name, "See what is special about it, and run this again.")


def in_words(error: OSError | RecursionError, root: Path) -> NoxLockError:
    """Tell of what went wrong deep below, where nobody knows more than the file."""
    if isinstance(error, RecursionError):
        return ConfigError(
            "an input, a lock file or the configuration is nested too deep to be read",
            hint="Look for brackets without end, or files that include one another.",
        )
    told = f"the operating system refused this: {error.strerror or 'it does not say why'}"
    return SystemRefusedError(told, file=_named(error.filename, root), hint=mend_of(error))


def _named(path: object, root: Path) -> str | None:
    """Return a file's path as from the project root; of one elsewhere its own name alone.

    Where that stands is a matter of this machine.
    """
    if not isinstance(path, (str, bytes, os.PathLike)):
        return None
    found = Path(os.path.abspath(os.fsdecode(path)))  # noqa: PTH100  (links stay as they are)
    return found.relative_to(root).as_posix() if found.is_relative_to(root) else found.name

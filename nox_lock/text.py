"""Text as it may leave the process: without secrets and control characters, and not too long.

A secret is known by its form (a password in a URL), or because it is recorded here when it is read.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import quote, unquote

_MASK = "****"
_PLACEHOLDER = r"\*{4}|(?:\$\{[A-Z0-9_]+\})+"  # our mask, or variables in the place of a secret
_SIGNS = r"[@?;#]|//"  # what a text with a secret in a URL has
_WORD = r"[^ \t\r\n]+"  # unlike `str.split`, only at what a terminal shows as a blank
_END = r"[/?#\\]"  # of the host in a URL
# A parameter of a URL with a secret: its name, and the value up to its end.
_PARAMETER = (
    r"([?&;#](?i:[^=?&;#\s]*token|key|code|pat|(?:[^=?&;#\s]*[-_.])?(?:secret|passw(?:or)?d|pwd|auth|"
    r"credential|jwt|(?:api|access)[-_]?key|sig(?:nature)?))=)"
    rf"(?!(?:{_PLACEHOLDER})(?:[&;#\s\"']|$))[^&;#\s\"']+"
)
_QUERY = r"\?[^#'\",;)]+"
_WEB_URL = r"(?i)https?://[^\s\x1b\"'<>`]+"
_PAGE = r"(\burl: |\"(?:GET|HEAD) )/[^\s\"]*"  # how requests and urllib3 name one without its host
_FOLDERS = r"(?<![\w:/\\.])(?:[A-Za-z]:)?[/\\](?:[^\s/\\'\"`:]+[/\\])+"  # of a path, not of a URL
_FILE_URL = r"(file:(?://)?)(?=/[^/])(?:/[^\s/'\"()]+)+/"
_OPENING = "\"'`([{<=,"  # what may be directly in front of a URL
_PATHS = ("file", "pkg")  # what a path may follow, with an @ in it
_HARMLESS = r"(?s).{,3}|[\d.]{,6}"  # no secrets; masking these would make text unreadable
_LONG = 8  # shorter values are masked only as whole words
_WHOLE_WORD = r"(?<![A-Za-z0-9]){}(?![A-Za-z0-9])"
# What Markdown or HTML would not take for text; @ would notify a person of that name.
_MARKDOWN = str.maketrans(
    {letter: f"\\{letter}" for letter in "\\`[]!*_|~"}
    | {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;&#8203;", "\r": "", "\n": " "}
)
_values: dict[str, str] = {}  # what was read and must not be shown, with what is shown instead
_user_indexes: set[str] = set()  # scheme, host and port of the indexes in the user's settings
_declared: set[str] = set()  # URLs that the project itself has, without credentials


def hide_value(name: str, value: str | None) -> None:
    """Record the value of a variable that an input uses: it is shown as ``${NAME}``."""
    if not value or value == name:
        return
    hide_index(value)
    # What a tool may print of a URL, or of a user name with its password.
    _, is_url, rest = value.partition("://")
    login = rest.rpartition("@")[0] if is_url else value
    parts = {value, login.partition(":")[2]}
    if is_url:
        parts |= {login, _without_login(value).rstrip("/")}
    for part in parts | {unquote(part) for part in parts}:
        for form in part, quote(part), quote(part, ""), json.dumps(part)[1:-1], repr(part)[1:-1]:
            if not re.fullmatch(_HARMLESS, form):
                _values.setdefault(form, f"${{{name}}}")


def hide_index(url: str) -> None:
    """Record an index in the user's settings: only its ``scheme://host:port`` is shown."""
    if shown := origin(url):
        _user_indexes.add(shown)


def declare(url: str) -> None:
    """Record a URL of the project itself, which may be shown even if the user's index is there."""
    _declared.add(_without_login(url))


def _without_login(url: str) -> str:
    scheme, found, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{found}{authority.rpartition('@')[2]}{slash}{path}"


def origin(url: str) -> str:
    """Return scheme, host and port of a URL; empty for any other text."""
    scheme, found, rest = url.lower().partition("://")
    host = re.split(_END, rest, maxsplit=1)[0].rpartition("@")[2]
    default = {"http": ":80", "https": ":443"}.get(scheme, "")
    return f"{scheme}{found}{host.removesuffix(default)}" if found else ""


def redact(text: str) -> str:
    """Return a line without secrets, control characters and marks of direction."""
    return "".join(
        each if each.isprintable() or each == "\t" else each.encode("unicode_escape").decode()
        for each in mask(text).replace("##[", "## [")  # GitHub's runner obeys ##[ anywhere
    )


def mask(text: str) -> str:
    """Return text without its secrets, but with its control characters."""
    if _values:
        text = _pattern(tuple(_values)).sub(lambda found: _values[found[0]], text)
    text = _mask_words(text)
    return re.sub(_WEB_URL, _show_url, text) if _user_indexes else text


@lru_cache(maxsize=1)
def _pattern(values: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(values, key=lambda value: (-len(value), value))
    forms = ("{}" if len(each) >= _LONG else _WHOLE_WORD for each in longest_first)
    return re.compile("|".join(map(str.format, forms, map(re.escape, longest_first))))


def _mask_words(text: str) -> str:
    return re.sub(_WORD, _mask_word, text) if re.search(_SIGNS, text) else text


def _mask_word(found: re.Match[str]) -> str:
    word = found[0]
    if "@" in word or "//" in word:
        head, *rest = word.split("//")
        parts, scheme = [_mask_bare(head)], head
        for part in rest:
            parts.append(_mask_authority(part, scheme))
            scheme = part if parts[-1] == part else ""  # a password may go on behind a slash
        word = "//".join(parts)
    return re.sub(_PARAMETER, rf"\1{_MASK}", word) if "=" in word else word


def _mask_bare(text: str) -> str:
    """Mask ``user:password`` in a text that is not a URL, or one without its scheme."""
    if "@" not in text or ":" not in text:
        return text
    parts = re.split(r"([/\\])", text)
    user, _, password = parts[0].partition(":")
    is_cut = len(parts) > 1 and "@" not in parts[0] and not user.endswith(_PATHS)
    if is_cut and password and not re.fullmatch(_PLACEHOLDER, password):  # by a slash in it
        return f"{_before(user)}{_MASK}{text[text.rfind('@') :]}"
    for number, part in enumerate(parts):
        login, _, host = part.rpartition("@")
        user, _, password = login.partition(":")
        if password and not password.startswith(":") and not re.fullmatch(_PLACEHOLDER, password):
            parts[number] = f"{_before(user)}{_MASK}@{host}"
    return "".join(parts)


def _before(user: str) -> str:
    """Return what is directly in front of a user name, such as a quote."""
    return user[: 1 + max(user.rfind(sign) for sign in _OPENING)]


def _mask_authority(text: str, scheme: str) -> str:
    """Mask what follows the ``//`` of a URL."""
    authority = re.split(_END, text, maxsplit=1)[0]
    rest = text[len(authority) :]
    login, found, host = authority.rpartition("@")
    if found:
        user, has_password, password = login.partition(":")
        # A user name alone is a token for a web server; one with an empty password everywhere.
        is_web = not scheme or scheme[-1] in _OPENING or re.search(r"(?i)https?:$", scheme)
        is_secret = has_password or (is_web and login != "git")
        is_placeholder = re.fullmatch(_PLACEHOLDER, password or user)
        return f"{_MASK}@{host}{rest}" if is_secret and not is_placeholder else text
    port = authority.partition("]")[2] if authority.startswith("[") else authority
    port = port.partition(":")[2].rstrip(".,:;!?)]}>\"'`")
    if re.fullmatch("[0-9]*", port) or re.fullmatch(_PLACEHOLDER, port) or scheme[-1:] != ":":
        return text
    # No port: a password with a slash in it, or one behind which the host was left out.
    return f"{_MASK}{rest[rest.rfind('@') :] if '@' in rest else rest}"


def _show_url(found: re.Match[str]) -> str:
    """Return a URL as it may be shown: only the host, if it is an index in the user's settings."""
    url = found[0].rstrip(".,:;!?)]}")
    shown, bare = origin(url), _without_login(url).rstrip("/")
    if shown not in _user_indexes or any(bare in each for each in _declared):
        return found[0]
    return shown + found[0][len(url) :]


def has_password(text: str) -> bool:
    """Return whether a URL has a secret: also a lone user name, if a web server gets that."""
    return _mask_words(text) != text


def shareable(text: str) -> str:
    """Return the output of another tool without secrets, queries and folders of this machine."""
    text = re.sub(_PAGE, rf"\1/{_MASK}", mask(text))
    urls = f"//{_WORD}"
    return without_folders(re.sub(urls, lambda url: re.sub(_QUERY, f"?{_MASK}", url[0]), text))


def quoted(text: str) -> str:
    """Quote text for an error message, on one line, truncated to 120 characters."""
    return repr(shortened(text, 120))


def as_argument(word: str) -> str:
    """Return a word as people type it in a shell of this system."""
    if os.name == "nt":
        return word if re.fullmatch(r"[\w.+=/-]+", word) else f'"{word}"'
    return shlex.quote(word)


def shortened(text: str, most: int = 1000) -> str:
    """Return text without secrets, truncated."""
    text = mask(text)  # first, since half a secret is not recognised
    return text if len(text) <= most else f"{text[:most]}..."


def markdown(text: str) -> str:
    """Escape text for Markdown, HTML and GitHub, without its secrets."""
    return mask(text).translate(_MARKDOWN)


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` for the most similar of `known`, or an empty text."""
    import difflib  # noqa: PLC0415  (only for an error)

    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


def without_folders(text: str) -> str:
    """Return text with only the names of files, without the folders of this machine."""
    return re.sub(_FOLDERS, "", re.sub(_FILE_URL, r"\1", text))

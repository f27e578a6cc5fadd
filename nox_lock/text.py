"""Text as it may leave the process: without secrets and control characters, and not too long.

All that is shown or printed goes through `redact`, once more at the end where it has been already.
What is secret can be seen by its form (a password in a URL), or is kept here when it is read: the
values of ``${VARIABLES}`` of inputs, and the package indexes of the user's settings. That memory is
of the process, like its output.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from collections.abc import Iterable

MASK = "****"
_VARIABLES = r"(?:\$\{[A-Z0-9_]+\})+"
# Unlike what `str.split` knows, no character that a terminal does not show as a blank.
_WORD = r"[^ \t\r\n]+"
# Of the host in a URL.
_END = r"[/?#\\]"
_PARAMETER = r"([?&;#])([^=?&;#\s]*)=([^&;#\s\"']+)"
_GUARDED = (
    r"(?i)token$|^(?:key|code|pat)$|(?:^|[-_.])(?:secret|passw(?:or)?d|pwd|auth|credential|jwt|"
    r"(?:api|access)[-_]?key|sig(?:nature)?)$"
)
_QUERY = r"\?[^#'\",;)]+"
_WEB_URL = r"(?i)https?://[^\s\x1b\"'<>`]+"
# How requests and urllib3 name a page without its host.
_PAGE = r"(\burl: |\"(?:GET|HEAD) )/[^\s\"]*"
# The folders of an absolute path, not those of a URL.
_FOLDERS = r"(?<![\w:/\\.])(?:[A-Za-z]:)?[/\\](?:[^\s/\\'\"`:]+[/\\])+"
_FILE_URL = r"(file:(?://)?)(?=/[^/])(?:/[^\s/'\"()]+)+/"
# What stands in front of a URL without a blank.
_OPENING = "\"'`([{<=,"
# What a path may follow, with an @ in it.
_PATHS = ("file", "pkg")
# A shorter value is no secret, and masked it would make everything unreadable.
_SHORTEST = 4
_WHOLE_WORDS = 8
_NUMBER = r"[\d.]{,6}"
_LONGEST = 120
# What Markdown or HTML would take for more than text; @ would call a person of that name.
_MARKDOWN = {letter: f"\\{letter}" for letter in "\\`[]!*_|~"} | {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    "@": "&#64;&#8203;",
    "\r": "",
    "\n": " ",
}


class _Known:
    """What has been read and must not be shown.

    Attributes:
        values: texts, with what is shown in their place.
        origins: scheme, host and port of the indexes of the user's settings.
        declared: URLs that the project itself has, without credentials.
    """

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.origins: set[str] = set()
        self.declared: set[str] = set()
        self.pattern: re.Pattern[str] | None = None


_known = _Known()


def forget() -> None:
    """Forget what was read: for tests, which are many projects in one process."""
    vars(_known).update(vars(_Known()))


def hide_value(name: str, value: str | None) -> None:
    """Have the value of a variable that an input uses shown as ``${NAME}`` from now on."""
    if not value or value == name:
        return
    hide_index(value)
    parts = {value, *_secrets_of(value)}
    parts |= {unquote(part) for part in parts}
    forms = {form for part in parts for form in (part, quote(part), quote(part, safe=""))}
    forms |= {json.dumps(part)[1:-1] for part in parts} | {repr(part)[1:-1] for part in parts}
    for form in forms:
        if len(form) >= _SHORTEST and not re.fullmatch(_NUMBER, form):
            _known.values.setdefault(form, f"${{{name}}}")
            _known.pattern = None


def _secrets_of(value: str) -> Iterable[str]:
    """Yield what tools make of a value that is a URL, or a user name with its password."""
    _, found, rest = value.partition("://")
    login = rest.rpartition("@")[0] if found else value
    yield login.partition(":")[2]
    if found:
        yield _without_login(value).rstrip("/")
        yield login


def hide_index(url: str) -> None:
    """Have of an index of the user's settings only ``scheme://host:port`` shown from now on."""
    if shown := origin(url):
        _known.origins.add(shown)


def declare(url: str) -> None:
    """Say that the project itself has a URL: it may be shown, though the user's index is there."""
    _known.declared.add(_without_login(url))


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
    """Return a line as people, terminals and logs may see it, whatever file it comes from.

    A terminal obeys control characters, and marks of direction make a text look like another.
    GitHub's runner obeys ``##[``, wherever it is in a line; other commands only begin one.
    """
    text = mask(text).replace("##[", "## [")
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each == "\t" else each.encode("unicode_escape").decode()
        for each in text
    )


def mask(text: str) -> str:
    """Return text without its secrets; what is no secret stays as it is, control characters too."""
    if _known.values:
        text = _pattern().sub(lambda found: _known.values[found[0]], text)
    if not any(sign in text for sign in "@?;#") and "//" not in text:
        return text
    text = re.sub(_WORD, lambda word: _mask_word(word[0]), text)
    return re.sub(_WEB_URL, _cut, text) if _known.origins else text


def _pattern() -> re.Pattern[str]:
    if _known.pattern is None:
        longest_first = sorted(_known.values, key=lambda value: (-len(value), value))
        whole = (
            rf"(?<![A-Za-z0-9]){re.escape(each)}(?![A-Za-z0-9])"
            if len(each) < _WHOLE_WORDS
            else re.escape(each)
            for each in longest_first
        )
        _known.pattern = re.compile("|".join(whole))
    return _known.pattern


def _mask_word(word: str) -> str:
    """Return a text without blanks, and without the secrets of its URLs."""
    if "@" in word or "//" in word:
        head, *rest = word.split("//")
        parts, scheme = [_mask_bare(head)], head
        for part in rest:
            parts.append(_mask_authority(part, scheme))
            scheme = part if parts[-1] == part else ""  # a password may go on behind a slash
        word = "//".join(parts)
    return re.sub(_PARAMETER, _mask_parameter, word) if "=" in word else word


def _mask_bare(text: str) -> str:
    """Return text that is no URL, or one without its scheme, without ``user:password``."""
    if "@" not in text or ":" not in text:
        return text
    parts = re.split(r"([/\\])", text)
    user, _, password = parts[0].partition(":")
    is_cut = len(parts) > 1 and "@" not in parts[0] and not user.endswith(_PATHS)
    if is_cut and password and not _is_open(password):  # by a slash in it
        return f"{_before(user)}{MASK}{text[text.rfind('@') :]}"
    for number, part in enumerate(parts):
        login, _, host = part.rpartition("@")
        user, _, password = login.partition(":")
        if password and not password.startswith(":") and not _is_open(password):
            parts[number] = f"{_before(user)}{MASK}@{host}"
    return "".join(parts)


def _before(user: str) -> str:
    """Return what is in front of a user name without a blank, such as a quote."""
    return user[: 1 + max(user.rfind(sign) for sign in _OPENING)]


def _mask_authority(text: str, scheme: str) -> str:
    """Return what is behind the ``//`` of a URL without user names and passwords."""
    authority = re.split(_END, text, maxsplit=1)[0]
    rest = text[len(authority) :]
    login, found, host = authority.rpartition("@")
    if found:
        return f"{MASK}@{host}{rest}" if _is_secret(login, scheme) else text
    port = authority.partition("]")[2] if authority.startswith("[") else authority
    port = port.partition(":")[2].rstrip(".,:;!?)]}>\"'`")
    if not port or _is_open(port) or (port.isascii() and port.isdigit()) or scheme[-1:] != ":":
        return text
    # No port: a password with a slash in it, or one behind which the host was left out.
    return f"{MASK}{rest[rest.rfind('@') :] if '@' in rest else rest}"


def _is_secret(login: str, scheme: str) -> bool:
    user, found, password = login.partition(":")
    if found:
        # A user name alone is no secret, but one with an empty password is a token.
        return not _is_open(password or user)
    # One alone that a web server is told is a token; repositories have users such as git.
    spoken = not scheme or scheme[-1] in _OPENING or scheme.lower().endswith(("http:", "https:"))
    return spoken and login != "git" and not _is_open(login)


def _is_open(text: str) -> bool:
    """Return whether what stands in the place of a secret is none: a variable, or our mask."""
    return text == MASK or re.fullmatch(_VARIABLES, text) is not None


def _mask_parameter(found: re.Match[str]) -> str:
    separator, name, value = found.groups()
    if re.search(_GUARDED, name) and not re.fullmatch(_VARIABLES, value):
        return f"{separator}{name}={MASK}"
    return found[0]


def _cut(found: re.Match[str]) -> str:
    """Return a URL as it may be shown: of an index of the user's settings only where it is."""
    url = found[0].rstrip(".,:;!?)]}")
    shown, bare = origin(url), _without_login(url).rstrip("/")
    if shown not in _known.origins or any(bare in each for each in _known.declared):
        return found[0]
    return shown + found[0][len(url) :]


def has_password(text: str) -> bool:
    """Return whether a literal secret is in a URL; ``${NAME}`` is none."""
    return ("//" in text or any(sign in text for sign in "@?;#")) and any(
        _mask_word(word[0]) != word[0] for word in re.finditer(_WORD, text)
    )


def has_token(text: str) -> bool:
    """Return whether a user name is alone in a URL, where a web server is told it."""
    for word in re.findall(_WORD, text) if "@" in text else ():
        scheme, *rest = word.split("//")
        for part in rest:
            login, found, _ = re.split(_END, part, maxsplit=1)[0].rpartition("@")
            if found and ":" not in login and login != MASK and _is_secret(login, scheme):
                return True
            scheme = part
    return False


def shareable(text: str) -> str:
    """Return what another tool printed: also without whole queries, and folders of this machine."""
    text = re.sub(_PAGE, rf"\1/{MASK}", mask(text))
    if "?" in text and "//" in text:
        text = re.sub(_WORD, lambda word: _without_query(word[0]), text)
    return without_folders(text)


def _without_query(word: str) -> str:
    before, found, rest = word.partition("//")
    return f"{before}//{re.sub(_QUERY, f'?{MASK}', rest)}" if found else word


def quoted(text: str) -> str:
    """Return a text as an error quotes it: on one line, and of a long one the beginning."""
    return repr(shortened(text, _LONGEST))


def shortened(text: str, most: int = 1000) -> str:
    """Return a text without its secrets, and of a long one the beginning."""
    text = mask(text)  # what is cut off in the middle is known for a secret no longer
    return text if len(text) <= most else f"{text[:most]}..."


def markdown(text: str) -> str:
    """Return a text as Markdown, HTML and GitHub show it: nothing in it is a mark of theirs."""
    return "".join(_MARKDOWN.get(letter, letter) for letter in mask(text))


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` for the one of `known` that `word` is nearly, or nothing."""
    import difflib  # noqa: PLC0415  (only for an error)

    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


def without_folders(text: str) -> str:
    """Return what another tool said with files by their own names: the rest is this machine's."""
    return re.sub(_FOLDERS, "", re.sub(_FILE_URL, r"\1", text))

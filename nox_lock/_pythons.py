"""Which Pythons a session runs on, as nox's `python=` has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from nox_lock._errors import ConfigError
from nox_lock._target import parse_target

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nox_lock._target import Target


def pythons_of(said: Iterable[object]) -> Iterator[Target | SpecifierSet]:
    """Yield the targets and the ranges of versions that values of `python=` name.

    A value may be a list of others, None or False for no say, a target (``3.11``,
    ``python3.11``), a range (``>=3.12``, ``3``), or a path, which is known when the session runs.
    https://nox.thea.codes/en/stable/config.html#configuring-a-session-s-virtualenv
    """
    for value in said:
        if isinstance(value, (list, tuple)):
            yield from pythons_of(value)
        elif isinstance(value, str) and (found := _python(value)) is not None:
            yield found


def _python(text: str) -> Target | SpecifierSet | None:
    try:
        return parse_target(text)
    except ConfigError:
        pass
    try:
        return SpecifierSet(f"=={text}.*" if text.isdecimal() else text)
    except InvalidSpecifier:
        return None

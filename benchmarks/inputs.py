"""The inputs of the corpus that are locked cold."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.measure import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_REACHED = re.compile(r"^(-[rc]) *([^\s#]+)")
_LOCK = re.compile(r"^-r +[^\s#]+\.txt$")


@dataclass(frozen=True, slots=True)
class Input:
    """An input of the corpus.

    Attributes:
        path: below `corpus/`.
        pins: how many its lock had in November 2026.
        left_out: lines that need a git host or do not build everywhere, by their beginning.
    """

    path: str
    pins: int
    left_out: tuple[str, ...] = ()


INPUTS: Mapping[str, Input] = {
    "vendored": Input("bazelbuild__rules_python/examples/pip_parse_vendored/requirements.in", 5),
    "flask-tests": Input("pallets__flask/requirements/tests.in", 8),
    "flask-typing": Input("pallets__flask/requirements/typing.in", 12),
    "runtime-deps": Input("aio-libs__aiohttp/requirements/runtime-deps.in", 15),
    "flask-docs": Input("pallets__flask/requirements/docs.in", 26),
    "aiohttp-doc": Input("aio-libs__aiohttp/requirements/doc.in", 32),
    "zulip-mypy": Input("zulip__zulip/requirements/mypy.in", 49),
    "aiohttp-test": Input("aio-libs__aiohttp/requirements/test.in", 58),
    "aiohttp-lint": Input("aio-libs__aiohttp/requirements/lint.in", 61),
    "flask-dev": Input("pallets__flask/requirements/dev.in", 68),
    "aiohttp-dev": Input("aio-libs__aiohttp/requirements/dev.in", 102),
    "credentials": Input("openedx__credentials/requirements/all.in", 177, ("git+", "mysqlclient")),
}


def copy_input(each: Input, shared: Path, root: Path) -> str:
    """Copy an input and all it reaches into `root`; return its path there."""
    name, _, path = each.path.partition("/")
    source = shared / "corpus" / name
    if not (source / path).is_file():
        raise UnavailableError(f"there is no corpus with {each.path}")
    _copy(each, source, path, root)
    return path


def flatten(root: Path, path: str) -> list[str]:
    """Return the requirement lines that an input reaches by `-r`.

    Raises UnavailableError for what is no requirement: a tool without options cannot take it.
    """
    found = []
    for line in (root / path).read_text("utf-8").splitlines():
        text = re.sub(r"(^|\s)#.*", "", line).strip()
        reached = _REACHED.match(text)
        if reached and reached[1] == "-r":
            found += flatten(root, _join(path, reached[2]))
        elif text.startswith("-"):
            raise UnavailableError(f"it cannot take `{text}`")
        elif text:
            found.append(text)
    return list(dict.fromkeys(found))


def _copy(each: Input, source: Path, path: str, root: Path) -> None:
    target = root / path
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source / path, target)
    lines = []
    for text in target.read_text("utf-8").splitlines():
        # The corpus writes so what is the default index.
        if "//index.example/" in text or text.startswith(each.left_out or ("\0",)):
            continue
        line = _LOCK.sub(lambda found: _input_of(source, path, found[0]), text)
        lines.append(line)
        if reached := _REACHED.match(line):
            _copy(each, source, _join(path, reached[2]), root)
    target.write_text("\n".join([*lines, ""]), "utf-8")


def _input_of(source: Path, path: str, line: str) -> str:
    """Return a line `-r base.txt` as `-r base.in` where there is one: locks of old are not here."""
    better = f"{line.removesuffix('.txt')}.in"
    exists = (source / _join(path, better.rsplit(maxsplit=1)[-1])).is_file()
    return better if exists else line


def _join(path: str, reached: str) -> str:
    folder, _, _ = path.rpartition("/")
    return f"{folder}/{reached}" if folder else reached

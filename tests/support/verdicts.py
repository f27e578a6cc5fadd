"""Small projects with lock files that are fresh, and the verdicts of `lock-check` on them.

The tests of attacks on lock files reach nox-lock through this module alone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from packaging.markers import Marker

from nox_lock.checking.judge import judge_all
from nox_lock.errors import NoxLockError
from nox_lock.lockfile import lock_file
from nox_lock.project import Project
from support.locks import stamp_all
from support.plans import plan_with_orphans

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

INPUT, LOCK = "requirements.in", "requirements.txt"
# What holds a lock file is judged as: no verdict, but an error in words.
ERROR = "error"


class Verdict(NamedTuple):
    """The word of a verdict, and its reasons as they are shown."""

    word: str
    reasons: list[str]


def verdicts(folder: Path) -> dict[str, Verdict]:
    """Return the verdict on each lock file of a project, by path, as `lock-check` has it.

    A project that cannot be judged has one, by the file that is to blame: `ERROR`.
    """
    try:
        judged = judge_all(*plan_with_orphans(folder))
    except NoxLockError as error:
        return {error.place.file if error.place else "": Verdict(ERROR, [str(error)])}
    return {
        each.path: Verdict(each.verdict.word, [str(reason) for reason in each.verdict.reasons])
        for each in judged
    }


class Covered(NamedTuple):
    """A pin as nox-lock reads it: what a verdict is on.

    Attributes:
        name: normalized, or None for a URL or a folder without one.
        demand: ``==`` and the version, or the URL.
        extras: sorted.
        marker: as `packaging` writes it, or None.
        editable: whether it is.
        hashes: sorted.
    """

    name: str | None
    demand: str
    extras: tuple[str, ...]
    marker: str | None
    editable: bool
    hashes: tuple[str, ...]


def covered(folder: Path) -> tuple[list[Covered], list[str]]:
    """Return the pins and the option lines that nox-lock reads from a lock file."""
    lock = lock_file.read(Project(folder, {}), LOCK)
    assert lock is not None
    pins = [
        Covered(
            pin.name,
            f"=={pin.version}" if pin.version else pin.url or "",
            tuple(sorted(pin.extras)),
            str(Marker(pin.marker)) if pin.marker else None,
            pin.editable,
            tuple(sorted(pin.hashes)),
        )
        for pin in lock.pins
    ]
    return pins, [option.text for option in lock.options]


def hash_of(character: str) -> str:
    """Return a hash option of a pin: one hexadecimal digit, many times."""
    return f"--hash=sha256:{character * 64}"


PYPROJECT = '[tool.nox-lock.locks.requirements]\ninputs = ["requirements.in"]\npython = "3.11"\n'
URL = f"https://x.invalid/tool-1.0.tar.gz#sha256={'7' * 64}"
BODY = f"""\
app==1.0 \\
    {hash_of("a")} \\
    {hash_of("b")}
    # via -r requirements.in
dep==2.0 ; python_version >= "3.8" \\
    {hash_of("d")}
    # via
    #   -r requirements.in
    #   app
silk==3.0 \\
    {hash_of("5")}
    # via
    #   app
    #   dep
tool @ {URL} \\
    {hash_of("7")}
    # via -r requirements.in"""
_INPUT = f"""\
--extra-index-url https://x.invalid/simple
app>=1,<2
dep>=2 ; python_version >= "3.8"
tool @ {URL}
gone @ https://x.invalid/gone-1.0.tar.gz ; python_version < "3"
"""
_OPTIONS = """\
--index-url https://x.invalid/simple
--find-links https://x.invalid/links
--trusted-host x.invalid
--no-binary app
"""
_FOLDER = '[project]\nname = "local"\nversion = "1.0"\n'
# By name: the files of a project beside its lock files, and the bodies of these by lock.
PROJECTS: Mapping[str, tuple[Mapping[str, str], Mapping[str, str]]] = {
    "hashed": ({INPUT: _INPUT}, {"requirements": BODY}),
    "hash in an input": (
        {INPUT: f"app==1.0 {hash_of('a')}\n"},
        {"requirements": f"app==1.0 \\\n    {hash_of('a')}\n    # via -r requirements.in"},
    ),
    "folders": (
        {
            INPUT: "app>=1\n./local\n-e ./mine\n",
            "pyproject.toml": f"{PYPROJECT}generate-hashes = false\n",
            **{f"{each}/pyproject.toml": _FOLDER for each in ("local", "mine")},
        },
        {
            "requirements": "./local\n    # via -r requirements.in\n"
            "-e ./mine\n    # via -r requirements.in\n"
            "app==1.0\n    # via -r requirements.in",
        },
    ),
    # With nothing that has to be fetched from somewhere.
    "plain": (
        {INPUT: "app>=1,<2\ndep>=2 ; python_version >= '3.8'\n"},
        {"requirements": BODY.partition("tool @")[0]},
    ),
    "options": (
        {INPUT: f"{_OPTIONS}app>=1,<2\nsilk\n"},
        {
            "requirements": f"app==1.0 \\\n    {hash_of('a')}\n    # via -r requirements.in\n"
            f"silk==3.0 \\\n    {hash_of('5')}\n    # via\n    #   -r requirements.in\n"
            "    #   app"
        },
    ),
    "two locks": (
        {
            INPUT: "app>=1,<2\n",
            "dev.in": "lint>=1\n",
            "pyproject.toml": PYPROJECT
            + '[tool.nox-lock.locks.dev]\ninputs = ["dev.in"]\npython = "3.11"\n',
        },
        {
            "requirements": f"app==1.0 \\\n    {hash_of('a')}\n    # via -r requirements.in",
            "dev": f"lint==1.0 \\\n    {hash_of('1')}\n    # via -r dev.in",
        },
    ),
    "hashes wanted": (
        {INPUT: "app>=1,<2\n", "pyproject.toml": f"{PYPROJECT}generate-hashes = true\n"},
        {"requirements": f"app==1.0 \\\n    {hash_of('a')}\n    # via -r requirements.in"},
    ),
}  # fmt: skip


_LOCKS: dict[str, dict[str, bytes]] = {}


def make(folder: Path, project: str) -> None:
    """Write a project with lock files such as nox-lock writes them."""
    files, bodies = PROJECTS[project]
    texts = {"pyproject.toml": PYPROJECT, **files}
    write(folder, {name: text.encode() for name, text in texts.items()})
    if project not in _LOCKS:
        made = stamp_all(folder, bodies)
        _LOCKS[project] = {name: (folder / name).read_bytes() for name in made}
    write(folder, _LOCKS[project])


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files, and the folders that they are in."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def unstamped(data: bytes) -> bytes:
    """Return a lock file as pip-compile writes it."""
    return re.sub(rb"# nox-lock: .*\r?\n", b"", data)


def by_uv(data: bytes) -> bytes:
    """Return a lock file as uv writes it: with another header."""
    command = b"uv pip compile --generate-hashes requirements.in -o requirements.txt"
    head = b"# This file was autogenerated by uv via the following command:\n#    " + command
    return re.sub(rb"\A(?:#.*\n)+", head + b"\n", data)


def restamped(data: bytes) -> bytes:
    """Return a lock file with a stamp that is right for its body, as an attacker can make it.

    A stamp is left as it is where the body cannot even be read.
    """
    text = data.decode("utf-8", errors="surrogateescape")
    try:
        right = lock_file.digest(lock_file.parse(text).body)
    except UnicodeEncodeError:
        return data
    text = re.sub(r"(?m)(^# nox-lock: v1 .* body=)\S+", rf"\g<1>{right}", text, count=1)
    return text.encode("utf-8", errors="surrogateescape")

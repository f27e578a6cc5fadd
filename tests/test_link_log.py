"""A compile notes no more of the files that an index offers than it is asked to."""

from __future__ import annotations

import collections
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from nox_lock._index_log import index_failure
from nox_lock._indexes import module_command
from nox_lock._link_log import keep_apart, offers
from nox_lock._versions import find_versions
from support.project import clean_environment

if TYPE_CHECKING:
    from pathlib import Path

    from support.index import LocalIndex


def compile_with(
    folder: Path, *arguments: str, setup: str = "", **variables: str
) -> tuple[str, str]:
    """Compile requirements.in; return pip's log, and what was kept apart."""
    log, files = folder / "pip.log", folder / "files.log"
    log.unlink(missing_ok=True)
    arguments = ("compile", "--no-config", "--quiet", *arguments, "requirements.in")
    command = module_command(sys.executable, "piptools", *arguments, setup=setup)
    environ = clean_environment(folder, PIP_LOG=str(log), **variables)
    subprocess.run(command, cwd=folder, env=environ, check=True)
    kept = files.read_text(encoding="utf-8") if files.exists() else ""
    return log.read_text(encoding="utf-8"), kept


def test_files_are_noted_apart(index: LocalIndex, tmp_path: Path) -> None:
    """And told from the log, and from what is kept apart, it is the same."""
    for version in range(1, 5):
        index.publish("lib", f"{version}.0", requires=["dep"])
    index.publish("dep", "1.0")
    wheel = next(index.folder.glob("dep-*"))
    shutil.copy(wheel, wheel.with_name("dep-1.0-py2.py3-none-any.whl"))
    for machine in ("win_arm64", "win_amd64"):
        shutil.copy(wheel, wheel.with_name(f"dep-1.0-cp311-cp311-{machine}.whl"))
    (tmp_path / "requirements.in").write_text("lib<4\n", encoding="utf-8")
    # A module of the project's own is none of pip's.
    (tmp_path / "logging.py").write_text("raise SystemExit('imported')\n", encoding="utf-8")
    whole, _ = compile_with(tmp_path, PIP_INDEX_URL=index.url)
    setup = keep_apart(tmp_path / "files.log")
    log, files = compile_with(tmp_path, "--generate-hashes", setup=setup, PIP_INDEX_URL=index.url)

    assert len(re.findall("Found link|Skipping link:", log)) == 2  # one for each page
    found = collections.Counter(re.findall(r"Found link \S+/(\w+-\d)\S+ \(from", files))
    # To hash, pip-tools reads each page again, and takes files of other platforms for such as fit.
    assert found == {"dep-1": 2 + 4, **{f"lib-{number}": 2 for number in range(1, 5)}}
    assert len(re.findall(r"Skipping link: none of .*/(dep-\d)\S+ \(from", files)) == 2
    assert collections.Counter(each.fits for each in offers(files)) == {True: 6, False: 2}
    assert offers(files) == offers(log + files) == offers(whole)
    for text in (whole, log + files):
        assert find_versions(text, "lib").found == ("1.0", "2.0", "3.0", "4.0")
        assert index_failure("", text) is None
    assert index_failure("", log) is None


@pytest.mark.parametrize("place", ["folder", "page"])
def test_files_beside_an_index(place: str, index: LocalIndex, tmp_path: Path) -> None:
    """A folder, or a page of files of more than one project: it is read once for each."""
    index.publish("lib", "1.0", requires=["dep"])
    index.publish("dep", "1.0")
    (tmp_path / "requirements.in").write_text("lib\n", encoding="utf-8")
    links = (
        str(index.folder) if place == "folder" else f"{index.url.partition('simple')[0]}packages/"
    )
    variables = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": links}
    whole, _ = compile_with(tmp_path, **variables)
    _, files = compile_with(tmp_path, setup=keep_apart(tmp_path / "files.log"), **variables)
    assert {each.file for each in offers(files)} == {
        each.name for each in index.folder.glob("*.whl")
    }
    assert offers(files) >= offers(whole)


def test_credentials_are_not_kept(index: LocalIndex, tmp_path: Path) -> None:
    index.publish("lib", "1.0")
    (tmp_path / "requirements.in").write_text("lib\n", encoding="utf-8")
    url = index.url.replace("://", "://mia:secret@")
    setup = keep_apart(tmp_path / "files.log")
    log, files = compile_with(tmp_path, setup=setup, PIP_INDEX_URL=url)
    assert "lib-1.0" in files
    assert "secret" not in log + files

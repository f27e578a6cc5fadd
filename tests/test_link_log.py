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
from nox_lock._link_log import FILES, VERSIONS, offers
from nox_lock._versions import find_versions
from support.project import clean_environment

if TYPE_CHECKING:
    from pathlib import Path

    from support.index import LocalIndex


@pytest.mark.parametrize("setup", ["", FILES, VERSIONS], ids=["all", "files", "versions"])
def test_how_often_a_file_is_noted(setup: str, index: LocalIndex, tmp_path: Path) -> None:
    """pip itself notes each at least twice: to resolve, and to hash."""
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
    log = tmp_path / "pip.log"
    arguments = ("compile", "--generate-hashes", "--no-config", "--quiet", "requirements.in")
    command = module_command(sys.executable, "piptools", *arguments, setup=setup)
    environ = clean_environment(tmp_path, PIP_INDEX_URL=index.url, PIP_LOG=str(log))
    subprocess.run(command, cwd=tmp_path, env=environ, check=True)

    text = log.read_text(encoding="utf-8")
    found = collections.Counter(re.findall(r"Found link \S+/(\w+-\d)\S+ \(from", text))
    skipped = re.findall(r"Skipping link: none of .*/(dep-\d)\S+ \(from", text)
    if setup:
        files = 1 if setup == VERSIONS else 2
        assert found == {"dep-1": files, **{f"lib-{number}": 1 for number in range(1, 5)}}
        assert len(skipped) == files
        # To hash, pip-tools takes files of other platforms for such as fit.
        assert collections.Counter(each.fits for each in offers(text)) == {
            True: 4 + files,
            False: files,
        }
    else:
        assert found["dep-1"] >= 4
        assert min(found.values()) >= 2
    there = find_versions(text, "lib")
    assert there.found == ("1.0", "2.0", "3.0", "4.0")
    assert index_failure("", text) is None

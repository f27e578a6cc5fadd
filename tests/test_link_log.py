"""A compile notes no more of the files that an index offers than it is asked to."""

from __future__ import annotations

import collections
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from nox_lock._index_log import index_failure
from nox_lock._indexes import module_command
from nox_lock._link_log import EACH_ONCE, FIRST_OF_EACH, offers
from support.project import clean_environment

if TYPE_CHECKING:
    from pathlib import Path

    from support.index import LocalIndex


@pytest.mark.parametrize(("setup", "times"), [("", 2), (EACH_ONCE, 1), (FIRST_OF_EACH, 0)])
def test_how_often_a_file_is_noted(
    setup: str, times: int, index: LocalIndex, tmp_path: Path
) -> None:
    """pip itself notes each at least twice: to resolve, and to hash."""
    for version in range(1, 5):
        index.publish("lib", f"{version}.0", requires=["dep"])
    index.publish("dep", "1.0")
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
    every = {"dep-1", "lib-1", "lib-2", "lib-3", "lib-4"}
    if times:
        assert found == dict.fromkeys(every, times)
        assert {f"{each.project}-{each.version}" for each in offers(text)} == {
            f"{each}.0" for each in every
        }
    else:
        # The first of each project's page, whichever it is.
        assert sorted(each[:3] for each in found.elements()) == ["dep", "lib"]
    assert index_failure("", text) is None

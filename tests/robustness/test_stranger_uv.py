"""A `uv.toml` that a stranger has put beside a lock file: uv obeys it wherever it installs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from nox_lock.compiling.index_settings import refuse_uv_settings
from nox_lock.errors import ConfigError
from support.sdists import build_sdist
from support.stranger import MARKER, NOXFILE, RUNS
from support.verdicts import INPUT, LOCK, unstamped

if TYPE_CHECKING:
    from pathlib import Path

    from support.index import LocalIndex
    from support.project import Project


def test_another_index_for_uv(project: Project, index: LocalIndex) -> None:
    index.publish("app", "1.0")
    project.write("noxfile.py", NOXFILE.format(more=', venv_backend="uv"'))
    project.write(INPUT, "app>=1,<2\n")
    project.nox("-s", "lock").ok()
    bare = project.read(LOCK).replace(" --generate-hashes", "")
    project.write(LOCK, unstamped(re.sub(r" \\\n    --hash=\S+", "", bare).encode()).decode())
    project.nox("-s", "lock-check").ok()
    links = project.root / "links"
    links.mkdir()
    build_sdist(links, "app", "1.0", code=RUNS)
    project.write("uv.toml", '[[index]]\nname = "evil"\nurl = "./links"\nformat = "flat"\n')
    env = {"CI": "1", "STRANGER": str(project.root)}
    check = project.nox("-s", "lock-check", env=env)
    run = project.nox("-s", "tests", env=env)
    assert not project.exists(MARKER), f"code ran.\n{check.output}\n{run.output}"
    assert "uv.toml: uv would install by this file" in run.failed().output
    project.nox("-s", "tests", env={**env, "UV_NO_CONFIG": "1"}).ok()
    assert not project.exists(MARKER)


def test_where_uv_looks(tmp_path: Path) -> None:
    root = tmp_path / "checkout" / "project"
    root.mkdir(parents=True)
    (root.parent / ".git").mkdir()
    (tmp_path / "uv.toml").touch()
    refuse_uv_settings(root, {})
    (root.parent / "uv.toml").touch()
    with pytest.raises(ConfigError, match="a lock file does not cover") as caught:
        refuse_uv_settings(root, {})
    assert caught.value.place == ("../uv.toml", None)
    refuse_uv_settings(root, {"UV_CONFIG_FILE": "../uv.toml"})
    refuse_uv_settings(root, {"UV_NO_CONFIG": "1"})

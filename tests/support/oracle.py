"""Asks pip what it reads from a requirements file or a lock file; pip runs in its own process."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from packaging.version import Version

if TYPE_CHECKING:
    from collections.abc import Mapping

_SCRIPT = Path(__file__).with_name("pip_oracle.py")
# An older one knows fewer options, and reads some lines in another way.
FOLLOWED = "26.0"
# What pip puts in the place of ${EVIL}.
VARIABLES = {"EVIL": "6.6.6"}


class Oracle:
    """Asks pip."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._process = subprocess.Popen(
            [sys.executable, str(_SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={**os.environ, **VARIABLES},
        )

    def ask(self, source: str = "requirements.in", root: Path | None = None) -> dict[str, Any]:
        pip = importlib.metadata.version("pip")
        if Version(pip) < Version(FOLLOWED):
            pytest.skip(f"nox-lock reads as pip {FOLLOWED} and newer, and this is pip {pip}")
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        question = {"root": str(root or self.root), "source": source}
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        self._process.communicate()

    def fill(self, files: Mapping[str, str | bytes]) -> None:
        """Make these the only files."""
        shutil.rmtree(self.root)
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())

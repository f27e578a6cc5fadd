"""What uv tells of the files that indexes have: their hashes, with nothing built, read or run."""

from __future__ import annotations

import datetime as dt
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nox_lock import _lockfile
from nox_lock._entries import URL
from nox_lock._indexes import pip_environment, uv_environment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from nox_lock._compile import Order, PipTools
    from nox_lock._pins import Pin

_SECONDS = 120.0  # it takes one
# What a user tells uv of itself, not of what it is to choose.
_KEPT = (
    "UV_CACHE_DIR",
    "UV_CONCURRENT_DOWNLOADS",
    "UV_HTTP_RETRIES",
    "UV_HTTP_TIMEOUT",
    "UV_INSECURE_HOST",
    "UV_KEYRING_PROVIDER",
    "UV_NATIVE_TLS",
    "UV_NO_CACHE",
    "UV_OFFLINE",
    "UV_SYSTEM_CERTS",
)
# Option lines of inputs that name indexes.
_INDEXES = {"--extra-index-url", "--find-links", "--index-url", "--no-index", "--trusted-host"}
_ADDRESSES = ("index-url", "extra-index-url", "find-links")


@dataclass(frozen=True, slots=True)
class Uv:
    """uv, asked in the place of a resolver: by its indexes, for its Python, in its folder.

    Attributes:
        program: uv itself.
        resolver: the one it is asked in the place of.
    """

    program: str
    resolver: PipTools

    def tell_hashes(self, order: Order, pins: Sequence[Pin], folder: Path) -> list[Pin]:
        """Return pins with the hashes of the indexes of an order; none where uv does not know.

        Nothing is built, nor read but the pages of the indexes: that no pin depends on anything is
        told beforehand. https://docs.astral.sh/uv/reference/settings/#dependency-metadata
        """
        options = [o for o in order.planned.inputs.options if o.name in _INDEXES]
        allowed = self.resolver.indexes.allowed
        addresses = (*(o.value for o in options), *(allowed.get(name, "") for name in _ADDRESSES))
        # Its own cache would keep the whole address, and a query is where tokens stand.
        if any("?" in each for each in addresses):
            return []
        # A folder of an input is named as from the project root, uv would look from the file.
        root = self.resolver.root
        at = (
            root / o.value if o.name == "--find-links" and not URL.match(o.value) else o.value
            for o in options
        )
        lines = [f"{option.name} {value}" for option, value in zip(options, at, strict=True)]
        wanted = _write_lines(folder / "wanted.in", [*lines, *(pin.shown for pin in pins)])
        known = (f'[[dependency-metadata]]\nname = "{pin.name}"' for pin in pins)
        config = _write_lines(folder / "uv.toml", known)
        output = folder / "requirements.txt"
        arguments = [f"--config-file={config}", f"--output-file={output}", str(wanted)]
        if not self._run([*_arguments(order), *self._until(order), *arguments], folder, order):
            return []
        return [pin for pin in _lockfile.parse(output.read_text("utf-8")).pins if pin.version]

    def _until(self, order: Order) -> Iterator[str]:
        """Yield the option for a cooldown, as pip takes a day; of a span of time uv makes more."""
        allowed = self.resolver.indexes.allowed
        day = order.planned.settings.uploaded_prior_to or allowed.get("uploaded-prior-to")
        if day and (moment := _moment(day)):
            yield f"--exclude-newer={moment}"

    def _run(self, arguments: Sequence[str], folder: Path, order: Order) -> bool:
        """Run uv, and tell whether it was content."""
        with (folder / "said.txt").open("wb") as sink:
            try:
                code = self.resolver.processes.run(
                    [self.program, *arguments],
                    self._environment(),
                    sink,
                    deadline=min(_SECONDS, order.seconds_left / 2),  # pip-tools is to have its turn
                    folder=self.resolver.root,
                )
            except subprocess.TimeoutExpired:
                return False
        return code == 0

    def _environment(self) -> dict[str, str]:
        indexes = self.resolver.indexes
        clean = {
            name: value
            for name, value in pip_environment(self.resolver.environ, indexes).items()
            if not name.startswith(("PIP_", "UV_")) or name in _KEPT
        }
        own = {"UV_PYTHON": self.resolver.toolchain.python, "UV_PYTHON_DOWNLOADS": "never"}
        return clean | uv_environment(indexes, clean) | own


def _arguments(order: Order) -> list[str]:
    arguments = [
        "pip",
        "compile",
        "--quiet",
        "--no-deps",
        "--no-header",
        "--no-annotate",
        "--generate-hashes",
        "--index-strategy=unsafe-best-match",  # as pip looks at all of them
    ]
    return [*arguments, "--refresh"] if order.refresh else arguments


def _moment(day: str) -> str | None:
    """Return a cooldown as a moment, as pip takes a day; None for a span of time."""
    try:
        moment = dt.datetime.fromisoformat(day)
    except ValueError:
        return None
    return moment.astimezone(dt.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _write_lines(path: Path, lines: Iterable[str]) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path

"""What uv finds for the inputs of a lock: fast, from metadata alone, with nothing built or run."""

from __future__ import annotations

import datetime as dt
import re
import subprocess
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from nox_lock import _lockfile
from nox_lock._indexes import pip_environment, uv_environment
from nox_lock._mirror import lay_out

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from nox_lock._compile import Order, PipTools
    from nox_lock._pins import Pin

# A resolution takes uv a second, or it tries long what there is without what has to be built.
PATIENCE = 5.0
_SECONDS = 120.0
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
# Option lines that uv reads as pip does, or that change nothing of what is chosen.
_READ = {
    "--extra-index-url",
    "--find-links",
    "--index-url",
    "--no-index",
    "--only-binary",
    "--pre",
    "--trusted-host",
}
_ADDRESSES = ("index-url", "extra-index-url", "find-links")
_FOUND = "requirements.txt"
TO_BUILD = re.compile(
    r"Wheels are required for `([^`\[]+)[^`]*` because building from source is disabled.*"
    r"|([\w.-]+)(?:\[[^\]]*\])?(?:\{[^}]*\})?(?:[=<>]=?\S+)? ha(?:s|ve) no usable wheels"
    r"|^ +have no usable wheels",  # where there is more than one range of versions, a line for each
    re.MULTILINE,
)
_RANGE = re.compile(r" +([\w.-]+)\S*")
# What it tells of each dependency, asked to; its ranges of versions, too, end with pre-releases.
_TOLD = "DEBUG "
_ASKED_FOR = re.compile(rf"{_TOLD}Adding \w+ dependency(?: for [^:]+)?: ([\w.-]+)(.*)")
_PRE_RELEASE = re.compile(r"\d\.?(?:a|b|c|rc|dev)\d")


def reads_alike(order: Order) -> bool:
    """Tell whether uv reads the inputs of an order as pip does, and keeps nothing it should not."""
    inputs = order.planned.inputs
    return (
        not inputs.remote
        and not inputs.dynamic
        and all(option.name in _READ and "?" not in option.value for option in inputs.options)
        and not any(entry.editable for entry in inputs.entries)
    )


@dataclass(frozen=True, slots=True)
class Question:
    """What uv is asked.

    Attributes:
        order: for which lock.
        kept: lines of pins that stay where they can.
        limits: constraints beside those of the inputs.
        left_out: projects to take as if nobody asked for them.
        stand_ins: versions to take for built, and to depend on nothing.
        offline: to tell from what was read before, or not at all.
    """

    order: Order
    kept: tuple[str, ...]
    limits: tuple[str, ...] = ()
    left_out: frozenset[str] = frozenset()
    stand_ins: tuple[tuple[str, str], ...] = ()
    offline: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What uv finds: pins, or what it says of there being none.

    Attributes:
        pins: what it finds; empty for none.
        said: why not.
        releases: the projects that nobody asks for a pre-release of.
        late: whether it was ended before it had an answer.
    """

    pins: list[Pin]
    said: str = ""
    releases: frozenset[str] = frozenset()
    late: bool = False

    @property
    def to_build(self) -> frozenset[str]:
        """The projects that have to be built, as far as it says."""
        names, before = set(), ""
        for line in self.said.splitlines():
            # Without a name it is nobody's, and so nothing that anybody knows.
            of_ranges = _RANGE.fullmatch(before)
            for found in TO_BUILD.finditer(line):
                names.add(found[1] or found[2] or (of_ranges[1] if of_ranges else ""))
            before = line
        return frozenset(map(canonicalize_name, names))


@dataclass(frozen=True, slots=True)
class Uv:
    """uv, asked in the place of a resolver: by its indexes, for its Python, in its folder.

    Attributes:
        program: uv itself.
        resolver: the one it is asked in the place of.
    """

    program: str
    resolver: PipTools

    def find(self, question: Question, folder: Path, seconds: float = PATIENCE) -> Answer:
        """Return the pins that uv finds in some seconds.

        Nothing is built: where something has to be, it finds none, or an older version.
        """
        order = question.order
        output = folder / _FOUND
        _write_lines(output, question.kept)
        mirror = lay_out(order.planned.inputs, order.texts, self.resolver.root, folder)
        arguments = ["--no-config", "--no-build"]
        arguments += [f"--constraint={mirror.paths.get(c, c)}" for c in order.planned.constraints]
        arguments += [f"--upgrade-package={name}" for name in order.upgrade_packages]
        arguments += [f"--extra={extra}" for extra in order.planned.inputs.native_extras]
        if question.limits:
            arguments += [f"--constraint={_write_lines(folder / 'limits.txt', question.limits)}"]
        if question.left_out:
            # An override that never counts: as if nobody asked for the project.
            lines = [f"{name} ; python_version < '0'" for name in sorted(question.left_out)]
            arguments += [f"--override={_write_lines(folder / 'overrides.txt', lines)}"]
        for project, version in question.stand_ins:
            _write_wheel(folder, project, version)
        arguments += [f"--find-links={folder}"] if question.stand_ins else []
        arguments += ["--offline"] if question.offline else []
        return self._ask(order, [*arguments, *mirror.arguments], folder, seconds)

    def tell_hashes(self, order: Order, pins: Sequence[Pin], folder: Path) -> list[Pin]:
        """Return pins with the hashes of the indexes that the inputs name; none without any.

        Nothing is built, nor read but the pages of the indexes: that nothing depends on anything
        is told beforehand. https://docs.astral.sh/uv/reference/settings/#dependency-metadata
        """
        options = order.planned.inputs.options
        if any(option.name == "--find-links" for option in options):
            return []
        lines = [*(f"{o.name} {o.value}" for o in options), *(pin.shown for pin in pins)]
        wanted = _write_lines(folder / "wanted.in", lines)
        known = [
            line for pin in pins for line in ("[[dependency-metadata]]", f'name = "{pin.name}"')
        ]
        config = _write_lines(folder / "uv.toml", known)
        arguments = [f"--config-file={config}", "--no-deps", str(wanted)]
        return self._ask(order, arguments, folder, _SECONDS).pins

    def _ask(self, order: Order, arguments: Sequence[str], folder: Path, seconds: float) -> Answer:
        allowed = self.resolver.indexes.allowed
        day = order.planned.settings.uploaded_prior_to or allowed.get("uploaded-prior-to")
        if day and _moment(day) is None:
            return Answer([], "it knows no span of time")
        # Its own cache would keep the whole address, and a query is where tokens stand.
        if any("?" in allowed.get(name, "") for name in _ADDRESSES):
            return Answer([], "it is not to know the address")
        until = [f"--exclude-newer={_moment(day)}"] if day else []
        output = folder / _FOUND
        command = [*_arguments(order), *until, f"--output-file={output}", *arguments]
        # pip-tools is to have its turn.
        seconds = min(seconds, order.seconds_left / 2)
        try:
            code, said = self._run(command, folder / "said.txt", seconds)
        except subprocess.TimeoutExpired:
            return Answer([], "it took too long", late=True)
        if code != 0:
            lines = [line for line in said.splitlines() if not line.startswith(_TOLD)]
            return Answer([], "\n".join(lines) or f"it ended with {code}")
        pins = _lockfile.parse(output.read_text(encoding="utf-8")).pins
        return Answer([pin for pin in pins if pin.version], releases=read_releases(said))

    def _run(self, arguments: Sequence[str], log: Path, seconds: float) -> tuple[int, str]:
        """Run uv; return how it ended, and what it says."""
        command, folder = [self.program, *arguments], self.resolver.root
        with log.open("wb") as sink:
            code = self.resolver.processes.run(
                command, self._environment(), sink, deadline=seconds, folder=folder
            )
        return code, log.read_text(encoding="utf-8", errors="replace")

    def _environment(self) -> dict[str, str]:
        indexes = self.resolver.indexes
        clean = {
            name: value
            for name, value in pip_environment(self.resolver.environ, indexes).items()
            if not name.startswith(("PIP_", "UV_")) or name in _KEPT
        }
        own = {
            "UV_PYTHON": self.resolver.toolchain.python,
            "UV_PYTHON_DOWNLOADS": "never",
            "RUST_LOG": "uv_resolver=debug",
        }
        return clean | uv_environment(indexes, clean) | own


def read_releases(told: str) -> frozenset[str]:
    """Return the projects that something asks for, and nothing for a pre-release of."""
    asked: set[str] = set()
    for_more: set[str] = set()
    for name, versions in _ASKED_FOR.findall(told):
        (for_more if _PRE_RELEASE.search(versions) else asked).add(canonicalize_name(name))
    return frozenset(asked - for_more)


def _arguments(order: Order) -> list[str]:
    inputs = order.planned.inputs
    arguments = [
        "pip",
        "compile",
        "--quiet",
        "--color=never",
        "--no-header",
        "--no-annotate",
        "--index-strategy=unsafe-best-match",  # as pip looks at all of them
    ]
    arguments += ["--generate-hashes"] if order.planned.settings.generate_hashes else []
    arguments += ["--prerelease=allow"] if any(o.name == "--pre" for o in inputs.options) else []
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


def _write_wheel(folder: Path, project: str, version: str) -> None:
    """Write a wheel with nothing in it.

    https://packaging.python.org/en/latest/specifications/binary-distribution-format/
    """
    stem = f"{project.replace('-', '_')}-{version}"
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as wheel:
        about = f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n"
        wheel.writestr(f"{stem}.dist-info/METADATA", about)
        tags = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        wheel.writestr(f"{stem}.dist-info/WHEEL", tags)
        wheel.writestr(f"{stem}.dist-info/RECORD", "")

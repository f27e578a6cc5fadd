"""One compile: pip-tools' command, its environment, its seed, its deadline."""

from __future__ import annotations

import math
import re
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote, unquote

from nox_lock import _lockfile
from nox_lock._diagnosis import diagnose
from nox_lock._entries import relative
from nox_lock._errors import CompileError
from nox_lock._index_log import Rejected, Yanked, index_failure, last_asked, mask, rejected, yanked
from nox_lock._indexes import module_command, pip_environment
from nox_lock._link_log import keep_apart, offers
from nox_lock._mirror import Mirror, lay_out
from nox_lock._progress import HASHING
from nox_lock._wording import without_folders

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nox_lock._entries import Entry
    from nox_lock._indexes import IndexSettings
    from nox_lock._link_log import Offer
    from nox_lock._pins import Pin
    from nox_lock._planned import Planned
    from nox_lock._processes import Processes
    from nox_lock._toolchain import Toolchain

_ROOM = 1 << 18
_HASHES = b"Generating hashes:"
_LOCAL = re.compile(r"(?P<before>^-e |^\S+ @ |^)file://(?P<path>/[^\s#;]*)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Order:
    """What one compile is to do.

    Attributes:
        planned: the lock file to make.
        seed: body of a lock whose pins are kept where they hold; empty for none.
        texts: lock files that are made but not written, by path, for inputs that name them.
        held: pins of the lock files below that may not move.
        refresh: ask the indexes anew, whatever they said may be kept.
        upgrade_packages: projects (or requirements) to take the newest of.
        offers: tell what the indexes offer, too.
        until: when it has to be done, by the monotonic clock.
    """

    planned: Planned
    seed: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)
    held: tuple[Entry, ...] = ()
    refresh: bool = False
    upgrade_packages: tuple[str, ...] = ()
    offers: bool = False
    until: float = math.inf

    @property
    def seconds_left(self) -> float:
        """How long it may still take."""
        return max(self.until - time.monotonic(), 0.0)


@dataclass(frozen=True, slots=True)
class Compiled:
    """What a compile made.

    Attributes:
        body: of the lock file.
        rejected: the versions it had to pass over.
        yanked: those it took though their makers had withdrawn them.
        offers: the files that the indexes have of what was looked at, if the order was to tell.
    """

    body: str
    rejected: tuple[Rejected, ...] = ()
    yanked: tuple[Yanked, ...] = ()
    offers: frozenset[Offer] = field(default=frozenset(), repr=False)

    @property
    def pins(self) -> tuple[Pin, ...]:
        """What the body pins."""
        return tuple(_lockfile.parse(self.body).pins)


class Resolver(Protocol):
    """Anything that turns an order into the body of a lock file."""

    def __call__(self, order: Order, workshop: Path) -> Compiled:
        """Return the body, with LF and no absolute path; `workshop` is a private folder."""


@dataclass(frozen=True, slots=True)
class PipTools:
    """The resolver: pip-tools, run as a command.

    Attributes:
        root: the project root, where the command runs.
        toolchain: the interpreter that has pip-tools.
        environ: the environment nox has; its pip settings are replaced by `indexes`.
        indexes: the pip settings that a compile may see.
        downloads: where pip-tools keeps what it downloads, or None to keep nothing.
        processes: what its processes are among.
        note: is told what it does now.
        detail: is told, in lines, all that pip-tools printed; None where nobody listens.
    """

    root: Path
    toolchain: Toolchain
    environ: Mapping[str, str]
    indexes: IndexSettings
    downloads: Path | None
    processes: Processes
    note: Callable[[str], None] = field(default=lambda _state: None, repr=False)
    detail: Callable[..., None] | None = field(default=None, repr=False)

    def __call__(self, order: Order, workshop: Path) -> Compiled:
        """Compile in `workshop`.

        Raises:
            CompileError: saying which kind of failure it was.
            OSError: when the disk of `workshop` is full.
        """
        output = workshop / "requirements.txt"
        if order.seed:
            output.write_text(f"{order.seed}\n", encoding="utf-8", newline="\n")
        held = workshop / "held.txt"
        held.write_text("".join(f"{each.text}\n" for each in order.held), encoding="utf-8")
        printed, log, files = (workshop / name for name in ("printed.txt", "pip.log", "files.log"))
        inputs = order.planned.inputs
        mirror = lay_out(inputs, order.texts, self.root, workshop)
        arguments = build_arguments(order, output, self.downloads or workshop / "downloads", mirror)
        arguments += [f"--constraint={held}"] if order.held else []
        apart = keep_apart(files)
        command = module_command(self.toolchain.python, "piptools", *arguments, setup=apart)
        said = ""
        try:
            code = self._run(command, self._environment(order, workshop, log), printed, order)
            said, logged = (self._read(path, mirror, workshop) for path in (printed, log))
            self._tell_all(order, code, said)
            if code != 0:
                # On a full disk it could not even print that.
                (workshop / "room").write_bytes(bytes(_ROOM))
                known = inputs._replace(entries=(*inputs.entries, *order.held))
                raise diagnose(said, logged + self._read(files, mirror, workshop), known)
            if failure := index_failure("", logged):
                raise failure
        except subprocess.TimeoutExpired as error:
            slow = _took_too_long(order, self._read(log, mirror, workshop))
            slow.said = self._read(printed, mirror, workshop)
            raise slow from error
        except CompileError as error:
            error.said = said
            raise
        body = mirror.show(output.read_text(encoding="utf-8"), self.root)
        body = relative_paths(body, self.root).rstrip("\n")
        found = offers(logged + self._read(files, mirror, workshop)) if order.offers else ()
        return Compiled(body, rejected(logged), yanked(logged), frozenset(found))

    def _environment(self, order: Order, workshop: Path, log: Path) -> dict[str, str]:
        extra = {"log": str(log)}
        if order.planned.settings.uploaded_prior_to:
            extra["uploaded_prior_to"] = order.planned.settings.uploaded_prior_to
        if order.refresh:
            # pip >= 26.2 trusts an index page for as long as it says, also on an upgrade.
            extra["refresh_package"] = ":all:"
        environment = pip_environment(self.environ, self.indexes, **extra)
        # pip-tools takes the pins it lets go of from a set: the same ones each time.
        environment["PYTHONHASHSEED"] = "0"
        temporary = workshop / "tmp"
        temporary.mkdir()
        return environment | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary))

    def _run(
        self, command: list[str], environment: dict[str, str], printed: Path, order: Order
    ) -> int:
        with printed.open("wb") as sink, printed.open("rb") as so_far:

            def look() -> None:
                if _HASHES in so_far.read():
                    self.note(HASHING)

            return self.processes.run(
                command, environment, sink, deadline=order.seconds_left, folder=self.root, beat=look
            )

    def _tell_all(self, order: Order, code: int, said: str) -> None:
        if self.detail:
            lines = mask(without_folders(said)).splitlines()
            self.detail(f"{order.planned.path}: pip-tools ended with {code}, and said:", *lines)

    def _read(self, path: Path, mirror: Mirror, workshop: Path) -> str:
        """Return what a run wrote, without the paths of this machine."""
        if not path.exists():
            return ""
        text = mirror.show(path.read_text(encoding="utf-8", errors="replace"), self.root)
        for folder in (workshop, self.root):
            text = (
                text.replace(f"{folder}/", "").replace(f"{folder}\\", "").replace(str(folder), ".")
            )
        return text


def _took_too_long(order: Order, log: str) -> CompileError:
    asked = last_asked(log)
    waited = f"; at last it waited for {asked}" if asked else ""
    return CompileError(
        f"the compile took longer than {order.planned.lock.compile_timeout:g} s and was ended"
        f"{waited}",
        kind="time-out",
        hint="Is an index slow or a requirement very loose? Tighten it, or give it "
        "more time: [tool.nox-lock] compile-timeout = SECONDS.",
    )


def build_arguments(order: Order, output: Path, downloads: Path, mirror: Mirror) -> list[str]:
    """Return pip-compile's arguments.

    Header and option lines are left to us, since pip-compile would write the user's own into
    them. `--no-config` works only as the first.
    """
    settings = order.planned.settings
    arguments = [
        "compile",
        "--no-config",
        "--no-header",
        "--no-emit-options",
        "--newline=LF",
        "--verbose",
        f"--output-file={output}",
        "--allow-unsafe" if settings.allow_unsafe else "--no-allow-unsafe",
        "--strip-extras" if settings.strip_extras else "--no-strip-extras",
    ]
    arguments += ["--generate-hashes"] if settings.generate_hashes else []
    arguments += [f"--unsafe-package={name}" for name in settings.unsafe_packages or ()]
    arguments += [f"--cache-dir={downloads}"]
    arguments += [f"--upgrade-package={name}" for name in order.upgrade_packages]
    arguments += [f"--extra={extra}" for extra in order.planned.inputs.native_extras]
    arguments += [f"--constraint={mirror.paths.get(c, c)}" for c in order.planned.constraints]
    return [*arguments, *mirror.arguments]


def relative_paths(body: str, root: Path) -> str:
    """Rewrite the absolute ``file://`` paths that pip-compile writes, relative to `root`.

    pip and uv read ``-e ./path`` and ``name @ file:./path`` from the folder they run in.
    """

    def rewrite(found: re.Match[str]) -> str:
        path = quote(relative(Path(unquote(found["path"])), root))
        path = path if path.startswith(".") else f"./{path}"
        if found["before"].startswith("-e"):
            return f"-e {path}"
        return f"{found['before']}file:{path}" if found["before"] else path

    return _LOCAL.sub(rewrite, body)

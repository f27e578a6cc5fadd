"""One compile: pip-tools' command, its environment, its seed, its deadline."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote, unquote

from nox_lock._diagnosis import diagnose
from nox_lock._entries import relative
from nox_lock._errors import CompileError
from nox_lock._index_log import index_failure
from nox_lock._indexes import module_command, pip_environment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nox_lock._indexes import IndexSettings
    from nox_lock._plan import Planned
    from nox_lock._toolchain import Toolchain

_LOCAL = re.compile(r"(?P<before>^-e |^\S+ @ |^)file://(?P<path>/[^\s#;]*)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Order:
    """What one compile is to do.

    Attributes:
        planned: the lock file to make.
        seed: body of a lock whose pins are kept where they hold; empty for none.
        upgrade: take the newest of everything.
        upgrade_packages: projects (or requirements) to take the newest of.
    """

    planned: Planned
    seed: str = ""
    upgrade: bool = False
    upgrade_packages: tuple[str, ...] = ()


class Resolver(Protocol):
    """Anything that turns an order into the body of a lock file."""

    def __call__(self, order: Order, workshop: Path) -> str:
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
        deadline: seconds a compile may take.
    """

    root: Path
    toolchain: Toolchain
    environ: Mapping[str, str]
    indexes: IndexSettings
    downloads: Path | None
    deadline: float

    def __call__(self, order: Order, workshop: Path) -> str:
        """Compile in `workshop` and return the body.

        Raises:
            CompileError: saying which kind of failure it was.
        """
        output = workshop / "requirements.txt"
        if order.seed:
            output.write_text(f"{order.seed}\n", encoding="utf-8", newline="\n")
        printed, log = workshop / "printed.txt", workshop / "pip.log"
        command = module_command(
            self.toolchain.python,
            "piptools",
            *build_arguments(order, output, self.downloads or workshop / "downloads"),
        )
        code = self._run(command, self._environment(order, workshop, log), printed)
        said, logged = (self._read(path, workshop) for path in (printed, log))
        if code != 0:
            raise diagnose(said, logged, order.planned.inputs)
        if failure := index_failure("", logged):
            raise failure
        return relative_paths(output.read_text(encoding="utf-8"), self.root).rstrip("\n")

    def _environment(self, order: Order, workshop: Path, log: Path) -> dict[str, str]:
        extra = {"log": str(log)}
        if order.planned.settings.uploaded_prior_to:
            extra["uploaded_prior_to"] = order.planned.settings.uploaded_prior_to
        if order.upgrade or order.upgrade_packages:
            # pip >= 26.2 trusts an index page for as long as it says, also on an upgrade.
            extra["refresh_package"] = ":all:"
        environment = pip_environment(self.environ, self.indexes, **extra)
        temporary = workshop / "tmp"
        temporary.mkdir()
        return environment | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary))

    def _run(self, command: list[str], environment: dict[str, str], printed: Path) -> int:
        with printed.open("wb") as sink:
            process = subprocess.Popen(
                command,
                cwd=self.root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
            )
            try:
                return process.wait(timeout=self.deadline)
            except subprocess.TimeoutExpired as error:
                raise CompileError(
                    f"the compile took longer than {self.deadline:g} s and was ended",
                    kind="time-out",
                    hint="Is an index slow or a requirement very loose? Tighten it, or try again.",
                ) from error
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()

    def _read(self, path: Path, workshop: Path) -> str:
        """Return what a run wrote, without the paths of this machine."""
        if not path.exists():
            return ""
        text = path.read_text(encoding="utf-8", errors="replace")
        for folder in (workshop, self.root):
            text = (
                text.replace(f"{folder}/", "").replace(f"{folder}\\", "").replace(str(folder), ".")
            )
        return text


def build_arguments(order: Order, output: Path, downloads: Path) -> list[str]:
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
    arguments += ["--upgrade"] if order.upgrade else []
    arguments += [f"--upgrade-package={name}" for name in order.upgrade_packages]
    return [*arguments, *order.planned.inputs.sources]


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

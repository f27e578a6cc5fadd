"""Record what pip-tools prints and logs when a compile fails: `python -m support.record` in tests/.

Real runs against indexes of our own; paths, ports and the frames of tracebacks are taken out.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from support.index import LOOPBACK, LocalIndex
from support.project import clean_environment
from support.scripted import (
    BROKEN,
    FORBIDDEN,
    GARBAGE,
    NOT_FOUND,
    SILENT,
    TRUNCATED,
    UNAUTHORIZED,
    Answer,
    RefusingIndex,
    ScriptedIndex,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA = Path(__file__).parents[1] / "data" / "diagnosis"
TITLE = re.compile(r"^=== (.+) ===\n", re.MULTILINE)
# Lines of pip's log that tell nothing of a failure.
NOISE = ("temporary directory", "build track", "Given no hashes", "to search for", r"  \* http")
DIRECT = "app\ndep @ BAD/dep-1.0-py3-none-any.whl\n"
SEED = "app==1.1\ndep==2.0\n"
FUTURE = (
    b"<!DOCTYPE html><html><body><a href='/future-1.0-py3-none-any.whl' "
    b"data-requires-python='&gt;=3.99'>future-1.0-py3-none-any.whl</a></body></html>"
)


@dataclass(frozen=True)
class Scene:
    """A compile: its files, the old lock, and the indexes it has.

    The index that answers `bad`, or stands at `url`, is one more, the `only` one, or none: then
    it is what `BAD` in the files means.
    """

    files: dict[str, str]
    seed: str = ""
    bad: Answer | None = None
    only: bool = False
    url: str = ""
    env: dict[str, str] = field(default_factory=dict)


def one(text: str, **more: str) -> dict[str, str]:
    return {
        "requirements.in": text,
        **{key.replace("__", "."): value for key, value in more.items()},
    }


SCENES = {
    "unknown": Scene(one("app\nNo.Such_project>=1\n")),
    "unknown-seeded": Scene(one("app\nNo.Such_project>=1\n"), SEED),
    "unknown-deep": Scene(one("app\ndeep\n")),
    "unknown-gone": Scene(one("app\n"), SEED, NOT_FOUND, only=True),
    "version": Scene(one("app\ndep==99\n")),
    "version-seeded": Scene(one("app\ndep==99\n"), SEED),
    "python": Scene(one("app\nfuture\n")),
    "python-page": Scene(one("future\n"), "", Answer(body=FUTURE), only=True),
    "conflict-two": Scene(one("app\nold\nnew\n")),
    "conflict-seeded": Scene(one("app\nold\nnew\n"), SEED),
    "conflict-same": Scene(one("app\ndep<2\ndep>=2\n")),
    "conflict-constraint": Scene(one("app\nold\n-c limits.txt\n", limits__txt="#\ndep>=2\n")),
    "conflict-mixed": Scene(one("app\nold\ndep>=2\n")),
    "build": Scene(one("app\nbroken\n")),
    "syntax": Scene(one("app\ndep ==\n")),
    "option": Scene(one("app\n--bogus x\n")),
    "tool": Scene(one("app\n"), env={"PYTHONPATH": "shadow"}),
    "url-refused": Scene(one(DIRECT), url="refused"),
    "url-404": Scene(one(DIRECT), bad=NOT_FOUND),
    "index-refused": Scene(one("app\nnew\n"), url="refused"),
    "index-refused-only": Scene(one("app\n"), url="refused", only=True),
    "index-refused-seeded": Scene(one("app\nnew\n"), SEED, url="refused", only=True),
    "index-401": Scene(one("app\nnew\n"), bad=UNAUTHORIZED),
    "index-403": Scene(one("app\nnew\n"), bad=FORBIDDEN),
    "index-404": Scene(one("app\nnew\n"), bad=NOT_FOUND),
    "index-500": Scene(one("app\nnew\n"), bad=BROKEN),
    "index-garbage": Scene(one("app\nnew\n"), bad=GARBAGE),
    "index-truncated": Scene(one("app\nnew\n"), bad=TRUNCATED),
    "index-silent": Scene(one("app\nnew\n"), bad=SILENT),
    "index-tls": Scene(one("app\nnew\n"), bad=NOT_FOUND, url="tls"),
    "index-name": Scene(one("app\nnew\n"), url="https://nowhere.invalid/simple/"),
    "index-plain-http": Scene(one("app\nnew\n"), url="http://nowhere.invalid/simple/"),
}


def fill(index: LocalIndex) -> None:
    """Publish what the scenes ask for."""
    index.publish("app", "1.0", requires=["dep>=1"])
    index.publish("app", "1.1", requires=["dep>=1"])
    index.publish("dep", "1.0")
    index.publish("dep", "2.0")
    index.publish("old", "1.0", requires=["dep<2"])
    index.publish("new", "1.0", requires=["dep>=2"])
    index.publish("deep", "1.0", requires=["nowhere-to-be-found"])
    index.publish("future", "1.0", requires_python=">=3.99")
    index.publish_sdist("broken", "1.0", requires=["no requirement!"])


@contextlib.contextmanager
def indexes(scene: Scene, index: LocalIndex) -> Iterator[tuple[dict[str, str], dict[str, str]]]:
    """Give the variables that name the indexes, and the names to write for their hosts."""
    with contextlib.ExitStack() as stack:
        url = scene.url
        if url == "refused":
            url = stack.enter_context(RefusingIndex()).url
        elif scene.bad is not None:
            url = stack.enter_context(ScriptedIndex(scene.bad)).url
            url = url.replace("http:", "https:") if scene.url == "tls" else url
        names = {host(index.url): "main.example", host(url): "other.example"}
        names.pop("nowhere.invalid", None)
        names.pop("", None)
        if scene.only:
            yield {"PIP_INDEX_URL": url}, names
        elif scene.files["requirements.in"] == DIRECT:
            yield {"PIP_INDEX_URL": index.url, "BAD": url.rstrip("/")}, names
        else:
            more = {"PIP_EXTRA_INDEX_URL": url} if url else {}
            yield {"PIP_INDEX_URL": index.url, **more}, names


def host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0]


def compile_in(folder: Path, env: dict[str, str]) -> tuple[int, str, str]:
    """Run pip-compile as nox-lock does; return its status, what it printed and pip's log."""
    log = folder / "pip.log"
    command = ["compile", "--no-config", "--no-header", "--no-emit-options", "--newline=LF"]
    command += ["--verbose", "--output-file=locked.txt", "--allow-unsafe", "--strip-extras"]
    command += ["--generate-hashes", f"--cache-dir={folder / 'cache'}", "requirements.in"]
    done = subprocess.run(
        [sys.executable, "-m", "piptools", *command],
        cwd=folder,
        env=env | {"PIP_LOG": str(log), "TMPDIR": str(folder / "tmp")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    logged = log.read_text(encoding="utf-8") if log.exists() else ""
    return done.returncode, done.stdout, logged


def without_frames(text: str) -> str:
    """Return text without the frames of tracebacks."""
    kept, inside = [], False
    for line in text.splitlines():
        if re.match(r"\s*File \".*\", line \d+", line):
            inside = True
        elif inside and line.startswith("    "):
            continue
        else:
            inside = False
            kept.append(line)
    return "\n".join(kept) + "\n"


def record(name: str, scene: Scene, index: LocalIndex, folder: Path) -> str:
    """Return the recording of one scene."""
    for part in ("tmp", "cache", "shadow"):
        (folder / part).mkdir(parents=True)
    (folder / "shadow" / "click.py").write_text("", encoding="utf-8")
    if scene.seed:
        (folder / "locked.txt").write_text(scene.seed, encoding="utf-8")
    with indexes(scene, index) as (variables, names):
        bad = variables.pop("BAD", "")
        files = {file: text.replace("BAD", bad) for file, text in scene.files.items()}
        for file, text in files.items():
            (folder / file).write_text(text, encoding="utf-8")
        env = clean_environment(folder, PIP_NO_INPUT="1", PIP_RETRIES="0", **variables)
        env |= {"PIP_DEFAULT_TIMEOUT": "1", **scene.env}
        for key in [key for key in env if key.upper().endswith("_PROXY")]:
            del env[key]
        status, printed, logged = compile_in(folder, env)
    parts = {**files, "status": f"{status}\n", "output": printed, "pip.log": logged}
    text = "".join(f"=== {title} ===\n{part}" for title, part in parts.items())
    for shown, word in names.items():
        text = text.replace(shown, word)
    text = text.replace(LOOPBACK, "other.example")
    text = text.replace(f"{folder}/", "").replace(str(folder), ".")
    text = text.replace(str(Path(sys.prefix)), "PREFIX").replace(sys.base_prefix, "BASE")
    text = re.sub(r"sha256=[0-9a-f]{64}", "sha256=ab", re.sub(r"0x[0-9a-f]{8,}", "0x0", text))
    text = re.sub(r"(?m)^\d{4}-\d\d-\d\dT[\d:,]+ ", "2026-01-01T00:00:00,000 ", text)
    text = re.sub(rf"(?m)^2026.*({'|'.join(NOISE)}).*\n", "", text)
    print(f"{name}: {status}")  # noqa: T201
    return without_frames(text)


def read(name: str) -> dict[str, str]:
    """Return the parts of a recording by their titles."""
    _, *parts = TITLE.split((DATA / f"{name}.txt").read_text(encoding="utf-8"))
    return dict(zip(parts[::2], parts[1::2], strict=True))


def main() -> None:
    """Record every scene anew."""
    DATA.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, LocalIndex(Path(folder) / "index") as index:
        fill(index)
        for name, scene in SCENES.items():
            text = record(name, scene, index, Path(folder).resolve() / name)
            (DATA / f"{name}.txt").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

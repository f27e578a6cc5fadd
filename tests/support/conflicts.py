"""Record real conflicts of real projects: `python -m support.conflicts [NAME ...]` in tests/.

Real runs against the real package index, as nox-lock makes them; addresses and paths are taken out,
and of pip's log only those lines are kept that are read. With `--told` nothing is run: only the
texts expected are written anew, to be read before they are kept.
"""

from __future__ import annotations

import re
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from nox_lock._diagnosis import diagnose
from nox_lock._requirements import read_inputs
from support.project import clean_environment
from support.record import compile_in, without_frames

if TYPE_CHECKING:
    from nox_lock._errors import CompileError

DATA = Path(__file__).parents[1] / "data" / "conflicts"
OUTPUT, LOG, EXPECTED = "output.txt", "log.txt", "expected.txt"
RECORDED_WITH = "3.11"
_ADDRESS = re.compile(r"https?://(?!pip\.pypa\.io/|main\.example/)[^\s'\"()]+")
_LINK = re.compile(
    r"(?:Found link|Link requires a|Skipping link: (?:Upload|none of)).*?"
    r"/(?P<project>[^/\s]+?)-(?P<version>\d[^-\s]*?)(?:-[^/\s]*|\.tar\.\w+|\.zip) \(from "
)
_DETAILS = re.compile(r"^\S+ +| \(requires-python:[^)]*\)| \(run pip [^)]*\)")
_COLORS = re.compile(r"\x1b\[[0-9;]*m")
# Of the versions of a project: most have fewer.
_VERSIONS = 250


@dataclass(frozen=True)
class Scene:
    """Files that ask for what cannot be had, and the pip settings they are compiled with."""

    files: dict[str, str]
    env: dict[str, str] = field(default_factory=dict)


def one(text: str, **more: str) -> Scene:
    """Return the scene of a `requirements.in`, and more files with __ for a dot."""
    files = {name.replace("__", "."): content for name, content in more.items()}
    return Scene({"requirements.in": text, **files})


SCENES = {
    "attrs-constraint": one(
        "cattrs==23.2.3\n-c limits.txt\n", limits__txt="# held back\nattrs<22\n"
    ),
    "boto-pair": one("aiobotocore==2.13.0\nboto3==1.35.0\n"),
    "celery-extra": one("celery[redis]==5.3.0\nredis==4.0.0\n"),
    "click-pair": one("black==24.1.0\ntyper==0.3.2\n"),
    "dbt-deep": one("# warehouse\ndbt-postgres==1.5.0\nJinja2>=3.1.3\n"),
    "docutils": one("Sphinx==7.2.6\ndocutils==0.21.2\n"),
    "extras-pair": one("kombu[redis]==5.5.4\nredis[hiredis]==6.4.0\n"),
    "fastapi-pydantic": one("fastapi==0.95.0\npydantic-settings==2.3.0\n"),
    "flask-werkzeug": one("Flask==3.0.0\nWerkzeug<3\n"),
    "importlib-metadata": one("opentelemetry-api==1.20.0\nimportlib-metadata>=8\n"),
    "jsonschema-three": one("jsonschema==4.23.0\njsonschema-spec==0.2.4\nreferencing==0.35.1\n"),
    "kombu-layer": one("-r base.in\ncelery==5.2.7\n", base__in="# the worker's\nkombu==4.6.11\n"),
    "lock-below": one(
        "# dev\n-c base.txt\nelasticsearch==7.17.12\n",
        base__txt="requests==2.32.3\nurllib3==2.2.1\n",
    ),
    "pandas-numpy": one("pandas==2.1.4\nnumpy==2.0.1\n"),
    "protobuf-pair": one("opentelemetry-proto==1.20.0\ngrpcio-tools==1.71.0\n"),
    "same-project": one("idna<3\n-r more.in\n", more__in="\nidna>=3.4\n"),
    "typing-extensions": one("pydantic==2.7.0\ntyping-extensions==4.5.0\n"),
    "urllib3-open": one("requests<2.26,>=2.24\nurllib3>=2\n"),
    "version-none": one("Flask==99\n"),
    "version-python": one("Django>=6.0\n"),
    "version-cooldown": Scene(
        {"requirements.in": "Flask>=3\n"}, {"PIP_UPLOADED_PRIOR_TO": "2021-01-01"}
    ),
    "version-yanked": one("attrs==21.1.0\nrequests>=2.32.0,<2.32.2\n"),
}


def clean(text: str, folder: Path) -> str:
    """Return text without what is this machine's or this index's."""
    text = _ADDRESS.sub(lambda found: f"https://main.example/{_file(found[0])}", text)
    text = text.replace(f"{folder}/", "").replace(str(folder), ".")
    text = text.replace(sys.prefix, "PREFIX").replace(sys.base_prefix, "BASE")
    text = re.sub(r"(?m)^\d{4}-\d\d-\d\dT[\d:,]+ ", "2026-01-01T00:00:00,000 ", text)
    text = re.sub(r"(?m)^(?=.*https?:.{300}).*\n", lambda found: found[0][:300] + "\n", text)
    return without_frames(_COLORS.sub("", text))


def _file(url: str) -> str:
    return url.partition("#")[0].rstrip("/").rpartition("/")[2]


def trim(log: str, spoken_of: str) -> str:
    """Return what is read of pip's log: a link for each version, thinned out, of few projects."""
    links: dict[str, dict[str, str]] = {}
    names = {canonicalize_name(each) for each in re.findall(r"[A-Za-z][\w.-]*", spoken_of)}
    for line in log.splitlines():
        found = _LINK.search(line)
        if found and (name := canonicalize_name(found["project"])) in names:
            # A wheel for this Python tells more than one for another.
            ours = links.setdefault(name, {})
            if "Found link" in line or found["version"] not in ours:
                ours[found["version"]] = _DETAILS.sub("", line)
    kept = []
    for ours in links.values():
        lines = list(ours.values())
        step = -(-len(lines) // _VERSIONS)
        kept += lines[::-step][::-1]
    return "\n".join([*kept, ""])


def spoken_of(printed: str, files: dict[str, str]) -> str:
    """Return the text whose words are the projects in question."""
    causes = re.findall(r"The conflict is caused by:\n(.*?)\n\s*\n", printed, re.DOTALL)
    return "\n".join([*causes, *files.values()])


def run(scene: Scene, folder: Path) -> tuple[int, str, str]:
    """Compile a scene; return its status, what was printed, and pip's log."""
    for part in ("tmp", "cache"):
        (folder / part).mkdir(parents=True)
    for name, text in scene.files.items():
        (folder / name).write_text(text, encoding="utf-8")
    env = clean_environment(folder, PIP_NO_INPUT="1", **scene.env)
    status, printed, logged = compile_in(folder, env)
    return status, clean(printed, folder), clean(logged, folder)


def told_of(name: str) -> CompileError:
    """Return what is said of a recording."""
    folder = DATA / name
    output, log = ((folder / file).read_text(encoding="utf-8") for file in (OUTPUT, LOG))
    return diagnose(output, log, read_inputs(["requirements.in"], folder, {}))


def record(name: str) -> None:
    """Record a scene anew."""
    with tempfile.TemporaryDirectory() as temporary:
        status, printed, logged = run(SCENES[name], Path(temporary).resolve() / name)
    print(f"{name}: {status}")  # noqa: T201
    place, about = DATA / name, spoken_of(printed, SCENES[name].files)
    place.mkdir(parents=True, exist_ok=True)
    for file, text in {**SCENES[name].files, OUTPUT: printed, LOG: trim(logged, about)}.items():
        (place / file).write_text(text, encoding="utf-8")


def main(*arguments: str) -> None:
    """Record scenes anew, or those named."""
    for name in [each for each in arguments if each != "--told"] or SCENES:
        if "--told" not in arguments:
            record(name)
        (DATA / name / EXPECTED).write_text(f"{told_of(name)}\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])

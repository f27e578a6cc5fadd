"""Record real conflicts of real projects: `python -m support.conflicts [NAME ...]` in tests/.

Real runs of the driver against the real package index, as nox-lock makes them. Of each report the
failure is kept, of many versions a part. With `--said` nothing is run: only the texts expected are
written again, to be read before they are kept.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from nox_lock.compiling.failures import describe_failure, read_report
from nox_lock.errors import CompileError
from nox_lock.inputs.requirements import Files, read_inputs
from nox_lock.project import Project
from support.compiles import CompileFolder

if TYPE_CHECKING:
    from collections.abc import Collection

DATA = Path(__file__).parents[1] / "data" / "conflicts"
REPORT, EXPECTED = "report.json", "expected.txt"
RECORDED_WITH = "3.11"
# Of the versions of a project that something is asked of, and of another: most have fewer.
_VERSIONS, _OTHERS = 250, 10
_FLAT = re.compile(r"([\[{])\s+([^\[\]{}]*?)\s+([\]}])")


@dataclass(frozen=True)
class Scene:
    """Files that ask for what cannot be, and the pip settings they are compiled with."""

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


def run(scene: Scene, place: Path) -> tuple[CompileError, dict[str, Any]]:
    """Compile a scene; return the error, and the failure that was reported."""
    patient = {"PIP_RETRIES": "5", "PIP_DEFAULT_TIMEOUT": "30"}
    folder = CompileFolder(place, **patient, **scene.env)
    for name, text in scene.files.items():
        (folder.root / name).write_text(text, encoding="utf-8")
    with pytest.raises(CompileError) as raised:
        folder.run()
    return raised.value, json.loads((folder.workshop / REPORT).read_bytes())["failure"]


def thin_out(failure: dict[str, Any]) -> None:
    """Keep a part of the versions of projects that have many."""
    asked = {each["project"] for each in failure["demands"]}
    for project, kinds in failure["versions"].items():
        for kind, versions in kinds.items():
            kept = _some_of(list(versions), _VERSIONS if project in asked else _OTHERS)
            if isinstance(versions, dict):
                kinds[kind] = {each: versions[each] for each in kept}
            else:
                kinds[kind] = kept


def _some_of(versions: list[str], number: int) -> list[str]:
    """Return the last, and of the others one in so many."""
    return versions[:: -(-(-len(versions) // number) or 1)][::-1]


def error_of(name: str) -> CompileError:
    """Return the error that a recording is described by."""
    inputs = read_inputs(["requirements.in"], Files(Project(DATA / name, {})))
    report = read_report(DATA / name / REPORT, inputs)
    assert report is not None
    error = describe_failure(report, inputs)
    assert error is not None
    return error


def record(name: str) -> None:
    """Record a scene."""
    with tempfile.TemporaryDirectory() as temporary:
        error, failure = run(SCENES[name], Path(temporary).resolve())
    print(f"{name}: {error.kind}")  # noqa: T201
    thin_out(failure)
    text = json.dumps({"failure": failure}, indent=1)
    while (flat := _FLAT.sub(_in_one_line, text)) != text:
        text = flat
    place = DATA / name
    place.mkdir(parents=True, exist_ok=True)
    for file, content in {**SCENES[name].files, REPORT: f"{text}\n"}.items():
        (place / file).write_text(content, encoding="utf-8")


def _in_one_line(found: re.Match[str]) -> str:
    return found[1] + re.sub(r"\s*\n\s*", " ", found[2]) + found[3]


def main(arguments: Collection[str]) -> None:
    """Record all scenes, or those named."""
    for name in [each for each in arguments if each != "--said"] or SCENES:
        if "--said" not in arguments:
            record(name)
        (DATA / name / EXPECTED).write_text(f"{error_of(name)}\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])

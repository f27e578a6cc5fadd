"""README says what is so."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from nox_lock.compiling import cache
from nox_lock.inputs.toml_tables import parse_toml
from nox_lock.planning.config import parse_config
from nox_lock.planning.keys import LOCK_KEYS, ONE_LOCK_KEYS, PROJECT_KEYS, VARIABLES

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.index import LocalIndex
    from support.project import Project

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TOP = ("README.md", "CONTRIBUTING.md", "SECURITY.md")
PAGES = [*(ROOT / name for name in TOP), *sorted((ROOT / "docs").rglob("*.md"))]
PAGES.append(ROOT / "example_project" / "README.md")


def test_the_noxfile_of_the_readme_works(project: Project, index: LocalIndex) -> None:
    """The ten lines lock, install and run pytest from the lock."""
    noxfile = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert noxfile
    index.publish("pytest", "1.0", modules={"pytest.py": "def main():\n    print('ran it')\n"})
    project.write("noxfile.py", noxfile[1].replace('"pytest", *', '"python", "-c", RUN, *'))
    project.write(
        "noxfile.py",
        'RUN = "import pytest; pytest.main()"\n' + project.read("noxfile.py"),
    )
    project.write("requirements.in", "pytest\n")
    assert "compiled" in project.nox("-s", "lock").ok().output
    assert "ran it" in project.nox("-s", "tests").ok().output


@pytest.fixture(scope="module")
def generate() -> dict[str, Callable[[], str]]:
    """Return what makes the pages of the reference, by their names."""
    return runpy.run_path(str(ROOT / "docs" / "generate.py"))["PAGES"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", ["configuration.md", "options.md"])
def test_the_reference_is_what_the_code_says(
    name: str, generate: dict[str, Callable[[], str]]
) -> None:
    page = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")
    assert page == generate[name](), "Run: python docs/generate.py"


def test_every_key_is_read() -> None:
    """What the reference says of a key is a configuration that is taken."""
    tables = {"": (*LOCK_KEYS, *PROJECT_KEYS), ".locks.app": (*LOCK_KEYS, *ONE_LOCK_KEYS)}
    for table, keys in tables.items():
        for name, example, _, _ in keys:
            if name == "locks":
                continue
            text = f"[tool.nox-lock{table}]\n{example}\n"
            more = "\n[tool.nox-lock.locks.prod]\ninputs = ['prod.in']\n" * (name == "constraints")
            also = "inputs = ['pyproject.toml']\n" * (table != "" and name != "inputs")
            files = ["requirements.in", "pyproject.toml"]
            parse_config(parse_toml(f"{text}{also}{more}".encode()).table("tool"), files)


def test_the_variables_are_listed() -> None:
    """Every variable nox-lock reads is in the reference."""
    told = {name for name, *_ in VARIABLES}
    code = "".join(path.read_text("utf-8") for path in (ROOT / "nox_lock").rglob("*.py"))
    assert told == set(re.findall(r"NOX_LOCK_[A-Z_]+", code))
    assert cache.VARIABLE in told


def test_ci_runs_the_command_of_the_readme() -> None:
    """`.ci/run` runs README's test command, and nothing more clever."""
    commands = re.findall(r"^python3 -m venv .*$", README, re.MULTILINE)
    assert len(commands) == 2
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert commands[1] in script.splitlines()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_page_links_to_what_there_is(page: Path) -> None:
    """Every relative link leads to a file or a folder of this repository."""
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / link).exists(), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_page_shows_configurations_that_are_taken(page: Path) -> None:
    """Every TOML block of a page is a configuration without an error."""
    found = ["requirements.in", "requirements/app.in"]
    for block in re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        parse_config(parse_toml(block.encode()).table("tool"), found)


def test_the_map_is_whole_and_in_order() -> None:
    """CONTRIBUTING lists every module, each after all that it imports."""
    listed = re.findall(r"^\| `([\w/]+)` \|", PAGES[1].read_text(encoding="utf-8"), re.MULTILINE)
    package = ROOT / "nox_lock"
    files = {path.relative_to(package).with_suffix("").as_posix() for path in package.rglob("*.py")}
    assert sorted(listed) == sorted(name for name in files if not name.endswith("__init__"))
    for number, name in enumerate(listed):
        imported = _imports((package / f"{name}.py").read_text(encoding="utf-8"), name) & {*listed}
        assert imported <= {*listed[:number]}, name


def _imports(code: str, name: str) -> set[str]:
    """Return the modules of ours that a module imports, as the map names them."""
    found = set(re.findall(r"from nox_lock\.([\w.]+) import", code))
    for module, named in re.findall(r"from nox_lock(\.\w+)? import ([\w, ]+)", code):
        found.update(f"{module}.{each}".lstrip(".") for each in re.findall(r"\w+", named))
    folder = f"{name.rpartition('/')[0]}."
    found.update(folder + each for each in re.findall(r"from \.(\w+) import", code))
    for named in re.findall(r"from \. import ([\w, ]+)", code):
        found.update(folder + each for each in re.findall(r"\w+", named))
    return {each.replace(".", "/") for each in found}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_page_shows_workflows_and_objects_that_can_be_read(page: Path) -> None:
    """Every YAML block of a page is a mapping, every JSON block an object."""
    text = page.read_text(encoding="utf-8")
    for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL):
        assert isinstance(yaml.safe_load(block), dict)
    for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL):
        assert isinstance(json.loads(block), dict)


def test_the_json_that_is_shown_is_the_json_that_is_printed(
    project: Project, index: LocalIndex
) -> None:
    """The object of the page on verdicts is what a check prints for such a project."""
    page = (ROOT / "docs" / "verdicts.md").read_text(encoding="utf-8")
    shown = re.search(r"```json\n(.*?)```", page, re.DOTALL)
    assert shown
    index.publish("app", "1.0")
    project.write("noxfile.py", "import nox_lock\n\nnox_lock.add_sessions()\n")
    project.write("requirements-dev.in", "# dev\napp\n")
    project.nox("-s", "lock").ok()
    project.write("requirements-dev.in", "# dev\napp>=2\n")
    given = json.loads(project.nox("-s", "lock-check", "--", "--format=json").failed().stdout)
    given["locks"][0]["python"] = "3.11"
    assert given == json.loads(shown[1])


def test_the_hooks_that_are_shown_exist() -> None:
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert set(re.findall(r"- id: ([\w-]+)", page)) == {hook["id"] for hook in hooks}


def test_the_tests_that_are_named_exist() -> None:
    """Each row of a table on reliability names a file of tests that exists."""
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    rows = [row for row in page.splitlines() if row.startswith("| ") and "---" not in row]
    for row in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)`", row)
        assert named or row == "| promise | how it is tested | CI | long |"
        assert all((ROOT / name).is_file() for name in named), row

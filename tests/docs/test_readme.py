"""README and the pages of docs say what is so."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from nox_lock.compiling import cache
from nox_lock.planning.config import LOCK_KEYS, ONE_LOCK_KEYS, PROJECT_KEYS, load_config
from support.locks import hashed_pin, stamp_all
from support.plans import open_folder

if TYPE_CHECKING:
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


def test_the_page_on_options_is_what_the_code_says() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "generate.py"))["options"]()
    page = (ROOT / "docs" / "reference" / "options.md").read_text(encoding="utf-8")
    assert page == made, "Run: python docs/generate.py"


def examples(section: str) -> list[str]:
    """Return the examples in the table of a section of the reference of the configuration."""
    page = (ROOT / "docs" / "reference" / "configuration.md").read_text(encoding="utf-8")
    text = page.partition(f"## {section}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)


def load(root: Path, text: str) -> None:
    """Read a configuration in a folder with inputs."""
    for name in ("requirements.in", "requirements/app.in", "tests/a.in", "dependencies/b.in"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).touch()
    (root / "pyproject.toml").write_text(text, encoding="utf-8")
    load_config(open_folder(root))


def test_the_reference_lists_every_key(tmp_path: Path) -> None:
    """Each example of it is a configuration that is taken."""
    common, project = examples("For all locks, or one"), examples("For the project")
    one = examples("For one lock")
    for listed, keys in ((common, LOCK_KEYS), (project[:-1], PROJECT_KEYS), (one, ONE_LOCK_KEYS)):
        assert [each.partition(" = ")[0] for each in listed] == list(keys)
    assert project[-1] == "[tool.nox-lock.locks.NAME]"
    for table, listed in {"": [*common, *project[:-1]], ".locks.web": [*common, *one]}.items():
        for example in listed:
            name = example.partition(" = ")[0]
            text = f"[tool.nox-lock{table}]\n{example}\n"
            more = "\n[tool.nox-lock.locks.prod]\ninputs = ['prod.in']\n"
            more *= name in {"constraints", "builds-on"}
            also = "inputs = ['pyproject.toml']\n" * (table != "" and name != "inputs")
            load(tmp_path, f"{text}{also}{more}")


def test_the_variables_are_listed() -> None:
    """Every variable nox-lock reads is in the reference."""
    listed = {example.partition("=")[0] for example in examples("Environment variables")}
    code = "".join(path.read_text("utf-8") for path in (ROOT / "nox_lock").rglob("*.py"))
    assert listed == set(re.findall(r"NOX_LOCK_[A-Z_]+", code))
    assert cache.VARIABLE in listed


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
def test_a_page_shows_configurations_that_are_taken(page: Path, tmp_path: Path) -> None:
    """Every TOML block of a page is a configuration without an error."""
    for block in re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        load(tmp_path, block)


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
    project.write("noxfile.py", "import nox_lock\n\nnox_lock.add_sessions()\n")
    project.write("requirements-dev.in", "# dev\napp\n")
    pin = hashed_pin(index.publish("app", "1.0"), "-r requirements-dev.in")
    stamp_all(project.root, {"dev": pin})
    project.write("requirements-dev.in", "# dev\napp>=2\n")
    given = json.loads(project.nox("-s", "lock-check", "--", "--format=json").failed().stdout)
    given["locks"][0]["python"] = "3.11"
    assert given == json.loads(shown[1])


def test_the_hooks_that_are_shown_exist() -> None:
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert set(re.findall(r"- id: ([\w-]+)", page)) == {hook["id"] for hook in hooks}


NAMING = ("CONTRIBUTING.md", "SECURITY.md", "docs/reliability.md")
# What these pages name in backticks: `folder/file.py`, `folder/` or `tests/file.py::test`.
NAMED = re.compile(r"`((?:benchmarks|docs|example_project|nox_lock|tests)/[^`\s]*)`")


@pytest.mark.parametrize("name", NAMING)
def test_the_paths_that_are_named_exist(name: str) -> None:
    named = sorted(set(NAMED.findall((ROOT / name).read_text(encoding="utf-8"))))
    assert named
    assert [each for each in named if not _exists(each)] == []


def _exists(named: str) -> bool:
    file, _, function = named.partition("::")
    if not function:
        return (ROOT / file).exists()
    return f"\ndef {function}(" in (ROOT / file).read_text(encoding="utf-8")


def test_each_promise_names_its_tests() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    rows = [row for row in page.splitlines() if row.startswith("| ") and "---" not in row]
    rows = [row for row in rows if row != "| promise | tests | CI | long |"]
    assert rows
    assert [row for row in rows if not NAMED.search(row)] == []


def test_the_ten_lines_are_the_same_on_each_page() -> None:
    pages = ("README.md", "docs/index.md", "docs/start.md")
    texts = [(ROOT / page).read_text(encoding="utf-8") for page in pages]
    shown = [re.findall(r"```python\n(.*?)```", text, re.DOTALL)[0] for text in texts]
    assert len(set(shown)) == 1

"""What `pyproject.toml` and the files found make of a configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nox_lock.errors import ConfigError
from nox_lock.lockfile import lock_file
from nox_lock.planning.config import Config, load_config, resolve_settings
from nox_lock.planning.lock_plan import UNSAFE_PACKAGES, Settings
from nox_lock.planning.paths import name_of_input
from nox_lock.project import Project
from nox_lock.target import Target

if TYPE_CHECKING:
    from pathlib import Path


def load(root: Path, text: str = "", *found: str) -> Config:
    """Return the configuration of a project with these inputs."""
    for name in found or ("requirements.in",):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("", encoding="utf-8")
    if text:
        (root / "pyproject.toml").write_text(text, encoding="utf-8")
    return load_config(Project(root, {}))


# Names and discovery


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("requirements.in", "requirements"),
        ("requirements-dev.in", "dev"),
        ("requirements_dev.in", "dev"),
        ("requirements.dev.in", "dev"),
        ("dev-requirements.in", "dev"),
        ("dev_requirements.in", "dev"),
        ("requirements-dev-more.in", "dev-more"),
        ("requirements/dev.in", "dev"),
        ("requirements/requirements.in", "requirements"),
        ("requirements/requirements-dev.in", "dev"),
        ("requirements/dev-requirements.in", "dev"),
        ("MANIFEST.in", None),
        ("setup.in", None),
        ("myrequirements.in", None),
        ("requirementsx.in", None),
        ("config.h.in", None),
    ],
)
def test_names_of_inputs(file: str, name: str | None) -> None:
    assert name_of_input(file) == name


@given(st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True))
@settings(database=None, derandomize=True)
def test_every_form_gives_one_name(name: str) -> None:
    if "requirements" not in name:
        forms = [f"requirements-{name}.in", f"{name}-requirements.in", f"requirements/{name}.in"]
        assert {name_of_input(form) for form in forms} == {name}


@pytest.mark.parametrize(
    ("found", "names"),
    [
        (["requirements.in"], {"requirements": "requirements.in"}),
        (
            ["requirements-dev.in", "docs-requirements.in", "requirements.in", "MANIFEST.in"],
            {
                "requirements": "requirements.in",
                "dev": "requirements-dev.in",
                "docs": "docs-requirements.in",
            },
        ),
        (
            ["requirements/base.in", "requirements/dev.in"],
            {"base": "requirements/base.in", "dev": "requirements/dev.in"},
        ),
        (["requirements/dev.in", "requirements/deep/more.in"], {"dev": "requirements/dev.in"}),
    ],
)
def test_inputs_are_found(tmp_path: Path, found: list[str], names: dict[str, str]) -> None:
    config = load(tmp_path, "", *found)
    assert {name: lock.inputs for name, lock in config.locks.items()} == {
        name: (file,) for name, file in names.items()
    }
    assert list(config.locks) == sorted(names, key=lambda name: (name != "requirements", name))


@pytest.mark.parametrize(
    "found",
    [
        ("requirements.in", "requirements/requirements.in"),
        ("requirements-dev.in", "requirements/dev.in"),
        ("requirements-dev.in", "dev-requirements.in"),
    ],
)
def test_two_inputs_with_one_name_are_refused(tmp_path: Path, found: tuple[str, str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, "", *found)
    assert all(file in str(caught.value) for file in found)
    assert "[tool.nox-lock.locks.NAME]" in str(caught.value)


def test_a_table_settles_it(tmp_path: Path) -> None:
    table = "[tool.nox-lock.locks.other]\ninputs = ['requirements/dev.in']\n"
    config = load(tmp_path, table, "requirements-dev.in", "requirements/dev.in")
    assert {name: lock.inputs for name, lock in config.locks.items()} == {
        "other": ("requirements/dev.in",),
        "dev": ("requirements-dev.in",),
    }


def test_a_name_taken_by_a_table_is_refused(tmp_path: Path) -> None:
    table = "[tool.nox-lock.locks.dev]\ninputs = ['other.in']\n"
    with pytest.raises(ConfigError, match=r"requirements-dev\.in and \[tool\.nox-lock\.locks\.dev"):
        load(tmp_path, table, "requirements-dev.in")


def test_folders_are_no_inputs(tmp_path: Path) -> None:
    (tmp_path / "requirements-dir.in").mkdir()
    assert list(load(tmp_path).locks) == ["requirements"]


def test_nothing_found_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no inputs found"):
        load(tmp_path, "[project]\nname = 'x'\n", "MANIFEST.in")


# Which lock


def test_a_lock_left_out_is_the_only_one_or_requirements(tmp_path: Path) -> None:
    assert load(tmp_path / "a", "", "requirements-dev.in").lock(None).name == "dev"
    both = load(tmp_path / "b", "", "requirements-dev.in", "requirements.in")
    assert both.lock(None).name == "requirements"
    assert both.lock("dev").inputs == ("requirements-dev.in",)
    neither = load(tmp_path / "c", "", "requirements-dev.in", "requirements-docs.in")
    with pytest.raises(ConfigError, match=r"(?s)more than one lock.*dev, docs"):
        neither.lock(None)


@pytest.mark.parametrize(
    ("name", "near"),
    [("dvv", "; did you mean 'dev'?"), ("Dev", "; did you mean 'dev'?"), ("zzz", "")],
)
def test_an_unknown_lock_is_refused(tmp_path: Path, name: str, near: str) -> None:
    config = load(tmp_path, "", "requirements-dev.in", "requirements.in")
    with pytest.raises(ConfigError) as caught:
        config.lock(name)
    assert str(caught.value) == (f"there is no lock {name!r}{near}\nLocks here: requirements, dev")


# Settings

FULL = """
[tool.nox-lock]
python = ["3.11", "3.12", "3.11"]
generate-hashes = false
strip-extras = false
allow-unsafe = false
unsafe-package = ["Zope.Interface", "pip"]
on-stale = "error"
uploaded-prior-to = "2026-01-01"

[tool.nox-lock.locks.dev]
inputs = ["a.in", "b/c.in"]
lockfile = "locks/{name}-{python}.txt"
python = "pypy3.10"
generate-hashes = true
"""


def test_everything_can_be_said(tmp_path: Path) -> None:
    config = load(tmp_path, FULL)
    common = Settings(
        generate_hashes=False,
        strip_extras=False,
        allow_unsafe=False,
        unsafe_packages=("pip", "zope-interface"),
        uploaded_prior_to="2026-01-01",
    )
    assert config.on_stale == "error"
    found = config.locks["requirements"]
    assert found.settings == common
    assert found.pythons == (Target("3.11"), Target("3.12"))
    dev = config.locks["dev"]
    assert dev.inputs == ("a.in", "b/c.in")
    assert dev.lockfile == "locks/{name}-{python}.txt"
    assert dev.pythons == (Target("3.10", "pypy"),)
    assert dev.settings.generate_hashes is True
    assert dev.settings.strip_extras is False


def test_nothing_need_be_said(tmp_path: Path) -> None:
    config = load(tmp_path)
    assert config.locks["requirements"].settings == Settings()
    assert config.locks["requirements"].pythons == ()
    assert (config.on_stale, config.notes) == ("auto", ())


@pytest.mark.parametrize("key", ["generate-hashes", "generate_hashes"])
@pytest.mark.parametrize("table", ["[tool.pip-tools]", "[tool.pip-tools.compile]"])
def test_settings_of_pip_tools_are_taken_over(tmp_path: Path, key: str, table: str) -> None:
    text = f"{table}\n{key} = false\nunsafe-package = ['x']\n"
    config = load(tmp_path, text)
    assert config.locks["requirements"].settings.generate_hashes is False
    assert config.locks["requirements"].settings.unsafe_packages == ("x",)
    assert config.notes == ()
    # Ours go first.
    config = load(tmp_path, f"{text}[tool.nox-lock]\ngenerate-hashes = true\n")
    assert config.locks["requirements"].settings.generate_hashes is True


@pytest.mark.parametrize(
    ("text", "noted"),
    [
        ("upgrade = true", True),
        ("pre = true", True),
        ("extra-index-url = ['https://host.invalid']", True),
        ("annotation-style = 'line'", True),
        ("annotate = 'True'", True),
        ("resolver = 'legacy'", True),
        ("header = false", True),
        ("made-up = 1", True),
        ("annotation-style = 'split'", False),
        ("resolver = 'backtracking'", False),
        ("header = true", False),
        ("quiet = true", False),
        ("cache-dir = 'x'", False),
        ("strip-extras = true", False),
    ],
)
def test_settings_of_pip_tools_that_cannot_be_honoured_are_named(
    tmp_path: Path, text: str, *, noted: bool
) -> None:
    notes = load(tmp_path, f"[tool.pip-tools]\n{text}\n").notes
    assert bool(notes) is noted, notes
    assert not noted or text.partition(" ")[0] in notes[0]


@pytest.mark.parametrize("value", ["true", "['a']", "{a = 1}", "2"])
def test_any_value_of_pip_tools_can_be_noted(tmp_path: Path, value: str) -> None:
    """Also those that cannot be hashed."""
    notes = load(tmp_path, f"[tool.pip-tools]\nemit-options = {value}\nheader = {value}\n").notes
    assert len(notes) == (1 if value == "true" else 2)


def test_sync_settings_of_pip_tools_are_no_concern(tmp_path: Path) -> None:
    assert load(tmp_path, "[tool.pip-tools.sync]\nask = true\n").notes == ()


def locked_by(command: str, body: str = "") -> lock_file.LockFile:
    """Return a lock file with this command in its header."""
    header = "# This file is autogenerated by pip-compile with Python 3.11"
    return lock_file.parse(
        f"#\n{header}\n# by the following command:\n#\n#    {command}\n#\n{body}\n"
    )


DEFAULTS = Settings(
    generate_hashes=True,
    strip_extras=True,
    allow_unsafe=True,
    unsafe_packages=UNSAFE_PACKAGES,
    uploaded_prior_to=None,
)


@pytest.mark.parametrize(
    ("configured", "command", "expected"),
    [
        ({}, None, (True, True, True)),
        ({}, "pip-compile requirements.in", (False, False, False)),
        ({}, "pip-compile --generate-hashes requirements.in", (True, False, False)),
        ({}, "pip-compile --strip-extras --allow-unsafe requirements.in", (False, True, True)),
        ({}, "pip-compile --no-strip-extras --no-allow-unsafe r.in", (False, False, False)),
        ({}, "nox -s lock", (True, True, True)),
        ({}, "make lock", (True, True, True)),
        ({}, "", (True, True, True)),
        ({}, "uv pip compile requirements.in", (True, True, True)),
        ({"generate_hashes": False}, None, (False, True, True)),
        ({"generate_hashes": True}, "pip-compile r.in", (True, False, False)),
        ({"strip_extras": False}, "pip-compile --strip-extras r.in", (False, False, False)),
    ],
)
def test_precedence_of_settings(
    configured: dict[str, bool], command: str | None, expected: tuple[bool, bool, bool]
) -> None:
    lock = None if command is None else locked_by(command)
    settings_ = resolve_settings(Settings(**configured), lock)  # type: ignore[arg-type]
    assert (
        settings_.generate_hashes,
        settings_.strip_extras,
        settings_.allow_unsafe,
    ) == expected
    assert settings_.unsafe_packages == UNSAFE_PACKAGES


def test_a_header_adds_to_no_unsafe_packages() -> None:
    """What is left out is not judged, and a header proves nothing."""
    command = "pip-compile --unsafe-package=Foo_Bar --unsafe-package=pip requirements.in"
    assert resolve_settings(Settings(), locked_by(command)).unsafe_packages == ("pip",)


def test_an_export_of_uv_keeps_its_hashes() -> None:
    lock = locked_by(
        "uv export --no-emit-project -o requirements.txt", "a==1 --hash=sha256:" + "0" * 64
    )
    assert resolve_settings(Settings(), lock).generate_hashes


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("idna==3.7", (False, True, True)),
        ("idna==3.7 --hash=sha256:" + "0" * 64, (True, True, True)),
        ("celery[redis]==5.4", (False, False, True)),
        (
            "idna==3.7\n\n# The following packages are considered to be unsafe:\n# setuptools",
            (False, True, False),
        ),
    ],
)
@pytest.mark.parametrize("command", ["make upgrade", "nox -s lock", "uv pip compile r.in"])
def test_a_command_nobody_can_look_into_is_told_by_its_lock(
    command: str, body: str, expected: tuple[bool, bool, bool]
) -> None:
    found = resolve_settings(Settings(), locked_by(command, body))
    assert (found.generate_hashes, found.strip_extras, found.allow_unsafe) == expected


# Refusals


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[tool.nox-lock]\nstrip-extra = 1", ["tool.nox-lock.strip-extra", "'strip-extras'"]),
        ("[tool.nox-lock]\nlock = {}", ["tool.nox-lock.lock", "'locks'"]),
        ("[tool.nox-lock]\nxyzzy = 1", ["tool.nox-lock.xyzzy", "unknown"]),
        ("[tool.nox-lock]\nstrip-extras = 1", ["tool.nox-lock.strip-extras", "true or false"]),
        ("[tool.nox-lock]\nstrip-extras = 'no'", ["tool.nox-lock.strip-extras", "true or false"]),
        ("[tool.nox-lock]\nunsafe-package = 'pip'", ["unsafe-package", "list of strings"]),
        ("[tool.nox-lock]\nunsafe-package = [1]", ["unsafe-package", "list of strings"]),
        ("[tool.nox-lock]\npython = 3.11", ["tool.nox-lock.python", "3.11"]),
        ("[tool.nox-lock]\npython = ['3']", ["tool.nox-lock.python", "'3'"]),
        ("[tool.nox-lock]\non-stale = true", ["on-stale", "string"]),
        ("[tool.nox-lock]\nuploaded-prior-to = 2026-01-01", ["uploaded-prior-to", "string"]),
        ("[tool.nox-lock]\nlocks = []", ["tool.nox-lock.locks", "table"]),
        ("[tool.nox-lock]\nlocks = {dev = 1}", ["tool.nox-lock.locks.dev", "table"]),
        ("[tool]\nnox-lock = 1", ["tool.nox-lock", "table"]),
        ("[tool]\npip-tools = 1", ["tool.pip-tools", "table"]),
        ("tool = 1", ["tool", "table"]),
        ("[[tool]]\nx = 1", ["tool", "table"]),
        ("[tool.pip-tools]\nstrip-extras = 'no'", ["tool.pip-tools.strip-extras", "true or false"]),
        ("[tool.pip-tools]\ncompile = 1", ["tool.pip-tools.compile", "table"]),
        ("[tool.nox-lock.locks.dev]", ["tool.nox-lock.locks.dev.inputs", "missing"]),
        ("[tool.nox-lock.locks.dev]\ninputs = []", ["tool.nox-lock.locks.dev.inputs"]),
        ("[tool.nox-lock.locks.dev]\ninputs = 'a.in'", ["locks.dev.inputs", "list of strings"]),
        ("[tool.nox-lock.locks.dev]\ninputs = ['']", ["locks.dev"]),
        ("[tool.nox-lock.locks.'a b']\ninputs = ['a.in']", ["'a b'", "name"]),
        ("[tool.nox-lock.locks.'../x']\ninputs = ['a.in']", ["'../x'", "name"]),
        ("[tool.nox-lock.locks.dev]\ninputs = ['../a.in']", ["'../a.in'", "inside the project"]),
        ("[tool.nox-lock.locks.dev]\ninputs = ['/a.in']", ["'/a.in'", "inside the project"]),
        ("[tool.nox-lock.locks.dev]\ninputs = ['C:\\\\a.in']", ["inside the project"]),
        (
            "[tool.nox-lock.locks.dev]\ninputs = ['a.in']\nlockfile = './a.in'",
            ["a.in", "input"],
        ),
        (
            "[tool.nox-lock.locks.dev]\ninputs = ['a.in']\nlockfile = 'a-{pyton}.txt'",
            ["{pyton}", "did you mean 'python'"],
        ),
        (
            "[tool.nox-lock.locks.dev]\ninputs = ['a.in']\nlockfile = 'a-{python.txt'",
            ["a-{python.txt", "lockfile"],
        ),
        (
            "[tool.nox-lock.locks.dev]\ninputs = ['a.in']\nlockfile = 'a}.txt'",
            ["a}.txt", "lockfile"],
        ),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, text: str, says: list[str]) -> None:
    from nox_lock.planning.planner import plan  # noqa: PLC0415  (where patterns are filled in)

    (tmp_path / "a.in").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        plan(load(tmp_path, f"{text}\n"))
    missing = [words for words in says if words not in str(caught.value)]
    assert not missing, str(caught.value)


@pytest.mark.parametrize("data", [b"a =\n", b"\xff\xfe", b"[a]\n[a]\n"])
def test_what_is_no_toml_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "pyproject.toml").write_bytes(data)
    with pytest.raises(ConfigError, match=r"^pyproject\.toml:\d: is not TOML"):
        load(tmp_path)


def test_on_stale_is_one_of_four(tmp_path: Path) -> None:
    table = "[tool.nox-lock]\non-stale = "
    for value in ("auto", "lock", "error", "install"):
        assert load(tmp_path, f"{table}'{value}'\n").on_stale == value
        environ = {"NOX_LOCK_ON_STALE": value}
        assert load_config(Project(tmp_path, environ)).on_stale == value
    said = r"pyproject\.toml:2: `tool.nox-lock.on-stale` is 'errors'; did you mean 'error'\?"
    with pytest.raises(ConfigError, match=said):
        load(tmp_path, f"{table}'errors'\n")
    with pytest.raises(ConfigError, match=r"^NOX_LOCK_ON_STALE is 'warn'"):
        load_config(Project(tmp_path, {"NOX_LOCK_ON_STALE": "warn"}))


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (
            {"requirements.txt": "app==1.0\nlib[x]==2\n"},
            "written by hand, rename it to requirements.in; if it is the output of `pip freeze`",
        ),
        ({"requirements/dev.txt": "app==1.0\n"}, "into requirements/dev.in, without their"),
        ({"requirements.txt": "app\n"}, "Write the projects you use"),
        ({"requirements.txt": "\xff"}, "Write the projects you use"),
        ({"pyproject.toml": "[tool.poetry]\nname = 'a'\n"}, "Write the projects you use"),
        (
            {"pyproject.toml": "[dependency-groups]\nlint = ['a']\n"},
            '[tool.nox-lock.locks.lint]\n  groups = ["lint"]\n',
        ),
        (
            {"pyproject.toml": '[project]\nname = "a"\ndynamic = ["dependencies"]\n'},
            '[tool.nox-lock.locks.requirements]\n  inputs = ["pyproject.toml"]\n',
        ),
        ({"setup.py": ""}, '[tool.nox-lock.locks.requirements]\n  inputs = ["setup.py"]\n'),
        (
            {"lib/pyproject.toml": '[project]\nname = "lib"\n'},
            '[tool.nox-lock.locks.lib]\n  inputs = ["lib/pyproject.toml"]\n',
        ),
        (
            {"tests/a.in": "app\n", "tests/b.in": "-r a.in\n", ".nox/x/c.in": "app\n"},
            (
                "To lock what is here, write into pyproject.toml, such as:\n"
                '  [tool.nox-lock.locks.a]\n  inputs = ["tests/a.in"]\n'
                '  [tool.nox-lock.locks.b]\n  inputs = ["tests/b.in"]\n'
                "Write the projects"
            ),
        ),
        (
            {"src/config.h.in": "#define A b c\n", "src/dev.in": "app\n"},
            'such as:\n  [tool.nox-lock.locks.dev]\n  inputs = ["src/dev.in"]\nWrite the projects',
        ),
        (
            {"tools.in": "app\n", "pyproject.toml": "[tool.nox-lock]\npython = '3.11'\n"},
            '  [tool.nox-lock.locks.tools]\n  inputs = ["tools.in"]\n',
        ),
        ({"MANIFEST.in": "include README.md\n"}, "Write the projects you use"),
    ],
)
def test_first_contact(tmp_path: Path, files: dict[str, str], told: str) -> None:
    """A project that has no input is told what makes one of what it has."""
    (tmp_path / "requirements").mkdir()
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="latin-1")
    with pytest.raises(ConfigError, match="no inputs found") as error:
        load_config(Project(tmp_path, {}))
    assert told in (error.value.hint or "")


@pytest.mark.parametrize(
    ("files", "lines"),
    [
        ({"tests/dev.in": "app\n"}, 'locks.dev]\n  inputs = ["tests/dev.in"]'),
        ({"pyproject.toml": "[dependency-groups]\nDev = []\n"}, 'locks.Dev]\n  groups = ["Dev"]'),
        (
            {
                "pyproject.toml": "[project.optional-dependencies]\ndev = []\n",
            },
            'locks.dev]\n  inputs = ["pyproject.toml"]\n  extras = ["dev"]',
        ),
        ({"dev/pyproject.toml": "[project]\nname = 'a'\n"}, 'inputs = ["dev/pyproject.toml"]'),
    ],
)
def test_what_a_missing_lock_could_be_made_of(
    tmp_path: Path, files: dict[str, str], lines: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    config = load(tmp_path)
    with pytest.raises(ConfigError, match="there is no lock 'dev'") as error:
        config.lock("dev")
    assert lines in (error.value.hint or "")
    assert (error.value.hint or "").endswith("\nLocks here: requirements")
    with pytest.raises(ConfigError) as error:
        config.lock("docs")
    assert error.value.hint == "Locks here: requirements"


def test_inputs_in_other_places_are_found(tmp_path: Path) -> None:
    """Beside those with usual names, and the files that tables name."""
    found = ("requirements.in", "tests/dev.in", "tests/docs.in", "tools.in", "MANIFEST.in", "x.in")
    text = "[tool.nox-lock]\nfind = ['tests/*.in', './[tM]*.in']\n"
    text += "[tool.nox-lock.locks.other]\ninputs = ['tests/docs.in']\n"
    config = load(tmp_path, text, *found)
    assert {name: lock.inputs for name, lock in config.locks.items()} == {
        "other": ("tests/docs.in",),
        "requirements": ("requirements.in",),
        "dev": ("tests/dev.in",),
        "tools": ("tools.in",),
    }
    for pattern, said in (
        ("test/*.in", "there is no file like 'test/\\*.in'"),
        ("**/*.in", "name each level"),
        ("tests/*.txt", "end in .in"),
        ("../*.in", "is not inside the project"),
    ):
        with pytest.raises(ConfigError, match=said) as e:
            load(tmp_path, f"[tool.nox-lock]\nfind = ['{pattern}']\n")
        assert str(e.value).startswith("pyproject.toml:2: `tool.nox-lock.find`")
        assert e.value.hint


def test_constraints_of_an_input_are_no_input(tmp_path: Path) -> None:
    names = ("dev.in", "base.in", "constraints.in", "more-constraints.in", "constraints-alone.in")
    files = [f"requirements/{name}" for name in names]
    load(tmp_path, "", *files)
    (tmp_path / files[0]).write_text("-c base.in\n-c constraints.in # why\n--constraint=./x.in\n")
    (tmp_path / files[1]).write_text("  --constraint more-constraints.in\n")
    assert load_config(Project(tmp_path, {})).locks.keys() == {"dev", "base", "constraints-alone"}


@pytest.mark.parametrize("value", ["0", "-1", "true", "'600'", "inf", "nan"])
def test_a_timeout_is_a_number_of_seconds(tmp_path: Path, value: str) -> None:
    with pytest.raises(ConfigError, match=r"`tool.nox-lock.compile-timeout` must be a number"):
        load(tmp_path, f"[tool.nox-lock]\ncompile-timeout = {value}\n", "requirements.in")


def test_a_lock_may_have_a_timeout_of_its_own(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        "[tool.nox-lock]\ncompile-timeout = 60\n"
        "[tool.nox-lock.locks.dev]\ninputs = ['dev.in']\ncompile-timeout = 2.5\n",
        "requirements.in",
        "dev.in",
    )
    assert config.lock("dev").compile_timeout == 2.5
    assert config.lock("requirements").compile_timeout == 60

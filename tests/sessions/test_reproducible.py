"""Same inputs, same bytes: from wherever, by whomever, with whatever pip configuration."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from support.index import LOOPBACK, USER, LocalIndex
from support.locks import find_bytes, pins
from support.long import long
from support.project import Project, Run
from support.wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.prepared import Prepared

PASSWORD = "s3cret-w0rd"  # noqa: S105
NOXFILE = """
    import nox_lock

    nox_lock.add_sessions()
"""
LOCK = "requirements.txt"


def pip_install(project: Project, lock: str, environment: Path, **variables: str) -> Run:
    """Install a lock as anybody would: `pip install -r LOCK`, in the project root."""
    command = [sys.executable, "-m", "virtualenv", "-q", "--no-seed", str(environment)]
    subprocess.run(command, env=project.environment(), check=True)
    command = [sys.executable, "-m", "pip", "--python", str(environment), "install", "-r", lock]
    done = subprocess.run(
        command,
        cwd=project.root,
        env=project.environment(variables),
        check=False,
        capture_output=True,
        text=True,
    )
    return Run(done.returncode, done.stdout, done.stderr)


# Wherever


@pytest.fixture(scope="module")
def made(prepared: Prepared) -> Prepared:
    """Return a project whose inputs reach each other over folders, and are locked."""
    index, project = prepared.index, prepared.project
    index.publish("app", "1.0", requires=["lib>=1"])
    index.publish("lib", "1.0")
    index.publish("lib", "1.1")
    index.publish("tool", "3.0", requires=["lib"])
    build_wheel(project.root / "wheels", "handmade", "1.0")
    project.write("noxfile.py", NOXFILE)
    project.write(
        "requirements/base.in", "--find-links ../wheels\n\napp\nhandmade\n-c limits.txt\n"
    )
    project.write("requirements/dev.in", "-r base.in\ntool\n")
    project.write("requirements/limits.txt", "lib<1.1\n")
    project.nox("-s", "lock").ok()
    prepared.freeze()
    return prepared


@pytest.fixture
def nested(made: Prepared, tmp_path: Path) -> Iterator[Project]:
    yield from made.lend(tmp_path)


LOCKS = ("requirements/base.txt", "requirements/dev.txt")


def locks(project: Project) -> dict[str, bytes]:
    files = project.snapshot()
    return {path: files[path] for path in LOCKS}


def test_same_bytes_from_another_directory(nested: Project, tmp_path: Path) -> None:
    """`nox -f PATH/noxfile.py`, run from elsewhere, writes what nox writes in the project."""
    first = locks(nested)
    assert pins(first[LOCKS[1]].decode()) == {
        "app": "1.0",
        "handmade": "1.0",
        "lib": "1.0",
        "tool": "3.0",
    }
    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()
    for path in LOCKS:
        (nested.root / path).unlink()
    noxfile = str(nested.root / "noxfile.py")
    nested.nox("-f", noxfile, "-s", "lock", "--", "--no-cache", cwd=elsewhere).ok()
    assert locks(nested) == first
    nested.nox("-f", noxfile, "-s", "lock-check", cwd=elsewhere).ok()
    assert list(elsewhere.iterdir()) == []


def test_same_bytes_from_another_clone(nested: Project, made: Prepared, tmp_path: Path) -> None:
    """A copy in another folder, with a cache of its own, compiles to the same bytes."""
    clone = Project(tmp_path / "deep er" / "clone", tmp_path / "other home", nested.index)
    shutil.copytree(
        nested.root,
        clone.root,
        ignore=shutil.ignore_patterns(".nox", "__pycache__", "base.txt", "dev.txt"),
        dirs_exist_ok=True,
    )
    try:
        assert clone.nox("-s", "lock").ok().output.count("compiled in") == 2
        assert locks(clone) == locks(nested)
        for each in (clone, made.project):
            for text in locks(each).values():
                assert str(each.root).encode() not in text
                assert b"\r" not in text
    finally:
        clone.close()


def test_same_bytes_from_inputs_of_windows(nested: Project) -> None:
    """Inputs that were checked out with CRLF are the same inputs, and give the same lock."""
    first = locks(nested)
    for path in ("base.in", "dev.in", "limits.txt"):
        file = nested.root / "requirements" / path
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    nested.nox("-s", "lock-check").ok()
    for path in LOCKS:
        (nested.root / path).unlink()
    nested.nox("-s", "lock", "--", "--no-cache").ok()
    assert locks(nested) == first


# Whoever: with the pip configuration of a company


@dataclass
class Company:
    """A company's index, its folder of wheels, and what must not be told of them."""

    index: LocalIndex
    folder: Path
    config: Path

    def settings(self) -> dict[str, str]:
        return {
            "extra-index-url": self.index.url_with_credentials,
            "find-links": str(self.folder),
            "only-binary": ":all:",
            "pre": "true",
            "trusted-host": LOOPBACK,  # pip keeps pages of a plain http index only if trusted
        }

    def environment(self, form: str) -> dict[str, str]:
        """Return the variables that give a user these settings, in a file or one by one."""
        if form == "pip.conf":
            lines = [f"{name} = {value}" for name, value in self.settings().items()]
            self.config.write_text("\n".join(["[global]", *lines, ""]), encoding="utf-8")
            return {"PIP_CONFIG_FILE": str(self.config)}
        return {
            f"PIP_{name.upper().replace('-', '_')}": value
            for name, value in self.settings().items()
        }


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    (tmp_path / "settings").mkdir()
    with LocalIndex(tmp_path / "company-index", password=PASSWORD, max_age=600) as extra:
        yield Company(extra, tmp_path / "company-wheels", tmp_path / "settings" / "pip.conf")


@pytest.fixture
def employed(project: Project, index: LocalIndex, company: Company) -> Project:
    """Return a project that needs the public index, the company's and the folder."""
    index.publish("app", "1.0", requires=["source"])
    index.publish("app", "2.0rc1", requires=["source"])
    index.publish("source", "1.0")
    index.publish_sdist("source", "2.0")
    company.index.publish("inhouse", "4.0", requires=["app"])
    build_wheel(company.folder, "fileonly", "5.0")
    project.write("noxfile.py", NOXFILE)
    project.write("requirements.in", "inhouse\nfileonly\n")
    return project


@pytest.mark.parametrize("form", ["pip.conf", long("variables")])
def test_a_companys_settings_give_access_and_leave_no_trace(
    employed: Project, company: Company, form: str
) -> None:
    """Its indexes and only-binary count, `pre` is dropped aloud, and nothing of it is told."""
    run = employed.nox("-s", "lock", env=company.environment(form)).ok()

    assert pins(employed.read(LOCK)) == {
        "app": "1.0",  # not the pre-release
        "fileonly": "5.0",  # from the folder
        "inhouse": "4.0",  # from the company's index
        "source": "1.0",  # not the newer one, which is no wheel
    }
    assert company.index.downloads("inhouse") > 0
    warnings = [line for line in run.output.splitlines() if "pip configuration sets" in line]
    assert len(warnings) == 1
    assert "sets pre" in warnings[0]

    secrets = {
        "the password": PASSWORD,
        "the company's index": company.index.url.removeprefix("http://").removesuffix("/simple/"),
        "the public index": LOOPBACK,
        "the find-links folder": company.folder.name,
        "pip.conf": company.config.parent.name + "/",
        "the home folder": str(employed.home),
        "the project folder": str(employed.root),
    }
    for what, needle in secrets.items():
        assert needle not in employed.read(LOCK), f"{what} stands in the lock"
        assert needle not in run.output, f"{what} stands in the output"
    cache = employed.home / "nox-lock-cache"
    assert any(cache.rglob("*.json")), "there is no cache to look into"
    assert find_bytes(cache, secrets.values(), leave_out=["pip-tools"]) == {}
    # pip's own download cache holds what indexes answered, yet no password.
    assert any((cache / "pip-tools").rglob("*.body")), "pip kept nothing to look into"
    del secrets["the company's index"], secrets["the public index"]
    assert find_bytes(cache, secrets.values()) == {}
    assert set(employed.snapshot()) == {"noxfile.py", "requirements.in", LOCK}


def test_the_way_to_the_packages_does_not_count(
    employed: Project, company: Company, index: LocalIndex, tmp_path: Path
) -> None:
    """A company's settings in a file, in variables, or one mirror of it all: the same bytes."""
    made = []
    for form in ("pip.conf", "variables"):
        (employed.root / LOCK).unlink(missing_ok=True)
        run = employed.nox("-s", "lock", "--", "--no-cache", env=company.environment(form)).ok()
        for needle in (PASSWORD, LOOPBACK, company.folder.name):
            assert needle not in run.output, form
        made.append(employed.read(LOCK))
    with LocalIndex(tmp_path / "mirror") as mirror:
        for folder in (index.folder, company.index.folder, company.folder):
            for wheel in folder.glob("*.whl"):
                shutil.copy(wheel, mirror.folder)
        (employed.root / LOCK).unlink()
        employed.nox("-s", "lock", "--", "--no-cache", env={"PIP_INDEX_URL": mirror.url}).ok()
        assert mirror.downloads("inhouse") > 0
        made.append(employed.read(LOCK))
    assert len(set(made)) == 1, "\n".join(made)
    employed.nox("-s", "lock-check").ok()


def test_settings_that_would_change_the_lock_are_dropped_aloud(
    project: Project, index: LocalIndex
) -> None:
    """Each setting of pip that moves pins is left out, with one warning that names it."""
    index.publish("app", "1.0")
    index.publish("app", "2.0rc1")
    project.write("noxfile.py", NOXFILE)
    project.write("requirements.in", "app\n")
    settings = {"pre": "1", "no-binary": "app", "prefer-binary": "true", "all-releases": ":all:"}
    variables = {f"PIP_{key.upper().replace('-', '_')}": text for key, text in settings.items()}
    run = project.nox("-s", "lock", env=variables).ok()
    assert pins(project.read(LOCK)) == {"app": "1.0"}
    [warning] = re.findall(r"your pip configuration sets (.*): left out", run.output)
    assert warning.split(", ") == list(settings)
    for setting in settings:
        assert f"--{setting}" not in project.read(LOCK)


def test_what_else_a_user_has_set_reaches_no_compile(
    project: Project, index: LocalIndex, tmp_path: Path
) -> None:
    """A user's target, require-hashes or own header command; of constraints a warning speaks."""
    index.publish("app", "1.0")
    index.publish("app", "2.0")
    limits = tmp_path / "limits.txt"
    limits.write_text("app<2\n", encoding="utf-8")
    project.write("noxfile.py", NOXFILE)
    project.write("requirements.in", "app\n")
    variables = {
        "PIP_CONSTRAINT": str(limits),
        "PIP_REQUIRE_HASHES": "1",
        "PIP_TARGET": str(tmp_path / "target"),
        "PIP_TOOLS_CACHE_DIR": str(tmp_path / "foreign-cache"),
        "CUSTOM_COMPILE_COMMAND": "make lock\nimport os",
    }
    run = project.nox("-s", "lock", env=variables).ok()
    assert pins(project.read(LOCK)) == {"app": "2.0"}
    assert "make lock" not in project.read(LOCK)
    assert run.output.count("pip configuration") == 1
    assert "your pip configuration sets constraint: left out" in run.output
    assert str(limits) not in run.output
    assert not (tmp_path / "target").exists()
    assert not (tmp_path / "foreign-cache").exists()


def test_a_wrong_password_is_told_without_the_password(employed: Project, company: Company) -> None:
    """An index that refuses the user fails the lock; the message names it, not the secret."""
    wrong = company.index.url_with_credentials.replace(PASSWORD, "not-th1s-one")
    env = {"PIP_EXTRA_INDEX_URL": wrong, "PIP_RETRIES": "0"}
    run = employed.nox("-s", "lock", env=env).failed()
    assert "answered 401" in run.output
    assert "not-th1s-one" not in run.output
    assert not employed.exists(LOCK)
    assert find_bytes(employed.home, ["not-th1s-one"]) == {}


# Declared in an input: everybody's


def test_declared_options_stand_in_the_lock_for_everybody(
    project: Project, index: LocalIndex, tmp_path: Path
) -> None:
    """An input's options reach the lock: variables kept, paths relative, and pip takes it."""
    index.publish("app", "1.0")
    index.publish("source", "1.0")
    index.publish_sdist("source", "2.0")
    with LocalIndex(tmp_path / "company-index", password=PASSWORD) as extra:
        extra.publish("inhouse", "4.0")
        build_wheel(project.root / "wheels", "fileonly", "5.0")
        host = extra.url.removeprefix("http://")
        declared = f"--extra-index-url http://${{COMPANY_USER}}:${{TOKEN}}@{host}"
        project.write("noxfile.py", NOXFILE)
        options = f"{declared}\n--find-links ./wheels\n--only-binary source\n"
        project.write("requirements.in", f"{options}app\ninhouse\nfileonly\nsource\n")
        variables = {"COMPANY_USER": USER, "TOKEN": PASSWORD}

        run = project.nox("-s", "lock", env=variables).ok()
        assert extra.downloads("inhouse") > 0
        lines = project.read(LOCK).splitlines()
        found = [line for line in lines if line.startswith("--")]
        assert found[0] == declared
        assert found[1] in {"--find-links wheels", "--find-links ./wheels"}
        assert found[2:] == ["--only-binary source"]
        assert pins(project.read(LOCK)) == {
            "app": "1.0",
            "fileonly": "5.0",
            "inhouse": "4.0",
            "source": "1.0",
        }
        for text in (project.read(LOCK), run.output):
            assert PASSWORD not in text
            assert str(project.root) not in text
        assert find_bytes(project.home, [PASSWORD]) == {}

        # Freshness asks for no variable: CI may check what it cannot lock.
        project.nox("-s", "lock-check").ok()
        pip_install(project, LOCK, project.root / ".nox" / "by-hand", **variables).ok()
        assert project.venv_versions("by-hand") == pins(project.read(LOCK))


def test_a_lock_in_a_folder_finds_its_wheels_from_the_project_root(
    nested: Project, made: Prepared, tmp_path: Path
) -> None:
    """`--find-links` of an input below the root works for `pip install -r`, in any clone."""
    assert str(made.project.root) not in nested.read(LOCKS[1])  # there is a folder of wheels, too
    clone = Project(tmp_path / "clone", tmp_path / "other home", nested.index)
    shutil.copytree(nested.root, clone.root, dirs_exist_ok=True)
    shutil.rmtree(nested.root)
    pip_install(clone, LOCKS[1], clone.root / ".nox" / "by-hand").ok()
    assert clone.venv_versions("by-hand") == pins(clone.read(LOCKS[1]))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("--extra-index-url https://user:pa55@example.test/simple\napp\n", "requirements.in:1"),
        ("app\ninhouse @ https://user:pa55@example.test/i.whl\n", "requirements.in:2"),
        ("app\ninhouse @ https://${TOKEN}@example.test/i.whl\n", "requirements.in:2"),
    ],
)
def test_a_secret_in_an_input_is_refused(project: Project, text: str, place: str) -> None:
    """A literal password, or a variable that the lock would hold the value of, is refused."""
    project.write("noxfile.py", NOXFILE)
    project.write("requirements.in", text)
    run = project.nox("-s", "lock", env={"TOKEN": "t0ken"}).failed()
    assert place in run.output
    assert "pa55" not in run.output
    assert "t0ken" not in run.output
    assert not project.exists(LOCK)
    assert "pa55" not in project.nox("-s", "lock-check").failed().output

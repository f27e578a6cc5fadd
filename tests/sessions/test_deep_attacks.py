"""`lock-check -- --deep` of lock files that a stranger has changed: nothing stays unseen."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

import pytest

from support.locks import hashed_pin, stamp_all
from support.project import NOXFILE, Project
from support.sdists import build_sdist
from support.verdicts import by_uv, hash_of, unstamped

if TYPE_CHECKING:
    from support.index import LocalIndex

LOCK = "requirements.txt"
HERE, ELSEWHERE = 'python_full_version != "3.1.4"', 'python_full_version == "3.1.4"'
HOLDS = 'python_version >= "3.8"'
NEVER = 'python_version < "3.8"'


@pytest.fixture
def locked(project: Project, index: LocalIndex) -> Project:
    app = hashed_pin(index.publish("app", "1.0", requires=["dep>=1"]), "-r requirements.in")
    dep = hashed_pin(index.publish("dep", "1.5"), "app")
    project.write("noxfile.py", NOXFILE)
    project.write("requirements.in", "app\n")
    stamp_all(project.root, {"requirements": app + dep})
    return project


def refused(project: Project, text: str) -> None:
    project.write(LOCK, text)
    shallow = project.nox("-s", "lock-check")
    deep = project.nox("-s", "lock-check", "--", "--deep").output
    assert f"{LOCK}: fresh" not in deep, (shallow.output, deep)


def as_of_uv(project: Project) -> str:
    return by_uv(unstamped(project.read(LOCK).encode())).decode()


@pytest.mark.parametrize("version", ["6.6.6", "1.5.0"])
def test_a_second_pin_that_counts(version: str, locked: Project) -> None:
    """Of two pins of one project the last one is compared, and the first one is installed."""
    text = as_of_uv(locked)
    at = text.index("dep==1.5")
    evil = f"dep=={version} ; {HOLDS} {hash_of('e')}\n    # via app\n"
    good = text[at:].replace("dep==1.5", f"dep==1.5 ; {NEVER}")
    refused(locked, f"{text[:at]}{evil}{good}")


def test_a_pin_that_never_counts(locked: Project) -> None:
    refused(locked, as_of_uv(locked).replace("dep==1.5", f"dep==1.5 ; {NEVER}"))


@pytest.mark.parametrize("name", ["dep", "app"])
def test_a_project_left_out_by_the_header(name: str, locked: Project) -> None:
    """What pip-compile is told to leave out stands in the lock file that is to be checked."""
    text = locked.read(LOCK).replace("--allow-unsafe", f"--unsafe-package={name}")
    at = text.index(f"{name}==")
    end = text.index("dep==") if name == "app" else len(text)
    refused(locked, f"{text[:at]}{text[end:]}")


def test_no_hashes_at_all(locked: Project) -> None:
    text = locked.read(LOCK).replace(" --generate-hashes", "")
    refused(locked, unstamped(re.sub(r" \\\n    --hash=\S+", "", text).encode()).decode())


@pytest.mark.parametrize("version", ["1.5+x.zip", "1.5+x.tar.gz"])
def test_a_version_that_is_the_name_of_a_file(version: str, locked: Project) -> None:
    locked.write(f"dep=={version}", "archive")
    refused(locked, locked.read(LOCK).replace("dep==1.5 ", f"dep=={version} "))


def test_a_hash_of_a_direct_url_in_another_spelling(project: Project, index: LocalIndex) -> None:
    """A hash is looked up by the text of its pin, which has more than one form for a URL."""
    index.publish("app", "1.0")
    wheel = index.publish("tool", "1.0")
    url = index.url.replace("/simple/", f"/packages/{wheel.name}")
    project.write("noxfile.py", NOXFILE)
    project.write("requirements.in", f"app\ntool @ {url}\n")
    project.nox("-s", "lock").ok()
    text = project.read(LOCK)
    at = text.index(f"tool @ {url}")
    changed = re.sub("sha256:[0-9a-f]+", f"sha256:{'e' * 64}", text[at:])
    refused(project, text[:at] + changed.replace(url, f"{url}#egg=tool"))


def test_the_hash_of_a_wheel_taken_out(project: Project, index: LocalIndex) -> None:
    """What is left is the source: installing builds it, with what its build requires, unlocked.

    A wheel that was uploaded after the lock was made looks the same, so this is a warning.
    """
    wheel = index.publish("app", "1.0")
    build_sdist(index.folder, "app", "1.0")
    project.write("noxfile.py", NOXFILE)
    project.write("requirements.in", "app\n")
    project.nox("-s", "lock").ok()
    text = project.read(LOCK)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    lines = [line for line in text.splitlines(keepends=True) if digest not in line]
    assert text.count("--hash") == "".join(lines).count("--hash") + 1 == 2
    kept = "".join(lines)
    at = kept.rindex("--hash")
    end = kept.index("\n", at)
    project.write(LOCK, kept[:end].rstrip(" \\") + kept[end:])
    said = project.nox("-s", "lock-check", "--", "--deep").ok().output
    assert "warning: an index publishes more files of app==1.0 than the lock has hashes of" in said

"""An environment against its lock files: what to install, what to remove, what is unmet."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from nox_lock.console import Console
from nox_lock.environments.comparison import LockedEnvironment, fits
from nox_lock.environments.environment import Distribution, Environment, read_distribution
from nox_lock.lockfile.lock_file import Pin
from nox_lock.project import Project
from nox_lock.target import Target, running_target
from support.plans import plan_folder

if TYPE_CHECKING:
    from pathlib import Path

    from nox_lock.planning.lock_plan import LockPlan

LOCK = 'app==1.0\nlib[x]==2.0 ; python_version >= "3"\nold==1.0 ; python_version < "3"\n'


@pytest.fixture
def planned(tmp_path: Path) -> list[LockPlan]:
    (tmp_path / "requirements.in").write_text("app\nlib[x]\n", encoding="utf-8")
    (tmp_path / "requirements.txt").write_text(LOCK, encoding="utf-8")
    return plan_folder(tmp_path)


def distribution(folder: Path, version: str, *requires: str) -> Distribution:
    """Write the metadata of a distribution."""
    folder.mkdir(parents=True)
    lines = ["Metadata-Version: 2.1", *(f"Requires-Dist: {each}" for each in requires)]
    (folder / "METADATA").write_text("\n".join(lines), encoding="utf-8")
    (folder / "RECORD").touch()
    return Distribution(version, folder)


def open_environment(planned: list[LockPlan], root: Path, target: Target) -> LockedEnvironment:
    venv = Environment(root / "env", root / "env" / "site-packages", target, "remake")
    return LockedEnvironment(planned, venv, Project(root, {}), Console(print, print))


def test_what_is_to_be_done(planned: list[LockPlan], tmp_path: Path) -> None:
    locked = open_environment(planned, tmp_path, Target("3.11"))
    missing, _ = locked.find_missing({})
    assert [str(each) for each in missing] == [
        "app==1.0 is not installed (requirements.txt:1)",
        "lib==2.0 is not installed (requirements.txt:2)",
    ]
    installed = {name: Distribution("1", tmp_path) for name in ("app", "lib", "pip", "extra")}
    missing, names = locked.find_missing(installed)
    assert [str(each) for each in missing] == [
        "lib==2.0 is locked, 1 is installed (requirements.txt:2)"
    ]
    assert names == {"app", "lib"}


def test_an_environment_matches_when_that_was_verified(
    planned: list[LockPlan], tmp_path: Path
) -> None:
    locked = open_environment(planned, tmp_path, Target("3.11"))
    venv = locked.venv
    site = venv.site
    for name in ("app-1.0", "lib-2.0", "extra-1.0"):
        distribution(site / f"{name}.dist-info", name.partition("-")[2])
    distribution(site / "me-1.0.dist-info", "1.0")
    origin = f'{{"url": "{tmp_path.as_uri()}"}}'
    (site / "me-1.0.dist-info" / "direct_url.json").write_text(origin, encoding="utf-8")
    distribution(site / "pip-1.0.dist-info", "1.0")
    nothing = locked.compare(without=("app", "lib"))
    assert locked.compare().remove == ["extra"]
    assert locked.compare().digest != nothing.digest
    venv.write_note("kept", "extra")
    comparison = locked.compare()
    assert (comparison.remove, comparison.kept) == ([], ["extra"])
    assert not comparison.matches
    venv.write_note("verified", comparison.digest)
    assert locked.compare().matches
    venv.write_note("unfinished", "app")
    assert [each.pin.name for each in locked.compare().missing] == ["app"]
    (site / "lib-2.0.dist-info" / "RECORD").unlink()
    [half] = locked.compare().damaged["lib"]
    assert half.metadata == site / "lib-2.0.dist-info"


def test_dependencies_that_are_unmet(planned: list[LockPlan], tmp_path: Path) -> None:
    """Those of extras count where they are required, and those of other Pythons do not."""
    needs = ("low>1", 'other; extra == "y"', 'no; python_version < "3"', "old wrong")
    installed = {
        "app": distribution(tmp_path / "app", "1.0", *needs),
        "lib": distribution(tmp_path / "lib", "2.0", 'gone; extra == "x"', "low"),
        "low": distribution(tmp_path / "low", "1.0"),
    }
    locked = open_environment(planned, tmp_path, running_target())
    assert locked.find_unmet(running_target(), installed) == [
        "app 1.0 needs low>1, but 1.0 is installed",
        "lib 2.0 needs gone, which is not installed",
    ]


COMMIT, OTHER = "1" * 40, "2" * 40
CLONE = {"vcs": "git", "requested_revision": COMMIT, "commit_id": COMMIT}
BRANCH = CLONE | {"requested_revision": "main"}
NO_BRANCH = {"vcs": "git", "commit_id": COMMIT}
ORIGINS: list[tuple[str, dict[str, object], bool]] = [
    (f"git+https://h.invalid/a.git@{COMMIT}", {"vcs_info": CLONE}, True),
    (f"git+https://h.invalid/a.git@{OTHER}", {"vcs_info": CLONE}, False),
    (f"git+https://h.invalid/a.git@{COMMIT}#egg=a", {"vcs_info": BRANCH}, True),
    ("git+https://h.invalid/a.git@main", {"vcs_info": BRANCH}, True),
    ("git+https://h.invalid/a.git", {"vcs_info": NO_BRANCH}, True),
    ("git+https://h.invalid/a.git", {"vcs_info": BRANCH}, False),
    (f"git+https://u:${{TOKEN}}@h.invalid/a.git@{COMMIT}", {"vcs_info": CLONE}, True),
    (f"git+https://h.invalid/b.git@{COMMIT}", {"vcs_info": CLONE}, False),
    (f"git+https://h.invalid/a.git@{COMMIT}#subdirectory=x", {"vcs_info": CLONE}, False),
    (
        f"git+https://h.invalid/a.git@{COMMIT}#egg=a&subdirectory=x",
        {"vcs_info": CLONE, "subdirectory": "x"},
        True,
    ),
    ("https://h.invalid/a.git", {}, True),
    ("https://h.invalid/a.git#sha256=0", {}, True),
    ("git+https://h.invalid/a.git", {}, False),
]


@pytest.mark.parametrize(("url", "record", "same"), ORIGINS)
def test_what_came_from_a_url(
    tmp_path: Path,
    url: str,
    record: dict[str, object],
    same: bool,  # noqa: FBT001
) -> None:
    text = json.dumps({"url": "https://h.invalid/a.git", **record})
    (tmp_path / "direct_url.json").write_text(text, encoding="utf-8")
    assert fits(Pin("a", None, url, 1), read_distribution("1.0", tmp_path), tmp_path) is same


@pytest.mark.parametrize(
    ("fragment", "digest", "same"),
    [
        ("subdirectory=one", "a", True),
        ("subdirectory=two", "a", False),
        ("", "a", False),
        ("subdirectory=one", "b", False),
        ("subdirectory=one", "c", False),
    ],
)
def test_an_archive_that_is_another_by_now(
    tmp_path: Path,
    fragment: str,
    digest: str,
    same: bool,  # noqa: FBT001
) -> None:
    """It has the same address."""
    record = {"url": "https://h.invalid/a.zip", "subdirectory": "one"}
    text = json.dumps({**record, "archive_info": {"hashes": {"sha256": "a" * 64}}})
    (tmp_path / "direct_url.json").write_text(text, encoding="utf-8")
    url = f"https://h.invalid/a.zip#{fragment}"
    hashes = [f"sha256:{digest.upper() * 64}", f"sha512:{'a' * 128}"]
    found = read_distribution("1.0", tmp_path)
    assert fits(Pin("a", None, url, 1, hashes=hashes), found, tmp_path) is same
    only = Pin("a", None, url, 1, hashes=hashes[1:])
    assert fits(only, found, tmp_path) is (fragment == "subdirectory=one")


@pytest.mark.parametrize(
    ("url", "same"),
    [
        (".", True),
        ("file:.", True),
        ("./sub dir/..", True),
        ("{root}", True),
        ("git+{root}@1", False),
        ("../other", False),
    ],
)
def test_what_came_from_a_folder(
    tmp_path: Path,
    url: str,
    same: bool,  # noqa: FBT001
) -> None:
    pin = Pin("a", None, url.format(root=tmp_path.as_uri()), 1, editable=True)
    found = Distribution("1.0", tmp_path, tmp_path.as_uri())
    assert fits(pin, found._replace(editable=True), tmp_path) is same
    assert not fits(pin, found, tmp_path)
    # As pip-compile writes it.
    mangled = Pin("a", None, f"git+file:{tmp_path.as_posix()}@v1", 1)
    assert fits(mangled, found._replace(revisions=frozenset({"v1"})), tmp_path)


def test_an_editable_clone(tmp_path: Path) -> None:
    """pip does not record its commit, which is in the clone."""
    (tmp_path / "src" / "a" / ".git").mkdir(parents=True)
    (tmp_path / "src" / "a" / ".git" / "HEAD").write_text(f"{COMMIT}\n", encoding="utf-8")
    clone = tmp_path / "src" / "a"
    found = Distribution("1.0", tmp_path, clone.as_uri(), editable=True)
    for revision, same in ((f"@{COMMIT}", True), (f"@{OTHER}", False), ("@main", True), ("", True)):
        pin = Pin("a", None, f"git+https://h.invalid/a{revision}#egg=a", 1, editable=True)
        assert fits(pin, found, tmp_path) is same

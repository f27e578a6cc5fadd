"""What a person should know of a lock that was made: what pip only warns of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nox_lock.compiling.interpreters import Interpreter
from nox_lock.compiling.notes import find_notes
from nox_lock.compiling.report import Report
from nox_lock.lockfile.pins import Pin
from nox_lock.locking.compiler import make_order
from nox_lock.target import Target, running_target
from support.compiles import CompileFolder
from support.offers import Offer
from support.plans import plan_folder
from support.scripted import NOT_FOUND, ScriptedIndex
from support.wheels import build_wheel

if TYPE_CHECKING:
    from pathlib import Path


def test_what_pip_only_warns_of(tmp_path: Path) -> None:
    offer, files = Offer(), tmp_path / "files"
    offer.add(build_wheel(files, "app", "1.0", requires=["dep[none]"], extras={"known": ["lib"]}))
    offer.add(build_wheel(files, "dep", "1.0"))
    offer.add(build_wheel(files, "lib", "1.0"))
    offer.add(build_wheel(files, "old", "1.0"), yanked="it deletes files")
    offer.add(build_wheel(files, "older", "0.9"), yanked="")
    offer.add(build_wheel(files, "asks", "1.0", requires=["older==0.9"]))
    with ScriptedIndex(NOT_FOUND, offer.answers()) as index:
        folder = CompileFolder(tmp_path, index.url)
        folder.write(
            {
                "requirements.in": "asks\nold==1.0\napp[known,un_known]\n",
                "pyproject.toml": """
                    [project]
                    name = "mine"
                    version = "1.0"
                    requires-python = ">=3.99"
                    [tool.nox-lock.locks.requirements]
                    inputs = ["requirements.in", "pyproject.toml"]
                    """,
            }
        )
        compiled = folder.run()
    assert sorted(compiled.notes) == [
        "app 1.0 does not provide the extra 'un-known' (requirements.in:3)",
        "dep 1.0 does not provide the extra 'none'",
        "old==1.0 was withdrawn (yanked): it deletes files (requirements.in:2)",
        "older==0.9 was withdrawn (yanked)",
        f"the project wants Python >=3.99 (pyproject.toml:4), not {running_target()}",
    ]
    assert compiled.newest == {"app": "1.0", "asks": "1.0", "dep": "1.0", "lib": "1.0"}


def test_who_built_what(tmp_path: Path) -> None:
    """Of all that was built on the way, only what is pinned."""
    (tmp_path / "requirements.in").write_text("app\n", encoding="utf-8")
    (planned,) = plan_folder(tmp_path)
    order = make_order(planned)
    report = Report(
        built=[("app", "1.0"), ("app", "0.9"), ("lib", "2.0"), ("app", "1.0")],
        built_projects=["pyproject.toml"],
    )
    foreign = Interpreter("python", Target("3.10"), foreign=True)
    by_version = [Pin("app", "1.0", None, 1), Pin("lib", "1.0", None, 2)]

    def notes(*pins: Pin) -> list[str]:
        return [each.partition(": ")[2] for each in find_notes(report, order, pins, foreign)]

    assert notes(*by_version) == ["app==1.0, pyproject.toml"]
    # One that is named by a URL or a folder has whichever version it has.
    assert notes(Pin("lib", None, "./lib", 1)) == ["lib==2.0, pyproject.toml"]
    assert notes(Pin(None, None, "./app", 1)) == ["app==1.0, app==0.9, lib==2.0, pyproject.toml"]
    own = Interpreter("python", order.target, foreign=False)
    assert list(find_notes(report, order, by_version, own)) == []

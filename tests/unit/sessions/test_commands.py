"""The options of `lock` and `lock-check`, and what the two do, without a process of nox."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

import pytest

from nox_lock.checking.judge import judge_all
from nox_lock.console import Console
from nox_lock.errors import ConfigError, NoxLockError
from nox_lock.locking.changes import UP_TO_DATE, Outcome
from nox_lock.locking.options import CompileOptions
from nox_lock.sessions.commands import make_parser, parse_options, relock, run
from nox_lock.sessions.noxfile import Noxfile
from nox_lock.target import parse_target
from support.locks import stamp_all
from support.plans import open_folder, plan_folder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from nox_lock.planning.lock_plan import AnyPlan

LOCK = "requirements.txt"
PIN = "app==1.0 \\\n    --hash=sha256:" + "0" * 64 + "\n    # via -r requirements.in"


OURS = ("lock", "lock-check")


class Manifest(list[argparse.Namespace]):
    """Sessions that nox runs."""

    def list_all_sessions(self) -> list[tuple[argparse.Namespace, bool]]:
        return [(each, True) for each in self]


class Ran:
    """What a command said; `session` is the part of a nox session that it reads."""

    def __init__(self, root: Path, environ: Mapping[str, str] | None = None) -> None:
        self.lines: list[str] = []
        self.console = Console(self.lines.append, self.lines.append)
        self.noxfile = Noxfile(open_folder(root, environ), [])

    def run(
        self, name: str, *arguments: str, others: Sequence[str] = (), ours: str | None = None
    ) -> str:
        names = [name, *others, *([ours] if ours else [])]
        manifest = Manifest(argparse.Namespace(name=each) for each in names)
        posargs = list(arguments)
        options = argparse.Namespace(posargs=posargs)
        runner = argparse.Namespace(name=name, global_config=options, manifest=manifest)
        session: Any = argparse.Namespace(name=name, python=False, posargs=posargs, _runner=runner)
        run(session, OURS, self.noxfile, self.console, check=name == "lock-check")
        return "\n".join(self.lines)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a project with a fresh lock file."""
    (tmp_path / "requirements.in").write_text("app\n")
    stamp_all(tmp_path, {"requirements": PIN})
    return tmp_path


@pytest.mark.parametrize("printing", ["--check", "--why=app"])
@pytest.mark.parametrize(
    "changing", ["--upgrade", "-P=app", "--together", "--no-cache", "--overwrite", "--dry-run"]
)
def test_what_only_prints_goes_with_nothing_that_changes(printing: str, changing: str) -> None:
    option = {"-P=app": "--upgrade-package"}.get(changing, changing)
    with pytest.raises(ConfigError) as caught:
        parse_options(make_parser("lock"), [printing, changing.replace("=", "")])
    name = printing.partition("=")[0]
    assert caught.value.message == f"{name} does not go with {option}"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--why=app --format=json", "--why does not go with --format json"),
        ("--why=app --format=markdown", "--why does not go with --format markdown"),
        ("--check --format=markdown", "--check does not go with --format markdown"),
        ("--format=github", "argument --format: invalid choice: 'github'"),
        ("--python=three", "'three' names no Python"),
        ("--upgrade-package=app=1", "--upgrade-package 'app=1' names no project"),
        ("-P", "argument -P/--upgrade-package: expected one argument"),
        ("--upgrad", "unrecognized arguments: --upgrad"),
        ("--deep", "unrecognized arguments: --deep"),
    ],
)
def test_what_lock_refuses(arguments: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_options(make_parser("pin"), arguments.split())
    assert said in caught.value.message
    assert caught.value.hint is not None


def test_the_hint_is_of_the_session_that_was_called() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_options(make_parser("verify", check=True), ["-U"])
    assert caught.value.hint == "nox -s verify -- --help lists the options."


@pytest.mark.parametrize("check", [False, True])
def test_help_names_each_option(*, check: bool, capsys: pytest.CaptureFixture[str]) -> None:
    parser = make_parser("name", check=check)
    assert parse_options(parser, ["--help"]) is None
    said = capsys.readouterr().out
    assert said.startswith("usage: nox -s name -- [-h]")
    for action in parser._actions:  # noqa: SLF001
        assert action.help
        assert all(option in said for option in action.option_strings)


def test_how_options_say_to_compile(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[CompileOptions] = []

    def note(
        _: object, options: CompileOptions, __: object, planned: Sequence[AnyPlan], *___: object
    ) -> list[tuple[AnyPlan, Outcome]]:
        given.append(options)
        return [(each, Outcome(each, UP_TO_DATE)) for each in planned]

    monkeypatch.setattr("nox_lock.locking.run.lock_all", note)
    words = "requirements -U -P app -P app<3 --together --no-cache --overwrite --dry-run"
    Ran(root).run("lock", *words.split())
    Ran(root).run("lock")
    asked = CompileOptions(
        upgrade=True,
        upgrade_package=["app", "app<3"],
        no_cache=True,
        overwrite=True,
        together=True,
        dry_run=True,
    )
    assert given == [asked, CompileOptions(upgrade_package=[])]


def test_which_lock_files_are_chosen() -> None:
    found = parse_options(make_parser("lock"), ["dev", "--python", "3.11"])
    assert found is not None
    assert (found.names, found.python) == (["dev"], [parse_target("3.11")])


@pytest.mark.parametrize("words", ["-k foo", "tests/unit", "--help", "--format xml", "-v -x"])
def test_what_is_for_other_sessions_is_left_to_them(root: Path, words: str) -> None:
    said = Ran(root).run("lock-check", *words.split(), others=["plain", "tests"])
    assert said.startswith(f"left to plain, tests: {words}\n+ {LOCK}: fresh")


@pytest.mark.parametrize("words", ["requirements", "--deep --nosuch", "nosuch"])
def test_without_other_sessions_all_must_be_known(root: Path, words: str) -> None:
    ran = Ran(root)
    if words == "requirements":
        assert "left to" not in ran.run("lock-check", words, others=["plain"])
        return
    with pytest.raises(ConfigError, match="nosuch"):
        ran.run("lock-check", *words.split())
    assert ran.lines == []


@pytest.mark.parametrize(
    ("command", "other", "words"),
    [("lock-check", "lock", "--why app"), ("lock", "lock-check", "--deep")],
)
def test_what_only_the_other_of_ours_knows_is_left_to_it(
    root: Path, command: str, other: str, words: str
) -> None:
    said = Ran(root).run(command, *words.split(), ours=other)
    assert said.startswith(f"left to {other}: {words}\n")
    with pytest.raises(ConfigError, match="unrecognized arguments: --bogus"):
        Ran(root).run(command, "--bogus", ours=other)


def test_a_check_that_is_not_fresh_is_an_error_with_the_command(root: Path) -> None:
    (root / "requirements.in").write_text("app>=2\n")
    ran = Ran(root)
    with pytest.raises(NoxLockError) as caught:
        ran.run("lock-check")
    assert str(caught.value) == "lock files: 1 stale\nRun: nox -s lock"
    assert ran.lines[1:] == ["    app>=2 is not met by app==1.0 (requirements.in:1)"]
    with pytest.raises(NoxLockError, match="1 stale"):
        Ran(root).run("lock", "--check")


@pytest.mark.parametrize("form", ["json", "github"])
def test_an_error_is_in_the_form_that_is_asked_for(
    root: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError):
        Ran(root).run("lock-check", "nosuch", "--format", form)
    said = capsys.readouterr().out
    if form == "json":
        assert json.loads(said)["error"]["message"] == "there is no lock 'nosuch'"
    else:
        assert said == "::error title=nox-lock::there is no lock 'nosuch'\n"


def test_github_actions_get_their_form_unasked(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "requirements.in").write_text("app>=2\n")
    with pytest.raises(NoxLockError):
        Ran(root, {"GITHUB_ACTIONS": "true"}).run("lock-check")
    assert capsys.readouterr().out.startswith(f"::error title=nox-lock%3A {LOCK} is stale,")


def test_why_names_line_pin_and_input(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert Ran(root).run("lock", "--why", "App") == ""
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{LOCK}:")
    assert first.endswith(": app==1.0")
    assert second == "    app (requirements.in:1)"


@pytest.mark.parametrize("option", ["--why", "-P"])
def test_a_project_that_no_lock_file_has_is_refused(root: Path, option: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Ran(root).run("lock", option, "apq")
    assert caught.value.message == "no lock file has 'apq'; did you mean 'app'?"


def test_what_is_fresh_is_not_compiled(root: Path) -> None:
    assert Ran(root).run("lock") == f"{LOCK}: up to date (1 pin)"


def test_a_session_that_may_not_lock_says_why_and_what_to_run(root: Path) -> None:
    (root / "requirements.in").write_text("app>=2\n")
    planned = plan_folder(root)
    with pytest.raises(NoxLockError) as caught:
        relock(judge_all(planned), open_folder(root), Ran(root).console, allowed=False)
    assert str(caught.value).splitlines() == [
        f"x {LOCK}: stale, Python {planned[0].target}",
        "    app>=2 is not met by app==1.0 (requirements.in:1)",
        "Run: nox -s lock",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [("app==1.0\n???\n", "'???' is not a pin"), ("app==1.0\n", "it has no hashes")],
)
def test_what_no_session_locks_although_it_may(root: Path, text: str, said: str) -> None:
    """An invalid file may hold what somebody wrote, and hashes alone are no plain reason."""
    (root / "pyproject.toml").write_text("[tool.nox-lock]\ngenerate-hashes = true\n")
    (root / LOCK).write_text(text)
    judged = judge_all(plan_folder(root))
    with pytest.raises(NoxLockError) as caught:
        relock(judged, open_folder(root), Ran(root).console, allowed=True)
    assert said in caught.value.message
    assert (root / LOCK).read_text() == text

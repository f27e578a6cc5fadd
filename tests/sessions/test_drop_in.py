"""`nox_lock.session` in the place of `nox.session`: everything of nox's goes through untouched."""

from __future__ import annotations

import inspect
import json
import re
import sys
from typing import TYPE_CHECKING, Any

import nox
import pytest

if TYPE_CHECKING:
    from support.index import LocalIndex
    from support.project import Project, Run

PYTHON = "{}.{}".format(*sys.version_info)
# `%` stands for the module whose `session` is used.
NOXFILE = '''
    """The docstring of the noxfile."""
    import nox
    import %


    SAY = "import sys; print('said', *sys.argv[1:])"


    def say(session, *words):
        session.run("python", "-c", SAY, *words, external=True)


    @%.session
    def bare(session):
        """First line of bare.

        And more of it.
        """
        say(session, "bare")


    @%.session()
    def empty(session):
        say(session, "empty", *session.posargs)


    @%.session(name="re-named", tags=["slow", "ci"], default=False)
    def named(session):
        """A session of another name."""
        say(session, session.name)


    @%.session(tags=["slow"], requires=["bare"])
    def after(session):
        """Runs after bare."""
        say(session, "after")


    @%.session(tags=["par"])
    @nox.parametrize("number", [1, 2], ids=["one", "two"])
    @nox.parametrize("taste", [nox.param("sweet", tags=["sugar"]), "sour"])
    def inner(session, number, taste):
        """Parametrized below the decorator."""
        say(session, str(number + 1), taste)


    @nox.parametrize("number", [1, 2])
    @%.session
    def outer(session, number):
        """Parametrized above it."""
        say(session, str(number + 1))


    @%.session(python=["PYTHON"], default=False)
    def versioned(session):
        """One for each Python."""
        say(session, str(session.python))


    @%.session(default=False)
    def notifies(session):
        """Puts another in the queue."""
        session.notify("empty", posargs=["by", "notify"])


    @%.session(default=False)
    def aborts(session):
        session.error("no luck")


    @%.session(default=False)
    def skips(session):
        session.skip("not today")


    @%.session(default=False)
    def fails(session):
        session.run("python", "-c", "raise SystemExit(3)", external=True)
'''.replace("PYTHON", PYTHON)


# nox knows both since 2025.2.9.
TAGS_OF_A_PARAMETER = ', tags=["sugar"]'
REQUIRES = ', requires=["bare"]'
NEW = "requires" in inspect.signature(nox.session).parameters


def noxfile(module: str) -> str:
    text = NOXFILE.replace("%", module)
    return text if NEW else text.replace(TAGS_OF_A_PARAMETER, "").replace(REQUIRES, "")


def both(project: Project, *arguments: str, report: bool = False) -> tuple[Run, Run]:
    """Run the same noxfile with nox's decorator and with ours; the report must be the same."""
    runs, reports = [], []
    for module in ("nox", "nox_lock"):
        project.write("noxfile.py", noxfile(module))
        runs.append(project.nox(*(["--report", "report.json"] if report else []), *arguments))
        reports.append(read_report(project) if report else None)
    assert reports[0] == reports[1]
    return runs[0], runs[1]


def told(run: Run) -> tuple[int, str, list[str]]:
    """Return all that a run said, but for how long it took."""
    untimed = re.sub(r",? \(?(?:took|in) (?:a|\d+) seconds?\)?", "", run.stderr)
    return run.returncode, run.stdout, untimed.splitlines()


@pytest.mark.parametrize(
    "arguments",
    [
        ("-l",),
        ("-l", "--json"),
        ("-l", "-t", "slow"),
        ("-l", "-t", "sugar"),
        ("-l", "-k", "inner and one"),
        ("-l", "-p", PYTHON),
        ("-l", "-s", "inner"),
        ("--usage", "bare"),
        ("--usage", "empty"),
        ("--usage", "inner"),
    ],
    ids=" ".join,
)
def test_nox_shows_the_same_sessions(project: Project, arguments: tuple[str, ...]) -> None:
    """Names, descriptions, tags, selections and usage are those of `nox.session`."""
    plain, ours = both(project, *arguments)
    assert told(ours) == told(plain)
    assert plain.output.strip()


def test_nox_runs_them_in_the_same_way(project: Project) -> None:
    """Order, parametrization, posargs, notify, errors and `--report` are those of `nox.session`."""
    here = ("--no-venv", "--no-install")
    first = () if NEW else ("bare",)  # else it is pulled in
    names = (*first, "after", "inner", "outer", "notifies", "re-named", "skips", "aborts", "fails")
    plain, ours = both(project, *here, "-s", *names, "--", "pos", "args", report=True)
    assert told(ours) == told(plain)
    said = [line for line in ours.stdout.splitlines() if line.startswith("said")]
    assert said[:3] == ["said bare", "said after", "said 2 sweet"]
    assert said[-1] == "said empty by notify"  # it was put at the end
    assert ours.returncode == 1
    results = [(each["signatures"][-1], each["result"]) for each in read_report(project)]
    assert results[:2] == [("bare", "success"), ("after", "success")]
    assert results[-4:-1] == [("skips", "skipped"), ("aborts", "aborted"), ("fails", "failed")]

    plain, ours = both(project, *here, "--", "pos", "args")
    assert told(ours) == told(plain)
    assert "said empty pos args" in ours.ok().stdout
    assert "re-named" not in ours.output


def read_report(project: Project) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads(project.read("report.json"))["sessions"]
    for entry in entries:
        entry.pop("duration", None)
        entry["args"].pop("duration", None) if isinstance(entry.get("args"), dict) else None
    return entries


def test_they_install_their_lock_with_and_without_parentheses(
    project: Project, index: LocalIndex
) -> None:
    """In real environments: bare, with parentheses, parametrized, by Python, with posargs."""
    index.publish("app", "1.0")
    use = "import sys, app; print('app', app.__version__, *sys.argv[1:])"
    project.write("requirements.in", "app\n")
    project.write(
        "noxfile.py",
        f"""
        import nox
        import nox_lock

        nox_lock.add_sessions()
        nox.options.default_venv_backend = "uv|virtualenv"
        USE = ("python", "-c", {use!r})

        @nox_lock.session
        def bare(session):
            session.run(*USE, "bare", *session.posargs)

        @nox_lock.session()
        @nox.parametrize("word", ["x", "y"])
        def par(session, word):
            session.run(*USE, word)

        @nox_lock.session(python="{PYTHON}", tags=["versioned"])
        def versioned(session):
            session.run(*USE, session.python)
        """,
    )
    run = project.nox("--report", "report.json", "--", "pos").ok()
    for words in ("bare pos", "x", "y", PYTHON):
        assert f"app 1.0 {words}\n" in run.stdout
    names = ["bare", "par(word='x')", "par(word='y')", f"versioned-{PYTHON}"]
    report = read_report(project)
    assert [each["signatures"][-1] for each in report] == names
    assert {each["result"] for each in report} == {"success"}
    assert run.output.count("compiled in") == 1

    again = project.nox("-t", "versioned").ok()
    assert f"app 1.0 {PYTHON}\n" in again.stdout
    assert "pip install" not in again.output


def test_our_sessions_are_listed_and_run_only_when_named(project: Project) -> None:
    """`lock` and `lock-check` stand in `nox -l`, unselected; plain `nox` does not run them."""
    project.write(
        "noxfile.py",
        """
        import nox
        import nox_lock

        nox_lock.add_sessions()

        @nox.session(venv_backend="none")
        def mine(session):
            session.log("mine ran")
        """,
    )
    lines = project.nox("-l").ok().stdout.splitlines()
    listed = {line.split()[1]: line for line in lines if line.startswith(("- ", "* "))}
    assert set(listed) == {"mine", "lock", "lock-check"}
    assert listed["mine"].startswith("* ")
    for name in ("lock", "lock-check"):
        assert listed[name].startswith(f"- {name} -> ")
    run = project.nox().ok()
    assert "mine ran" in run.output
    assert "session lock" not in run.output


def test_the_options_of_our_sessions_are_told(project: Project) -> None:
    """`-- --help` of each tells its options, writes nothing and succeeds."""
    project.write("noxfile.py", "import nox_lock\n\nnox_lock.add_sessions()\n")
    text = project.nox("-s", "lock", "--", "--help").ok().output
    assert "usage: nox -s lock --" in text
    for option in ("--upgrade", "--upgrade-package", "--check", "--no-cache", "--overwrite"):
        assert option in text
    text = project.nox("-s", "lock-check", "--", "--help").ok().output
    assert "usage: nox -s lock-check --" in text
    assert "--format" in text
    assert set(project.snapshot()) == {"noxfile.py"}


def test_a_keyword_that_nox_does_not_know_is_its_error(project: Project) -> None:
    """A misspelt argument is refused by nox itself, when the noxfile is read."""
    for module in ("nox", "nox_lock"):
        text = f"import {module}\n\n@{module}.session(tagz=['x'])\ndef tests(session): ...\n"
        project.write("noxfile.py", text)
        run = project.nox("-l").failed(traceback=True)
        assert "unexpected keyword argument 'tagz'" in run.output

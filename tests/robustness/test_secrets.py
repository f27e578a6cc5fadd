"""A dozen credentials that a user may have: they open the indexes, and go nowhere else.

All of them are made up. Each is a word of its own, so that a search finds which one got out.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from nox_lock import text
from nox_lock.errors import RequirementsError
from nox_lock.inputs.requirements import Files, read_inputs
from nox_lock.text import has_password, markdown, quoted, redact, shareable
from support.index import USER, LocalIndex
from support.inside import nox_inside
from support.locks import find_bytes, pins
from support.mistakes import BODY, HEADER, PLAIN
from support.plans import open_folder
from support.project import Project, clean_environment, finish, kill
from support.scripted import BROKEN, SILENT, RefusingIndex, ScriptedIndex

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.project import Run

INPUT, LOCK = "requirements.in", "requirements.txt"
KEYRING = """\
#!{python}
import json, sys
if "get" in sys.argv:
    pair = {{"username": "{user}", "password": "{password}"}}
    print(json.dumps(pair) if "--output=json" in sys.argv else pair["password"])
"""
# What opens an index here; what is only there to be given away.
OPENING = ("main", "extra", "links", "variable", "netrc", "keyring")
IDLE = ("conf", "proxy", "uv", "uv-index", "certificate", "query", "vcs", "path")
SECRETS = {name: f"planted-{name}-{number:x}" for number, name in enumerate(OPENING + IDLE, 0xA7)}


@dataclass(frozen=True)
class Employee:
    """Someone with a secret in every place that has room for one."""

    project: Project
    indexes: dict[str, LocalIndex]
    environ: dict[str, str]

    @property
    def needles(self) -> dict[str, str]:
        """What must not be shown, by what it is."""
        return {**SECRETS, "the home folder": str(self.project.home)}

    def run(self, *args: str, **env: str) -> Run:
        """Run nox; see that it prints no secret."""
        return self.silent(self.project.nox(*args, env={**self.environ, **env}))

    def silent(self, run: Run) -> Run:
        found = [what for what, secret in self.needles.items() if secret in run.output]
        assert not found, f"{found}\n{run.output}"
        return run

    def written(self) -> dict[str, list[str]]:
        """Return which files hold a secret, of all that was written anywhere."""
        top = self.project.home.parent
        home = self.project.home.name
        own = [f"{home}/.netrc", f"{home}/pip.conf", f"{home}/bin/keyring"]  # where they are kept
        found = find_bytes(top, self.needles.values())
        own.append(f"{SECRETS['certificate']}/client.pem")
        return {path: what for path, what in found.items() if path not in own}


def address(url: str, name: str, *, host: str = "127.0.0.1", user: str | None = USER) -> str:
    """Return a URL with the credential of this name in it."""
    login = f"{user}:{SECRETS[name]}@" if user else ""
    return url.replace("://127.0.0.1", f"://{login}{host}")


@pytest.fixture(scope="module")
def indexes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, LocalIndex]]:
    """Return an index for each way to open one; each has the one project of its name."""
    folder = tmp_path_factory.mktemp("indexes")
    made = {name: LocalIndex(folder / name, password=SECRETS[name]) for name in OPENING}
    for name, index in made.items():
        index.publish(f"of-{name}", "1.0")
        index.start()
    yield made
    for index in made.values():
        index.stop()


@pytest.fixture
def employee(
    tmp_path: Path, seeds: dict[str, str], indexes: dict[str, LocalIndex]
) -> Iterator[Employee]:
    home = tmp_path / "home"
    if os.name == "nt":
        pytest.skip("its keyring is a script of POSIX")
    # uv reads none of pip's ways in but the URLs.
    env = {**seeds, "NOX_DEFAULT_VENV_BACKEND": "virtualenv"}
    project = Project(tmp_path / "project", home, env=env)
    for name in OPENING:
        indexes[name].clear_requests()
    url = {name: index.url for name, index in indexes.items()}
    keyring = home / "bin" / "keyring"
    keyring.parent.mkdir()
    script = KEYRING.format(python=sys.executable, user=USER, password=SECRETS["keyring"])
    keyring.write_text(script, encoding="utf-8")
    keyring.chmod(0o700)
    certificate = tmp_path / SECRETS["certificate"] / "client.pem"
    certificate.parent.mkdir()
    certificate.write_text("never shown to a plain http server", encoding="utf-8")
    links = address(url["links"], "links") + f"of-links/?token={SECRETS['query']}"
    (home / "pip.conf").write_text(
        f"[global]\n"
        f"index-url = {address('https://127.0.0.1:9/simple/', 'conf')}\n"
        f"find-links = {links}\n"
        f"keyring-provider = subprocess\n",
        encoding="utf-8",
    )
    netrc = f"machine localhost login {USER} password {SECRETS['netrc']}\n"
    (home / ".netrc").write_text(netrc, encoding="utf-8")
    (home / ".netrc").chmod(0o600)
    extra = (
        address(url["extra"], "extra"),
        url["netrc"].replace("127.0.0.1", "localhost"),
        url["keyring"].replace("://", f"://{USER}@"),
    )
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    environ = {
        "PATH": os.pathsep.join([str(keyring.parent), os.environ["PATH"]]),
        "TMPDIR": str(temporary),
        "PIP_CONFIG_FILE": str(home / "pip.conf"),
        "PIP_INDEX_URL": address(url["main"], "main"),
        "PIP_EXTRA_INDEX_URL": " ".join(extra),
        "PIP_CLIENT_CERT": str(certificate),
        "PIP_RETRIES": "0",
        "HTTPS_PROXY": address("http://127.0.0.1:9", "proxy"),
        "UV_EXTRA_INDEX_URL": address("http://127.0.0.1:9/simple/", "uv"),
        "UV_INDEX_COMPANY_PASSWORD": SECRETS["uv-index"],
        "COMPANY_TOKEN": SECRETS["variable"],
        "VCS_TOKEN": SECRETS["vcs"],
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
    }
    project.write(
        "noxfile.py",
        """
        import nox_lock

        nox_lock.add_sessions()


        @nox_lock.session(lock="requirements")
        def tests(session):
            session.log("ran")
        """,
    )
    variable = url["variable"].replace("://", f"://{USER}:${{COMPANY_TOKEN}}@")
    lines = [f"--extra-index-url {variable}", *(f"of-{name}" for name in OPENING)]
    project.write(INPUT, "\n".join([*lines, ""]))
    yield Employee(project, indexes, environ)
    project.close()


def test_each_secret_opens_its_index_and_is_shown_nowhere(employee: Employee) -> None:
    run = employee.run("-v", "-s", "lock").ok()
    assert "compiled in" in run.output
    assert pins(employee.project.read(LOCK)) == {f"of-{name}": "1.0" for name in OPENING}
    assert "${COMPANY_TOKEN}" in employee.project.read(LOCK)
    assert all(index.downloads(f"of-{n}") for n, index in employee.indexes.items())
    employee.run("-s", "lock-check", "--", "--format=github").ok()
    employee.run("-s", "tests").ok()
    assert employee.written() == {}


FAILURES = {
    "indexes": (
        r"refused; http://127\.0\.0\.1:\d+: it answered 500",
        {
            "PIP_INDEX_URL": "http://{user}:{main}@{refusing}",
            "PIP_EXTRA_INDEX_URL": "http://{user}:{extra}@{broken}?t={query} "
            "http://{keyring}@{broken} http://{broken}{path}/simple",
        },
    ),
    "certificate": (r"invalid path: no\.pem", {"PIP_CLIENT_CERT": "{home}/{certificate}/no.pem"}),
    "proxy": ("cannot be reached", {"PIP_PROXY": "http://{user}:{proxy}@{refusing}"}),
    "keyring": ("answered 401", {"PIP_KEYRING_PROVIDER": "disabled"}),
}


@pytest.mark.parametrize(
    "way",
    [
        *("indexes", "certificate"),
        *(pytest.param(each, marks=pytest.mark.long) for each in ("proxy", "keyring")),
    ],
)
def test_a_failure_shows_none(employee: Employee, way: str) -> None:
    """Secrets in all that names what failed; -v shows no more."""
    message, settings = FAILURES[way]
    with ScriptedIndex(BROKEN) as broken, RefusingIndex() as refusing:
        names = {
            **SECRETS,
            "user": USER,
            "home": employee.project.home,
            "broken": broken.url.removeprefix("http://"),
            "refusing": refusing.url.removeprefix("http://"),
        }
        env = {name: value.format(**names) for name, value in settings.items()}
        run = employee.run("-v", "-s", "lock", **env).failed(traceback=True)  # that of pip-tools
    assert re.search(message, run.output), run.output
    assert not employee.project.exists(LOCK)
    assert employee.written() == {}


def test_a_kill_leaves_none(employee: Employee) -> None:
    """While pip waits for an answer, with all of its files open."""
    with ScriptedIndex(SILENT) as silent:
        url = silent.url.replace("://", f"://{USER}:{SECRETS['extra']}@") + SECRETS["path"]
        env = {**employee.environ, "PIP_EXTRA_INDEX_URL": url}
        process = employee.project.start_nox("-s", "lock", env=env)
        silent.wait()
        kill(process)
        [run] = finish(process)
    assert "compiling" in employee.silent(run).output
    work = employee.project.home / "nox-lock-cache" / "v2" / "work"
    [left] = work.iterdir()
    assert any(left.rglob("order.json"))
    # Paths of this machine, but no secret: nobody else may look there, and it is swept.
    assert left.stat().st_mode & 0o077 == 0
    inside = left.relative_to(employee.project.home.parent).as_posix()
    found = employee.written()
    assert [path for path in found if not path.startswith(inside)] == []
    assert {what for each in found.values() for what in each} <= {str(employee.project.home)}


REFUSED = {
    "--index-url https://{}@h.invalid/simple": "a user name without a password",
    "--extra-index-url=HTTP://{}@h.invalid/simple": "a user name without a password",
    "-i 'https://{}@h.invalid/simple'": "a user name without a password",
    "-f https://{}@h.invalid/links": "a user name without a password",
    "-f https://h.invalid/links?token={}": "a password",
    "--index-url https://h.invalid/simple?a=b&X-Amz-Signature={}": "a password",
    "mine @ https://h.invalid/mine.whl?private_token={}": "a password",
    "--index-url user:{}@h.invalid/simple": "a password",
    "--index-url //user:{}@h.invalid/simple": "a password",
    "--index-url https://user:part@{}@h.invalid/simple": "a password",
    "--index-url https://user:{}/@h.invalid/simple": "a password",
    "--index-url https://user:part/{}@h.invalid/simple": "a password",
    "--index-url https://user:{}/simple": "a password",
    "mine @ git+https://user:{}@h.invalid/mine": "a password",
    "mine @ git+https://{}@h.invalid/mine": "a user name without a password",
    "mine @ https://{}@h.invalid/mine.whl": "a user name without a password",
    "git+https://{}@h.invalid/mine": "a user name without a password",
    "-e git+https://{}@h.invalid/mine#egg=mine": "a user name without a password",
    "mine @ git+https://${{VCS_TOKEN}}@h.invalid/mine": "holds a variable",
    "mine @ https://h.invalid/mine.whl?token=${{VCS_TOKEN}}": "holds a variable",
}
TAKEN = (
    "--index-url https://${TOKEN}@h.invalid/simple",
    "--index-url https://me:${TOKEN}@h.invalid/simple",
    "--index-url https://${TOKEN}:@h.invalid/simple",
    "--find-links https://h.invalid/links?token=${TOKEN}",
    "--find-links https://h.invalid/links?page=2&broken=1&author=me",
    "mine @ git+ssh://git@h.invalid/mine",
    "mine @ git+https://git@h.invalid/mine",
    "-e git+https://git@h.invalid/mine#egg=mine",
    "mine @ https://h.invalid/mine@1.whl?v=1",
)


@pytest.mark.parametrize("line", REFUSED)
def test_a_secret_in_an_input_is_refused(line: str, tmp_path: Path) -> None:
    (tmp_path / INPUT).write_text(f"app\n{line.format(SECRETS['vcs'])}\n", encoding="utf-8")
    with pytest.raises(RequirementsError) as raised:
        read_inputs([INPUT], Files(open_folder(tmp_path, {"VCS_TOKEN": SECRETS["vcs"]})))
    assert str(raised.value).startswith(f"{INPUT}:2: ")
    assert REFUSED[line] in str(raised.value)
    assert SECRETS["vcs"] not in str(raised.value)


@pytest.mark.parametrize("line", TAKEN)
def test_what_is_no_secret_is_taken_and_shown(line: str, tmp_path: Path) -> None:
    (tmp_path / INPUT).write_text(f"app\n{line}\n", encoding="utf-8")
    assert len(read_inputs([INPUT], Files(open_folder(tmp_path, {}))).entries) in {1, 2}
    assert redact(line) == line


@pytest.mark.parametrize(
    "text",
    [
        "https://{}@h.invalid/",
        '"https://{}@h.invalid/"',
        "http://user:{}@h.invalid/",
        "see https://h.invalid/simple?token={}, it failed",
        "https://h.invalid/a?b=c&api_key={}#d",
        *(f"https://h.invalid/a?{name}={{}}" for name in ("key", "pwd", "code", "jwt", "pat")),
        "https://h.invalid/a?X-Amz-Credential={}",
        '{{"url": "https://h.invalid/a?sig={}"}}',
        "git+https://{}@h.invalid/a",
        "user:{}@h.invalid/simple",
        "user:part/{}@h.invalid/simple",
        "//user:{}@h.invalid/simple",
        "//{}@h.invalid/simple",
        "http:/user:{}@h.invalid/simple",
        "https:user:{}@h.invalid",
        r"https:\\user:{}@h.invalid\simple",
        "https://user:part@{}@h.invalid/",
        "https://user:part/{}@h.invalid/",
        "https://user:part//{}@h.invalid/",
        "https://user:{}/simple",
        "PIP_INDEX_URL=user:{}@h.invalid/simple",
        "https://h.invalid/#access_token={}",
        "https://h.invalid/?a=b;x-token={}",
        "user:{0}@h.invalid/a,user:{0}@h.invalid/b,https://{0}@h.invalid",
    ],
)
def test_what_is_shown_is_masked_once(text: str) -> None:
    shown = redact(text.format(SECRETS["vcs"]))
    assert SECRETS["vcs"] not in shown
    assert redact(shown) == shown
    assert text.startswith('{{"') is shown.endswith('"}')


@pytest.mark.parametrize(
    "text",
    [
        *("git+ssh://git@h.invalid:me/mine.git@v1", "git+git@h.invalid:me/mine@v1", "file:./a@b"),
        *(
            "https://h.invalid:8080/mine@1.whl",
            "https://[::1]:80/",
            "https://[::1/a",
            "https://h.invalid//a@1",
        ),
        *("see https://h.invalid: it failed", "(https://h.invalid:443)", r"C:\me@work\mine"),
        *("-e name@file:./mine", "git+file:///a/b@v1", "pkg:pypi/mine@1.0", "a.in:3: b@2"),
    ],
)
def test_what_only_looks_like_a_secret_is_shown(text: str) -> None:
    assert redact(text) == text
    assert not has_password(text)


@pytest.mark.parametrize("value", ["planted-a7", "pl@nt:ed/a7", "plant'\"ed\\\x1ba7", "plånted a7"])
def test_the_value_of_a_variable_is_masked_in_each_form(value: str) -> None:
    text.hide_value("NAME", value)
    for shown in (value, quote(value), quote(value, safe=""), json.dumps(value), repr(value)):
        assert "a7" not in redact(f"in {shown}/base.in:1"), shown
        assert "a7" not in quoted(f"{'x' * 100}{shown}{'x' * 100}")
        assert "a7" not in markdown(f"in {shown}/base.in")


def test_the_parts_of_a_variable_are_masked() -> None:
    """What pip makes of one that holds an index, or a user name and a password."""
    text.hide_value("INDEX", "https://me:pass-a7@h.invalid/path-a7/simple/")
    text.hide_value("LOGIN", "me:word-a7")
    for said in (
        "https://me:****@h.invalid/path-a7/simple/app/",
        "https://h.invalid/path-a7/simple/app/: 404",
        "401 for me:pass-a7, or for word-a7",
    ):
        assert "a7" not in redact(said)


def test_a_short_value_makes_nothing_unreadable() -> None:
    for value in ("1", "3.11", "dev", "test"):
        text.hide_value("NAME", value)
    said = "1 stale, 2 fresh: pytest, Python 3.11"
    assert redact(said) == said
    assert redact("test/base.in:1") == "${NAME}/base.in:1"


def test_of_an_index_of_the_settings_only_the_host_is_shown() -> None:
    text.hide_index("https://me:secret@h.invalid/a7/simple")
    text.declare("https://${USER}@h.invalid/team/simple")
    for said, shown in {
        "https://h.invalid/a7/simple/app/: it failed": "https://h.invalid: it failed",
        "(https://me:****@h.invalid:443/a7/files/x.whl?a7=1).": "(https://h.invalid).",
        "'HTTPS://H.invalid/a7'": "'https://h.invalid'",
        "https://h.invalid/team/simple/: it failed": "https://h.invalid/team/simple/: it failed",
        "https://h.invalid/team/simple/a7/": "https://h.invalid",
        "https://other.invalid/b": "https://other.invalid/b",
    }.items():
        assert redact(said) == shown
    said = shareable("Max retries exceeded with url: /a7/simple/ (Caused by it)")
    assert said == "Max retries exceeded with url: /**** (Caused by it)"


FORMS = ("text", "json", "github")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "project"
    made.mkdir()
    for name, content in (("noxfile.py", PLAIN), (INPUT, "app\n"), (LOCK, HEADER + BODY)):
        (made / name).write_text(content, encoding="utf-8")
    return made


def output_of(root: Path, form: str, **env: str) -> str:
    """Return all that a failing check says, the summary of the job included."""
    summary = root.parent / "summary.md"
    environ = clean_environment(root.parent, GITHUB_STEP_SUMMARY=str(summary), **env)
    run = nox_inside(root, "-s", "lock-check", "--", f"--format={form}", env=environ).failed()
    return run.output + (summary.read_text(encoding="utf-8") if summary.exists() else "")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("made", [True, False])
def test_a_variable_in_a_path_is_masked(form: str, made: bool, root: Path) -> None:  # noqa: FBT001
    secret = SECRETS["variable"]
    (root / INPUT).write_text("app\n-r ${PLACE}/base.in\n", encoding="utf-8")
    if made:
        (root / secret).mkdir()
        (root / secret / "base.in").write_text("more\n", encoding="utf-8")
    said = output_of(root, form, PLACE=secret)
    assert secret not in said
    assert "${PLACE}/base.in" in said


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("way", ["-r {}", "-c {}", "-r link.in"])
def test_a_file_outside_the_project_is_not_quoted(form: str, way: str, root: Path) -> None:
    outside = root.parent / "shadow"
    for line in ("root:$6$planted-a7:19000::", "planted-a7 x", "--planted-a7", "./planted-a7"):
        outside.write_text(f"# none\n{line}\n", encoding="utf-8")
        if "link" in way:
            (root / "link.in").unlink(missing_ok=True)
            (root / "link.in").symlink_to(outside)
        (root / INPUT).write_text(f"app\n{way.format(outside.as_posix())}\n", encoding="utf-8")
        said = output_of(root, form)
        assert "planted" not in said
        assert "outside the project" in said
    outside.write_bytes(b"# coding: planted-a7\n")
    assert "planted" not in output_of(root, form)


BLANKS = " " * 65536
HOSTILE = {
    "blanks": BLANKS,
    **{
        each: (each * 65536)[:65536]
        for each in ("a", "/", "//", "@", ":@", "://", "?a_a_", "a_", "'")
    },
    **{
        each: (each * 65536)[:65536]
        for each in ("?a=", "&token", "u:p/", "url: /", "/-", "http://")
    },
    **{
        each: (each * 65536)[:65536]
        for each in ("file:/a", "https://h ", "\\w", "(", "user(:", "\x1b")
    },
    "a comment": f"a{BLANKS}#",
    "a marker": f"a ;{BLANKS}x",
}


@pytest.mark.parametrize("shape", HOSTILE)
def test_no_text_takes_long(shape: str) -> None:
    text.hide_index("https://h")
    text.hide_value("NAME", "aaaaaaaaab")
    started = time.process_time()
    for each in (redact, shareable, has_password, markdown, quoted):
        each(HOSTILE[shape])
    assert time.process_time() - started < 2

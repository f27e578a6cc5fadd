"""The harness is trusted by all other tests: these say that it may be."""

from __future__ import annotations

import base64
import hashlib
import http.client
import logging
import os
import socket
import subprocess
import sys
import tarfile
import time
import urllib.parse
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.index import LocalIndex, Request
from support.prepared import Prepared
from support.project import Project, Run, clean_environment, finish, interpreters, is_ambient, kill
from support.wheels import build_sdist, build_wheel

PLAIN_NOXFILE = """
    import nox

    @nox.session(venv_backend="virtualenv")
    def tests(session):
        session.install("app")
        session.run("python", "-c", "import app; print('app', app.__version__)")

    @nox.session(venv_backend="none")
    def hang(session):
        session.run("python", "-c", "import time; print('up', flush=True); time.sleep(60)")

    @nox.session(venv_backend="none")
    def chatter(session):
        session.run("python", "-c", "print('x' * 500_000)")

    @nox.session(venv_backend="none")
    def broken(session):
        raise ValueError("oops")
"""
BUSY_NOXFILE = """
    import os
    import sys
    import warnings

    import nox
    import helper

    nox.options.sessions = ["busy"]
    os.environ["LEFT"] = "behind"


    @nox.session(venv_backend="none")
    def busy(session):
        print(helper.WORD, os.environ.get("GIVEN"), os.environ["HOME"], os.getcwd(), flush=True)
        warnings.warn("careful", stacklevel=1)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        session.run("python", "-c", "import sys; sys.stdout.write('child'); sys.exit('says')")
"""


def get(url: str, authorization: str | None = None) -> tuple[int, str]:
    parts = urllib.parse.urlsplit(url)
    assert parts.hostname is not None
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
    try:
        headers = {"Authorization": authorization} if authorization else {}
        connection.request("GET", parts.path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read().decode(errors="replace")
    finally:
        connection.close()


def pip(home: Path, url: str, *args: str) -> Run:
    command = [sys.executable, "-m", "pip", "--no-input", "--retries=0", *args]
    done = subprocess.run(
        command,
        env=clean_environment(home, PIP_INDEX_URL=url),
        cwd=home,
        check=False,
        capture_output=True,
        text=True,
    )
    return Run(done.returncode, done.stdout, done.stderr)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# Wheels


def test_equal_arguments_give_equal_bytes(tmp_path: Path) -> None:
    wheels = [
        build_wheel(tmp_path / way, "Some.App", "1.0", requires=["b"], extras={"x": ["c"]})
        for way in "ab"
    ]
    sdists = [build_sdist(tmp_path / way, "Some.App", "1.0", requires=["b"]) for way in "ab"]
    assert [path.name for path in wheels] == ["some_app-1.0-py3-none-any.whl"] * 2
    assert [path.name for path in sdists] == ["some_app-1.0.tar.gz"] * 2
    assert len({sha256(path) for path in wheels}) == 1
    assert len({sha256(path) for path in sdists}) == 1
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == sorted(
        [wheels[0].name, sdists[0].name]
    )


def test_the_record_names_every_file_with_its_hash(tmp_path: Path) -> None:
    modules = {"app/__init__.py": "", "app/data.txt": "é\n"}
    path = build_wheel(tmp_path, "app", "1.0", modules=modules, requires_python=">=3.8")
    with zipfile.ZipFile(path) as archive:
        record = archive.read("app-1.0.dist-info/RECORD").decode().splitlines()
        assert [line.split(",")[0] for line in record] == archive.namelist()
        for line in record[:-1]:
            name, digest, size = line.split(",")
            content = archive.read(name)
            encoded = base64.urlsafe_b64encode(hashlib.sha256(content).digest())
            assert digest == "sha256=" + encoded.decode().rstrip("=")
            assert int(size) == len(content)
        assert record[-1] == "app-1.0.dist-info/RECORD,,"
        metadata = archive.read("app-1.0.dist-info/METADATA").decode()
    assert "Requires-Python: >=3.8\n" in metadata


def test_an_extra_keeps_its_requirements_markers(tmp_path: Path) -> None:
    extras = {"tls": ["a>1", "b; python_version < '4' or os_name == 'x'"]}
    path = build_wheel(tmp_path, "app", "1.0", extras=extras)
    with zipfile.ZipFile(path) as archive:
        metadata = archive.read("app-1.0.dist-info/METADATA").decode().splitlines()
    assert metadata[3:] == [
        "Provides-Extra: tls",
        'Requires-Dist: a>1 ; extra == "tls"',
        "Requires-Dist: b ; (python_version < '4' or os_name == 'x') and extra == \"tls\"",
    ]


def test_an_sdist_has_one_folder_named_after_the_release(tmp_path: Path) -> None:
    with tarfile.open(build_sdist(tmp_path, "Some-App", "1.0")) as archive:
        assert {name.split("/")[0] for name in archive.getnames()} == {"some_app-1.0"}


# The index


def test_pip_takes_a_hashed_wheel_and_is_counted(index: LocalIndex, home: Path) -> None:
    index.publish("dep", "2.0")
    wheel = index.publish("Some.App", "1.0", requires=["dep>=1"])
    lock = home / "lock.txt"
    lines = [f"some-app==1.0 --hash=sha256:{sha256(wheel)}"]
    lines += [f"dep==2.0 --hash=sha256:{sha256(index.folder / 'dep-2.0-py3-none-any.whl')}"]
    lock.write_text("\n".join(lines), encoding="utf-8")
    command = ["download", "--require-hashes", "-r", str(lock), "-d", str(home / "got")]
    pip(home, index.url, *command).ok()
    assert sha256(home / "got" / wheel.name) == sha256(wheel)
    assert [index.downloads(name) for name in ("some_app", "dep", "some")] == [1, 1, 0]
    assert Request("GET", "/simple/some-app/", 200) in index.requests()

    lock.write_text(f"some-app==1.0 --hash=sha256:{'0' * 64}", encoding="utf-8")
    refused = pip(home, index.url, *command).failed()
    assert "DO NOT MATCH" in refused.output

    index.clear_requests()
    assert index.requests() == []
    assert index.downloads("some-app") == 0


def test_what_is_published_and_unpublished_is_seen_at_once(index: LocalIndex) -> None:
    page = f"{index.url}app/"
    assert get(page)[0] == 404
    for number in range(20):
        wheel = index.publish("app", f"1.{number}")
        status, text = get(page)
        assert status == 200
        assert f"{wheel.name}#sha256={sha256(wheel)}" in text
    index.unpublish("app", "1.0")
    assert "app-1.0-" not in get(page)[1]
    assert "app-1.10-" in get(page)[1]
    index.publish("app", "1.1", requires=["other"])
    assert sha256(index.folder / "app-1.1-py3-none-any.whl") in get(page)[1]
    with pytest.raises(AssertionError, match=r"app 9 is not in the index"):
        index.unpublish("app", "9")


def test_each_copy_of_what_is_prepared_has_the_same_index(tmp_path: Path) -> None:
    """Whatever the test before it has added, replaced and taken away."""
    with Prepared(tmp_path / "prepared", {}) as made:
        folder = made.index.folder
        frozen = {}
        for name in ("app", "dep"):
            frozen[name] = made.index.publish(name, "1.0").read_bytes()
        made.freeze()
        for number in range(2):
            made.copy(tmp_path / str(number)).close()
            assert made.index.requests() == []
            assert get(f"{made.index.url}app/")[0] == 200
            there = {path.name.partition("-")[0]: path.read_bytes() for path in folder.iterdir()}
            assert there == frozen
            made.index.publish("extra", "1.0")
            made.index.publish("app", "1.0", requires=["dep"])
            made.index.unpublish("dep", "1.0")
            made.index.stop()


def test_a_password_is_asked_for(tmp_path: Path, home: Path) -> None:
    word = "p@ss/w:rd%"
    with LocalIndex(tmp_path / "index", password=word) as index:
        index.publish("app", "1.0")
        token = base64.b64encode(f"user:{word}".encode()).decode()
        page = f"{index.url}app/"
        assert get(page)[0] == 401
        assert get(page, "Basic bm8=")[0] == 401
        assert get(page, f"Basic {token}")[0] == 200
        assert get(index.url.replace("simple", "packages") + "app-1.0-py3-none-any.whl")[0] == 401
        assert index.downloads("app") == 0
        assert [request.status for request in index.requests()] == [401, 401, 200, 401]

        command = ["download", "app", "-d", str(home)]
        index.clear_requests()
        pip(home, index.url, *command).failed()  # pip does not say why
        assert {request.status for request in index.requests()} == {401}
        assert index.downloads("app") == 0
        pip(home, index.url_with_credentials, *command).ok()
        assert index.downloads("app") == 1


def test_it_stops_and_comes_back_at_the_same_address(index: LocalIndex) -> None:
    index.publish("app", "1.0")
    url = index.url
    index.stop()
    with pytest.raises(ConnectionRefusedError):
        get(url)
    index.stop()
    index.start()
    assert index.url == url
    assert get(f"{url}app/")[0] == 200


def test_a_crowd_is_served(index: LocalIndex) -> None:
    index.publish("app", "1.0")
    file = index.url.replace("simple", "packages") + "app-1.0-py3-none-any.whl"
    with ThreadPoolExecutor(64) as pool:
        statuses = [status for status, _ in pool.map(get, [file] * 192)]
    assert statuses == [200] * 192
    assert index.downloads("app") == 192


def test_an_address_is_not_shared(index: LocalIndex) -> None:
    port = urllib.parse.urlsplit(index.url).port
    assert port is not None
    index.stop()
    with socket.create_server(("127.0.0.1", port)), pytest.raises(OSError, match=r"in use|once"):
        index.start()
    index.start()
    assert get(f"{index.url}app/")[0] == 404


def test_published_distributions_install(index: LocalIndex, home: Path, tmp_path: Path) -> None:
    index.publish("dep", "1.0")
    index.publish("app", "1.0", extras={"more": ["built"]})
    index.publish_sdist("built", "3.0", requires=["dep"])
    venv = tmp_path / "project" / ".nox" / "venv"
    command = [sys.executable, "-m", "virtualenv", "-q", "--no-seed", str(venv)]
    subprocess.run(command, env=clean_environment(home), check=True)
    project = Project(tmp_path / "project", home)
    pip(home, index.url, "--python", str(venv), "install", "app[more]").ok()
    assert project.venv_versions("venv") == {"app": "1.0", "built": "3.0", "dep": "1.0"}
    assert index.downloads("setuptools") == 1
    with pytest.raises(AssertionError, match=r"no environment 'other'; there are \['venv'\]"):
        project.venv_versions("other")


# Projects


def test_the_environment_is_the_machines_not_the_users(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ambient = ["PIP_PRE", "UV_INDEX", "NOXSESSION", "NOX_LOCK_ON_STALE", "CI", "GITHUB_ACTIONS"]
    ambient += ["XDG_CACHE_HOME", "VIRTUAL_ENV", "CUSTOM_COMPILE_COMMAND", "FORCE_COLOR"]
    access = ["PIP_CERT", "PIP_PROXY", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PATH", "TMPDIR"]
    for name in (*ambient, *access):
        monkeypatch.setenv(name, "mine")
    environment = clean_environment(home, PIP_PRE="0")
    assert not set(ambient[1:]) & set(environment)
    assert {environment[name] for name in access} == {"mine"}
    assert environment["PIP_PRE"] == "0"
    assert environment["HOME"] == environment["USERPROFILE"] == str(home)
    assert environment["PIP_CONFIG_FILE"] == os.devnull
    assert clean_environment(home, PIP_CONFIG_FILE="x")["PIP_CONFIG_FILE"] == "x"


def test_unit_tests_see_no_settings_of_the_user() -> None:
    ours = {"PIP_CONFIG_FILE", "NOX_LOCK_CACHE_DIR"}
    assert {name for name in os.environ if is_ambient(name)} == ours


@settings(database=None)
@given(st.booleans())
def test_hypothesis_lives_with_the_isolation(no: bool) -> None:  # noqa: FBT001
    assert is_ambient("NO_COLOR" if no else "FORCE_COLOR")


def test_a_local_index_is_not_reached_through_a_proxy(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PIP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    environment = project.environment({"A": "b"})
    assert not [name for name in environment if name.lower().endswith("_proxy")]
    assert project.index is not None
    assert environment["PIP_INDEX_URL"] == project.index.url
    assert environment["A"] == "b"


def test_files_are_as_written(project: Project) -> None:
    project.write("a/b.in", "\n    é\n      x\n")
    project.write("crlf.txt", "a\r\nb\r\n")
    project.write(".nox/x", "")
    project.write("a/__pycache__/x", "")
    assert project.read("crlf.txt") == "a\r\nb\r\n"
    assert project.exists("a/b.in")
    assert project.snapshot() == {
        "a/b.in": "é\n  x\n".encode(),
        "crlf.txt": b"a\r\nb\r\n",
    }


def test_nox_runs_against_the_index(project: Project, index: LocalIndex) -> None:
    index.publish("app", "1.5")
    project.write("noxfile.py", PLAIN_NOXFILE)
    assert "app 1.5" in project.nox("-s", "tests").ok().output
    assert project.venv_versions("tests")["app"] == "1.5"
    assert index.downloads("app") == 1


def test_a_run_says_what_it_saw(project: Project) -> None:
    project.write("noxfile.py", PLAIN_NOXFILE)
    run = project.nox_alone("-s", "broken").failed(traceback=True)
    assert project.nox("-s", "broken").failed(traceback=True).returncode == run.returncode
    with pytest.raises(AssertionError, match=r"(?s)has a traceback; exit code 1.*oops"):
        run.failed()
    with pytest.raises(AssertionError, match=r"(?s)expected success; exit code 1.*oops"):
        run.ok()
    with pytest.raises(AssertionError, match=r"(?s)expected failure; exit code 0.*out.*err"):
        Run(0, "out", "err").failed()


def test_nox_in_this_process_is_as_in_its_own(project: Project) -> None:
    """Also what its children say; and nothing of it counts for the next one."""
    project.write("noxfile.py", BUSY_NOXFILE)
    before = [Path.cwd(), dict(os.environ), sys.path[:], logging.getLogger().handlers[:]]
    said = []
    for word in ("first", "second"):
        project.write("helper.py", f"WORD = {word!r}\n")
        env = {"GIVEN": word}
        inside, alone = project.nox(env=env).failed(), project.nox_alone(env=env).failed()
        assert inside == alone
        assert f"{word} {word} {project.home} {project.root}" in inside.stdout
        said.append(inside.output)
    assert [each in said[0] for each in ("child", "says", "UserWarning", "Deprecation")] == [
        *[True] * 3,
        False,
    ]
    assert before == [Path.cwd(), dict(os.environ), sys.path, logging.getLogger().handlers]
    assert "helper" not in sys.modules
    assert project.nox("-s", "none").failed() == project.nox_alone("-s", "none").failed()


def test_runs_side_by_side(project: Project) -> None:
    project.write("noxfile.py", PLAIN_NOXFILE)
    runs = finish(*(project.start_nox("-s", "chatter") for _ in range(3)))
    assert [run.ok().output.count("x" * 500_000) for run in runs] == [1, 1, 1]
    assert finish() == []


def test_a_killed_run_leaves_no_process(project: Project) -> None:
    project.write("noxfile.py", PLAIN_NOXFILE)
    began = time.monotonic()
    process = project.start_nox("-s", "hang")
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    kill(process)
    finish(process)[0].failed()  # its pipes closed: no child holds them
    with pytest.raises(AssertionError, match=r"not done after 0.5 s"):
        project.nox("-s", "hang", timeout=0.5)
    project.start_nox("-s", "hang")
    project.close()
    assert time.monotonic() - began < 30


def test_interpreters_really_run() -> None:
    found = interpreters()
    assert "{}.{}".format(*sys.version_info) in found
    for version, python in found.items():
        said = subprocess.run(
            [str(python), "-V"], check=True, capture_output=True, text=True
        ).stdout
        assert said.startswith(f"Python {version}.")

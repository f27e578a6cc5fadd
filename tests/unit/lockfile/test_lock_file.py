"""Lock files: read and written, ours and others', and as bots see them."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nox_lock.errors import LockFileError
from nox_lock.lockfile import lock_file
from nox_lock.lockfile.lock_file import LockFile, Stamp, digest, parse, render
from nox_lock.project import Project
from nox_lock.target import running_platform, running_target
from support.plans import plan_folder

if TYPE_CHECKING:
    from pathlib import Path

HABITS = settings(database=None, deadline=None, derandomize=True)
SHA = "0123456789abcdef" * 4
STAMP = Stamp("1" * 32, frozenset({"2" * 10, "4" * 10}), "3" * 32, "linux-x86_64")
BODY = f"""\
app[tls]==1.0 ; python_version >= "3.8" \\
    --hash=sha256:{SHA} \\
    --hash=sha256:{SHA[::-1]}
    # via
    #   -r requirements.in
    #   other
dep==2.0 --hash=sha256:{SHA}
    # via app, other
-e ./lib
    # via -r requirements.in
repo @ git+https://host.invalid/repo.git@v1
    # via -r requirements.in

# The following packages are considered to be unsafe in a requirements file:
pip==24.0 \\
    --hash=sha256:{SHA}
    # via app"""


def rendered(
    body: str = BODY, options: tuple[str, ...] = (), command: str = "pip-compile requirements.in"
) -> str:
    return render(body, python="3.11", command=command, stamp=STAMP, options=options)


# Reading


@pytest.mark.parametrize(
    "note",
    [
        "    # via\n    #   app\n    #   -r a.in\n",
        "    # via app, -r a.in\n",
        "    # via   app,  -r a.in  \n",
        "    # via\n    #   app\n    #-r a.in\n",
        "    # via\n    #   app, -r a.in\n",
        "  # via app\n  # -r a.in\n",
        "    # seen by us\n    # via\n    #   app\n    #   -r a.in\n",
        "    # via app\n# The following\n    # -r a.in\n",
    ],
)
@pytest.mark.parametrize("end", ["", "\n", "other==1.0\n", "# a comment\n"])
@pytest.mark.parametrize(
    "pin",
    [f"dep==1.0 \\\n    --hash=sha256:{SHA}\n", f"dep==1.0 --hash=sha256:{SHA}\n", "dep==1.0\n"],
)
def test_a_note_is_read_in_each_form(pin: str, note: str, end: str) -> None:
    lock = parse(pin + note + end)
    assert not lock.problems
    assert list(lock.pins[0].via) == ["app", "-r a.in"]
    assert [each.line for each in lock.pins[1:]] == [
        (pin + note).count("\n") + 1 for _ in range(end.startswith("other"))
    ]


def test_pins_are_read_with_all_they_say() -> None:
    lock = parse(rendered())
    shown = [
        (
            pin.name,
            pin.version,
            pin.url,
            pin.editable,
            sorted(pin.extras),
            pin.marker,
            len(pin.hashes),
            pin.via,
        )
        for pin in lock.pins
    ]
    assert shown == [
        (
            "app",
            "1.0",
            None,
            False,
            ["tls"],
            'python_version >= "3.8"',
            2,
            ["-r requirements.in", "other"],
        ),
        ("dep", "2.0", None, False, [], "", 1, ["app", "other"]),
        (None, None, "./lib", True, [], "", 0, ["-r requirements.in"]),
        (
            "repo",
            None,
            "git+https://host.invalid/repo.git@v1",
            False,
            [],
            "",
            0,
            ["-r requirements.in"],
        ),
        ("pip", "24.0", None, False, [], "", 1, ["app"]),
    ]
    lines = rendered().splitlines()
    assert [lines[pin.line - 1].split()[0] for pin in lock.pins] == [
        "app[tls]==1.0",
        "dep==2.0",
        "-e",
        "repo",
        "pip==24.0",
    ]
    assert lock.pins[0].hashes == [f"sha256:{SHA}", f"sha256:{SHA[::-1]}"]
    assert (lock.python, lock.maker, lock.command) == (
        "3.11",
        "pip-compile",
        "pip-compile requirements.in",
    )
    assert lock.stamp == STAMP
    assert lock.problems == ()
    assert lock.hashed
    assert any(pin.via for pin in lock.pins)
    assert lock.recognised


LINES = {
    "app==1.0": ("app", "1.0", None),
    "App_X.y==1.0": ("app-x-y", "1.0", None),
    "app == 1.0": ("app", "1.0", None),
    "app===1.0.weird": ("app", "1.0.weird", None),
    "app==1!2.0+local.1": ("app", "1!2.0+local.1", None),
    "app==1.0;python_version<'3'": ("app", "1.0", None),
    "app==1.0 # via x": ("app", "1.0", None),
    "app==1.0     # via -r requirements.in": ("app", "1.0", None),
    "app==1.0 \\": ("app", "1.0", None),
    "app[a,b]==1.0": ("app", "1.0", None),
    f"app==1.0 --hash=sha256:{SHA}": ("app", "1.0", None),
    "app @ https://host.invalid/app-1.0.tar.gz": (
        "app",
        None,
        "https://host.invalid/app-1.0.tar.gz",
    ),
    "app@ file:./app": ("app", None, "file:./app"),
    "app @ https://host.invalid/a.whl ; os_name == 'x'": (
        "app",
        None,
        "https://host.invalid/a.whl",
    ),
    "https://host.invalid/app-1.0.tar.gz": (None, None, "https://host.invalid/app-1.0.tar.gz"),
    "git+https://host.invalid/app.git@v1#egg=App_X": (
        "app-x",
        None,
        "git+https://host.invalid/app.git@v1#egg=App_X",
    ),
    "-e git+https://host.invalid/app.git@v1#egg=app": (
        "app",
        None,
        "git+https://host.invalid/app.git@v1#egg=app",
    ),
    "-e .": (None, None, "."),
    "-e ./lib": (None, None, "./lib"),
    "--editable ./lib": (None, None, "./lib"),
    "--editable=./lib": (None, None, "./lib"),
    "./lib": (None, None, "./lib"),
    "../lib": (None, None, "../lib"),
    "file:./lib": (None, None, "file:./lib"),
}


@pytest.mark.parametrize("line", LINES)
def test_a_pin_is_read(line: str) -> None:
    lock = parse(f"# autogenerated by pip-compile with Python 3.11\n{line}\n")
    assert lock.problems == ()
    assert [(pin.name, pin.version, pin.url) for pin in lock.pins] == [LINES[line]]
    assert lock.pins[0].editable is line.startswith(("-e", "--editable"))


@pytest.mark.parametrize(
    "line",
    [
        *("app", "app>=1.0", "app==1.0,<2", "app==1.0 app", "app~=1.0", "app!=1", "==1.0", "[app]"),
        *("app = 1.0", "Dear reader,", "!", "{}"),
        *("<<<<<<< HEAD", "=======", ">>>>>>> x", "|||||||"),
    ],
)
def test_what_is_no_pin_is_a_problem(line: str) -> None:
    lock = parse(f"# autogenerated by pip-compile with Python 3.11\napp==1.0\n{line}\n")
    assert [problem.number for problem in lock.problems] == [3]
    assert not lock.recognised


@pytest.mark.parametrize(
    ("head", "maker", "python"),
    [
        ("# This file is autogenerated by pip-compile with Python 3.11", "pip-compile", "3.11"),
        ("# This file is autogenerated by pip-compile with python 3.9", "pip-compile", "3.9"),
        ("# This file is autogenerated by pip-compile", "pip-compile", None),
        ("# This file was autogenerated by uv via the following command:", "uv", None),
        (
            "# SHA1:abc\n#\n# This file was generated by pip-compile-multi.",
            "pip-compile-multi",
            None,
        ),
        (
            "# This file is autogenerated by hatch-pip-compile with Python 3.11",
            "hatch-pip-compile",
            "3.11",
        ),
        ("# made with love", None, None),
        ("", None, None),
    ],
)
def test_makers_are_known(head: str, maker: str | None, python: str | None) -> None:
    lock = parse(f"{head}\napp==1.0\n")
    assert (lock.maker, lock.python) == (maker, python)
    assert lock.recognised is (maker is not None)


def test_a_file_is_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    assert lock_file.read(Project(tmp_path, {}), path.name) is None
    path.write_bytes(b"app==1.0\n\xff\xfe")
    broken = lock_file.read(Project(tmp_path, {}), path.name)
    assert broken is not None
    assert not broken.recognised
    assert [(problem.text, problem.number) for problem in broken.problems] == [
        ("this is not UTF-8 text", 2)
    ]
    path.unlink()
    path.mkdir()
    with pytest.raises(LockFileError, match=r"requirements\.txt: cannot be read"):
        lock_file.read(Project(tmp_path, {}), path.name)
    path.rmdir()
    path.write_bytes(rendered().encode("utf-8-sig"))
    assert lock_file.read(Project(tmp_path, {}), path.name) == parse(rendered())


# Round trips

names = st.from_regex(r"[a-z][a-z0-9]{0,5}(-[a-z0-9]{1,4})?", fullmatch=True)
versions = st.from_regex(r"[0-9]{1,2}(\.[0-9]{1,2}){0,3}(rc1|\.post1|\+l\.1)?", fullmatch=True)
hashes = st.lists(st.from_regex(r"[0-9a-f]{64}", fullmatch=True), max_size=3)
vias = st.lists(
    st.one_of(names, st.sampled_from(["-r requirements.in", "-c limits.txt"])), max_size=3
)
pinned = st.sampled_from(
    ["{}=={}", "{}[x]=={}", "{0}=={1} ; python_version >= '3.8'", "{} @ https://h.invalid/{}.whl"]
)


SPLIT, LINE, NO_ANNOTATE = "split", "line", "no annotate"


@st.composite
def pin_texts(draw: st.DrawFn, style: str = SPLIT) -> str:
    """Return a pin as pip-compile writes it in one of its styles of annotation."""
    line = draw(pinned).format(draw(names), draw(versions))
    digests = "".join(f" \\\n    --hash=sha256:{digest_}" for digest_ in draw(hashes))
    asked = draw(vias) if style != NO_ANNOTATE else []
    if style == LINE and asked:
        between = "\n    " if digests else "  "
        return f"{line}{digests}{between}# via {', '.join(asked)}"
    if len(asked) == 1:
        return f"{line}{digests}\n    # via {asked[0]}"
    lines = "".join(f"\n    #   {each}" for each in asked)
    return f"{line}{digests}" + (f"\n    # via{lines}" if asked else "")


warning = (
    "# WARNING: pip install will require the following package to be hashed.\n"
    "# Consider using a hashable URL\n-e ./lib\n    # via -r requirements.in"
)
unsafe = "# The following packages are considered to be unsafe in a requirements file:\n"
option_lines = st.lists(
    st.sampled_from(
        [
            "--index-url https://host.invalid/simple",
            "--extra-index-url https://${TOKEN}@host.invalid/simple",
            "--find-links ./wheels",
            "--trusted-host host.invalid",
            "--only-binary :all:",
            "--no-binary app",
        ]
    ),
    max_size=3,
    unique=True,
).map(tuple)


def name_of(text: str) -> str:
    return re.split(r"[=@\[ ]", text)[0]


@st.composite
def bodies(draw: st.DrawFn, style: str = SPLIT) -> str:
    """Return a body as pip-compile writes it, warnings and unsafe projects with it."""
    parts = draw(st.lists(pin_texts(style), max_size=4, unique_by=name_of))
    if draw(st.booleans()):
        parts.insert(draw(st.integers(0, len(parts))), warning)
    body = "\n".join(parts)
    if draw(st.booleans()):
        body += f"\n\n{unsafe}{draw(st.sampled_from(['# setuptools', 'pip==24.0']))}"
    return body.strip("\n")


@HABITS
@given(bodies(), option_lines)
@example("", ())
@example("app==1.0", ())
@example(warning, ())
@example(f"{unsafe}# setuptools", ())
@example(f"# setuptools\n{warning}", ("--index-url https://host.invalid/simple",))
def test_what_is_rendered_is_read_back(body: str, options: tuple[str, ...]) -> None:
    lock = parse(rendered(body, options))
    assert lock.body == body
    assert tuple(option.text for option in lock.options) == options
    assert (lock.stamp, lock.python) == (STAMP, "3.11")
    assert lock.problems == ()
    assert not lock.body.startswith("# nox-lock")
    # And written anew, byte for byte the same.
    assert rendered(lock.body, tuple(option.text for option in lock.options)) == rendered(
        body, options
    )
    assert [(pin.name, pin.version, pin.url, pin.hashes, pin.via) for pin in lock.pins] == [
        (pin.name, pin.version, pin.url, pin.hashes, pin.via) for pin in parse(f"-f x\n{body}").pins
    ]


digests = st.from_regex(r"[0-9a-f]{32}", fullmatch=True)
stamps = st.builds(
    Stamp,
    inputs=digests,
    hidden=st.frozensets(st.from_regex(r"[0-9a-f]{10}", fullmatch=True), max_size=3),
    body=digests,
    platform=st.sampled_from(["linux-x86_64", "darwin-arm64", "win32-AMD64"]),
)
commands = st.sampled_from(
    [
        "nox -s lock",
        "pip-compile --allow-unsafe --generate-hashes --output-file=requirements.txt dev.in",
        "pip-compile --output-file='the lock.txt' --unsafe-package=pip 'the input.in'",
    ]
)


@HABITS
@given(
    st.sampled_from([SPLIT, LINE, NO_ANNOTATE]).flatmap(bodies),
    option_lines,
    stamps,
    commands,
    st.sampled_from(["3.9", "3.14"]),
    st.sampled_from(["\n", "\r\n"]),
)
@example("", (), STAMP, "nox -s lock", "3.11", "\n")
@example("", ("--pre",), STAMP, "nox -s lock", "3.11", "\r\n")
@example(unsafe.strip(), (), STAMP, "nox -s lock", "3.11", "\n")
def test_a_text_is_rendered_from_what_is_read(
    body: str, options: tuple[str, ...], stamp: Stamp, command: str, python: str, newline: str
) -> None:
    """All that nox-lock writes, and pip-compile in each style of annotation: no byte differs."""
    text = render(body, python=python, command=command, stamp=stamp, options=options)
    lock = parse(text.replace("\n", newline))
    assert lock.problems == ()
    assert lock.crlf is (newline == "\r\n")
    assert (lock.python, lock.command, lock.stamp) == (python, command, stamp)
    assert lock.stamp is not None
    again = render(
        lock.body,
        python=lock.python or "",
        command=lock.command or "",
        stamp=lock.stamp,
        options=tuple(option.text for option in lock.options),
    )
    assert again == text


PIP_COMPILE = "# This file is autogenerated by pip-compile with Python 3.11\n"


@HABITS
@given(
    st.sampled_from([SPLIT, LINE, NO_ANNOTATE]).flatmap(
        lambda style: st.tuples(bodies(style), st.just(style))
    ),
    option_lines,
    commands,
)
def test_a_text_of_pip_compile_is_read_whole(
    made: tuple[str, str], options: tuple[str, ...], command: str
) -> None:
    """Each pin, hash, note and option is where pip-compile has it; with our stamp it is ours."""
    body, style = made
    head = f"#\n{PIP_COMPILE}# by the following command:\n#\n#    {command}\n#\n"
    lines = "".join(f"{option}\n" for option in options)
    text = head + (f"{lines}\n" if lines else "") + (f"{body}\n" if body else "")
    lock = parse(text)
    assert lock.problems == ()
    assert lock.body == body
    ours = render(body, python="3.11", command=command, stamp=STAMP, options=options)
    assert re.sub(r"(?m)^# nox-lock: v1 .*\n", "", ours) == text
    assert parse(ours).stamp == STAMP
    assert sum(len(pin.via) for pin in lock.pins) == (
        body.count("# via ") + body.count("    #   ") + body.count(", ")
        if style != NO_ANNOTATE
        else body.count("# via ")
    )


@HABITS
@given(bodies(), option_lines)
def test_newlines_are_of_no_account(body: str, options: tuple[str, ...]) -> None:
    text = rendered(body, options)
    other = parse(text.replace("\n", "\r\n"))
    assert other == parse(text)._replace(crlf=True)
    assert digest(body) == digest(body.replace("\n", "\r\n"))
    assert digest(other.body) == digest(parse(text).body)


@HABITS
@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    lock = parse(text)
    assert isinstance(lock, LockFile)
    assert all(1 <= pin.line <= text.count("\n") + 1 for pin in lock.pins)


def test_a_digest_is_known() -> None:
    assert digest("a\nb") == hashlib.sha256(b"a\nb").hexdigest()[:32]
    assert digest("a\nb") != digest("a\nb ")


@pytest.mark.parametrize(
    "line",
    [
        "# nox-lock: v2 inputs=1 hidden=2 body=3 platform=x",
        "# nox-lock: v1 inputs=1 hidden=2 body=3",
        "# nox-lock: v1 ",
        "# nox-lock: inputs=1",
        " # nox-lock: v1 inputs=1 hidden=2 body=3 platform=x",
    ],
)
def test_a_stamp_that_is_none_is_no_stamp(line: str) -> None:
    assert parse(f"#\n{line}\napp==1.0\n").stamp is None


# The locks of others


def test_the_locks_of_the_corpus_are_read(shared: Path) -> None:
    """Each line that starts a requirement is a pin, and none is a problem."""
    seen: dict[str, int] = {}
    for path in sorted((shared / "corpus").rglob("*.txt")):
        text = path.read_text(encoding="utf-8")
        if not re.search(r"generated by (pip-compile|uv)", text):
            continue
        lock = parse(text)
        assert lock.problems == (), path.name
        starts = [line for line in text.splitlines() if re.match(r"[A-Za-z0-9]|-e ", line)]
        assert len(lock.pins) == len(starts), path.name
        lines = len(lock.options) + len(lock.includes)
        assert lines == len(re.findall(r"^--?(?!e )\w", text, re.MULTILINE)), path.name
        assert sum(len(pin.hashes) for pin in lock.pins) == text.count("--hash="), path.name
        assert any(pin.via for pin in lock.pins)
        assert lock.recognised
        # Without its comments, the body is the file.
        assert lock.body in text.replace("\r\n", "\n")
        maker = lock.maker or ""
        seen[maker] = seen.get(maker, 0) + 1
    assert sum(seen.values()) >= 30, seen
    assert {"pip-compile", "uv"} <= set(seen), seen


# Bots: facts/needs.md, section 2

RENOVATE_COMMAND = re.compile(r"^(#.*?\r?\n)+# {4}(?P<command>\S*)(?P<arguments> .*?)?\r?\n")
RENOVATE_PYTHON = re.compile(
    r"^(#.*?\r?\n)*# This file is autogenerated by pip-compile with Python (\d+(\.\d+)*)\s",
    re.IGNORECASE,
)
RENOVATE_FLAGS = {
    "--allow-unsafe",
    "--generate-hashes",
    "--no-emit-index-url",
    "--emit-index-url",
    "--strip-extras",
    "--all-extras",
    "-v",
}
RENOVATE_VALUES = (
    "--index-url=",
    "--extra-index-url=",
    "--resolver=",
    "--constraint=",
    "--output-file=",
    "--extra=",
)
DEPENDABOT_PYTHON = re.compile(
    r"^# This file is autogenerated by pip-compile with [pP]ython (\d+.\d+)$", re.MULTILINE
)
# What Dependabot guesses an option from, wherever it stands.
DEPENDABOT_SIGNS = ("--pre", "--strip-extras", "--hash=sha", "index-url http", "--output-file")

SETTINGS = {
    "defaults": "",
    "unhashed": "generate-hashes = false",
    "extras kept": "strip-extras = false",
    "bare": "generate-hashes = false\nstrip-extras = false\nallow-unsafe = false",
    "cooldown": "uploaded-prior-to = '2026-01-01'",
    "several": "python = ['3.9', '3.10']",
}
INPUTS = {
    "plain": "app\n",
    "options": "--index-url https://host.invalid/simple\n--extra-index-url https://${T}@h.invalid/\n"
    "--only-binary :all:\n--pre\n--find-links ./wheels\napp\n",
}


def make(tmp_path: Path, source: str, text: str, table: str) -> list[str]:
    """Return the lock files of a project, as they would be written."""
    path = tmp_path / source
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    (tmp_path / "wheels").mkdir(exist_ok=True)
    (tmp_path / "pyproject.toml").write_text(f"[tool.nox-lock]\n{table}\n", encoding="utf-8")
    made = []
    for planned in plan_folder(tmp_path):
        hidden = frozenset(planned.hidden)
        stamp = Stamp(planned.digest, hidden, digest(BODY), str(running_platform()))
        made.append(
            render(
                BODY,
                python=planned.target.version,
                command=planned.command or "nox -s lock",
                stamp=stamp,
                options=tuple(planned.options),
            )
        )
    return made


@pytest.mark.parametrize("source", ["requirements.in", "requirements/dev.in"])
@pytest.mark.parametrize("text", INPUTS.values(), ids=INPUTS)
@pytest.mark.parametrize("table", SETTINGS.values(), ids=SETTINGS)
def test_bots_can_read_and_repeat_it(tmp_path: Path, source: str, text: str, table: str) -> None:
    for lock in make(tmp_path, source, text, table):
        assert lock.startswith("#\n")
        assert "\r" not in lock
        version = parse(lock).python

        command = RENOVATE_COMMAND.match(lock)
        assert command is not None
        assert command["command"] == "pip-compile"
        python = RENOVATE_PYTHON.match(lock)
        assert python is not None
        assert python[2] == version
        assert DEPENDABOT_PYTHON.findall(lock) == [version]

        *options, last = command["arguments"].split()
        assert last == source  # Dependabot takes the last word for the input
        for option in options:
            assert option in RENOVATE_FLAGS or option.startswith(RENOVATE_VALUES), option
        outputs = [option for option in options if option.startswith("--output-file=")]
        [name] = [option.partition("=")[2] for option in outputs]
        assert name.endswith(".txt")
        assert "requirements" in name
        assert not name.startswith("..")
        assert re.search(rf"--output-file[= ]+{re.escape(name)}(\s|$)", lock)
        assert re.search(rf"--output-file[= ]+.* {re.escape(source)}$", lock, re.MULTILINE)


@pytest.mark.parametrize("table", SETTINGS.values(), ids=SETTINGS)
def test_our_line_tells_bots_nothing(tmp_path: Path, table: str) -> None:
    for lock in make(tmp_path, "requirements.in", INPUTS["options"], table):
        [stamp] = [line for line in lock.splitlines() if line.startswith("# nox-lock:")]
        for sign in (*DEPENDABOT_SIGNS, "# WARNING:", "autogenerated", "# via ", "://", "pip-c"):
            assert sign not in stamp
        assert not stamp.startswith("#    ")  # Renovate would take it for the command
        assert re.fullmatch(r"# nox-lock: v1( \w+=[\w.,-]+){4}", stamp)
        # The options of the command are the header's, and not found again in our line.
        head = lock.partition("# nox-lock:")[0]
        assert head.count("--output-file") == lock.count("--output-file")
        assert "${T}" in lock
        assert str(tmp_path) not in lock


def test_a_lock_that_pip_compile_cannot_make_says_so(tmp_path: Path) -> None:
    """A bot stops at a command it does not know, and leaves the file whole."""
    for name in ("a.in", "b.in"):
        (tmp_path / name).write_text("app\n", encoding="utf-8")
    table = "[tool.nox-lock.locks.both]\ninputs = ['a.in', 'b.in']\n"
    (tmp_path / "pyproject.toml").write_text(table, encoding="utf-8")
    [planned] = plan_folder(tmp_path)
    assert planned.command == ""
    command = RENOVATE_COMMAND.match(rendered(command=planned.command or "nox -s lock"))
    assert command is not None
    assert command["command"] == "nox"
    assert planned.target == running_target()

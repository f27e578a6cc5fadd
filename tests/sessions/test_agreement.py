"""Layers agree, or it is said why not; whatever stands in the files between them."""

from __future__ import annotations

import shutil
import textwrap
from typing import TYPE_CHECKING

import pytest

from nox_lock.lockfile import lock_file
from support.layers import (
    BASE,
    DEV,
    Step,
    bodies,
    by_hand,
    compiled,
    layered_project,
    lock,
    locks,
    planned_in,
    stamp,
    verdicts,
    write_all,
)
from support.locks import fingerprint, pins
from support.long import long

if TYPE_CHECKING:
    from pathlib import Path

    from support.index import LocalIndex
    from support.project import Project


project = pytest.fixture(layered_project)


# What "app\nlib<2\n" is locked to.
OLD = ["app==1.0 -r requirements.in", "lib==1.0 -r requirements.in, app"]


def over(base: str, dev: str, **more: str) -> dict[str, str]:
    return {"requirements.in": base, "requirements-dev.in": dev, **more}


def versions(project: Project, name: str) -> dict[str, str]:
    """Return the version of one project in each lock file that has it."""
    found = {path: pins(text).get(name) for path, text in locks(project).items()}
    return {path: version for path, version in found.items() if version}


# Disagreement


@pytest.mark.parametrize(
    "line", ["-r requirements.in", pytest.param("-c requirements.txt", marks=pytest.mark.long)]
)
def test_layers_that_cannot_agree(line: str, project: Project) -> None:
    """The error has both chains with file:line and the ways out; `--together` is one."""
    write_all(project, {"requirements.in": "# base\napp\n"})
    stamp(project, {"requirements": ["app==1.0 -r requirements.in", "lib==2.0 app"]})
    write_all(project, {"requirements-dev.in": f"{line}\n\nlib<2\n"})
    before = project.snapshot()
    said = lock(project).failed().output
    assert f"{DEV} cannot agree with {BASE}, on which it builds:" in said
    place = 1 + project.read(BASE).splitlines().index("lib==2.0 \\")
    assert (
        f"lib==2.0 is in {BASE}:{place} (layer 'requirements'): "
        "lib, for app (requirements.in:2)" in said
    )
    assert "lib<2 (requirements-dev.in:3)" in said
    assert "of lib there are 1.0, 2.0" in said
    assert "This may solve it: loosen lib<2 (requirements-dev.in:3): the others allow 2.0" in said
    assert "nox -s lock -- --together" in said
    upgrade = lock(project, "-U", "-P", "lib<3").failed().output
    assert "nox -s lock -- -U -P 'lib<3' --together" in upgrade
    assert project.snapshot() == before

    said = lock(project, "--together").ok().output
    assert versions(project, "lib") == {BASE: "1.0", DEV: "1.0"}
    assert "    ! lib 2.0 -> 1.0 (DOWNGRADE), for app (requirements.in:2)" in said.replace(
        "→", "->"
    )
    before = project.snapshot()
    run = project.nox("-s", "lock", "lock-check").ok()
    assert compiled(run) == 0
    assert compiled(lock(project, "--together").ok()) == 0
    assert project.snapshot() == before


def test_a_version_that_is_nowhere_is_no_matter_of_layers(project: Project) -> None:
    write_all(project, {"requirements.in": "app\n"})
    stamp(project, {"requirements": ["app==1.0 -r requirements.in", "lib==2.0 app"]})
    write_all(project, {"requirements-dev.in": "-r requirements.in\nlib>=99\n"})
    said = lock(project).failed().output
    assert "requirements-dev.in:2: no version meets lib>=99; there are 1.0, 2.0" in said
    assert "cannot agree" not in said
    write_all(project, {"requirements-dev.in": "-r requirements.in\n"})
    said = lock(project, "requirements", "-P", "lib==99").failed().output
    assert "-P lib==99 (of this command)" in said


def test_a_variant_that_is_to_differ(project: Project) -> None:
    """Each line that takes part is named, and what the variant is for is not advised away."""
    noxfile = "import nox_lock\n\nnox_lock.add_sessions(lock='pip-compile')\n"
    files = {
        "tests/relaxed.in": "app\n",
        "noxfile.py": noxfile,
        "pyproject.toml": '[tool.nox-lock]\nfind = ["tests/*.in"]\n',
    }
    write_all(project, files)
    stamp(project, {"relaxed": ["app==1.0 -r tests/relaxed.in", "lib==2.0 app"]})
    project.write("tests/strict.in", "-r relaxed.in\n-c caps.txt\n")
    project.write("tests/caps.txt", "# caps\nlib<2\n")
    said = project.nox("-s", "pip-compile").failed().output
    assert "    lib<2 (tests/caps.txt:2)\n" in said
    assert "    lib==2.0 (tests/relaxed.txt:" in said
    assert "nox -s pip-compile -- --together" in said
    assert "To let them differ: [tool.nox-lock.locks.strict] builds-on = []" in said
    assert "loosen" not in said
    table = "[tool.nox-lock.locks.strict]\nbuilds-on = []\n"
    project.write("pyproject.toml", project.read("pyproject.toml") + table)
    project.nox("-s", "pip-compile").ok()
    assert versions(project, "lib") == {"tests/relaxed.txt": "2.0", "tests/strict.txt": "1.0"}
    project.nox("-s", "lock-check").ok()


def test_inputs_that_cannot_agree_whatever_is_pinned(project: Project, index: LocalIndex) -> None:
    """Then `--together` would not help either, and is not advised."""
    index.publish("needs", "1.0", requires=["lib>=2"])
    files = over("app\n-c caps.txt\n", "-r requirements.in\nneeds\n", **{"caps.txt": "lib<2\n"})
    write_all(project, files)
    said = lock(project).failed().output
    limited = "lib, for app (requirements.in:1), limited by lib<2 (caps.txt:1)"
    assert limited in said
    assert "This may solve it: loosen lib<2 (caps.txt:1): the others allow 2.0" in said
    assert "--together" not in said
    # Where the upper layer does not include the line, it is named all the same.
    write_all(project, {"requirements-dev.in": "-c requirements.txt\nneeds\n"})
    said = lock(project).failed().output
    assert limited in said
    assert "nox -s lock -- --together" in said
    assert "builds-on" not in said


@pytest.mark.long
def test_a_disagreement_deep_below_is_told_by_its_chain(
    project: Project, index: LocalIndex
) -> None:
    index.publish("deep", "1.0", requires=["lib<2"])
    index.publish("plugin", "1.0", requires=["deep"])
    write_all(
        project,
        over(
            "app\n",
            "-c requirements-mid.txt\n-c requirements.txt\nplugin\n",
            **{"requirements-mid.in": "-r requirements.in\ndep\n"},
        ),
    )
    said = lock(project).failed().output
    assert "lib, for app (requirements.in:1)" in said
    assert "deep" in said
    assert "(requirements-dev.in:3)" in said
    assert locks(project) == {}
    lock(project, "--together").ok()
    assert set(versions(project, "lib").values()) == {"1.0"}
    assert len(locks(project)) == 3


@pytest.mark.long
def test_siblings_that_disagree_under_a_common_upper(project: Project) -> None:
    """They need not agree with each other; what builds on both tells of both."""
    files = {
        "requirements-old.in": "lib<2\n",
        "requirements-new.in": "lib\n",
        "requirements-all.in": "-r requirements-old.in\n-r requirements-new.in\ntool\n",
    }
    write_all(project, files)
    said = lock(project).failed().output
    assert "requirements-all.txt cannot agree with" in said
    assert "lib==2.0 is in requirements-new.txt" in said
    assert "lib (requirements-new.in:1)" in said
    assert locks(project) == {}
    lock(project, "old", "new").ok()
    assert versions(project, "lib") == {
        "requirements-old.txt": "1.0",
        "requirements-new.txt": "2.0",
    }
    lock(project, "--together").ok()
    assert set(versions(project, "lib").values()) == {"1.0"}
    assert len(versions(project, "lib")) == 3
    project.nox("-s", "lock-check").ok()


def test_an_upper_of_two_that_disagree_in_what_it_does_not_use(project: Project) -> None:
    """No project of its own is in question, so there is nothing to agree on."""
    write_all(project, {"requirements-old.in": "lib<2\n", "requirements-new.in": "lib\n"})
    old, new = ["lib==1.0 -r requirements-old.in"], ["lib==2.0 -r requirements-new.in"]
    stamp(project, {"old": old, "new": new})
    project.write("requirements-all.in", "-c requirements-old.txt\n-c requirements-new.txt\ndep\n")
    project.nox("-s", "lock", "lock-check").ok()
    assert pins(project.read("requirements-all.txt")) == {"dep": "1.0"}


def test_a_moved_base_moves_what_the_upper_has_of_old(project: Project, index: LocalIndex) -> None:
    """What holds an old version in the upper lock moves along, in one run, and nothing else."""
    index.publish("plugin", "1.0", requires=["lib<2"])
    index.publish("other", "1.0")
    write_all(project, over("app\nlib<2\n", "-c requirements.txt\nplugin\nother\n"))
    own = [f"{name}==1.0 -r requirements-dev.in" for name in ("other", "plugin")]
    stamp(project, {"requirements": OLD, "dev": ["lib==1.0 -c requirements.txt, plugin", *own]})
    index.publish("plugin", "2.0", requires=["lib>=2"])
    index.publish("other", "2.0")
    project.write("requirements.in", "app\nlib>=2\n")
    project.nox("-s", "lock", "lock-check").ok()
    assert pins(project.read(DEV)) == {"lib": "2.0", "plugin": "2.0", "other": "1.0"}


def test_an_upgrade_of_a_project_stops_where_the_layer_ends(
    project: Project, index: LocalIndex
) -> None:
    """`-P tool` takes the newest that goes with the base, which moves for nobody."""
    write_all(project, over("app\nlib<2\n", "-c requirements.txt\ntool\n"))
    tool = "tool==1.0 -r requirements-dev.in"
    dev = ["dep==1.0 tool", "lib==1.0 -c requirements.txt, tool", tool]
    stamp(project, {"requirements": OLD, "dev": dev})
    base = project.read(BASE)
    index.publish("tool", "1.5", requires=["lib", "dep"])
    index.publish("tool", "2.0", requires=["lib>=2", "dep"])
    lock(project, "-P", "tool").ok()
    assert pins(project.read(DEV))["tool"] == "1.5"
    assert project.read(BASE) == base
    lock(project, "-U").ok()
    assert pins(project.read(DEV))["tool"] == "1.5"
    project.nox("-s", "lock-check").ok()


def test_together_moves_only_what_it_must(project: Project, index: LocalIndex) -> None:
    """Pins that hold stay, in the base as in what is above; and a fresh stack is left alone."""
    for name in ("app", "dep"):
        index.publish(name, "1.1", requires=["lib"] if name == "app" else [])
    write_all(project, over("app<1.1\nlib\ndep<1.1\n", "-r requirements.in\ntool\n"))
    base = [f"{pin} -r requirements.in" for pin in ("app==1.0", "dep==1.0", "lib==2.0")]
    stamp(project, {"requirements": base, "dev": [*base, "tool==1.0 -r requirements-dev.in"]})
    project.write("requirements.in", "app\nlib\ndep\n")
    project.write("requirements-dev.in", "-r requirements.in\ntool\nlib<2\n")
    lock(project, "--together").ok()
    assert pins(project.read(BASE)) == {"app": "1.0", "lib": "1.0", "dep": "1.0"}
    assert pins(project.read(DEV)) == {**pins(project.read(BASE)), "tool": "1.0"}
    project.nox("-s", "lock-check").ok()


def test_together_says_when_nothing_meets_all(project: Project) -> None:
    write_all(project, over("app\nlib>=2\n", "-c requirements.txt\nlib<2\n"))
    said = lock(project, "--together").failed().output
    assert "lib>=2 (requirements.in:2)" in said
    assert "lib<2 (requirements-dev.in:2)" in said
    assert locks(project) == {}


# What stands in the files between them

FORMS = {
    "requirements-a.in": "-r requirements.in\ntool\n",
    "requirements-b.in": "-c requirements.in\ntool\n",
    "requirements-c.in": "-r requirements.txt\ntool\n",
    "requirements-d.in": "-c requirements.txt\ntool\n",
    "requirements-e.in": "tool\n",
    "requirements-f.in": "-c requirements-a.txt\n-r requirements-d.in\ndep\n",
}
STEPS = (
    Step(BASE, "requirements.in"),
    *(Step(source.replace(".in", ".txt"), source, (), (BASE,)) for source in list(FORMS)[:4]),
    Step("requirements-e.txt", "requirements-e.in", (f"--constraint={BASE}",), (BASE,)),
    Step(
        "requirements-f.txt",
        "requirements-f.in",
        (),
        ("requirements-a.txt", "requirements-d.txt"),
    ),
)
DECLARED = (
    "[tool.nox-lock.locks.e]\ninputs = ['requirements-e.in']\nconstraints = ['requirements']\n"
)
WHEEL = "./wheels/lib-1.5-py3-none-any.whl"
OPTIONS = {
    "": ("--allow-unsafe", "--strip-extras", "--generate-hashes"),
    "generate-hashes = false": ("--allow-unsafe", "--strip-extras"),
    "strip-extras = false": ("--allow-unsafe", "--no-strip-extras", "--generate-hashes"),
    "allow-unsafe = false": ("--no-allow-unsafe", "--strip-extras", "--generate-hashes"),
}
BASES = {
    "everything at once": (
        """\
        # one

        --extra-index-url URL
        --trusted-host host.invalid
        --pre
        --only-binary tool
        App >= 1.0   # two
        rich[Fast]
         lib \\
          ==2.1rc1 ; python_version >= '3'  # three
        dep<0 ; sys_platform == 'nowhere'
        dep==1.0 ; python_version < '3'
        setuptools
        builder
        """,
        "",
    ),
    "extras kept, line ends": (
        "rich[Fast]\r\nlib<2\r\n# x\r\n",
        "strip-extras = false",
    ),
    "a wheel, unhashed": (
        f"app\n{WHEEL}\nsetuptools\n",
        "generate-hashes = false",
    ),
    "unsafe left out": ("app\nlib<2\nsetuptools\nbuilder\n", "allow-unsafe = false"),
}


@pytest.mark.parametrize(
    "name",
    [
        "everything at once",
        pytest.param("a wheel, unhashed", marks=pytest.mark.long),
        pytest.param("extras kept, line ends", marks=pytest.mark.long),
        pytest.param("unsafe left out", marks=pytest.mark.long),
    ],
)
def test_every_form_over_such_a_base(name: str, project: Project, index: LocalIndex) -> None:
    """Five locks over one base, and one over two of them: as by hand, fresh, and they stay so."""
    base, common = BASES[name]
    index.publish("rich", "1.0", requires=["lib"], extras={"fast": ["dep"]})
    index.publish("setuptools", "99.0")
    index.publish("builder", "1.0", requires=["setuptools", "lib"])
    index.publish("lib", "2.1rc1")
    wheel = index.publish("lib", "1.5")
    (project.root / "wheels").mkdir()
    shutil.move(wheel, project.root / "wheels")
    table = f"[tool.nox-lock]\n{common}\n{DECLARED}"
    forms = FORMS
    if "\r" in base:
        forms = {source: text.replace("\n", "\r\n") for source, text in FORMS.items()}
    write_all(project, {**forms, "pyproject.toml": table})
    (project.root / "requirements.in").write_text(
        textwrap.dedent(base).replace("URL", index.url), encoding="utf-8", newline=""
    )
    wanted = by_hand(project, STEPS, OPTIONS[common])
    run = project.nox("-s", "lock", "lock-check").ok()
    assert "warning" not in run.output.lower()
    assert compiled(run) == len(STEPS)
    assert bodies(project) == wanted
    assert str(project.root) not in "".join(locks(project).values())
    assert str(project.home) not in "".join(locks(project).values())
    before = project.snapshot()
    # As if by a checkout that changes line ends, too.
    project.write(BASE, project.read(BASE).replace("\n", "\r\n"))
    untouched = {path: fingerprint(project.root / path) for path in wanted}
    index.clear_requests()
    run = project.nox("-s", "lock", "lock-check").ok()
    assert compiled(run) == 0
    assert index.requests() == []
    assert {path: fingerprint(project.root / path) for path in wanted} == untouched
    assert {**project.snapshot(), BASE: b""} == {**before, BASE: b""}


@pytest.mark.parametrize(
    "line",
    ["-r requirements.in", *map(long, ["-c requirements.txt", "-r requirements.txt"])],
)
def test_a_hashed_wheel_of_the_project_in_a_base(
    line: str, project: Project, index: LocalIndex
) -> None:
    """Its path in the lock file is relative to the root, and pip-tools has to find it there."""
    wheel = index.publish("lib", "1.5")
    (project.root / "wheels").mkdir()
    shutil.move(wheel, project.root / "wheels")
    write_all(project, over(f"app\n{WHEEL}\n", f"{line}\ntool\n"))
    project.nox("-s", "lock", "lock-check").ok()
    for path in (BASE, DEV):
        [pin] = [each for each in lock_file.parse(project.read(path)).pins if each.name == "lib"]
        assert (pin.url, len(pin.hashes)) == (f"file:{WHEEL}", 1)
    before = project.snapshot()
    assert compiled(project.nox("-s", "lock", "lock-check").ok()) == 0
    assert project.snapshot() == before


@pytest.mark.parametrize(
    ("form", "hashed"),
    [
        ("-r", "requirements"),
        ("-c", "dev"),
        long("-c", "requirements"),
        long("-r", "dev"),
    ],
)
def test_hashes_in_one_of_two_layers(form: str, hashed: str, project: Project) -> None:
    other = "dev" if hashed == "requirements" else "requirements"
    source = "requirements.in" if other == "requirements" else "requirements-dev.in"
    table = f"[tool.nox-lock.locks.{other}]\ninputs = ['{source}']\ngenerate-hashes = false\n"
    files = over("app\nlib<2\n", f"{form} requirements.txt\ntool\n", **{"pyproject.toml": table})
    write_all(project, files)
    project.nox("-s", "lock", "lock-check").ok()
    assert versions(project, "lib") == {BASE: "1.0", DEV: "1.0"}
    has = {path: "--hash=" in text for path, text in locks(project).items()}
    assert has == {BASE: hashed == "requirements", DEV: hashed == "dev"}
    lone = lock_file.parse(project.read(DEV if hashed == "dev" else BASE))
    assert all(pin.hashes for pin in lone.pins)
    project.write("requirements.in", "app\nlib>=2\n")
    project.nox("-s", "lock", "lock-check").ok()
    assert versions(project, "lib") == {BASE: "2.0", DEV: "2.0"}
    assert {path: "--hash=" in text for path, text in locks(project).items()} == has


def test_a_folder_of_wheels_beside_a_base_that_is_staged(
    project: Project, index: LocalIndex
) -> None:
    """Only the folder beside the file counts, before the base is written as well as after."""
    for folder, version in (("sub/wheels", "3.0"), ("wheels", "4.0")):
        wheel = index.publish("lib", version)
        (project.root / folder).mkdir(parents=True)
        shutil.move(wheel, project.root / folder)
    files = {
        "sub/base.in": "-f wheels\napp\n",
        "requirements-dev.in": "-c sub/base.txt\ntool\n",
        "pyproject.toml": "[tool.nox-lock.locks.base]\ninputs = ['sub/base.in']\n",
    }
    write_all(project, files)
    lock(project).ok()
    assert versions(project, "lib") == {"sub/base.txt": "3.0", DEV: "3.0"}
    options = {p: [o.text for o in lock_file.parse(t).options] for p, t in locks(project).items()}
    assert {
        path: [line.replace("./", "") for line in lines] for path, lines in options.items()
    } == {
        "sub/base.txt": ["--find-links wheels"],
        DEV: ["--find-links sub/wheels"],
    }
    once = locks(project)
    (project.root / DEV).unlink()
    lock(project, "--no-cache").ok()
    assert locks(project) == once
    project.nox("-s", "lock-check").ok()


def test_a_staged_base_under_a_find_links_of_a_higher_file(
    project: Project, index: LocalIndex
) -> None:
    """The upper's own folder of wheels is found, though its input is laid out elsewhere."""
    wheel = index.publish("tool", "3.0", requires=["lib"])
    (project.root / "sub/wheels").mkdir(parents=True)
    shutil.move(wheel, project.root / "sub/wheels")
    files = {
        "requirements.in": "app\nlib<2\n",
        "sub/dev.in": "--find-links ./wheels\n-c ../requirements.txt\ntool\n",
        "pyproject.toml": "[tool.nox-lock.locks.dev]\ninputs = ['sub/dev.in']\n",
    }
    write_all(project, files)
    run = lock(project).ok()
    assert "warning" not in run.output.lower()
    assert pins(project.read("sub/dev.txt")) == {"lib": "1.0", "tool": "3.0"}


@pytest.mark.parametrize("absolute", [long(False), True])
def test_a_variable_in_the_path_of_a_layer(
    absolute: bool,  # noqa: FBT001
    project: Project,
) -> None:
    """pip puts its value in; the layer is found, staged, and moved, as without one."""
    files = {
        "requirements/base.in": "app\nlib<2\n",
        "requirements-dev.in": '-c "${WHERE}/base.txt"\n-r "${WHERE}/base.in"\ntool\n',
    }
    write_all(project, files)
    where = str(project.root / "requirements") if absolute else "requirements"
    env = {"WHERE": where}
    project.nox("-s", "lock", "lock-check", env=env).ok()
    assert versions(project, "lib") == {"requirements/base.txt": "1.0", DEV: "1.0"}
    assert str(project.root) not in project.read(DEV)
    project.write("requirements/base.in", "app\nlib>=2\n")
    project.nox("-s", "lock", "lock-check", env=env).ok()
    assert versions(project, "lib") == {"requirements/base.txt": "2.0", DEV: "2.0"}


@pytest.mark.long
def test_names_with_spaces(project: Project) -> None:
    files = {
        "requirements/my base.in": "app\nlib<2\n",
        "requirements/my dev.in": "-c 'my base.txt'\ntool\n",
        "requirements/my docs.in": "-r my\\ base.in\n-c ./my\\ dev.txt\ndep\n",
    }
    write_all(project, files)
    after = ("requirements/my base.txt", "requirements/my dev.txt")
    steps = (
        Step("requirements/my base.txt", "requirements/my base.in"),
        Step("requirements/my dev.txt", "requirements/my dev.in", (), after[:1]),
        Step("requirements/my docs.txt", "requirements/my docs.in", (), after),
    )
    wanted = by_hand(project, steps)
    project.nox("-s", "lock", "lock-check").ok()
    assert bodies(project) == wanted
    project.write("requirements/my base.in", "app\nlib>=2\n")
    project.nox("-s", "lock", "lock-check").ok()
    assert set(versions(project, "lib").values()) == {"2.0"}


@pytest.mark.long
def test_a_lock_of_several_inputs_below_another(project: Project) -> None:
    files = {
        "one.in": "app\n",
        "sub/two.in": "lib<2\n",
        "requirements-dev.in": "-r one.in\n-r sub/two.in\ntool\n",
        "requirements-docs.in": "-c pair.txt\nlib\n",
        "pyproject.toml": "[tool.nox-lock.locks.pair]\ninputs = ['one.in', 'sub/two.in']\n"
        "lockfile = '{name}.txt'\n",
    }
    write_all(project, files)
    project.nox("-s", "lock", "lock-check").ok()
    assert set(versions(project, "lib").values()) == {"1.0"}
    assert len(locks(project)) == 3
    project.write("sub/two.in", "lib>=2\n")
    project.nox("-s", "lock", "lock-check").ok()
    assert set(versions(project, "lib").values()) == {"2.0"}


def test_an_input_that_is_the_lock_file_of_another(project: Project) -> None:
    """Named by `inputs`, not by a line: made after it, and from it."""
    files = {
        "zone.in": "app\nlib<2\n",
        "pyproject.toml": "[tool.nox-lock.locks.dev]\ninputs = ['zone.txt', 'dev.in']\n"
        "lockfile = 'dev.txt'\n[tool.nox-lock.locks.zone]\ninputs = ['zone.in']\n",
        "dev.in": "tool\n",
    }
    write_all(project, files)
    project.nox("-s", "lock", "lock-check").ok()
    assert versions(project, "lib") == {"zone.txt": "1.0", "dev.txt": "1.0"}


# Lock files that were touched

CONFLICT = "<<<<<<< HEAD\nlib==1.0\n=======\nlib==2.0\n>>>>>>> other\n"


@pytest.mark.parametrize("line", ["-c requirements.txt", long("-r requirements.txt")])
def test_a_base_with_marks_of_a_merge(line: str, project: Project) -> None:
    """It is the lock file that is broken: the check says so, and `--overwrite` mends it."""
    write_all(project, over("app\nlib<2\n", f"{line}\ntool\n"))
    app = ["app==1.0 -r requirements.txt"] * line.startswith("-r")
    own = ["dep==1.0 tool", f"lib==1.0 {line}, tool", "tool==1.0 -r requirements-dev.in"]
    stamp(project, {"requirements": OLD, "dev": [*app, *own]})
    before = project.snapshot()
    project.write(BASE, project.read(BASE) + CONFLICT)
    broken = project.snapshot()
    said = project.nox("-s", "lock-check").failed().output
    assert f"{BASE}: invalid" in said
    said = lock(project).failed().output
    assert "a merge conflict was left here" in said
    assert project.snapshot() == broken
    lock(project, "--overwrite").ok()
    assert project.snapshot() == before


def test_pins_for_elsewhere_are_no_disagreement(tmp_path: Path) -> None:
    """A base that another tool wrote for all platforms: only what counts here is compared."""
    header = "# This file is autogenerated by pip-compile with Python {}\n"
    text = header.format("3.11") + "lib==1.0 ; sys_platform == 'nowhere'\n    # via -r x\n"
    files = over(
        "lib ; sys_platform == 'nowhere'\n",
        "-r requirements.in\nlib\n",
        **{
            BASE: text,
            DEV: header.format("3.11")
            + "lib==2.0\n    # via\n    #   -r requirements-dev.in\n    #   -r requirements.in\n",
            "pyproject.toml": "[tool.nox-lock]\npython = '3.11'\ngenerate-hashes = false\n",
        },
    )
    assert verdicts(tmp_path, files)[DEV].reasons == ()


def test_a_hand_that_moves_a_pin_is_seen(project: Project) -> None:
    """In the base or in the upper: the check names both; the base stands, the upper follows."""
    write_all(project, over("app\nlib\n", "-r requirements.in\ntool\n"))
    app, lib = "app==1.0 -r requirements.in", "lib==2.0 -r requirements.in, app"
    dev = [app, "dep==1.0 tool", f"{lib}, tool", "tool==1.0 -r requirements-dev.in"]
    stamp(project, {"requirements": [app, lib], "dev": dev})
    good = locks(project)
    hashes = good[BASE][good[BASE].index("lib==2.0") :].split("# via")[0]
    project.write(
        DEV, good[DEV].replace(hashes, "lib==1.0 \\\n    --hash=sha256:" + "0" * 64 + "\n    ")
    )
    said = project.nox("-s", "lock-check").failed().output
    assert f"lib==1.0, but lib==2.0 in {BASE}, which it builds on ({DEV}:" in said
    project.nox("-s", "lock", "lock-check").ok()
    assert locks(project) == good


def test_orders_do_not_depend_on_the_names_given(tmp_path: Path) -> None:
    files = over(
        "app\n",
        "-r requirements.in\n",
        **{"requirements-all.in": "-c requirements-dev.txt\n", "requirements-x.in": "x\n"},
    )
    for names in (["all", "requirements"], ["requirements", "all"], ["all", "dev"]):
        found = [each.name for each in planned_in(tmp_path, files, names)]
        assert found == ["requirements", "dev", "all"]

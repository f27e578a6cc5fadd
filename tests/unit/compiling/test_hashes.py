"""Hashes are those of `pip-compile --generate-hashes`, and cost no download where pages have them.

Each scene is compiled by the driver and by plain pip-compile: the same bytes.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import pytest

from nox_lock.errors import ConfigError
from nox_lock.planning.config import load_config
from nox_lock.project import Project
from support.compiles import CompileFolder
from support.offers import Offer
from support.scripted import NOT_FOUND, ScriptedIndex
from support.sdists import build_sdist, project_files
from support.wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOREIGN = "cp39-cp39-win_arm64"
NO_HASHES: tuple[str, ...] = ()
# The files of each project are not spelled as its version is pinned, or not all published alike.
INPUT = """\
--extra-index-url {extra}
--find-links ./links
--find-links {links}
--no-binary built
--only-binary ready
app
bare
built
calendar
candidate==1.0rc1
direct @ {direct}
epoch
linked
local
md5
mixed
paged
post
ready
twice
withdrawn==1.0
zeros==1.0.0
-e ./project
"""


class Maker:
    """Makes files in a folder, and offers them on pages of one form."""

    def __init__(self, folder: Path, form: str) -> None:
        self.folder = folder
        self.offer = Offer(form)

    def wheel(
        self,
        name: str,
        version: str,
        *,
        requires: tuple[str, ...] = (),
        hashes: tuple[str, ...] = ("sha256",),
        yanked: str | None = None,
    ) -> Path:
        """Offer a wheel for all systems and one for another."""
        path = build_wheel(self.folder, name, version, requires=requires)
        self.offer.add(path, hashes=hashes, yanked=yanked)
        foreign = path.name.replace("py3-none-any", FOREIGN)
        self.offer.add(path, name=foreign, hashes=hashes, yanked=yanked)
        return path

    def sdist(self, name: str, version: str, *, code: str = "", file: str = "") -> None:
        """Offer a source distribution, perhaps under a name of its own."""
        self.offer.add(build_sdist(self.folder, name, version, code=code), name=file)


def fill(main: Maker, extra: Maker) -> None:
    """Offer all that `INPUT` asks for."""
    main.wheel("app", "1.0", requires=("dep",))
    main.wheel("dep", "1.0")
    main.wheel("bare", "1.0", hashes=NO_HASHES)
    main.wheel("md5", "1.0", hashes=("md5",))
    mixed = main.wheel("mixed", "1.0", hashes=("md5", "sha256", "blake2b"))
    main.offer.add(mixed, name="mixed-1.0-1-py3-none-any.whl", hashes=NO_HASHES)
    for version in ("1.0", "1.0.1", "1.10", "11.0", "21.0"):
        main.wheel("zeros", version)
    main.sdist("zeros", "1.0", file="zeros-1.0.0.tar.gz")
    main.wheel("calendar", "2024.07.04")
    main.wheel("calendar", "2024.7.40", yanked="")
    main.sdist("calendar", "2024.7.4", file="calendar-2024.07.04.0.tar.gz")
    for version in ("1.0", "1.0rc1", "1.0rc2"):
        main.wheel("candidate", version)
    for version in ("1.0", "1.0.post1"):
        main.wheel("post", version)
    main.sdist("post", "1.0.post1", file="post-1.0-1.tar.gz")
    for version in ("3.0", "1!2.0"):
        main.wheel("epoch", version)
    for version in ("1.0", "1.0+cpu", "0.9+cu121"):
        main.wheel("local", version)
    main.wheel("withdrawn", "1.0", yanked="it deletes files")
    main.wheel("withdrawn", "2.0")
    for name in ("built", "ready"):
        main.wheel(name, "1.0")
        main.sdist(name, "1.0")
    main.wheel("twice", "1.0")
    extra.wheel("twice", "1.0", requires=("dep",))
    extra.wheel("twice", "0.9")


class Made(NamedTuple):
    """What the driver made of `INPUT`, and plain pip-compile; and what the driver asked for."""

    form: str
    folder: CompileFolder
    server: ScriptedIndex
    body: str
    by_hand: str
    asked: Counter[str]


class Common(NamedTuple):
    """What all forms of pages have in common: where files are, and what is made by hand."""

    url: str
    by_hand: list[str]
    server: ScriptedIndex


@pytest.fixture(scope="module")
def common(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Common]:
    files = Maker(tmp_path_factory.mktemp("files"), "html")
    files.wheel("direct", "1.0")
    files.wheel("remote", "1.0")
    files.wheel("paged", "1.0")
    # A page of files of any project.
    files.offer.projects["links"] = files.offer.projects.pop("paged")
    with ScriptedIndex(NOT_FOUND, files.offer.answers()) as scripted:
        yield Common(scripted.url, [], scripted)


@pytest.fixture(scope="module", params=["html", "json"])
def made(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, common: Common
) -> Iterator[Made]:
    place = tmp_path_factory.mktemp("hashes")
    other = {"html": "json", "json": "html"}[request.param]
    main, extra = Maker(place / "main", request.param), Maker(place / "extra", other)
    fill(main, extra)
    with (
        ScriptedIndex(NOT_FOUND, main.offer.answers()) as index,
        ScriptedIndex(NOT_FOUND, extra.offer.answers()) as more,
    ):
        folder = CompileFolder(place, index.url)
        direct = f"{common.url}direct-1.0-py3-none-any.whl"
        links = f"{common.url}links/"
        folder.write({"requirements.in": INPUT.format(extra=more.url, direct=direct, links=links)})
        folder.write({f"project/{n}": text for n, text in project_files("project").items()})
        needs = f"remote @ {common.url}remote-1.0-py3-none-any.whl"
        build_wheel(folder.root / "links", "linked", "1.0", requires=[needs])
        build_sdist(folder.root / "links", "linked", "1.0")
        before = len(common.server.asked)
        body = folder.run().body
        asked = Counter([*index.asked, *common.server.asked[before:]])
        if not common.by_hand:  # it takes longer than the driver
            common.by_hand.append(folder.by_hand())
        yield Made(request.param, folder, index, body, common.by_hand[0], asked)


def blocks(body: str) -> dict[str, str]:
    """Return the lines of each pin, by its first word."""
    found: dict[str, str] = {}
    first = "#"
    for line in body.splitlines():
        first = line.split()[0] if line and line[0] not in " #" else first
        found[first] = f"{found.get(first, '')}{line}\n"
    return found


def test_the_same_bytes(made: Made) -> None:
    assert blocks(made.body) == blocks(made.by_hand)
    assert made.body == made.by_hand
    counts = {first: text.count("--hash=") for first, text in blocks(made.body).items()}
    assert counts == {
        "app==1.0": 2,
        "bare==1.0": 2,
        "built==1.0": 1,
        "calendar==2024.7.4": 3,
        "candidate==1.0rc1": 2,
        "dep==1.0": 2,
        "direct": 1,
        "epoch==1!2.0": 2,
        "linked==1.0": 2,
        "local==1.0+cpu": 2,
        "md5==1.0": 2,
        "mixed==1.0": 3,
        "paged==1.0": 2,
        "post==1.0.post1": 3,
        "ready==1.0": 2,
        "remote": 1,
        "twice==1.0": 4,
        "withdrawn==1.0": 2,
        "zeros==1.0": 3,
        "#": 0,
        "-e": 0,
    }


def test_what_is_asked_for(made: Made) -> None:
    """Each page once; to hash it, only a file that no page publishes a sha256 of."""
    pages = {path: count for path, count in made.asked.items() if path[-1] == "/"}
    assert set(pages.values()) == {1}, pages
    assert len(pages) == 18
    files = {path.rpartition("/")[2]: n for path, n in made.asked.items() if path[-1] != "/"}
    without = {"bare-1.0", "md5-1.0", "mixed-1.0-1", "direct-1.0", "remote-1.0"}
    # HTML has room for one digest, and the first of these is no sha256.
    without |= {"mixed-1.0"} if made.form == "html" else set()
    wheel, foreign = "-py3-none-any.whl", f"-{FOREIGN}.whl"
    assert {file for file, count in files.items() if count > 1} <= {f"{n}{wheel}" for n in without}
    hashed = {f"{name}{foreign}" for name in without & {"bare-1.0", "md5-1.0", "mixed-1.0"}}
    assert {file for file in files if file.endswith(foreign)} == hashed
    assert files["app-1.0-py3-none-any.whl"] == 1  # for its metadata


@pytest.mark.parametrize("made", ["html"], indirect=True)
def test_an_index_that_is_named_twice(made: Made) -> None:
    """Each page of it is fetched once all the same, also where a compile starts from pins."""
    before = len(made.server.asked)
    made.folder.environ["PIP_EXTRA_INDEX_URL"] = made.server.url
    assert made.folder.run(made.folder.order(made.body)).body == made.body
    del made.folder.environ["PIP_EXTRA_INDEX_URL"]
    pages = Counter(path for path in made.server.asked[before:] if path[-1] == "/")
    assert set(pages.values()) == {1}, pages
    assert len(pages) == 17


def test_pins_there_are_and_options(tmp_path: Path) -> None:
    """Old hashes stay with their pins, go with those that move, and are added where none are."""
    main = Maker(tmp_path / "main", "html")
    for name in ("app", "moved", "plain", "lower", "setuptools"):
        for version in ("1.0", "2.0", "3.0rc1"):
            main.wheel(name, version, requires=("setuptools",) if name == "app" else ())
    wheel = tmp_path / "main" / "app-1.0-py3-none-any.whl"
    old = f"--hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}"
    pins = ("app==1.0", "moved==1.0")
    seed = "\n".join([*(f"{pin} \\\n    {old}" for pin in pins), "plain==1.0"])
    with ScriptedIndex(NOT_FOUND, main.offer.answers()) as index:
        folder = CompileFolder(tmp_path, index.url)
        folder.write(
            {
                "requirements.in": "--pre\n-c caps.txt\napp\nmoved\nplain\nlower\n",
                "caps.txt": "lower<2\n",
                "pyproject.toml": "[tool.nox-lock]\nallow-unsafe = false\nstrip-extras = false\n",
            }
        )
        order = folder.order(seed, "moved")
        body = folder.run(order).body
        assert body == folder.by_hand(seed, "--upgrade-package=moved")
    counts = {first: text.count("--hash=") for first, text in blocks(body).items()}
    assert counts == {"app==1.0": 1, "lower==1.0": 2, "moved==3.0rc1": 2, "plain==1.0": 2}
    assert body.count(old) == 1
    assert body.endswith("# setuptools")


@pytest.mark.parametrize("table", ["tool.nox-lock", "tool.nox-lock.locks.dev"])
def test_the_key_that_chose_who_makes_them_is_gone(table: str, tmp_path: Path) -> None:
    (tmp_path / "dev.in").write_text("", encoding="utf-8")
    text = f'[{table}]\nseed = "never"\n'
    text += 'inputs = ["dev.in"]\n' if "locks" in table else ""
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as raised:
        load_config(Project(tmp_path, {}))
    assert str(raised.value) == (
        f"pyproject.toml:2: `{table}.seed` is gone: hashes come from the index pages that pip "
        "reads, with and without uv\nTake the line out."
    )

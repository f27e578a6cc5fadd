"""The benchmarks' own parts: rows are listed, runs take turns, figures are written unchanged."""

from __future__ import annotations

import hashlib
import http.client
import os
import subprocess
import sys
import sysconfig
import threading
import urllib.request
import xml.etree.ElementTree as ET
from contextlib import ExitStack
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

sys.path.append(str(Path(__file__).resolve().parents[2]))  # `pytest` alone has it not there

from benchmarks import bench
from benchmarks.bench import ROWS, select
from benchmarks.chart import svg
from benchmarks.cold import MEASURED
from benchmarks.loopback import Index, Proxy
from benchmarks.measure import WARM_UP, Contender, UnavailableError, contents, measure, resident
from benchmarks.peers import Peers
from benchmarks.results import (
    BYTES,
    CPU,
    TIME,
    Figure,
    Result,
    Results,
    load,
    parse,
    render,
)
from benchmarks.setting import COMPANY, Setting
from benchmarks.table import BEGIN, END, GROUPS, brief, markdown, place
from support.wheels import build_wheel

ROW = Result(
    row="check 1",
    group="check",
    title="check 1 lock",
    note="All are\noffline.",
    again=1.02,
    day="2026-11-23",
    machine="a machine",
    figures=(
        Figure(tool="floor", seconds=0.25, ratios={TIME: 1.0}, runs=3),
        Figure(
            tool="nox-lock",
            seconds=0.5,
            ratios={TIME: 2.0},
            runs=3,
            budgets={TIME: 1.45},
            same=True,
        ),
        Figure(tool="a | <peer>", seconds=12.4, ratios={TIME: 49.6}, downloaded=12_345_678),
        Figure(tool="broken", seconds=None, failure="no such option"),
    ),
)
TABLE = """\
### Check

| | lower quartile | x floor | may be | downloaded | same lock |
| --- | --- | --- | --- | --- | --- |
| **check 1 lock**; the floor to itself 1.02 | | | | | |
| floor | 250 ms | 1.00 | | | |
| nox-lock | 500 ms | 2.00 | 1.45 | | yes |
| a \\| <peer> | 12 s | 49.60 | | 12 MB | |
| broken | failed: no such option | | | | |

All are offline.

Measured on

- 2026-11-23: a machine
"""


def test_every_row_is_listed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--list` names all rows, each once and of a group that has a table."""
    monkeypatch.setattr(sys, "argv", ["bench.py", "--list"])
    assert bench.main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[:26].strip() for line in lines] == [row.name for row in ROWS]
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert {row.group for row in ROWS} == set(GROUPS)


def test_rows_are_chosen() -> None:
    """By name, else by a part of it; slow ones only when asked for."""

    def chosen(*wanted: str, every: bool = False) -> list[str]:
        return [row.name for row in select([*wanted], every=every)]

    assert chosen("check 20") == ["check 20"]
    assert chosen("check") == ["check 1", "check 20", "check 200"]
    assert chosen("cold layers", "list") == ["cold layers", "list"]
    assert chosen("no such row") == []
    assert not any(row.slow for row in select(None, every=False))
    assert select(None, every=True) == ROWS


def test_a_table() -> None:
    """Columns that say nothing are left out; what would break a cell is escaped."""
    assert markdown(Results((ROW,))) == TABLE


def _cold(time: float, cpu: float, size: float, *, same: bool = True, large: bool = True) -> Result:
    """Return a row of a tool that takes so many times what the floor takes."""
    floor = Figure(tool="pip-compile", seconds=10, cpu=4, downloaded=1000)
    figure = Figure(
        tool="ours",
        seconds=10 * time,
        cpu=4 * cpu,
        downloaded=int(1000 * size),
        ratios={TIME: time, CPU: cpu, BYTES: size},
        budgets={TIME: 1.35, CPU: 1.2, BYTES: 1.3} if large else {},
        same=same,
    )
    figures = (floor, figure)
    return Result(row="x", group="cold", title="lock x", figures=figures, in_median=True)


def test_what_comes_out_over_several_rows() -> None:
    """Medians and worst cases of the rows that have a budget."""
    rows = (
        _cold(1.2, 1.1, 1),
        _cold(1.3, 1.15, 1.1),
        _cold(2, 1.3, 1),
        _cold(9, 9, 9, large=False),
    )
    page = markdown(Results(rows))
    assert (
        "- ours, over the 3 rows in which it has a budget: "
        "1.30 of the floor's time in the median, 2.00 at most (may be 1.35); "
        "1.15 of the floor's CPU in the median, 1.30 at most (may be 1.20); "
        "1.00 of the floor's bytes in the median, 1.10 at most (may be 1.30)\n"
    ) in page
    assert "| ours | 20 s | | 5.2 s | | 1.0 MB |" not in page
    assert "| ours | 20 s | 2.00 | 5.2 s | 1.30 | 0.0 MB | yes |" in page


def test_what_is_over_its_budget() -> None:
    """Times count in the median of a group that says so; bytes and another lock in each row."""

    def missed(*rows: Result) -> list[str]:
        return list(Results(rows).missed())

    assert missed(ROW) == ["check 1: nox-lock: time 2.00, may be 1.45"]
    assert missed(_cold(1.2, 1.1, 1), _cold(1.3, 1.2, 1), _cold(2, 3, 1)) == []
    assert missed(_cold(1.2, 1.1, 1), _cold(1.4, 1.3, 1), _cold(2, 3, 1)) == [
        "cold: ours: time 1.40 in the median, may be 1.35",
        "cold: ours: CPU 1.30 in the median, may be 1.20",
    ]
    bad = (
        _cold(1, 1, 1),
        _cold(1, 1, 1.4),
        _cold(1, 1, 1, same=False),
        _cold(9, 9, 9, large=False),
    )
    assert missed(*bad) == ["x: ours: bytes 1.40, may be 1.30", "x: ours: another lock"]
    failed = Figure(tool="ours", seconds=None, budgets={TIME: 1.0}, failure="it broke")
    assert missed(replace(ROW, figures=(failed,))) == ["check 1: ours: it broke"]


def test_a_skipped_row_says_why() -> None:
    row = Result(row="cold x", group="cold", title="lock x", skipped="there is no corpus")
    assert "| skipped: there is no corpus | |" in markdown(Results((row,)))


def test_figures_are_between_their_marks() -> None:
    """Writing them again replaces them; a page without marks is an error."""
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    once = place(page, "new\n")
    assert once == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    assert place(once, "new\n") == once
    with pytest.raises(ValueError, match="end of figures"):
        place("no marks", "new\n")


def test_results_are_kept_row_by_row() -> None:
    """JSON loses nothing; a newer row replaces its older self, a skipped one does not."""
    old = Results((ROW, replace(ROW, row="gone")), {"uv": {"uv": "1"}})
    assert parse(render(old)) == old
    newer = Results((replace(ROW, row="first"), replace(ROW, again=1.5)), {"tox": {"tox": "4"}})
    merged = old.merge(newer, ["first", "check 1"])
    assert [(row.row, row.again) for row in merged.rows] == [("first", 1.02), ("check 1", 1.5)]
    assert merged.versions == {"tox": {"tox": "4"}, "uv": {"uv": "1"}}
    skipped = Results((replace(ROW, figures=(), skipped="no corpus"),))
    assert merged.merge(skipped, ["check 1"]).rows == (replace(ROW, again=1.5),)


def test_a_chart() -> None:
    """One bar for each time, as long as it took; failures have none; both schemes are there."""
    picture = svg([ROW])
    root = ET.fromstring(picture)  # noqa: S314 our own
    bars = [each for each in root.findall(".//{*}rect") if each.get("class") != "ground"]
    assert [each.get("class") for each in bars] == ["floor", "ours", "peer"]
    widths = [float(each.attrib["width"]) for each in bars]
    assert widths[1] / widths[2] == pytest.approx(0.5 / 12.4, rel=0.02)
    texts = [each.text for each in root.findall(".//{*}text")]
    assert texts == ["Check 1 lock", "floor", "250 ms", "nox-lock", "500 ms", "a | <peer>", "12 s"]
    right = [float(each.attrib["x"]) for each in root.findall(".//{*}text")]
    assert max(right) + 40 < float(root.attrib["width"])
    assert "prefers-color-scheme: dark" in picture


def test_the_page_and_the_picture_are_of_the_results() -> None:
    """What docs/ shows is what results.json has."""
    results = load(bench.RESULTS)
    page = bench.PAGE.read_text("utf-8")
    assert place(page, markdown(results)) == page
    shown = bench.shown(results)
    assert bench.PICTURE.read_text("utf-8") == svg(shown)
    readme = bench.README.read_text("utf-8")
    assert place(readme, brief(shown)) == readme


def test_tools_take_turns(tmp_path: Path) -> None:
    """There and back, the floor twice a round; what fails says why, and does not run again."""
    assert WARM_UP == 2
    log = tmp_path / "log"
    lockfile = tmp_path / "lock.txt"
    lockfile.write_text("a==1 \\\n    --hash=sha256:" + "0" * 64 + "\n    # via b\n", "utf-8")

    def contender(tool: str, code: str = "", at_most: int | None = None) -> Contender:
        said = f"print('compiled', flush=True); open({str(log)!r}, 'a').write({tool!r}); {code}"
        command = [sys.executable, "-S", "-c", said]
        return Contender(
            tool=tool,
            command=command,
            place=tmp_path,
            environ={},
            lockfile=lockfile,
            at_most=at_most,
            compiled="compiled",
        )

    broken = contender("x", "raise SystemExit('it broke: /home/me/x')")
    tools = [contender("f"), contender("a"), contender("b", at_most=1), broken]
    figures, again = measure(tools, 2)
    assert log.read_text("utf-8") == "faxf" + "fbaf" + "fabf" + "faf"
    floor, first, second, failed = figures
    assert (floor.ratios, floor.runs, first.runs, second.runs) == ({TIME: 1.0}, 2, 2, 1)
    assert (floor.same, first.same, first.compiles) == (None, True, 1)
    assert (failed.seconds, failed.failure) == (None, "it broke: PATH")
    assert again is not None
    with pytest.raises(UnavailableError, match=r"^x fails: it broke: PATH$"):
        measure([broken, contender("a")], 1)
    assert contents(lockfile) == {"a==1": {"sha256:" + "0" * 64}}


def test_what_is_watched_is_not_timed(tmp_path: Path) -> None:
    """Only a round that does not count goes through the proxy, the floor last."""
    log = tmp_path / "log"
    said = f"import os, time; time.sleep(0.3); open({str(log)!r}, 'a').write(TOOL + SEEN)"
    seen = "str(int(os.environ.get('HTTPS_PROXY', '').startswith('http://127.0.0.1:')))"

    def contender(tool: str) -> Contender:
        code = said.replace("TOOL", repr(tool)).replace("SEEN", seen)
        command = [sys.executable, "-S", "-c", code]
        environ = {"HTTPS_PROXY": "http://proxy.example", "https_proxy": "http://proxy.example"}
        return Contender(tool=tool, command=command, place=tmp_path, environ=environ)

    with Proxy() as proxy:
        (floor, other), again = measure([contender("f"), contender("a")], 2, proxy)
    assert log.read_text("utf-8") == "a1f1" + "f0a0" + "a0f0"
    assert (floor.downloaded, other.downloaded, other.runs) == (0, 0, 2)
    assert again is not None
    if sys.platform == "linux":
        assert floor.memory
        assert other.memory


@pytest.mark.skipif(sys.platform != "linux", reason="seen on Linux alone")
def test_memory_is_that_of_the_whole_tree() -> None:
    """That of a child of the process counts, too."""
    child = "x = bytearray(50_000_000); print('holds', flush=True); input()"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-S', '-c', {child!r}])"
    with subprocess.Popen(
        [sys.executable, "-S", "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert 60_000_000 < resident(process.pid) < 200_000_000
        process.communicate(b"\n")


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"x" * 100_000)

    def log_message(self, *_: object) -> None:
        pass


def test_the_proxy_counts_what_comes() -> None:
    """A tunnel hands on all, and counts what comes from the far side; no more."""
    with HTTPServer(("127.0.0.1", 0), _Answer) as far, Proxy() as proxy:
        thread = threading.Thread(target=far.serve_forever, args=(0.01,))
        thread.start()
        near = http.client.HTTPConnection(*proxy.server_address)
        near.set_tunnel("127.0.0.1", far.server_port)
        near.request("GET", "/")
        body = near.getresponse().read()
        near.close()
        plain = http.client.HTTPConnection(*proxy.server_address)
        plain.request("GET", "/")
        refused = plain.getresponse().status
        plain.close()
        far.shutdown()
        thread.join()
    assert len(body) == 100_000
    assert 100_000 < proxy.received < 101_000
    assert refused == http.HTTPStatus.NOT_IMPLEMENTED


def test_a_small_index(tmp_path: Path) -> None:
    """It has pages of its own projects with the digests of their files, and nothing else."""
    wheel = build_wheel(tmp_path, "a-company", "1.0")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    with Index(tmp_path) as index:
        near = http.client.HTTPConnection(*index.server_address)

        def get(path: str, method: str = "GET") -> tuple[int, bytes]:
            near.request(method, path)
            answer = near.getresponse()
            return answer.status, answer.read()

        assert index.url == f"http://127.0.0.1:{near.port}/simple/"
        page = f'<a href="/files/{wheel.name}#sha256={digest}">{wheel.name}</a>'.encode()
        assert get("/simple/a-company/") == (200, page)
        assert get(f"/files/{wheel.name}") == (200, wheel.read_bytes())
        assert get(f"/files/{wheel.name}", "HEAD") == (200, b"")
        assert get("/simple/six/") == (404, b"")
        near.close()


def test_the_process_that_compiles_is_measured_alone(tmp_path: Path) -> None:
    """A noxfile leaves what it took; what nox starts before it does not count."""
    times = """
import os, subprocess, sys
from types import SimpleNamespace
counts = iter([1.0, 3.5])
os.times = lambda: SimpleNamespace(children_user=next(counts), children_system=0.25)
"""
    starts = """
for name in ("config", "driver"):
    subprocess.run([sys.executable, "-S", "-c", "pass", name], check=True)
"""
    script = tmp_path / "noxfile.py"
    script.write_text(times + MEASURED + starts, "utf-8")
    cpu = tmp_path / "cpu.txt"

    def contender(command: list[str], compiler: Path | None = None) -> Contender:
        return Contender(tool="x", command=command, place=tmp_path, environ={}, compiler=compiler)

    floor = contender([sys.executable, "-S", "-c", "sum(range(3_000_000))"])
    with Proxy() as proxy:
        (whole, compiler), _ = measure(
            [floor, contender([sys.executable, "-S", str(script)], cpu)], 1, proxy
        )
    assert compiler.cpu == 2.5
    if sys.platform != "win32":
        assert whole.cpu
        assert compiler.ratios[CPU] == 2.5 / whole.cpu


@pytest.fixture
def setting(tmp_path: Path) -> Iterator[Setting]:
    with ExitStack() as opened:
        yield Setting(tmp_path, Peers(tmp_path, tmp_path), tmp_path, opened)


def test_a_setting_hides_uv_and_other_pythons(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is found on PATH is what a row is about."""
    here = f"python3.{sys.version_info.minor}"
    folders = {name: setting.folder / name for name in (here, "python3.99", "uv", "git")}
    for name, folder in folders.items():
        folder.mkdir()
        (folder / f"{name}{sysconfig.get_config_var('EXE') or ''}").touch(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join(map(str, folders.values())))

    def path(*, pythons: bool) -> list[str]:
        found = setting.environ(pythons=pythons)["PATH"].split(os.pathsep)
        return [Path(folder).name for folder in found]

    assert path(pythons=True) == [here, "python3.99", "git"]
    assert path(pythons=False) == [here, "git"]


def test_a_setting_has_an_extra_index(setting: Setting) -> None:
    """pip's configuration names it, and it has what an input of such a row asks for."""
    environ = setting.extra_index()
    config = Path(environ["PIP_CONFIG_FILE"]).read_text("utf-8")
    assert config == f"[global]\nextra-index-url = {environ['UV_INDEX']}\n"
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(f"{environ['UV_INDEX']}{COMPANY[0]}/") as page:
        assert page.read().startswith(
            b'<a href="/files/nox_lock_benchmarks_0-1.0-py3-none-any.whl#'
        )

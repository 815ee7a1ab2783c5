"""A page whose connection is lost, whose run is long or ends, and whose fleet is large."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from gridsim.running.run import Run
from tests.integration.page.pages import DEADLINE_MS, Visit, address, make_run, to_heat
from tests.integration.proxy import FaultProxy

LARGE = """
[simulation]
seed = 7
tick_s = 3600
start = 2026-07-01T12:00:00Z

[[projects]]
id = "HOME_{n:05}"
count = 20000
contract_threshold = 1.0
load = { type = "constant", kw = 2.5 }

[[projects.ders]]
id = "{project_id}_PV_{n}"
type = "solar"
count = 5
nameplate_capacity = 4.0

[[transports]]
type = "file"
path = "out.jsonl"
format = "csv"

[[views]]
type = "web"
port = 0
"""


def test_a_lost_connection_is_shown_and_comes_back(visit: Visit, run: Run) -> None:
    with FaultProxy(int(address(run).rsplit(":", 1)[1])) as proxy:
        page = visit(f"http://127.0.0.1:{proxy.port}")
        proxy.swallow()
        proxy.reset()
        expect(page.locator("#state")).to_have_text("connection lost")
        expect(page.locator("#trouble")).to_contain_text("No connection to the run since")
        assert page.evaluate("getComputedStyle(document.querySelector('#heat')).opacity") == "0.55"
        expect(page.locator("#pause")).to_be_disabled()
        page.route("**/equivalents", lambda request: request.abort())
        page.get_by_label("Name").fill("late")
        expect(page.get_by_text("No answer: the connection to the run is lost.")).to_be_visible()
        page.unroute("**/equivalents")
        proxy.recover()
        proxy.reset()
        expect(page.locator("#state")).to_have_text("running")
        expect(page.locator("#trouble")).to_be_hidden()
        before = page.locator("#clock").inner_text()
        expect(page.locator("#clock")).not_to_have_text(before)


def test_the_page_does_not_grow(visit: Visit, run: Run) -> None:
    page = visit(address(run))
    tools = page.context.new_cdp_session(page)

    def counted(frames: int) -> tuple[int, int]:
        clock = page.locator("#clock")
        for _ in range(frames):
            expect(clock).not_to_have_text(clock.inner_text())
        tools.send("HeapProfiler.collectGarbage")
        counters = tools.send("Memory.getDOMCounters")
        return counters["nodes"], counters["jsEventListeners"]

    run.set_speed(900)
    try:
        first, last = counted(5), counted(10)
    finally:
        run.set_speed(20)
    assert last[0] <= first[0] + 60
    assert last[1] <= first[1] + 5


def test_a_run_that_ends_says_so(visit: Visit, tmp_path: Path) -> None:
    text = LARGE.replace("20000", "1").replace("tick_s = 3600", "tick_s = 1")
    run = make_run(tmp_path, text)
    with run:
        page = visit(address(run))
        # A page whose stream is not open yet cannot know why the server is gone.
        page.wait_for_function(
            "fetch('/api/v1/status').then((r) => r.json()).then(({ pages }) => pages > 0)"
        )
        run.stop()
        expect(page.locator("#state")).to_have_text("ended")
        expect(page.locator("#trouble")).to_contain_text("The run ended at")
        expect(page.locator("#pause")).to_be_disabled()
        expect(page.locator("#form .trouble")).to_contain_text("Start another one")


def test_a_page_shows_the_devices_of_a_reload(visit: Visit, tmp_path: Path) -> None:
    text = LARGE.replace("20000", "1").replace("tick_s = 3600", "tick_s = 1")
    with make_run(tmp_path, text) as run:
        page, where = visit(address(run)), address(run)
        expect(page.locator("#fleet-count")).to_have_text("5 devices in 1 project")
        (tmp_path / "fleet.toml").write_text(text.replace("count = 1", "count = 2"))
        run.reload()
        assert address(run) == where
        expect(page.locator("#fleet-count")).to_have_text("10 devices in 2 projects")
        expect(page.locator("#state")).to_have_text("running")


def test_a_fleet_of_100_000_devices(visit: Visit, tmp_path: Path) -> None:
    with make_run(tmp_path, LARGE) as run:
        page = visit(address(run))
        expect(page.locator("#fleet-count")).to_have_text(
            "100\u202f000 devices in 20\u202f000 projects"
        )
        expect(page.locator("#contracts-note")).to_have_text("20\u202f000 projects")
        assert page.locator("#contracts-body tr").count() < 60
        page.locator("#contracts-scroll").evaluate("(node) => { node.scrollTop = 1e9; }")
        expect(page.locator('tr[data-project="HOME_20000"]')).to_be_visible(timeout=DEADLINE_MS)
        page.locator("#contracts-filter").fill("HOME_0012")
        expect(page.locator("#contracts-note")).to_have_text("10 projects")
        to_heat(page)
        page.keyboard.press("End")
        says = page.locator("#heat-says")
        expect(says).to_contain_text("HOME_20000_PV_5")
        page.keyboard.press("ArrowLeft")
        expect(says).to_contain_text("HOME_20000_PV_4")
        page.keyboard.press("Enter")
        expect(page.locator("#device-title")).to_have_text("HOME_20000_PV_4")
        assert page.evaluate("document.documentElement.scrollWidth") == 1440

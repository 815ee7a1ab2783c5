"""The page in a real browser, on a real run that publishes to a real broker."""

from __future__ import annotations

import json
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from gridsim.helpers.colours import hues
from gridsim.running.plan import Options, make_plan
from gridsim.running.run import Run
from tests.integration.conftest import Brokers, Publish, Subscribe
from tests.integration.proxy import FaultProxy

DEADLINE_MS = 30_000
HOSTILE = "<img src=x onerror=alert(1)>" + "x" * 100

FLEET = """
[simulation]
seed = 7
speed = 20
start = 2026-07-01T12:00:00-03:00
plugins = ["./hum.py"]

[site]
latitude = 45.96
longitude = -66.64
timezone = "America/Moncton"

[[projects]]
id = "HOME_{{n}}"
count = 3
contract_threshold = 1.0
load = {{ type = "constant", kw = 2.5 }}

[[projects.ders]]
id = "{{project_id}}_BAT"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 20.0
initial_soc = 60.0

[[projects.ders]]
id = "{{project_id}}_PV"
type = "solar"
nameplate_capacity = 4.0

[[projects]]
id = "{hostile}"
standalone = true
load = {{ type = "constant", kw = 1.0 }}

[[projects.ders]]
id = "{hostile}"
type = "solar"
reported_type = "rooftop <b>"
nameplate_capacity = 4.0

[[transports]]
type = "mqtt"
host = "127.0.0.1"
port = {port}
framing = "project"

[[sources]]
type = "mqtt"
host = "127.0.0.1"
port = {port}

[[views]]
type = "web"
port = 0
"""

HUM = '''
from typing import Annotated
from pydantic import Field
from gridsim.api import DeviceFault, Settings, Unit, hookimpl

class HumSettings(Settings):
    pitch: Annotated[float, Unit("Hz")] = Field(gt=0, description="the pitch of the hum")

class Hum(DeviceFault[HumSettings]):
    """A meter that hums."""
    Settings = HumSettings
    def inject(self, tick, affected):
        affected.power_meter_measurement[:] += 1.0

@hookimpl
def gridsim_register(register):
    register.fault("hum", Hum)
'''

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


def make_run(folder: Path, text: str) -> Run:
    (folder / "hum.py").write_text(HUM)
    path = folder / "fleet.toml"
    path.write_text(text)
    return Run(make_plan(Options(config=path)))


def address(run: Run) -> str:
    return run.status().views[0].where


def fetched(url: str, path: str) -> Any:
    with urlopen(f"{url}/api/v1{path}", timeout=DEADLINE_MS / 1000) as answer:
        return json.load(answer)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium; without one the test skips, or fails if it is required."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        reason = "not installed: chromium"
        if os.environ.get("GRIDSIM_REQUIRE_CHROMIUM") == "1":
            pytest.fail(f"GRIDSIM_REQUIRE_CHROMIUM is set, but {reason}")
        pytest.skip(reason)
    # Without it, an expectation waits for 5 s, which a busy machine may need.
    expect.set_options(timeout=DEADLINE_MS)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=path,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def run(brokers: Brokers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    text = FLEET.format(port=brokers.ports["plain"], hostile=HOSTILE)
    with make_run(tmp_path_factory.mktemp("page"), text) as made:
        yield made


Visit = Callable[..., Page]


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Opens pages that must write nothing to the console."""
    said: list[str] = []
    contexts = []
    # A request that is refused on purpose, or a network that is down on purpose.
    expected = re.compile(r"ERR_|status of 4(04|09|22)")

    def open_page(url: str, *, width: int = 1440, height: int = 900, **options: Any) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        context.set_default_timeout(DEADLINE_MS)
        page = context.new_page()
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: said.append(f"dialog: {dialog.message}"))
        page.goto(url)
        expect(page.locator("#seed")).to_have_text("7")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [line for line in said if not expected.search(line)] == []


@contextmanager
def paused(run: Run) -> Iterator[None]:
    run.pause()
    try:
        yield
    finally:
        run.resume()


def value(text: str) -> float | None:
    """Return the number that the page writes with a sign and thin thousands."""
    plain = text.replace("\u2212", "-").replace("\u202f", "").replace("\u2007", "").strip()
    return None if plain == "\u2013" else float(plain)


def shown(page: Page, key: str) -> float | None:
    return value(page.locator(f'[data-value="{key}"]').inner_text())


def to_heat(page: Page) -> None:
    """Go to the heat map once it knows the devices."""
    expect(page.locator("#fleet-count")).to_contain_text("devices")
    page.locator("#heat").focus()
    expect(page.locator("#heat-says")).to_contain_text("_PV")


def painted(page: Page) -> int:
    """Return the number of green pixels of the chart of the called and delivered reduction."""
    found = page.evaluate(
        """() => {
            const chart = document.querySelector("#promise-chart canvas");
            const copy = new OffscreenCanvas(chart.width, chart.height);
            const context = copy.getContext("2d", { willReadFrequently: true });
            context.drawImage(chart, 0, 0);
            const { data } = context.getImageData(0, 0, chart.width, chart.height);
            let count = 0;
            for (let i = 0; i < data.length; i += 4) count += data[i + 1] > data[i] + 60 ? 1 : 0;
            return count;
        }"""
    )
    return int(found)


def test_numbers_move_and_equal_those_of_the_api(visit: Visit, run: Run) -> None:
    page = visit(address(run))
    clock = page.locator("#clock")
    before = clock.inner_text()
    expect(clock).not_to_have_text(before)
    with paused(run):
        expect(page.locator("#state")).to_have_text("paused")
        status = fetched(address(run), "/status")
        types = ["battery_storage", "rooftop <b>", "solar"]
        assert sorted(status["kw"]) == types
        expect(page.locator("#online")).to_have_text("7 / 7")
        expect(page.locator("#speed")).to_have_text("20\u00d7")
        expect(page.locator('[data-value=" load"]')).to_have_text(f"{status['load_kw']:.2f}")
        for name in types:
            assert shown(page, name) == round(status["kw"][name], 2)
        assert shown(page, " net") == round(status["net_kw"], 2)
        rows = fetched(address(run), "/projects?sort=roster")["items"]
        for row in rows[:3]:
            cell = page.locator(f'tr[data-project="{row["id"]}"] td.given .mono')
            expect(cell).to_have_text(
                re.compile(rf"^[+\u2212\u2007]?{abs(row['delivered_kw']):.2f}$")
            )
        expect(page.locator("#watch-line")).to_contain_text("mosquitto_sub -h 127.0.0.1")
    expect(page.locator("#state")).to_have_text("running")


def test_the_colours_of_types_are_those_of_the_terminal(visit: Visit, run: Run) -> None:
    page = visit(address(run))
    types = ["battery", "solar", "ice_rink", "kiln", "ev_charger", "__proto__", "wind"]
    found = page.evaluate(
        "async (types) => Object.fromEntries("
        "[...(await import('/static/js/colours.js')).hues(types)].map((e) => [`${e[0]} `, e[1]]))",
        types,
    )
    assert found == {f"{name} ": hue for name, hue in hues(types).items()}


def test_hostile_ids_are_text(visit: Visit, run: Run) -> None:
    page = visit(address(run))
    row = page.locator("#contracts-body th bdi").nth(3)
    expect(row).to_have_text(HOSTILE)
    expect(page.locator("#power-legend")).to_contain_text("rooftop <b>")
    to_heat(page)
    page.keyboard.press("End")
    expect(page.locator("#heat-says")).to_contain_text(HOSTILE)
    page.keyboard.press("Enter")
    expect(page.locator("#device-title")).to_have_text(HOSTILE)
    expect(page.locator("#device")).to_contain_text("nameplate_capacity")
    assert page.locator("img").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") == 1440


def test_an_event_called_by_a_click_reaches_the_charts_and_another_client(
    visit: Visit, run: Run, brokers: Brokers, subscribe: Subscribe
) -> None:
    page = visit(address(run))
    expect(page.locator("#promise-note")).to_be_visible(timeout=DEADLINE_MS)
    assert painted(page) < 30
    page.locator("[name=target]").fill("HOME_*")
    page.locator("[name=target_kw]").fill("3")
    preview = page.locator("#form .preview")
    expect(preview).to_contain_text("gridsim send 'HOME_*' call_event")
    expect(preview).to_contain_text("[[events]]")
    expect(preview).to_contain_text("target_kw = 3")
    name = page.locator("[name=event]").input_value()
    page.get_by_role("button", name="Call the event").click()
    expect(page.locator(".answers li").first).to_contain_text("accepted")
    expect(page.locator("#entries")).to_contain_text(name)
    expect(page.locator("#called")).to_have_text("9.00")
    expect(page.locator("tr.called")).to_have_count(3)
    expect(page.locator("#promise-note")).to_be_hidden(timeout=DEADLINE_MS)
    expect(page.locator("#part")).to_have_text(re.compile(r"^1\d\d\.\d %$"))
    clock = page.locator("#clock")
    for _ in range(20):
        if painted(page) > 100:
            break
        expect(clock).not_to_have_text(clock.inner_text())
    assert painted(page) > 100
    with subscribe(brokers.ports["plain"], "-R", topic="projects/HOME_1") as subscriber:
        (_, message) = subscriber.messages(1)[-1]
    readings = json.loads(message)
    drawn = readings[0]["power_meter_measurement"] - sum(r["current_output"] for r in readings)
    assert readings[0]["baseline"] - drawn == pytest.approx(3.0, abs=0.05)
    page.locator("[data-tab=end]").click()
    page.locator(".ending li", has_text=name).get_by_role("button").click()
    page.get_by_role("button", name="Yes: end the event").click()
    expect(page.locator("#called")).to_have_text("\u2013")


def test_a_fault_is_injected_after_one_question_and_cleared(visit: Visit, run: Run) -> None:
    page = visit(address(run))
    page.locator("[data-tab=fault]").click()
    page.locator("[name=target]").fill("HOME_2_BAT")
    preview = page.locator("#form .preview")
    expect(preview).to_contain_text("gridsim send HOME_2_BAT inject_fault")
    expect(preview).to_contain_text("[[faults]]")
    name = page.locator("[name=fault]").input_value()
    inject = page.get_by_role("button", name="Inject the fault", exact=True)
    inject.click()
    page.get_by_role("button", name="No", exact=True).click()
    expect(page.locator(".answers li")).to_have_count(0)
    inject.click()
    page.get_by_role("button", name="Yes: inject the fault").click()
    expect(page.locator(".answers li").first).to_contain_text("accepted")
    expect(page.locator("#online")).to_have_text("6 / 7")
    page.locator("[data-tab=end]").click()
    page.locator(".ending li", has_text=name).get_by_role("button").click()
    page.get_by_role("button", name="Yes: end the fault").click()
    expect(page.locator("#online")).to_have_text("7 / 7")


def test_a_fault_of_a_plugin_is_offered_with_its_settings(visit: Visit, run: Run) -> None:
    page = visit(address(run))
    page.locator("[data-tab=fault]").click()
    kind = page.locator("[name=type]")
    expect(kind.locator("option")).to_have_count(21)
    kind.select_option("hum")
    keys = page.locator("#form ul.note")
    expect(keys).to_contain_text("A meter that hums.")
    expect(keys).to_contain_text("pitch Hz the pitch of the hum")
    further = page.locator("[name=further]")
    expect(further).to_have_value("pitch = 1")
    kind.select_option("drift")
    expect(further).to_have_value("")
    expect(keys).to_contain_text('field = "current_output"')
    kind.select_option("hum")
    page.locator("[name=target]").fill("HOME_1_PV")
    page.locator("[name=duration_s]").fill("60")
    page.get_by_role("button", name="Inject the fault", exact=True).click()
    page.get_by_role("button", name="Yes: inject the fault").click()
    expect(page.locator(".answers li").first).to_contain_text("accepted")


def test_an_open_device_shows_its_messages_as_they_were_sent(
    visit: Visit, run: Run, brokers: Brokers, publish: Publish, request: pytest.FixtureRequest
) -> None:
    # A faster run would soon have sent 50 messages more.
    run.set_speed(1)
    request.addfinalizer(lambda: run.set_speed(20))
    page = visit(address(run))
    to_heat(page)
    page.keyboard.press("Enter")
    messages = page.locator("#device .messages")
    first = messages.locator("li", has_text="projects/HOME_1 ").last
    expect(first).to_contain_text("delivered")
    expect(first).to_contain_text("QoS 0")
    sent = json.loads(first.locator("pre").inner_text())
    assert [one["der_id"] for one in sent] == ["HOME_1_BAT", "HOME_1_PV"]
    text = b'{"id": "trace-1",   "command": "disconnect", "duration_s": 1}'
    publish(brokers.ports["plain"], "projects/HOME_1/ders/HOME_1_PV/command", text)
    came = messages.locator("li", has_text=text.decode())
    expect(came.locator(".fate")).to_have_text(re.compile("^(accepted|completed)$"))
    expect(came).to_contain_text("projects/HOME_1/ders/HOME_1_PV/command")
    expect(came).to_contain_text("QoS 0")
    expect(came.locator(".sr")).to_have_text("received ")
    answer = messages.locator("li", has_text="projects/HOME_1/ders/HOME_1_PV/ack").last
    expect(answer).to_contain_text('"id":"trace-1","status":"accepted"')
    expect(came.locator(".fate")).to_have_text("completed")
    page.locator("#device input[type=checkbox]").check()
    received = messages.locator("li", has=page.get_by_text("received", exact=True))
    expect(received.locator("pre")).to_contain_text('\n  "command": "disconnect"')


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """A server of another origin: an empty page."""

    class Empty(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>elsewhere</title>")

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Empty) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_page_of_another_origin_can_neither_read_nor_post(
    browser: Browser, run: Run, elsewhere: str
) -> None:
    context = browser.new_context()
    page = context.new_page()
    url = f"{address(run)}/api/v1"
    page.goto(elsewhere)
    found = page.evaluate(
        """async (url) => {
            const tried = (task) => task.then((found) => found, (error) => error.name);
            const post = (mode, type) => fetch(`${url}/control`, {
                method: "POST", mode, headers: { "Content-Type": type },
                body: JSON.stringify({ action: "pause" }),
            });
            const load = (tag, at) => new Promise((done) => {
                const node = document.createElement(tag);
                node.onload = () => done("loaded");
                node.onerror = () => done("refused");
                node.src = `${url}${at}`;
                document.head.append(node);
            });
            const form = document.createElement("form");
            const target = `${url}/control`;
            Object.assign(form, { method: "post", action: target, enctype: "text/plain" });
            const field = document.createElement("input");
            Object.assign(field, { name: '{"action": "pause", "x": "', value: '"}' });
            const frame = document.createElement("iframe");
            frame.name = form.target = "inner";
            form.append(field);
            document.body.append(frame, form);
            form.submit();
            await new Promise((done) => { frame.onload = done; });
            return {
                read: await tried(fetch(`${url}/status`)),
                opaque: await tried(fetch(`${url}/status`, { mode: "no-cors" })),
                json: await tried(post("cors", "application/json")),
                text: await tried(post("no-cors", "text/plain")),
                script: await load("script", "/status"),
                image: await load("img", "/fleet"),
                stream: await new Promise((done) => {
                    const source = new EventSource(`${url}/stream`);
                    source.onopen = () => done("open");
                    source.onerror = () => done("refused");
                }),
            };
        }""",
        url,
    )
    assert found == {
        "read": "TypeError",
        "opaque": "TypeError",
        "json": "TypeError",
        "text": "TypeError",
        "script": "refused",
        "image": "refused",
        "stream": "refused",
    }
    assert fetched(address(run), "/status")["state"] == "running"
    context.close()


def test_nothing_moves_while_the_page_loads(visit: Visit, run: Run) -> None:
    for width, height in ((1440, 900), (375, 800)):
        page = visit(address(run), width=width, height=height)
        to_heat(page)
        expect(page.locator("#contracts-note")).to_have_text("4 projects")
        score = page.evaluate(
            """() => new Promise((done) => {
                new PerformanceObserver((list) => done(list.getEntries()
                    .reduce((sum, one) => sum + (one.hadRecentInput ? 0 : one.value), 0)))
                    .observe({ type: "layout-shift", buffered: true });
                setTimeout(() => done(0), 300);
            })"""
        )
        assert score < 0.05, width


def test_a_screen_reader_finds_a_name_for_each_control_and_a_text_for_each_picture(
    visit: Visit, run: Run
) -> None:
    page = visit(address(run))
    to_heat(page)
    page.keyboard.press("Enter")
    expect(page.locator("#device figure")).to_have_count(2)
    tree = page.locator("body").aria_snapshot()
    roles = "button|textbox|searchbox|combobox|checkbox|tab|img|application|region|progressbar"
    nameless = re.findall(rf"- (?:{roles})(?: \[[^]]*\])*:?\s*$", tree, re.MULTILINE)
    assert nameless == []
    for picture in (
        'img "Stacked power over time; left and right move the reading line"',
        'img "Called and delivered reduction over time"',
        'application "One cell for each device. The arrow keys walk the cells, Enter opens',
        'img "Output: reported and true"',
    ):
        assert picture in tree
    # The values of the pictures, as text.
    for text in ("Power by type, in kW", "solar of"):
        assert text in tree


def test_a_refused_command_is_answered_in_the_words_of_the_run(visit: Visit, run: Run) -> None:
    page = visit(address(run))
    page.locator("[data-tab=command]").click()
    page.locator("[name=target]").fill("HOME_2_BAT")
    page.locator("[name=command]").select_option("target_soc")
    page.locator("[name=value]").fill("250")
    page.get_by_role("button", name="Send the command").click()
    answer = page.locator(".answers li").first
    expect(answer).to_contain_text("rejected")
    expect(answer).to_contain_text("250")
    page.locator("[name=target]").fill("NOBODY")
    expect(page.locator("#form .trouble")).to_contain_text("NOBODY")


def test_everything_is_reached_by_keyboard(visit: Visit, run: Run) -> None:
    page = visit(address(run))
    expect(page.locator("#fleet-count")).to_have_text("7 devices in 4 projects")
    reached = []
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.name"))
        if reached[-1] == "heat":
            break
    assert {"pause", "theme", "power-chart", "contracts-filter", "heat"} <= set(reached)
    expect(page.locator("#heat-says")).to_contain_text("HOME_1_PV")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#heat-says")).to_contain_text("HOME_1_BAT")
    page.keyboard.press("Enter")
    expect(page.locator("#device-title")).to_have_text("HOME_1_BAT")
    expect(page.locator("#device-title")).to_be_focused()
    expect(page.locator("#device figure")).to_have_count(4)
    page.keyboard.press("Escape")
    expect(page.locator("#device")).to_be_hidden()
    expect(page.locator("#heat")).to_be_focused()
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.dataset.tab") == "event":
            break
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-tab=command]")).to_have_attribute("aria-selected", "true")
    page.locator("#pause").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#state")).to_have_text("paused")
    page.keyboard.press("Enter")
    expect(page.locator("#state")).to_have_text("running")


@pytest.mark.parametrize("width", [375, 1024, 1440])
def test_nothing_is_wider_than_the_window(visit: Visit, run: Run, width: int) -> None:
    page = visit(address(run), width=width)
    to_heat(page)
    page.keyboard.press("Enter")
    expect(page.locator("#device figure")).to_have_count(2)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    columns = {375: 1, 1024: 1, 1440: 2}[width]
    page.keyboard.press("Escape")
    expect(page.locator("#device")).to_be_hidden()
    lefts = page.evaluate(
        "[...new Set([...document.querySelectorAll('main > section')].filter((n) => !n.hidden)"
        ".map((n) => Math.round(n.getBoundingClientRect().left)))].length"
    )
    assert lefts == {375: 1, 1024: 2, 1440: 3}[width] >= columns


def test_light_and_dark_follow_the_system_and_the_switch(visit: Visit, run: Run) -> None:
    page = visit(address(run), color_scheme="dark")
    ground, dark, light = page.locator("#power"), "rgb(19, 23, 27)", "rgb(255, 255, 255)"
    expect(ground).to_have_css("background-color", dark)
    page.emulate_media(color_scheme="light")
    expect(ground).to_have_css("background-color", light)
    page.locator("#theme").click()
    expect(ground).to_have_css("background-color", dark)
    page.reload()
    expect(page.locator("#theme")).to_have_text("Light")
    expect(ground).to_have_css("background-color", dark)


def test_a_lost_connection_is_shown_and_comes_back(visit: Visit, run: Run) -> None:
    with FaultProxy(int(address(run).rsplit(":", 1)[1])) as proxy:
        page = visit(f"http://127.0.0.1:{proxy.port}")
        proxy.swallow()
        proxy.reset()
        expect(page.locator("#state")).to_have_text("connection lost")
        expect(page.locator("#trouble")).to_contain_text("No connection to the run since")
        assert page.evaluate("getComputedStyle(document.querySelector('#heat')).opacity") == "0.55"
        expect(page.locator("#pause")).to_be_disabled()
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
        run.stop()
        expect(page.locator("#state")).to_have_text("ended")
        expect(page.locator("#trouble")).to_contain_text("The run ended at")
        expect(page.locator("#pause")).to_be_disabled()
        expect(page.locator("#form .trouble")).to_contain_text("Start another one")


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

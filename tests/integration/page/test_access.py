"""The page for the keyboard, a screen reader, small windows, and pages of other origins."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from gridsim.running.run import Run
from tests.integration.page.pages import Visit, address, fetched, to_heat


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

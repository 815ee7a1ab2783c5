"""A browser, and a run with a page that publishes to a real broker."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from gridsim.running.run import Run
from tests.integration.conftest import Brokers
from tests.integration.page.pages import DEADLINE_MS, FLEET, HOSTILE, Visit, make_run


@pytest.fixture(scope="package")
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


@pytest.fixture(scope="package")
def run(brokers: Brokers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    text = FLEET.format(port=brokers.ports["plain"], hostile=HOSTILE)
    with make_run(tmp_path_factory.mktemp("page"), text) as made:
        yield made


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

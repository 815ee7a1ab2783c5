"""Writes the pictures of the page, `docs/pictures/page-*.png`.

    .venv/bin/python docs/make_pictures.py

It runs the demo at its own speed, takes the pictures during its event and its faults, and needs
Chromium.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from gridsim.running.plan import Options, make_plan
from gridsim.running.run import Run

HERE = Path(__file__).parent
DEADLINE_MS = 120_000
SIZES = {
    "page-light": (1440, 900, "light", False),
    "page-dark": (1440, 900, "dark", True),
    "page-narrow": (375, 800, "light", False),
}


def main() -> None:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        sys.exit("Chromium is missing: apt-get install chromium")
    demo = Options(config=HERE.parent / "configs" / "demo.toml", overrides=("views.0.port=0",))
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"]
        )
        with Run(make_plan(demo)) as run:
            url = run.status().views[0].where
            pages = {}
            for name, (width, height, scheme, beside) in SIZES.items():
                page = chromium.new_page(
                    viewport={"width": width, "height": height},
                    color_scheme="dark" if scheme == "dark" else "light",
                )
                page.goto(url)
                expect(page.locator("#seed")).to_have_text("42", timeout=DEADLINE_MS)
                pages[name] = page
                if beside:
                    open_device(page)
            # The event has begun; later both faults have.
            clock = next(iter(pages.values())).locator("#clock")
            expect(clock).to_have_text(re.compile(" 12:1[0-2]:"), timeout=DEADLINE_MS)
            shoot(pages, "page-light", "page-narrow")
            expect(clock).to_have_text(re.compile(" 12:5[0-9]:"), timeout=DEADLINE_MS)
            shoot(pages, "page-dark")
        chromium.close()


def open_device(page: Page) -> None:
    """Open the device whose inverter will report with the wrong sign."""
    expect(page.locator("#fleet-count")).to_contain_text("devices", timeout=DEADLINE_MS)
    page.locator("#heat").focus()
    for _ in range(4):
        page.keyboard.press("PageDown")
    expect(page.locator("#heat-says")).to_contain_text("HOME_5_PV", timeout=DEADLINE_MS)
    page.keyboard.press("Enter")
    expect(page.locator("#device-title")).to_have_text("HOME_5_PV", timeout=DEADLINE_MS)
    page.evaluate("scrollTo(0, 0)")


def shoot(pages: dict[str, Page], *names: str) -> None:
    folder = HERE / "pictures"
    folder.mkdir(exist_ok=True)
    for name in names:
        pages[name].evaluate("scrollTo(0, 0)")
        pages[name].screenshot(path=folder / f"{name}.png")


if __name__ == "__main__":
    main()

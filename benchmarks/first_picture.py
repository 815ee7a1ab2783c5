"""The time until the page shows its first picture, beside an empty page of the same server.

    python benchmarks/first_picture.py [--turns 8] [--devices 8]

Needs Chromium. Both pages are opened alternately by one browser, each in its own window, and their
performance marks are read: the answer of the server, the first paint, and for the page the moment
at which the power chart is drawn. Times are in ms since the navigation began; the work of the
page's main thread is in ms of its tasks, scripts, and layout. Prints the medians and the minimum of
all turns, which a busy machine affects least.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from benchmarks.web import CONFIG, VIEW
from gridsim.running.plan import Options, make_plan
from gridsim.running.run import Run

_EMPTY = "healthz"
_DRAWN = "gridsim-power"
_READ = f"""() => {{
    const [navigation] = performance.getEntriesByType("navigation");
    const paint = performance.getEntriesByName("first-contentful-paint")[0];
    const drawn = performance.getEntriesByName("{_DRAWN}")[0];
    return [navigation.responseEnd, paint?.startTime ?? NaN, drawn?.startTime ?? NaN];
}}"""
_WORK = {"tasks": "TaskDuration", "scripts": "ScriptDuration", "layout": "LayoutDuration"}
_ROWS = ("answer", "first paint", "chart drawn", *_WORK)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=8)
    parser.add_argument("--devices", type=int, default=8)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    args = parser.parse_args()
    config = CONFIG.format(projects=args.devices // 2).replace(
        '"stdout"', '"file"\npath = "r.jsonl"'
    )
    found: dict[str, list[list[float]]] = {"": [], _EMPTY: []}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder, "config.toml")
        path.write_text(config + VIEW)
        browser = playwright.chromium.launch(
            executable_path=args.chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        with Run(make_plan(Options(path))) as run:
            while not (url := run.status().views[0].where) or run.status().tick < 3:
                time.sleep(0.1)
            # The first turn warms the server and the browser.
            for turn in range(args.turns + 1):
                for place in found:
                    figures = opened(browser, f"{url}/{place}")
                    if turn:
                        found[place].append(figures)
        browser.close()
    page, empty = found.values()
    print(f"{args.devices:,} devices, {args.turns} turns, ms")
    print(f"{'median (least)':27}{'page':>9}{'empty page':>18}{'page alone':>16}")
    for n, name in enumerate(_ROWS):
        ours, other = ([one[n] for one in figures] for figures in (page, empty))
        own = statistics.median(ours) - statistics.median(other)
        print(
            f"{name:20}{statistics.median(ours):10.0f} {f'({min(ours):.0f})':>6}"
            f"{statistics.median(other):10.0f} {f'({min(other):.0f})':>6}{own:14.0f}"
        )


def opened(browser: Browser, url: str) -> list[float]:
    """Open a page, and return its figures in the order of `_ROWS`."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Performance.enable")
    page.goto(url)
    page.wait_for_function("performance.getEntriesByType('paint').length > 1")
    if not url.endswith(_EMPTY):
        page.wait_for_function(f"performance.getEntriesByName('{_DRAWN}').length > 0")
    metrics = session.send("Performance.getMetrics")["metrics"]
    values = {one["name"]: one["value"] for one in metrics}
    figures = [*page.evaluate(_READ), *(1000 * values[name] for name in _WORK.values())]
    context.close()
    return figures


if __name__ == "__main__":
    main()

"""The page shows the numbers, the colours and the ids of the run."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from gridsim.helpers.colours import hues
from gridsim.running.run import Run
from tests.integration.page.pages import HOSTILE, Visit, address, fetched, paused, to_heat


def value(text: str) -> float | None:
    """Return the number that the page writes with a sign and thin thousands."""
    plain = text.replace("\u2212", "-").replace("\u202f", "").replace("\u2007", "").strip()
    return None if plain == "\u2013" else float(plain)


def shown(page: Page, key: str) -> float | None:
    return value(page.locator(f'[data-value="{key}"]').inner_text())


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

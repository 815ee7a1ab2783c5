"""Events, faults and commands that a user gives on the page, and the messages of a device."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Page, expect

from gridsim.running.run import Run
from tests.integration.conftest import Brokers, Publish, Subscribe
from tests.integration.page.pages import DEADLINE_MS, Visit, address, to_heat


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
    expect(kind.locator("option")).to_have_count(25)
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

"""The plan says when the projects of an event cannot reach its target."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridsim.running.plan import Options, Plan, make_plan
from gridsim.text.estimates import shortfall_lines
from gridsim.text.plan import caveat_lines, plan_lines
from tests.unit.events.homes import FLAT, HEAD, event, home
from tests.unit.test_event_reasons import ROOF, small


def planned(folder: Path, text: str, duration: str | None = None) -> Plan:
    path = folder / "config.toml"
    path.write_text(HEAD.format(tick_s=5.0) + text)
    return make_plan(Options(config=path, duration=duration))


def test_an_event_that_can_be_delivered_has_no_line(tmp_path: Path) -> None:
    assert list(shortfall_lines(planned(tmp_path, home("A", load=FLAT) + event()))) == []


@pytest.mark.parametrize(("threshold", "short"), [(12.0, False), (12.1, True)])
def test_the_rating_of_a_battery_is_the_edge(tmp_path: Path, threshold: float, short: bool) -> None:
    text = home("A", load=FLAT, threshold=threshold) + event(duration_s=600)
    lines = list(shortfall_lines(planned(tmp_path, text)))
    assert (
        lines
        == [
            "event peak: asked 12.1 kW, able 12.0 kW; 1 of 1 project cannot reach the target: "
            "A (asked 12.10, able 12.00 kW)"
        ]
        * short
    )


def test_a_battery_is_limited_by_its_energy_and_a_project_by_its_devices(tmp_path: Path) -> None:
    text = home("A", load=FLAT) + small("B", 1.0) + ROOF.replace("20.0", "0.01")
    text = text.replace('type = "solar"\nnameplate_capacity = 2.0', 'type = "ev_charger"\n'
                        'managed = false\nnameplate_capacity = 2.0')  # fmt: skip
    [line] = shortfall_lines(planned(tmp_path, text + event(duration_s=3600)))
    # Of 1 kWh at 80 % it has 0.7 kWh above its reserve, for an hour.
    assert line.startswith("event peak: asked 7.0 kW, able 2.")
    assert "; 2 of 3 projects cannot reach the target, 1 without a flexible DER: ROOF (" in line
    assert line.endswith(", B (asked 2.00, able 0.70 kW)")


def test_an_event_after_the_run_and_a_limit_have_no_line(tmp_path: Path) -> None:
    weak = home("A", load=FLAT, threshold=50.0)
    late = planned(tmp_path, weak + event(after_s=3600), "1h")
    assert list(shortfall_lines(late)) == []
    inside = planned(tmp_path, weak + event(after_s=3595), "1h")
    assert len(list(shortfall_lines(inside))) == 1
    limited = planned(tmp_path, weak + event(import_limit_kw=0.1))
    assert list(shortfall_lines(limited)) == []


def test_the_plan_has_the_line_beside_its_events(tmp_path: Path) -> None:
    lines = list(plan_lines(planned(tmp_path, home("A", load=FLAT, threshold=50.0) + event())))
    place = lines.index("1 event: peak (1 project)")
    assert lines[place + 1].startswith("event peak: asked 50.0 kW, able ")


def test_the_plan_says_what_like_days_has_before_the_start(tmp_path: Path) -> None:
    text = home("A", load=FLAT).replace("load =", 'baseline = { type = "like_days" }\nload =')
    plan = planned(
        tmp_path,
        text
        + home("B", load=FLAT).replace(
            "load =", 'baseline = { type = "like_days", days = 3 }\nload ='
        ),
    )
    expected = (
        "baseline like_days: for days before the start the expected loads are used, without any "
        "DER: too high where a site generates or discharges, too low where it charges "
        "a car or heats. Days of the run replace them one by one, so the mean is complete after "
        "`days` working days and `weekend_days` Saturdays and Sundays without an event"
    )
    assert list(caveat_lines(plan)) == [expected]
    assert list(plan_lines(plan)).count(expected) == 1


def test_of_many_projects_some_are_estimated(tmp_path: Path) -> None:
    many = home("H{n}", load=FLAT, threshold=50.0).replace("H{n}_BAT", "{project_id}_BAT")
    many = many.replace('id = "H{n}"', 'id = "H{n}"\ncount = 450')
    [line] = shortfall_lines(planned(tmp_path, many + event(duration_s=600)))
    assert line.startswith(
        "event peak: asked about 22,500.0 kW, able about 5,400.0 kW; 150 of 150 examined projects"
    )

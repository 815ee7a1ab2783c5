from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridsim.api import Draws, Floats, Keys
from gridsim.config.settings.distributions import Bounds, Distribution, parse
from tests.fixtures.config.fakes import Solar, SolarSettings, configure, report, with_der

KEYS: Keys = np.arange(20_000, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)


def number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def draw(**table: Any) -> Floats:
    return parse(table, number).sample(Draws(1), "setting.x", KEYS)


def test_moments_are_those_of_the_distributions() -> None:
    # Four standard errors of 20,000 draws.
    normal = draw(normal=[10, 2])
    assert abs(normal.mean() - 10) < 4 * 2 / 20_000**0.5
    assert abs(normal.std() - 2) < 4 * 2 / 40_000**0.5
    logs = np.log(draw(lognormal=[2.11, 0.83]))
    assert abs(logs.mean() - 2.11) < 4 * 0.83 / 20_000**0.5
    assert abs(logs.std() - 0.83) < 4 * 0.83 / 40_000**0.5
    uniform = draw(uniform=[4, 9])
    assert abs(uniform.mean() - 6.5) < 4 * 5 / 12**0.5 / 20_000**0.5
    assert 4 < uniform.min() < 4.01
    assert 8.99 < uniform.max() < 9
    chosen = draw(choice=[15, 30, 45, 60], weights=[1, 3, 1, 0])
    shares = [np.mean(chosen == value) for value in (15, 30, 45, 60)]
    assert np.allclose(shares, [0.2, 0.6, 0.2, 0.0], atol=4 * 0.5 / 20_000**0.5)


def test_min_and_max_cut() -> None:
    values = draw(normal=[6.0, 1.5], min=5, max=7)
    assert (values.min(), values.max()) == (5, 7)


ends = st.floats(-100, 100)


@given(
    st.sampled_from(["normal", "lognormal", "uniform", "choice"]),
    st.lists(ends, min_size=2, max_size=2),
    st.none() | ends,
    st.none() | ends,
    st.builds(
        Bounds,
        low=st.just(-np.inf) | ends,
        high=st.just(np.inf) | ends,
        open_low=st.booleans(),
        open_high=st.booleans(),
    ).filter(lambda bounds: bounds.low < bounds.high),
)
def test_what_is_admitted_stays_within_the_bounds(
    kind: str, numbers: list[float], low: float | None, high: float | None, bounds: Bounds
) -> None:
    limits = {name: v for name, v in (("min", low), ("max", high)) if v is not None}
    try:
        distribution = parse({kind: numbers, **limits}, number)
    except ValueError:
        return
    if distribution.fault(bounds) is not None:
        return
    with np.errstate(over="ignore"):
        values = bounds.clip(distribution.sample(Draws(1), "setting.x", KEYS[:500]))
    for value in (values.min(), values.max(), float(bounds.clip(np.array(distribution.central)))):
        assert bounds.low < value if bounds.open_low else bounds.low <= value
        assert value < bounds.high if bounds.open_high else value <= bounds.high


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("nameplate_capacity = { normal = [5, 1] }", "no lower end, but must be greater than 0"),
        ("tilt = { normal = [5, 1], min = 0 }", "no upper end, but must be at most 90: give `max`"),
        ("tilt = { lognormal = [5, 1] }", "no upper end"),
        ("tilt = { uniform = [-1, 5] }", "goes down to -1, but must be at least 0"),
        ("tilt = { normal = [9, 1], min = 0, max = 91 }", "goes up to 91, but must be at most 90"),
        ("azimuth = { choice = [0, 360] }", "goes up to 360, but must be less than 360"),
        (
            "nameplate_capacity = { normal = [5, 1], min = 0 }",
            "down to 0, but must be greater than",
        ),
        ("tilt = { gauss = [5, 1] }", "must be a number, or a table with one of normal"),
        ("tilt = { normal = [5, 1], uniform = [1, 2] }", "a table with one of normal"),
        ("tilt = { normal = [5, 1], weights = [1] }", "normal has no 'weights'"),
        ("tilt = { normal = [5, -1], min = 0, max = 9 }", "the latter not negative"),
        ("tilt = { normal = [5] }", "normal must be [mean, standard deviation]"),
        ("tilt = { normal = [5, true] }", "normal must be [mean, standard deviation]"),
        ("tilt = { normal = [5, '1'] }", "normal must be [mean, standard deviation]"),
        ("tilt = { normal = [5, inf] }", "normal must be [mean, standard deviation]"),
        ("tilt = { uniform = [5, 1] }", "uniform must be [lowest, highest]"),
        ("tilt = { uniform = [1, 5], min = 4, max = 2 }", "min is above max"),
        ("tilt = { choice = [] }", "choice must be an array of numbers"),
        ("tilt = { choice = [1, 2], weights = [1] }", "weights must be 2 numbers"),
        ("tilt = { choice = [1, 2], weights = [0, 0] }", "weights must be 2 numbers"),
        ("tilt = { lognormal = [5000, 1], max = 9 }", "mu that is too large"),
        ("tilt = { lognormal = [1, 1], max = 'x' }", "max must be a number"),
        ("count = { uniform = [1, 5] }", "'count' must be a whole number"),
    ],
)
def test_what_cannot_be_drawn_is_refused(tmp_path: Path, setting: str, message: str) -> None:
    text = with_der(setting)
    if setting.startswith("nameplate"):
        text = text.replace("nameplate_capacity = 5.0\n", "")
    found = report(tmp_path, text)
    assert message in found
    assert found.count(": error: ") == 1


def test_placeholders_give_the_numbers_of_a_distribution(tmp_path: Path) -> None:
    text = with_der("tilt = { uniform = ['${LOW}', 40], max = '${HIGH:-41}' }")
    made = configure(tmp_path, text, environment={"LOW": "39.5"})
    assert 39.5 < made.scenario.fleets[0].members.columns["tilt"][0] < 40


def test_whole_numbers_are_rounded_and_settings_hold_a_central_value(tmp_path: Path) -> None:
    text = with_der(
        "count = 200\nstrings = { uniform = [1, 4] }\nazimuth = { normal = [180, 20], min = 90, "
        "max = 270 }\ntilt = { choice = [15, 30, 45], weights = [1, 3, 1] }"
    ).replace('"D"', '"D{n}"')
    members = configure(tmp_path, text).scenario.fleets[0].members
    assert set(members.columns["strings"]) == {1.0, 2.0, 3.0, 4.0}
    settings = members.settings[0]
    assert isinstance(settings, SolarSettings)
    assert (settings.azimuth, settings.tilt, settings.strings) == (180, 30, 2)
    assert 90 <= members.columns["azimuth"].min() < members.columns["azimuth"].max() <= 270
    assert issubclass(configure(tmp_path, text).scenario.fleets[0].type, Solar)


def test_whole_numbers_stay_within_bounds_that_exclude_their_end() -> None:
    bounds = Bounds(low=0, high=3, open_low=True, open_high=True, whole=True)
    distribution = Distribution("uniform", (0.0, 3.0))
    assert distribution.fault(bounds) is None
    values = bounds.clip(distribution.sample(Draws(1), "setting.x", KEYS))
    assert set(values) == {1.0, 2.0}


def test_values_at_an_end_that_is_excluded_become_their_neighbours_within() -> None:
    values = np.array([-1.0, 0.0, np.nextafter(0.0, 1.0), 45.0, np.nextafter(90.0, 0), 90.0, 91.0])
    within = [np.nextafter(0.0, 1.0)] * 3 + [45.0] + [np.nextafter(90.0, 0.0)] * 3
    assert Bounds(0.0, 90.0, open_low=True, open_high=True).clip(values).tolist() == within
    closed = [0.0, 0.0, *within[2:5], 90.0, 90.0]
    assert Bounds(0.0, 90.0).clip(values).tolist() == closed
    assert Bounds(0.0, 90.0, open_low=True).clip(values).tolist() == [*within[:5], 90.0, 90.0]
    assert Bounds(0.0, 90.0, open_high=True).clip(values).tolist() == [0.0, 0.0, *within[2:]]
    assert Bounds().clip(values).tolist() == values.tolist()


@pytest.mark.parametrize(("open_low", "open_high"), [(True, False), (False, True), (True, True)])
def test_whole_numbers_at_an_end_that_is_excluded_become_the_next_within(
    open_low: bool, open_high: bool
) -> None:
    bounds = Bounds(1.0, 4.0, open_low=open_low, open_high=open_high, whole=True)
    low, high = 2.0 if open_low else 1.0, 3.0 if open_high else 4.0
    values = np.array([-7.0, 1.0, 1.4, 2.4, 3.6, 4.0, 9.0])
    assert bounds.clip(values).tolist() == [low, low, low, 2.0, high, high, high]


def test_a_draw_that_rounding_puts_on_an_excluded_end_does_not_reach_the_model(
    tmp_path: Path,
) -> None:
    # The largest number below 360: half of all draws between the two are rounded to 360.
    low = float(np.nextafter(360.0, 0.0))
    text = with_der(f"count = 40\nazimuth = {{ uniform = [{low!r}, 360] }}")
    azimuth = configure(tmp_path, text.replace('"D"', '"D{n}"')).scenario.fleets[0].members
    assert set(azimuth.columns["azimuth"].tolist()) == {low}

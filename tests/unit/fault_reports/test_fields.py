"""Faults that change a field of the record."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.fixtures.runs import Bench, Record
from tests.unit.fault_reports.records import (
    BAT,
    PV,
    TICKS,
    WINDOW,
    differing,
    fault,
    power,
    seconds,
)

Check = Callable[[Record, Record, int], bool]

SHOWN: dict[str, tuple[str, str, str, Check]] = {
    "sign_flip": (
        'type = "sign_flip"',
        PV,
        "current_output",
        lambda good, bad, _: power(bad) == -power(good),
    ),
    "sign_flip of the meter": (
        'type = "sign_flip"\nfield = "power_meter_measurement"',
        PV,
        "power_meter_measurement",
        lambda good, bad, _: bad["power_meter_measurement"] == -good["power_meter_measurement"],
    ),
    "unit_mixup": (
        'type = "unit_mixup"',
        PV,
        "current_output",
        lambda good, bad, _: abs(power(bad) / 1000 - power(good)) <= 0.0051,
    ),
    "spike": (
        'type = "spike"\nheight = 40\ndirection = "up"',
        BAT,
        "current_output",
        lambda good, bad, _: abs(power(bad) - power(good) - 40) < 0.011,
    ),
    "drift": (
        'type = "drift"\nrate = 36',
        PV,
        "current_output",
        lambda good, bad, tick: abs(power(bad) - power(good) - 0.1 * (tick - 10)) < 0.011,
    ),
    "stuck_inverter": (
        'type = "stuck_inverter"\nat = 1.25',
        PV,
        "current_output",
        lambda good, bad, _: power(bad) == 1.25,
    ),
    "soc_jump": (
        'type = "soc_jump"\njump = 12',
        BAT,
        "current_soc",
        lambda good, bad, _: abs(bad["current_soc"] - good["current_soc"] - 12) < 0.11,
    ),
    "clock_step": (
        'type = "clock_step"\nstep_s = -90.5',
        PV,
        "timestamp",
        lambda good, bad, _: seconds(bad) == seconds(good) - 90.5,
    ),
    "clock_skew": (
        'type = "clock_skew"\nskew = 10000',
        PV,
        "timestamp",
        lambda good, bad, tick: abs(seconds(bad) - seconds(good) - 0.1 * (tick - 10)) < 1e-6,
    ),
}


@pytest.mark.parametrize("name", SHOWN)
def test_one_field_is_wrong_while_it_lasts(bench: Bench, name: str) -> None:
    text, der_id, field, is_so = SHOWN[name]
    pairs = differing(bench, fault(text + "\n" + WINDOW), der_id)
    assert len(pairs) == TICKS
    changed = 0
    for tick, (good, bad) in enumerate(pairs):
        if 10 <= tick < 30:
            assert is_so(good, bad, tick), (tick, good, bad)
            changed += good[field] != bad[field]
            good = {**good, field: None}
            bad = {**bad, field: None}
        assert bad == good
    assert changed >= 19


def test_a_solar_array_has_no_charge_to_jump(bench: Bench) -> None:
    assert all(g == b for g, b in differing(bench, fault('type = "soc_jump"'), PV))


def test_a_frozen_meter_is_frozen_for_all_of_its_site(bench: Bench) -> None:
    text = fault('type = "frozen_meter"\nof = "project"\n' + WINDOW)
    meters = [
        [bad["power_meter_measurement"] for _, bad in differing(bench, text, der_id)]
        for der_id in (PV, BAT)
    ]
    good = [good["power_meter_measurement"] for good, _ in differing(bench, text, PV)]
    assert meters[0] == meters[1]
    assert meters[0][:10] == good[:10]
    assert set(meters[0][10:30]) == {good[10]}
    assert meters[0][30:] == good[30:]
    assert len(set(good[10:30])) > 1


def test_an_inverter_sticks_at_what_it_did(bench: Bench) -> None:
    pairs = differing(bench, fault('type = "stuck_inverter"\n' + WINDOW), PV)
    assert {power(bad) for _, bad in pairs[10:30]} == {power(pairs[10][0])}
    assert [power(bad) for _, bad in pairs[30:]] == [power(good) for good, _ in pairs[30:]]


def test_noise_trembles_about_the_truth(bench: Bench) -> None:
    pairs = differing(bench, fault('type = "noise"\nrelative = 10\n'), PV)
    off = np.array([power(bad) / power(good) - 1.0 for good, bad in pairs])
    assert 0.05 < off.std() < 0.2
    assert abs(off.mean()) < 0.05


def test_a_chance_strikes_a_part_of_the_readings(bench: Bench) -> None:
    pairs = differing(bench, fault('type = "sign_flip"\nprobability = 0.3'), PV)
    wrong = [power(bad) != power(good) for good, bad in pairs]
    assert 8 <= sum(wrong) <= 28

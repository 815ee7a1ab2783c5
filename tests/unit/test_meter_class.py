"""`meter_class`: readings with a meter's error, the truth without it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gridsim
from gridsim.api import Floats
from gridsim.config.text.report import ConfigError
from gridsim.testing import DeviceFaultContract
from gridsim_plugins.faults.meter_class import CLASSES, MeterClass, limit_kw, metered


class TestMeterClass(DeviceFaultContract):
    fault = MeterClass
    settings = ({}, {"meter_class": "0.2", "basic_power": 1.0}, {"resolution": 0.1})


def arr(*values: float) -> Floats:
    return np.array(values)


@pytest.mark.parametrize(
    ("name", "kw", "percent"),
    [
        # With a basic power of 10 kW: 1 % from 1 kW on, 1.5 % from 0.5 kW on.
        ("1", 10.0, 1.0),
        ("1", -1.0, 1.0),
        ("1", 0.999, 1.5),
        ("1", 0.5, 1.5),
        ("1", 0.25, 3.0),
        ("2", 1.0, 2.0),
        ("2", 0.99, 2.5),
        ("B", 0.99, 1.5),
        ("A", 5.0, 2.0),
        ("C", 1.0, 0.5),
        ("C", 0.6, 1.0),
        ("0.5", 0.5, 0.5),
        ("0.5", 0.499, 1.0),
        ("0.2", 0.1, 0.4),
        ("0.2", 0.5, 0.2),
    ],
)
def test_limits_of_the_standards(name: str, kw: float, percent: float) -> None:
    normal, extra = limit_kw(arr(kw), CLASSES[name], arr(10.0))
    assert normal[0] + extra[0] == pytest.approx(abs(kw) * percent / 100.0)


def test_a_meter_reads_zero_below_its_starting_power_and_in_its_steps() -> None:
    one, none = arr(1.0), arr(0.0)
    limits = CLASSES["1"]
    for kw, shown in [(0.039, 0.0), (-0.039, 0.0), (0.0, 0.0), (0.04, 0.0475), (2.0, 2.02)]:
        found = metered(arr(kw), limits, arr(10.0), none, one, one, none)
        assert found[0] == pytest.approx(shown)
    stepped = metered(arr(1.26), limits, arr(10.0), arr(0.5), none, none, none)
    assert stepped[0] == 1.5
    all_errors = metered(arr(-5.0), limits, arr(10.0), none, -0.8 * one, none, -0.2 * one)
    assert all_errors[0] == pytest.approx(-5.05)


def homes(**more: Any) -> dict[str, Any]:
    project = {
        "id": "P{n}",
        "count": 40,
        "contract_threshold": 1.0,
        "load": {"type": "constant", "kw": 20.0},
        "ders": [
            {"id": "{project_id}_B", "type": "battery", "nameplate_capacity": 5.0},
            {"id": "{project_id}_C", "type": "battery", "nameplate_capacity": 5.0},
        ],
    }
    simulation = {"tick_s": 60.0, "seed": 3, "start": "2026-06-01T12:00:00Z"}
    site = more.pop("site", {})
    return {"simulation": simulation, "site": site, "projects": [project], **more}


def values(run: gridsim.Simulator, ticks: int, field: str) -> tuple[Floats, Floats]:
    """Return the reported and the true values, float64[tick, device]."""
    shown = run.run(ticks=ticks).columns[field].reshape(ticks, -1)
    true = run.truth.readings.columns[field].reshape(-1, shown.shape[1])[-ticks:]
    return np.asarray(shown), np.asarray(true)


@pytest.mark.parametrize("field", ["power_meter_measurement", "current_output"])
def test_each_meter_has_its_error_within_the_class(field: str) -> None:
    run = gridsim.simulate(homes(site={"meter_class": "1"}))
    run.run(ticks=1)
    shown, true = values(run, 8, field)
    share = (shown - true) / np.abs(true)
    # 1 %, and half a step of 0.01 kW.
    assert (np.abs(shown - true) <= 0.01 * np.abs(true) + 0.00501).all()
    assert 0.003 < share.mean(axis=0).std() < 0.006
    assert share.std(axis=0).max() < 0.002
    if field == "power_meter_measurement":
        # Both DERs of a site report the same meter.
        assert (shown[:, ::2] == shown[:, 1::2]).all()
        assert len(set(np.round(share.mean(axis=0)[::2], 4).tolist())) > 30
    assert (
        gridsim.simulate(homes(site={"meter_class": "1"}))
        .run(ticks=9)
        .columns[field][-shown.shape[1] :]
        .tolist()
        == shown[-1].tolist()
    )


def test_without_a_class_readings_are_exact_and_settlements_always() -> None:
    event = {"id": "e", "after_s": 60, "duration_s": 240, "target_kw": 1.0, "projects": ["P*"]}
    settled = []
    for site in ({}, {"meter_class": "2"}):
        run = gridsim.simulate(homes(site=site, events=[event]))
        run.run(ticks=6)
        rows = run.truth.events.columns
        settled.append([rows["delivered_kwh"].tolist(), rows["start"].tolist()])
        kinds = run.truth.faults.columns["fault"].tolist() if site else []
        assert set(kinds) <= {"meter_class"}
    assert len(settled[0][0]) == 40
    assert settled[0] == settled[1]


def test_other_faults_change_what_the_meter_shows() -> None:
    """A sign flip turns the meter's value; a fault of the same id replaces the class."""
    flip = {"type": "sign_flip"}
    plain = gridsim.simulate(homes(site={"meter_class": "1"})).run(ticks=2).columns
    turned = gridsim.simulate(homes(site={"meter_class": "1"}, faults=[flip])).run(ticks=2).columns
    assert (turned["current_output"] == -plain["current_output"]).all()
    own = {"type": "meter_class", "meter_class": "0.2", "projects": ["P1"]}
    run = gridsim.simulate(homes(site={"meter_class": "2"}, faults=[own]))
    shown, true = values(run, 2, "power_meter_measurement")
    assert (shown[:, 2:] == true[:, 2:]).all()
    assert (np.abs(shown - true) <= 0.002 * true + 0.00501).all()


def test_an_unknown_class_is_an_error_with_the_known_ones() -> None:
    with pytest.raises(ConfigError) as error:
        gridsim.simulate(homes(site={"meter_class": "3"}))
    assert "site.meter_class: error: 'meter_class' must be '0.2', '0.5', '1'" in str(error.value)

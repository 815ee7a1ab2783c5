"""Every built-in fault keeps its contract, and does by itself what its documentation says."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridsim.api import DeviceFault, MessageFault
from gridsim.testing import (
    DeviceFaultContract,
    MessageFaultContract,
    make_affected,
    make_effects,
    make_members,
    make_sites,
    make_tick,
)
from gridsim_plugins.faults.clock_skew import ClockSkew
from gridsim_plugins.faults.clock_step import ClockStep
from gridsim_plugins.faults.delay import Delay
from gridsim_plugins.faults.drift import Drift
from gridsim_plugins.faults.drop import Drop
from gridsim_plugins.faults.dst_clock import DstClock
from gridsim_plugins.faults.duplicate import Duplicate
from gridsim_plugins.faults.frozen_meter import FrozenMeter
from gridsim_plugins.faults.ghost import Ghost
from gridsim_plugins.faults.malformed import Malformed
from gridsim_plugins.faults.noise import Noise
from gridsim_plugins.faults.offline import Offline
from gridsim_plugins.faults.reorder import Reorder
from gridsim_plugins.faults.schema_drift import SchemaDrift
from gridsim_plugins.faults.sign_flip import SignFlip
from gridsim_plugins.faults.soc_jump import SocJump
from gridsim_plugins.faults.spike import Spike
from gridsim_plugins.faults.stuck_inverter import StuckInverter
from gridsim_plugins.faults.truncate import Truncate
from gridsim_plugins.faults.unit_mixup import UnitMixup

METER = {"field": "power_meter_measurement"}


class TestOffline(DeviceFaultContract):
    fault: ClassVar[type[DeviceFault]] = Offline
    settings: ClassVar[Sequence[Mapping[str, Any]]] = (
        {},
        {"readings": "stored"},
        {"readings": "flagged"},
    )


class TestFrozenMeter(DeviceFaultContract):
    fault: ClassVar[type[DeviceFault]] = FrozenMeter


class TestStuckInverter(DeviceFaultContract):
    fault: ClassVar[type[DeviceFault]] = StuckInverter
    settings: ClassVar[Sequence[Mapping[str, Any]]] = ({}, {"at": 0.0})


class TestSignFlip(DeviceFaultContract):
    fault: ClassVar[type[DeviceFault]] = SignFlip
    settings: ClassVar[Sequence[Mapping[str, Any]]] = ({}, METER)


class TestUnitMixup(DeviceFaultContract):
    fault: ClassVar[type[DeviceFault]] = UnitMixup
    settings: ClassVar[Sequence[Mapping[str, Any]]] = ({}, {**METER, "unit": "MW"})


class TestSpike(DeviceFaultContract):
    fault: ClassVar[type[DeviceFault]] = Spike
    settings: ClassVar[Sequence[Mapping[str, Any]]] = ({}, {**METER, "direction": "up"})


class TestDrift(DeviceFaultContract):
    fault: ClassVar[type[DeviceFault]] = Drift
    settings: ClassVar[Sequence[Mapping[str, Any]]] = ({}, {**METER, "rate": -3.0})


class TestNoise(DeviceFaultContract):
    fault: ClassVar[type[DeviceFault]] = Noise
    settings: ClassVar[Sequence[Mapping[str, Any]]] = ({}, {**METER, "absolute": 0.5})


class TestSocJump(DeviceFaultContract):
    fault: ClassVar[type[DeviceFault]] = SocJump
    settings: ClassVar[Sequence[Mapping[str, Any]]] = ({}, {"jump": 100})


class TestClockSkew(DeviceFaultContract):
    fault: ClassVar[type[DeviceFault]] = ClockSkew


class TestClockStep(DeviceFaultContract):
    fault: ClassVar[type[DeviceFault]] = ClockStep


class TestDstClock(DeviceFaultContract):
    fault: ClassVar[type[DeviceFault]] = DstClock


class TestGhost(DeviceFaultContract):
    fault: ClassVar[type[DeviceFault]] = Ghost


class TestDrop(MessageFaultContract):
    fault: ClassVar[type[MessageFault]] = Drop


class TestDelay(MessageFaultContract):
    fault: ClassVar[type[MessageFault]] = Delay
    settings: ClassVar[Sequence[Mapping[str, Any]]] = (
        {},
        {"jitter_s": 30},
        {"delay_s": 0, "jitter_s": 5, "jitter": "uniform"},
    )


class TestDuplicate(MessageFaultContract):
    fault: ClassVar[type[MessageFault]] = Duplicate


class TestReorder(MessageFaultContract):
    fault: ClassVar[type[MessageFault]] = Reorder


class TestTruncate(MessageFaultContract):
    fault: ClassVar[type[MessageFault]] = Truncate


class TestMalformed(MessageFaultContract):
    fault: ClassVar[type[MessageFault]] = Malformed
    settings: ClassVar[Sequence[Mapping[str, Any]]] = ({}, {"how": "garbled"})


class TestSchemaDrift(MessageFaultContract):
    fault: ClassVar[type[MessageFault]] = SchemaDrift
    settings: ClassVar[Sequence[Mapping[str, Any]]] = (
        {},
        {"change": "missing"},
        {"change": "wrong_type"},
    )


def altered(type: type[MessageFault], body: bytes, chance: float, **settings: Any) -> bytes:
    return type.alter(type.Settings.model_validate(settings), body, chance)


def parses(body: bytes) -> bool:
    try:
        json.loads(body.decode())
    except ValueError:
        return False
    return True


chances = st.floats(0.0, 1.0, exclude_max=True)
records = st.dictionaries(
    st.text(max_size=5), st.none() | st.booleans() | st.floats(-1e6, 1e6) | st.text(max_size=5)
).filter(len)
messages = st.one_of(records, st.lists(records, min_size=1, max_size=3)).map(
    lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode(
        errors="replace"
    )
)


@given(messages, chances)
def test_no_parser_takes_what_is_malformed_or_cut_off(body: bytes, chance: float) -> None:
    assert not parses(altered(Malformed, body, chance))
    cut = altered(Truncate, body, chance)
    assert body.startswith(cut)
    assert len(cut) < len(body)
    assert not parses(cut)


def test_a_text_is_cut_where_the_settings_say() -> None:
    chances = np.linspace(0, 1, 50)[:-1].tolist()
    lengths = [len(altered(Truncate, b"x" * 1000, one, least=20, most=40)) for one in chances]
    assert (min(lengths), max(lengths)) == (200, 395)


RECORD = b'{"der_id":"D","is_online":true,"current_output":-1.50,"current_soc":"null"}'


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        (
            {"change": "missing"},
            b'{"der_id":"D","is_online":true,"current_soc":"null"}',
        ),
        (
            {"change": "renamed", "renamed_to": "kw"},
            b'{"der_id":"D","is_online":true,"kw":-1.50,"current_soc":"null"}',
        ),
        (
            {"change": "wrong_type"},
            b'{"der_id":"D","is_online":true,"current_output":"-1.50","current_soc":"null"}',
        ),
        (
            {"change": "wrong_type", "field": "is_online"},
            b'{"der_id":"D","is_online":"true","current_output":-1.50,"current_soc":"null"}',
        ),
        (
            {"change": "wrong_type", "field": "der_id"},
            b'{"der_id":null,"is_online":true,"current_output":-1.50,"current_soc":"null"}',
        ),
    ],
)
def test_a_schema_drifts_in_one_field_and_nowhere_else(
    settings: dict[str, Any], wanted: bytes
) -> None:
    array, drifted = b"[%b,%b]" % (RECORD, RECORD), b"[%b,%b]" % (wanted, wanted)
    assert altered(SchemaDrift, RECORD, 0.3, **settings) == wanted
    assert altered(SchemaDrift, array, 0.3, **settings) == drifted


ZONES = {
    "America/Moncton": (datetime(2026, 11, 1, 5, tzinfo=UTC), -3600),
    "Europe/Berlin": (datetime(2026, 3, 29, 1, tzinfo=UTC), 3600),
    "Australia/Lord_Howe": (datetime(2026, 10, 3, 15, 30, tzinfo=UTC), 1800),
    "Asia/Tokyo": (datetime(2026, 3, 29, 1, tzinfo=UTC), 0),
}


@pytest.mark.parametrize("zone", ZONES)
def test_a_clock_learns_late_of_daylight_saving(zone: str) -> None:
    change, off_s = ZONES[zone]
    change_ms = int(change.timestamp() * 1000)
    members = make_members(
        DstClock.Settings, [{"lasts_s": 1800}, {"lasts_s": 7200}], sites=make_sites(timezone=zone)
    )
    fault = DstClock(members)
    for minute in range(-90, 200):
        tick = make_tick(minute, start_ms=change_ms, tick_s=60.0)
        affected = make_affected(tick, [0, 1])
        fault.inject(tick, affected)
        wrong = [0 <= minute < 30, 0 <= minute < 120]
        assert ((affected.timestamp_ms - tick.time_ms) / 1000).tolist() == [
            off_s if is_wrong else 0 for is_wrong in wrong
        ]


def test_noise_has_the_spread_that_it_is_told() -> None:
    members = make_members(Noise.Settings, [{"relative": 10.0, "absolute": 0.3}])
    fault = Noise(members)
    off = []
    for index in range(4000):
        tick = make_tick(index)
        affected = make_affected(tick, [0], output=4.0)
        fault.inject(tick, affected)
        off.append(affected.current_output[0] - 4.0)
    assert abs(np.mean(off)) < 0.03
    assert np.std(off) == pytest.approx(0.5, rel=0.05)  # 0.4 and 0.3 in quadrature


def test_jitter_has_the_mean_that_it_is_told() -> None:
    u = (np.arange(100_000) + 0.5) / 100_000
    for settings in ({"jitter": "exponential"}, {"jitter": "uniform"}):
        fault = Delay(make_members(Delay.Settings, [{"delay_s": 2, "jitter_s": 10, **settings}]))
        effects = make_effects(np.zeros(len(u), np.intp), u)
        fault.inject(make_tick(), effects)
        late_s = effects.delay_ms / 1000
        assert late_s.min() >= 2.0
        assert late_s.mean() == pytest.approx(12.0, rel=0.01)

"""The contract tests of faults."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from gridsim.api import (
    LOST,
    SENT,
    AffectedReadings,
    DeviceFault,
    Fault,
    Floats,
    Members,
    MessageEffects,
    MessageFault,
    Tick,
)
from gridsim.contracts.fault import REPORT_COLUMNS
from gridsim.helpers.randomness import mixed
from gridsim.testing.builders import make_members, make_tick, some_of
from gridsim.testing.settings import assert_described
from gridsim.testing.states import resume

_WINDOW = 20
_WITHOUT = "DER_0"
"""The id of the device without storage."""
# The columns by name, and the members that they belong to.
Result = Mapping[str, NDArray[Any]]
_EFFECT_COLUMNS = ("copies", "delay_ms", "overtaken", "altered")


def make_affected(
    tick: Tick,
    member: Sequence[int] | NDArray[np.intp],
    *,
    since_ms: int | NDArray[np.int64] | None = None,
    output: float | Floats = 1.0,
    meter: float | Floats = 2.0,
    soc: float | Floats = 50.0,
    stored: int = 0,
    extra: Mapping[str, Floats] | None = None,
) -> AffectedReadings:
    """Return readings of affected members; affected since this tick unless given.

    `extra` are measurands.
    """
    n = len(member)
    return AffectedReadings(
        member=np.array(member, np.intp),
        since_ms=np.full(n, tick.time_ms if since_ms is None else since_ms, np.int64),
        timestamp_ms=np.full(n, tick.time_ms, np.int64),
        is_online=np.ones(n, np.bool_),
        current_output=np.full(n, output),
        power_meter_measurement=np.full(n, meter),
        current_soc=np.full(n, soc),
        leaves=np.full(n, SENT, np.int8),
        stored=np.full(n, stored, np.int64),
        extra={} if extra is None else extra,
    )


def make_effects(
    member: Sequence[int] | NDArray[np.intp], chance: float | Floats
) -> MessageEffects:
    """Return the initial effects on messages of the members."""
    n = len(member)
    return MessageEffects(
        member=np.array(member, np.intp),
        chance=np.full(n, chance),
        copies=np.ones(n, np.int8),
        delay_ms=np.zeros(n, np.int64),
        overtaken=np.zeros(n, np.bool_),
        altered=np.zeros(n, np.bool_),
    )


class _FaultContract:
    settings: ClassVar[Sequence[Mapping[str, Any]]] = ({},)
    """The settings to test; each gets three devices with one fault."""
    tick_s: ClassVar[float] = 60.0
    ticks: ClassVar[int] = 120

    def _type(self) -> type[Fault]:
        raise NotImplementedError

    def _inject(self, fault: Any, index: int) -> Result:
        raise NotImplementedError

    def test_every_setting_is_described(self) -> None:
        assert_described(self._type().Settings)

    def test_a_device_does_not_depend_on_the_others(self) -> None:
        for members in self._members():
            every = self._run(self._type()(members), range(self.ticks))
            for rows in (np.array([0]), np.arange(len(members))[::-1]):
                some = self._run(self._type()(some_of(members, rows)), range(self.ticks))
                for whole, part in zip(every, some, strict=True):
                    for place, row in enumerate(rows.tolist()):
                        _assert_same(_of(whole, row), _of(part, place))

    def test_a_new_fault_continues_from_the_state(self) -> None:
        for members in self._members():
            fault, half = self._type()(members), self.ticks // 2 + _WINDOW // 3
            self._run(fault, range(half))
            again = self._type()(members)
            resume(again, fault)
            rest = range(half, self.ticks)
            for whole, part in zip(self._run(fault, rest), self._run(again, rest), strict=True):
                _assert_same(whole, part)

    def _members(self) -> list[Members[Any]]:
        """Return the members for each of the settings; a fault has those of one stanza."""
        return [
            make_members(self._type().Settings, [entry] * 3, tick_s=self.tick_s)
            for entry in self.settings
        ]

    def _run(self, fault: Fault, ticks: Iterable[int]) -> list[Result]:
        return [self._inject(fault, index) for index in ticks]

    def _affected(self, fault: Fault, index: int) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        """Return the affected members, each in its own windows, and the start ticks."""
        keys = fault.members.keys
        phase = (keys % np.uint64(_WINDOW)).astype(np.int64)
        window, since = (index + phase) // _WINDOW, index - (index + phase) % _WINDOW
        affected = mixed(keys, window) % np.uint64(2) == 0
        return np.flatnonzero(affected), np.maximum(since[affected], 0)


class DeviceFaultContract(_FaultContract):
    """The requirements on every device fault. Inherit the class and set `fault`:

    class TestFrost(DeviceFaultContract):
        fault = Frost
    """

    fault: ClassVar[type[DeviceFault]]

    def _type(self) -> type[Fault]:
        return self.fault

    def test_what_it_makes_can_be_reported(self) -> None:
        for members in self._members():
            for result in self._run(self.fault(members), range(self.ticks)):
                n = len(result["member"])
                assert all(result[name].shape == (n,) for name in REPORT_COLUMNS)
                assert np.isfinite(result["current_output"]).all()
                assert np.isfinite(result["power_meter_measurement"]).all()
                assert not np.isinf(result["current_soc"]).any()
                assert not any(np.isinf(result[name]).any() for name in self.fault.measurands)
                assert result["timestamp_ms"].dtype == np.int64
                assert result["is_online"].dtype == np.bool_
                assert ((result["leaves"] >= SENT) & (result["leaves"] <= LOST)).all()

    def test_it_leaves_missing_storage_missing(self) -> None:
        for members in self._members():
            for result in self._run(self.fault(members), range(self.ticks)):
                without = result["member"] == 0
                assert np.isnan(result["current_soc"][without]).all()

    def _inject(self, fault: DeviceFault, index: int) -> Result:
        tick = make_tick(index, tick_s=self.tick_s)
        member, since = self._affected(fault, index)
        start_ms, keys = fault.members.start_ms, fault.members.keys[member]
        # By name, because there may be only some of the devices.
        without = np.array([name == _WITHOUT for name in fault.members.ids], np.bool_)[member]
        soc = np.where(without, np.nan, 50.0 + 4.0 * _wave(mixed(keys, 2), index))
        affected = make_affected(
            tick,
            member,
            since_ms=start_ms + since * round(self.tick_s * 1000),
            output=_wave(keys, index),
            meter=np.abs(_wave(mixed(keys, 1), index)),
            soc=soc,
            extra={
                name: 0.25 * index + (mixed(keys, place) % np.uint64(100)).astype(np.float64)
                for place, name in enumerate(self.fault.measurands, 3)
            },
        )
        if len(member):
            fault.inject(tick, affected)
        assert (affected.member == member).all(), "`member` must not change"
        columns = {name: getattr(affected, name) for name in REPORT_COLUMNS}
        return {"member": member, **columns, **affected.extra}


class MessageFaultContract(_FaultContract):
    """The requirements on every message fault. Inherit the class and set `fault`:

    class TestCrows(MessageFaultContract):
        fault = Crows
    """

    fault: ClassVar[type[MessageFault]]
    bodies: ClassVar[Sequence[bytes]] = (
        b'{"der_id":"D","is_online":true,"current_output":1.50,"current_soc":"null"}',
        b'[{"der_id":"D","current_output":1.50},{"der_id":"E","current_output":-0.10}]',
    )
    """Examples of messages to alter."""

    def _type(self) -> type[Fault]:
        return self.fault

    def test_what_it_makes_can_happen(self) -> None:
        for members in self._members():
            for result in self._run(self.fault(members), range(self.ticks)):
                n = len(result["member"])
                assert all(result[name].shape == (n,) for name in _EFFECT_COLUMNS)
                assert ((result["copies"] >= 0) & (result["copies"] <= 2)).all()
                assert (result["delay_ms"] >= 0).all()

    def test_an_alteration_is_a_function_of_text_and_chance(self) -> None:
        for members in self._members():
            fault, settings = self.fault, members.settings[0]
            for body in self.bodies:
                for chance in np.linspace(0.0, 1.0, 101)[:-1].tolist():
                    altered = fault.alter(settings, body, chance)
                    assert type(altered) is bytes
                    assert altered, "the payload must not be empty"
                    assert altered == fault.alter(settings, body, chance)

    def _inject(self, fault: MessageFault, index: int) -> Result:
        tick = make_tick(index, tick_s=self.tick_s)
        member, _ = self._affected(fault, index)
        keys = fault.members.keys[member]
        effects = make_effects(member, fault.members.draws.uniform("test", keys, index))
        if len(member):
            fault.inject(tick, effects)
        assert (effects.member == member).all(), "`member` must not change"
        return {"member": member, **{name: getattr(effects, name) for name in _EFFECT_COLUMNS}}


def _wave(keys: NDArray[np.uint64], index: int) -> Floats:
    phase = (keys % np.uint64(1000)).astype(np.float64)
    return 8.0 * np.sin(phase + 0.05 * index)


def _of(result: Result, member: int) -> Result:
    rows = result["member"] == member
    return {name: column[rows] for name, column in result.items() if name != "member"}


def _assert_same(whole: Result, part: Result) -> None:
    for name, column in whole.items():
        np.testing.assert_array_equal(column, part[name], err_msg=name)

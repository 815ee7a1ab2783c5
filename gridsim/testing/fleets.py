"""The contract test of DER types."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Device, Fleet, Floats, Members, Orders, Telemetry, fleet_of
from gridsim.contracts.blocks import has_block
from gridsim.testing.builders import (
    BLOCK_LENGTHS,
    make_members,
    make_tick,
    make_tick_block,
    make_weather,
    some_of,
)
from gridsim.testing.settings import assert_described
from gridsim.testing.states import resume, state_bytes


@dataclass(frozen=True, slots=True, eq=False)
class DeviceLimits:
    """The limits of the devices from a tick on, float64[n], kW."""

    min_kw: Floats
    max_kw: Floats
    first: int


class FleetContract:
    """The requirements on every DER type, over a simulated day. Inherit and set `fleet`:

    class TestHeatPump(FleetContract):
        fleet = HeatPump
        settings = ({"nameplate_capacity": 6.0}, {"nameplate_capacity": 3.0})

    `fleet` may be a `Device` as well.
    """

    fleet: ClassVar[type[Fleet] | type[Device]]
    settings: ClassVar[Sequence[Mapping[str, Any]]]
    """The settings to test; each gets three devices, all in one fleet."""
    tick_s: ClassVar[float] = 300.0
    ticks: ClassVar[int] = 288
    obeys_within_s: ClassVar[float | None] = 60.0
    """The time within which devices reach new limits; None if they cannot be limited."""

    def test_every_setting_is_described(self) -> None:
        assert_described(self._fleet().Settings)

    def test_reports_are_physical(self) -> None:
        rated = self._members().columns["nameplate_capacity"]
        for report in _undisturbed(type(self)):
            assert report.current_output.shape == rated.shape
            assert np.isfinite(report.current_output).all()
            assert (np.abs(report.current_output) <= rated * (1 + 1e-12)).all(), "above nameplate"
            if report.current_soc is not None:
                soc = report.current_soc[~np.isnan(report.current_soc)]
                assert ((soc >= 0.0) & (soc <= 100.0)).all(), "state of charge out of bounds"
            declared = {*self._fleet().columns, *self._fleet().measurands}
            assert set(report.extra) <= declared, "a column is not declared"

    def test_a_device_does_not_depend_on_the_others(self) -> None:
        members = self._members()
        every = _undisturbed(type(self))
        for rows in (np.array([0]), np.arange(1, len(members), 2)[::-1]):
            some = self._run(self._fleet()(some_of(members, rows)), range(self.ticks))
            for whole, part in zip(every, some, strict=True):
                _assert_same_telemetry(_rows(whole, rows), part)

    def test_a_new_fleet_continues_from_the_state(self) -> None:
        fleet, half = self._fleet()(self._members()), self.ticks // 2
        self._run(fleet, range(half))
        again = self._fleet()(self._members())
        resume(again, fleet)
        rest = range(half, self.ticks)
        for whole, part in zip(self._run(fleet, rest), self._run(again, rest), strict=True):
            _assert_same_telemetry(whole, part)

    def test_what_was_reported_does_not_change_later(self) -> None:
        fleet = self._fleet()(self._members())
        first = self._run(fleet, range(1))[0]
        unchanged = copy.deepcopy(first)
        self._run(fleet, range(1, self.ticks // 4))
        _assert_same_telemetry(first, unchanged)

    def test_limits_bind_in_time(self) -> None:
        if self.obeys_within_s is None:
            return
        # Every limit is tested on separate devices.
        pairs = ((-0.3, 0.25), (0.0, 1.0), (-1.0, 0.0), (0.0, 0.0))
        members = self._members(len(pairs))
        rated, first = members.columns["nameplate_capacity"], self.ticks // 8
        bound = first + int(np.ceil(self.obeys_within_s / self.tick_s)) + 1
        assert bound < self.ticks * 3 // 4, "too few ticks to see the limits bind"
        low, high = np.repeat(np.array(pairs), len(members) // len(pairs), axis=0).T
        limits = DeviceLimits(low * rated, high * rated, first)
        reports = self._run(self._fleet()(members), range(self.ticks), limits)
        for output in (report.current_output for report in reports[bound:]):
            assert (output >= limits.min_kw * (1 + 1e-9)).all(), "below the lower limit"
            assert (output <= limits.max_kw * (1 + 1e-9)).all(), "above the upper limit"

    def test_limits_that_do_not_bind_change_nothing(self) -> None:
        members = self._members()
        infinite = np.full(len(members), np.inf)
        limits = DeviceLimits(-infinite, infinite, 0)
        limited = self._run(self._fleet()(members), range(self.ticks), limits)
        for whole, part in zip(_undisturbed(type(self)), limited, strict=True):
            _assert_same_telemetry(whole, part)

    def test_a_block_has_the_telemetry_of_its_ticks(self) -> None:
        if not has_block(self._fleet(), Fleet, "step"):
            return
        for first, tick_s in ((3, 1.0), (1_400, 60.0), (40, self.tick_s)):
            members = replace(self._members(), tick_ms=round(tick_s * 1000))
            single, several = self._fleet()(members), self._fleet()(members)
            n = len(members)
            free = Orders(np.full(n, np.nan), np.zeros(n))
            zero = Orders(np.zeros(n), np.zeros(n))
            for number, length in enumerate(BLOCK_LENGTHS):
                block = make_tick_block(first, length, sites=len(members.sites), tick_s=tick_s)
                before = state_bytes(several)
                reports = several.block(block)
                assert state_bytes(several) == before, "a block changed the state"
                for row, tick in enumerate(block.ticks()):
                    # A setpoint ends a block; afterwards limits may move for some ticks.
                    orders = zero if (number, row) == (2, 3) else free
                    whole = single.step(tick, orders)
                    if reports is None or orders is zero:
                        reports = None
                        _assert_same_telemetry(whole, several.step(tick, orders))
                    else:
                        _assert_same_telemetry(whole, reports.rows(row))
                first += length
            assert state_bytes(single) == state_bytes(several)

    def _fleet(self) -> type[Fleet]:
        """Return the fleet, made from a device if necessary."""
        if issubclass(self.fleet, Device):
            return fleet_of(self.fleet, self.fleet.__name__)
        return self.fleet

    def _members(self, repeats: int = 1) -> Members[Any]:
        stages = {
            self._fleet().stage(self._fleet().Settings.model_validate(s)) for s in self.settings
        }
        assert len(stages) == 1, "settings of two stages: use a contract test for each"
        entries = list(self.settings) * 3 * repeats
        ids = [f"DER_{i}" for i in range(len(entries))]
        members = make_members(self._fleet().Settings, entries, ids=ids, tick_s=self.tick_s)
        return replace(members, wanted=frozenset(self._fleet().measurands))

    def _run(
        self, fleet: Fleet, ticks: Iterable[int], limits: DeviceLimits | None = None
    ) -> list[Telemetry]:
        """Step a day with sun and wind, a net load of changing sign, and some setpoints."""
        members = fleet.members
        rated = members.columns["nameplate_capacity"]
        flexible = fleet.stage(members.settings[0]) == "flexible"
        reports = []
        for index in ticks:
            day = index * self.tick_s / 86_400
            weather = make_weather(
                len(members.sites),
                ghi=max(0.0, 900.0 * np.cos(2 * np.pi * day)),
                wind_m_s=8.0 + 6.0 * np.sin(2 * np.pi * 5 * day),
            )
            tick = make_tick(index, weather=weather, tick_s=self.tick_s)
            balance = rated * np.sin(2 * np.pi * 3 * day)
            if flexible:
                possible = fleet.capability(tick)
                assert (possible.min_kw <= 0.0).all()
                assert (possible.max_kw >= 0.0).all()
                assert (possible.min_kw >= -rated * (1 + 1e-12)).all(), "capability above nameplate"
                assert (possible.max_kw <= rated * (1 + 1e-12)).all(), "capability above nameplate"
                if possible.preferred_kw is not None:
                    assert possible.preferred_kw.shape == rated.shape
                    within = np.clip(possible.preferred_kw, possible.min_kw, possible.max_kw)
                    assert (possible.preferred_kw == within).all(), (
                        "preferred power is outside the range"
                    )
                balance = np.clip(balance, possible.min_kw, possible.max_kw)
            has_setpoint = (members.keys + np.uint64(index // 24)) % np.uint64(3) == 0
            setpoint = np.where(has_setpoint, 1.5 * rated * np.cos(2 * np.pi * 7 * day), np.nan)
            share = balance if flexible else np.zeros_like(balance)
            orders = Orders(setpoint, share)
            if limits is not None and index >= limits.first:
                orders = Orders(setpoint, share, limits.min_kw, limits.max_kw)
            reports.append(fleet.step(tick, orders))
        return reports


def _undisturbed(contract: type[FleetContract]) -> Sequence[Telemetry]:
    """Return the reports of the whole fleet over all ticks, which several tests compare with."""
    if contract not in _reports:
        of_contract = contract()
        fleet = of_contract._fleet()(of_contract._members())
        _reports[contract] = of_contract._run(fleet, range(contract.ticks))
    return _reports[contract]


_reports: dict[type[FleetContract], Sequence[Telemetry]] = {}


def _rows(report: Telemetry, rows: NDArray[np.intp]) -> Telemetry:
    soc = report.current_soc
    extra = {name: column[rows] for name, column in report.extra.items()}
    return Telemetry(report.current_output[rows], None if soc is None else soc[rows], extra)


def _assert_same_telemetry(whole: Telemetry, part: Telemetry) -> None:
    _assert_same(whole.current_output, part.current_output)
    assert (whole.current_soc is None) == (part.current_soc is None)
    if whole.current_soc is not None and part.current_soc is not None:
        _assert_same(whole.current_soc, part.current_soc)
    assert whole.extra.keys() == part.extra.keys()
    for name, column in whole.extra.items():
        _assert_same(column, part.extra[name])


def _assert_same(one: Floats, other: Floats) -> None:
    # Comparing bytes is ten times as fast.
    if one.shape != other.shape or one.tobytes() != other.tobytes():
        np.testing.assert_array_equal(one, other)

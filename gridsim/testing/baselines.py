"""The contract test of baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Baseline, Floats, Members, Tick
from gridsim.testing.builders import make_members, make_sites, make_tick, make_weather, some_of
from gridsim.testing.settings import assert_described
from gridsim.testing.states import resume

_TICK_S = 1800.0
_TICKS = 120
_NOTICE, _BEGIN, _OVER = 30, 34, 40
"""The ticks at which an event is announced, begins, and is over."""


class BaselineContract:
    """The rules for every baseline plugin. Inherit, and name it:

    class TestLastWeek(BaselineContract):
        baseline = LastWeek
        settings = ({"weeks": 2},)
    """

    baseline: ClassVar[type[Baseline]]
    settings: ClassVar[Sequence[Mapping[str, Any]]] = ({},)
    """Three sites of each are tested, all in one object."""

    def test_every_setting_is_described(self) -> None:
        assert_described(self.baseline.Settings)

    def test_a_baseline_is_a_number_for_each_site(self) -> None:
        run = _Run(self.baseline, self._members())
        for index in range(_TICKS):
            values = run.step(index)
            assert values.shape == (len(run.members),)
            assert values.dtype == np.float64
            assert np.isfinite(values).all()

    def test_asking_twice_changes_nothing(self) -> None:
        once, twice = (_Run(self.baseline, self._members()) for _ in range(2))
        for index in range(_TICKS):
            twice.baseline.at(twice.tick(index))
            np.testing.assert_array_equal(once.step(index), twice.step(index))

    def test_a_site_does_not_depend_on_the_others(self) -> None:
        members = self._members()
        every = _Run(self.baseline, members).all()
        for rows in (np.array([0]), np.arange(len(members))[::-1]):
            some = _Run(self.baseline, some_of(members, rows)).all()
            np.testing.assert_array_equal(every[:, rows], some)

    def test_an_event_of_one_site_changes_no_other(self) -> None:
        members = self._members()
        quiet = _Run(self.baseline, members, called=()).all()
        called = _Run(self.baseline, members, called=(members.ids[0],)).all()
        np.testing.assert_array_equal(quiet[:, 1:], called[:, 1:])

    def test_consumption_after_the_notice_changes_nothing_until_the_event_is_over(self) -> None:
        members = self._members()
        calm = _Run(self.baseline, members, called=members.ids)
        wild = _Run(self.baseline, members, called=members.ids)
        for index in range(_OVER):
            factor = 5.0 if index > _NOTICE else 1.0
            np.testing.assert_array_equal(calm.step(index), wild.step(index, factor))

    def test_a_new_baseline_continues_from_the_state(self) -> None:
        for half in (_NOTICE - 1, _BEGIN + 1, _OVER + 1):
            run, again = (_Run(self.baseline, self._members()) for _ in range(2))
            for index in range(half):
                run.step(index)
            resume(again.baseline, run.baseline)
            for index in range(half, _TICKS):
                np.testing.assert_array_equal(run.step(index), again.step(index))

    def _members(self) -> Members[Any]:
        entries = list(self.settings) * 3
        n = len(entries)
        ids = [f"SITE_{i}" for i in range(n)]
        return make_members(
            self.baseline.Settings,
            entries,
            ids=ids,
            sites=make_sites(n),
            site=range(n),
            tick_s=_TICK_S,
        )


@dataclass(frozen=True, eq=False)
class _Expectation:
    """A load that differs between sites and hours, and must not be written to."""

    site: NDArray[np.intp]

    def __call__(self, time_ms: int) -> Floats:
        values: Floats = 3.0 + 0.5 * self.site + np.sin(time_ms / 3.6e6 + self.site)
        values.flags.writeable = False
        return values


class _Run:
    """Two days and a half of a baseline, in half hours, with one event."""

    def __init__(
        self,
        baseline: type[Baseline],
        members: Members[Any],
        called: Sequence[str] | None = None,
    ) -> None:
        """Prepare an event for the sites with the ids `called`; None: for every other site."""
        self.members = members
        self.baseline = baseline(members, _Expectation(members.site))
        if called is None:
            called = [f"SITE_{i}" for i in range(0, len(members.sites), 2)]
        self._called = np.array([i for i, own in enumerate(members.ids) if own in called], np.intp)
        self._weather = make_weather(len(members.sites))

    def tick(self, index: int) -> Tick:
        start_ms = self.members.start_ms
        return make_tick(index, weather=self._weather, start_ms=start_ms, tick_s=_TICK_S)

    def step(self, index: int, factor: float = 1.0) -> Floats:
        """Advance one tick with `factor` times the usual consumption; return the baseline."""
        tick, called = self.tick(index), self._called
        values: Floats = self.baseline.at(tick).copy()
        if index == _NOTICE and len(called):
            begin_ms = np.full(len(called), self.tick(_BEGIN).time_ms)
            self.baseline.event_announced(called, tick.time_ms, begin_ms)
        if index == _OVER and len(called):
            self.baseline.event_over(called)
        net: Floats = factor * (2.0 + np.cos(index / 5.0 + self.members.site))
        net.flags.writeable = False
        self.baseline.note(tick, net)
        return values

    def all(self) -> Floats:
        """Return the baselines of all ticks, float64[ticks, n]."""
        return np.stack([self.step(index) for index in range(_TICKS)])

"""The contract test of loads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from gridsim.api import Floats, Load, Members, Tick
from gridsim.contracts.blocks import has_block
from gridsim.testing.builders import (
    BLOCK_LENGTHS,
    make_members,
    make_sites,
    make_tick,
    make_tick_block,
    make_weather,
    some_of,
)
from gridsim.testing.settings import assert_described
from gridsim.testing.states import resume, state_bytes


class LoadContract:
    """The requirements on every load plugin. Inherit the class and set `load`:

    class TestBakery(LoadContract):
        load = Bakery
        settings = ({"ovens": 3},)
    """

    load: ClassVar[type[Load]]
    settings: ClassVar[Sequence[Mapping[str, Any]]] = ({},)
    """The settings to test; each gets three sites, all in one object."""

    def test_every_setting_is_described(self) -> None:
        assert_described(self.load.Settings)

    def test_the_load_is_physical(self) -> None:
        members = self._members()
        load = self.load(members)
        for tick in self._ticks():
            for values in (load.at(tick), load.expected(tick.time_ms)):
                assert values.shape == (len(members),)
                assert np.isfinite(values).all()
                assert (values >= 0.0).all()

    def test_a_site_does_not_depend_on_the_others(self) -> None:
        members = self._members()
        every = self._run(self.load(members))
        for rows in (np.array([0]), np.arange(len(members))[::-1]):
            some = self._run(self.load(some_of(members, rows)))
            np.testing.assert_array_equal(every[:, rows], some)

    def test_expectation_does_not_depend_on_what_was_drawn(self) -> None:
        used, fresh = self.load(self._members()), self.load(self._members())
        for tick in self._ticks():
            used.at(tick)
            expected = fresh.expected(tick.time_ms)
            np.testing.assert_array_equal(used.expected(tick.time_ms), expected)

    def test_a_new_load_continues_from_the_state(self) -> None:
        load, ticks = self.load(self._members()), self._ticks()
        half = len(ticks) // 2
        for tick in ticks[:half]:
            load.at(tick)
        again = self.load(self._members())
        resume(again, load)
        for tick in ticks[half:]:
            np.testing.assert_array_equal(load.at(tick), again.at(tick))

    def test_a_block_has_the_values_of_its_ticks(self) -> None:
        if not has_block(self.load, Load, "at"):
            return
        for index, tick_s in ((3, 1.0), (1_400, 60.0), (40, 900.0)):
            single, several = self.load(self._members()), self.load(self._members())
            before, first = state_bytes(several), index
            for length in BLOCK_LENGTHS:
                sites = len(single.members)
                block = make_tick_block(first, length, sites=sites, tick_s=tick_s)
                values = several.block(block)
                ticks = block.ticks()
                np.testing.assert_array_equal(values, np.stack([single.at(one) for one in ticks]))
                first += length
            assert state_bytes(several) == before, "a block changed the state"
            # A block may be left before its end.
            np.testing.assert_array_equal(several.at(ticks[0]), values[0])

    def _members(self) -> Members[Any]:
        entries = list(self.settings) * 3
        n = len(entries)
        ids = [f"SITE_{i}" for i in range(n)]
        return make_members(
            self.load.Settings, entries, ids=ids, sites=make_sites(n), site=range(n)
        )

    def _run(self, load: Load) -> Floats:
        return np.stack([load.at(tick) for tick in self._ticks()])

    def _ticks(self) -> list[Tick]:
        """Return a day in steps of ten minutes."""
        weather = make_weather(3 * len(self.settings))
        return [make_tick(index, weather=weather, tick_s=600.0) for index in range(144)]

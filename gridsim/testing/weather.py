"""The contract test of weather."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from gridsim.api import WEATHER_LIMITS, Draws, Sites, Weather, WeatherSample
from gridsim.helpers import sun
from gridsim.testing.builders import BLOCK_LENGTHS, START_MS, make_sites
from gridsim.testing.settings import assert_described

# The first time and the length of the ticks of blocks: through midnight in seconds, from night to
# day in minutes, and through a month's end in quarters of an hour.
_BLOCKS = (
    (START_MS + 43_190_000, 1000),
    (START_MS + 83 * 86_400_000 - 2_700_000, 60_000),
    (START_MS + 30 * 86_400_000 + 36_000_000, 900_000),
)


class WeatherContract:
    """The requirements on every weather plugin. Inherit the class and set `weather`:

    class TestFoehn(WeatherContract):
        weather = Foehn
    """

    weather: ClassVar[type[Weather]]
    settings: ClassVar[Sequence[Mapping[str, Any]]] = ({},)

    def test_every_setting_is_described(self) -> None:
        assert_described(self.weather.Settings)

    def test_the_sky_is_physical(self) -> None:
        sites = self._sites()
        up = sun.up_vector(sites.latitude, sites.longitude)
        for weather in self._made(sites):
            for time_ms in self._times():
                sample = weather.at(time_ms)
                height = sun.cos_zenith(sun.sun_vector(time_ms), up)
                for field, (least, most, unit) in WEATHER_LIMITS.items():
                    values = getattr(sample, field)
                    if values is None:
                        continue
                    assert values.shape == height.shape
                    inside = (values >= least) & (values <= most)
                    wrong = f"{field} is not from {least:g} to {most:g} {unit}: {values[~inside]}"
                    assert inside.all(), wrong
                dark = height < np.sin(np.radians(-1.0))
                assert not (sample.ghi + sample.dni + sample.dhi)[dark].any(), "sun at night"
                parts = sample.dhi + sample.dni * np.maximum(height, 0.0)
                np.testing.assert_allclose(
                    sample.ghi, parts, atol=5.0, err_msg="parts do not add up"
                )
                assert (sample.ghi < 1800.0).all()

    def test_it_is_a_function_of_time(self) -> None:
        sites = self._sites()
        for forward, backward in zip(self._made(sites), self._made(sites), strict=True):
            seen = {time_ms: forward.at(time_ms) for time_ms in self._times()}
            for time_ms in reversed(self._times()):
                _assert_same_sky(backward.at(time_ms), seen[time_ms])

    def test_a_site_does_not_depend_on_the_others(self) -> None:
        sites = self._sites()
        for rows in ([2], [4, 3, 0]):
            few = sites.some(np.array(rows))
            for whole, part in zip(self._made(sites), self._made(few), strict=True):
                for time_ms in self._times():
                    _assert_same_sky(part.at(time_ms), whole.at(time_ms), rows)

    def test_a_block_has_the_values_of_its_ticks(self) -> None:
        sites = self._sites()
        for first, step_ms in _BLOCKS:
            for single, several in zip(self._made(sites), self._made(sites), strict=True):
                time_ms = first
                for length in BLOCK_LENGTHS:
                    times = time_ms + step_ms * np.arange(length, dtype=np.int64)
                    block = several.block(times)
                    for row, one in enumerate(times.tolist()):
                        _assert_same_sky(block.rows(row), single.at(one))
                    time_ms = int(times[-1]) + step_ms
                # A block may be left before its end.
                _assert_same_sky(several.at(first + step_ms), single.at(first + step_ms))

    def _sites(self) -> Sites:
        """Return sites from the Arctic to the southern hemisphere, two of them at one place."""
        base = make_sites(6)
        return replace(
            base,
            latitude=np.array([45.96, 45.97, 69.65, 0.0, -33.87, 45.96]),
            longitude=np.array([-66.64, -66.63, 18.96, 36.8, 151.2, -66.64]),
            altitude=np.array([20.0, 20.0, 10.0, 1700.0, 30.0, 20.0]),
        )

    def _times(self) -> list[int]:
        """Return times over three days of the year, and some consecutive seconds."""
        days = [START_MS + day * 86_400_000 for day in (0, 83, 174)]
        around = [day + step * 4_321_000 for day in days for step in range(20)]
        return around + [around[-1] + step * 1000 for step in range(1, 70)]

    def _made(self, sites: Sites) -> list[Weather]:
        validated = (self.weather.Settings.model_validate(given) for given in self.settings)
        return [self.weather(settings, sites, Draws(42)) for settings in validated]


def _assert_same_sky(
    part: WeatherSample, whole: WeatherSample, rows: Sequence[int] | None = None
) -> None:
    for name in WEATHER_LIMITS:
        values = getattr(whole, name)
        if values is None:
            assert getattr(part, name) is None, f"{name} is known for some sites only"
            continue
        expected = values if rows is None else values[rows]
        np.testing.assert_array_equal(getattr(part, name), expected, err_msg=name)

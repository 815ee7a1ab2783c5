"""The contract tests of gridsim, and one of the model."""

from __future__ import annotations

from gridsim.api import Draws
from gridsim.testing import START_MS, WeatherContract, make_sites

from .newname import NewName, NewNameSettings


class TestNewName(WeatherContract):
    weather = NewName
    settings = ({}, {"transmittance": 40.0, "temperature": -5.0})


def test_haze_makes_the_sun_weaker() -> None:
    clear, hazy = (
        NewName(settings, make_sites(), Draws(1))
        for settings in (
            NewNameSettings(transmittance=80.0),
            NewNameSettings(transmittance=40.0),
        )
    )
    assert 0.0 < float(hazy.at(START_MS).dni[0]) < float(clear.at(START_MS).dni[0])

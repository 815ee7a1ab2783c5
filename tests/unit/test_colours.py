"""The colours of DER types."""

from __future__ import annotations

from gridsim.helpers.colours import HUES, hues


def test_the_hue_of_a_type_does_not_depend_on_the_others() -> None:
    built_in = (
        "battery_storage",
        "ev_charger",
        "generator",
        "heat_pump",
        "solar",
        "water_heater",
        "wind_turbine",
    )
    every = hues(built_in)
    assert sorted(every.values()) == sorted(HUES)
    assert all(hues([name]) == {name: every[name]} for name in built_in)
    assert hues(["battery", "ev"]) == {"battery": "green", "ev": "purple"}


def test_other_types_get_the_hues_that_are_left() -> None:
    assert hues(["solar", "ice_rink", "battery_storage", "kiln"]) == {
        "battery_storage": "green",
        "solar": "orange",
        "ice_rink": "purple",
        "kiln": "sky",
    }
    many = hues(f"type_{n}" for n in range(9))
    assert many["type_0"] == many["type_7"] == "orange"

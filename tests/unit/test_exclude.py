"""`exclude`: a battery balances its site without the output of some DER types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

import gridsim
from gridsim.config.text.report import ConfigError
from gridsim.errors import PluginError
from gridsim.simulation.dispatch.balancing import Sharing, balance_apart
from tests.unit.engine.fleets import Balancer, Sink, Steady, simulation

START = "2026-01-13T21:00:00Z"
CAR = {
    "id": "CAR",
    "type": "ev_charger",
    "nameplate_capacity": 7.2,
    "battery_capacity_kwh": 60.0,
    "target_soc": 100.0,
    "sessions_per_day": 0.58,
}


def battery(id: str = "BAT", **settings: Any) -> dict[str, Any]:
    ideal = {"losses": "ideal", "initial_soc": 90.0, "min_soc": 0.0, "energy_capacity_kwh": 100.0}
    return {"id": id, "type": "battery", "nameplate_capacity": 5.0, **ideal, **settings}


def site(*ders: Mapping[str, Any], load_kw: float = 1.0, **more: Any) -> dict[str, Any]:
    project = {"id": "P", "load": {"type": "constant", "kw": load_kw}, "ders": [*ders]}
    simulation = {"start": START, "tick_s": 600.0, "seed": 5}
    return {"simulation": simulation, "projects": [{**project, **more.pop("project", {})}], **more}


def outputs(configuration: Mapping[str, Any], ticks: int = 48) -> dict[str, list[float]]:
    """Return the output of each device by tick, kW."""
    return of_run(gridsim.simulate(dict(configuration)), ticks)


def of_run(run: gridsim.Simulator, ticks: int = 1) -> dict[str, list[float]]:
    columns = run.run(ticks=ticks).columns
    found: dict[str, list[float]] = {}
    for der, kw in zip(columns["der_id"], columns["current_output"].tolist(), strict=True):
        found.setdefault(str(der), []).append(kw)
    return found


@pytest.mark.parametrize("managed", [True, False])
def test_the_battery_covers_the_house_and_not_the_car(managed: bool) -> None:
    car = {**CAR, "managed": managed}
    out = outputs(site(battery(exclude=["ev_charger"]), car))
    assert min(out["CAR"]) < -5.0
    assert set(out["BAT"]) == {1.0}
    served = outputs(site(battery(), car))
    assert served["CAR"] == out["CAR"]
    assert max(served["BAT"]) == 5.0


def test_one_battery_stores_the_surplus_that_the_other_one_excludes() -> None:
    run = gridsim.simulate(
        site(
            battery(exclude=["ev_charger", "solar"], initial_soc=50.0),
            battery("STORE", exclude=["ev_charger"], initial_soc=50.0),
            {"id": "PV", "type": "solar", "nameplate_capacity": 4.0},
            CAR,
            load_kw=0.0,
            weather={"type": "clear"},
            site={"latitude": 0.0, "longitude": 0.0},
            simulation={"start": "2026-03-20T12:00:00Z", "tick_s": 60.0},
        )
    )
    out = {der: kw[-1] for der, kw in of_run(run, 3).items()}
    assert out["PV"] > 2.0
    assert out["BAT"] == 0.0
    assert out["STORE"] == -out["PV"]


def test_an_event_uses_the_battery_for_the_whole_site_and_then_it_excludes_again() -> None:
    """The house draws 1 kW and the event asks for 2 kW less than house and car."""
    event = {"id": "e", "projects": ["P"], "after_s": 1200, "duration_s": 1800, "target_kw": 2.0}
    house = {"contract_threshold": 2.0}
    out, served = (
        outputs(
            site(
                battery(exclude=exclude),
                {**CAR, "managed": False},
                events=[{**event, "ramp_s": 0, "notice_s": 0}],
                project=house,
            ),
            ticks=8,
        )["BAT"]
        for exclude in (["ev_charger"], [])
    )
    assert out == [1.0, 1.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0]
    assert served[:2] == [5.0, 5.0]
    assert served[2:5] == out[2:5]


def test_a_command_to_the_project_concerns_the_whole_site() -> None:
    run = gridsim.simulate(site(battery(exclude=["ev_charger"]), {**CAR, "managed": False}))
    run.run(ticks=1)
    run.send("P", "set_power", 3.5)
    assert of_run(run)["BAT"] == [3.5]


def shared(
    net_kw: Sequence[float],
    devices: Sequence[tuple[int, float, tuple[str, ...]]],
    outputs_kw: Mapping[str, Sequence[float]],
) -> list[float]:
    """Return the shares of devices, each with its site, its power and what it excludes."""
    at, power, excludes = zip(*devices, strict=True)
    kw = np.array(power)
    group = Sharing(np.array(at, np.intp), -kw, kw, np.ones(len(kw), np.bool_))
    sets = [frozenset(names) for names in excludes]
    masks = {names: np.array([one == names for one in sets]) for names in set(sets)}
    columns = {name: np.array(values) for name, values in outputs_kw.items()}
    (shares,) = balance_apart(np.array(net_kw), [group], [masks], columns)
    return [round(kw, 9) + 0.0 for kw in shares.tolist()]


EV, HEAT = ("ev",), ("heat",)


@pytest.mark.parametrize(
    ("net", "devices", "ev", "heat", "expected"),
    [
        # 1 kW of load and 7 of the car; the battery without the car comes first.
        (8.0, [(0, 5.0, EV), (0, 5.0, ())], -7.0, 0.0, [1.0, 5.0]),
        (8.0, [(0, 5.0, ()), (0, 5.0, EV)], -7.0, 0.0, [5.0, 1.0]),
        (4.0, [(0, 5.0, EV), (0, 5.0, ())], -3.0, 0.0, [1.0, 3.0]),
        # Those that exclude the same share by their capability.
        (10.0, [(0, 4.0, EV), (0, 2.0, EV)], -7.0, 0.0, [2.0, 1.0]),
        # 2 kW of surplus and 7 kW of the car: nothing goes from one battery into the other.
        (5.0, [(0, 5.0, EV), (0, 5.0, ())], -7.0, 0.0, [-2.0, 5.0]),
        (5.0, [(0, 5.0, EV), (0, 9.0, ())], -7.0, 0.0, [-2.0, 5.0]),
        # Each excludes another type: 0.5 kW of the car, 5 of the heat pump.
        (5.5, [(0, 9.0, EV), (0, 9.0, HEAT)], -0.5, -5.0, [5.0, 0.0]),
        (8.0, [(0, 9.0, EV), (0, 9.0, HEAT), (0, 9.0, EV + HEAT)], -4.0, -3.0, [3.0, 1.0, 1.0]),
        # A car that discharges: the battery sees the load that the car covers.
        (-2.0, [(0, 5.0, EV)], 3.0, 0.0, [1.0]),
        # Excluded types that are not at the site.
        (3.0, [(0, 5.0, EV)], 0.0, 0.0, [3.0]),
        (0.0, [(0, 5.0, EV), (0, 5.0, ())], 0.0, 0.0, [0.0, 0.0]),
    ],
)
def test_shares_of_devices_with_different_excludes(
    net: float, devices: Any, ev: float, heat: float, expected: list[float]
) -> None:
    assert shared([net], devices, {"ev": [ev], "heat": [heat]}) == expected
    # A second site, with whatever devices, changes nothing.
    more = [(0, 3.0, HEAT), (0, 3.0, ()), *((1, kw, names) for _, kw, names in devices)]
    both = shared([-4.0, net], more, {"ev": [1.0, ev], "heat": [-1.0, heat]})
    assert both[2:] == expected


def test_a_command_to_an_excluded_type_is_excluded_too() -> None:
    """Two batteries, the second of which charges by command at 3 kW: the first ignores that."""
    for exclude, expected in ([], 4.0), (["battery"], 1.0):
        run = gridsim.simulate(site(battery(exclude=exclude), battery("B2")))
        run.run(ticks=1)
        run.send("B2", "set_power", -3.0)
        out = of_run(run)
        assert (out["B2"], out["BAT"]) == ([-3.0], [expected])


@pytest.mark.parametrize(
    ("exclude", "message"),
    [
        (["ev_chargr"], "there is no DER type 'ev_chargr'"),
        (["ev_charger", "battery_storage"], "did you mean 'battery'?"),
        (["household"], "there are: battery, ev_charger, generator"),
        (["ev_charger", ""], "exclude[1]: error: there is no DER type ''"),
        ("ev_charger", "'exclude' must be an array"),
        ([1], "exclude[0]: error: 'exclude.0' must be a string"),
    ],
)
def test_a_name_that_is_no_type_is_an_error_at_its_place(exclude: Any, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        gridsim.simulate(site(battery(exclude=exclude)))
    assert message in str(error.value)
    assert str(error.value).startswith("projects[0].ders[0].exclude")


def test_types_that_are_not_at_the_site_may_be_excluded() -> None:
    names = ["ev_charger", "ev_charger", "wind_turbine"]
    assert set(outputs(site(battery(exclude=names)), ticks=2)["BAT"]) == {1.0}


class Excluding(Balancer):
    """A plugin of one's own that excludes a type by its own decision."""

    @classmethod
    def excludes(cls, settings: Any) -> Any:
        return ("sink",)


class Crooked(Balancer):
    @classmethod
    def excludes(cls, settings: Any) -> Any:
        return "sink"


def test_a_plugin_excludes_types_and_a_wrong_answer_names_it() -> None:
    batch = simulation(Sink, Steady, Excluding).step()
    # The load draws 3 and the steady ones feed 2; the sinks' 4 kW are excluded.
    assert batch.current_output.reshape(-1, 2).tolist()[2] == [0.33, 0.67]
    with pytest.raises(PluginError, match=r"returned str 'sink' from excludes\(\) instead of the"):
        simulation(Crooked).step()

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from gridsim.api import Members
from gridsim.config.resolve import Flags
from gridsim.config.text.load import read
from gridsim.simulation.scenario import Scenario
from tests.fixtures.config.fakes import (
    MINIMAL,
    Battery,
    Pigeon,
    Radio,
    Solar,
    Text,
    configure,
    with_radio,
)

STREET = """\
[simulation]
tick_s = 0.5
[site]
latitude = 50
longitude = { uniform = [7, 8] }
[[projects]]
id = "H{n:03}"
count = 3
contract_threshold = { uniform = [1, 2] }
load = { type = "household", annual_kwh = { normal = [4000, 500], min = 1000 } }
[[projects.ders]]
id = "{project_id}_PV{n}"
type = "solar"
count = 2
nameplate_capacity = { uniform = [4, 6] }
report_every_s = 2
[[projects.ders]]
id = "{project_id}_B"
type = "battery"
nameplate_capacity = 5.004
reported_type = "battery"
[[projects]]
id = "SHOP 100%"
standalone = true
baseline = 7
latitude = -10
timezone = "Europe/Berlin"
load = { type = "shop" }
[[projects.ders]]
id = "B"
type = "battery"
flexible = false
nameplate_capacity = 9
[[projects.ders]]
id = "S"
type = "solar"
nameplate_capacity = 1
tilt = 10
[[transports]]
type = "radio"
"""


def scenario_of(folder: Path, text: str) -> Scenario:
    return configure(folder, text).scenario


def _all_members(scenario: Scenario) -> list[Members[Any]]:
    return [spec.members for spec in scenario.fleets] + [spec.members for spec in scenario.loads]


def settings_by_id(scenario: Scenario) -> dict[str, dict[str, Any]]:
    """Return the values of each device and site, independent of its place."""
    found: dict[str, dict[str, Any]] = {}
    for members in _all_members(scenario):
        for row, name in enumerate(members.ids):
            values = {key: str(column[row]) for key, column in members.columns.items()}
            found.setdefault(name, {}).update(values)
    for row, name in enumerate(scenario.roster.project_id):
        found[name]["place"] = (
            scenario.sites.latitude[row],
            scenario.sites.longitude[row],
            scenario.contract_threshold[row],
        )
    return found


def test_devices_come_project_by_project_and_stanza_by_stanza(tmp_path: Path) -> None:
    roster = scenario_of(tmp_path, STREET).roster
    street = [f"H00{p}_{d}" for p in (1, 2, 3) for d in ("PV1", "PV2", "B")]
    assert roster.der_id == [*street, "B", "S"]
    assert roster.project_id == ["H001", "H002", "H003", "SHOP 100%"]
    assert roster.project.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3]
    assert roster.type == ["solar", "solar", "battery"] * 3 + ["battery_storage", "solar"]
    assert roster.is_standalone.tolist() == [False, False, False, True]
    assert roster.columns == {"temperature": "degC"}
    assert roster.nameplate_capacity[2] == 5.0
    assert np.array_equal(roster.nameplate_capacity, np.round(roster.nameplate_capacity, 2))


def test_every_device_is_in_one_fleet_at_its_own_site(tmp_path: Path) -> None:
    scenario = scenario_of(tmp_path, STREET)
    kinds = {(spec.type, spec.stage): spec.device.tolist() for spec in scenario.fleets}
    assert kinds == {
        (Solar, "free"): [0, 1, 3, 4, 6, 7, 10],
        (Battery, "flexible"): [2, 5, 8],
        (Battery, "free"): [9],
    }
    for spec in scenario.fleets:
        members = spec.members
        assert members.ids == [scenario.roster.der_id[row] for row in spec.device]
        assert np.array_equal(members.site, scenario.roster.project[spec.device])
        assert (members.tick_ms, members.start_ms) == (500, scenario.start_ms)
        assert members.sites is scenario.sites
    solar = scenario.fleets[0].members
    assert solar.columns["tilt"].tolist() == [30.0] * 6 + [10.0]
    assert solar.stanza.tolist() == [0] * 6 + [1]
    assert solar.columns["nameplate_capacity"][6] == 1
    assert np.isnan(solar.columns["azimuth"]).all()


def test_sites_inherit_and_override(tmp_path: Path) -> None:
    scenario = scenario_of(tmp_path, STREET)
    sites = scenario.sites
    assert sites.latitude.tolist() == [50, 50, 50, -10]
    # Hills near 50 N, 7.5 E; the sea at 10 S.
    assert (sites.altitude[:3] > 100.0).all()
    assert sites.altitude[3] == 0.0
    assert len(set(sites.longitude)) == 4
    assert sites.timezone == ["America/Moncton"] * 3 + ["Europe/Berlin"]
    assert [spec.members.ids for spec in scenario.loads] == [
        ["H001", "H002", "H003"],
        ["SHOP 100%"],
    ]
    assert scenario.loads[1].members.site.tolist() == [3]
    usual, flat = scenario.baselines
    assert (usual.name, usual.members.site.tolist()) == ("expectation", [0, 1, 2])
    assert (flat.name, flat.members.site.tolist()) == ("constant", [3])
    assert flat.members.columns["baseline"].tolist() == [7.0]
    assert scenario.contract_threshold[3] == 0
    assert scenario.report_every_ticks.tolist() == [4, 4, 1] * 3 + [1, 1]


def test_no_device_changes_when_others_come_go_or_move(tmp_path: Path) -> None:
    before = settings_by_id(scenario_of(tmp_path, STREET))
    shop = STREET[STREET.index('[[projects]]\nid = "SHOP') : STREET.index("[[transports]]")]
    moved = STREET.replace(shop, "").replace("[[projects]]", shop + "[[projects]]", 1)
    assert settings_by_id(scenario_of(tmp_path, moved)) == before
    more = settings_by_id(scenario_of(tmp_path, STREET.replace("count = 3", "count = 30")))
    assert {name: more[name] for name in before} == before
    other = settings_by_id(
        scenario_of(tmp_path, STREET.replace("[sim", "[simulation]\nseed = 1\n#"))
    )
    assert other["H001_PV1"] != before["H001_PV1"]


def test_no_two_settings_of_a_device_are_drawn_alike(tmp_path: Path) -> None:
    text = STREET.replace("nameplate_capacity = { uniform = [4, 6] }", (
        "nameplate_capacity = { uniform = [1, 9] }\ntilt = { uniform = [1, 9] }"
    ))  # fmt: skip
    columns = scenario_of(tmp_path, text).fleets[0].members.columns
    assert not np.isclose(columns["nameplate_capacity"][:6], columns["tilt"][:6]).any()


def test_transports_are_labelled_and_complete(tmp_path: Path) -> None:
    text = with_radio(
        'retries = 2\nqueue_mb = 1\nformat = { type = "json", missing_soc = "zero" }\n'
        '[[transports]]\ntype = "pigeon"\nframing = "project"\n'
        '[[transports]]\ntype = "radio"\non_full = "block"\nstartup = "retry"\n'
    )
    first, second, third = configure(tmp_path, text, flags=Flags(speed=0)).transports
    assert [choice.name for choice in (first, second, third)] == ["radio", "pigeon", "radio#2"]
    assert (first.type, second.type) == (Radio, Pigeon)
    assert (first.settings.retries, first.delivery.queue_mb) == (2, 1)
    assert (first.format_name, first.format_type) == ("json", Text)
    assert first.format_settings.missing_soc == "zero"
    assert (first.framing, second.framing) == ("der", "project")
    assert (first.delivery.on_full, third.delivery.on_full) == (None, "block")
    assert (first.delivery.startup, third.delivery.startup) == (None, "retry")
    assert third.key_path == ("transports", 2)


def test_plugins_are_named_relative_to_the_file(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text("simulation.plugins = ['./mine', '/theirs', '${NONE}']\n" + MINIMAL)
    found = read(path, environment={}).plugin_paths
    assert found == (tmp_path / "mine", Path("/theirs"))

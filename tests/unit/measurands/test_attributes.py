"""Static attributes of devices: their templates, and the places that name them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gridsim.api import Format, Roster
from gridsim.config.text.report import ConfigError
from gridsim.contracts.batch_serial import roster_fingerprint
from gridsim.testing import make_batch, make_roster
from gridsim_plugins.formats.csv import Csv
from gridsim_plugins.formats.json import Json
from gridsim_plugins.formats.template import Template
from gridsim_plugins.mqtt.topics import make_topics
from tests.fixtures.runs import Bench

HOMES = """
[simulation]
speed = 0
start = 2026-06-21T15:00:00Z
[weather]
type = "clear"
[[transports]]
type = "stdout"
format = { type = "json", fields = ["der_id"], extra_fields = ["make", "serial"] }
[[projects]]
id = "H{n}"
count = 2
[[projects.ders]]
id = "{project_id}_PV{n}"
count = 2
type = "solar"
nameplate_capacity = 5.0
make = "Sol & Söhne"
serial = "{project_id}-100%-{n:03}"
firmware = "1.4.2"
[[projects.ders]]
id = "{project_id}_BAT"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 10.0
serial = "SN {der_id}"
"""
ROSTER = replace(
    make_roster((2, 1)), attributes={"make": ["A", "B/+", "A"], "serial": ["s1", "", 's"3']}
)


def test_an_attribute_is_filled_for_each_device(bench: Bench) -> None:
    roster = bench.plan(HOMES)[0].roster
    assert roster.attributes == {
        "make": ["Sol & Söhne", "Sol & Söhne", "", "Sol & Söhne", "Sol & Söhne", ""],
        "serial": [
            *("H1-100%-001", "H1-100%-002", "SN H1_BAT"),
            *("H2-100%-001", "H2-100%-002", "SN H2_BAT"),
        ],
        "firmware": ["1.4.2", "1.4.2", "", "1.4.2", "1.4.2", ""],
    }
    with pytest.raises(ValueError, match=r"no DER has a model: set model in \[\[projects.ders\]\]"):
        roster.attribute("model")
    one = roster.some(roster.project[3:4])
    assert one.attributes["serial"] == ["H2-100%-001", "H2-100%-002", "SN H2_BAT"]
    prints = {roster_fingerprint(each) for each in (roster, replace(roster, attributes={}))}
    assert len(prints) == 2


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("1.4.2", "{m}", "'firmware' may hold {n}, {n:05}, {der_id} and {project_id}, and no"),
        ("1.4.2", "{der_id:03}", "'firmware' may hold"),
        ("1.4.2", "{n:00}", "'firmware' may hold"),
        ("1.4.2", "", "'firmware' must not be empty"),
        ("1.4.2", " 1", "'firmware' must not be empty, and must not begin or end with a space"),
        ("1.4.2", "a\\u200bb", "'firmware' must not hold U+200B"),
        ("1.4.2", "x" * 125 + "{der_id}", "is longer than 128 bytes"),
        ('firmware = "1.4.2"', "firmware = 1", "firmware"),
        ('["make", "serial"]', '["model"]', "no DER has a model: set model"),
        ('["make", "serial"]', '["modle"]', "did you mean 'model'?"),
    ],
)
def test_a_wrong_attribute_is_refused(bench: Bench, old: str, new: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        bench.plan(HOMES.replace(old, new))
    assert message in str(caught.value)


def written(
    of: type[Format[Any]], framing: Any = "der", roster: Roster = ROSTER, **settings: Any
) -> list[str]:
    one = of(of.Settings(**settings), framing, roster)
    return [body.decode() for body in one.encode(make_batch(roster)).bodies]


def test_formats_write_attributes() -> None:
    fields = ["make", "serial", "type"]
    solar = '{"make":"A","serial":"s\\"3","type":"solar"}'
    assert written(Json, fields=fields) == [
        '{"make":"A","serial":"s1","type":"battery_storage"}',
        '{"make":"B/+","type":"battery_storage"}',
        solar,
    ]
    # The first field may be missing, or the only one.
    assert written(Json, fields=["serial", "seq"])[1] == '{"seq":0}'
    assert written(Json, fields=["serial"]) == ['{"serial":"s1"}', "{}", '{"serial":"s\\"3"}']
    assert written(Json, fields=["seq", "serial"])[1] == '{"seq":0}'
    assert written(Csv, fields=fields)[1:] == ["B/+,,battery_storage", 'A,"s""3",solar']


def test_a_column_of_a_type_takes_the_name_of_an_attribute() -> None:
    roster = replace(ROSTER, columns={"serial": "V"})
    assert written(Json, roster=roster, fields=["serial"])[0] == '{"serial":1.25}'
    assert written(Template, roster=roster, template='["{serial * 2}"]')[0] == "[2.5]"


@pytest.mark.parametrize(
    ("template", "second"),
    [
        ('["{serial}", "{make | upper}"]', [None, "B/+"]),
        ('["no {serial}"]', ["no null"]),
        ('["{serial | else(none)}", "{serial | else(0) | lower}"]', ["none", 0]),
        ('{"a": 1, "s": "{serial | else(omit)}"}', {"a": 1}),
        ('[{"s": "{serial | else(omit_element)}"}, 2]', [2]),
        ('{"{make}": 1}', {"B/+": 1}),
    ],
)
def test_a_template_writes_attributes(template: str, second: Any) -> None:
    bodies = written(Template, template=template)
    assert json.loads(bodies[1]) == second
    assert json.loads(bodies[0]) != second


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ('["{model}"]', "no DER has a model"),
        ('["{der_id | else(0)}"]', "'der_id' is never missing"),
        ('{"{serial}": 1}', "a device has no serial, so it cannot be a key"),
        ('["{serial * 2}"]', "'serial' is not a number"),
    ],
)
def test_a_template_with_a_wrong_attribute_is_refused(template: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        written(Template, template=template)


def test_a_value_per_topic_is_left_out_without_its_attribute() -> None:
    bodies = written(Template, "measurand", measurands={"sn": "{serial}", "x": "{make}"})
    assert bodies == ["s1", "A", "", "B/+", 's"3', "A"]


def test_topics_name_attributes_that_all_devices_have() -> None:
    whole = replace(ROSTER, attributes={"serial": ["s1", "s2", "s3"]})
    assert make_topics("d/{serial}", "der", whole) == ["d/s1", "d/s2", "d/s3"]
    for roster, message in (
        (ROSTER, r"topic: DER_1 has no serial: set it in \[\[projects.ders\]\]"),
        (make_roster(), "topic: no DER has a serial"),
    ):
        with pytest.raises(ValueError, match=message):
            make_topics("d/{serial}", "der", roster)
    with pytest.raises(ValueError, match=r"contains the wildcard '\+'"):
        make_topics("d/{make}", "der", ROSTER)


OWNER = """
from gridsim.api import DerSettings, Device, hookimpl
class Settings(DerSettings):
    model: str = "own"
class Owner(Device):
    Settings = Settings
    def step(self, tick):
        return 1.0
@hookimpl
def gridsim_register(register):
    register.der("owner", Owner)
"""


def test_a_type_keeps_a_setting_of_its_own_with_the_name_of_an_attribute(
    bench: Bench, tmp_path: Path
) -> None:
    (tmp_path / "owner.py").write_text(OWNER)
    text = HOMES.replace("[simulation]", '[simulation]\nplugins = ["./owner.py"]')
    text = text.replace('extra_fields = ["make", "serial"]', 'extra_fields = ["serial"]')
    stanza = '[[projects.ders]]\nid = "O"\ntype = "owner"\nnameplate_capacity = 1.0\n'
    text = text[: text.index("[[projects.ders]]")].replace("count = 2", "") + stanza
    scenario = bench.plan(text + 'model = "mine"\nserial = "7"\n')[0]
    assert [one.model for one in scenario.fleets[0].members.settings] == ["mine"]
    assert dict(scenario.roster.attributes) == {"serial": ["7"]}

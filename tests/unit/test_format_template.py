from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from gridsim.api import Batch, Format, Framing, Roster, TextError
from gridsim.testing import FormatContract, make_batch, make_roster, make_sites
from gridsim_plugins.formats.json import Json, JsonSettings
from gridsim_plugins.formats.template import Template, TemplateSettings

RECORD = json.dumps(
    {
        name: f"{{{name}}}"
        for name in (
            *("der_id", "is_online", "timestamp", "current_output", "power_meter_measurement"),
            *("baseline", "contract_threshold", "units", "project_id", "is_standalone"),
            *("connection_start_at", "current_soc", "type", "nameplate_capacity"),
        )
    }
)


class TestContract(FormatContract):
    format: ClassVar[type[Format]] = Template
    framings: ClassVar[Sequence[Framing]] = ("der",)
    settings: ClassVar[Sequence[Mapping[str, Any]]] = (
        {"template": RECORD},
        {"template": '["{current_soc | else(omit)}", "{timestamp | s}"]'},
    )


class TestProjectContract(FormatContract):
    format: ClassVar[type[Format]] = Template
    framings: ClassVar[Sequence[Framing]] = ("der", "project")
    settings: ClassVar[Sequence[Mapping[str, Any]]] = ({"template": '{"n": "{project_id}"}'},)

    def test_later_values_replace_earlier_ones(self) -> None:
        """Nothing in this template changes."""


def placed_roster(**changes: Any) -> Roster:
    roster = make_roster(columns={"energy_import_kwh": "kWh", "heat": "kW"})
    return replace(roster, sites=make_sites(2, timezone="America/Moncton"), **changes)


def bodies(template: str, batch: Batch, framing: Framing = "der") -> list[Any]:
    made = Template(TemplateSettings(template=template), framing, batch.roster)
    return [json.loads(body) for body in made.encode(batch).bodies]


def value(template: str, batch: Batch | None = None) -> str:
    """Return the text of one value in the first message."""
    batch = make_batch(placed_roster()) if batch is None else batch
    made = Template(TemplateSettings(template=f'["{template}"]'), "der", batch.roster)
    return made.encode(batch).bodies[0][1:-1].decode()


def test_the_record_as_a_template_is_that_of_the_json_format() -> None:
    batch = make_batch(ticks=2)
    own = Template(TemplateSettings(template=RECORD), "der", batch.roster).encode(batch)
    theirs = Json(JsonSettings(missing_soc="null"), "der", batch.roster).encode(batch)
    assert list(own.bodies) == list(theirs.bodies)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{current_output}", "-1.50"),
        ("{current_output * 1000 | round}", "-1500"),
        ("{current_output * 1000}", "-1500"),
        ("{current_output / 3}", "-0.5"),
        ("{current_output / (seq - seq)}", "null"),
        ("{current_output / (seq - seq) | else(0)}", "0"),
        ("{current_output / (seq - seq) | else(none)}", '"none"'),
        ("{current_output / (seq - seq) | text | else(0)}", '"0"'),
        ("{current_output / (seq - seq) | text}", "null"),
        ("{current_output * 200 | round(1)}", "-300.0"),
        ("{current_output * 200000 | round(1)}", "-300000.0"),
        ("{current_output * 0 - 0}", "0"),
        ("{-current_output + 1.8 * (2 - 1)}", "3.3"),
        ("{max(current_output, 0)}", "0"),
        ("{min(current_output, 0) | round(2)}", "-1.50"),
        ("{abs(current_output) | text | round(1)}", '"1.5"'),
        ("P {current_output} kW", '"P -1.50 kW"'),
        ("{nameplate_capacity * 1000 | round} W", '"10000 W"'),
        ("{nameplate_capacity}", "10.00"),
        ("{energy_import_kwh}", "1.250"),
        ("{energy_import_kwh * 1000 | round}", "1250"),
        ("{heat}", "1.25"),
        ("{seq}", "0"),
        ("{units}", '"kW"'),
        ("{type | upper}", '"BATTERY_STORAGE"'),
        ("{der_id | lower} in {project_id}", '"der_0 in PRJ_0"'),
        ("{is_online}", "true"),
        ("{is_online | as(1, 0)}", "1"),
        ("{is_online | as(1, 0) | text}", '"1"'),
        ("{is_standalone | as(on, off)}", '"off"'),
        ("{is_online}!", '"true!"'),
        ("{timestamp}", '"2026-07-01T12:00:00.000Z"'),
        ("{timestamp | rfc3339(0)}", '"2026-07-01T12:00:00Z"'),
        ("{timestamp | rfc3339(6)}", '"2026-07-01T12:00:00.000000Z"'),
        ("{timestamp | local}", '"2026-07-01T09:00:00.000-03:00"'),
        ("{timestamp | local(0)}", '"2026-07-01T09:00:00-03:00"'),
        ("{timestamp | ms}", "1782907200000"),
        ("{timestamp | ms | text}", '"1782907200000"'),
        ("{timestamp | s}", "1782907200"),
        ("{timestamp | s(3)}", "1782907200.000"),
        ("{connection_start_at | s(3) | text}", '"1782820799.877"'),
        ("{timezone}", '"America/Moncton"'),
        ("{latitude | round(1)}", "46.0"),
        ("{phases}", "1"),
        ("{synchronous_area}", '"eastern-interconnection"'),
        ("{{{der_id}}}", '"{DER_0}"'),
        ('constant \\u00e9 \\"', '"constant é \\""'),
    ],
)
def test_a_value(template: str, expected: str) -> None:
    assert value(template) == expected


def test_times_outside_dst_and_before_the_epoch() -> None:
    batch = make_batch(placed_roster(), start_ms=-1)
    assert value("{timestamp | local}", batch) == '"1969-12-31T19:59:59.999-04:00"'
    assert value("{timestamp | s}", batch) == "-1"


@pytest.mark.parametrize(
    ("template", "battery", "solar"),
    [
        ('["{current_soc}"]', [0.0], [None]),
        ('{"a": 1, "s": "{current_soc | else(omit)}"}', {"a": 1, "s": 0.0}, {"a": 1}),
        ('{"s": "{current_soc | else(omit)}", "a": 1}', {"a": 1, "s": 0.0}, {"a": 1}),
        ('{"s": "{current_soc | else(omit)}"}', {"s": 0.0}, {}),
        ('{"s": "{current_soc | else(omit)}", "t": "{current_soc | else(omit)} %"}',
         {"s": 0.0, "t": "0.0 %"}, {}),
        ('[{"v": "{current_soc | else(omit_element)}"}]', [{"v": 0.0}], []),
        ('[{"v": "{current_soc | else(omit_element)}", "k": "{type}"}, 1]',
         [{"v": 0.0, "k": "battery_storage"}, 1], [1]),
        ('[0, {"a": {"b": "{current_soc|else(omit_element)}"}}, "{current_soc|else(omit)}", 1]',
         [0, {"a": {"b": 0.0}}, 0.0, 1], [0, 1]),
    ],
)  # fmt: skip
def test_what_is_missing_is_left_out(template: str, battery: Any, solar: Any) -> None:
    found = bodies(template, make_batch())
    assert (found[0], found[-1]) == (battery, solar)


def test_a_message_per_project_repeats_an_element_or_a_key() -> None:
    batch = make_batch(make_roster((2, 1)))
    assert bodies(
        '{"p": "{project_id}", "all": ["{current_output}", "..."]}', batch, "project"
    ) == [
        {"p": "PRJ_0", "all": [-1.5, -1.13]},
        {"p": "PRJ_1", "all": [-0.76]},
    ]
    assert bodies('{"{der_id}": [{"soc": "{current_soc}"}]}', batch, "project") == [
        {"DER_0": [{"soc": 0.0}], "DER_1": [{"soc": 0.1}]},
        {"DER_2": [{"soc": None}]},
    ]
    only = '[{"id": "{der_id}", "soc": "{current_soc | else(omit_element)}"}, "..."]'
    assert [len(body) for body in bodies(only, batch, "project")] == [2, 0]


def test_net_is_the_load_without_the_outputs_of_the_project() -> None:
    batch = make_batch(make_roster((2, 1)), ticks=2)
    net = np.array([body[0] for body in bodies('["{net}"]', batch)])
    load, output = batch.power_meter_measurement, batch.current_output
    sums = np.array([output[[0, 1]].sum()] * 2 + [output[2]] + [output[[3, 4]].sum()] * 2 + [0.0])
    sums[5] = output[5]
    assert net.tolist() == np.round(load - sums, 2).tolist()
    # A device that is not in the batch counts with its latest output.
    made = Template(TemplateSettings(template='["{net}"]'), "der", batch.roster)
    made.encode(batch.rows(0, 3))
    [alone] = made.encode(batch.rows(4, 5)).bodies
    assert json.loads(alone) == [round(load[4] - output[4] - output[0], 2)]
    assert made.cuts(batch) is not None


HOSTILE = ['a"b', "back\\slash", "line\nbreak\t\x01\x7f", "é漢🔋", "{brace}", "%s %d"]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_ids_are_escaped(hostile: str) -> None:
    batch = make_batch(make_roster([1]))
    batch = replace(batch, roster=replace(batch.roster, der_id=[hostile]))
    template = '{"{der_id}": ["{der_id}", "<{der_id}> {current_output}%"]}'
    assert bodies(template, batch) == [{hostile: [hostile, f"<{hostile}> -1.50%"]}]


def test_the_text_of_the_template_itself_is_kept() -> None:
    template = '{"50 %": "é\\n\\"\\\\ {{}} %s {current_output}", "n": 1.50, "t": null}'
    assert bodies(template, make_batch())[0] == {
        "50 %": 'é\n"\\ {} %s -1.50', "n": 1.5, "t": None
    }  # fmt: skip


def test_the_example_is_one_message() -> None:
    made = Template(
        TemplateSettings(template='{"{der_id}": "{current_soc}"}'), "project", make_roster()
    )
    assert json.loads(made.example()) == {"DER_0": 85.5, "DER_1": 85.5}


class TestMeasurandContract(FormatContract):
    format: ClassVar[type[Format]] = Template
    framings: ClassVar[Sequence[Framing]] = ("measurand",)
    settings: ClassVar[Sequence[Mapping[str, Any]]] = (
        {
            "measurands": {
                "soc": "{current_soc}",
                "all": '["{is_online}", "{contract_threshold}", "{connection_start_at}"]',
            }
        },
    )


class TestBatchContract(FormatContract):
    format: ClassVar[type[Format]] = Template
    framings: ClassVar[Sequence[Framing]] = ("batch",)
    settings: ClassVar[Sequence[Mapping[str, Any]]] = (
        {"template": f'[{RECORD}, "..."]', "batch_size": 5},
    )


@pytest.mark.parametrize(
    ("text", "battery", "solar"),
    [
        ("{current_soc}", "0.0", ""),
        ("{current_soc | else(null)}", "0.0", "null"),
        ("{current_soc | else(none)} %", "0.0 %", "none %"),
        ("{current_soc} % of {der_id}", "0.0 % of DER_0", ""),
        ('{"v": "{current_soc | else(omit)}"}', '{"v":0.0}', "{}"),
        ('"{current_soc}"', '"0.0"', ""),
        ("{is_online | as(online, offline)}", "online", "online"),
        ('{der_id} "quoted"', 'DER_0 "quoted"', 'DER_2 "quoted"'),
        ("{{{seq}}}", "{0}", "{0}"),
    ],
)
def test_a_message_of_one_value(text: str, battery: str, solar: str) -> None:
    made = Template(TemplateSettings(measurands={"x": text}), "measurand", make_roster())
    found = made.encode(make_batch()).bodies
    assert (found[0].decode(), found[-1].decode()) == (battery, solar)


@pytest.mark.parametrize(
    ("framing", "settings", "message"),
    [
        ("measurand", {}, "framing measurand needs measurands"),
        ("measurand", {"measurands": {"": "1"}}, "the name of a measurand is empty"),
        ("measurand", {"measurands": {"a": "1"}, "template": "1"}, "and no template"),
        ("der", {"measurands": {"a": "1"}}, "measurands need framing measurand"),
        ("der", {"template": "1", "batch_size": 5}, "batch_size needs framing batch"),
        ("der", {"template": "1", "template_file": "x"}, "template or template_file, not both"),
        ("batch", {"template": '"{project_id}"'}, "'project_id' differs between the readings"),
        ("batch", {"template": '{"{der_id}": 1}'}, "'der_id' differs between the readings"),
    ],
)
def test_settings_that_do_not_fit(framing: Framing, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Template(TemplateSettings.model_validate(settings), framing, make_roster())


def test_an_error_in_a_measurand_names_it() -> None:
    given = TemplateSettings(measurands={"good": "1", "bad": "x {tpye}"})
    with pytest.raises(TextError) as caught:
        Template(given, "measurand", make_roster())
    assert (caught.value.setting, caught.value.offset) == (("measurands", "bad"), 3)


def test_the_columns_that_a_template_wants_are_named(tmp_path: Path) -> None:
    file = tmp_path / "message.json"
    file.write_text('{"a": "{max(energy_import_kwh, 0) * 1000 | round}"}')
    of_file = Template.wants(TemplateSettings(template_file=str(file)))
    assert "energy_import_kwh" in of_file
    values = TemplateSettings(measurands={"soc": "{current_soc} of {der_id}"})
    assert list(Template.wants(values)) == ["current_soc", "der_id"]
    assert Template.wants(TemplateSettings(template_file=str(tmp_path / "none"))) == []

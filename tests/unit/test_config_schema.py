from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import tomli
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from gridsim.config.resolve import Flags, resolve
from gridsim.config.schema import build, build_scenario
from gridsim.config.text.load import read
from gridsim.plugins.host import PluginHost
from gridsim.plugins.registry import Registry
from tests.fixtures.config.fakes import MINIMAL, registry, with_der, with_radio

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.toml"))


def validator(known: Registry) -> Draft202012Validator:
    return Draft202012Validator(build(known))


def errors(schema: Draft202012Validator, text: str) -> list[str]:
    # An editor sees TOML's times as text too.
    data = json.loads(json.dumps(tomli.loads(text), default=date.isoformat))
    found: list[Any] = list(schema.iter_errors(data))
    return [error.message for error in found]


@pytest.fixture(scope="module")
def installed() -> Registry:
    host = PluginHost()
    host.load_installed()
    return host.registry


@pytest.fixture(scope="module")
def shipped(installed: Registry) -> Draft202012Validator:
    return validator(installed)


def test_it_is_a_schema_itself(shipped: Draft202012Validator) -> None:
    Draft202012Validator.check_schema(shipped.schema)


@pytest.fixture(scope="module")
def fakes() -> Draft202012Validator:
    return validator(registry())


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_shipped_configurations_are_valid(
    installed: Registry, shipped: Draft202012Validator, path: Path
) -> None:
    text = path.read_text()
    assert text.startswith("#:schema ./gridsim.schema.json\n")
    assert errors(shipped, text) == []
    environment = dict.fromkeys(("MQTT_HOST", "MQTT_USERNAME", "MQTT_PASSWORD"), "x")
    made = resolve(read(path, environment=environment), installed, now_ms=0, flags=Flags())
    devices = {"default": 8, "demo": 19, "fleet-10k": 10_000}
    assert len(made.scenario.roster) == devices.get(path.stem, len(made.scenario.roster))


def test_the_example_environment_file_names_what_the_configurations_ask_for() -> None:
    example = (CONFIGS[0].parents[1] / ".env.example").read_text()
    offered = {line.partition("=")[0] for line in example.splitlines() if line[:1].isupper()}
    asked = {name for path in CONFIGS for name in _variables(path.read_text())}
    assert offered == asked


@pytest.mark.parametrize(
    "text",
    [
        MINIMAL,
        with_der("tilt = { normal = [30, 5], min = 0, max = 60 }\nazimuth = '${AZIMUTH}'"),
        with_radio("port = 1\npin = '${PIN}'\nwill = { topic = 'a', qos = 1 }\nbands = [1.5]"),
        with_radio("port = 'auto'\nformat = { type = 'json', missing_soc = 'zero' }"),
        with_radio("loud = '${LOUD:-true}'\nformat = 'json'\nqueue_mb = 1"),
        "weather = {}\nsite.latitude = { uniform = [1, 2] }\n" + MINIMAL,
        "simulation.start = 2026-07-01T00:00:00Z\n" + MINIMAL,
    ],
)
def test_admits_what_resolves(fakes: Draft202012Validator, text: str) -> None:
    assert errors(fakes, text) == []


@pytest.mark.parametrize(
    "text",
    [
        with_der("tlit = 3"),
        with_der("tilt = 91"),
        with_der("tilt = '30'"),
        with_der("tilt = { gauss = [1, 2] }"),
        with_der("flexible = true"),
        with_der("count = { uniform = [1, 2] }"),
        MINIMAL.replace("nameplate_capacity = 5.0\n", ""),
        MINIMAL.replace('"solar"', '"solr"'),
        "transports = []\n" + MINIMAL.partition("[[transports]]")[0],
        MINIMAL.replace('type = "radio"', ""),
        with_radio("pin = 'hunter2'"),
        with_radio("will = { topic = 'a', qso = 1 }"),
        with_radio("format = 'jsn'"),
        with_radio("on_full = 'wait'"),
        "[simulatoin]\n" + MINIMAL,
        "[weather]\ntype = 'none'\n" + MINIMAL,
    ],
)
def test_refuses_what_does_not_resolve(fakes: Draft202012Validator, text: str) -> None:
    assert errors(fakes, text) != []


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        (with_der("tlit = 3"), "projects/0/ders/0", "'tlit' was unexpected"),
        (with_der("tilt = 91"), "projects/0/ders/0/tilt", "91 is greater than the maximum"),
        (with_der("tilt = { gauss = [1, 2] }"), "projects/0/ders/0/tilt", "'gauss' was unexpected"),
        (MINIMAL.replace('"solar"', '"solr"'), "projects/0/ders/0/type", "'solr' is not one of"),
        (MINIMAL.replace('type = "solar"\n', ""), "projects/0/ders/0", "'type' is a required"),
        (with_radio("qoss = 1"), "transports/0", "'qoss' was unexpected"),
        (with_radio("startup = 'rety'"), "transports/0/startup", "'rety' is not one of ['fail'"),
        (with_radio("format = 'jsn'"), "transports/0/format", "'jsn' is not one of"),
        (
            with_radio("format = { type = 'json', missing_soc = 'nul' }"),
            "transports/0/format/missing_soc",
            "'nul' is not one of",
        ),
        (
            with_radio("format = { type = 'json', missing = 'nul' }"),
            "transports/0/format",
            "'missing' was unexpected",
        ),
    ],
)
def test_an_editor_shows_the_key_at_fault(
    fakes: Draft202012Validator, text: str, path: str, message: str
) -> None:
    found: Any = best_match(fakes.iter_errors(tomli.loads(text)))
    assert "/".join(map(str, found.path)) == path
    assert message in found.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[weather]\nmean_windd = 3", "'mean_windd' was unexpected"),
        ("[[faults]]\ntype = 'offline'\nreadigs = 'lost'", "'readigs' was unexpected"),
        ("[[sources]]\ntype = 'mqtt'\ntopics = 'a'", "'topics' was unexpected"),
        ("[defaults.mqtt]\nqoss = 1", "'qoss' was unexpected"),
        ("[[events]]\nid = 'e'\nduration = 3", "'duration' was unexpected"),
    ],
)
def test_it_does_so_in_every_table_of_plugins(
    shipped: Draft202012Validator, text: str, message: str
) -> None:
    data = {**tomli.loads(CONFIGS[0].with_name("stdout.toml").read_text()), **tomli.loads(text)}
    found: Any = best_match(shipped.iter_errors(data))
    assert message in found.message


def test_scenario_files_have_a_schema(installed: Registry) -> None:
    folder = CONFIGS[0].parent
    schema = build_scenario(installed)
    written = json.loads((folder / "gridsim-scenario.schema.json").read_text())
    assert written == json.loads(json.dumps(schema))
    checked = Draft202012Validator(schema)
    for path in (folder / "scenarios").glob("*.toml"):
        text = path.read_text()
        assert text.startswith("#:schema ../gridsim-scenario.schema.json\n")
        assert errors(checked, text) == []
    assert errors(checked, "[[projects]]\nid = 'P'") != []
    [wrong] = errors(checked, "[[faults]]\ntype = 'drop'\nprobabilty = 1")
    assert "'probabilty' was unexpected" in wrong


def test_carries_description_default_and_unit_and_no_null() -> None:
    schema = build(registry())
    tilt = schema["$defs"]["der.solar"]["properties"]["tilt"]
    assert (tilt["description"], tilt["default"], tilt["x-unit"]) == ("slope", 30.0, "deg")
    assert '"type": "null"' not in json.dumps(schema)
    pin = schema["$defs"]["transport.radio"]["properties"]["pin"]
    assert "default" not in pin


def _variables(text: str) -> set[str]:
    return {part.partition("}")[0].partition(":-")[0] for part in text.split('"${')[1:]}

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import tomli
from jsonschema import Draft202012Validator

from gridsim.config.resolve import Flags, resolve
from gridsim.config.schema import build
from gridsim.config.text.load import read
from gridsim.plugins.host import PluginHost
from gridsim.plugins.registry import Registry
from tests.fixtures.config.fakes import MINIMAL, registry, with_der, with_radio

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.toml"))


def validator(known: Registry) -> Draft202012Validator:
    schema = build(known)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


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
        MINIMAL.partition("[[transports]]")[0],
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


def test_carries_description_default_and_unit_and_no_null() -> None:
    schema = build(registry())
    tilt = schema["$defs"]["der.solar"]["properties"]["tilt"]
    assert (tilt["description"], tilt["default"], tilt["x-unit"]) == ("slope", 30.0, "deg")
    assert '"type": "null"' not in json.dumps(schema)
    pin = schema["$defs"]["transport.radio"]["properties"]["pin"]
    assert "default" not in pin


def _variables(text: str) -> set[str]:
    return {part.partition("}")[0].partition(":-")[0] for part in text.split('"${')[1:]}

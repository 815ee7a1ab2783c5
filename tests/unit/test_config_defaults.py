"""Settings that transports and sources of a type share, and transports changed by a flag."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gridsim.config.configuration import Configuration
from gridsim.config.resolve import Flags, resolve
from gridsim.config.text.load import read
from gridsim.config.text.report import ConfigError
from gridsim.plugins.host import PluginHost
from gridsim.plugins.registry import Registry

ROOT = Path(__file__).parents[2]
HOME = """
[[projects]]
id = "HOME"
[[projects.ders]]
id = "PV"
type = "solar"
nameplate_capacity = 5.0
"""
MQTT = """
[[transports]]
type = "mqtt"
host = "${HOST}"
qos = 1
queue_mb = 3
[[transports]]
type = "file"
path = "a.csv"
format = "csv"
[[sources]]
type = "mqtt"
host = "b"
"""


@pytest.fixture(scope="module")
def installed() -> Registry:
    host = PluginHost()
    host.load_installed()
    return host.registry


class Configure:
    def __init__(self, folder: Path, registry: Registry) -> None:
        self._path = folder / "c.toml"
        self._registry = registry

    def __call__(
        self, text: str, *overrides: str, transport: str | None = None, **env: str
    ) -> Configuration:
        self._path.write_text(text + HOME)
        document = read(self._path, overrides=overrides, environment=env)
        return resolve(document, self._registry, now_ms=0, flags=Flags(transport=transport))

    def refused(self, text: str, *overrides: str, transport: str | None = None, **env: str) -> str:
        with pytest.raises(ConfigError) as caught:
            self(text, *overrides, transport=transport, **env)
        return str(caught.value).replace(str(self._path), "c.toml")


@pytest.fixture
def configure(tmp_path: Path, installed: Registry) -> Configure:
    return Configure(tmp_path, installed)


def test_defaults_hold_for_each_table_that_does_not_set_the_key(configure: Configure) -> None:
    defaults = '[defaults.mqtt]\nhost = "d"\nqos = 2\nkeepalive_s = 9\nqueue_mb = 7\n'
    made = configure(defaults + MQTT.replace('host = "${HOST}"\n', ""))
    first, second = made.transports
    assert (first.settings.host, first.settings.qos, first.settings.keepalive_s) == ("d", 1, 9)
    assert first.delivery.queue_mb == 3
    assert second.delivery.queue_mb == 64
    [source] = made.sources
    assert (source.settings.host, source.settings.keepalive_s) == ("b", 9)


def test_a_secret_in_the_defaults_is_a_placeholder_like_any(configure: Configure) -> None:
    text = '[defaults.mqtt]\nusername = "u"\npassword = "{}"\nhost = "localhost"\n{}'
    made = configure(text.format("${SECRET}", MQTT), SECRET="hush", HOST="localhost")
    assert made.transports[0].settings.password.get_secret_value() == "hush"
    assert made.sources[0].settings.password.get_secret_value() == "hush"
    report = configure.refused(text.format("hush", MQTT), HOST="localhost")
    assert report.count("c.toml:3:12: error: 'password' is a secret") == 1
    assert "hush" not in report


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[defaults.mqtt]\nqoss = 1\n", "2:1: error: 'qoss' is not a setting of the mqtt"),
        ("[defaults.mqtt]\nqoss = 1\n", "did you mean 'qos'?"),
        ("[defaults.mqt]\nqos = 1\n", "'mqt' is not a type of transport, source or view"),
        ("[defaults.solar]\ntilt = 1\n", "'solar' is not a type of transport, source or view"),
        ("[defaults]\nmqtt = 3\n", "2:8: error: must be a table: write [defaults.mqtt]"),
        ("[defaults.mqtt]\ntopic = 'x'\n", "'topic' differs between the transport and the source"),
        ("[defaults.mqtt]\nqos = 7\n", "2:7: error: 'qos' must be 0, 1 or 2"),
        ("[defaults.mqtt]\nhost = '${NONE}'\n", "2:8: error: the variable NONE is needed here"),
    ],
)
def test_defaults_that_cannot_be_used(configure: Configure, text: str, message: str) -> None:
    report = configure.refused(text + MQTT.replace("qos = 1\n", ""), HOST="a")
    assert message in report
    assert report.count("error:") == 1


def names(made: Configuration) -> list[tuple[str, str]]:
    return [(choice.name, choice.format_name) for choice in made.transports]


def test_transport_changes_the_first_and_keeps_what_all_transports_have(
    configure: Configure,
) -> None:
    # HOST is not set: the address is not needed any more.
    made = configure(MQTT, transport="stdout")
    assert names(made) == [("stdout", "json")]
    assert made.transports[0].delivery.queue_mb == 3
    assert len(made.sources) == 1


def test_without_transports_there_is_mqtt_on_the_embedded_broker(configure: Configure) -> None:
    [transport] = configure("").transports
    assert transport.name == "mqtt"
    assert (transport.settings.host, transport.settings.qos) == ("embedded", 0)


def test_transport_takes_the_one_that_is_there(configure: Configure) -> None:
    made = configure(MQTT, "transports.1.rotate_mb=2", transport="file")
    assert names(made) == [("file", "csv")]
    assert made.transports[0].settings.rotate_mb == 2
    assert made.transports[0].settings.path.endswith("a.csv")
    report = configure.refused(MQTT.replace('path = "a.csv"', "path = 3"), transport="file")
    assert "c.toml:9:8: error: 'path' must be a string" in report


def test_transport_adds_one_where_there_is_none(configure: Configure) -> None:
    assert names(configure("", transport="stdout")) == [("stdout", "json")]


def test_an_unknown_type_is_reported_at_the_flag(configure: Configure) -> None:
    report = configure.refused(MQTT, transport="stdot")
    assert report.startswith("--transport stdot: error: there is no transport 'stdot'")
    assert "did you mean 'stdout'?" in report


def test_set_of_a_type_leaves_out_the_keys_of_the_old_type(configure: Configure) -> None:
    made = configure(MQTT, "transports.0.type=stdout")
    assert names(made) == [("stdout", "json"), ("file", "csv")]
    made = configure(MQTT, "transports.0.type=file", 'transports.0.path="b"')
    assert made.transports[0].settings.path.endswith("b")
    # A key that a flag gives is meant.
    report = configure.refused(MQTT, "transports.0.type=stdout", "transports.0.qos=1")
    assert "--set transports.0.qos=1: error: 'qos' is not a setting of the stdout" in report


def test_set_of_the_same_type_changes_nothing(configure: Configure) -> None:
    made = configure(MQTT, "transports.1.type=file", HOST="a")
    assert made.transports[1].settings.path.endswith("a.csv")


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.toml")), ids=lambda p: p.stem)
@pytest.mark.parametrize("type", ["stdout", "file"])
def test_every_shipped_configuration_runs_without_a_broker(
    installed: Registry, path: Path, type: str
) -> None:
    environment: dict[str, Any] = {}
    document = read(path, environment=environment)
    made = resolve(document, installed, now_ms=0, flags=Flags(transport=type))
    assert [choice.name for choice in made.transports] == [type]

"""The parts of `gridsim bench` that need no broker."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridsim.api import WireMessage
from gridsim.bench.rounds import Way, compare, ratio
from gridsim.bench.sample import Sample
from gridsim.bench.survey import Survey, survey
from gridsim.bench.target import BENCH_CONFIG, counts_for, default_or_named, sized
from gridsim.errors import UsageError
from gridsim.running.plan import Options
from gridsim.text.progress import Progress
from gridsim_plugins.mqtt.bench.benchmark import packet_size
from gridsim_plugins.mqtt.bench.client import MeasuredBroker
from gridsim_plugins.mqtt.bench.raw import publish
from gridsim_plugins.mqtt.settings import MqttSettings

TWO_STANZAS = """
[[projects]]
id = "A"
[[projects.ders]]
id = "A_{n}"
type = "solar"
nameplate_capacity = 5.0
count = 3

[[projects]]
id = "B_{n}"
count = 4
[[projects.ders]]
id = "{project_id}_PV"
type = "solar"
nameplate_capacity = 5.0
report_every_s = 2

[[transports]]
type = "stdout"

[[transports]]
type = "mqtt"
topic = "x/{der_id}"
"""


def make_broker(qos: int = 0, protocol: str = "3.1.1") -> MeasuredBroker:
    given = {"host": "localhost", "qos": qos, "protocol": protocol}
    return MeasuredBroker("localhost", 1883, MqttSettings.model_validate(given))


@pytest.mark.parametrize(("qos", "protocol"), [(0, "3.1.1"), (1, "3.1.1"), (2, "5")])
@pytest.mark.parametrize("length", [0, 100, 200, 20_000])
def test_the_survey_counts_the_bytes_that_a_packet_has(
    qos: int, protocol: str, length: int
) -> None:
    broker = make_broker(qos, protocol)
    packet = publish(WireMessage("a/ü", b"x" * length, 0), broker, 7)
    assert len(packet) == packet_size(4, length, (2 if qos else 0) + broker.v5)


def test_a_packet_is_what_the_standard_says() -> None:
    packet = publish(WireMessage("a/b", b"hi", 0), make_broker(1), 10)
    assert packet == b"\x32\x09\x00\x03a/b\x00\x0ahi"


def test_every_round_has_its_own_ratio() -> None:
    own = [Sample(1.0, 0.0), Sample(2.0, 0.0), Sample(4.0, 0.0)]
    other = [Sample(5.0, 0.0), Sample(6.0, 0.0), Sample(8.0, 0.0)]
    assert ratio(own, other) == 3.0


def test_ways_take_turns_and_medians_are_reported() -> None:
    turns: list[str] = []
    slow = iter([4.0, 8.0, 6.0])

    def gridsim() -> Sample:
        turns.append("gridsim")
        return Sample(2.0, 1.0)

    def raw() -> Sample:
        turns.append("raw")
        return Sample(next(slow), 0.5)

    fleet = Survey(1000, 4000, 0, 100.0, 110.0, [])
    ways = {"gridsim": Way("gridsim", gridsim), "raw": Way("raw socket", raw)}
    flat = compare(ways, fleet, 3, lambda _: None, Progress())
    assert turns == ["gridsim", "raw"] * 3
    assert flat.titles == {"gridsim": "gridsim", "raw": "raw socket"}
    assert flat.ratios == {"raw": 3.0}
    assert flat.ways["gridsim"].messages_per_s == 500
    assert flat.ways["gridsim"].records_per_s == 2000
    assert flat.ways["gridsim"].cpu_us_per_message == 1000
    assert flat.ways["raw"].messages_per_s == pytest.approx(1000 / 6)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "fleet.toml"
    path.write_text(TWO_STANZAS)
    return path


def test_the_survey_counts_what_the_fleet_sends(config: Path) -> None:
    _, target = default_or_named(config, (), ())
    found = survey(target, 4)
    # Three DERs each tick, four each second tick.
    assert found.messages == found.records == 4 * 3 + 2 * 4
    assert found.warm_up_records == 2 * 3 + 4
    assert {message.topic for message in found.stock} == {
        *(f"x/A_{n}" for n in (1, 2, 3)),
        *(f"x/B_{n}_PV" for n in (1, 2, 3, 4)),
    }
    assert found.payload_bytes == sum(len(m.body) for m in found.stock) / found.messages
    assert found.typical() in found.stock


def test_only_stanzas_that_count_their_projects_grow(config: Path) -> None:
    options = Options(config=config)
    assert counts_for(options, 14, 7) == ("projects.1.count=8",)
    assert sized(options, 70, 7).ders == 3 + 40


def test_a_fleet_without_a_counted_id_cannot_grow(config: Path) -> None:
    config.write_text(TWO_STANZAS.replace("B_{n}", "B").replace("count = 4", ""))
    with pytest.raises(UsageError, match=r"\{n\}"):
        counts_for(Options(config=config), 14, 7)


def test_the_default_fleet_fits_its_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MQTT_HOST", "localhost")
    assert default_or_named(None, (), ())[1].ders == 10_000
    monkeypatch.setenv("MQTT_HOST", "embedded")
    options, target = default_or_named(None, (), ())
    assert (options.config, target.ders) == (BENCH_CONFIG, 1_000)
    own = ("projects.0.count=10", "projects.1.count=5")
    assert default_or_named(None, own, ())[1].ders == 20 + 10

"""`gridsim bench` against a real broker."""

from __future__ import annotations

import json
import subprocess
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures import prepared
from tests.fixtures.ports import free_port
from tests.integration.conftest import Brokers

ROOT = Path(__file__).parents[2]
DEADLINE_S = 120

FLEET = """
[[projects]]
id = "HOME_{n}"
count = 20

[[projects.ders]]
id = "{project_id}_PV_{n}"
type = "solar"
count = 2
nameplate_capacity = 5.0

[[transports]]
type = "mqtt"
host = "127.0.0.1"
"""

SLOW = """
import time
from gridsim.api import Device, hookimpl

class Slow(Device):
    def step(self, tick):
        time.sleep(0.005)
        return 0.0

@hookimpl
def gridsim_register(register):
    register.der("slow", Slow)
"""


def run(*words: object, status: int = 0) -> subprocess.CompletedProcess[str]:
    done = prepared.gridsim("bench", *words, timeout_s=DEADLINE_S)
    assert "Traceback" not in done.stderr
    assert done.returncode == status, done.stderr
    return done


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "fleet.toml"
    path.write_text(FLEET)
    return path


def bench(config: Path, port: int, *words: object) -> dict[str, Any]:
    done = run("--config", config, "--set", f"transports.0.port={port}", "--json", *words)
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape(value[0])]
    return type(value).__name__


LAG = {"p50_ms": "float", "p99_ms": "float"}
RUN = {
    "ticks": "int",
    "rate_hz": "float",
    "held": "bool",
    "records": "int",
    "delivered": "int",
    "dropped": "int",
    "tick_lag": LAG,
    "confirmed": LAG,
    "cpu_cores": "float",
}
SPEED = {
    "messages_per_s": "float",
    "records_per_s": "float",
    "cpu_us_per_message": "float",
    "rounds": [{"seconds": "float", "cpu_s": "float"}],
}


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_all_ways_send_the_same_and_the_counts_add_up(
    brokers: Brokers, config: Path, qos: int
) -> None:
    more = ("--seconds", 2, "--runs", 1, "--set", f"transports.0.qos={qos}")
    report = bench(config, brokers.ports["plain"], *more)
    assert "mosquitto version" in report["broker"]["version"]
    assert report["fleet"]["ders"] == 40
    assert report["wire"]["qos"] == qos
    paced, flat = report["real_time"], report["flat_out"]
    # The first tick is sent too, but is not in the figures.
    assert (paced["ticks"], paced["records"]) == (2, 3 * 40)
    assert paced["delivered"] + paced["dropped"] == paced["records"]
    assert (flat["messages"], flat["records"], flat["rounds"]) == (80, 80, 1)
    for name, other in flat["ratios"].items():
        ways = flat["ways"]
        own = ways["gridsim"]["messages_per_s"] / ways[name]["messages_per_s"]
        assert other == pytest.approx(own)


def test_the_json_has_its_documented_shape(brokers: Brokers, config: Path) -> None:
    report = bench(
        config, brokers.ports["plain"], "--seconds", 1, "--runs", 2, "--set",
        "transports.0.framing=project", "--set", "transports.0.protocol=5",
    )  # fmt: skip
    text = ("cpu", "python", "os")
    assert shape(report["machine"]) == {**dict.fromkeys(text, "str"), "cores": "int"}
    assert report["flat_out"]["records"] == 2 * report["flat_out"]["messages"]
    assert shape(report["flat_out"]) == {
        "messages": "int",
        "records": "int",
        "rounds": "int",
        "ways": dict.fromkeys(("gridsim", "raw", "paho_script", "paho_best"), SPEED),
        "ratios": dict.fromkeys(("raw", "paho_script", "paho_best"), "float"),
    }
    lag = report["real_time"].pop("broker_lag")
    assert lag is None or shape(lag) == LAG
    assert shape(report["real_time"]) == RUN
    wire = {"qos": "int", "protocol": "str", "framing": "str"}
    assert shape(report["wire"]) == {**wire, "payload_bytes": "float", "packet_bytes": "float"}
    memory = {"peak_mb": "float", "end_mb": "float", "kb_per_1000_ders": "NoneType"}
    assert report["memory"] is None or shape(report["memory"]) == memory
    assert report["ramp"] is None


def test_it_goes_through_tls(brokers: Brokers, config: Path) -> None:
    trust = f"transports.0.ca_file={brokers.authority.file}"
    report = bench(
        config, brokers.ports["tls"], "--seconds", 1, "--runs", 1, "--set", trust, "--set",
        "transports.0.tls=on",
    )  # fmt: skip
    assert report["broker"]["tls"]
    assert set(report["flat_out"]["ways"]) == {"gridsim", "raw", "paho_script", "paho_best"}


def test_the_ramp_finds_where_a_slow_fleet_stops_holding(
    brokers: Brokers, config: Path, tmp_path: Path
) -> None:
    plugin = tmp_path / "slow_ders.py"
    plugin.write_text(SLOW)
    config.write_text(FLEET.replace('"solar"', '"slow"'))
    report = bench(
        config, brokers.ports["plain"], "--ramp", "--ramp-seconds", 1, "--plugin", plugin,
        "--set", "simulation.tick_s=0.25",
    )  # fmt: skip
    ramp = report["ramp"]
    held = [step["ders"] for step in ramp["steps"] if step["run"]["held"]]
    # At 5 ms each, 50 fill a tick, and with 63 the last tick of five comes a whole one late.
    assert 0 < ramp["largest_held"] == max(held) <= 62
    assert report["real_time"] is report["flat_out"] is None


def test_a_broker_that_is_not_there_is_exit_3(config: Path) -> None:
    port = f"transports.0.port={free_port()}"
    done = run("--config", config, "--set", port, status=3)
    assert "connection refused" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--runs", 0), "--runs"),
        (("--seconds", 0), "--seconds"),
        (("--config", ROOT / "configs/stdout.toml"), "cannot measure stdout. It can measure: mqtt"),
        (
            ("--set", "transports.0.transport=websockets", "--set", "transports.0.host=x"),
            "WebSockets cannot be measured",
        ),
    ],
)
def test_what_cannot_be_measured_is_exit_2(words: tuple[object, ...], said: str) -> None:
    assert said in run(*words, status=2).stderr


@pytest.mark.parametrize("way", [(), ("--tls",)])
def test_every_byte_that_arrives_is_a_record_of_the_simulation(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], way: tuple[str, ...]
) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    sink = import_module("sink")
    status = sink.main(["--messages", "2000", "--ders", "100", *way], start=prepared.start)
    said = capsys.readouterr().out
    assert "2,000 of 2,000 records right" in said
    assert status == 0

"""Probes: the other end of MQTT, and of a protocol of one's own, with nothing else changed."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gridsim.api import Command, Target, TransportError
from gridsim.bench.target import find_target
from gridsim.cli.sending import CommandLine, send
from gridsim.errors import UsageError
from gridsim.running.plan import Options, make_plan
from gridsim.testing import ProbeContract, RecordingReceipt, make_batch, make_run
from gridsim.verify.subscriber import find_listener
from gridsim_plugins.mqtt.probe import MqttProbe
from gridsim_plugins.mqtt.settings import MqttSettings
from gridsim_plugins.mqtt.source import MqttCommands, MqttCommandSettings
from gridsim_plugins.mqtt.transport import Mqtt
from tests.fixtures import prepared
from tests.fixtures.modules import load_module
from tests.fixtures.ports import free_port
from tests.integration.conftest import Brokers, MakeTransport

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/spool"
DEADLINE_S = 60.0


spool: Any = load_module(EXAMPLE / "spool.py", "spool_example")


class TestOnTheEmbeddedBroker(ProbeContract):
    probe = MqttProbe
    transport = Mqtt

    @pytest.fixture(autouse=True)
    def _port(self) -> None:
        self.port = free_port()

    def target(self, tmp_path: Path) -> Mapping[str, Any]:
        return {"host": "embedded", "port": self.port}

    source = MqttCommands

    def way(self, tmp_path: Path) -> Mapping[str, Any]:
        return {"host": "embedded", "port": self.port}


class _OnMosquitto(ProbeContract):
    probe = MqttProbe
    transport = Mqtt
    source = MqttCommands

    @pytest.fixture(autouse=True)
    def _broker(self, brokers: Brokers, commands: dict[str, str], tmp_path: Path) -> None:
        self.brokers = brokers
        # A topic of this test's own, for both framings.
        self.topic = f"{tmp_path.name}/{{project_id}}"

    def way(self, tmp_path: Path) -> Mapping[str, Any]:
        port = self.brokers.ports["plain"]
        name = tmp_path.name
        return {
            "host": "127.0.0.1",
            "port": port,
            "topic": f"{name}/{{project_id}}/{{der_id}}/command",
            "ack_topic": f"{name}/{{project_id}}/{{der_id}}/ack",
        }


class TestOnMosquitto(_OnMosquitto):
    def target(self, tmp_path: Path) -> Mapping[str, Any]:
        return {"host": "127.0.0.1", "port": self.brokers.ports["plain"], "topic": self.topic}


class TestOnMosquittoAtQos1(_OnMosquitto):
    def target(self, tmp_path: Path) -> Mapping[str, Any]:
        port = self.brokers.ports["plain"]
        return {
            "host": "127.0.0.1", "port": port, "topic": self.topic, "qos": 1, "protocol": "5",
        }  # fmt: skip


class TestOnMosquittoByTlsAtQos2(_OnMosquitto):
    def target(self, tmp_path: Path) -> Mapping[str, Any]:
        return {
            "host": "127.0.0.1",
            "port": self.brokers.ports["tls"],
            "tls": "on",
            "ca_file": str(self.brokers.authority.file),
            "topic": self.topic,
            "qos": 2,
        }


class TestSpool(ProbeContract):
    probe = spool.SpoolProbe
    transport = spool.Spool
    source = spool.SpoolCommands

    def target(self, tmp_path: Path) -> Mapping[str, Any]:
        return {"folder": str(tmp_path)}

    def way(self, tmp_path: Path) -> Mapping[str, Any]:
        return {"folder": str(tmp_path)}


@pytest.mark.usefixtures("commands")
def test_what_a_broker_retained_is_of_an_earlier_run(
    brokers: Brokers, make_transport: MakeTransport
) -> None:
    port = brokers.ports["plain"]
    transport = make_transport(port, topic="kept/{der_id}", retain=True, qos=1)
    batch = make_batch(transport.run.roster)
    transport.connect()
    transport.write(batch, RecordingReceipt(len(batch)))
    listener = MqttProbe(transport.run).listen(transport.settings, "der")
    listener.connect()
    try:
        assert list(listener.receive(0.5)) == []
        transport.write(batch, RecordingReceipt(len(batch)))
        received: list[bytes] = []
        deadline = time.monotonic() + DEADLINE_S
        while len(received) < len(batch):
            assert time.monotonic() < deadline
            received += [message.payload for message in listener.receive(0.1)]
        assert received == list(transport.format.encode(batch).bodies)
    finally:
        listener.close()


def test_an_embedded_broker_at_any_port_cannot_be_found_where_runs_are_unknown() -> None:
    probe = MqttProbe(make_run())
    with pytest.raises(TransportError, match="embedded broker's port is not known") as caught:
        probe.listen(MqttSettings(host="embedded", port=0), "der").connect()
    assert caught.value.permanent
    with pytest.raises(TransportError, match="embedded broker's port is not known"):
        next(probe.send(MqttCommandSettings(port=0), Command(Target("PRJ_0"), "c-1", "connect")))


def done(*words: object, cwd: Path, status: int = 0) -> subprocess.CompletedProcess[str]:
    """Run gridsim with the spool in the folder `cwd`."""
    ended = prepared.gridsim(*words, cwd=cwd, env=_with_spool(cwd), timeout_s=DEADLINE_S)
    assert "Traceback" not in ended.stderr
    assert ended.returncode == status, ended.stderr
    return ended


def _with_spool(folder: Path) -> dict[str, str]:
    return {**os.environ, "SPOOL": str(folder)}


def started(*words: object, cwd: Path) -> prepared.Started:
    pipe = subprocess.PIPE
    return prepared.start(*words, cwd=cwd, env=_with_spool(cwd), stdout=pipe, stderr=pipe)


def test_verify_subscribes_to_a_protocol_of_ones_own(tmp_path: Path) -> None:
    config = EXAMPLE / "spool.toml"
    words = ("verify", "spool.sqlite", "--subscribe", "--config", config, "--json")
    with started(*words, cwd=tmp_path) as verify:
        assert verify.stderr is not None
        assert verify.stderr.readline().startswith(f"subscribed at {tmp_path}/readings")
        done("--config", config, "--speed", 0, "--duration", "20s", cwd=tmp_path)
        out, said = verify.communicate(timeout=DEADLINE_S)
    assert verify.returncode == 0, said
    report = json.loads(out)
    assert (report["transport"], report["expected"], report["received"]) == ("spool", 200, 200)
    assert report["notes"] == []


def test_send_commands_by_a_protocol_of_ones_own(tmp_path: Path) -> None:
    config = EXAMPLE / "spool.toml"
    with started("--config", config, "--speed", 10, cwd=tmp_path) as run:
        try:
            deadline = time.monotonic() + DEADLINE_S
            while not (tmp_path / "readings").exists():
                assert time.monotonic() < deadline
                time.sleep(0.05)
            words = ("HOME_3_BAT", "set_power", "300", "--config", config)
            rejected = done("send", *words, cwd=tmp_path, status=4)
            assert "out of range" in rejected.stderr
        finally:
            run.terminate()
            run.communicate(timeout=DEADLINE_S)


def test_bench_measures_a_protocol_of_ones_own(tmp_path: Path) -> None:
    words = ("--config", EXAMPLE / "spool.toml", "--seconds", 1, "--runs", 1)
    report = json.loads(done("bench", *words, "--json", cwd=tmp_path).stdout)
    assert report["broker"] == {
        "host": str(tmp_path), "port": 0, "version": "file system", "tls": False,
    }  # fmt: skip
    assert report["wire"]["protocol"] == "lines"
    assert set(report["flat_out"]["ways"]) == {"gridsim", "plain"}


STDOUT_ONLY = """
[[projects]]
id = "HOME"
[[projects.ders]]
id = "PV"
type = "solar"
nameplate_capacity = 5.0
[[transports]]
type = "stdout"
[[transports]]
type = "file"
path = "x.jsonl"
"""


@pytest.fixture
def no_other_end(tmp_path: Path) -> Options:
    path = tmp_path / "home.toml"
    path.write_text(STDOUT_ONLY)
    return Options(config=path)


def test_verify_says_which_transports_it_cannot_subscribe_to(no_other_end: Options) -> None:
    able = r"It can use: mqtt$"
    with pytest.raises(UsageError, match=rf"cannot subscribe to stdout, file\. {able}"):
        find_listener(no_other_end, None)
    with pytest.raises(UsageError, match=rf"cannot subscribe to file\. {able}"):
        find_listener(no_other_end, "file")
    with pytest.raises(UsageError, match=r"has no transport 'mqtt'; it has: stdout, file$"):
        find_listener(no_other_end, "mqtt")


def test_verify_subscribes_to_the_transport_that_is_named(no_other_end: Options) -> None:
    text = '[[transports]]\ntype = "mqtt"\nhost = "h{}"\n'
    more = "".join(text.format(n) for n in (1, 2))
    no_other_end.config.write_text(STDOUT_ONLY + more)
    for name, found, host in (
        (None, "mqtt", "h1"),
        ("mqtt", "mqtt", "h1"),
        ("mqtt#2",) * 2 + ("h2",),
    ):
        named, listener = find_listener(no_other_end, name)
        assert named == found
        assert listener.describe() == f"{host}:1883, projects/+/ders/+"


def test_bench_says_which_transports_it_cannot_measure(no_other_end: Options) -> None:
    reason = r"cannot measure stdout, file\. It can measure: mqtt$"
    with pytest.raises(UsageError, match=reason):
        find_target(no_other_end)


def test_send_says_which_sources_it_cannot_reach(no_other_end: Options, tmp_path: Path) -> None:
    command = CommandLine("PV", "connect")
    with pytest.raises(UsageError, match=r"add \[\[sources\]\].* gridsim send can use: mqtt$"):
        send(make_plan(no_other_end), command, None, lambda _: None)
    (tmp_path / "mute.py").write_text(MUTE_SOURCE)
    no_other_end.config.write_text(STDOUT_ONLY + '[[sources]]\ntype = "mute"\n')
    options = replace(no_other_end, plugins=(tmp_path / "mute.py",))
    reason = r"cannot reach the sources of this configuration: mute\. It can use: mqtt$"
    with pytest.raises(UsageError, match=reason):
        send(make_plan(options), command, None, lambda _: None)


MUTE_SOURCE = """
from gridsim.api import Source, hookimpl

class Mute(Source):
    def describe(self): return "nothing"
    def connect(self): pass
    def serve(self, inbox, timeout_s): pass
    def acknowledge(self, acknowledgements): pass
    def close(self): pass

@hookimpl
def gridsim_register(register):
    register.source("mute", Mute)
"""

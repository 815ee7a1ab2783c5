"""The tests, and their configuration, that run inside those of the pytest plugin."""

from __future__ import annotations

HOME = '''
HOME = """
[simulation]
seed = 42
tick_s = 60
start = 2026-06-21T15:00:00Z

[[projects]]
id = "HOME"
contract_threshold = 1.0
load = { type = "constant", kw = 2.5 }

[[projects.ders]]
id = "PV"
type = "solar"
nameplate_capacity = 5.0

[[projects.ders]]
id = "BAT"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 10.0
initial_soc = 80
"""
'''

TEXT = HOME.strip().removeprefix('HOME = """').removesuffix('"""')

INSIDE = (
    HOME
    + '''
import datetime, json, sys, threading, time
import pytest
from paho.mqtt.publish import single

# Other tests of this process may have threads.
BEFORE = set(threading.enumerate())

def test_messages(gridsim_fleet):
    config = HOME + """
[[transports]]
type = "mqtt"
port = 0
qos = 1
topic = "fleet/{der_id}"
"""
    fleet = gridsim_fleet(config)
    assert fleet.messages() == []
    fleet.advance("10m")
    assert len(fleet.messages()) == len(fleet.messages("fleet/+")) == 20
    [first, *_, last] = fleet.messages("fleet/BAT")
    assert (first.topic, first.json()["timestamp"]) == ("fleet/BAT", "2026-06-21T15:00:00.000Z")
    assert '"timestamp":"2026-06-21T15:09:00.000Z"' in last.text
    with pytest.raises(ValueError, match="duration 90 is not a whole number of ticks"):
        fleet.advance(90)

def test_truth(gridsim_fleet):
    fleet = gridsim_fleet(HOME)
    event = fleet.call_event("peak", "HOME", duration="30m", target_kw=2.0)
    fleet.inject("offline", "PV", duration="5m", readings="lost")
    command = fleet.send("BAT", "set_power", -3, duration="2m")
    assert command.state == "pending"
    fleet.advance("10m")
    assert (event.state, command.state) == ("accepted", "completed")
    [running] = fleet.truth.events.to_dicts()
    assert (running["event"], running["ending"]) == ("peak", "running")
    assert [one["fault"] for one in fleet.truth.faults.to_dicts()] == ["offline"]
    assert len(fleet.truth.readings) == 20
    assert len(fleet.messages("projects/#")) == 15
    fleet.advance("25m")
    [ended] = fleet.truth.events.to_dicts()
    assert (event.state, ended["ending"]) == ("completed", "completed")
    held = [message.json() for message in fleet.messages("projects/#")]
    settled = {"event": "peak", "project_id": "HOME", "reduction_kwh": ended["delivered_kwh"]}
    violations = [(one["start"], one["end"]) for one in fleet.truth.violations.to_dicts()]
    fleet.verify(held, settlements=[settled | {"violations": violations}])

def test_differences(gridsim_fleet):
    fleet = gridsim_fleet(HOME)
    fleet.advance("5m")
    held = [message.json() for message in fleet.messages("projects/#")]
    held[3]["current_output"] += 1
    fleet.verify(held[1:])

def test_command_by_mqtt(gridsim_fleet):
    fleet = gridsim_fleet(HOME)
    order = json.dumps({"id": "c-1", "command": "set_power", "value": -2.0})
    single("projects/HOME/ders/BAT/command", order, 1, port=fleet.broker.port)
    fleet.wait_for_commands(1)
    fleet.advance("2m")
    [answer] = fleet.messages("projects/HOME/ders/BAT/ack", count=1)
    assert answer.json()["status"] == "accepted"
    with pytest.raises(AssertionError, match="0 of 1 commands arrived within 0.01 s"):
        fleet.wait_for_commands(1, timeout_s=0.01)
    with pytest.raises(AssertionError, match="all of it is not true after 0.01 s"):
        fleet.wait_until(lambda: False, 0.01, what="all of it")

def test_two_and_a_failure(gridsim_fleet):
    one, other = gridsim_fleet(HOME, seed=1), gridsim_fleet(HOME, seed=1)
    one.advance("3m")
    other.advance("3m")
    assert one.broker != other.broker
    own = [message.payload for message in one.messages()]
    assert own == [message.payload for message in other.messages()]
    one.clock.freeze()
    with pytest.raises(Exception, match="the clock of another fleet holds the time"):
        other.clock.follow()
    assert not own, "as expected"

def test_nothing_is_left():
    assert [one.name for one in set(threading.enumerate()) - BEFORE] == []
    assert abs(time.time() - time.clock_gettime(time.CLOCK_REALTIME)) < 1
    assert datetime.datetime.now().year > 2025

def test_clock(gridsim_fleet):
    fleet = gridsim_fleet(HOME)
    start = datetime.datetime(2026, 6, 21, 15, tzinfo=datetime.UTC)
    real = time.time()
    with fleet.clock.follow():
        assert datetime.datetime.now(datetime.UTC) == start
        fleet.advance("5m")
        assert datetime.datetime.now(datetime.UTC) == start + datetime.timedelta(minutes=5)
        fleet.clock.freeze()
        fleet.advance("5m")
        assert time.time() == start.timestamp() + 300
    assert time.time() >= real
    assert fleet.clock.now == start + datetime.timedelta(minutes=10)

def test_clock_without_time_machine(gridsim_fleet, monkeypatch):
    monkeypatch.setitem(sys.modules, "time_machine", None)
    gridsim_fleet(HOME).clock.freeze()

def test_bad_arguments(gridsim_fleet):
    fleet = gridsim_fleet(HOME)
    for error, message, call in (
        (ValueError, "did you mean 'offline'", lambda: fleet.inject("offlin", "PV")),
        (ValueError, "no DER and no project 'PVX'", lambda: fleet.send("PVX", "connect")),
        (TypeError, "duration must be a duration, not NoneType", lambda: fleet.advance(None)),
        (Exception, "give records, settlements, or both", lambda: fleet.verify()),
        (Exception, "settlements.0.: .*no 'event'", lambda: fleet.verify(settlements=[{}])),
        (Exception, "'a#' is not a topic filter", lambda: fleet.messages("a#")),
        (TypeError, "config must be the path of a TOML file", lambda: gridsim_fleet(None)),
        (pytest.fail.Exception, "(?s)^seed: error: .*start: error: 'start' must",
         lambda: gridsim_fleet(HOME, seed=-1, start="soon")),
        (pytest.fail.Exception, "^overrides: simulation.tick=3: error: ",
         lambda: gridsim_fleet(HOME, overrides=["simulation.tick=3"])),
    ):
        with pytest.raises(error, match=message):
            call()
    settled = {"event": "peak", "project_id": "HOME", "reduction_kwh": 1}
    with pytest.raises(AssertionError, match="HOME: there is no such settlement"):
        fleet.verify(settlements=[settled])

def test_bad_text(gridsim_fleet):
    gridsim_fleet(HOME.replace("solar", "solr"))

def test_bad_dict(gridsim_fleet):
    gridsim_fleet({"projects": [{"id": "HOME", "ders": [{"id": "B", "type": "batery"}]}]})

def test_bad_broker(gridsim_fleet):
    gridsim_fleet(HOME, broker="mqtt://127.0.0.1:1")

def test_bad_url(gridsim_fleet):
    gridsim_fleet(HOME, broker="http://127.0.0.1")

def test_no_file(gridsim_fleet):
    gridsim_fleet("nowhere.toml")

def test_no_broker(gridsim_fleet, tmp_path):
    path = json.dumps(str(tmp_path / "out.jsonl"))
    fleet = gridsim_fleet(HOME + f"[[transports]]\\ntype = 'file'\\npath = {path}\\n")
    fleet.advance("1m")
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 2
    fleet.messages()
'''
)

SHARED = (
    HOME
    + """
import pytest

@pytest.mark.parametrize("worker", range(2))
def test_messages(gridsim_fleet, worker):
    fleet = gridsim_fleet(HOME, seed=worker)
    assert str(fleet.broker) == BROKER
    fleet.advance("20m")
    held = [message.json() for message in fleet.messages("projects/#")]
    assert len(held) == 40
    fleet.verify(held)
    with pytest.raises(Exception, match=r"write gridsim_fleet\\(..., listen=\\['results/#'\\]\\)"):
        fleet.messages("results/#")
"""
)

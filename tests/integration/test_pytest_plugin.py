"""The fixture `gridsim_fleet`, in tests of their own that run inside these."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from tempfile import mkdtemp

import pytest

from gridsim.fixture.factory import FleetFactory
from tests.integration.conftest import Brokers
from tests.integration.mosquitto import Mosquitto

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/aggregator"
PAGE = ROOT / "docs/pytest.md"
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
WRONG = "E * AssertionError: the code under test differs from the truth: "
STRICT = ("-W", "error", "-p", "no:cacheprovider", "-p", "no:xdist")


TEXT = HOME.strip().removeprefix('HOME = """').removesuffix('"""')


def factory(folder: Path) -> FleetFactory:
    return FleetFactory(folder=folder, data=folder, shared=folder, broker=None, broker_from="")


@pytest.fixture(scope="module", autouse=True)
def _loaded(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Load all that a fleet loads, so that it is not loaded again for each test inside a test."""
    import time_machine

    assert time_machine
    with factory(tmp_path_factory.mktemp("loaded")) as make:
        fleet = make(TEXT)
        fleet.advance("1m")
        fleet.verify([message.json() for message in fleet.messages("projects/+/ders/+")])


@pytest.fixture
def example(pytester: pytest.Pytester) -> pytest.Pytester:
    for file in EXAMPLE.iterdir():
        if file.is_file():
            shutil.copy(file, pytester.path)
    return pytester


def test_the_example_passes_in_its_folder() -> None:
    # -P: as the command `pytest`, which does not put the working folder on the path.
    command = [sys.executable, "-P", "-m", "pytest", *STRICT]
    done = subprocess.run(command, cwd=EXAMPLE, capture_output=True, text=True, timeout=120)
    assert re.search(r"^=+ 1 passed", done.stdout, re.MULTILINE), done.stdout + done.stderr


@pytest.mark.parametrize(
    ("bug", "lines"),
    [
        (
            "ExportCountsAsLoad",
            [
                f"{WRONG}4 of 4 settlements",
                "E * 4 settlements compared, 4 differences",
                "E * peak HOME_1: -1.989 kWh instead of 1.500",
            ],
        ),
        (
            "CountsRepeats",
            [
                f"{WRONG}4 of 4 settlements",
                "E * duplicate            26  25 duplicate, 1 duplicate + delay",
                "E * peak HOME_1: 1.650 kWh instead of 1.500",
            ],
        ),
        (
            "BaselineOfTheStart",
            [
                f"{WRONG}4 of 4 settlements",
                "E * peak HOME_1: 1.489 kWh instead of 1.500",
            ],
        ),
    ],
)
def test_the_example_finds_a_bug_of_the_back_end_at_the_users_broker(
    example: pytest.Pytester,
    brokers: Brokers,
    bug: str,
    lines: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url, nowhere = f"mqtt://127.0.0.1:{brokers.ports['plain']}", "mqtt://127.0.0.1:1"
    words = ["--aggregator", f"bugs:{bug}", "-o", f"gridsim_broker={nowhere}"]
    # The option comes before the variable, and the variable before the setting.
    by_option = bug == "CountsRepeats"
    monkeypatch.setenv("GRIDSIM_BROKER", nowhere if by_option else url)
    words += ["--gridsim-broker", url] if by_option else []
    result = example.runpytest_inprocess(*STRICT, *words)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(lines)
    page = PAGE.read_text()
    assert [line for line in lines if re.sub(r"^E \* ", "", line) not in page] == []


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


def test_each_part_works_and_says_what_is_wrong(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_inside=INSIDE)
    before = {thread.name for thread in threading.enumerate()}
    result = pytester.runpytest_inprocess(*STRICT)
    assert {thread.name for thread in threading.enumerate()} == before
    result.assert_outcomes(passed=6, failed=9)
    text = result.stdout.str()
    for line in (
        "test_inside.py *",
        f"{WRONG}2 of 10 readings",
        "E * unexplained: missing PV 2026-06-21T15:00:00.000Z",
        "E * unexplained: altered BAT 2026-06-21T15:01:00.000Z, records[[]2]: *",
        "E * gridsim.errors.UsageError: gridsim_fleet().clock needs time-machine: pip install *",
        "<gridsim_fleet>:14:8: error: there is no DER 'solr'; *did you mean 'solar'[?]",
        '    type = "solr"',
        "           ^",
        "projects?0?.ders?0?.type: error: there is no DER 'batery'; *",
        "transport mqtt cannot connect: nothing listens at 127.0.0.1:1: connection refused",
        "broker: error: 'host' http:// is not one of mqtt://, *",
        "nowhere.toml: there is no such file",
        "E * this fleet has no broker: its configuration has the transports file. Without *",
    ):
        result.stdout.fnmatch_lines([line])
    assert "During handling" not in text
    assert "fixture/fleet.py" not in text
    left = [path for path in pytester.path.rglob("*") if path.name.startswith("ledger")]
    assert left == []


def test_the_page_is_right(pytester: pytest.Pytester) -> None:
    page = PAGE.read_text()
    [first, example] = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    pytester.makepyfile(test_page=first)
    pytester.runpytest_inprocess(*STRICT).assert_outcomes(passed=1)
    assert (EXAMPLE / "test_aggregator.py").read_text().endswith(example)
    assert f"{len((EXAMPLE / 'aggregator.py').read_text().splitlines())} lines" in page


def test_what_a_restart_of_the_broker_delays_is_waited_for(
    commands: dict[str, str], tmp_path: Path
) -> None:
    listeners = {"plain": "allow_anonymous true"}
    with (
        Mosquitto(commands["mosquitto"], tmp_path, listeners) as broker,
        factory(Path(mkdtemp(dir=tmp_path))) as make,
    ):
        fleet = make(TEXT, broker=f"mqtt://127.0.0.1:{broker.ports['plain']}")
        fleet.advance("3m")
        broker.stop(kill=True)
        broker.start()
        fleet.advance("3m")
        [transport] = fleet.status.transports
        assert (transport.delivered, transport.pending, transport.reconnects) == (12, 0, 1)


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


def test_workers_of_xdist_take_turns_at_the_users_broker(
    pytester: pytest.Pytester, brokers: Brokers
) -> None:
    url = f"mqtt://127.0.0.1:{brokers.ports['plain']}"
    pytester.makepyfile(test_shared=SHARED + f"\nBROKER = {url!r}\n")
    pytester.makeini(f"[pytest]\ngridsim_broker = {url}\n")
    result = pytester.runpytest_inprocess("-W", "error", "-n", "2")
    result.assert_outcomes(passed=2)


def test_the_plugin_alone_loads_nothing_heavy() -> None:
    code = (
        "import sys, gridsim.pytest_plugin; "
        "print([m for m in ('numpy', 'pydantic', 'loguru', 'paho', 'gridsim.running') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"

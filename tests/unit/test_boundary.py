"""Every value that crosses a plugin's boundary is checked there, and the plugin is named."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from pathlib import Path
from textwrap import dedent, indent
from typing import Any, ClassVar

import numpy as np
import pytest

import gridsim
from gridsim import TickResult
from gridsim.api import WEATHER_LIMITS, Settings, Weather, WeatherSample
from gridsim.errors import GridsimError, PluginError, failure, printable
from gridsim.running.plan import Options, make_plan
from gridsim.simulation.boundary import checked
from gridsim.simulation.calling import PluginCalls
from gridsim.simulation.step import Simulation
from gridsim.simulation.weather import SiteWeather
from gridsim.testing import WeatherContract
from gridsim.text.status import closing_lines

CONFIGS = Path(__file__).parents[2] / "configs"

HEAD = """
import sys
import numpy as np
from gridsim.api import *

class Liar:
    def __array__(self, *args, **kwargs):
        raise RuntimeError("no array")
    def __repr__(self):
        raise RuntimeError("no repr")

@hookimpl
def gridsim_register(register):
    register.KIND("culprit", Culprit)
"""
FLEET = """
class Culprit(Fleet):
    reported_type = "culprit"
    columns = {"own": "V"}
    @classmethod
    def stage(cls, settings):
        return "STAGE"
    def capability(self, tick):
        n = len(self.members)
        low, high, wish = -np.ones(n), np.ones(n), None
        CAPABILITY
        return Capability(low, high, wish)
    def balances(self):
        mask = None
        BALANCES
        return mask
    def step(self, tick, orders):
        n = len(self.members)
        power, soc, own = np.ones(n), np.full(n, 50.0), np.zeros(n)
        STEP
        return Telemetry(power, soc, {"own": own})
"""
DEVICE = """
class Culprit(Device):
    def step(self, tick):
        value = 1.0
        STEP
        return value
"""
WEATHER = """
class Culprit(Weather):
    def at(self, time_ms):
        n = len(self.sites)
        ghi = dni = dhi = wind = np.zeros(n)
        temperature = np.full(n, 20.0)
        STEP
        return WeatherSample(ghi, dni, dhi, temperature, wind)
"""
LOAD = """
class Culprit(Load):
    def at(self, tick):
        n = len(self.members)
        value = np.ones(n)
        STEP
        return value
    def expected(self, time_ms):
        n = len(self.members)
        value = np.ones(n)
        EXPECTED
        return value
"""
BASELINE = """
class Culprit(Baseline):
    def at(self, tick):
        n = len(self.members)
        value = np.ones(n)
        STEP
        return value
    def note(self, tick, net_kw):
        NOTE
        pass
"""
DEVICE_FAULT = """
class Culprit(DeviceFault):
    def inject(self, tick, affected):
        n = len(affected.member)
        STEP
"""
MESSAGE_FAULT = """
class Culprit(MessageFault):
    @classmethod
    def check(cls, settings, format, json_fields):
        CHECK
        pass
    def inject(self, tick, effects):
        n = len(effects.member)
        effects.altered[:] = True
        STEP
    @classmethod
    def alter(cls, settings, body, chance):
        value = body
        ALTER
        return value
"""
FORMAT = """
class Culprit(Format):
    def encode(self, batch):
        starts = np.arange(len(batch) + 1) if self.framing == "der" else batch.groups()
        bodies = [b"x"] * (len(starts) - 1)
        STEP
        return Payloads(bodies, starts)
"""
PARTS = """
    def encode_parts(self, batch, rows=1000):
        PARTS
"""
TRANSPORT = """
class Culprit(Transport):
    def describe(self):
        value = "somewhere"
        DESCRIBE
        return value
    def connect(self):
        CONNECT
        pass
    def write(self, batch, receipt):
        n = len(batch)
        STEP
        pass
    def close(self):
        pass
"""
SOURCE = """
class Culprit(Source):
    def describe(self):
        return "somewhere"
    def connect(self):
        pass
    def serve(self, inbox, timeout_s):
        STEP
        pass
    def acknowledge(self, acknowledgements):
        pass
    def close(self):
        pass
"""
CONFIG = """
[simulation]
speed = 0
start = 2026-07-01T12:00:00Z
plugins = ["culprit.py"]
WEATHER
[[projects]]
id = "HOME_{n}"
count = 3
contract_threshold = 1.0
PROJECT
[[projects.ders]]
id = "{project_id}_DER"
type = "DER"
nameplate_capacity = 5.0
[[transports]]
type = "TRANSPORT"
TO
[[transports]]
type = "file"
path = "control.txt"
EXTRA
"""
TABLES = {
    "der": {"DER": "culprit"},
    "weather": {"WEATHER": '[weather]\ntype = "culprit"'},
    "load": {"PROJECT": 'load = { type = "culprit" }'},
    "baseline": {"PROJECT": 'baseline = { type = "culprit" }'},
    "fault": {
        "EXTRA": '[[faults]]\ntype = "culprit"\nid = "F"\nafter_s = 0\nduration_s = 60',
    },
    "format": {"TO": 'path = "out.txt"\nformat = "culprit"'},
    "transport": {"TRANSPORT": "culprit", "TO": ""},
    "source": {"EXTRA": '[[sources]]\ntype = "culprit"'},
}
DEFAULTS = {
    "WEATHER": "",
    "PROJECT": "",
    "DER": "solar",
    "TRANSPORT": "file",
    "TO": 'path = "out.txt"',
    "EXTRA": "",
}
SLOTS = (
    *("CAPABILITY", "BALANCES", "STEP", "EXPECTED", "NOTE", "CHECK", "ALTER", "DESCRIBE"),
    *("CONNECT", "STAGE"),
)

RAISES = {
    "ValueError": 'raise ValueError("boom")',
    "no text": "raise KeyError()",
    "SystemExit": "sys.exit(3)",
    "KeyboardInterrupt": "raise KeyboardInterrupt",
    "BaseException": "class Own(BaseException): pass\nraise Own('boom')",
    "GeneratorExit": "raise GeneratorExit",
    "TransportError": 'raise TransportError("boom")',
    "huge text": 'raise ValueError("\\n\\x1b" * 100_000)',
    "no str": "class Bad(Exception):\n    def __str__(self): raise RuntimeError\nraise Bad",
}
ARRAYS = {
    "None": "{0} = None",
    "text": '{0} = "12"',
    "texts": '{0} = np.array(["1"] * n)',
    "bytes": 'NAME = b"12"'.replace("NAME", "{0}"),
    "objects": "{0} = np.array([1.0] * n, object)",
    "nones": "{0} = [None] * n",
    "booleans": "{0} = np.ones(n, bool)",
    "complex": "{0} = np.ones(n, complex)",
    "dates": '{0} = np.full(n, "2026", "datetime64[s]")',
    "a generator": "{0} = (1.0 for _ in range(n))",
    "a dict": "{0} = dict.fromkeys(range(n), 1.0)",
    "an object": "{0} = Liar()",
    "a scalar": "{0} = 1.0",
    "too few": "{0} = np.ones(n - 1)",
    "too many": "{0} = np.ones(n + 1)",
    "empty": "{0} = np.ones(0)",
    "a column": "{0} = np.ones((n, 1))",
    "ragged": "{0} = [[1.0], [1.0, 2.0], 3.0]",
    "NaN": "{0} = np.full(n, np.nan)",
    "infinite": "{0} = np.full(n, np.inf)",
    "one infinite": "{0} = np.append(np.ones(n - 1), -np.inf)",
    "too large": "{0} = np.full(n, 1.1e12)",
    "masked": "{0} = np.ma.masked_array(np.ones(n), mask=[True] * n)",
}
GAPS = ("NaN",)


def arrays(name: str, *, without: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the misbehaviours of an array with this name."""
    own = {what: text.format(name) for what, text in ARRAYS.items() if what not in without}
    return {f"{name} {what}": text for what, text in own.items()}


def cases() -> list[tuple[str, str, str, str, str]]:
    """Return kind, code, slot, name and misbehaviour."""
    flexible = FLEET.replace("STAGE", "flexible")
    table: list[tuple[str, str, str, dict[str, str]]] = [
        (
            "der",
            FLEET.replace("STAGE", "free"),
            "STEP",
            RAISES
            | arrays("power")
            | arrays("soc", without=("None", *GAPS))
            | arrays("own", without=GAPS)
            | {
                "None": "return None",
                "a dict": "return {'current_output': power}",
                "an unknown column": "return Telemetry(power, soc, {'other': own})",
                "extra is a list": "return Telemetry(power, soc, [own])",
                "writes the weather": "tick.weather.ghi[:] = 1e9",
            },
        ),
        (
            "der",
            flexible,
            "CAPABILITY",
            RAISES
            | arrays("low", without=("booleans",))
            | arrays("high", without=())
            | arrays("wish", without=("None",))
            | {
                "None": "return None",
                "a tuple": "return low, high",
                "low above zero": "low = high = np.full(n, 0.5)",
                "high below zero": "low = high = np.full(n, -0.5)",
                "exchanged": "low, high = high, low",
            },
        ),
        (
            "der",
            FLEET.replace("STAGE", "free"),
            "BALANCES",
            RAISES
            | {
                "text": 'mask = "yes"',
                "numbers": "mask = np.ones(3)",
                "too few": "mask = np.ones(2, bool)",
                "an object": "mask = Liar()",
            },
        ),
        (
            "der",
            DEVICE,
            "STEP",
            RAISES
            | {
                "None": "value = None",
                "text": 'value = "12"',
                "a boolean": "value = True",
                "a list": "value = [1.0]",
                "NaN": 'value = float("nan")',
                "infinite": 'value = float("inf")',
                "too large": "value = 1e13",
                "complex": "value = 1j",
                "an object": "value = Liar()",
                "a reading of None": "value = DeviceReading(None)",
                "a reading of text": "value = DeviceReading('1')",
                "a charge of text": "value = DeviceReading(1.0, 'full')",
                "an unknown column": "value = DeviceReading(1.0, 1.0, {'x': 1.0})",
            },
        ),
        ("der", FLEET, "STAGE", {"unknown": "sometimes"}),
        (
            "weather",
            WEATHER,
            "STEP",
            RAISES
            | arrays("ghi")
            | arrays("temperature")
            | {"None": "return None", "text": "return 'sunny'", "a dict": "return {'ghi': ghi}"},
        ),
        (
            "load",
            LOAD,
            "STEP",
            RAISES | arrays("value") | {"one negative": "value[1] = -0.01"},
        ),
        (
            "load",
            LOAD,
            "EXPECTED",
            RAISES | arrays("value") | {"one negative": "value[1] = -0.01"},
        ),
        ("baseline", BASELINE, "STEP", RAISES | arrays("value")),
        ("baseline", BASELINE, "NOTE", RAISES),
        (
            "fault",
            DEVICE_FAULT,
            "STEP",
            RAISES
            | {
                f"{field} {what}": text.format(f"affected.{field}")
                for field, left_out in (
                    ("current_output", ("booleans",)),
                    ("power_meter_measurement", ("booleans",)),
                    ("current_soc", ("booleans", *GAPS)),
                )
                for what, text in ARRAYS.items()
                if what not in (*left_out, "masked")
            }
            | {
                "a deleted column": "del affected.current_output",
                "a fate that is none": "affected.leaves[:] = 3",
                "a negative fate": "affected.leaves[:] = -1",
                "a time in the year 10000": "affected.timestamp_ms[:] = 253_402_300_800_000",
                "times as text": 'affected.timestamp_ms = ["now"] * n',
                "online as numbers": "affected.is_online = np.full(n, 2.0)",
            },
        ),
        (
            "fault",
            MESSAGE_FAULT,
            "STEP",
            RAISES
            | {
                "three copies": "effects.copies[:] = 3",
                "minus one copy": "effects.copies[:] = -1",
                "a negative delay": "effects.delay_ms[:] = -1",
                "too few delays": "effects.delay_ms = np.zeros(n + 1, int)",
                "fractions of copies": "effects.copies = np.full(n, 1.5)",
                "a deleted column": "del effects.copies",
                "ragged": "effects.copies = [[1], [1, 2]]",
            },
        ),
        (
            "fault",
            MESSAGE_FAULT,
            "ALTER",
            RAISES
            | {
                "None": "value = None",
                "text": 'value = "text"',
                "empty": 'value = b""',
                "a bytearray": "value = bytearray(b'x')",
            },
        ),
        ("fault", MESSAGE_FAULT, "CHECK", {k: v for k, v in RAISES.items() if k != "Interrupt"}),
        (
            "format",
            FORMAT,
            "STEP",
            RAISES
            | {
                "None": "return None",
                "a list": "return bodies",
                "too few bodies": "bodies = bodies[:-1]",
                "too many bodies": "bodies = bodies + bodies",
                "too few of both": "bodies, starts = bodies[:-1], starts[:-1]",
                "one of all": "bodies, starts = bodies[:1], np.array([0, len(batch)])",
                "no bodies": "bodies = []",
                "bodies None": "bodies = None",
                "a generator": "bodies = (body for body in bodies)",
                "one bytes": 'bodies = b"x" * len(bodies)',
                "texts": 'bodies = ["x"] * len(bodies)',
                "Nones": "bodies = [None] * len(bodies)",
                "a last text": 'bodies[-1] = "x"',
                "bytearrays": "bodies = [bytearray(b'x')] * len(bodies)",
                "starts None": "starts = None",
                "starts a list": "starts = list(starts)",
                "starts of fractions": "starts = starts.astype(float)",
                "starts from 1": "starts = starts + 1",
                "starts backwards": "starts = starts[::-1]",
                "starts repeated": "starts = starts.copy(); starts[1] = 0",
                "starts negative": "starts = starts.copy(); starts[0] = -1",
                "starts short": "starts = starts[:-1]",
                "starts of a row too many": "starts = starts.copy(); starts[-1] += 1",
            },
        ),
        (
            "format",
            FORMAT.replace("STEP", "pass") + PARTS,
            "PARTS",
            RAISES
            | {
                "None": "return None",
                "nothing": "return iter(())",
                "twice": "yield from 2 * [(batch, self.encode(batch))]",
                "the first only": "part = batch.rows(0, 1); yield part, self.encode(part)",
                "not a pair": "yield self.encode(batch)",
                "empty first": "part = batch.rows(0, 0); yield part, self.encode(part)",
                "other payloads": "yield batch, self.encode(batch.rows(0, 1))",
                "backwards": "for row in (2, 1, 0):\n"
                "    part = batch.rows(row, row + 1); yield part, self.encode(part)",
            },
        ),
        (
            "transport",
            TRANSPORT,
            "STEP",
            {k: v for k, v in RAISES.items() if k != "TransportError"}
            | {
                "more rows than there are": "receipt.delivered(n + 1)",
                "negative rows": "receipt.delivered(-1)",
                "fractions of rows": "receipt.delivered(0.5)",
                "rows None": "receipt.unconfirmed(None)",
                "dropped without a reason": "receipt.dropped(n, None)",
                "dropped with an empty reason": 'receipt.dropped(n, "")',
                "a lag of NaN": 'receipt.lag(float("nan"))',
                "a negative lag": "receipt.lag(-1.0)",
                "a lag of text": 'receipt.lag("soon")',
            },
        ),
        ("transport", TRANSPORT, "CONNECT", RAISES),
        (
            "source",
            SOURCE,
            "STEP",
            {k: v for k, v in RAISES.items() if k != "TransportError"}
            | {
                "None": "inbox.post(None)",
                "a dict": "inbox.post({'action': 'disconnect'})",
                "a target of text": "inbox.post(Command('HOME_1', 'c', 'disconnect'))",
                "an id of a number": "inbox.post(Command(Target('HOME_1'), 7, 'disconnect'))",
                "a project of a number": "inbox.post(Command(Target(7), 'c', 'disconnect'))",
                "a value of text": "inbox.post(Command(Target('HOME_1'), 'c', 'set_power', 'x'))",
                "a start of text": "inbox.post(Command(Target('H'), 'c', 'connect', start_ms='x'))",
            },
        ),
    ]
    return [
        (kind, code, slot, name, text)
        for kind, code, slot, misbehaviours in table
        for name, text in misbehaviours.items()
    ]


CASES = cases()


def write(folder: Path, kind: str, code: str, slot: str, text: str) -> Path:
    """Write a configuration with the plugin `culprit`, which misbehaves in `slot`."""
    for line in code.splitlines():
        if line.strip() == slot:
            code = code.replace(line, indent(text, line[: len(line) - len(line.lstrip())]))
    code = code.replace(f'"{slot}"', f'"{text}"')
    for other in SLOTS:
        code = code.replace(f" {other}\n", " pass\n").replace('"STAGE"', '"free"')
    (folder / "culprit.py").write_text(dedent(HEAD.replace("KIND", kind)) + code)
    config = CONFIG
    for slot_of_config, default in DEFAULTS.items():
        config = config.replace(slot_of_config, TABLES[kind].get(slot_of_config, default))
    path = folder / "c.toml"
    path.write_text(config)
    return path


def said(config: Path) -> str:
    """Run three ticks by the manual clock; return the errors of the run and of its parts."""
    errors: list[Any] = []
    try:
        with gridsim.run(config, clock="manual") as run:
            if run.status().state == "running":
                run.advance(3)
            # Sources act on their own thread; a source that fails has its state at once.
            for source in run._workers.sources.workers:
                source.wait(30.0)
        status = run.status()
        errors.append(status.error)
        errors += [f"{one.name}: {one.error}" for one in status.transports if one.error]
        errors += [f"{one.name}: {one.error}" for one in status.sources if one.error]
    except GridsimError as error:
        errors.append(error)
    return "\n".join(str(error) for error in errors if error)


@pytest.mark.parametrize(
    ("kind", "code", "slot", "name", "text"),
    CASES,
    ids=[f"{kind}-{slot}-{name}".replace(" ", "_") for kind, _, slot, name, _ in CASES],
)
def test_a_plugin_that_misbehaves_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    code: str,
    slot: str,
    name: str,
    text: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    told = said(write(tmp_path, kind, code, slot, text))
    assert "culprit" in told
    assert max(map(len, told.splitlines())) < 1_000
    assert "\x1b" not in told


def readings(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "control.txt").read_text().splitlines()]


@pytest.mark.parametrize("stage", ["free", "flexible"])
def test_values_beyond_the_bounds_are_clipped_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    monkeypatch.chdir(tmp_path)
    text = "power, soc = np.array([50.0, 5.0, -5.1]), np.array([250.0, 100.0, -0.1])"
    code = FLEET.replace("STAGE", stage)
    config = write(tmp_path, "der", code, "STEP", text)
    results: list[TickResult] = []
    with gridsim.run(config, clock="manual") as run:
        run.subscribe(results.append, "queue")
        run.advance(3)
        status = run.status()
    assert [one["current_output"] for one in readings(tmp_path)[:3]] == [5.0, 5.0, -5.0]
    assert [one["current_soc"] for one in readings(tmp_path)[:3]] == [100.0, 100.0, 0.0]
    assert status.clipped == {"culprit current_output": 6, "culprit current_soc": 6}
    # The first of each column is reported as data, once.
    first, *later = [result.clipped for result in results]
    assert [(one.plugin, one.name, one.example) for one in first] == [
        ("the DER type 'culprit'", "current_soc", "250 % for HOME_1_culprit, from 0 to 100 %"),
        ("the DER type 'culprit'", "current_output", "50 kW for HOME_1_culprit, rated 5 kW"),
    ]
    assert set(later) == {()}
    assert "clipped to the bounds of the devices: 6 values of culprit current_output" in list(
        closing_lines(status)
    )
    merged = status.merge(status)
    assert merged.clipped == {"culprit current_output": 12, "culprit current_soc": 12}


@pytest.mark.parametrize(
    ("does", "clipped", "example"),
    [
        (
            "low, high = np.full(n, -50.0), high * 5.0",
            {"culprit min_kw": 6},
            "-50 kW for HOME_1_culprit, rated 5 kW",
        ),
        (
            "wish = np.array([0.0, 1.0, 1.5])",
            {"culprit preferred_kw": 2},
            "1.5 kW for HOME_3_culprit, from -1 to 1 kW",
        ),
    ],
)
def test_a_capability_beyond_the_bounds_is_clipped(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    does: str,
    clipped: dict[str, int],
    example: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    code = FLEET.replace("STAGE", "flexible")
    config = write(tmp_path, "der", code, "CAPABILITY", does)
    results: list[TickResult] = []
    with gridsim.run(config, clock="manual") as run:
        run.subscribe(results.append)
        run.advance(2)
        assert run.status().clipped == clipped
    assert [one.example for one in results[0].clipped] == [example]


def test_a_load_is_negative_by_no_more_than_rounding() -> None:
    kw = np.array([1.0, -1e-9])
    assert checked("the load 'x'", "load", kw, ["A", "B"], each="site", least=0.0) is kw
    for load in (-1.1e-9, -1e-8, -5.0):
        with pytest.raises(PluginError, match=r"returned load = .* for B: it must not be negative"):
            checked("the load 'x'", "load", np.array([1.0, load]), ["A", "B"], least=0.0)


class Given(Weather[Settings]):
    """The weather that a test sets, the same at every site."""

    values: ClassVar[dict[str, float]] = {}

    def at(self, time_ms: int) -> WeatherSample:
        mild = dict.fromkeys(WEATHER_LIMITS, 1.0) | self.values
        rows = {name: np.ones(len(self.sites)) for name in mild}
        for name, value in mild.items():
            rows[name][-1] = value
        return WeatherSample(**rows)


@pytest.fixture(scope="module")
def site_weather() -> SiteWeather:
    plan = make_plan(Options(config=CONFIGS / "default.toml"))
    scenario = plan.configuration.scenario
    spec = replace(scenario.weather, name="given", type=Given, settings=Settings())
    return SiteWeather(replace(scenario, weather=spec), PluginCalls())


@pytest.mark.parametrize("field", WEATHER_LIMITS)
def test_weather_is_within_its_limits(
    site_weather: SiteWeather, monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    least, most, unit = WEATHER_LIMITS[field]
    site = site_weather._ids[-1]
    for value in (least, most, (least + most) / 2):
        monkeypatch.setattr(Given, "values", {field: value})
        assert getattr(site_weather.at(0, PluginCalls()), field)[-1] == value
    allowed = "not be negative" if least == 0.0 else f"be from {least:g} to {most:g} {unit}"
    finite = "a value must be finite and at most 1e+12"
    for value, must in [
        (np.nextafter(most, np.inf), f"it must be from {least:g} to {most:g} {unit}"),
        (least - 0.01, f"it must {allowed}"),
        (-1e9, f"it must {allowed}"),
        (np.nan, finite),
        (np.inf, finite),
        (-np.inf, finite),
        (1e300, finite),
    ]:
        monkeypatch.setattr(Given, "values", {field: value})
        with pytest.raises(PluginError) as caught:
            site_weather.at(0, PluginCalls())
        shown = f"{value:g}" if abs(value) < 1e12 else f"{value}"
        assert str(caught.value) == (
            f"the weather 'given' returned {field} = {shown} for {site}: {must}"
        )


@pytest.mark.parametrize("field", WEATHER_LIMITS)
def test_the_contract_test_finds_weather_beyond_its_limits(
    monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    class Contract(WeatherContract):
        weather = Given

    least, most, _ = WEATHER_LIMITS[field]
    for value in (least - 1.0, most + 1.0, np.nan, np.inf):
        monkeypatch.setattr(Given, "values", {field: value})
        with pytest.raises(AssertionError, match=f"{field} is not from"):
            Contract().test_the_sky_is_physical()


def test_a_rounding_beyond_the_bounds_is_neither_clipped_nor_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = write(tmp_path, "der", FLEET, "STEP", "power = power * (5.0 + 1e-12); soc += 50.0")
    with gridsim.run(config, clock="manual") as run:
        run.advance(2)
        assert run.status().clipped == {}


@pytest.mark.parametrize("config", ["neighbourhood", "default", "chaos", "fleet-10k"])
def test_no_built_in_der_type_goes_beyond_its_bounds(config: str) -> None:
    overrides = ("projects.0.count=20",) if config == "fleet-10k" else ()
    plan = make_plan(Options(config=CONFIGS / f"{config}.toml", overrides=overrides))
    simulation = Simulation(plan.configuration.scenario)
    for _ in range(150):
        simulation.advance()
    assert simulation.clipped == {}


def test_the_plugins_line_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = write(tmp_path, "der", DEVICE, "STEP", 'raise ValueError("boom")')
    line = 1 + (tmp_path / "culprit.py").read_text().splitlines().index(
        '        raise ValueError("boom")'
    )
    told = said(config)
    assert told == (
        f"the DER type 'culprit' failed at tick 0: ValueError: boom (culprit.py:{line} in step)"
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("two\nlines\x1b[31m", "two\\nlines\\x1b[31m"),
        ("Fläche \u202e", "Fläche \\u202e"),
        ("x" * 300, "x" * 300),
        ("x" * 301, "x" * 300 + "... (301 characters in all)"),
        ("\x00" * 8400, "\\x00" * 75 + "... (8,400 characters in all)"),
    ],
)
def test_a_foreign_text_is_one_short_line(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_ctrl_c_in_a_plugin_is_not_its_error() -> None:
    def interrupted() -> None:
        signal.raise_signal(signal.SIGINT)
        for _ in range(1000):
            pass

    with pytest.raises(KeyboardInterrupt) as caught:
        interrupted()
    with pytest.raises(KeyboardInterrupt):
        failure("the weather 'slow'", caught.value)


def test_a_keyboard_interrupt_of_a_plugin_is_its_error() -> None:
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt as error:
        made = failure("the weather 'odd'", error)
    assert str(made).startswith("the weather 'odd' failed: KeyboardInterrupt (test_boundary.py:")

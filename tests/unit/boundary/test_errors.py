"""A plugin that misbehaves is named, with what it did, for each kind and each value."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridsim.api import State, StateError, Stateful
from gridsim.simulation.calling import named
from tests.unit.boundary.culprits import (
    BASELINE,
    DEVICE,
    DEVICE_FAULT,
    FLEET,
    FORMAT,
    LOAD,
    MESSAGE_FAULT,
    PARTS,
    SOURCE,
    TRANSPORT,
    WEATHER,
    said,
    write,
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
    "no memory": "np.ones((10**7, 10**7))",
    "recursion": "def again(): again()\nagain()",
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
SOME = ("None", "texts", "an object", "too few", "a column", "NaN", "one infinite", "too large")


def arrays(name: str, *, without: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the misbehaviours of an array with this name."""
    own = {what: text.format(name) for what, text in ARRAYS.items() if what not in without}
    return {f"{name} {what}": text for what, text in own.items()}


def some(name: str, *without: str) -> dict[str, str]:
    """Return a few of them: one function checks all arrays, and `power` has all of them."""
    return arrays(name, without=(*without, *(what for what in ARRAYS if what not in SOME)))


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
            | some("soc", "None", *GAPS)
            | some("own", *GAPS)
            | {
                "None": "return None",
                "a dict": "return {'current_output': power}",
                "an unknown column": "return Telemetry(power, soc, {'other': own})",
                "extra is a list": "return Telemetry(power, soc, [own])",
                "writes the weather": "tick.weather.ghi[:] = 1e9",
                "moves a device": "self.members.site[:] = 0",
                "changes a rating": "self.members.columns['nameplate_capacity'][:] = 500",
            },
        ),
        (
            "der",
            flexible,
            "CAPABILITY",
            RAISES
            | some("low")
            | some("high")
            | some("wish", "None")
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
            | some("ghi")
            | some("temperature")
            | {
                "None": "return None",
                "text": "return 'sunny'",
                "a dict": "return {'ghi': ghi}",
                "moves a site": "self.sites.latitude[:] = 0.0",
            },
        ),
        (
            "load",
            LOAD,
            "STEP",
            RAISES | some("value") | {"one negative": "value[1] = -0.01"},
        ),
        (
            "load",
            LOAD,
            "EXPECTED",
            RAISES | some("value") | {"one negative": "value[1] = -0.01"},
        ),
        ("baseline", BASELINE, "STEP", RAISES | some("value")),
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
                if what not in (*left_out, "masked") and (field == "current_output" or what in SOME)
            }
            | {
                "a deleted column": "del affected.current_output",
                "another member": "affected.member[:] = 0",
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
                "another member": "effects.member[:] = 0",
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
    # These are messages for the user, about settings or the far end.
    if slot != "CHECK" and name != "TransportError":
        assert "culprit.py:" in told
    if name.endswith(("nones", "one infinite")):
        assert "HOME_" in told
    assert max(map(len, told.splitlines())) < 1_000
    assert "\x1b" not in told


def test_a_state_that_a_plugin_cannot_return_is_its_error() -> None:
    class Forgetful(Stateful):
        def state(self) -> State:
            raise ValueError("lost")

    with pytest.raises(StateError, match=r"^the load 'odd' failed to return its state: .*lost"):
        named("the load 'odd'", Forgetful())

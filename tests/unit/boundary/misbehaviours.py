"""Wrong values and errors of plugins, for each kind of plugin and each value."""

from __future__ import annotations

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
)
from tests.unit.boundary.wrong import ARRAYS, GAPS, RAISES, SOME, arrays, some


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

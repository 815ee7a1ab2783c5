"""The fast parser for whole records in JSON Lines, with the types that gridsim sends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import repeat
from operator import attrgetter, eq
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from gridsim.verify.arrivals import Arrivals
from gridsim.verify.fields import FIELDS, RECEIVED, SEQ
from gridsim.verify.reading import Reading
from gridsim.verify.times import NO_TIME
from gridsim.verify.values import NULL, Ints, Small, scaled
from gridsim.verify.whole import whole_arrivals

_TYPES: Final[dict[str, Any]] = {
    "is_online": bool,
    "is_standalone": bool,
    "current_output": float,
    "power_meter_measurement": float,
    "baseline": float,
    "contract_threshold": float,
    "nameplate_capacity": float,
    "current_soc": float | str | None,
}
"""The types of the fields that are not texts."""
_CONSTANTS: Final = (
    "project_id", "type", "units", "is_standalone", "contract_threshold", "nameplate_capacity",
)  # fmt: skip


class StrictParser:
    """A converter for lines that each have a whole record with exactly gridsim's types.

    It counts nothing but whole records, so a text with anything else is left to `JsonParser`.
    """

    def __init__(self, reading: Reading) -> None:
        names = reading.evidence.names
        self._reading = reading
        fields = [(name, _TYPES.get(name, str), msgspec.field(name=names[name])) for name in FIELDS]
        record = msgspec.defstruct("StrictRecord", fields, gc=False)
        # Additional fields of the user need the other parser.
        self.usable = not names.keys() & {SEQ, RECEIVED}
        self._decoder: Any = msgspec.json.Decoder(record)
        self._columns = {name: attrgetter(name) for name in FIELDS}
        constants = reading.roster.constants
        as_sent: dict[str, Callable[[Any], Any]] = {
            "is_standalone": bool,
            "contract_threshold": _kilowatts,
            "nameplate_capacity": _kilowatts,
        }
        columns = (
            [as_sent.get(name, str)(value) for value in constants[name]] for name in _CONSTANTS
        )
        self._truth: list[tuple[Any, ...]] = list(zip(*columns, strict=True))
        self._times: dict[str, int] = {}
        self._keys = [msgspec.json.encode(names[name]) for name in FIELDS]

    def arrivals(self, block: bytes, first_line: int) -> Arrivals | None:
        """Return the arrivals of whole lines; None if any is not a record as gridsim sends it."""
        try:
            records = self._decoder.decode_lines(block)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        if len(records) != block.count(b"\n") + (not block.endswith(b"\n")):
            return None  # empty lines
        if self._may_repeat(block, len(records)):
            return None
        values = {name: list(map(get, records)) for name, get in self._columns.items()}
        del records
        of = list(map(self._reading.roster.index.get, values["der_id"], repeat(-1)))
        device = np.array(of, np.int32)
        if not len(device) or device.min() < 0:
            return None
        found = zip(*(values[name] for name in _CONSTANTS), strict=True)
        if not all(map(eq, found, map(self._truth.__getitem__, of))):
            return None
        time_ms, since_ms = self._ms(values["timestamp"]), self._ms(values["connection_start_at"])
        if (time_ms == NO_TIME).any() or (since_ms == NO_TIME).any():
            return None
        power = [np.array(values[name]) for name in ("current_output", "power_meter_measurement")]
        power.append(np.array(values["baseline"]))
        soc = _soc(values["current_soc"])
        if soc is None or not all(np.isfinite(column).all() for column in power):
            return None
        output, meter, baseline = (scaled(column, 100) for column in power)
        return whole_arrivals(
            self._reading.evidence,
            first_line,
            device=device,
            time_ms=time_ms,
            output=output,
            meter=meter,
            baseline=baseline,
            soc=soc,
            online=np.array(values["is_online"], np.int32),
            since_ms=since_ms,
        )

    def _may_repeat(self, block: bytes, lines: int) -> bool:
        """Return whether a record may have a field more than once."""
        first = block.count(b'":', 0, block.find(b"\n") % (len(block) + 1))
        if first == len(FIELDS) and block.count(b'":') == first * lines:
            return False  # each record has all fields
        return any(block.count(key) != lines for key in self._keys)

    def _ms(self, texts: Sequence[str]) -> Ints:
        known = self._times
        if len(known) > 200_000:
            known.clear()
        for text in set(texts) - known.keys():
            known[text] = self._reading.time(text)
        return np.array(list(map(known.__getitem__, texts)), np.int64)


def _kilowatts(hundredths: Any) -> float:
    return float(hundredths) / 100


def _soc(values: Sequence[float | str | None]) -> Small | None:
    """Return states of charge in tenths; None if one is a text other than null."""
    others = {value for value in values if value.__class__ is not float}
    if not others <= {"null", None}:
        return None
    numbers: NDArray[np.float64] = np.array(
        [value if value.__class__ is float else np.nan for value in values], np.float64
    )
    there = np.isfinite(numbers)
    if not others and not there.all():
        return None
    numbers[~there] = 0.0
    tenths = scaled(numbers, 10)
    tenths[~there] = NULL
    return tenths

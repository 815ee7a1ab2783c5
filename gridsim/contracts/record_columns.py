"""The fields of readings as typed columns, for transports to databases and column files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field as Setting

from gridsim.contracts.batch import ATTRIBUTES, UNITS, Batch, Roster
from gridsim.contracts.hints import choose_from
from gridsim.contracts.measurands import MEASURANDS, decimals_of
from gridsim.contracts.record import FIELDS, SEQUENCE
from gridsim.contracts.settings import Settings

ColumnKind = Literal["text", "boolean", "time", "integer", "number"]

_KW, _SOC = "kW", "%"
_NUMBERS = {
    "current_output": _KW,
    "power_meter_measurement": _KW,
    "baseline": _KW,
    "contract_threshold": _KW,
    "current_soc": _SOC,
}


class ColumnSettings(Settings):
    """The settings of transports that write columns."""

    columns: list[str] | None = Setting(
        None,
        min_length=1,
        description="columns to write, in this order; unset: the fourteen fields, "
        f"{SEQUENCE} (the tick index), all measurands, and the columns and attributes of the DERs",
    )
    rename: dict[str, str] = Setting(
        {}, description="other names for columns: name of the field = name of the column"
    )

    def wanted(self) -> Collection[str]:
        """Return the names of the columns that the simulation is asked for."""
        return list(MEASURANDS) if self.columns is None else self.columns


@dataclass(frozen=True, slots=True, eq=False)
class RecordColumn:
    """A column of the readings: its name, its type, and a function that takes it from a batch."""

    name: str
    """The name in the table."""
    source: str
    """The name of the field: of the record, `seq`, or a column or an attribute of the roster."""
    kind: ColumnKind
    """`time`: int64, ms since 1970, UTC. `integer` and `number`: float64 with NaN for no value,
    except `seq`, which is int64. `text`: indices into `texts`."""
    unit: str
    """The unit; empty for a column without one."""
    values: Callable[[Batch], NDArray[Any]]
    """The function that returns the values of a batch, one for each row."""
    texts: Sequence[str | None] = ()
    """The texts of a column of the kind `text`; None where a device has none."""


def record_columns(settings: ColumnSettings, roster: Roster) -> tuple[RecordColumn, ...]:
    """Return the columns to write, in order.

    Raises ValueError if a name is unknown, or if two columns would have the same name.
    """
    known = dict.fromkeys((*FIELDS, SEQUENCE, *roster.columns, *roster.attributes))
    names = list(known) if settings.columns is None else settings.columns
    for name in names:
        if name in ATTRIBUTES and name not in known:
            roster.attribute(name)
        _check(name, known, "columns: there is no column")
    for name in settings.rename:
        _check(name, names, "rename: there is no written column")
    written = [settings.rename.get(name, name) for name in names]
    if "" in written:
        raise ValueError("rename: a column's name cannot be empty")
    twice = [name for name, count in Counter(written).items() if count > 1]
    if twice:
        raise ValueError(f"two columns would be named {twice[0]!r}")
    return tuple(_column(*pair, roster) for pair in zip(names, written, strict=True))


def _check(name: str, known: Collection[str], complaint: str) -> None:
    if name not in known:
        raise ValueError(f"{complaint} {name!r}{choose_from(name, list(known))}")


def _column(source: str, name: str, roster: Roster) -> RecordColumn:
    if source in roster.columns:
        unit = roster.columns[source]
        is_whole = source in MEASURANDS and decimals_of(source, unit) == 0
        kind: ColumnKind = "integer" if is_whole else "number"
        return RecordColumn(name, source, kind, unit, lambda batch: batch.extra[source])
    if source in _NUMBERS:
        return RecordColumn(
            name, source, "number", _NUMBERS[source], lambda batch: getattr(batch, source)
        )
    if source == SEQUENCE:
        return RecordColumn(name, source, "integer", "", lambda batch: batch.tick)
    if source == "timestamp":
        return RecordColumn(name, source, "time", "", lambda batch: batch.timestamp_ms)
    if source == "connection_start_at":
        return RecordColumn(name, source, "time", "", lambda batch: batch.connection_start_ms)
    if source == "is_online":
        return RecordColumn(name, source, "boolean", "", lambda batch: batch.is_online)
    if source == "is_standalone":
        standalone = roster.is_standalone[roster.project]
        return RecordColumn(name, source, "boolean", "", lambda batch: standalone[batch.device])
    if source == "nameplate_capacity":
        nameplate = roster.nameplate_capacity
        return RecordColumn(name, source, "number", _KW, lambda batch: nameplate[batch.device])
    if source == "project_id":
        project = roster.project
        return RecordColumn(
            name, source, "text", "", lambda batch: project[batch.device], roster.project_id
        )
    if source == "der_id":
        return RecordColumn(name, source, "text", "", lambda batch: batch.device, roster.der_id)
    if source == "units":
        return RecordColumn(
            name, source, "text", "", lambda batch: np.zeros(len(batch), np.intp), (UNITS,)
        )
    texts = roster.type if source == "type" else roster.attribute(source)
    distinct = list(dict.fromkeys(texts))
    place = {text: index for index, text in enumerate(distinct)}
    index = np.array([place[text] for text in texts], np.intp)
    shown = [text or None for text in distinct]
    return RecordColumn(name, source, "text", "", lambda batch: index[batch.device], shown)

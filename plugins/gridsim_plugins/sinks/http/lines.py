"""Readings in the line protocol of InfluxDB, made column by column."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gridsim.api import Batch, RecordColumn

_ESCAPED = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ ", "\n": " ", "\r": " ", "\\": "/"})


class LineProtocol:
    """An encoder of rows: texts are tags, the rest are fields, and the time is in ms.

    A backslash in a text becomes a slash, because a tag must not end with one.
    """

    def __init__(self, measurement: str, columns: Sequence[RecordColumn], devices: int) -> None:
        """Raise ValueError if no column is a field. `devices`: the number of devices."""
        self._tags = [one for one in columns if one.kind == "text"]
        self._fields = [one for one in columns if one.kind != "text" and one.source != "timestamp"]
        if not self._fields:
            raise ValueError("columns: InfluxDB needs a field, which is not a text, in each point")
        self._measurement = measurement.translate(_ESCAPED)
        self._heads: list[str | None] = [None] * devices

    def encode(self, batch: Batch) -> bytes:
        """Return a line for each row."""
        heads = self._heads
        devices = batch.device.tolist()
        missing = [row for row, device in enumerate(devices) if heads[device] is None]
        tags = [(one, one.values(batch)) for one in self._tags]
        for row in missing:
            head = self._measurement
            for one, values in tags:
                if text := one.texts[values[row]]:
                    head += f",{one.name.translate(_ESCAPED)}={text.translate(_ESCAPED)}"
            heads[devices[row]] = head
        fields = [self._texts(one, batch) for one in self._fields]
        times = batch.timestamp_ms.tolist()
        lines = [
            f"{heads[device]} {','.join(filter(None, values))} {time}"
            for device, time, *values in zip(devices, times, *fields, strict=True)
        ]
        return "\n".join(lines).encode()

    @staticmethod
    def _texts(column: RecordColumn, batch: Batch) -> list[str]:
        """Return a column's part of each line, empty where it has no value."""
        values = column.values(batch)
        name = column.name.translate(_ESCAPED)
        if column.kind == "boolean":
            return [f"{name}=true" if value else f"{name}=false" for value in values.tolist()]
        if column.kind in ("integer", "time"):
            absent = np.isnan(values) if values.dtype == np.float64 else np.zeros(len(values), bool)
            whole = np.where(absent, 0, values).astype(np.int64)
            pairs = zip(whole.tolist(), absent.tolist(), strict=True)
            return ["" if is_absent else f"{name}={value}i" for value, is_absent in pairs]
        return ["" if value != value else f"{name}={value!r}" for value in values.tolist()]

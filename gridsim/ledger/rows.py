"""The conversion of batches to rows of the ledger's tables, as matrices of integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Batch, Floats, Labels

Ints = NDArray[np.int64]

NONE = int(np.iinfo(np.int64).min)
"""The value that stands for NULL in a matrix."""


@dataclass(frozen=True, slots=True, eq=False)
class LedgerRows:
    """The rows that some batches add to the tables: int64[rows, columns]."""

    readings: Ints
    reported: Ints
    labels: Ints


def rows_of(batches: Sequence[Batch], start_ms: int, tick_ms: int) -> LedgerRows:
    """Return the rows of consecutive batches."""
    numbers = np.concatenate([np.arange(b.number, b.number + len(b)) for b in batches])
    tick, device = _joined(batches, "tick"), _joined(batches, "device")
    reported = [
        scaled(_joined(batches, "current_output"), 100),
        scaled(_joined(batches, "power_meter_measurement"), 100),
        scaled(_joined(batches, "current_soc"), 10),
    ]
    baseline = scaled(_joined(batches, "baseline"), 100)
    time_ms, online = _joined(batches, "timestamp_ms"), _joined(batches, "is_online")
    differs = (time_ms != start_ms + tick * tick_ms) | ~online
    labels = [batch.labels for batch in batches]
    if all(one is None for one in labels):
        true, marks = reported, np.empty((0, 4), np.int64)
    else:
        whole = [_or_none(batch) for batch in batches]
        true = [
            scaled(_joined(whole, "current_output"), 100),
            scaled(_joined(whole, "power_meter_measurement"), 100),
            scaled(_joined(whole, "current_soc"), 10),
        ]
        for sent, actual in zip(reported, true, strict=True):
            differs |= sent != actual
        faults = _joined(whole, "faults").view(np.int64)
        # int64, because NONE does not fit into the narrow type of the labels.
        altered = _joined(whole, "altered").astype(np.int64)
        copy = _joined(whole, "copy")
        marked = (faults != 0) | (altered >= 0) | copy
        marks = _matrix(numbers, faults, np.where(altered >= 0, altered, NONE), copy)[marked]
    output, meter, soc = true
    return LedgerRows(
        _matrix(numbers, tick, device, output, meter, baseline, soc),
        _matrix(numbers, time_ms, online, *reported)[differs],
        marks,
    )


def unsent_rows(batch: Batch, known: int) -> Ints:
    """Return the rows of the table unsent, without their key, as known at a tick."""
    labels = _or_none(batch)
    return _matrix(
        np.full(len(batch), known),
        batch.tick,
        batch.device,
        scaled(labels.current_output, 100),
        scaled(labels.power_meter_measurement, 100),
        scaled(batch.baseline, 100),
        scaled(labels.current_soc, 10),
        batch.timestamp_ms,
        labels.faults.view(np.int64),
        labels.copy,
    )


def connection_rows(batches: Sequence[Batch], last_ms: Ints) -> Ints:
    """Return a row (number, device, since) for each reading with a new connection of its device.

    `last_ms`, int64[devices], has the start of each device's last connection and is updated.
    """
    numbers = np.concatenate([np.arange(b.number, b.number + len(b)) for b in batches])
    device, since = _joined(batches, "device"), _joined(batches, "connection_start_ms")
    order = np.argsort(device, kind="stable")
    device, since, numbers = device[order], since[order], numbers[order]
    before = np.concatenate(([NONE], since[:-1]))
    first = np.ones(len(device), np.bool_)
    first[1:] = device[1:] != device[:-1]
    before[first] = last_ms[device[first]]
    last = np.roll(first, -1)
    last_ms[device[last]] = since[last]
    rows: Ints = _matrix(numbers, device, since)[since != before]
    return rows


def scaled(values: Floats, factor: int) -> Ints:
    """Return values times `factor`, rounded to integers; NONE for NaN."""
    missing = np.isnan(values)
    if not missing.any():
        return np.rint(values * factor).astype(np.int64)
    return np.where(
        missing, NONE, np.rint(np.where(missing, 0.0, values) * factor).astype(np.int64)
    )


def _or_none(batch: Batch) -> Labels:
    """Return the batch's labels, or labels without any fault."""
    if batch.labels is not None:
        return batch.labels
    n = len(batch)
    return Labels(
        faults=np.zeros(n, np.uint64),
        timestamp_ms=batch.timestamp_ms,
        current_output=batch.current_output,
        power_meter_measurement=batch.power_meter_measurement,
        current_soc=batch.current_soc,
        altered=np.full(n, -1, np.int32),
        chance=np.zeros(n),
        copy=np.zeros(n, np.bool_),
    )


def _joined(parts: Sequence[Batch | Labels], name: str) -> NDArray[Any]:
    columns = [getattr(part, name) for part in parts]
    return columns[0] if len(columns) == 1 else np.concatenate(columns)


def _matrix(*columns: NDArray[Any]) -> Ints:
    matrix = np.empty((len(columns[0]), len(columns)), np.int64)
    for index, column in enumerate(columns):
        matrix[:, index] = column
    return matrix

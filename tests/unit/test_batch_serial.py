"""A batch as bytes and back, and as a short text."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridsim.api import Batch, Labels
from gridsim.contracts.batch import COLUMNS
from gridsim.contracts.batch_serial import BatchSerial, roster_fingerprint
from gridsim.contracts.state import State
from gridsim.contracts.tree_serial import SerialError, tree_from_bytes, tree_to_bytes
from gridsim.testing import START_MS, make_batch, make_members, make_roster, make_sites
from gridsim_plugins.ders.generator import Generator

ROSTER = make_roster((2, 1), {"fuel_l": "l", "hub_wind": "m/s"})
SERIAL = BatchSerial(ROSTER)

INT64 = st.integers(-(2**63), 2**63 - 1)


def column(n: int, values: st.SearchStrategy[Any], dtype: str) -> st.SearchStrategy[Any]:
    return st.lists(values, min_size=n, max_size=n).map(lambda list: np.array(list, dtype))


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    n = draw(st.integers(0, 5))

    def times() -> Any:
        return draw(column(n, INT64, "int64"))

    def numbers() -> Any:
        return draw(column(n, st.floats(), "float64"))

    def flags() -> Any:
        return draw(column(n, st.booleans(), "bool"))

    labels = None
    if draw(st.booleans()):
        labels = Labels(
            faults=draw(column(n, st.integers(0, 2**64 - 1), "uint64")),
            timestamp_ms=times(),
            current_output=numbers(),
            power_meter_measurement=numbers(),
            current_soc=numbers(),
            altered=draw(column(n, st.integers(-1, 63), "int32")),
            chance=numbers(),
            copy=flags(),
        )
    return Batch(
        roster=ROSTER,
        device=draw(column(n, st.integers(0, 2), "int64")).astype(np.intp),
        tick=times(),
        timestamp_ms=times(),
        is_online=flags(),
        current_output=numbers(),
        power_meter_measurement=numbers(),
        baseline=numbers(),
        contract_threshold=numbers(),
        connection_start_ms=times(),
        current_soc=numbers(),
        extra={name: numbers() for name in draw(st.sets(st.sampled_from(sorted(ROSTER.columns))))},
        number=draw(st.integers(0, 2**63)),
        labels=labels,
    )


def assert_same_column(one: Any, other: Any) -> None:
    assert one.dtype == other.dtype
    np.testing.assert_array_equal(one, other)
    assert not other.flags.writeable


@given(batches())
def test_a_batch_comes_back(batch: Batch) -> None:
    again = SERIAL.from_bytes(SERIAL.to_bytes(batch))
    assert again.roster is ROSTER
    assert again.number == batch.number
    for name in COLUMNS:
        assert_same_column(getattr(batch, name), getattr(again, name))
    assert again.extra.keys() == batch.extra.keys()
    for name, values in batch.extra.items():
        assert_same_column(values, again.extra[name])
    assert (again.labels is None) == (batch.labels is None)
    for name in (field.name for field in fields(Labels)):
        if batch.labels is not None:
            assert_same_column(getattr(batch.labels, name), getattr(again.labels, name))


def test_every_column_is_written() -> None:
    """A column that is added to Batch is in the serial form, too."""
    apart = {"roster", "extra", "number", "labels"}
    assert {field.name for field in fields(Batch)} == {*COLUMNS, *apart}


def test_a_batch_of_an_equal_roster_is_written_and_read() -> None:
    twin = make_roster((2, 1), {"fuel_l": "l", "hub_wind": "m/s"})
    data = BatchSerial(twin).to_bytes(make_batch(ROSTER))
    assert SERIAL.from_bytes(data).roster is ROSTER


@pytest.mark.parametrize(
    "change",
    [
        {"der_id": ["DER_0", "DER_1", "DER_3"]},
        {"project_id": ["PRJ_0", "PRJ_2"]},
        {"type": ["battery_storage", "solar", "solar"]},
        {"project": np.array([0, 1, 1])},
        {"nameplate_capacity": np.array([10.0, 10.0, 10.01])},
        {"is_standalone": np.array([False, True])},
        {"columns": {"fuel_l": "l"}},
        {"columns": {"fuel_l": "l", "hub_wind": "km/h"}},
    ],
)
def test_a_batch_of_another_roster_is_refused(change: dict[str, Any]) -> None:
    other = replace(ROSTER, **change)
    assert roster_fingerprint(other) != roster_fingerprint(ROSTER)
    with pytest.raises(SerialError, match=r"of another roster .* differ in their devices"):
        SERIAL.to_bytes(replace(make_batch(ROSTER), roster=other))
    data = BatchSerial(other).to_bytes(replace(make_batch(ROSTER), roster=other))
    with pytest.raises(SerialError, match=r"of another roster .* differ in their devices"):
        SERIAL.from_bytes(data)


def test_texts_that_run_together_are_told_apart() -> None:
    one = replace(ROSTER, der_id=["AB", "C", "D"])
    other = replace(ROSTER, der_id=["A", "BC", "D"])
    assert roster_fingerprint(one) != roster_fingerprint(other)


def test_cut_off_bytes_are_refused() -> None:
    data = SERIAL.to_bytes(make_batch(ROSTER))
    for length in (0, 7, 8, 23, 24, len(data) // 2, len(data) - 1):
        with pytest.raises(SerialError, match="cut off"):
            SERIAL.from_bytes(data[:length])


def changed(**parts: Any) -> bytes:
    tree = tree_from_bytes(SERIAL.to_bytes(make_batch(ROSTER)))
    assert isinstance(tree, dict)
    return tree_to_bytes({**tree, **parts})


def columns(**parts: Any) -> State:
    batch = make_batch(ROSTER)
    given = {name: getattr(batch, name) for name in COLUMNS}
    given["device"] = given["device"].astype(np.int64)
    given.update(parts)
    return {name: values for name, values in given.items() if values is not None}


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (tree_to_bytes({"a": 1}), "the data is not a batch"),
        (tree_to_bytes([1]), "the data is not a batch"),
        (changed(number="x"), "the data is not a batch"),
        (changed(columns=columns(tick=None)), "the batch has the columns"),
        (changed(columns=columns(device=None)), "the batch has the columns"),
        (changed(columns=columns(device=7)), "column device is not one of 0 values of int64"),
        (changed(columns=columns(tick=np.zeros(2, np.int64))), "column tick is not one of 3"),
        (changed(columns=columns(tick=np.zeros(3, np.int32))), "not one of 3 values of int64"),
        (changed(columns=columns(device=np.array([0, 1, 3]))), "not in the roster"),
        (changed(columns=columns(device=np.array([-1, 1, 2]))), "not in the roster"),
        (changed(extra={"speed": np.zeros(3)}), "the batch has the columns"),
        (changed(labels={}), "the batch has the columns"),
    ],
)
def test_what_is_not_a_batch_is_refused(data: bytes, complaint: str) -> None:
    with pytest.raises(SerialError, match=complaint):
        SERIAL.from_bytes(data)


def test_a_batch_says_in_short_what_it_is() -> None:
    roster = make_roster((2,) * 5000)
    batch = replace(make_batch(roster, ticks=2, start_ms=START_MS), number=12_345)
    assert repr(batch) == (
        "<Batch: 20,000 rows from number 12,345; ticks 0 to 1; "
        "2026-07-01T12:00:00.000Z to 2026-07-01T12:00:01.000Z>"
    )
    assert repr(roster) == "<Roster: 10,000 devices in 5,000 projects; battery_storage, solar>"
    one = make_batch(ROSTER)
    assert repr(one) == (
        "<Batch: 3 rows from number 0; ticks 0; 2026-07-01T12:00:00.000Z; "
        "extra columns fuel_l, hub_wind>"
    )
    assert repr(one.rows(0, 0)) == "<Batch: 0 rows from number 0; extra columns fuel_l, hub_wind>"


def test_labels_say_in_short_what_they_are() -> None:
    batch = make_batch(ROSTER)
    labels = Labels(
        np.array([0, 4, 1], np.uint64),
        batch.timestamp_ms,
        batch.current_output,
        batch.power_meter_measurement,
        batch.current_soc,
        np.full(3, -1, np.int16),
        np.zeros(3),
        np.zeros(3, np.bool_),
    )
    assert repr(labels) == "<Labels: 3 rows, 2 changed by faults>"
    assert repr(replace(batch, labels=labels)).endswith("; 2 changed by faults>")


def test_members_and_sites_say_in_short_what_they_are() -> None:
    entries = [{"nameplate_capacity": 3.0}] * 4
    members = make_members(Generator.Settings, entries)
    assert repr(members).startswith("<Members: 4 (DER_0, DER_1, DER_2, ...); columns nameplate_")
    assert repr(make_members(Generator.Settings, entries[:3])).startswith(
        "<Members: 3 (DER_0, DER_1, DER_2); columns"
    )
    assert repr(make_sites(5000)) == "<Sites: 5,000 in America/Moncton>"

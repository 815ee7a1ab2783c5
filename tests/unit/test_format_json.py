from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridsim.api import FIELDS, Batch, Format, Framing, Roster
from gridsim.testing import FormatContract, make_batch, make_roster
from gridsim_plugins.formats.json import Json, JsonSettings


class TestContract(FormatContract):
    format: ClassVar[type[Format]] = Json
    settings: ClassVar[Sequence[Mapping[str, Any]]] = (
        {},
        {"missing_soc": "omit", "extra_fields": ["seq"]},
        {"fields": ["current_soc"], "missing_soc": "zero"},
        {"missing_soc": "null"},
    )


def encoder(roster: Roster, framing: Framing = "der", **settings: Any) -> Json:
    return Json(JsonSettings(**settings), framing, roster)


def one(batch: Batch, **settings: Any) -> str:
    return encoder(batch.roster, **settings).encode(batch).bodies[0].decode()


def test_a_record_as_it_is_on_the_wire() -> None:
    assert one(make_batch()) == (
        '{"der_id":"DER_0","is_online":true,"timestamp":"2026-07-01T12:00:00.000Z",'
        '"current_output":-1.50,"power_meter_measurement":2.00,"baseline":5.00,'
        '"contract_threshold":4.00,"units":"kW","project_id":"PRJ_0","is_standalone":false,'
        '"connection_start_at":"2026-06-30T11:59:59.877Z","current_soc":0.0,'
        '"type":"battery_storage","nameplate_capacity":10.00}'
    )


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
times = st.integers(0, 4_000_000_000_000)


@st.composite
def rosters(draw: st.DrawFn) -> Roster:
    sizes = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
    n = sum(sizes)
    return Roster(
        der_id=draw(st.lists(texts, min_size=n, max_size=n)),
        project=np.repeat(np.arange(len(sizes)), sizes),
        type=draw(st.lists(texts, min_size=n, max_size=n)),
        nameplate_capacity=draw(columns(n, 2)),
        project_id=draw(st.lists(texts, min_size=len(sizes), max_size=len(sizes))),
        is_standalone=np.array(draw(st.lists(st.booleans(), min_size=3, max_size=3))),
        columns={"temperature": "degC", "losses": "kW"},
    )


@st.composite
def columns(draw: st.DrawFn, n: int, decimals: int, missing: bool = False) -> Any:
    values: st.SearchStrategy[float] = st.integers(-(10**9), 10**9).map(
        lambda whole: round(whole / 10**decimals, decimals)
    )
    if missing:
        values = st.one_of(values, st.just(float("nan")))
    return np.array(draw(st.lists(values, min_size=n, max_size=n)), np.float64)


@st.composite
def batches(draw: st.DrawFn, roster: Roster) -> Batch:
    n = draw(st.integers(0, 5))

    def whole(values: st.SearchStrategy[int]) -> Any:
        return np.array(draw(st.lists(values, min_size=n, max_size=n)), np.int64)

    return Batch(
        roster=roster,
        device=whole(st.integers(0, len(roster) - 1)),
        tick=whole(st.integers(0, 10**9)),
        timestamp_ms=whole(times),
        is_online=whole(st.integers(0, 1)).astype(np.bool_),
        current_output=draw(columns(n, 2)),
        power_meter_measurement=draw(columns(n, 2)),
        baseline=draw(columns(n, 2)),
        contract_threshold=draw(columns(n, 2)),
        connection_start_ms=whole(times),
        current_soc=draw(columns(n, 1, missing=True)),
        extra={
            "temperature": draw(columns(n, 5, missing=True)),
            "losses": draw(columns(n, 2, missing=True)),
        },
    )


def expected(batch: Batch, row: int) -> list[tuple[str, Any]]:
    """The record of a row by its definition: names, values and types, in order."""
    roster, device = batch.roster, batch.device[row]
    project = roster.project[device]

    def stamp(time_ms: int) -> str:
        at = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=int(time_ms))
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    soc = float(batch.current_soc[row])
    record: list[tuple[str, Any]] = [
        ("der_id", roster.der_id[device]),
        ("is_online", bool(batch.is_online[row])),
        ("timestamp", stamp(batch.timestamp_ms[row])),
        ("current_output", float(batch.current_output[row])),
        ("power_meter_measurement", float(batch.power_meter_measurement[row])),
        ("baseline", float(batch.baseline[row])),
        ("contract_threshold", float(batch.contract_threshold[row])),
        ("units", "kW"),
        ("project_id", roster.project_id[project]),
        ("is_standalone", bool(roster.is_standalone[project])),
        ("connection_start_at", stamp(batch.connection_start_ms[row])),
        ("current_soc", "null" if np.isnan(soc) else soc),
        ("type", roster.type[device]),
        ("nameplate_capacity", float(roster.nameplate_capacity[device])),
        ("seq", int(batch.tick[row])),
    ]
    extra = [(name, float(column[row])) for name, column in batch.extra.items()]
    return record + [(name, value) for name, value in extra if not np.isnan(value)]


@given(st.data())
def test_what_a_reader_parses_is_what_the_columns_say(data: st.DataObject) -> None:
    roster = data.draw(rosters())
    extra_fields = ["seq", "temperature", "losses"]
    by_der = encoder(roster, extra_fields=extra_fields)
    by_project = encoder(roster, "project", extra_fields=extra_fields)
    # Several batches by one encoder: what it remembers of one must not show in the next.
    for _ in range(data.draw(st.integers(1, 3))):
        batch = data.draw(batches(roster))
        wanted = [expected(batch, row) for row in range(len(batch))]
        bodies = by_der.encode(batch).bodies
        read = [json.loads(body, object_pairs_hook=list) for body in bodies]
        assert read == [[tuple(pair) for pair in record] for record in wanted]
        assert [[type(v) for _, v in record] for record in read] == [
            [type(v) for _, v in record] for record in wanted
        ]
        for body in bodies:
            check_decimals(body)
        joined = [record for body in by_project.encode(batch).bodies for record in json.loads(body)]
        assert joined == [dict(record) for record in wanted]


def check_decimals(body: bytes) -> None:
    for name, value in json.loads(body, parse_float=str).items():
        if name == "current_soc":
            assert value == "null" or re.fullmatch(r"-?\d+\.\d", value)
        elif name == "temperature":
            assert float(value) == json.loads(body)[name]
        elif name not in ("der_id", "project_id", "type", "seq") and isinstance(value, str):
            assert value == "kW" or value.endswith("Z") or re.fullmatch(r"-?\d+\.\d\d", value)


@pytest.mark.parametrize(
    ("missing_soc", "text"),
    [
        ("text", '{"current_soc":"null","seq":0}'),
        ("null", '{"current_soc":null,"seq":0}'),
        ("zero", '{"current_soc":0.0,"seq":0}'),
        ("omit", '{"seq":0}'),
    ],
)
def test_where_there_is_no_storage(missing_soc: str, text: str) -> None:
    solar = make_batch(make_roster([1]))
    assert one(solar, missing_soc=missing_soc, fields=["current_soc", "seq"]) == text


def test_the_string_null_is_the_default() -> None:
    solar = make_batch(make_roster([1]))
    assert one(solar, fields=["current_soc"]) == '{"current_soc":"null"}'


def test_the_first_field_may_be_left_out() -> None:
    batch = replace(make_batch(), current_soc=np.array([np.nan, 50.0, np.nan]))
    made = encoder(batch.roster, missing_soc="omit", fields=["current_soc", "seq"])
    assert made.encode(batch).bodies == [
        b'{"seq":0}',
        b'{"current_soc":50.0,"seq":0}',
        b'{"seq":0}',
    ]
    alone = encoder(batch.roster, missing_soc="omit", fields=["current_soc"])
    assert alone.encode(batch).bodies == [b"{}", b'{"current_soc":50.0}', b"{}"]


@pytest.mark.parametrize("hundredths", [0, 1, -1, 99_999, 100_000, 100_001, -100_000, -100_001])
def test_numbers_of_any_size_have_two_decimals(hundredths: int) -> None:
    power = np.full(3, hundredths / 100)
    made = encoder(make_roster(), fields=["current_output"])
    for _ in range(2):
        bodies = made.encode(replace(make_batch(), current_output=power)).bodies
        assert bodies[0] == b'{"current_output":%.2f}' % (hundredths / 100)


def test_a_reading_from_before_a_change_says_what_was_then() -> None:
    roster = make_roster([1])
    made = encoder(roster, fields=["contract_threshold", "units"])
    late = replace(make_batch(roster, ticks=3), contract_threshold=np.array([1.0, 2.0, 1.0]))
    for _ in range(2):
        assert made.encode(late).bodies == [
            b'{"contract_threshold":%b,"units":"kW"}' % value
            for value in (b"1.00", b"2.00", b"1.00")
        ]


def test_rows_may_all_be_the_same() -> None:
    bodies = encoder(make_roster(), fields=["seq"]).encode(make_batch()).bodies
    assert bodies == [b'{"seq":0}'] * 3


def test_a_late_reading_is_a_message_of_its_own() -> None:
    roster = make_roster([2])
    now = make_batch(roster, ticks=1)
    late = replace(
        make_batch(roster, ticks=2).rows(0, 3),
        device=np.array([0, 0, 1]),
        timestamp_ms=now.timestamp_ms[0] + [-1000, 0, 0],
    )
    payloads = encoder(roster, "project", fields=["timestamp"]).encode(late)
    assert payloads.bodies == [
        b'[{"timestamp":"2026-07-01T11:59:59.000Z"}]',
        b'[{"timestamp":"2026-07-01T12:00:00.000Z"},{"timestamp":"2026-07-01T12:00:00.000Z"}]',
    ]
    assert payloads.starts.tolist() == [0, 1, 3]


def test_the_user_gives_the_record_his_own_shape() -> None:
    batch = make_batch(make_roster(columns={"temperature": "degC"}))
    assert one(
        batch,
        fields=["timestamp", "current_output", "units"],
        extra_fields=["temperature", "seq"],
        rename={"current_output": "100% kW", "seq": 'the "n"'},
    ) == (
        '{"timestamp":"2026-07-01T12:00:00.000Z","100% kW":-1.50,"units":"kW",'
        '"temperature":1.25,"the \\"n\\"":0}'
    )


def test_only_constants_may_be_chosen() -> None:
    bodies = encoder(make_roster(), fields=["der_id"]).encode(make_batch(ticks=2)).bodies
    assert bodies[2:4] == [b'{"der_id":"DER_2"}', b'{"der_id":"DER_0"}']


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fields": ["der_id", "curent_output"]}, "did you mean 'current_output'"),
        ({"extra_fields": ["temprature"]}, "did you mean 'temperature'"),
        ({"extra_fields": ["zzz"]}, "there are: der_id, .*, seq, temperature"),
        ({"rename": {"soc": "x"}}, "rename: there is no written field 'soc'"),
        ({"rename": {"baseline": "units"}}, "two fields would be written as 'units'"),
        ({"fields": ["units", "units"]}, "two fields would be written as 'units'"),
        ({"rename": {"units": ""}}, "cannot be empty"),
    ],
)
def test_a_shape_that_cannot_be_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        encoder(make_roster(columns={"temperature": "degC"}), **settings)


def test_a_declared_column_cannot_take_the_place_of_a_field() -> None:
    batch = make_batch(make_roster(columns={"type": "kW"}))
    assert list(json.loads(one(batch))) == list(FIELDS)
    assert json.loads(one(batch))["type"] == "battery_storage"

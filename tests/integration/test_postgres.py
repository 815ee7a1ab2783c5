"""The transport `postgres` and a real PostgreSQL."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from gridsim.api import Batch, TransportError
from gridsim.testing import (
    REFUSED_DER,
    PlainFormat,
    RecordingReceipt,
    TransportContract,
    make_batch,
    make_roster,
    make_run,
)
from gridsim_plugins.sinks.postgres import Postgres
from tests.fixtures.outages import deliver_through_outage, run_through_outage
from tests.integration.postgres_server import (
    PASSWORD,
    PostgresServer,
    postgres_commands,
)

CONFIGS = Path(__file__).parents[2] / "configs"
KEYS = "SELECT count(DISTINCT (der_id, timestamp)), count(*) FROM readings"
COLUMNS = {"session_id": "1", "energy_import_kwh": "kWh", "heat": "kW"}


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """Return a running server; without PostgreSQL a test skips, or fails if it is required."""
    commands = postgres_commands()
    if len(commands) < 2:
        if os.environ.get("GRIDSIM_REQUIRE_POSTGRES") == "1":
            pytest.fail("GRIDSIM_REQUIRE_POSTGRES is set, but PostgreSQL is not installed")
        pytest.skip("PostgreSQL is not installed")
    # The temporary folder of the tests is closed to the user postgres.
    folder = Path(tempfile.mkdtemp(prefix="gridsim-postgres-", dir="/tmp"))
    try:
        with PostgresServer(commands, folder) as started:
            yield started
    finally:
        shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def _empty(request: pytest.FixtureRequest, server: PostgresServer) -> None:
    server.run("DROP SCHEMA public CASCADE; CREATE SCHEMA public")


def made(server: PostgresServer, batch: Batch, **settings: Any) -> Postgres:
    run = make_run(batch.roster)
    plain = PlainFormat(Postgres.Settings(database="x"), "der", run.roster)
    return Postgres(Postgres.Settings.model_validate(target(server) | settings), plain, run)


def target(server: PostgresServer) -> dict[str, Any]:
    return {
        "host": "127.0.0.1",
        "port": server.port,
        "database": "postgres",
        "username": "owner",
        "password": PASSWORD,
        "create": True,
    }


def write(transport: Postgres, batch: Batch) -> RecordingReceipt:
    transport.connect()
    receipt = RecordingReceipt(len(batch))
    try:
        transport.write(batch, receipt)
    finally:
        transport.close()
    return receipt


def test_every_column_is_in_the_table_with_its_type(server: PostgresServer) -> None:
    batch = make_batch(make_roster((2, 1), COLUMNS), ticks=2)
    assert write(made(server, batch), batch).delivered_rows == 6
    rows = server.run(
        "SELECT der_id, is_online, to_char(timestamp AT TIME ZONE 'UTC', 'HH24:MI:SS.MS'),"
        " current_output, units, is_standalone, current_soc, seq, session_id, heat FROM readings"
    )
    assert rows[:2] == [
        ("DER_0", True, "12:00:00.000", -1.5, "kW", False, 0.0, 0, 1, 1.25),
        ("DER_1", True, "12:00:00.000", -1.13, "kW", False, 0.1, 0, 1, 1.25),
    ]
    assert rows[5][6:8] == (None, 1), "no state of charge is NULL"
    found = server.run("SELECT column_name, data_type FROM information_schema.columns")
    types = {str(name): kind for name, kind in found}
    assert types["timestamp"] == types["connection_start_at"] == "timestamp with time zone"
    assert types["seq"] == types["session_id"] == "bigint"
    assert types["heat"] == types["current_soc"] == "double precision"


def test_columns_are_chosen_and_renamed_in_a_table_that_exists(server: PostgresServer) -> None:
    server.run(
        'CREATE SCHEMA "My site"; CREATE TABLE "My site".r (id serial, "time" timestamp, kw real)'
    )
    batch = make_batch()
    write(
        made(
            server,
            batch,
            table="My site.r",
            columns=["timestamp", "current_output"],
            rename={"timestamp": "time", "current_output": "kw"},
        ),
        batch,
    )
    assert server.run('SELECT id, "time"::text, kw::text FROM "My site".r') == [
        (1, "2026-07-01 12:00:00", "-1.5"),
        (2, "2026-07-01 12:00:00", "-1.13"),
        (3, "2026-07-01 12:00:00", "-0.76"),
    ]


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"create": False}, "there is no table readings; create it, or set create = true"),
        ({"table": "narrow"}, "the table narrow has no column is_online, timestamp, "),
        ({"table": "narrow", "columns": ["der_id", "seq"]}, "seq of .* has the type int4; it must"),
        ({"password": "wrong"}, "password authentication failed"),
        ({"database": "nowhere"}, 'database "nowhere" does not exist'),
    ],
)
def test_what_only_a_change_can_mend_is_permanent(
    server: PostgresServer, settings: Mapping[str, Any], text: str
) -> None:
    server.run("CREATE TABLE narrow (der_id text, seq int)")
    transport = made(server, make_batch(), **settings)
    with pytest.raises(TransportError, match=text) as found:
        transport.connect()
    assert found.value.permanent
    transport.close()


def test_a_repeated_key_is_dropped_with_its_reason_or_counts_as_delivered(
    server: PostgresServer,
) -> None:
    server.run("CREATE TABLE readings (der_id text, seq bigint, PRIMARY KEY (der_id, seq))")
    batch = make_batch(ticks=2)
    columns = ["der_id", "seq"]
    assert write(made(server, batch.rows(0, 4), columns=columns), batch.rows(0, 4)).left == 0
    receipt = write(made(server, batch, columns=columns), batch)
    assert (receipt.delivered_rows, receipt.dropped_rows) == (2, 4)
    assert set(receipt.reasons) == {
        "refused by PostgreSQL: UniqueViolation of readings_pkey (23505)"
    }
    receipt = write(made(server, batch, columns=columns, on_conflict="ignore"), batch)
    assert receipt.delivered_rows == 6
    assert server.run("SELECT count(*) FROM readings") == [(6,)]


class LosingCursor:
    """A cursor whose connection is lost at COMMIT, before or after the server has it."""

    def __init__(self, connection: Any, committed: bool) -> None:
        self._connection = connection
        self._committed = committed
        self._cursor = type(connection).cursor(connection)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    def __enter__(self) -> LosingCursor:
        return self

    def __exit__(self, *_: object) -> None: ...

    def execute(self, query: str) -> Any:
        if query == "COMMIT":
            if self._committed:
                self._cursor.execute(query)
            self._connection.close()
        return self._cursor.execute(query)


@pytest.mark.parametrize("committed", [True, False])
def test_a_commit_without_an_answer_is_neither_lost_nor_repeated(
    server: PostgresServer, committed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = make_batch(ticks=4)
    transport = made(server, batch)
    transport.connect()
    connection = transport._connection
    monkeypatch.setattr(connection, "cursor", lambda: LosingCursor(connection, committed))
    receipt = RecordingReceipt(len(batch))
    with pytest.raises(TransportError):
        transport.write(batch, receipt)
    assert receipt.left == 12
    transport.close()
    # The first rows may have been dropped in the queue since.
    assert write(transport, batch.rows(2)).delivered_rows == 10
    count = 12 if committed else 10
    assert server.run("SELECT count(DISTINCT (der_id, seq)), count(*) FROM readings") == [
        (count, count)
    ]


def test_the_server_is_killed_and_comes_back(server: PostgresServer) -> None:
    roster = make_roster([2] * 200)
    counters = deliver_through_outage(
        made(server, make_batch(roster)), roster, kill=server.crash, start=server.start
    )
    assert (counters.accepted, counters.delivered, counters.reconnects) == (6000, 6000, 1)
    assert server.run(KEYS) == [(6000, 6000)]
    # At least the five ticks of the outage were joined.
    [[transactions]] = server.run("SELECT count(DISTINCT xmin::text) FROM readings")
    assert 2 <= int(str(transactions)) <= 11


def test_the_server_is_killed_and_comes_back_in_a_run(
    server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (
        ("HOST", "127.0.0.1"),
        ("PORT", str(server.port)),
        ("USER", "owner"),
        ("PASSWORD", PASSWORD),
    ):
        monkeypatch.setenv(f"POSTGRES_{name}", value)
    status = run_through_outage(
        CONFIGS / "postgres.toml",
        'transports.0.database="postgres"',
        kill=server.crash,
        start=server.start,
    )
    assert (status.accepted, status.delivered, status.reconnects) == (300, 300, 1)
    assert server.run(KEYS) == [(300, 300)]


class TestContract(TransportContract):
    transport = Postgres
    server: PostgresServer

    @pytest.fixture(autouse=True)
    def _running(self, server: PostgresServer) -> None:
        self.server = server

    def target(self, tmp_path: Path) -> Mapping[str, Any]:
        return target(self.server)

    def received(self, tmp_path: Path) -> list[bytes]:
        found = self.server.run(
            "SELECT der_id || '@' || (extract(epoch FROM timestamp) * 1000)::bigint FROM readings"
        )
        return [str(one[0]).encode() for one in found]

    def refusing(self, tmp_path: Path) -> Mapping[str, Any]:
        self.server.run(
            f"CREATE TABLE readings (der_id text CHECK (der_id <> '{REFUSED_DER}'),"
            " timestamp timestamptz)"
        )
        return target(self.server) | {"columns": ["der_id", "timestamp"]}

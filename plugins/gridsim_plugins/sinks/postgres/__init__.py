"""Readings to a table of PostgreSQL."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from loguru import logger

from gridsim.api import (
    Batch,
    Format,
    Receipt,
    Register,
    RunContext,
    Transport,
    TransportError,
    hookimpl,
    record_columns,
)
from gridsim_plugins.sinks.postgres.binary import TYPES, BinaryRows
from gridsim_plugins.sinks.postgres.settings import PostgresSettings
from gridsim_plugins.sinks.postgres.unclear import Unclear

if TYPE_CHECKING:
    import psycopg

# One transaction: its columns are a few MB.
_PART_ROWS = 8192
_REFUSED = ("22", "23", "44", "54", "P0")
"""The classes of SQLSTATE about the content of a row: data, constraint, view, limit, trigger."""
_PERMANENT = ("28", "3D", "3F", "42", "0A")
"""The classes that need a change of settings or of the database: role, database, schema, table."""
_WRONG = ("authentication failed", "does not exist", "no pg_hba.conf entry", "no password supplied")
"""Parts of the server's answers to a connection that have no SQLSTATE in psycopg."""


class Postgres(Transport[PostgresSettings]):
    """A transport that writes the columns of readings into a table of PostgreSQL, by COPY."""

    Settings = PostgresSettings
    framings = ("der",)
    writes_columns = True
    rows_at_once = _PART_ROWS

    def __init__(self, settings: PostgresSettings, format: Format, run: RunContext) -> None:
        super().__init__(settings, format, run)
        if find_spec("psycopg") is None:
            raise ValueError(
                "needs psycopg, which is not installed: pip install 'gridsim-der[postgres]'"
            )
        self._columns = record_columns(settings, run.roster)
        self._rows: BinaryRows | None = None
        self._connection: psycopg.Connection[Any] | None = None
        self._unclear = Unclear()
        self._logged: set[str] = set()

    @classmethod
    def wants(cls, settings: PostgresSettings) -> Collection[str]:
        return settings.wanted()

    def describe(self) -> str:
        own = self.settings
        return f"table {own.table} of PostgreSQL {own.database} at {own.host}:{own.port}"

    def hint(self) -> str:
        own = self.settings
        command = ["psql", "-h", own.host, "-p", str(own.port), "-d", own.database]
        if own.username:
            command += ["-U", own.username]
        return shlex.join([*command, "-c", f"SELECT count(*) FROM {_quoted(own.table)}"])

    def connect(self) -> None:
        import psycopg

        own = self.settings
        options: dict[str, Any] = {
            "host": own.host,
            "port": own.port,
            "dbname": own.database,
            "user": own.username or None,
            "password": own.password.get_secret_value() or None,
            "sslmode": own.mode,
            "connect_timeout": own.connect_timeout_s,
            "application_name": "gridsim",
            # A lost connection is found within 10 s.
            "keepalives_idle": 4,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "tcp_user_timeout": 10_000,
        }
        if own.mode.startswith("verify") or own.ca_file:
            options["sslrootcert"] = own.ca_file or "system"
        with _errors(psycopg.Error):
            self._connection = psycopg.connect(autocommit=True, **options)
            self._connection.execute("SET client_encoding TO 'UTF8'")
            self._connection.execute(
                f"SET statement_timeout TO {max(1, round(own.statement_timeout_s * 1000))}"
            )
            self._unclear.resolve(self._connection)
            if own.create:
                self._create()
            self._rows = BinaryRows(self._columns, self._types())

    def take_over(self, older: Postgres) -> bool:
        if older._connection is None or older._columns_as_text() != self._columns_as_text():
            return False
        self._connection, self._unclear = older._connection, older._unclear
        self._rows = BinaryRows(self._columns, self._types())
        return True

    def write(self, batch: Batch, receipt: Receipt) -> None:
        import psycopg

        done = self._unclear.committed_of(batch)
        if done:
            receipt.delivered(done)
        with _errors(psycopg.Error):
            for start in range(done, len(batch), _PART_ROWS):
                self._write(batch.rows(start, min(start + _PART_ROWS, len(batch))), receipt)

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _write(self, part: Batch, receipt: Receipt) -> None:
        """Write rows in one transaction; divide them to find those that the server refuses."""
        import psycopg

        try:
            self._copy(part)
        except psycopg.Error as error:
            if not (error.sqlstate or "").startswith(_REFUSED) or self._connection is None:
                raise
            self._connection.execute("ROLLBACK")
            self._unclear.forget()
            if len(part) == 1:
                receipt.dropped(1, self._reason(error))
                return
            middle = len(part) // 2
            self._write(part.rows(0, middle), receipt)
            self._write(part.rows(middle), receipt)
        else:
            receipt.delivered(len(part))

    def _copy(self, part: Batch) -> None:
        if self._connection is None or self._rows is None:
            raise TransportError("not connected")
        data = self._rows.encode(part)
        table = _quoted(self.settings.table)
        names = ", ".join(_identifier(column.name) for column in self._columns)
        ignore = self.settings.on_conflict == "ignore"
        target = "gridsim_rows" if ignore else table
        with self._connection.cursor() as cursor:
            self._unclear.begin(cursor, part)
            if ignore:
                cursor.execute(
                    f"CREATE TEMPORARY TABLE gridsim_rows ON COMMIT DROP AS "
                    f"SELECT {names} FROM {table} WITH NO DATA"
                )
            with cursor.copy(f"COPY {target} ({names}) FROM STDIN (FORMAT BINARY)") as copy:
                copy.write(data)
            if ignore:
                cursor.execute(
                    f"INSERT INTO {table} ({names}) SELECT {names} FROM gridsim_rows "
                    "ON CONFLICT DO NOTHING"
                )
            cursor.execute("COMMIT")
        self._unclear.forget()

    def _reason(self, error: psycopg.Error) -> str:
        """Return the reason of a drop, the same for all rows of a kind; log the first text."""
        where = error.diag.constraint_name or error.diag.column_name or ""
        reason = f"refused by PostgreSQL: {type(error).__name__}{where and f' of {where}'}"
        if reason not in self._logged:
            self._logged.add(reason)
            logger.warning("transport postgres: {}: {}", reason, _one_line(error))
        return f"{reason} ({error.sqlstate})"

    def _create(self) -> None:
        columns = ", ".join(
            f"{_identifier(column.name)} {TYPES[column.kind][0]}" for column in self._columns
        )
        table = _quoted(self.settings.table)
        if self._connection is not None:
            self._connection.execute(f"CREATE TABLE IF NOT EXISTS {table} ({columns})")

    def _types(self) -> list[str]:
        """Return the type of each column in the table; raise TransportError if one does not fit."""
        if self._connection is None:
            raise TransportError("not connected")
        table = self.settings.table
        found: dict[str, str] = dict(
            self._connection.execute(
                "SELECT a.attname, t.typname FROM pg_attribute a"
                " JOIN pg_type t ON t.oid = a.atttypid"
                " WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped",
                (_quoted(table),),
            ).fetchall()
        )
        if not found:
            raise TransportError(
                f"there is no table {table}; create it, or set create = true", permanent=True
            )
        missing = [column.name for column in self._columns if column.name not in found]
        if missing:
            raise TransportError(
                f"the table {table} has no column {', '.join(missing[:5])}"
                f"{f' and {len(missing) - 5} others' if len(missing) > 5 else ''}; "
                "choose others in columns, or rename them",
                permanent=True,
            )
        for column in self._columns:
            if found[column.name] not in TYPES[column.kind]:
                raise TransportError(
                    f"the column {column.name} of {table} has the type {found[column.name]}; "
                    f"it must be {' or '.join(TYPES[column.kind])}",
                    permanent=True,
                )
        return [found[column.name] for column in self._columns]

    def _columns_as_text(self) -> list[tuple[str, str]]:
        return [(column.name, column.kind) for column in self._columns]


@contextmanager
def _errors(kind: type[Exception]) -> Iterator[None]:
    """Raise TransportError for an error of psycopg."""
    try:
        yield
    except kind as error:
        text = _one_line(error)
        state = getattr(error, "sqlstate", None) or ""
        wrong = not state and any(part in text for part in _WRONG)
        raise TransportError(text, permanent=wrong or state.startswith(_PERMANENT)) from error


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _quoted(table: str) -> str:
    return ".".join(map(_identifier, table.split(".")))


@hookimpl
def gridsim_register(register: Register) -> None:
    register.transport("postgres", Postgres)

"""Readings to Parquet files."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import pairwise
from uuid import uuid4

import numpy as np

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
    utc_date,
)
from gridsim_plugins.sinks.parquet.journal import (
    JournalFile,
    JournalLock,
    read_journal,
    waiting_files,
)
from gridsim_plugins.sinks.parquet.settings import ParquetSettings
from gridsim_plugins.sinks.parquet.store import store_of
from gridsim_plugins.sinks.parquet.tables import ArrowColumns

_GROUP_ROWS = 65_536
"""The rows of a row group."""
_MOST_OPEN = 8
"""The largest number of files that are collected at a time: late readings have earlier dates."""
_DAY_MS = 86_400_000


class Parquet(Transport[ParquetSettings]):
    """A transport that writes Parquet files; delivered: the reading is in the local journal."""

    Settings = ParquetSettings
    framings = ("der",)
    writes_columns = True
    has_connection = False

    def __init__(self, settings: ParquetSettings, format: Format, run: RunContext) -> None:
        super().__init__(settings, format, run)
        if find_spec("pyarrow") is None:
            raise ValueError(
                "needs pyarrow, which is not installed: pip install 'gridsim-der[parquet]'"
            )
        self._store = store_of(settings)
        self._columns = ArrowColumns(record_columns(settings, run.roster))
        self._period_ms = _DAY_MS if settings.file_s is None else settings.file_s * 1000
        self._name = uuid4().hex[:12]
        self._count = 0
        self._open: dict[int, JournalFile] = {}
        self._lock: JournalLock | None = None

    @classmethod
    def wants(cls, settings: ParquetSettings) -> Collection[str]:
        return settings.wanted()

    def describe(self) -> str:
        return f"Parquet files in {self._store.root}"

    def connect(self) -> None:
        with self._errors():
            os.makedirs(self.settings.journal, exist_ok=True)
            self._lock = JournalLock(self.settings.journal)
            self._store.check()
            # Files of an earlier connection, and those of a process that was killed.
            for path in waiting_files(self.settings.journal):
                self._finish(path)

    def write(self, batch: Batch, receipt: Receipt) -> None:
        if not len(batch):
            return
        period = batch.timestamp_ms // self._period_ms
        cuts = (np.flatnonzero(period[1:] != period[:-1]) + 1).tolist()
        for start, stop in pairwise([0, *cuts, len(batch)]):
            part = batch.rows(start, stop)
            with self._errors():
                self._append(int(period[start]), part)
            receipt.delivered(len(part))
        with self._errors():
            newest = max(self._open, default=0)
            for key, one in list(self._open.items()):
                is_old = key < newest and key not in period
                if (
                    one.rows >= self.settings.rows_per_file
                    or is_old
                    or len(self._open) > _MOST_OPEN
                ):
                    self._end(key)

    def close(self) -> None:
        lock, self._lock = self._lock, None
        if lock is None:
            return
        try:
            with self._errors():
                for key in list(self._open):
                    self._end(key)
        except TransportError as error:
            raise TransportError(
                f"the journal {self.settings.journal} has readings that count as delivered: the "
                f"next run with it writes them ({error})",
                permanent=True,
            ) from error
        finally:
            for one in self._open.values():
                one.close()
            self._open.clear()
            lock.release()

    def _append(self, key: int, part: Batch) -> None:
        one = self._open.get(key)
        if one is None:
            self._count += 1
            name = f"{self._name}-{self._count:05}"
            parts = [f"date={utc_date(key * self._period_ms)}"]
            if not self.run.shard.is_whole:
                parts.append(f"shard={self.run.shard.index}")
            target = "/".join([*parts, f"{name}.parquet"])
            one = JournalFile(self.settings.journal, name, target, self._columns.schema)
            self._open[key] = one
        try:
            one.append(self._columns.table(part))
        except OSError:
            self._open.pop(key).close()
            raise

    def _end(self, key: int) -> None:
        one = self._open.pop(key)
        one.close()
        self._finish(one.path)

    def _finish(self, path: str) -> None:
        """Write the Parquet file of a journal file, and remove that one."""
        import pyarrow
        from pyarrow.parquet import ParquetWriter

        target, batches, schema = read_journal(path)
        if target:
            scratch = self._store.scratch(target, self.settings.journal)
            compression = self.settings.compression
            with ParquetWriter(scratch, schema, compression=compression.upper()) as writer:
                group, rows = [], 0
                for batch in batches:
                    group.append(batch)
                    rows += batch.num_rows
                    if rows >= _GROUP_ROWS:
                        writer.write_table(pyarrow.Table.from_batches(group))
                        group, rows = [], 0
                if group:
                    writer.write_table(pyarrow.Table.from_batches(group))
            self._store.put(scratch, target)
        os.remove(path)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Raise TransportError for an error of a file system."""
        try:
            yield
        except TransportError:
            raise
        except Exception as error:
            # A file system of fsspec raises errors of its own packages, too.
            raise TransportError(_text(error)) from error


def _text(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


@hookimpl
def gridsim_register(register: Register) -> None:
    register.transport("parquet", Parquet)

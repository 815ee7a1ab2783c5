"""The transport `parquet`: files, the journal, and what a killed process leaves."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow.parquet as pq
import pytest

from gridsim.api import Batch, Shard, TransportError
from gridsim.testing import (
    PlainFormat,
    RecordingReceipt,
    TransportContract,
    make_batch,
    make_roster,
    make_run,
)
from gridsim_plugins.sinks.parquet import Parquet
from gridsim_plugins.sinks.parquet.journal import waiting_files
from gridsim_plugins.sinks.parquet.settings import ParquetSettings

DAY_MS = 86_400_000
NOON_MS = 1_782_907_200_000
COLUMNS = {"session_id": "1", "heat": "kW"}


def made(folder: Path, batch: Batch, **settings: Any) -> Parquet:
    own = {"path": str(folder / "out"), "journal": str(folder / "journal")} | settings
    run = make_run(batch.roster)
    plain = PlainFormat(ParquetSettings(), "der", run.roster)
    return Parquet(ParquetSettings.model_validate(own), plain, run)


def write(transport: Parquet, *batches: Batch) -> int:
    delivered = 0
    for batch in batches:
        receipt = RecordingReceipt(len(batch))
        transport.write(batch, receipt)
        delivered += receipt.delivered_rows
    return delivered


def files(folder: Path) -> list[str]:
    found = sorted(path for path in (folder / "out").rglob("*") if path.is_file())
    return [str(path.relative_to(folder / "out")).partition("/")[0] for path in found]


def rows(folder: Path) -> list[dict[str, Any]]:
    return pq.read_table(folder / "out").to_pylist()  # type: ignore[no-any-return]


def test_columns_have_types_units_and_nulls(tmp_path: Path) -> None:
    batch = make_batch(make_roster((2, 1), COLUMNS))
    batch.extra["session_id"].flags.writeable = True
    batch.extra["session_id"][1] = np.nan
    transport = made(tmp_path, batch)
    transport.run = replace(transport.run, shard=Shard(3, 4))
    transport.connect()
    assert write(transport, batch) == 3
    assert files(tmp_path) == [], "a file appears when it is whole"
    transport.close()
    assert files(tmp_path) == ["date=2026-07-01"]
    (path,) = (tmp_path / "out").rglob("*.parquet")
    assert path.parent.name == "shard=3"
    table = pq.read_table(path, partitioning=None)
    assert table.column("session_id").to_pylist() == [1, None, 1]
    assert table.column("current_soc").to_pylist() == [0.0, 0.1, None]
    assert table.column("der_id").to_pylist() == ["DER_0", "DER_1", "DER_2"]
    assert str(table.schema.field("timestamp").type) == "timestamp[ms, tz=UTC]"
    assert table.schema.field("heat").metadata[b"unit"] == b"kW"
    assert waiting_files(str(tmp_path / "journal")) == []


def test_files_end_with_the_date_the_time_and_the_number_of_rows(tmp_path: Path) -> None:
    batch = make_batch()
    tomorrow = make_batch(start_ms=NOON_MS + DAY_MS)
    for place, (settings, count) in enumerate(
        [({}, [1, 1]), ({"rows_per_file": 6}, [2, 1]), ({"file_s": 1}, [4, 1])]
    ):
        folder = tmp_path / str(place)
        transport = made(folder, batch, **settings)
        transport.connect()
        for second in range(4):
            assert write(transport, make_batch(start_ms=NOON_MS + second * 1000)) == 3
        late = make_batch(start_ms=NOON_MS + 3000)
        assert write(transport, tomorrow) == 3
        assert write(transport, late.rows(0, 1)) == 1, "a late reading goes to its own date"
        transport.close()
        names = files(folder)
        shown = [names.count(f"date=2026-07-0{day}") for day in (1, 2)]
        assert shown == [count[0] + 1, count[1]]
        assert len(rows(folder)) == 16


def test_what_a_killed_process_leaves_is_written_by_the_next_one(tmp_path: Path) -> None:
    batch = make_batch(ticks=2)
    killed = made(tmp_path, batch)
    killed.connect()
    assert write(killed, batch.rows(0, 3), batch.rows(3)) == 6
    with pytest.raises(TransportError, match="another run uses the journal"):
        made(tmp_path, batch).connect()
    (path,) = waiting_files(str(tmp_path / "journal"))
    # As after kill -9 in the middle of a write: the lock is gone, the end of the file torn.
    assert killed._lock is not None
    killed._lock.release()
    killed._open[NOON_MS // DAY_MS]._file.close()
    os.truncate(path, os.path.getsize(path) - 8)
    (tmp_path / "journal" / "begun.arrows").write_bytes(b"\xff\xff")
    again = made(tmp_path, batch)
    again.connect()
    assert len(rows(tmp_path)) == 3, "whole batches; the torn one was not delivered"
    assert waiting_files(str(tmp_path / "journal")) == []
    again.close()


def test_a_full_disk_leaves_only_whole_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = make_batch(ticks=3)
    transport = made(tmp_path, batch)
    transport.connect()
    write(transport, batch.rows(0, 3))
    (one,) = transport._open.values()
    full = OSError(28, "No space left on device")

    def failing(table: Any) -> None:
        one._file.write(b"torn")
        raise full

    monkeypatch.setattr(one, "_stream", type("Full", (), {"write_table": failing, "close": print}))
    receipt = RecordingReceipt(3)
    with pytest.raises(TransportError, match="No space left"):
        transport.write(batch.rows(3, 6), receipt)
    assert receipt.left == 3
    transport.close()
    transport.connect()
    write(transport, batch.rows(3))
    transport.close()
    assert sorted(row["seq"] for row in rows(tmp_path)) == [0] * 3 + [1] * 3 + [2] * 3


def test_any_file_system_of_fsspec(tmp_path: Path) -> None:
    batch = make_batch()
    transport = made(tmp_path, batch, url="memory://bucket/readings/")
    transport.connect()
    write(transport, batch)
    transport.close()
    store = fsspec.filesystem("memory")
    (path,) = store.glob("/bucket/readings/date=2026-07-01/*.parquet")
    with store.open(path) as file:
        assert pq.read_table(file).num_rows == 3
    store.rm("/bucket", recursive=True)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"url": "nowhere://x"}, "nowhere"),
        ({"url": "bucket/x"}, "must begin with a scheme"),
        ({"url": "s3://"}, "must name a place after the scheme"),
        ({"url": "ftp://me:secret@host/x"}, "use access_key and secret_key"),
        ({"file_s": 7}, "must divide 86400"),
    ],
)
def test_wrong_settings_are_errors(tmp_path: Path, settings: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        made(tmp_path, make_batch(), **settings)


class TestContract(TransportContract):
    transport = Parquet

    def target(self, tmp_path: Path) -> Mapping[str, Any]:
        return {"path": str(tmp_path / "out"), "journal": str(tmp_path / "journal")}

    def received(self, tmp_path: Path) -> list[bytes]:
        found = sorted(rows(tmp_path), key=lambda row: (row["seq"], row["der_id"]))
        return [f"{r['der_id']}@{round(r['timestamp'].timestamp() * 1000)}".encode() for r in found]

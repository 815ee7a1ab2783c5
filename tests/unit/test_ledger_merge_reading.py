"""Commands that read a ledger print the same of a merged one as of the run without shards."""

from __future__ import annotations

import shutil
from io import StringIO
from pathlib import Path

import pytest

from gridsim.ledger import Reader, merge_ledgers, query
from gridsim.ledger.export import export, write_csv
from gridsim.ledger.reductions import read_reductions
from gridsim.report import write_report
from gridsim.text.reductions import report_lines
from gridsim.verify import VerifyOptions, VerifyReport, verify
from tests.fixtures.shards import mixed_run


@pytest.fixture(scope="module")
def ledgers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The ledger of the run, and the merged one of its shards, with the same name."""
    whole, merged = (tmp_path_factory.mktemp(name) / "run.sqlite" for name in ("one", "merged"))
    shutil.copy(mixed_run().whole, whole)
    merge_ledgers(mixed_run().parts, merged)
    return whole, merged


def _captured(folder: Path) -> list[Path]:
    """Write the messages of each shard to a file."""
    files = []
    for shard, lines in enumerate(mixed_run().lines):
        files.append(folder / f"file-{shard}-of-3.jsonl")
        files[-1].write_bytes(b"".join(line + b"\n" for line in lines))
    return files


def _verify(ledger: Path, files: list[Path]) -> VerifyReport:
    return verify(VerifyOptions(ledger=ledger, files=tuple(map(str, files))), lambda _: None)


def test_report_prints_and_draws_the_same(ledgers: tuple[Path, Path]) -> None:
    texts = []
    for path in ledgers:
        write_report(path, path.with_suffix(".html"), [])
        lines = [*report_lines(read_reductions(path)), path.with_suffix(".html").read_text("utf-8")]
        texts.append("\n".join(lines).replace(str(path.parent), ""))
    assert texts[0] == texts[1]


def test_export_and_query_give_the_same(ledgers: tuple[Path, Path]) -> None:
    exports, found = [], []
    for path in ledgers:
        with Reader(path) as reader:
            export(reader, path.with_suffix(".csv"))
        exports.append(path.with_suffix(".csv").read_bytes())
        text = StringIO()
        for view in ("truth", "messages", "affected", "settled", "settlement"):
            with query(path, f"SELECT * FROM {view}") as answer:
                write_csv(text, answer.rows)
        found.append(text.getvalue())
    assert exports[0] == exports[1]
    assert found[0] == found[1]


def test_verify_explains_the_messages_of_all_shards(
    ledgers: tuple[Path, Path], tmp_path: Path
) -> None:
    files = _captured(tmp_path)
    whole, merged = (_verify(ledger, files).as_json() for ledger in ledgers)
    assert merged["outcome"] == "passed"
    for report in (whole, merged):
        del report["run"], report["ledger"]
    assert whole == merged


def test_verify_names_a_reading_that_one_shard_lacks(
    ledgers: tuple[Path, Path], tmp_path: Path
) -> None:
    files = _captured(tmp_path)
    lines = files[1].read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if b'"HOME_4_PV"' not in line or b"12:00:25.000Z" not in line]
    assert len(kept) == len(lines) - 1
    files[1].write_bytes(b"".join(kept))
    report = _verify(ledgers[1], files)
    assert report.outcome == "failed"
    assert report.as_json()["unexplained"] == 1
    assert "missing HOME_4_PV 2026-07-01T12:00:25" in "\n".join(report.lines())

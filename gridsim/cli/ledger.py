"""Commands for ledgers: SQL over one, its readings as a file, and those of shards as one."""

from __future__ import annotations

import io
from itertools import islice
from pathlib import Path
from typing import Annotated, Optional

import typer

from gridsim.cli.app import app
from gridsim.cli.help import LEDGER, GroupedCommand
from gridsim.cli.shared import configure_logs, report_errors, terminating
from gridsim.cli.terminal import print_out

LedgerFile = Annotated[Path, typer.Argument(help="The ledger of a run.", metavar="LEDGER")]

QuoteFormulas = Annotated[
    bool,
    typer.Option(
        "--quote-formulas",
        help="Put an apostrophe before texts in the CSV that spreadsheets take for formulas.",
    ),
]

_ROWS = 10_000


@app.command(cls=GroupedCommand, rich_help_panel=LEDGER)
def query(
    ledger: LedgerFile,
    sql: Annotated[
        Optional[str],  # noqa: UP045
        typer.Argument(
            metavar="SQL", help="A SELECT; without it, the tables and their columns are printed."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON Lines instead of CSV with a header.")
    ] = False,
    quote_formulas: QuoteFormulas = False,
) -> None:
    """Run a SQL query on a ledger.

    The views truth, messages and affected have a row for each reading. For example:
    "SELECT der_id, max(current_output) FROM truth GROUP BY der_id"
    """
    with report_errors():
        from gridsim.ledger.export import write_csv, write_json
        from gridsim.ledger.query import describe
        from gridsim.ledger.query import query as run_query

        if sql is None:
            print_out("\n".join(describe(ledger)))
            return
        with run_query(ledger, sql) as found:
            text = io.StringIO()
            if not as_json:
                write_csv(text, [found.columns])
            while rows := list(islice(found.rows, _ROWS)):
                if as_json:
                    write_json(text, found.columns, rows)
                else:
                    write_csv(text, rows, quote_formulas=quote_formulas)
                print_out(text.getvalue().removesuffix("\n"))
                text = io.StringIO()
            if text.getvalue():
                print_out(text.getvalue().removesuffix("\n"))


@app.command(cls=GroupedCommand, rich_help_panel=LEDGER)
def export(
    ledger: LedgerFile,
    to: Annotated[
        Path, typer.Option("--to", metavar="FILE", help="A new .csv, .jsonl or .parquet file.")
    ],
    quote_formulas: QuoteFormulas = False,
) -> None:
    """Write the readings of a ledger to a file, as sent and with the true values."""
    with report_errors():
        from gridsim.ledger import Reader
        from gridsim.ledger.export import export as run_export

        with Reader(ledger) as reader:
            written = run_export(reader, to, quote_formulas=quote_formulas)
        print_out(f"{to}: {written:,} readings")


@app.command(cls=GroupedCommand, rich_help_panel=LEDGER)
def merge(
    ledgers: Annotated[
        list[Path],
        typer.Argument(metavar="LEDGER...", help="The ledgers of all shards of one run."),
    ],
    to: Annotated[Path, typer.Option("--to", "-o", metavar="FILE", help="The new ledger.")],
    force: Annotated[
        bool, typer.Option("--force", help="Replace the ledger if it exists.")
    ] = False,
) -> None:
    """Merge the ledgers of the shards of a run into one.

    It is the ledger that the run would have written without shards; query, export, report and
    verify read it. For example: gridsim merge ledger-shard-*.sqlite -o run.sqlite
    """
    configure_logs("warning", False)
    with report_errors():
        from loguru import logger

        from gridsim.ledger import merge_ledgers

        with terminating():
            merged = merge_ledgers(ledgers, to, overwrite=force, way="use --force")
        for doubt in merged.doubts:
            logger.warning("{} is incomplete: {}", to, doubt)
        print_out(
            f"{to}: {merged.shards:,} shards, {merged.projects:,} projects, "
            f"{merged.devices:,} DERs, {merged.readings:,} readings"
        )

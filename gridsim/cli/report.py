"""The command that reports the reductions of events from a ledger."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from gridsim.cli.app import app
from gridsim.cli.help import LEDGER, GroupedCommand
from gridsim.cli.shared import configure_logs, report_errors
from gridsim.cli.terminal import print_out


@app.command(cls=GroupedCommand, rich_help_panel=LEDGER)
def report(
    ledger: Annotated[Path, typer.Argument(metavar="LEDGER", help="The ledger of the run.")],
    csv: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            "--csv", metavar="PATH", help="Write a line for each event and project to this file."
        ),
    ] = None,
    quote_formulas: Annotated[
        bool,
        typer.Option(
            "--quote-formulas",
            help="Put an apostrophe before ids in the CSV that spreadsheets take for formulas.",
        ),
    ] = False,
    html: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            "-o", "--html", metavar="PATH", help="Write one page with pictures to this file."
        ),
    ] = None,
    verify: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            metavar="PATH", help="With -o: show the differences of this output of verify --json."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False,
) -> None:
    """Print the settled and the true reduction of each event, and draw the run.

    The page of -o needs no network. It shows the fleet's power, each event, faults, transports and
    the differences that verify found, and contains their tables.
    """
    configure_logs("error", False)
    with report_errors():
        import json

        from gridsim.errors import UsageError
        from gridsim.ledger.reductions import read_reductions, write_csv
        from gridsim.text.reductions import report_lines

        if verify is not None and html is None:
            raise UsageError("--verify: error: needs -o PATH")
        found = read_reductions(ledger)
        if csv is not None:
            write_csv(found, csv, quote_formulas=quote_formulas)
        if html is not None:
            from gridsim.report import write_report

            write_report(ledger, html, _verified(ledger, verify))
        print_out(
            json.dumps(found.as_json(), indent=2) if as_json else "\n".join(report_lines(found))
        )


def _verified(ledger: Path, path: Path | None) -> list[str]:
    """Return the sections with the differences that verify found."""
    if path is None:
        return []
    from gridsim.ledger import Reader
    from gridsim.verify.page.result import differences, read_result, verdict

    with Reader(ledger) as reader:
        result = read_result(path, str(reader.meta["run"]))
    return [*verdict(result, "h3"), *differences(result)]

"""The command that checks a user's system against named days."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from gridsim.cli.app import app
from gridsim.cli.help import LEDGER, GroupedCommand
from gridsim.cli.progress import reporter
from gridsim.cli.shared import Plugins, configure_logs, report_errors, terminating
from gridsim.cli.terminal import print_out


@app.command(cls=GroupedCommand, rich_help_panel=LEDGER)
def check(
    system: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Argument(metavar="SYSTEM", help="The TOML file that describes your system."),
    ] = None,
    only: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(metavar="DAY", help="Run only this day; repeatable."),
    ] = None,
    junit: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="PATH", help="Write the results as JUnit XML to this file."),
    ] = None,
    keep: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            metavar="FOLDER",
            help="Keep the ledger, the exports, the output of commands and a page of the "
            "differences of each day in this folder.",
        ),
    ] = None,
    plugin: Plugins = None,
    list_days: Annotated[
        bool, typer.Option("--list", help="List the days that are shipped.")
    ] = False,
) -> None:
    """Run named days against your system, and compare what it holds with the truth.

    Exit with 4 if a promise is broken, with 1 if a day could not be checked.
    """
    configure_logs("error", False)
    with report_errors():
        from gridsim.errors import GridsimError, UsageError

        if list_days:
            from gridsim.check.listing import list_lines

            print_out("\n".join(list_lines()))
            return
        if system is None:
            raise UsageError(
                "gridsim check: error: name the file that describes your system; "
                "docs/report-card.md shows one, and --list the days"
            )
        from gridsim.check import CheckOptions
        from gridsim.check import check as run_check
        from gridsim.check.junit import check_junit, write_junit
        from gridsim.check.table import card_lines

        if junit is not None:
            check_junit(junit)
        options = CheckOptions(system, tuple(only or ()), keep, tuple(plugin or ()))
        with terminating(), reporter() as progress:
            card = run_check(options, progress, progress.say)
        print_out("\n".join(card_lines(card)))
        status = card.exit_status
        if junit is not None:
            try:
                write_junit(card, junit)
            except GridsimError as error:
                # A broken promise stays the status.
                print(error, file=sys.stderr)
                status = status or error.exit_status
        if status:
            raise typer.Exit(status)

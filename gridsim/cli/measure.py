"""Commands that measure a broker and gridsim, or compare received readings with a ledger."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from gridsim.cli.app import app
from gridsim.cli.help import DATA, LEDGER, OWN, TOLERANCES, GroupedCommand
from gridsim.cli.progress import reporter
from gridsim.cli.shared import (
    Config,
    Overrides,
    Plugins,
    RunName,
    configure_logs,
    given_to,
    options_of,
    report_errors,
)
from gridsim.cli.terminal import print_out


@app.command(cls=GroupedCommand, rich_help_panel=OWN)
def bench(
    context: typer.Context,
    config: Config = None,
    plugin: Plugins = None,
    set_: Overrides = None,
    seconds: Annotated[
        float, typer.Option(metavar="N", help="Seconds of readings that each measurement sends.")
    ] = 10.0,
    runs: Annotated[
        int, typer.Option(metavar="N", help="Number of rounds; medians are printed.")
    ] = 5,
    ramp: Annotated[
        bool, typer.Option("--ramp", help="Find the largest fleet that holds its rate.")
    ] = False,
    ramp_seconds: Annotated[
        float,
        typer.Option(
            metavar="N", help="With --ramp: seconds for which a fleet must hold its rate."
        ),
    ] = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print all figures as JSON.")] = False,
) -> None:
    """Measure a broker, and gridsim beside a raw socket and plain paho.

    Without --config: 10,000 DERs, or 1,000 on the embedded broker.
    """
    configure_logs("error", False)
    with report_errors():
        import json

        from gridsim.bench import BenchOptions
        from gridsim.bench import bench as run_bench
        from gridsim.bench.report import lines

        given = given_to(context, config, plugin, set_)
        options = BenchOptions(
            config=given.config,
            overrides=given.overrides,
            plugins=given.plugins,
            seconds=seconds,
            runs=runs,
            ramp=ramp,
            ramp_seconds=ramp_seconds,
        )
        try:
            with reporter() as progress:
                report = run_bench(options, progress.say, progress)
        except KeyboardInterrupt:
            raise typer.Exit(130) from None
        print_out(json.dumps(report.as_json(), indent=2) if as_json else "\n".join(lines(report)))


@app.command(cls=GroupedCommand, rich_help_panel=LEDGER)
def verify(
    context: typer.Context,
    ledger: Annotated[Path, typer.Argument(metavar="LEDGER", help="The ledger of the run.")],
    files: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(
            metavar="FILE",
            help="Readings exported from your system: JSON Lines, CSV with a header or Parquet, "
            "also .gz; - is standard input.",
        ),
    ] = None,
    subscribe: Annotated[
        bool,
        typer.Option("--subscribe", help="Subscribe to the broker of --config during a run."),
    ] = False,
    config: Config = None,
    plugin: Plugins = None,
    set_: Overrides = None,
    run: RunName = None,
    quiet: Annotated[
        str,
        typer.Option(
            metavar="TIME", help="With --subscribe: stop when no message has arrived for this long."
        ),
    ] = "2s",
    transport: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            metavar="NAME",
            help="The transport that your data came from, if the run had several.",
            rich_help_panel=DATA,
        ),
    ] = None,
    field: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            metavar="FIELD=NAME",
            help="Your name for a field, for example der_id=device; repeatable.",
            rich_help_panel=DATA,
        ),
    ] = None,
    received_at: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            metavar="NAME",
            help="Your field with the time at which a reading arrived.",
            rich_help_panel=DATA,
        ),
    ] = None,
    unordered: Annotated[
        bool,
        typer.Option(
            "--unordered", help="Your data is not in the order of arrival.", rich_help_panel=DATA
        ),
    ] = False,
    expect: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            metavar="FILE", help="Your settlement, a CSV: event, project_id, reduction_kwh, ..."
        ),
    ] = None,
    tolerance_kwh: Annotated[
        float,
        typer.Option(
            metavar="KWH", help="Tolerance of a reduction, kWh.", rich_help_panel=TOLERANCES
        ),
    ] = 0.01,
    tolerance_s: Annotated[
        float,
        typer.Option(
            metavar="N",
            help="Tolerance of the start and end of a violation, seconds.",
            rich_help_panel=TOLERANCES,
        ),
    ] = 1.0,
    tolerate: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="Number of unexplained differences to tolerate.",
            rich_help_panel=TOLERANCES,
        ),
    ] = 0,
    time_tolerance: Annotated[
        str,
        typer.Option(
            metavar="TIME",
            help="Accept times that differ by up to this, for example 1s if your system keeps "
            "whole seconds. Each reading must still be present once.",
            rich_help_panel=TOLERANCES,
        ),
    ] = "0s",
    assume_zone: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            metavar="NAME",
            help="Time zone of times without an offset, such as Europe/Berlin.",
            rich_help_panel=DATA,
        ),
    ] = None,
    decimal: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            metavar="MARK",
            help="The decimal mark of your CSV, . or ,; recognised if it is not given.",
            rich_help_panel=DATA,
        ),
    ] = None,
    loose_types: Annotated[
        bool,
        typer.Option(
            "--loose-types",
            help="In JSON, accept numbers and booleans that are written as text.",
            rich_help_panel=DATA,
        ),
    ] = False,
    arrival_only: Annotated[
        bool,
        typer.Option(
            "--arrival-only",
            help="Your data has no values: compare only which readings arrived.",
            rich_help_panel=DATA,
        ),
    ] = False,
    html: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            "--html",
            metavar="PATH",
            help="Write one page to this file: the differences, and true, reported and stored "
            "values as pictures.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Compare the readings in your system with the ledger of a run; exit with 4 if they differ."""
    configure_logs("error", False)
    with report_errors():
        import json

        from gridsim.errors import NotHeldError, UsageError
        from gridsim.running.durations import seconds
        from gridsim.running.plan import DEFAULT_CONFIG
        from gridsim.verify import VerifyOptions
        from gridsim.verify import verify as run_verify

        given = given_to(context, config, plugin, set_)
        for flag, value in (("--config", given.config), ("--run", run)):
            if value is not None and not subscribe:
                raise UsageError(f"{flag}: error: needs --subscribe")
        listen = None
        if subscribe:
            given = given.of_run(run)
            config = given.config or DEFAULT_CONFIG
            listen = options_of(config, given.plugins, given.overrides, run=run)
        options = VerifyOptions(
            ledger=ledger,
            files=tuple(files or ()),
            subscribe=listen,
            quiet_s=seconds(quiet, "--quiet"),
            transport=transport,
            fields=tuple(field or ()),
            received_at=received_at,
            unordered=unordered,
            expect=expect,
            tolerance_kwh=tolerance_kwh,
            tolerance_s=tolerance_s,
            tolerate=tolerate,
            loose=loose_types,
            decimal=decimal,
            time_tolerance_s=seconds(time_tolerance, "--time-tolerance"),
            assume_zone=assume_zone,
            arrival_only=arrival_only,
            html=html,
        )
        with reporter() as progress:
            report = run_verify(options, progress.say, progress)
        print_out(json.dumps(report.as_json(), indent=2) if as_json else "\n".join(report.lines()))
        if not report.passed:
            raise typer.Exit(NotHeldError.exit_status)

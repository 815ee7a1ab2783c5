"""The command that sends a command to devices of a run."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from gridsim.cli.app import app
from gridsim.cli.help import RUNNING, GroupedCommand
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


# Without this setting, -3 would be parsed as an option.
@app.command(
    cls=GroupedCommand,
    rich_help_panel=RUNNING,
    context_settings={"ignore_unknown_options": True},
)
def send(
    context: typer.Context,
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET",
            help="A der_id or project_id; for events and faults also a pattern, such as HOME_*.",
        ),
    ],
    command: Annotated[
        str,
        typer.Argument(
            metavar="COMMAND",
            help="set_power, limit_power, limit_export, limit_import, target_soc, connect, "
            "disconnect, call_event, cancel_event, inject_fault or clear_fault.",
        ),
    ],
    value: Annotated[
        Optional[str],  # noqa: UP045
        typer.Argument(
            metavar="VALUE",
            help="Value in kW or %; positive power feeds the site. Or the id of an event or fault.",
        ),
    ] = None,
    keys: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            "--key",
            metavar="KEY=VALUE",
            help="A key of [[events]] or [[faults]], such as target_kw=2; repeatable.",
        ),
    ] = None,
    unit: Annotated[Optional[str], typer.Option(metavar="UNIT", help='"kW" or "%".')] = None,  # noqa: UP045
    start: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            metavar="TIME",
            help="Simulated start, such as 2026-07-01T12:00:00Z; without it, at once.",
        ),
    ] = None,
    duration: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            metavar="TIME", help="Duration: 30s, 10m, 2h; without it, until the next command."
        ),
    ] = None,
    ramp: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="TIME", help="Time over which the power moves to the value: 10s, 5m."),
    ] = None,
    periods: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            metavar="START:VALUE,...",
            help="Values over time instead of VALUE, such as 0:3.0,10m:1.5; each START is the time "
            "since the command's start.",
        ),
    ] = None,
    stack_level: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(
            metavar="N",
            help="Level among several commands of a kind, 0 to 9; the highest applies; "
            "without it, 0.",
        ),
    ] = None,
    id_: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--id", metavar="ID", help="The command's id; without it, a new one."),
    ] = None,
    wait: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            metavar="TIME", help="Also wait this long for completion; exit with 4 if not completed."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the acknowledgements as JSON lines.")
    ] = False,
    config: Config = None,
    plugin: Plugins = None,
    set_: Overrides = None,
    run: RunName = None,
) -> None:
    """Send a command, an event call or a fault to a run, by the first source of its
    configuration.

    Exit status: 0 accepted, 1 no answer, 2 invalid command, 3 no connection,
    4 rejected or superseded.
    """
    configure_logs("warning", False)
    with report_errors():
        from gridsim.cli.sending import CommandLine, line_of
        from gridsim.cli.sending import send as send_command
        from gridsim.running.plan import make_plan

        given = given_to(context, config, plugin, set_).of_run(run)
        options = options_of(given.config, given.plugins, given.overrides, run=run)
        plan = make_plan(options, files="none")
        args = CommandLine(
            target, command, value, unit, start, duration, ramp, id_, tuple(keys or ()), periods,
            stack_level,
        )  # fmt: skip
        send_command(plan, args, wait, lambda answer: print_out(line_of(answer, as_json)))

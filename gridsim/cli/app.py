"""The command itself: a run. Heavy parts are imported when a command needs them."""

from __future__ import annotations

import os
import sys
from typing import Annotated, NoReturn, Optional

import typer

from gridsim.cli.shared import (
    Config,
    Given,
    Overrides,
    Plugins,
    configure_logs,
    errors_told,
    options_of,
)
from gridsim.cli.terminal import escape_what_cannot_be_shown, flush_all, print_out
from gridsim.version import __version__

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def run(
    context: typer.Context,
    config: Config = None,
    duration: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="How long to simulate: 10s, 5m, 2h, 1d; without it, until Ctrl-C."),
    ] = None,
    speed: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="1 is real time, 60 a minute per second, 0 as fast as it can."),
    ] = None,
    seed: Annotated[Optional[int], typer.Option(help="Seed of all random numbers.")] = None,  # noqa: UP045
    start: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help='Simulated start: "now", or a time such as 2026-07-01T00:00:00-03:00.'),
    ] = None,
    plugin: Plugins = None,
    set_: Overrides = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, print the plan, connect nothing.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 4 if the promised rate was not held.")
    ] = False,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
    log_json: Annotated[bool, typer.Option("--log-json", help="Log JSON lines.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Puts a believable fleet of distributed energy resources on your message broker."""
    escape_what_cannot_be_shown()
    if version:
        with errors_told():
            print_out(f"gridsim {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is not None:
        # So that `gridsim --config X validate` means what it says.
        _refuse_options_of_a_run(context, context.invoked_subcommand)
        context.obj = Given(config, tuple(plugin or ()), tuple(set_ or ()))
        return
    configure_logs(log_level, log_json)
    with errors_told():
        from gridsim.errors import UsageError
        from gridsim.running.plan import make_plan

        plan = make_plan(
            options_of(config, plugin, set_, duration=duration, speed=speed, seed=seed, start=start)
        )
        if dry_run:
            from gridsim.text.plan import plan_lines

            print_out("\n".join(plan_lines(plan)))
            raise typer.Exit
        if strict and not plan.configuration.simulation.speed:
            raise UsageError("--strict: error: at speed 0 no rate is promised")
        from gridsim.cli.supervise import supervise

        ending = supervise(plan, strict=strict)
    _leave(ending.status, ending.hung)


def _refuse_options_of_a_run(context: typer.Context, name: str) -> None:
    """None may be dropped in silence."""
    subcommand = getattr(context.command, "commands")[name]  # noqa: B009 - a group's; untyped
    taken = {parameter.name for parameter in subcommand.params}
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if source is not None and source.name == "COMMANDLINE" and parameter.name not in taken:
            print(f"{parameter.opts[0]} goes with a run, not with {name}", file=sys.stderr)
            raise typer.Exit(2)


def _leave(status: int, hung: bool) -> NoReturn:
    flush_all()
    if hung:
        # A plugin's thread never returns; leaving in the ordinary way would wait for it.
        os._exit(status)
    raise typer.Exit(status)

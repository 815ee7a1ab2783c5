"""The command `gridsim`, which starts a run. Large modules are imported when a command needs
them.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn, Optional

import typer

from gridsim.cli.help import CHECKS, RUN, SHOWN, TIME
from gridsim.cli.shared import (
    Config,
    Given,
    Overrides,
    Plugins,
    Seed,
    configure_logs,
    options_of,
    report_errors,
)
from gridsim.cli.terminal import escape_unencodable, flush_all, print_out
from gridsim.cli.ui import Ui, UiChoice
from gridsim.cli.web import NoWeb, Web, WebChoice, WebGroup
from gridsim.version import __version__

app = typer.Typer(
    cls=WebGroup,
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
        typer.Option(
            metavar="TIME",
            help="Simulated time to run: 90, 10s, 5m, 1h30m, 1d; without it, that of the "
            "configuration, or until Ctrl-C.",
            rich_help_panel=TIME,
        ),
    ] = None,
    speed: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(
            metavar="FACTOR",
            help="1 is real time, 60 is a minute per second, 0 is as fast as possible.",
            rich_help_panel=TIME,
        ),
    ] = None,
    seed: Seed = None,
    start: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            metavar="TIME",
            help='Simulated start: "now", a time such as 2026-07-01T12:00:00-03:00, or a date, '
            "which means midnight at the site.",
            rich_help_panel=TIME,
        ),
    ] = None,
    epoch: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            metavar="TIME",
            help='Real time at which the first tick is due; "start": the simulated start.',
            rich_help_panel=TIME,
        ),
    ] = None,
    until: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            metavar="TIME",
            help='Simulated end, instead of --duration; "now": run as fast as possible until the '
            "present, then at the speed.",
            rich_help_panel=TIME,
        ),
    ] = None,
    transport: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            metavar="TYPE",
            help="Use one transport of this type only: stdout, file, mqtt.",
            rich_help_panel=RUN,
            autocompletion=lambda: ["stdout", "file", "mqtt"],
        ),
    ] = None,
    plugin: Plugins = None,
    set_: Overrides = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Check everything, print the plan, connect to nothing.",
            rich_help_panel=CHECKS,
        ),
    ] = False,
    repeat: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            metavar="LEDGER",
            help="Repeat the run of a ledger, with its seed, start, ticks and instructions.",
            rich_help_panel=RUN,
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Continue the run that was killed, from its last checkpoint; without one, start "
            "a new run.",
            rich_help_panel=RUN,
        ),
    ] = False,
    shard: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            metavar="INDEX/COUNT",
            help="Run one of COUNT parts of the projects, numbered from 0, such as 0/4; other "
            "processes run the others.",
            rich_help_panel=RUN,
        ),
    ] = None,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Exit with 4 if the run did not hold its rate, or lost readings at QoS 0.",
            rich_help_panel=CHECKS,
        ),
    ] = False,
    ui: Ui = "auto",
    web: Web = None,
    no_web: NoWeb = False,
    log_level: Annotated[
        str,
        typer.Option(
            metavar="LEVEL",
            help="debug, info, warning or error.",
            rich_help_panel=SHOWN,
            autocompletion=lambda: ["debug", "info", "warning", "error"],
        ),
    ] = "info",
    log_json: Annotated[
        bool, typer.Option("--log-json", help="Log JSON lines.", rich_help_panel=SHOWN)
    ] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Put a believable fleet of distributed energy resources on your message broker."""
    escape_unencodable()
    if version:
        with report_errors():
            print_out(f"gridsim {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is not None:
        # `gridsim --config X validate` passes X to `validate`.
        _refuse_options_of_a_run(context, context.invoked_subcommand)
        # A command may change it. The log that loguru begins with shows values, such as secrets.
        configure_logs("info", False)
        context.obj = Given(config, tuple(plugin or ()), tuple(set_ or ()))
        return
    configure_logs(log_level, log_json)
    with report_errors():
        from gridsim.running.plan import make_plan

        choice = UiChoice(ui, log_json=log_json)
        page = WebChoice(web, no_web)
        options = options_of(
            config,
            plugin,
            set_,
            duration=duration,
            speed=speed,
            seed=seed,
            start=start,
            epoch=epoch,
            until=until,
            transport=transport,
            views={**choice.views, **page.views},
            without_views=page.without,
            resume=resume,
            shard=shard,
        )
        if repeat is None:
            plan = make_plan(options)
        else:
            from gridsim.running.repeat import make_repeat_plan

            plan = make_repeat_plan(options, repeat)
        if dry_run:
            from gridsim.running.shards.opening import check_shards
            from gridsim.text.plan import plan_lines

            check_shards(plan)
            print_out("\n".join(plan_lines(plan)))
            raise typer.Exit
        from gridsim.cli.supervise import supervise

        ending = supervise(choice.applied(plan), strict=strict, lines=choice.has_lines)
    leave(ending.status, ending.hung)


def _refuse_options_of_a_run(context: typer.Context, name: str) -> None:
    """Exit with 2 if an option before a subcommand is not one of its options."""
    subcommand = getattr(context.command, "commands")[name]  # noqa: B009 - a group's; untyped
    # `send` has its own --duration and `verify` its own --transport: only these are passed on.
    accepted = {parameter.name for parameter in subcommand.params} & {"config", "plugin", "set_"}
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if source is not None and source.name == "COMMANDLINE" and parameter.name not in accepted:
            print(f"{parameter.opts[0]} is an option of a run, not of {name}", file=sys.stderr)
            raise typer.Exit(2)


def leave(status: int, hung: bool) -> NoReturn:
    """Exit with a status, even if a plugin's thread is still busy."""
    flush_all()
    if hung:
        # A plugin's thread never returns, and an ordinary exit would wait for it.
        os._exit(status)
    raise typer.Exit(status)

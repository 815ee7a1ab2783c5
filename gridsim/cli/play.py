"""The command that publishes a recording."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from gridsim.cli.app import app, leave
from gridsim.cli.help import DATA, LEDGER, TIME, GroupedCommand
from gridsim.cli.progress import reporter
from gridsim.cli.shared import (
    Config,
    Overrides,
    Plugins,
    configure_logs,
    given_to,
    report_errors,
)


@app.command(cls=GroupedCommand, rich_help_panel=LEDGER)
def play(
    context: typer.Context,
    recording: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="A ledger, or readings as JSON Lines or CSV with a header, also .gz.",
        ),
    ],
    config: Config = None,
    plugin: Plugins = None,
    set_: Overrides = None,
    transport: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="TYPE", help="Use one transport of this type only."),
    ] = None,
    speed: Annotated[
        float,
        typer.Option(
            metavar="FACTOR",
            help="1 is real time, 60 is a minute per second, 0 is as fast as possible.",
            rich_help_panel=TIME,
        ),
    ] = 1.0,
    loop: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="Number of times that it is played; 0: until Ctrl-C.",
            rich_help_panel=TIME,
        ),
    ] = 1,
    shift: Annotated[
        bool,
        typer.Option(
            "--shift",
            help="Move the timestamps so that the recording begins now.",
            rich_help_panel=TIME,
        ),
    ] = False,
    field: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            metavar="FIELD=NAME",
            help="The name of a field in the file, for example der_id=device; repeatable.",
            rich_help_panel=DATA,
        ),
    ] = None,
    assume_zone: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            metavar="NAME",
            help="Time zone of times without an offset; UTC without it.",
            rich_help_panel=DATA,
        ),
    ] = None,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict", help="Exit with 4 if the rate was not held, or readings lost at QoS 0."
        ),
    ] = False,
    log_level: Annotated[
        str, typer.Option(metavar="LEVEL", help="debug, info, warning or error.")
    ] = "info",
    log_json: Annotated[bool, typer.Option("--log-json", help="Log JSON lines.")] = False,
) -> None:
    """Publish recorded readings, or those of a ledger, by the transports of --config.

    Records are sent as they are in the file; --shift changes their timestamps only.
    """
    configure_logs(log_level, log_json)
    with report_errors():
        from loguru import logger

        from gridsim.cli.supervise import supervise
        from gridsim.play import PlayOptions, make_play_plan
        from gridsim.play.plan import course_lines
        from gridsim.running.plan import DEFAULT_CONFIG
        from gridsim.text.words import counted

        given = given_to(context, config, plugin, set_)
        options = PlayOptions(
            recording,
            config=given.config or DEFAULT_CONFIG,
            plugins=given.plugins,
            overrides=given.overrides,
            transport=transport,
            speed=speed,
            loops=loop,
            shift=shift,
            fields=tuple(field or ()),
            assume_zone=assume_zone,
        )
        with reporter() as progress:
            played = make_play_plan(options, progress)
        for line in course_lines(played, recording):
            logger.info("{}", line)
        survey = played.survey
        if survey.unreadable:
            logger.warning(
                "left out, because it cannot be read: {}; the first one, in {}",
                counted(survey.unreadable, "record"),
                survey.first_unreadable,
            )
        ending = supervise(played.plan, strict=strict)
    leave(ending.status, ending.hung)

"""The command that offers a run to an agent, over the Model Context Protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from gridsim.cli.app import app
from gridsim.cli.help import RUNNING, GroupedCommand
from gridsim.cli.shared import (
    Overrides,
    Plugins,
    RunName,
    configure_logs,
    given_to,
    report_errors,
)


@app.command(cls=GroupedCommand, rich_help_panel=RUNNING)
def mcp(
    context: typer.Context,
    config: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            "--config",
            "-c",
            metavar="FILE",
            help="The TOML file of a run to start; without it, attach to a run on this machine.",
        ),
    ] = None,
    plugin: Plugins = None,
    set_: Overrides = None,
    run: RunName = None,
    duration: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="TIME", help="With --config: simulated time to run, such as 1h."),
    ] = None,
    speed: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(
            metavar="FACTOR", help="With --config: 1 is real time, 60 a minute per second."
        ),
    ] = None,
    url: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="URL", help="The address of a run's page, here or elsewhere."),
    ] = None,
    token: Annotated[
        str,
        typer.Option(
            envvar="GRIDSIM_TOKEN", metavar="TEXT", help="The token of that page, if it has one."
        ),
    ] = "",
) -> None:
    """Offer a run to an agent over standard input and output (needs the extra mcp).

    Attaches to the run on this machine or to the run at --url. With --config it starts a run that
    ends with the agent's session.
    """
    configure_logs("warning", False)
    with report_errors():
        from contextlib import AbstractContextManager, nullcontext

        from gridsim.agent.attach import address_of, started
        from gridsim.agent.client import ApiClient
        from gridsim.agent.server import check_installed, serve
        from gridsim.errors import UsageError

        given = given_to(context, config, plugin, set_)
        if given.config is None and (duration is not None or speed is not None):
            raise UsageError("gridsim mcp: error: --duration and --speed need --config")
        if sum(one is not None for one in (given.config, run, url)) > 1:
            raise UsageError("gridsim mcp: error: give --config, --run or --url, not several")
        check_installed()
        attached: AbstractContextManager[str]
        if given.config is not None:
            words = ["--config", str(given.config), "--set", 'views=[{type="web",port=0}]']
            for flag, values in (("--plugin", given.plugins), ("--set", given.overrides)):
                words += [word for value in values for word in (flag, str(value))]
            for flag, value in (("--duration", duration), ("--speed", speed)):
                words += [] if value is None else [flag, str(value)]
            attached = started(words)
        else:
            attached = nullcontext(url if url is not None else address_of(run))
        with attached as address:
            client = ApiClient(address, token)
            client.get("status")
            serve(client)

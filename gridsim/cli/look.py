"""Commands that check a configuration and list the plugins and settings that it can use."""

from __future__ import annotations

import shutil
import sys
from typing import Annotated

import typer

from gridsim.cli.app import app
from gridsim.cli.shared import Config, Overrides, Plugins, given_to, options_of, report_errors
from gridsim.cli.terminal import print_out


@app.command()
def validate(
    context: typer.Context, config: Config = None, plugin: Plugins = None, set_: Overrides = None
) -> None:
    """Report every error of a configuration."""
    with report_errors():
        from gridsim.running.plan import make_plan
        from gridsim.text.estimates import shortfall_lines

        given = given_to(context, config, plugin, set_)
        plan = make_plan(options_of(given.config, given.plugins, given.overrides))
        print_out("\n".join((f"{plan.config}: no errors", *shortfall_lines(plan))))


@app.command()
def plugins(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(help="Show the settings of this plugin or table.")
    ] = None,
    config: Config = None,
    plugin: Plugins = None,
) -> None:
    """List the plugins and the tables of the configuration, or the settings of one."""
    with report_errors():
        from gridsim.config.tables.core import TABLES
        from gridsim.plugins import listing
        from gridsim.running.plan import find_plugins

        given = given_to(context, config, plugin)
        registry = find_plugins(given.config, given.plugins)
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        lines = (
            listing.overview(registry, TABLES, width)
            if name is None
            else listing.details(registry, name, TABLES, width)
        )
        print_out("\n".join(lines))


@app.command()
def schema(context: typer.Context, config: Config = None, plugin: Plugins = None) -> None:
    """Print the configuration's JSON Schema."""
    with report_errors():
        import json

        from gridsim.config.schema import build
        from gridsim.running.plan import find_plugins

        given = given_to(context, config, plugin)
        print_out(json.dumps(build(find_plugins(given.config, given.plugins)), indent=2))

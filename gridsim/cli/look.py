"""Commands that check a configuration and list the plugins and settings that it can use."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from gridsim.cli.app import app
from gridsim.cli.help import CONFIGURATION, GroupedCommand
from gridsim.cli.shared import Config, Overrides, Plugins, given_to, options_of, report_errors
from gridsim.cli.terminal import print_out
from gridsim.wholefile import whole_file


@app.command(cls=GroupedCommand, rich_help_panel=CONFIGURATION)
def validate(
    context: typer.Context, config: Config = None, plugin: Plugins = None, set_: Overrides = None
) -> None:
    """Report every error of a configuration."""
    with report_errors():
        from gridsim.running.plan import make_plan
        from gridsim.text.estimates import shortfall_lines
        from gridsim.text.plan import caveat_lines, example_lines

        given = given_to(context, config, plugin, set_)
        plan = make_plan(options_of(given.config, given.plugins, given.overrides))
        notes = (*caveat_lines(plan), *shortfall_lines(plan), *example_lines(plan))
        print_out("\n".join((f"{plan.config}: no errors", *notes)))


@app.command(cls=GroupedCommand, rich_help_panel=CONFIGURATION)
def plugins(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Show the settings of this plugin or table."),
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
        width = (
            shutil.get_terminal_size().columns
            if sys.__stdout__ is not None and sys.__stdout__.isatty()
            else None
        )
        lines = (
            listing.overview(registry, TABLES, width)
            if name is None
            else listing.details(registry, name, TABLES, width)
        )
        print_out("\n".join(lines))


@app.command(cls=GroupedCommand, rich_help_panel=CONFIGURATION)
def schema(
    context: typer.Context,
    config: Config = None,
    plugin: Plugins = None,
    scenario: Annotated[
        bool, typer.Option("--scenario", help="Print the schema of files of events and faults.")
    ] = False,
    system: Annotated[
        bool, typer.Option("--system", help="Print the schema of the file for gridsim check.")
    ] = False,
    write: Annotated[
        bool,
        typer.Option(
            "--write",
            help="Write all schemas to the folder of --config, or to the working folder.",
        ),
    ] = False,
) -> None:
    """Print the configuration's JSON Schema, or write it for editors."""
    with report_errors():
        import json

        from gridsim.check.schema import build_system
        from gridsim.config.schema import build, build_scenario
        from gridsim.errors import UsageError
        from gridsim.running.plan import find_plugins

        if scenario and system:
            raise UsageError("--system: error: choose --scenario or --system, not both")
        given = given_to(context, config, plugin)
        registry = find_plugins(given.config, given.plugins)
        if not write:
            chosen = build_scenario if scenario else build_system if system else build
            print_out(json.dumps(chosen(registry), indent=2))
            return
        folder = given.config.parent if given.config is not None else Path()
        for name, made, what in (
            ("gridsim.schema.json", build(registry), "a configuration"),
            ("gridsim-scenario.schema.json", build_scenario(registry), "a file of scenarios"),
            ("gridsim-system.schema.json", build_system(registry), "a file for gridsim check"),
        ):
            path = folder / name
            try:
                with whole_file(path) as new:
                    new.write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")
            except OSError as error:
                raise UsageError(f"{path}: error: cannot be written: {error.strerror}") from None
            print_out(f"{path} written; first line of {what} in this folder: #:schema ./{name}")

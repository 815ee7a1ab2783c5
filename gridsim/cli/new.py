"""The command that creates a new plugin."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gridsim.cli.app import app
from gridsim.cli.help import OWN, GroupedCommand
from gridsim.cli.shared import report_errors
from gridsim.cli.terminal import print_out

if TYPE_CHECKING:
    from gridsim.templates.plugin import NewPlugin

_KINDS = (
    "der", "transport", "format", "weather", "load", "baseline", "source", "fault", "view",
    "probe",
)  # fmt: skip


@app.command(cls=GroupedCommand, rich_help_panel=OWN)
def new(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help=f"{', '.join(_KINDS[:-1])} or {_KINDS[-1]}.",
            autocompletion=lambda: list(_KINDS),
        ),
    ],
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="The type that configurations name, such as ice_rink."),
    ],
    single_file: Annotated[
        bool, typer.Option("--single-file", help="Write one file instead of a package.")
    ] = False,
    into: Annotated[
        Path,
        typer.Option(metavar="FOLDER", help="The folder to put it in.", show_default=False),
    ] = Path(),
) -> None:
    """Write a new plugin: a package with its contract test, or one file.

    It works unchanged: install it, run its tests, list it, and run the configuration beside it.
    """
    with report_errors():
        from gridsim.running.plan import find_plugins
        from gridsim.templates.plugin import new_plugin

        plugin = new_plugin(kind, name, find_plugins(None, ()), single_file=single_file)
        plugin.write(into)
        print_out("\n".join(_next_steps(plugin, into, single_file)))


def _next_steps(plugin: NewPlugin, into: Path, single_file: bool) -> list[str]:
    from gridsim.templates.plugin import TITLES

    root = into / plugin.root
    title = TITLES[plugin.kind]
    what = f"{title[:1].lower()}{title[1:]}"
    if single_file:
        return [
            f"{root} written: {what}. A configuration loads it with a path relative to itself:",
            "  [simulation]",
            f'  plugins = ["./{plugin.root}"]',
            "Show its settings:",
            f"  gridsim plugins {plugin.name} --plugin {shlex.quote(str(root))}",
        ]
    place = shlex.quote(str(root))
    config = shlex.quote(str(root / f"{plugin.name}.toml"))
    return [
        f"{root} written: {what}, its tests and a configuration. Next:",
        f"  pip install -e {place}",
        f"  pytest {place}",
        f"  gridsim plugins {plugin.name}",
        f"  gridsim --config {config} --duration 10s",
    ]

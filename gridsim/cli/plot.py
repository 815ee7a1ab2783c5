"""The command that draws a day of a configuration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from gridsim.cli.app import app
from gridsim.cli.help import FIRST_STEPS, SHOWN, TIME, GroupedCommand
from gridsim.cli.shared import (
    Config,
    Overrides,
    Plugins,
    Seed,
    configure_logs,
    given_to,
    report_errors,
)
from gridsim.cli.terminal import print_out
from gridsim.wholefile import check_writable, whole_file

if TYPE_CHECKING:
    from gridsim.plot.day import Day

_SUFFIXES = (".svg", ".png", ".pdf")
_THEMES = ("light", "dark")


@app.command(cls=GroupedCommand, rich_help_panel=FIRST_STEPS)
def plot(
    context: typer.Context,
    file: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Argument(metavar="CONFIG", help="The TOML file, like --config."),
    ] = None,
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Write a picture: .svg, or .png or .pdf (extra plot). Without it, it is text.",
            rich_help_panel=SHOWN,
        ),
    ] = None,
    ders: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            metavar="PATTERN",
            help="Draw these DERs, such as HOME_1_*; repeatable.",
            rich_help_panel=SHOWN,
        ),
    ] = None,
    projects: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            metavar="PATTERN", help="Draw these projects; repeatable.", rich_help_panel=SHOWN
        ),
    ] = None,
    types: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            metavar="TYPE",
            help="Draw DERs that report this type, such as solar; repeatable.",
            rich_help_panel=SHOWN,
        ),
    ] = None,
    theme: Annotated[
        str,
        typer.Option(
            metavar="light|dark",
            help="Background of a picture.",
            rich_help_panel=SHOWN,
            autocompletion=lambda: list(_THEMES),
        ),
    ] = "light",
    duration: Annotated[
        str,
        typer.Option(metavar="TIME", help="Simulated time: 6h, 1d, 7d.", rich_help_panel=TIME),
    ] = "1d",
    start: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            metavar="TIME",
            help="Simulated start, as for a run; a date means midnight at the site.",
            rich_help_panel=TIME,
        ),
    ] = None,
    seed: Seed = None,
    config: Config = None,
    plugin: Plugins = None,
    set_: Overrides = None,
) -> None:
    """Draw a day of a configuration, without any transport.

    It shows power by type, load, net consumption, events and state of charge, as text or as a
    picture. If the ticks are too short to be visible, it simulates longer ticks; --set
    simulation.tick_s=1 prevents that.
    """
    configure_logs("warning", False)
    with report_errors():
        from gridsim.errors import UsageError
        from gridsim.plot.day import PlotChoice, simulate_day
        from gridsim.plot.raster import check_installed
        from gridsim.running.plan import DEFAULT_CONFIG

        given = given_to(context, config, plugin, set_)
        if file is not None and given.config is not None:
            raise UsageError("gridsim plot: error: give CONFIG or --config, not both")
        suffix = "" if output is None else output.suffix.lower()
        if output is not None and suffix not in _SUFFIXES:
            raise UsageError(f"-o: error: {output}: the name must end in {', '.join(_SUFFIXES)}")
        if theme not in _THEMES:
            raise UsageError(f"--theme: error: {theme!r} is not one of {', '.join(_THEMES)}")
        if suffix in (".png", ".pdf"):
            check_installed()
        if output is not None and not output.parent.is_dir():
            raise UsageError(f"-o: error: there is no folder {output.parent}")
        if output is not None:
            try:
                check_writable(output)
            except OSError as error:
                raise UsageError(f"{output}: error: cannot be written: {error.strerror}") from None
        day = simulate_day(
            PlotChoice(
                file or given.config or DEFAULT_CONFIG,
                duration,
                start,
                seed,
                tuple(ders or ()),
                tuple(projects or ()),
                tuple(types or ()),
                given.overrides,
                given.plugins,
            )
        )
        if output is None:
            _print(day)
            return
        try:
            with whole_file(output) as path:
                if suffix == ".svg":
                    from gridsim.plot.vector import svg

                    path.write_text(svg(day, theme), encoding="utf-8")
                else:
                    from gridsim.plot.raster import draw

                    draw(day, path, theme)
        except OSError as error:
            raise UsageError(f"{output}: error: cannot be written: {error.strerror}") from error
        print_out(f"{output} written")


def _print(day: Day) -> None:
    """Print the picture as text, coloured on a terminal."""
    import io
    import shutil
    import sys

    from rich.console import Console

    from gridsim.plot.blocks import lines

    out = sys.__stdout__
    is_terminal = out is not None and out.isatty()
    unicode = "utf" in (getattr(out, "encoding", "") or "").lower()
    width = max(60, min(shutil.get_terminal_size((80, 24)).columns, 160))
    text = io.StringIO()
    console = Console(
        file=text, force_terminal=is_terminal, width=width, highlight=False, soft_wrap=True
    )
    for line in lines(day, width, unicode):
        console.print(line, soft_wrap=True)
    print_out(text.getvalue().removesuffix("\n"))

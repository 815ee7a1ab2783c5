"""`gridsim demo`: two minutes that show what gridsim does."""

from __future__ import annotations

from typing import Annotated

import typer

from gridsim.cli.app import app, leave
from gridsim.cli.help import FIRST_STEPS
from gridsim.cli.shared import configure_logs, report_errors
from gridsim.cli.ui import Ui, UiChoice
from gridsim.cli.web import NoWeb, Web, WebChoice, WebCommand

_TEXT = """\
A summer noon at a site in New Brunswick, one minute per second, for two minutes; Ctrl-C ends it.
  12:00  the event "noon" asks six homes to reduce their consumption for half an hour, 15 s from
         now: their batteries charge less (battery_storage rises), and the log has the result
  12:40  HOME_3_BAT loses its connection; ten minutes later it sends the stored readings at once
  12:45  HOME_5_PV reports its power with the wrong sign, until 13:00
To look at it, in a second terminal:
  mosquitto_sub ...                             the line "watch it" below has the whole command
  gridsim send HOME_1_BAT set_power -3          the battery charges with 3 kW
Afterwards: gridsim runs the default fleet in real time, gridsim --help lists the commands."""


@app.command(cls=WebCommand, rich_help_panel=FIRST_STEPS)
def demo(
    duration: Annotated[
        str, typer.Option(metavar="TIME", help="Simulated time to run, such as 2h or 1h30m.")
    ] = "2h",
    speed: Annotated[
        float, typer.Option(metavar="FACTOR", help="60 is a minute per second.")
    ] = 60.0,
    ui: Ui = "auto",
    web: Web = None,
    no_web: NoWeb = False,
) -> None:
    """Show a summer noon in two minutes, with an event."""
    configure_logs("info", False)
    with report_errors():
        from gridsim.cli.supervise import supervise
        from gridsim.config.resolve import Flags
        from gridsim.running.plan import DEMO_CONFIG, Options, make_plan

        choice = UiChoice(ui, log_json=False)
        page = WebChoice(web, no_web)
        views = {**choice.views, **page.views}
        flags = Flags(speed=speed, views=views, without_views=page.without)
        plan = choice.applied(make_plan(Options(DEMO_CONFIG, duration, flags)))
        typer.echo(_TEXT, err=True)
        ending = supervise(plan, lines=choice.has_lines)
    leave(ending.status, ending.hung)

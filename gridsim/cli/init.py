"""The command that writes a new configuration."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from gridsim.cli.app import app
from gridsim.cli.help import FIRST_STEPS, GroupedCommand
from gridsim.cli.shared import report_errors
from gridsim.cli.terminal import print_out

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gridsim.templates.choices import Choices

_FLEETS = ("homes", "depot", "solar-park", "feeder")
_WIRES = ("embedded", "mqtt", "stdout", "file")
_PRESETS = (
    "aws-iot", "azure-iot-hub", "emqx", "evcc", "grid-stream", "hivemq", "home-assistant",
    "thingsboard", "thingsboard-devices",
)  # fmt: skip


@app.command(cls=GroupedCommand, rich_help_panel=FIRST_STEPS)
def init(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="The file to write; with --for also a folder for it.",
            show_default=True,
        ),
    ] = Path("gridsim.toml"),
    preset: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            "--for",
            metavar="PRESET",
            help=f"The platform that the readings go to: {', '.join(_PRESETS[:-1])} or "
            f"{_PRESETS[-1]}. Writes its files, and a .env to fill in.",
            autocompletion=lambda: list(_PRESETS),
        ),
    ] = None,
    fleet: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            metavar="FLEET",
            help=f"{', '.join(_FLEETS[:-1])} or {_FLEETS[-1]}.",
            autocompletion=lambda: list(_FLEETS),
        ),
    ] = None,
    count: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(metavar="N", help="Number of homes, of chargers or of solar arrays."),
    ] = None,
    to: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            metavar="WIRE",
            help="embedded (the embedded MQTT broker), mqtt, stdout or file.",
            autocompletion=lambda: list(_WIRES),
        ),
    ] = None,
    host: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="HOST", help="With --to mqtt: name or address of the broker."),
    ] = None,
    port: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(metavar="N", help="Port of the broker; without it, 1883, or 8883 with TLS."),
    ] = None,
    tls: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            metavar="auto|on|off",
            help="With --to mqtt; auto is on for port 8883.",
            autocompletion=lambda: ["auto", "on", "off"],
        ),
    ] = None,
    file: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--path", metavar="FILE", help="With --to file: the file of the readings."),
    ] = None,
    format: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            metavar="json|csv",
            help="Format of the readings.",
            autocompletion=lambda: ["json", "csv"],
        ),
    ] = None,
    framing: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            metavar="der|project",
            help="A message per DER, or per project.",
            autocompletion=lambda: ["der", "project"],
        ),
    ] = None,
    latitude: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(metavar="DEG", help="Latitude of the site, north positive."),
    ] = None,
    longitude: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(metavar="DEG", help="Longitude of the site, east positive."),
    ] = None,
    timezone: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="NAME", help="Time zone of the site, such as Europe/Berlin."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
) -> None:
    """Write a new configuration, with a comment at every key.

    On a terminal, and without options, it asks for the destination of the readings and for the
    fleet. Otherwise it writes the usual values: 20 homes on the embedded broker.
    """
    with report_errors():
        from gridsim.errors import UsageError
        from gridsim.templates.choices import Choices
        from gridsim.templates.configuration import check_text, text_of, warning, write
        from gridsim.templates.presets import write_preset

        given = {
            "fleet": fleet, "count": count, "wire": to, "host": host, "port": port, "tls": tls,
            "path": file, "format": format, "framing": framing, "latitude": latitude,
            "longitude": longitude, "timezone": timezone,
        }  # fmt: skip
        given = {name: value for name, value in given.items() if value is not None}
        if preset is not None and given:
            flag = {"wire": "to"}.get(first := next(iter(given)), first)
            raise UsageError(f"gridsim init: error: --{flag}: has no meaning with --for")
        if preset is None and (path.is_dir() or (path.exists() and not force)):
            # Checked before the questions; `write` checks again, in case the file appears later.
            write("", path, force=False)
        if given:
            choices = replace(Choices(), **_named(given))
        elif preset is None:
            choices, preset = _asked(Choices())
        if preset is not None:
            print_out("\n".join(_preset_steps(write_preset(preset, path, force=force), preset)))
            return
        text = text_of(choices, shlex.quote(str(path)))
        try:
            check_text(text, path.name)
        except UsageError as error:
            raise UsageError(f"gridsim init: error: nothing was written:\n{error}") from None
        write(text, path, force=force)
        if note := warning(choices):
            print(f"warning: {note}", file=sys.stderr)
        print_out("\n".join(_next_steps(path, choices)))


def _named(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the choices that follow from the options: a host alone means --to mqtt."""
    implied = {"host": "mqtt", "tls": "mqtt", "path": "file"}
    wires = [wire for name, wire in implied.items() if name in given]
    return {**({"wire": wires[0]} if wires else {}), **given}


def _asked(choices: Choices) -> tuple[Choices, str | None]:
    """Ask a few questions and return the choices, or the name of a preset.

    Without a terminal, return the choices unchanged.
    """
    if not (sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()):
        return choices, None
    from gridsim.templates.choices import FLEETS, FORMATS, WIRES
    from gridsim.templates.presets import PRESETS

    print("Press Enter for the answer in brackets.", file=sys.stderr)
    platform = {"platform": "a platform, such as Home Assistant, ThingsBoard or AWS IoT"}
    wire = _choice("Readings go to", {**WIRES, **platform}, choices.wire)
    if wire == "platform":
        return choices, _choice("Platform", PRESETS, next(iter(PRESETS)))
    fleet = _choice("Fleet", {name: text for name, (text, _) in FLEETS.items()}, choices.fleet)
    number = {"homes": "homes", "depot": "chargers", "solar-park": "arrays"}
    count = int(_answer(f"Number of {number.get(fleet, 'homes of each kind')}", FLEETS[fleet][1]))
    choices = replace(choices, fleet=fleet, count=count, wire=wire)
    if wire == "mqtt":
        host = str(_answer("Host of the broker", "localhost"))
        port = int(_answer("Port of the broker", 1883))
        choices = replace(choices, host=host, port=port)
        choices = replace(
            choices, tls=_choice("TLS", dict.fromkeys(("auto", "on", "off"), ""), "auto")
        )
    elif wire in ("stdout", "file"):
        choices = replace(choices, format=_choice("Format", dict.fromkeys(FORMATS, ""), "json"))
    return choices, None


def _choice(question: str, options: Mapping[str, str], usual: str) -> str:
    """Ask for one of the options, by its number or its name."""
    names = list(options)
    width = max(map(len, names))
    print(f"{question}:", file=sys.stderr)
    for number, (name, text) in enumerate(options.items(), 1):
        print(f"  {number}  {name.ljust(width)}  {text}".rstrip(), file=sys.stderr)
    while True:
        answer = str(_answer("Number or name", usual)).strip()
        if answer in options:
            return answer
        if answer.isascii() and answer.isdigit() and 0 < int(answer) <= len(names):
            return names[int(answer) - 1]
        print(f"{answer!r} is not one of 1 to {len(names)}", file=sys.stderr)


def _answer(question: str, usual: str | int) -> str | int:
    return typer.prompt(question, default=usual, type=type(usual), err=True)  # type: ignore[no-any-return]


def _next_steps(path: Path, choices: Choices) -> list[str]:
    from gridsim.templates.choices import FLEETS, WIRES

    name = shlex.quote(str(path))
    return [
        f"{path} written: {FLEETS[choices.fleet][0]}.",
        f"Readings go to {WIRES[choices.wire]}. Next:",
        f"  gridsim --config {name}",
        f"  gridsim plot {name}",
    ]


def _preset_steps(written: Sequence[Path], preset: str) -> list[str]:
    from gridsim.templates.presets import PRESETS

    config, *others = written
    names = ", ".join(path.name for path in others)
    folder = config.parent
    enter = [] if folder == Path() else [f"  cd {shlex.quote(str(folder))}"]
    name = shlex.quote(config.name)
    return [
        f"{config} written, with {names}.",
        f"{PRESETS[preset]}. Put the values that the platform gives you into .env. Next:",
        *enter,
        f"  gridsim validate --config {name}",
        f"  gridsim --config {name}",
    ]

"""The command line. Heavy parts are imported when a command needs them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, Optional

import typer

from gridsim import __version__
from gridsim.terminal import escape_what_cannot_be_shown, flush_all, print_out

if TYPE_CHECKING:
    from gridsim.compose import Options

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# Typer reads these at run time, so they are spelled for it.
Config = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--config", "-c", help="The TOML file; without it, the default fleet runs."),
]
Plugins = Annotated[
    Optional[list[Path]],  # noqa: UP045
    typer.Option("--plugin", help="A file or folder with plugins of your own; repeatable."),
]
Overrides = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Override a key of the TOML, such as transports.0.qos=1; repeatable.",
    ),
]


@dataclass(frozen=True, slots=True)
class _Given:
    """The options before a subcommand that hold for it, too."""

    config: Path | None
    plugins: tuple[Path, ...]
    overrides: tuple[str, ...]


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
        with _errors():
            print_out(f"gridsim {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is not None:
        # So that `gridsim --config X validate` means what it says.
        _refuse_options_of_a_run(context, context.invoked_subcommand)
        context.obj = _Given(config, tuple(plugin or ()), tuple(set_ or ()))
        return
    _configure_logs(log_level, log_json)
    with _errors():
        from gridsim.compose import make_plan
        from gridsim.errors import UsageError

        plan = make_plan(
            _options(config, plugin, set_, duration=duration, speed=speed, seed=seed, start=start)
        )
        if dry_run:
            from gridsim.summary import plan_lines

            print_out("\n".join(plan_lines(plan)))
            raise typer.Exit
        if strict and not plan.configuration.simulation.speed:
            raise UsageError("--strict: error: at speed 0 no rate is promised")
        from gridsim.supervise import supervise

        ending = supervise(plan, strict=strict)
    _leave(ending.status, ending.hung)


@app.command()
def validate(
    context: typer.Context, config: Config = None, plugin: Plugins = None, set_: Overrides = None
) -> None:
    """Report every error of a configuration."""
    with _errors():
        from gridsim.compose import make_plan

        given = _given(context, config, plugin, set_)
        plan = make_plan(_options(given.config, given.plugins, given.overrides))
        print_out(f"{plan.config}: no errors")


@app.command()
def plugins(
    context: typer.Context,
    name: Annotated[Optional[str], typer.Argument(help="Show this plugin's settings.")] = None,  # noqa: UP045
    config: Config = None,
    plugin: Plugins = None,
) -> None:
    """List the plugins, or the settings of one."""
    with _errors():
        from gridsim import listing
        from gridsim.compose import find_plugins

        given = _given(context, config, plugin)
        registry = find_plugins(given.config, given.plugins)
        lines = listing.table(registry) if name is None else listing.details(registry, name)
        print_out("\n".join(lines))


@app.command()
def schema(context: typer.Context, config: Config = None, plugin: Plugins = None) -> None:
    """Print the configuration's JSON Schema."""
    with _errors():
        import json

        from gridsim.compose import find_plugins
        from gridsim.config.schema import build

        given = _given(context, config, plugin)
        print_out(json.dumps(build(find_plugins(given.config, given.plugins)), indent=2))


@app.command()
def bench(
    context: typer.Context,
    config: Config = None,
    plugin: Plugins = None,
    set_: Overrides = None,
    seconds: Annotated[
        float, typer.Option(help="How many seconds of readings each measurement sends.")
    ] = 10.0,
    runs: Annotated[int, typer.Option(help="How many rounds; medians are printed.")] = 5,
    ramp: Annotated[
        bool, typer.Option("--ramp", help="Find the largest fleet that holds its rate.")
    ] = False,
    ramp_seconds: Annotated[
        float, typer.Option(help="How long a fleet must hold its rate with --ramp.")
    ] = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print all figures as JSON.")] = False,
) -> None:
    """Measure a broker, and gridsim beside a raw socket and plain paho.

    Without --config: 10,000 DERs, or 1,000 on the embedded broker.
    """
    _configure_logs("error", False)
    with _errors():
        import json

        from gridsim.bench import BenchOptions
        from gridsim.bench import bench as run_bench
        from gridsim.bench.report import lines

        given = _given(context, config, plugin, set_)
        options = BenchOptions(
            config=given.config,
            overrides=given.overrides,
            plugins=given.plugins,
            seconds=seconds,
            runs=runs,
            ramp=ramp,
            ramp_seconds=ramp_seconds,
        )
        try:
            report = run_bench(options, lambda line: print(line, file=sys.stderr, flush=True))
        except KeyboardInterrupt:
            raise typer.Exit(130) from None
        print_out(json.dumps(report.as_json(), indent=2) if as_json else "\n".join(lines(report)))


# Without the setting, -3 would be an option.
@app.command(context_settings={"ignore_unknown_options": True})
def send(
    context: typer.Context,
    target: Annotated[str, typer.Argument(help="The der_id or project_id that it is for.")],
    command: Annotated[
        str,
        typer.Argument(
            help="set_power, limit_power, limit_export, limit_import, target_soc, connect or "
            "disconnect."
        ),
    ],
    value: Annotated[
        Optional[float],  # noqa: UP045
        typer.Argument(help="kW or %; positive feeds the site."),
    ] = None,
    unit: Annotated[Optional[str], typer.Option(help='"kW" or "%".')] = None,  # noqa: UP045
    start: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Simulated time such as 2026-07-01T12:00:00Z; without it, at once."),
    ] = None,
    duration: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="How long it holds: 30s, 10m, 2h; without it, until the next one."),
    ] = None,
    ramp: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="How long the way to the value takes: 10s, 5m."),
    ] = None,
    id_: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--id", help="The command's id; without it, a new one."),
    ] = None,
    wait: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Wait this long for it to be completed, too; exit with 4 if it is not."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the acknowledgements as JSON lines.")
    ] = False,
    config: Config = None,
    plugin: Plugins = None,
    set_: Overrides = None,
) -> None:
    """Send a command to a run, by the first source of its configuration.

    Exit status: 0 accepted, 1 nobody answered, 2 a mistake in the command, 3 no connection,
    4 rejected or superseded.
    """
    _configure_logs("warning", False)
    with _errors():
        from gridsim.compose import make_plan
        from gridsim.sending import Wish, line_of
        from gridsim.sending import send as send_command

        given = _given(context, config, plugin, set_)
        plan = make_plan(_options(given.config, given.plugins, given.overrides))
        wish = Wish(target, command, value, unit, start, duration, ramp, id_)
        send_command(plan, wish, wait, lambda answer: print_out(line_of(answer, as_json)))


@app.command()
def verify(
    context: typer.Context,
    ledger: Annotated[Path, typer.Argument(help="The ledger of the run.")],
    files: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(
            help="What your system holds: JSON Lines, CSV with a header or Parquet, also .gz; "
            "- is standard input."
        ),
    ] = None,
    subscribe: Annotated[
        bool,
        typer.Option("--subscribe", help="Listen to the broker of --config while a run goes on."),
    ] = False,
    config: Config = None,
    plugin: Plugins = None,
    set_: Overrides = None,
    quiet: Annotated[
        str, typer.Option(help="With --subscribe: done when nothing has come for so long.")
    ] = "2s",
    transport: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Which transport your data came by, if the run had several."),
    ] = None,
    field: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            metavar="FIELD=NAME", help="What you call a field, such as der_id=device; repeatable."
        ),
    ] = None,
    received_at: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="NAME", help="Your field that says when a reading came in."),
    ] = None,
    unordered: Annotated[
        bool, typer.Option("--unordered", help="The order of your data is not that of arrival.")
    ] = False,
    expect: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Your settlement, a CSV: event, project_id, reduction_kwh, ..."),
    ] = None,
    tolerance_kwh: Annotated[float, typer.Option(help="How far a reduction may be off.")] = 0.01,
    tolerance_s: Annotated[
        float, typer.Option(help="How far the ends of a violation may be off.")
    ] = 1.0,
    tolerate: Annotated[
        int, typer.Option(help="How many differences may be left unexplained.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Compare what your system holds with what a ledger says was sent; exit 4 if it differs."""
    _configure_logs("error", False)
    with _errors():
        import json

        from gridsim.compose import DEFAULT_CONFIG, seconds
        from gridsim.errors import NotHeldError, UsageError
        from gridsim.verify import VerifyOptions
        from gridsim.verify import verify as run_verify

        given = _given(context, config, plugin, set_)
        if given.config is not None and not subscribe:
            raise UsageError("--config: error: goes with --subscribe")
        listen = _options(given.config or DEFAULT_CONFIG, given.plugins, given.overrides)
        options = VerifyOptions(
            ledger=ledger,
            files=tuple(files or ()),
            subscribe=listen if subscribe else None,
            quiet_s=seconds(quiet, "--quiet"),
            transport=transport,
            fields=tuple(field or ()),
            received_at=received_at,
            unordered=unordered,
            expect=expect,
            tolerance_kwh=tolerance_kwh,
            tolerance_s=tolerance_s,
            tolerate=tolerate,
        )
        report = run_verify(options, lambda line: print(line, file=sys.stderr, flush=True))
        print_out(json.dumps(report.as_json(), indent=2) if as_json else "\n".join(report.lines()))
        if not report.passed:
            raise typer.Exit(NotHeldError.exit_status)


def _refuse_options_of_a_run(context: typer.Context, name: str) -> None:
    """None may be dropped in silence."""
    subcommand = getattr(context.command, "commands")[name]  # noqa: B009 - a group's; untyped
    taken = {parameter.name for parameter in subcommand.params}
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if source is not None and source.name == "COMMANDLINE" and parameter.name not in taken:
            print(f"{parameter.opts[0]} goes with a run, not with {name}", file=sys.stderr)
            raise typer.Exit(2)


def _given(
    context: typer.Context,
    config: Path | None,
    plugin: list[Path] | None,
    overrides: list[str] | None = None,
) -> _Given:
    """A subcommand's own options with those before it; its own come last."""
    before: _Given = context.obj
    return _Given(
        config or before.config,
        (*before.plugins, *(plugin or ())),
        (*before.overrides, *(overrides or ())),
    )


def _options(
    config: Path | None,
    plugin: Sequence[Path] | None,
    overrides: Sequence[str] | None,
    *,
    duration: str | None = None,
    speed: float | None = None,
    seed: int | None = None,
    start: str | None = None,
) -> Options:
    from gridsim.compose import DEFAULT_CONFIG, Options
    from gridsim.config.resolve import Flags

    return Options(
        config=config or DEFAULT_CONFIG,
        duration=duration,
        flags=Flags(seed=seed, speed=speed, start=start),
        plugins=tuple(plugin or ()),
        overrides=tuple(overrides or ()),
    )


def _configure_logs(level: str, as_json: bool) -> None:
    from gridsim import logs

    if level not in logs.LEVELS:
        raise typer.BadParameter(
            f"{level!r} is not one of {', '.join(logs.LEVELS)}", param_hint="--log-level"
        )
    logs.configure(level, as_json=as_json)


@contextmanager
def _errors() -> Iterator[None]:
    """An error that gridsim raises on purpose becomes its message and its exit status."""
    from gridsim.errors import GridsimError

    try:
        yield
    except GridsimError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(error.exit_status) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _leave(status: int, hung: bool) -> NoReturn:
    flush_all()
    if hung:
        # A plugin's thread never returns; leaving in the ordinary way would wait for it.
        os._exit(status)
    raise typer.Exit(status)

"""Options and error reporting that the commands share."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from gridsim.cli.help import RUN
from gridsim.cli.terminal import divert_prints

if TYPE_CHECKING:
    from gridsim.running.plan import Options

# Typer reads these at run time and needs Optional.
Config = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="The TOML file; without it, the default fleet runs.",
        rich_help_panel=RUN,
    ),
]
Plugins = Annotated[
    Optional[list[Path]],  # noqa: UP045
    typer.Option(
        "--plugin",
        metavar="PATH",
        help="A file or folder with your own plugins; repeatable.",
        rich_help_panel=RUN,
    ),
]
Overrides = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Override a key of the TOML, such as transports.0.qos=1; repeatable.",
        rich_help_panel=RUN,
    ),
]
Seed = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option("--seed", metavar="N", help="Seed of all random numbers.", rich_help_panel=RUN),
]
RunName = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--run",
        metavar="PID",
        help="The run, by its process id, if several are up; without --config, with its own.",
        rich_help_panel=RUN,
    ),
]


@dataclass(frozen=True, slots=True)
class Given:
    """The options before a subcommand, which apply to it too."""

    config: Path | None
    plugins: tuple[Path, ...]
    overrides: tuple[str, ...]

    def of_run(self, name: str | None) -> Given:
        """Return the options with the configuration and the plugins of a run.

        The run is the one of that name. Without a name and a configuration it is the only run on
        this machine, unless the default fleet is running. Raises UsageError if the named run is not
        up.
        """
        if self.config is not None:
            return self
        from gridsim.running.plan import DEFAULT_CONFIG
        from gridsim.running.runs import find_run, only_run

        run = only_run(DEFAULT_CONFIG) if name is None else find_run(name)
        if run is None:
            return self
        plugins = (*map(Path, run.plugins), *self.plugins)
        return replace(self, config=Path(run.config), plugins=plugins)


def given_to(
    context: typer.Context,
    config: Path | None,
    plugin: list[Path] | None,
    overrides: list[str] | None = None,
) -> Given:
    """Return a subcommand's options merged with those before it; its own take precedence."""
    before: Given = context.obj
    return Given(
        config or before.config,
        (*before.plugins, *(plugin or ())),
        (*before.overrides, *(overrides or ())),
    )


def options_of(
    config: Path | None,
    plugin: Sequence[Path] | None,
    overrides: Sequence[str] | None,
    *,
    duration: str | None = None,
    speed: float | None = None,
    seed: int | None = None,
    start: str | None = None,
    until: str | None = None,
    run: str | None = None,
    transport: str | None = None,
    views: Mapping[str, Mapping[str, Any]] | None = None,
    without_views: tuple[str, ...] = (),
    resume: bool = False,
    shard: str | None = None,
    epoch: str | None = None,
) -> Options:
    from gridsim.config.resolve import Flags
    from gridsim.contracts.shard import Shard
    from gridsim.errors import UsageError, printable
    from gridsim.running.plan import DEFAULT_CONFIG, Options

    try:
        part = None if shard is None else Shard.parse(shard)
    except ValueError as error:
        raise UsageError(f"--shard: error: {printable(str(shard))}: {error}") from None
    if epoch == "":
        raise UsageError('--epoch: error: must be "start" or a time such as 2026-07-01T12:00:00Z')
    return Options(
        config=config or DEFAULT_CONFIG,
        duration=duration,
        flags=Flags(
            seed=seed,
            speed=speed,
            start=start,
            epoch=epoch,
            until=until,
            transport=transport,
            views=views or {},
            without_views=without_views,
        ),
        plugins=tuple(plugin or ()),
        overrides=tuple(overrides or ()),
        run=run,
        resume=resume,
        shard=part,
    )


def configure_logs(level: str, as_json: bool) -> None:
    from gridsim import logs

    if level not in logs.LEVELS:
        raise typer.BadParameter(
            f"{level!r} is not one of {', '.join(logs.LEVELS)}", param_hint="--log-level"
        )
    logs.configure(level, as_json=as_json)


@contextmanager
def report_errors() -> Iterator[None]:
    """Turn a GridsimError into its message on standard error and its exit status.

    What a plugin prints goes to standard error, too.
    """
    from gridsim.errors import GridsimError

    divert_prints()
    try:
        yield
    except GridsimError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(error.exit_status) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


@contextmanager
def terminating() -> Iterator[None]:
    """End as after Ctrl-C when the process is terminated or its terminal is closed, so that no
    command keeps running and no temporary file is left.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    numbers = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    before = [(number, signal.signal(number, stop)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)

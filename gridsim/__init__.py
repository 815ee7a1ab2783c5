"""gridsim: a believable fleet of distributed energy resources, in a program or on your broker.

    import gridsim

    sim = gridsim.simulate("home.toml", seed=7, start="2026-07-01")
    day = sim.run("1d")                   # the readings of a day, as a table
    day.to_pandas()

    with gridsim.run("home.toml", duration="1h") as run:    # live, with transports
        run.wait()

`simulate` gives a fleet that a program advances, without threads, files or connections. `run`
starts what the command line starts, in your own process.

The names in `__all__` here and in `gridsim.api` (for plugins) are public: none is removed, and the
arguments, columns, units and meaning of none change, before one release in which its use gives a
DeprecationWarning. New names, optional arguments and columns may come with any release. Everything
else in this package is internal. `CHANGELOG.md` records all changes.
"""

from __future__ import annotations

from gridsim.version import __version__

# As in typing, which takes long to import: Ctrl-C while the command starts must print no traceback.
TYPE_CHECKING = False

__all__ = [
    "Acknowledgement",
    "CallEvent",
    "CancelEvent",
    "ClearFault",
    "ColumnTable",
    "Command",
    "GridsimError",
    "InjectFault",
    "Period",
    "PluginError",
    "Readings",
    "Refused",
    "Run",
    "RunStatus",
    "SentInstruction",
    "Simulator",
    "Subscription",
    "Target",
    "TickResult",
    "Truth",
    "UsageError",
    "__version__",
    "run",
    "simulate",
]

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime
    from os import PathLike
    from typing import Any

    from gridsim.contracts.instruction_rules import Period, Refused
    from gridsim.contracts.instructions import (
        Acknowledgement,
        CallEvent,
        CancelEvent,
        ClearFault,
        Command,
        InjectFault,
        Target,
    )
    from gridsim.contracts.results import TickResult
    from gridsim.contracts.status import RunStatus
    from gridsim.errors import GridsimError, PluginError, UsageError
    from gridsim.running.run import ClockKind, Run
    from gridsim.running.shards.sharded import ShardedRun
    from gridsim.running.subscription import Subscription
    from gridsim.simulator.readings import Readings
    from gridsim.simulator.sent import SentInstruction
    from gridsim.simulator.simulator import Simulator
    from gridsim.simulator.table import ColumnTable
    from gridsim.simulator.truth import Truth

_INSTRUCTIONS = "gridsim.contracts.instructions"
_ERRORS = "gridsim.errors"
_HOMES = {
    "Acknowledgement": _INSTRUCTIONS,
    "CallEvent": _INSTRUCTIONS,
    "CancelEvent": _INSTRUCTIONS,
    "ClearFault": _INSTRUCTIONS,
    "ColumnTable": "gridsim.simulator.table",
    "Command": _INSTRUCTIONS,
    "GridsimError": _ERRORS,
    "InjectFault": _INSTRUCTIONS,
    "Period": "gridsim.contracts.instruction_rules",
    "PluginError": _ERRORS,
    "Readings": "gridsim.simulator.readings",
    "Refused": "gridsim.contracts.instruction_rules",
    "Run": "gridsim.running.run",
    "RunStatus": "gridsim.contracts.status",
    "SentInstruction": "gridsim.simulator.sent",
    "Simulator": "gridsim.simulator.simulator",
    "Subscription": "gridsim.running.subscription",
    "Target": _INSTRUCTIONS,
    "TickResult": "gridsim.contracts.results",
    "Truth": "gridsim.simulator.truth",
    "UsageError": _ERRORS,
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `gridsim --help` starts fast."""
    from importlib import import_module

    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'gridsim' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def simulate(
    config: str | PathLike[str] | Mapping[str, Any],
    *,
    seed: int | None = None,
    start: str | datetime | date | None = None,
    overrides: Sequence[str] = (),
    plugins: Sequence[str | PathLike[str]] = (),
) -> Simulator:
    """Return a simulated fleet at its first tick, which advances when `Simulator.run` is called.

        sim = gridsim.simulate("home.toml", seed=7, start="2026-07-01")
        day = sim.run("1d")
        day.to_pandas()

    It starts no thread, installs no signal handler, writes no file and connects to nothing. The
    transports, sources and views of the configuration are not read, and there need not be any.
    `[ledger]` writes no file here; it only lets `Simulator.truth` have the true reductions of
    events. For a run with transports see `run`.

    Arguments:

    - config: the path of a TOML file; TOML text, which has a line break; or the same tables as a
      dict, for example {"projects": [{"id": "HOME", "ders": [{"id": "PV", "type": "solar",
      "nameplate_capacity": 5.0}]}]}. Placeholders such as "${NAME}" are filled from the
      environment and `.env`.
    - seed: the seed of all random numbers, instead of that of the configuration (42).
    - start: the simulated start, instead of that of the configuration, which is the present time
      if it has none. A time with its offset ("2026-07-01T06:00:00-03:00"), a datetime with a
      zone, or a date, which means midnight by the clock of `[site]`.
    - overrides: other values for keys of the configuration, such as "simulation.tick_s=60", as
      the command line's `--set`.
    - plugins: files or folders with your own plugins, like `--plugin`.

    Returns a `Simulator`. Power is in kW, energy in kWh, state of charge in %, and times are in
    the zone of `[site]`.

    Raises `UsageError` with all errors of the configuration, each with its line and a caret, or
    with its key (`projects[0].ders[1].type`) in a dict; and `PluginError` if a plugin fails.
    """
    from gridsim.logs import disable_once
    from gridsim.simulator.opening import open_configuration
    from gridsim.simulator.simulator import Simulator

    disable_once()
    return Simulator(
        open_configuration(config, seed=seed, start=start, overrides=overrides, plugins=plugins)
    )


def run(
    config: str | PathLike[str] | Mapping[str, Any],
    *,
    duration: str | None = None,
    speed: float | None = None,
    seed: int | None = None,
    start: str | None = None,
    clock: ClockKind = "real",
    overrides: Sequence[str] = (),
    plugins: Sequence[str | PathLike[str]] = (),
) -> Run | ShardedRun:
    """Return a run of a configuration, checked and not yet started.

    Use it in a `with` statement, which starts and stops it, or call `start` and `stop`. `config`
    is the path of a TOML file, TOML text with a line break, or its tables as a dict. The other
    arguments are those of the command line: `duration` such as "10s" or "1h", `speed`
    (1 is real time, 0 is as fast as possible), `seed`, `start`, `overrides` such as
    "transports.0.qos=1" (`--set`), and `plugins` (`--plugin`). With `clock="manual"` ticks run
    only in `Run.advance`. With an engine of `[execution]` other than "local" it is a `ShardedRun`,
    which is used in the same way. Logs are disabled: `loguru.logger.enable("gridsim")` and
    `enable("gridsim_plugins")` after this show them. Raises `gridsim.errors.UsageError` with the
    text that the command line prints if the configuration cannot be used.
    """
    from pathlib import Path

    from gridsim.config.resolve import Flags
    from gridsim.logs import disable_once
    from gridsim.running.plan import Options, make_plan
    from gridsim.running.shards.opening import run_of
    from gridsim.simulator.opening import source_of

    disable_once()
    path, content = source_of(config)
    options = Options(
        config=path,
        content=content,
        duration=duration,
        flags=Flags(seed=seed, speed=speed, start=start),
        plugins=tuple(Path(plugin) for plugin in plugins),
        overrides=tuple(overrides),
    )
    return run_of(make_plan(options), clock=clock)

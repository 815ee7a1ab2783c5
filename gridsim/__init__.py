"""gridsim: a believable fleet of distributed energy resources on your message broker.

    import gridsim

    with gridsim.run("home.toml", duration="1h") as run:
        run.wait()

`run` starts what the command line starts, in your own process. `CHANGELOG.md` records changes
to the names in `__all__`; everything else in this package but `gridsim.api` is internal.
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
    "Command",
    "InjectFault",
    "Run",
    "RunStatus",
    "Subscription",
    "Target",
    "TickResult",
    "__version__",
    "run",
]

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike
    from typing import Any

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
    from gridsim.running.run import ClockKind, Run
    from gridsim.running.subscription import Subscription

_INSTRUCTIONS = "gridsim.contracts.instructions"
_HOMES = {
    "Acknowledgement": _INSTRUCTIONS,
    "CallEvent": _INSTRUCTIONS,
    "CancelEvent": _INSTRUCTIONS,
    "ClearFault": _INSTRUCTIONS,
    "Command": _INSTRUCTIONS,
    "InjectFault": _INSTRUCTIONS,
    "Run": "gridsim.running.run",
    "RunStatus": "gridsim.contracts.status",
    "Subscription": "gridsim.running.subscription",
    "Target": _INSTRUCTIONS,
    "TickResult": "gridsim.contracts.results",
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


def run(
    config: str | PathLike[str],
    *,
    duration: str | None = None,
    speed: float | None = None,
    seed: int | None = None,
    start: str | None = None,
    clock: ClockKind = "real",
    overrides: Sequence[str] = (),
    plugins: Sequence[str | PathLike[str]] = (),
) -> Run:
    """Return a run of a configuration file, checked and not yet started.

    Use it in a `with` statement, which starts and stops it, or call `start` and `stop`. The
    other arguments are those of the command line: `duration` such as "10s" or "1h", `speed`
    (1 is real time, 0 is as fast as possible), `seed`, `start`, `overrides` such as
    "transports.0.qos=1" (`--set`), and `plugins` (`--plugin`). With `clock="manual"` ticks run
    only in `Run.advance`. Raises `gridsim.errors.UsageError` with the
    text that the command line prints if the configuration cannot be used.
    """
    from pathlib import Path

    from gridsim.config.resolve import Flags
    from gridsim.running.plan import Options, make_plan
    from gridsim.running.run import Run

    options = Options(
        config=Path(config),
        duration=duration,
        flags=Flags(seed=seed, speed=speed, start=start),
        plugins=tuple(Path(plugin) for plugin in plugins),
        overrides=tuple(overrides),
    )
    return Run(make_plan(options), clock=clock)

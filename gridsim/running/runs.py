"""The selection of the run on this machine that another command is for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gridsim.api import TransportError
from gridsim.errors import UsageError
from gridsim.running.runfile import RunRecord, Values, running


@dataclass(frozen=True, slots=True)
class RunFinder:
    """A finder of the values that a run of a configuration announced."""

    config: Path
    name: str | None = None
    """The name of the run, if the user gave it with `--run`."""
    is_default: bool = False
    """True if the user named no configuration, so that the default fleet's configuration is
    used.
    """

    def announced(self, key: str, like: Values) -> Values:
        """Return the values under `key` of the run with this configuration.

        If there are several such runs, it is the one whose values include `like`. Raises
        TransportError if there is no such run, or if there are several.
        """
        every = running()
        runs = [run for run in every if self._is_meant(run)]
        if not runs:
            config = "the default fleet" if self.is_default else self.config
            meant = f"run {self.name}" if self.name else f"run of {config}"
            raise TransportError(f"no {meant} is up on this machine; {_others(every)}")
        able = [run for run in runs if key in run.announced]
        if not able:
            raise TransportError(
                f"the run of {self.config} (PID {runs[0].pid}) does not use the {key}: give this "
                "command the same environment variables and --set as the run"
            )
        alike = [run for run in able if like.items() <= run.announced[key].items()]
        chosen = alike if len(alike) == 1 else able
        if len(chosen) > 1:
            raise TransportError(
                f"{len(chosen)} runs of {self.config} are up on this machine, choose one with "
                f"--run: {_listed(chosen)}",
                permanent=True,
            )
        return chosen[0].announced[key]

    def _is_meant(self, run: RunRecord) -> bool:
        if self.name is not None:
            return run.name == self.name
        return run.config == os.path.realpath(self.config)


def find_run(name: str) -> RunRecord:
    """Return the run of that name. Raises UsageError if it is not up."""
    every = running()
    for run in every:
        if run.name == name:
            return run
    raise UsageError(f"--run: error: no run {name} is up on this machine; {_others(every)}")


def only_run(default: Path) -> RunRecord | None:
    """Return the only run on this machine; None if there is none, or one of `default`.

    Raises UsageError if there are several, and none of them is of the configuration `default`.
    """
    every = running()
    if not every or any(run.config == os.path.realpath(default) for run in every):
        return None
    if len(every) > 1:
        raise UsageError(
            f"{len(every):,} runs are up on this machine: choose one with --run or --config: "
            f"{_listed(every)}"
        )
    return every[0]


def other_runs() -> str:
    """Return a line about the runs on this machine; "" if there is none."""
    every = running()
    return _listed(every) if every else ""


def _others(runs: Sequence[RunRecord]) -> str:
    if not runs:
        return "there is no other one: start it first"
    return f"these are up, choose one with --config or --run: {_listed(runs)}"


def _listed(runs: Sequence[RunRecord]) -> str:
    """Return the first few runs, each with its name, configuration and start."""
    shown = [f"{run.name} ({_short(run.config)}, since {run.started})" for run in runs[:5]]
    more = f" and {len(runs) - 5} more" if len(runs) > 5 else ""
    return ", ".join(shown) + more


def _short(path: str) -> str:
    """Return the path relative to the working folder, if that is shorter."""
    try:
        relative = os.path.relpath(path)
    except (OSError, ValueError):
        return path
    return relative if len(relative) < len(path) else path

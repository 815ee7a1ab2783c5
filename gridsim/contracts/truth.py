"""The true state behind the readings of one tick."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridsim.helpers.randomness import Floats


@dataclass(frozen=True, slots=True, eq=False)
class RunningEvent:
    """An occurrence of an event that runs, as columns with an entry per called project."""

    name: str
    """The event's id, with `#2` from its second occurrence on."""
    site: NDArray[np.intp]
    """The index of each project."""
    target_kw: Floats
    """The reduction that the event calls for; NaN if it has only limits."""
    takes_part: NDArray[np.bool_]
    """True where the event runs for the project now, and the project has not opted out."""
    in_violation: NDArray[np.bool_]
    """True where this tick's reading is in violation, including those of projects that opted
    out.
    """


@dataclass(frozen=True, slots=True, eq=False)
class TickTruth:
    """The true state of projects and devices in one tick, as the simulation has it: not rounded.

    The arrays are those of the simulation, and read-only.
    """

    baseline_kw: Floats
    """The baselines, float64[projects]."""
    load_kw: Floats
    """The gross loads, float64[projects]."""
    output_kw: Floats
    """The outputs, float64[devices]; 0 for devices that do not exist."""
    soc: Floats
    """The states of charge, float64[devices], %; NaN where there is no storage."""
    extra: Mapping[str, Floats]
    """The further columns, float64[devices]; NaN where a type does not have the column."""
    faulty: NDArray[np.bool_] | None = None
    """True for devices that a fault may affect in this tick; None: there is no fault."""
    running_faults: tuple[tuple[str, int], ...] = ()
    """The id of each fault that may affect devices in this tick, and their number."""
    instruments: int = 0
    """The bits in labels that mean properties of instruments, which are not faults."""
    offline: NDArray[np.bool_] | None = None
    """True for devices without a connection; None: all have one."""
    disabled: NDArray[np.bool_] | None = None
    """True for devices whose plugin failed; None: none has."""
    reports: NDArray[np.bool_] | None = None
    """True for devices that report in this tick, if some report on change; None: each device
    reports at its own times."""
    events: tuple[RunningEvent, ...] = ()
    """The events that run for at least one project."""

    @property
    def nbytes(self) -> int:
        """The approximate memory of the arrays."""
        columns = (self.baseline_kw, self.load_kw, self.output_kw, self.soc, *self.extra.values())
        return sum(column.nbytes for column in columns)

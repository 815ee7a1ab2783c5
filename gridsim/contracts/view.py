"""Views: the displays of a run for people and other programs while it runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Generic, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from gridsim.contracts.batch import Roster
from gridsim.contracts.catalogue import Catalogue
from gridsim.contracts.instructions import Instruction
from gridsim.contracts.run_context import RunContext
from gridsim.contracts.settings import S, Settings
from gridsim.contracts.snapshot import DeviceView, History, PostedAnswer, Snapshot
from gridsim.contracts.status import RunStatus
from gridsim.helpers.randomness import Floats

Span = Literal["15m", "1d"]
"""The part of the past that a history covers: 15 minutes in steps of 1 s, or a day in steps of
1 min, of simulated time."""


class Control(Protocol):
    """The control of a run by its views. May be used from any thread."""

    @property
    def roster(self) -> Roster:
        """Return the devices and projects."""

    def catalogue(self) -> Catalogue:
        """Return the faults, commands and types of DERs of the run."""

    def status(self) -> RunStatus:
        """Return the run's status, at this moment."""

    def snapshot(self) -> Snapshot:
        """Return the newest snapshot."""

    def history(self, span: Span) -> History:
        """Return the fleet's past."""

    def project_history(self, projects: NDArray[np.intp]) -> Floats:
        """Return the reduction of some projects, float32[projects, 60], kW, every 15 s.

        The last column is the present one. NaN where the run had no tick. Where a tick is longer
        than 15 s, there is a column for each tick.
        """

    def post(self, instruction: Instruction) -> bool:
        """Queue an instruction for the next tick; return whether there was room.

        Its acknowledgements become entries, and `answers` returns them.
        """

    def answers(self, instruction: Instruction) -> Sequence[PostedAnswer] | None:
        """Return the acknowledgements so far of an instruction that a view has posted.

        None: 10,000 others were posted since, and its acknowledgements are not kept.
        """

    def pause(self) -> None:
        """Start no more ticks until `resume`."""

    def resume(self) -> None:
        """Continue after `pause`."""

    def set_speed(self, speed: float) -> None:
        """Change the speed. Raises ValueError if it is neither 0 nor in 0.001 to 1,000,000."""

    def reload(self) -> None:
        """Read the configuration again, and continue with it from the next tick on.

        Returns when that is done; the views start again afterwards if the devices have changed.
        Raises ValueError with all errors; nothing has changed then.
        """

    def watch(self, der_id: str) -> DeviceView:
        """Return a device's own view, and keep recording it for the next 30 s.

        The first call for a device takes up to a second if the run has a ledger. Raises
        KeyError for an unknown device, and ValueError if 20 others are watched.
        """


class View(ABC, Generic[S]):
    """The contract of a view. It is called from the thread of the run's views, in this order:
    `start` once, `show` any number of times, `close` once.

    A view that raises is disabled, and the run goes on. A slow view delays other views, but
    never the run: the snapshots in between are left out.
    """

    Settings: ClassVar[type[Settings]] = Settings

    def __init__(self, settings: S, run: RunContext) -> None:
        """Open nothing. Raises ValueError if the settings cannot be used."""
        self.settings = settings
        self.run = run

    def describe(self) -> str:
        """Return the place where the view is seen, for people: one line, without secrets; may be
        empty.
        """
        return ""

    @abstractmethod
    def start(self, control: Control) -> None:
        """Open the view, before the first tick. Raises OSError if that cannot be done."""

    @abstractmethod
    def show(self, snapshot: Snapshot) -> None:
        """Show the run. Called at most four times a second while the run goes on, and once at
        its end."""

    @abstractmethod
    def close(self) -> None:
        """Release everything."""

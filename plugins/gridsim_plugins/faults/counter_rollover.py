"""The fault `counter_rollover`: an energy register begins again at zero when it is full."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from gridsim.api import AffectedReadings, DeviceFault, Members, Register, Tick, Unit, hookimpl
from gridsim_plugins.faults.registers import REGISTERS, RegisterFaultSettings, chosen_registers


class CounterRolloverSettings(RegisterFaultSettings):
    """Settings of the fault `counter_rollover`."""

    capacity: Annotated[float, Unit("kWh")] = Field(
        65.536,
        ge=0.001,
        le=1e12,
        description="number of kWh after which a register begins again at zero: 65.536 is a "
        "16-bit number of Wh, 100000 a display of five digits",
    )


class CounterRollover(DeviceFault[CounterRolloverSettings]):
    """Energy registers with too few digits, which begin again at zero when they are full.

    The truth keeps the true registers.
    """

    Settings = CounterRolloverSettings
    kept = ()
    measurands = REGISTERS
    only_measurands = True

    def __init__(self, members: Members[CounterRolloverSettings]) -> None:
        super().__init__(members)
        self._wh = np.maximum(np.rint(members.columns["capacity"] * 1000.0), 1.0)
        self._rolls = chosen_registers(members)

    def inject(self, tick: Tick, affected: AffectedReadings) -> None:
        member = affected.member
        for name, column in affected.extra.items():
            # In whole Wh, which the remainder of a division of kWh would miss.
            rest = np.rint(column * 1000.0) % self._wh[member] / 1000.0
            column[:] = np.where(self._rolls[name][member], rest, column)


@hookimpl
def gridsim_register(register: Register) -> None:
    register.fault("counter_rollover", CounterRollover)

"""The fault `ghost`: a device that does not exist but reports."""

from __future__ import annotations

from gridsim.api import AffectedReadings, DeviceFault, Register, Tick, hookimpl


class Ghost(DeviceFault):
    """Devices that do not exist: removed but still registered, or invented by an attacker.

    While it is affected, a ghost reports the values of its model; at other times it sends nothing.
    It has no effect on its site, so the net consumption computed from the readings is wrong.
    """

    is_ghost = True

    def inject(self, tick: Tick, affected: AffectedReadings) -> None:
        """Leave the readings unchanged: a ghost reports the values of its model."""


@hookimpl
def gridsim_register(register: Register) -> None:
    register.fault("ghost", Ghost)

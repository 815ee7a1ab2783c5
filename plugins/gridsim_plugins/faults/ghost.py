"""The fault `ghost`: a device that does not exist, and reports all the same."""

from __future__ import annotations

from gridsim.api import AffectedReadings, DeviceFault, Register, Tick, hookimpl


class Ghost(DeviceFault):
    """A device that was taken down but never signed off, or that somebody makes up. While it
    is struck it reports what its model says, as a believable ghost does; at other times it is
    silent. Its site neither feels it nor counts on it, so that the net consumption worked out
    from the readings is wrong."""

    is_ghost = True

    def inject(self, tick: Tick, affected: AffectedReadings) -> None:
        """What it reports is what its model says: there is nothing to change."""


@hookimpl
def gridsim_register(register: Register) -> None:
    register.fault("ghost", Ghost)

"""A heater that makes up for what a house loses: a DER type of your own in one file."""

from gridsim.api import DerSettings, Device, DeviceTick, Register, hookimpl


class ElectricHeater(Device):
    class Settings(DerSettings):
        room_c: float = 20.0
        loss_kw_per_k: float = 0.2

    def step(self, tick: DeviceTick) -> float:
        mine = self.settings
        lost_kw = mine.loss_kw_per_k * max(0.0, mine.room_c - tick.temperature_c)
        return -min(lost_kw, mine.nameplate_capacity)


@hookimpl
def gridsim_register(register: Register) -> None:
    register.der("electric_heater", ElectricHeater)

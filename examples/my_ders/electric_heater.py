"""A heater that covers the heat loss of a house: a custom DER type in one file."""

from gridsim.api import DerSettings, Device, DeviceTick, Register, hookimpl


class ElectricHeater(Device):
    """A heater whose power equals the heat loss, up to its nameplate capacity."""

    class Settings(DerSettings):
        room_c: float = 20.0
        loss_kw_per_k: float = 0.2

    def step(self, tick: DeviceTick) -> float:
        settings = self.settings
        loss_kw = settings.loss_kw_per_k * max(0.0, settings.room_c - tick.temperature_c)
        return -min(loss_kw, settings.nameplate_capacity)


@hookimpl
def gridsim_register(register: Register) -> None:
    register.der("electric_heater", ElectricHeater)

"""A heater that covers the heat loss of a house: a custom DER type in one file."""

from gridsim.api import DerSettings, Device, DeviceCapability, DeviceTick, Register, hookimpl


class ElectricHeater(Device):
    """A heater whose power equals the heat loss, up to its nameplate capacity.

    It takes part in events, and takes commands, because it defines `capability`. Baselines
    include it, because it `consumes`.
    """

    consumes = True

    class Settings(DerSettings):
        room_c: float = 20.0
        loss_kw_per_k: float = 0.2

    def capability(self, tick: DeviceTick) -> DeviceCapability:
        rated = self.settings.nameplate_capacity
        return DeviceCapability(min_kw=-rated, max_kw=0.0, preferred_kw=-self.wanted_kw(tick))

    def step(self, tick: DeviceTick) -> float:
        kw = -self.wanted_kw(tick) if tick.setpoint_kw is None else tick.setpoint_kw
        return min(max(kw, -self.settings.nameplate_capacity, tick.min_kw), tick.max_kw, 0.0)

    def wanted_kw(self, tick: DeviceTick) -> float:
        settings = self.settings
        loss_kw = settings.loss_kw_per_k * max(0.0, settings.room_c - tick.temperature_c)
        return min(loss_kw, settings.nameplate_capacity)


@hookimpl
def gridsim_register(register: Register) -> None:
    register.der("electric_heater", ElectricHeater)

"""A heat pump that holds a house at 20 degrees: a DER type of your own in one file."""

from gridsim.api import DerSettings, Device, DeviceTick, Register, hookimpl


class HeatPump(Device):
    class Settings(DerSettings):
        loss_kw_per_k: float = 0.2

    def step(self, tick: DeviceTick) -> float:
        heat_kw = self.settings.loss_kw_per_k * max(0.0, 20.0 - tick.temperature_c)
        cop = max(1.5, 4.0 + 0.1 * (tick.temperature_c - 7.0))
        return -min(heat_kw / cop, self.settings.nameplate_capacity)


@hookimpl
def gridsim_register(register: Register) -> None:
    register.der("heat_pump", HeatPump)

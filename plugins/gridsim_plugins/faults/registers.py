"""The energy registers that a fault changes: the part that the faults of registers share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from gridsim.api import DER_REGISTERS, SITE_REGISTERS, Members, Settings

S = TypeVar("S", bound="RegisterFaultSettings")
REGISTERS = (*DER_REGISTERS, *SITE_REGISTERS)


class RegisterFaultSettings(Settings):
    """The choice of the registers."""

    der_registers: bool = Field(
        True, description="affect energy_import_kwh and energy_export_kwh of the DER"
    )
    site_registers: bool = Field(
        False, description="affect meter_import_kwh and meter_export_kwh of the site"
    )


def chosen_registers(members: Members[S]) -> Mapping[str, NDArray[np.bool_]]:
    """Return whether each member affects a register, bool[n], by the register's name."""
    of_ders = members.choose(lambda s: s.der_registers, bool)
    of_sites = members.choose(lambda s: s.site_registers, bool)
    return {name: of_ders if name in DER_REGISTERS else of_sites for name in REGISTERS}

"""The fleet as bytes: one for each device, in the order of the roster."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gridsim.api import DeviceStates, Floats, Roster

Shown = Literal["soc", "output", "state", "type"]
NO_SOC = 255
"""The byte of a device without storage."""


class FleetMap:
    """The states of the devices as bytes. Used from several threads."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster

    @cached_property
    def types(self) -> list[str]:
        """The reported types, sorted."""
        return sorted(set(self._roster.type))

    @cached_property
    def type_bytes(self) -> NDArray[np.uint8]:
        """The index of each device's type, at most 255."""
        place = {type: min(index, 255) for index, type in enumerate(self.types)}
        return np.fromiter((place[type] for type in self._roster.type), np.uint8)

    def of(self, devices: DeviceStates, show: Shown) -> bytes:
        """Return the bytes of a snapshot's devices."""
        match show:
            case "soc":
                column = soc_bytes(devices.soc)
            case "output":
                column = output_bytes(devices, self._roster.nameplate_capacity)
            case "state":
                column = devices.state
            case "type":
                column = self.type_bytes
        return column.tobytes()


def soc_bytes(soc: Floats) -> NDArray[np.uint8]:
    """Return 0 to 200 for 0 to 100 %, and 255 where there is no storage."""
    steps = np.clip(np.rint(np.nan_to_num(soc) * 2), 0, 200)
    return np.where(np.isnan(soc), NO_SOC, steps).astype(np.uint8)


def output_bytes(devices: DeviceStates, nameplate_kw: Floats) -> NDArray[np.uint8]:
    """Return 1 to 255 for minus to plus the nameplate capacity, and 0 where there is no output."""
    share = devices.output_kw / np.where(nameplate_kw > 0, nameplate_kw, 1.0)
    steps = 128 + np.clip(np.rint(127 * np.nan_to_num(share)), -127, 127)
    return np.where(np.isnan(devices.output_kw), 0, steps).astype(np.uint8)


def groups(roster: Roster) -> Mapping[str, list[str] | list[int]]:
    """Return the projects, and the index of the first device of each."""
    starts = np.searchsorted(roster.project, np.arange(len(roster.project_id)))
    return {"project_ids": list(roster.project_id), "first_device": starts.tolist()}

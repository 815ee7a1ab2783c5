"""The reports of devices, as faults change them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from gridsim.api import LOST, SENT, AffectedReadings, DeviceFault, Floats, Tick
from gridsim.contracts.fault import REPORT_COLUMNS
from gridsim.errors import PluginError
from gridsim.simulation.batch import read_only
from gridsim.simulation.calling import Call
from gridsim.simulation.faults.checks import Checked, title
from gridsim.simulation.faults.fault_schedule import FaultSchedule, Rows
from gridsim.simulation.measurands.conditions import DeviceFaultiness
from gridsim.simulation.scenario import FaultSpec


@dataclass(frozen=True, slots=True, eq=False)
class TrueValues:
    """The true values of n devices in a tick: float64[n], not rounded."""

    current_output: Floats
    """kW; devices that do not exist have the value that they would have."""
    power_meter_measurement: Floats
    current_soc: Floats
    extra: Mapping[str, Floats] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class DeviceReports:
    """The reports of n devices in a tick, and whether they are sent."""

    timestamp_ms: NDArray[np.int64]
    is_online: NDArray[np.bool_]
    current_output: Floats
    power_meter_measurement: Floats
    current_soc: Floats
    leaves: NDArray[np.int8]
    faults: NDArray[np.uint64]
    """Bit i is set if fault number i has changed the report."""
    appears: NDArray[np.bool_]
    """False for a device that does not exist and does not report."""
    extra: dict[str, Floats] = field(default_factory=dict)
    """The further columns that a fault may have changed."""


@dataclass(frozen=True, slots=True, eq=False)
class RunningDeviceFault:
    number: int
    """The fault's bit in labels."""
    spec: FaultSpec
    schedule: FaultSchedule
    plugin: DeviceFault
    stops: bool
    alarms: int


class DeviceFaults:
    """The faults of devices, in the order of the configuration."""

    def __init__(self, faults: list[RunningDeviceFault], ghosts: NDArray[np.bool_]) -> None:
        self._faults = faults
        self._ghosts = ghosts
        self._has_ghosts = bool(ghosts.any())
        self.failed: list[tuple[FaultSchedule, PluginError]] = []
        """The faults that have failed, until they are removed."""

    def add(self, fault: RunningDeviceFault) -> None:
        """Add a fault after the others."""
        self._faults.append(fault)

    def remove(self, schedule: FaultSchedule) -> None:
        """Remove the fault with this schedule, if there is one."""
        self._faults = [one for one in self._faults if one.schedule is not schedule]

    def faultiness(self, time_ms: int) -> DeviceFaultiness | None:
        """Return the effects that devices notice in a tick, or None."""
        noticed = [one for one in self._faults if one.stops or one.alarms]
        noticed = [one for one in noticed if len(one.schedule.affected(time_ms))]
        if not noticed:
            return None
        alarms = np.zeros(len(self._ghosts), np.int64)
        stopped = np.zeros(len(self._ghosts), np.bool_)
        for fault in noticed:
            device = fault.spec.device[fault.schedule.affected(time_ms)]
            alarms[device] |= fault.alarms
            stopped[device] |= fault.stops
        return DeviceFaultiness(stopped if stopped.any() else None, alarms)

    def report(
        self, tick: Tick, truth: TrueValues, stored: NDArray[np.int64], call: Call
    ) -> DeviceReports | None:
        """Return the devices' reports; None if all devices report the truth.

        A fault that fails changes nothing, and is added to `failed`.
        """
        affected = [(fault, fault.schedule.affected(tick.time_ms)) for fault in self._faults]
        affected = [(fault, members) for fault, members in affected if len(members)]
        if not affected and not self._has_ghosts:
            return None
        n = len(stored)
        report = DeviceReports(
            timestamp_ms=np.full(n, tick.time_ms, np.int64),
            is_online=np.ones(n, np.bool_),
            current_output=truth.current_output.copy(),
            power_meter_measurement=truth.power_meter_measurement.copy(),
            current_soc=truth.current_soc.copy(),
            leaves=np.full(n, SENT, np.int8),
            faults=np.zeros(n, np.uint64),
            appears=~self._ghosts,
        )
        for fault, members in affected:
            for name in fault.plugin.measurands:
                if name in truth.extra and name not in report.extra:
                    report.extra[name] = truth.extra[name].copy()
            try:
                self._inject(fault, members, tick, report, stored, call)
            except PluginError as error:
                # Nothing of it is in the report: the devices report as without the fault.
                self.failed.append((fault.schedule, error))
        return report

    def _inject(
        self,
        fault: RunningDeviceFault,
        members: Rows,
        tick: Tick,
        report: DeviceReports,
        stored: NDArray[np.int64],
        call: Call,
    ) -> None:
        device = fault.spec.device[members]
        before = {name: getattr(report, name)[device] for name in REPORT_COLUMNS}
        extra = {
            name: report.extra[name][device]
            for name in fault.plugin.measurands
            if name in report.extra
        }
        affected = AffectedReadings(
            member=read_only(members.view()),
            since_ms=fault.schedule.since_ms[members],
            stored=stored[device],
            extra={name: column.copy() for name, column in extra.items()},
            **{name: column.copy() for name, column in before.items()},
        )
        type_name = fault.spec.name
        call(title(type_name), partial(fault.plugin.inject, tick, affected))
        checked = Checked(type_name, fault.spec.members.ids, members, affected, fault.plugin.inject)
        after = {
            "timestamp_ms": checked.times("timestamp_ms"),
            "is_online": checked.flags("is_online"),
            "current_output": checked.numbers("current_output"),
            "power_meter_measurement": checked.numbers("power_meter_measurement"),
            "current_soc": checked.numbers("current_soc", gaps=True),
            "leaves": checked.among("leaves", LOST),
        }
        after_extra = {name: checked.extra(name) for name in extra}
        changed = np.zeros(len(device), np.bool_)
        for name, values in after.items():
            # NaN is not equal to itself; a value that stays NaN has not changed.
            old, missing = before[name], values != values
            changed |= (values != old) & ~(missing & (old != old))
            getattr(report, name)[device] = values
        for name, old in extra.items():
            values = after_extra[name]
            changed |= (values != old) & ~(np.isnan(values) & np.isnan(old))
            report.extra[name][device] = values
        if fault.plugin.is_ghost:
            report.appears[device] = True
        if fault.plugin.is_ghost or fault.stops:
            changed[:] = True
        report.faults[device[changed]] |= np.uint64(1) << np.uint64(fault.number)

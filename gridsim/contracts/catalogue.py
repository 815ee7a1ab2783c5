"""The catalogue of a run: the faults that can be injected, the commands, and the types of DERs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class SettingEntry:
    """A setting, as its model describes it."""

    name: str
    type: str
    """The type in words, for example `float`, `list of str`, or the choices."""
    unit: str
    """Empty if it has none."""
    required: bool
    default: Any
    """A value as JSON has it; None where there is none."""
    choices: Sequence[Any]
    """The only values that it may have; empty: it is not limited to some."""
    description: str


@dataclass(frozen=True, slots=True)
class FaultEntry:
    """A type of fault that can be injected."""

    type: str
    description: str
    """One sentence; empty if the plugin has none."""
    settings: Sequence[SettingEntry]
    """Its own settings; all faults also have `Catalogue.fault_settings`."""


@dataclass(frozen=True, slots=True)
class CommandEntry:
    """A command to a device or project."""

    command: str
    units: Sequence[str]
    """The units of its value, the default first; empty: it takes no value."""
    ramps: bool
    """True if it takes `ramp_s` and `periods`."""


@dataclass(frozen=True, slots=True)
class DerEntry:
    """A type of DER in the run."""

    type: str
    reported: Sequence[str]
    """The types that its devices report."""
    devices: int
    takes_commands: bool
    shares_setpoint: bool
    """True if its devices share a `set_power` of their project."""
    settings: Sequence[SettingEntry]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The choices that a view offers to its user, which depend on the plugins of the run."""

    faults: Sequence[FaultEntry]
    fault_settings: Sequence[SettingEntry]
    """The settings that every fault has, such as its duration."""
    commands: Sequence[CommandEntry]
    ders: Sequence[DerEntry]

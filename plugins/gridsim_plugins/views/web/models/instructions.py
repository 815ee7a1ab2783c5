"""The answers about instructions, and the catalogue of possible instructions."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from gridsim.api import RunState
from gridsim_plugins.views.web.models.common import Count, Outcome


class SettingItem(Struct, frozen=True):
    name: str
    type: str
    unit: str
    required: bool
    default: Any
    choices: list[Any]
    description: str


class FaultType(Struct, frozen=True):
    type: str
    description: str
    settings: list[SettingItem]


class CommandType(Struct, frozen=True):
    command: str
    units: list[str]
    """The units of its value, the default first; empty: it takes no value."""
    ramps: bool


class DerType(Struct, frozen=True):
    type: str
    reported: list[str]
    devices: Count
    takes_commands: bool
    shares_setpoint: bool
    settings: list[SettingItem]


class CatalogueAnswer(Struct, frozen=True):
    """The faults, commands and types of DERs of the run, by its plugins."""

    faults: list[FaultType]
    fault_settings: list[SettingItem]
    commands: list[CommandType]
    ders: list[DerType]


class Equivalents(Struct, frozen=True):
    """Other ways with the same effect."""

    send: str | None
    """The command line."""
    toml: str | None
    """The part of a configuration; null where a configuration cannot hold it."""
    json: str | None
    """The message to a source, such as the payload of a command on MQTT."""
    curl: str
    note: str
    """The reason why one of them would not work in this run; else empty."""


class AcknowledgementItem(Struct, frozen=True):
    time_ms: int
    status: Outcome
    text: str


class InstructionAnswer(Struct, frozen=True, omit_defaults=True):
    id: str
    target: str
    command: str
    status: Outcome
    reason: str
    acknowledgements: list[AcknowledgementItem]
    equivalents: Equivalents
    error: str = ""


class InstructionsAnswer(Struct, frozen=True):
    items: list[InstructionAnswer]


class ControlAnswer(Struct, frozen=True):
    state: RunState
    speed: float
    equivalents: Equivalents

"""The function that makes a run's catalogue from its loaded plugins."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, to_jsonable_python

from gridsim.api import Catalogue, CommandEntry, DerEntry, FaultEntry, SettingEntry, Unit
from gridsim.config.tables.faults import FaultSettings
from gridsim.contracts.instruction_rules import RAMPED, UNITS_OF, Action
from gridsim.plugins.listing import first_sentence, type_name
from gridsim.plugins.registry import Registry
from gridsim.simulation.scenario import Scenario


def make_catalogue(registry: Registry, scenario: Scenario) -> Catalogue:
    """Return the catalogue of a run with these plugins and fleets."""
    return Catalogue(
        faults=[
            FaultEntry(entry.name, first_sentence(entry.type), _settings(entry.type.Settings))
            for entry in registry
            if entry.kind == "fault"
        ],
        fault_settings=_settings(FaultSettings),
        commands=[
            CommandEntry(action, UNITS_OF.get(action, ()), action in RAMPED)
            for action in get_args(Action)
        ],
        ders=_ders(scenario),
    )


def _ders(scenario: Scenario) -> list[DerEntry]:
    types = scenario.roster.type
    found: dict[str, DerEntry] = {}
    for fleet in scenario.fleets:
        devices = fleet.device.tolist()
        before = found.get(fleet.name)
        reported = {types[device] for device in devices} | set(before.reported if before else ())
        found[fleet.name] = DerEntry(
            fleet.name,
            sorted(reported),
            len(devices) + (before.devices if before else 0),
            fleet.type.obeys(),
            # If only some of the devices are flexible, these share it.
            fleet.type.obeys()
            and (fleet.stage == "flexible" or bool(before and before.shares_setpoint)),
            _settings(fleet.type.Settings),
        )
    return [found[name] for name in sorted(found)]


def _settings(model: type[BaseModel]) -> list[SettingEntry]:
    return [_setting(name, info) for name, info in model.model_fields.items()]


def _setting(name: str, info: FieldInfo) -> SettingEntry:
    default: Any = None
    if not info.is_required():
        value = info.get_default(call_default_factory=True)
        # A secret becomes asterisks, and a value that JSON does not have becomes its text.
        default = None if value is PydanticUndefined else to_jsonable_python(value, fallback=str)
    return SettingEntry(
        name,
        type_name(info.annotation),
        next((one.name for one in info.metadata if isinstance(one, Unit)), ""),
        info.is_required(),
        default,
        list(_choices(info.annotation)),
        info.description or "",
    )


def _choices(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
    elif get_origin(annotation) is Union or type(annotation).__name__ == "UnionType":
        for one in get_args(annotation):
            yield from _choices(one)

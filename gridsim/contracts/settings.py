"""Settings: what a plugin lets its user configure, and in what unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler
from pydantic_core import CoreSchema


@dataclass(frozen=True, slots=True)
class Unit:
    """Marks a setting's unit: `tilt: Annotated[float, Unit("deg")] = 30.0`."""

    name: str

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "x-unit": self.name}


class Settings(BaseModel):
    """Base of every plugin's `Settings`.

    Give each field a description: `gridsim plugins NAME`, the JSON Schema and the
    documentation show it. A `SecretStr` field takes its value from a placeholder such as
    `${MQTT_PASSWORD}` only; a literal in the configuration is refused.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DerSettings(Settings):
    """Base of a DER type's `Settings`.

    Any numeric field may be given as a distribution in the configuration, which is sampled
    per device: read the samples from `Members.columns`.
    """

    nameplate_capacity: Annotated[float, Unit("kW")] = Field(
        gt=0, description="rated power; the output never exceeds it, in either direction"
    )


def numeric_fields(settings: type[Settings]) -> list[str]:
    """The settings that become columns and may be distributions: numbers, also optional ones."""
    return [name for name, info in settings.model_fields.items() if info.annotation in _NUMBERS]


_NUMBERS = (int, float, int | None, float | None)

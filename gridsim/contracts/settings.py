"""Settings: the options of a plugin, with units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler
from pydantic_core import CoreSchema
from typing_extensions import TypeVar


@dataclass(frozen=True, slots=True)
class Unit:
    """The unit of a setting: `tilt: Annotated[float, Unit("deg")] = 30.0`."""

    name: str

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "x-unit": self.name}


class Settings(BaseModel):
    """Base of the `Settings` of every plugin.

    Give each field a description: `gridsim plugins NAME`, the JSON Schema and the
    documentation show it. A `SecretStr` field accepts a placeholder such as `${MQTT_PASSWORD}`
    only; a literal in the configuration is an error.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


S = TypeVar("S", bound=Settings, default=Any)
"""The settings of a plugin; a class that names none has settings of any type."""


class DerSettings(Settings):
    """Base of the `Settings` of a DER type.

    The configuration may give any numeric field as a distribution, which is sampled per device.
    Read the samples from `Members.columns`.
    """

    nameplate_capacity: Annotated[float, Unit("kW")] = Field(
        gt=0, description="rated power; upper bound of the output in both directions"
    )


D = TypeVar("D", bound=DerSettings, default=Any)
"""The settings of a DER type, likewise."""


def numeric_fields(settings: type[Settings]) -> list[str]:
    """Return the names of the numeric settings: they become columns and may be distributions."""
    return [name for name, info in settings.model_fields.items() if info.annotation in _NUMBERS]


_NUMBERS = (int, float, int | None, float | None)

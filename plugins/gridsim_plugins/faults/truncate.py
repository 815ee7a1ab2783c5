"""The fault `truncate`: messages that are cut off."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from gridsim.api import (
    MessageEffects,
    MessageFault,
    Register,
    Settings,
    Tick,
    Unit,
    hookimpl,
)


class TruncateSettings(Settings):
    """Settings of the fault `truncate`."""

    least: Annotated[float, Unit("%")] = Field(
        5.0, ge=0, le=100, description="smallest share of the payload that remains"
    )
    most: Annotated[float, Unit("%")] = Field(
        95.0,
        ge=0,
        le=100,
        description="largest share of the payload that remains; the last byte is always cut ",
    )

    @model_validator(mode="after")
    def _ordered(self) -> TruncateSettings:
        if self.least > self.most:
            raise ValueError("least must not be above most")
        return self


class Truncate(MessageFault[TruncateSettings]):
    """Messages whose payload ends early, at a byte drawn for each message.

    `least` and `most` are the same for all devices: of a distribution, the middle is used.
    """

    Settings = TruncateSettings
    kept = ()

    def inject(self, tick: Tick, effects: MessageEffects) -> None:
        effects.altered[:] = True

    @classmethod
    def alter(cls, settings: TruncateSettings, body: bytes, chance: float) -> bytes:
        least, most = settings.least / 100.0, settings.most / 100.0
        left = least + (most - least) * chance
        return body[: max(min(int(left * len(body)), len(body) - 1), 1)]


@hookimpl
def gridsim_register(register: Register) -> None:
    register.fault("truncate", Truncate)

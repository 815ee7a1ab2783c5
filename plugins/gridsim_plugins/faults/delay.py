"""The fault `delay`: messages that arrive late."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from gridsim.api import (
    Members,
    MessageEffects,
    MessageFault,
    Register,
    Settings,
    Tick,
    Unit,
    hookimpl,
)

_YEAR_S = 366 * 86_400


class DelaySettings(Settings):
    """Settings of the fault `delay`."""

    delay_s: Annotated[float, Unit("s")] = Field(
        5.0, ge=0, le=_YEAR_S, description="delay of every message"
    )
    jitter_s: Annotated[float, Unit("s")] = Field(
        0.0, ge=0, le=_YEAR_S, description="mean additional delay, drawn for each message"
    )
    jitter: Literal["exponential", "uniform"] = Field(
        "exponential",
        description="distribution of the additional delay: exponential, with few very late "
        "messages; or uniform from 0 to twice the mean",
    )


class Delay(MessageFault[DelaySettings]):
    """Messages that are sent late, in simulated time, in the first tick after their delay.

    Later messages of the same device may be sent earlier.
    """

    Settings = DelaySettings
    kept = ()

    def __init__(self, members: Members[DelaySettings]) -> None:
        super().__init__(members)
        self._delay_s = members.columns["delay_s"]
        self._jitter_s = members.columns["jitter_s"]
        self._is_uniform = members.choose(lambda s: s.jitter == "uniform", np.bool_)

    def inject(self, tick: Tick, effects: MessageEffects) -> None:
        member, u = effects.member, effects.chance
        share = np.where(self._is_uniform[member], 2.0 * u, -np.log1p(-u))
        late_s = self._delay_s[member] + share * self._jitter_s[member]
        effects.delay_ms += np.rint(late_s * 1000.0).astype(np.int64)


@hookimpl
def gridsim_register(register: Register) -> None:
    register.fault("delay", Delay)

"""The baseline `newname`: the expected consumption, with a margin.

Replace the value of `at` by your own. `note` receives the consumption. A value that depends on the
day must be fixed in `event_announced`.
"""

from __future__ import annotations

from typing import Annotated

from gridsim.api import Baseline, Floats, Register, Settings, Tick, Unit, hookimpl
from pydantic import Field


class NewNameSettings(Settings):
    """Settings of the baseline. A configuration may give a number as a distribution."""

    margin: Annotated[float, Unit("%")] = Field(
        0.0, ge=-100, le=100, description="margin above the expected consumption"
    )


class NewName(Baseline[NewNameSettings]):
    """The expected consumption of a site, with a margin."""

    Settings = NewNameSettings

    def at(self, tick: Tick) -> Floats:
        # The array of `expected` must not be changed; the product is a new array.
        return self.expected(tick.time_ms) * (1.0 + self.members.columns["margin"] / 100.0)


@hookimpl
def gridsim_register(register: Register) -> None:
    register.baseline("newname", NewName)

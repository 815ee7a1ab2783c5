"""The settings of the load `profile`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from gridsim.api import RunPeriod, Unit
from gridsim_plugins.loads.profile.file_settings import ProfileFileSettings
from gridsim_plugins.loads.profile.reading import read_profile


class ProfileSettings(ProfileFileSettings):
    """Settings of the load `profile`."""

    scale: Annotated[float, Unit("1")] = Field(
        1.0, ge=0.0, description="factor on the load; may be a distribution over sites"
    )

    def file_problems(self, period: RunPeriod | None) -> Iterator[tuple[str, str]]:
        """Yield the problem of the file, if it cannot be read or does not cover the run."""
        try:
            series, _ = read_profile(self)
            if period is not None:
                series.on_clock(period.timezone).require(period)
        except ValueError as error:
            yield "path", f"cannot be used: {error}"

"""The aggregator with three bugs that its own tests would probably miss."""

from datetime import datetime
from typing import Any

from aggregator import Aggregator


class ExportCountsAsLoad(Aggregator):
    """A bug: the output of a device counts as its consumption, so the sign is wrong for devices
    that feed.
    """

    def net_kw(self, readings: list[dict[str, Any]]) -> float:
        output = sum(reading["current_output"] for reading in readings)
        return float(readings[0]["power_meter_measurement"] + output)


class CountsRepeats(Aggregator):
    """A bug: every message counts, so a reading that arrives twice counts twice."""

    def keep(self, reading: dict[str, Any]) -> None:
        self._kept[reading["der_id"], str(self.received)] = reading


class BaselineOfTheStart(Aggregator):
    """A bug: the baseline of the event's first minute is used for the whole event."""

    def baseline_kw(self, project: str, at: datetime, readings: list[dict[str, Any]]) -> float:
        first: dict[str, float] = self.__dict__.setdefault("_first", {})
        return first.setdefault(project, float(readings[0]["baseline"]))

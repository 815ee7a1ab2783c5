"""The aggregator with three bugs that its own tests would hardly find."""

from datetime import datetime
from typing import Any

from aggregator import Aggregator


class ExportCountsAsLoad(Aggregator):
    """Takes the output of a device for its consumption: the sign is wrong for all that feeds."""

    def net_kw(self, readings: list[dict[str, Any]]) -> float:
        output = sum(reading["current_output"] for reading in readings)
        return float(readings[0]["power_meter_measurement"] + output)


class CountsRepeats(Aggregator):
    """Keeps every message: a reading that arrives twice counts twice."""

    def keep(self, reading: dict[str, Any]) -> None:
        self._kept[reading["der_id"], str(self.received)] = reading


class BaselineOfTheStart(Aggregator):
    """Takes the baseline of the event's first minute for the whole event."""

    def baseline_kw(self, project: str, at: datetime, readings: list[dict[str, Any]]) -> float:
        first: dict[str, float] = self.__dict__.setdefault("_first", {})
        return first.setdefault(project, float(readings[0]["baseline"]))

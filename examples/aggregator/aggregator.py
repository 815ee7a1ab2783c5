"""A small aggregator: it reads a fleet's telemetry from MQTT and settles events."""

import json
import threading
from datetime import datetime
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion


class Aggregator:
    """A store of one reading for each device and time, which computes the reduction of projects."""

    def __init__(self, host: str, port: int) -> None:
        self.received = 0
        self._kept: dict[tuple[str, str], dict[str, Any]] = {}
        self._subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe("projects/+/ders/+", 1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message
        self._client.connect(host, port)
        self._client.loop_start()
        if not self._subscribed.wait(10):
            raise TimeoutError(f"no answer from {host}:{port}")

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def readings(self) -> list[dict[str, Any]]:
        return list(self._kept.values())

    def settle(self, event: str, start: datetime, end: datetime) -> list[dict[str, Any]]:
        """Return the energy, in kWh, by which each project reduced its consumption."""
        sites: dict[tuple[str, datetime], list[dict[str, Any]]] = {}
        for reading in self.readings():
            at = datetime.fromisoformat(reading["timestamp"])
            if start <= at < end:
                sites.setdefault((reading["project_id"], at), []).append(reading)
        reduced: dict[str, float] = {}
        for (project, at), readings in sorted(sites.items()):
            kw = self.baseline_kw(project, at, readings) - self.net_kw(readings)
            reduced[project] = reduced.get(project, 0.0) + kw / 60  # a reading a minute
        return [{"event": event, "project_id": p, "reduction_kwh": k} for p, k in reduced.items()]

    def keep(self, reading: dict[str, Any]) -> None:
        self._kept[reading["der_id"], reading["timestamp"]] = reading

    def baseline_kw(self, project: str, at: datetime, readings: list[dict[str, Any]]) -> float:
        return float(readings[0]["baseline"])

    def net_kw(self, readings: list[dict[str, Any]]) -> float:
        output = sum(reading["current_output"] for reading in readings)
        return float(readings[0]["power_meter_measurement"] - output)

    def _on_message(self, client: Client, data: object, message: Any) -> None:
        self.received += 1
        try:
            reading = json.loads(message.payload)
        except ValueError:  # cut off or damaged on its way
            return
        self.keep(reading)

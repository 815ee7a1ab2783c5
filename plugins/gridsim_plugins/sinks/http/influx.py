"""Readings to InfluxDB, by its HTTP API of version 1 or 2."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlencode, urlsplit

from gridsim.api import (
    Batch,
    Format,
    Receipt,
    Register,
    RunContext,
    Transport,
    hookimpl,
    record_columns,
)
from gridsim_plugins.sinks.http.client import HttpClient
from gridsim_plugins.sinks.http.lines import LineProtocol
from gridsim_plugins.sinks.http.settings import InfluxSettings


class Influx(Transport[InfluxSettings]):
    """A transport that writes points into InfluxDB, in its line protocol."""

    Settings = InfluxSettings
    framings = ("der",)
    writes_columns = True

    def __init__(self, settings: InfluxSettings, format: Format, run: RunContext) -> None:
        super().__init__(settings, format, run)
        columns = record_columns(settings, run.roster)
        self._lines = LineProtocol(settings.measurement, columns, len(run.roster))
        query = {"precision": "ms"}
        if settings.database:
            query |= {"db": settings.database}
            if settings.retention_policy:
                query |= {"rp": settings.retention_policy}
            end = "/write"
        else:
            query |= {"bucket": settings.bucket, "org": settings.org}
            end = "/api/v2/write"
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        if token := settings.token.get_secret_value():
            headers["Authorization"] = f"Token {token}"
        path = f"{urlsplit(settings.url).path.rstrip('/')}{end}?{urlencode(query)}"
        self._client = HttpClient(settings, path, headers)

    @classmethod
    def wants(cls, settings: InfluxSettings) -> Collection[str]:
        return settings.wanted()

    def describe(self) -> str:
        own = self.settings
        return f"InfluxDB {own.database or own.bucket} at {own.url.partition('?')[0]}"

    def connect(self) -> None:
        self._client.connect()

    def write(self, batch: Batch, receipt: Receipt) -> None:
        rows = self.settings.rows_per_request
        for start in range(0, len(batch), rows):
            part = batch.rows(start, min(start + rows, len(batch)))
            self._client.post(part, receipt, self._lines.encode)

    def close(self) -> None:
        self._client.close()


@hookimpl
def gridsim_register(register: Register) -> None:
    register.transport("influx", Influx)

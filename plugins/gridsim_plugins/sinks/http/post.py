"""Readings in batches to an HTTP server."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit
from uuid import uuid4

from gridsim.api import (
    Batch,
    Format,
    Receipt,
    Register,
    RunContext,
    Transport,
    hookimpl,
)
from gridsim_plugins.sinks.http.client import HttpClient
from gridsim_plugins.sinks.http.settings import HttpSettings


class Http(Transport[HttpSettings]):
    """A transport that posts messages in batches, each with an idempotency key."""

    Settings = HttpSettings

    def __init__(self, settings: HttpSettings, format: Format, run: RunContext) -> None:
        super().__init__(settings, format, run)
        if settings.body == "array" and not format.is_json:
            raise ValueError('body: an array needs a format of JSON; set body = "lines"')
        kinds = {"array": "application/json", "lines": "application/x-ndjson"}
        kind = kinds[settings.body] if format.is_json else "text/plain"
        headers = {"Content-Type": settings.content_type or kind}
        if token := settings.token.get_secret_value():
            headers["Authorization"] = f"Bearer {token}"
        parts = urlsplit(settings.url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._client = HttpClient(settings, path, headers, settings.method)
        self._client.by_group = format.framing == "project"
        self._name = uuid4().hex
        self._header = format.header + b"\n" if format.header and settings.body == "lines" else b""

    def describe(self) -> str:
        return f"{self.settings.method} {self.settings.url.partition('?')[0]}"

    def connect(self) -> None:
        self._client.connect()

    def write(self, batch: Batch, receipt: Receipt) -> None:
        ends = self.format.cuts(batch)
        start, rows = 0, self.settings.rows_per_request
        while start < len(batch):
            stop = min(start + rows, len(batch))
            if ends is not None and stop not in ends:
                whole = ends[(ends > start) & (ends < stop)]
                stop = int(whole[-1] if len(whole) else ends[ends > start][0])
            self._client.post(batch.rows(start, stop), receipt, self._body, self._key)
            start = stop

    def close(self) -> None:
        self._client.close()

    def _body(self, part: Batch) -> bytes:
        bodies = self.format.encode(part).bodies
        if self.settings.body == "array":
            return b"[" + b",\n".join(bodies) + b"]"
        return self._header + b"".join(body + b"\n" for body in bodies)

    def _key(self, part: Batch) -> Mapping[str, str]:
        """Return the header that is the same if the same readings are sent again."""
        last = part.number + len(part) - 1
        return {"Idempotency-Key": f'"{self._name}-{part.number}-{last}"'}


@hookimpl
def gridsim_register(register: Register) -> None:
    register.transport("http", Http)

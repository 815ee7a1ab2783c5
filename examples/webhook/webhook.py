"""A transport and a format: readings in InfluxDB's line protocol, posted to a URL."""

import http.client
from collections.abc import Sequence
from urllib.parse import urlsplit

import numpy as np
from pydantic import Field

from gridsim.api import (
    Batch,
    Format,
    Framing,
    Payloads,
    Receipt,
    Register,
    Roster,
    RunContext,
    Settings,
    Transport,
    TransportError,
    hookimpl,
)

REFUSED = (400, 413, 422)
"""The answers by which a server refuses the content of one request."""


class InfluxSettings(Settings):
    """Settings of the format `influx`."""

    measurement: str = Field("der", pattern=r"^\w+$", description="name of the measurement")


class Influx(Format[InfluxSettings]):
    """InfluxDB's line protocol: a line per reading, with the time in milliseconds."""

    Settings = InfluxSettings

    def __init__(self, settings: InfluxSettings, framing: Framing, roster: Roster) -> None:
        if framing != "der":
            raise ValueError("influx has a line per DER: framing must be der")
        super().__init__(settings, framing, roster)
        self._tags = [
            f"{settings.measurement},der_id={_tag(der_id)},project_id={_tag(project_id)} kw="
            for der_id, project_id in zip(
                roster.der_id, (roster.project_id[row] for row in roster.project), strict=True
            )
        ]

    def encode(self, batch: Batch) -> Payloads:
        rows = zip(
            batch.device.tolist(),
            batch.current_output.tolist(),
            batch.is_online.tolist(),
            batch.contract_threshold.tolist(),
            batch.timestamp_ms.tolist(),
            strict=True,
        )
        bodies = [
            f"{self._tags[device]}{kw:.2f},online={online},threshold={limit:.2f} {time}".encode()
            for device, kw, online, limit, time in rows
        ]
        return Payloads(bodies, np.arange(len(bodies) + 1))


class WebhookSettings(Settings):
    """Settings of the transport `webhook`."""

    url: str = Field(pattern=r"^https?://", description="the URL to which readings are posted")
    timeout_s: float = Field(5.0, gt=0, description="time that the server has to answer")


class Webhook(Transport[WebhookSettings]):
    """A POST for each part of a batch; delivered: the server answered with a status below 300."""

    Settings = WebhookSettings
    connection: http.client.HTTPConnection | None = None

    def __init__(self, settings: WebhookSettings, format: Format, run: RunContext) -> None:
        super().__init__(settings, format, run)
        self.target = urlsplit(settings.url)

    def describe(self) -> str:
        return f"webhook {self.target.scheme}://{self.target.netloc}{self.target.path}"

    def connect(self) -> None:
        kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
        kind = kinds[self.target.scheme]
        self.connection = kind(self.target.netloc, timeout=self.settings.timeout_s)
        try:
            self.connection.connect()
        except OSError as error:
            raise TransportError(f"{self.target.netloc}: {error}") from error

    def write(self, batch: Batch, receipt: Receipt) -> None:
        # A part has whole payloads; what is confirmed is not sent again after a failure.
        for _, payloads in self.format.encode_parts(batch):
            self.post(payloads.bodies, payloads.starts.tolist(), receipt)

    def post(self, bodies: Sequence[bytes], starts: Sequence[int], receipt: Receipt) -> None:
        """Post the bodies; `starts` has their first rows, and the row after the last."""
        assert self.connection is not None
        try:
            self.connection.request("POST", self.target.path or "/", b"\n".join((*bodies, b"")))
            answer = self.connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise TransportError(f"{self.target.netloc}: {error}") from error
        reason = f"{self.target.netloc} answered {answer.status} {answer.reason}"
        if answer.status < 300:
            receipt.delivered(starts[-1] - starts[0])
        elif answer.status not in REFUSED:
            # 4xx: the same request would be refused again.
            raise TransportError(reason, permanent=400 <= answer.status < 500)
        elif len(bodies) == 1:
            receipt.dropped(starts[-1] - starts[0], reason)
        else:
            # One bad reading must not stop the others: find it.
            half = len(bodies) // 2
            self.post(bodies[:half], starts[: half + 1], receipt)
            self.post(bodies[half:], starts[half:], receipt)

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()


def _tag(text: str) -> str:
    """Escape the characters that separate tags."""
    return "".join(f"\\{char}" if char in ", =" else char for char in text)


@hookimpl
def gridsim_register(register: Register) -> None:
    register.format("influx", Influx)
    register.transport("webhook", Webhook)

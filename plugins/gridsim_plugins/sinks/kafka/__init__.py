"""Readings to a topic of Kafka."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from loguru import logger

from gridsim.api import (
    Batch,
    Format,
    MessageAddress,
    Receipt,
    Register,
    RunContext,
    Transport,
    TransportError,
    hookimpl,
)
from gridsim_plugins.sinks.kafka.outcomes import Outcomes
from gridsim_plugins.sinks.kafka.settings import KafkaSettings

if TYPE_CHECKING:
    from confluent_kafka import Producer

_POLL_S = 0.2


class Kafka(Transport[KafkaSettings]):
    """A transport that produces to a topic of Kafka; the key of a message is its project."""

    Settings = KafkaSettings

    def __init__(self, settings: KafkaSettings, format: Format, run: RunContext) -> None:
        super().__init__(settings, format, run)
        if find_spec("confluent_kafka") is None:
            raise ValueError(
                "needs confluent-kafka, which is not installed: pip install 'gridsim-der[kafka]'"
            )
        self._keys = [project.encode() for project in run.roster.project_id]
        self._producer: Producer | None = None
        self._is_down = False

    def describe(self) -> str:
        return f"topic {self.settings.topic} of Kafka at {', '.join(self.settings.brokers)}"

    def address(self, device: int) -> MessageAddress:
        return MessageAddress(topic=self.settings.topic)

    def connect(self) -> None:
        from confluent_kafka import KafkaException, Producer

        options = self.settings.options() | {"error_cb": self._note}
        try:
            self._producer = Producer(options, logger=_Silent())
            self._producer.list_topics(self.settings.topic, self.settings.connect_timeout_s)
        except (KafkaException, ValueError) as error:
            raise TransportError(_text(error)) from error

    def write(self, batch: Batch, receipt: Receipt) -> None:
        for part, payloads in self.format.encode_parts(batch):
            starts = payloads.starts.tolist()
            outcomes = Outcomes(starts, receipt)
            projects = part.roster.project[part.device].tolist()
            times = part.timestamp_ms.tolist()
            for place, body in enumerate(payloads.bodies):
                row = starts[place]
                self._produce(outcomes, place, body, self._keys[projects[row]], times[row])
            while not outcomes.are_known:
                self._polled(_POLL_S)
                outcomes.settle()
            outcomes.check()
            self._is_down = False

    def idle(self) -> None:
        self._polled(0)

    def close(self) -> None:
        self._producer = None

    def _produce(
        self, outcomes: Outcomes, place: int, body: bytes, key: bytes, time_ms: int
    ) -> None:
        from confluent_kafka import KafkaException

        if self._producer is None:
            raise TransportError("not connected")
        while True:
            try:
                self._producer.produce(
                    self.settings.topic,
                    body,
                    key,
                    timestamp=max(time_ms, 1),
                    on_delivery=lambda error, _: outcomes.note(place, error),
                )
                return
            except BufferError:
                # The client's queue is full.
                self._polled(_POLL_S)
                outcomes.settle()
            except KafkaException as error:
                outcomes.note(place, error.args[0])
                return

    def _polled(self, seconds: float) -> None:
        if self._producer is None:
            raise TransportError("not connected")
        self._producer.poll(seconds)

    def _note(self, error: Any) -> None:
        """Log once that no broker answers; the client goes on trying."""
        if not self._is_down:
            self._is_down = True
            logger.warning("transport kafka: {}; retrying", " ".join(str(error.str()).split()))


class _Silent:
    """A logger for the client, whose errors come through its callback."""

    def log(self, *_: object, **__: object) -> None:
        """Drop a line."""


def _text(error: Exception) -> str:
    cause = error.args[0] if error.args else error
    text = cause.str() if hasattr(cause, "str") else str(error)
    return " ".join(str(text).split())


@hookimpl
def gridsim_register(register: Register) -> None:
    register.transport("kafka", Kafka)

"""The readings that a system publishes to a topic, collected during a day."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from gridsim.api import Capture, Listener, ReceivedMessage
from gridsim.errors import GridsimError
from gridsim.verify.subscriber import Subscriber

_SUBSCRIBE_S = 10.0
_LOOK_S = 0.02


class TopicListener(Listener):
    """A listener to a capture that keeps the messages of some topics only."""

    def __init__(self, capture: Capture, topics: str) -> None:
        self._capture, self._topics = capture, topics

    def describe(self) -> str:
        return self._capture.describe()

    def connect(self) -> None:
        self._capture.connect()

    def receive(self, timeout_s: float) -> Sequence[ReceivedMessage]:
        received = self._capture.receive(timeout_s)
        return [one for one in received if self._capture.matches(self._topics, one.topic)]

    def close(self) -> None:
        self._capture.close()


class TopicExport:
    """The messages to the topic of a system, written to a file for comparison."""

    def __init__(self, name: str, capture: Capture, topics: str) -> None:
        """Prepare; `name` is the name of the transport."""
        self._topics = topics
        self._subscriber = Subscriber(name, TopicListener(capture, topics))
        self._bodies: list[bytes] = []

    def start(self) -> None:
        """Subscribe. Raises GridsimError if that is not possible."""
        subscriber = self._subscriber
        subscriber.start()
        deadline = time.monotonic() + _SUBSCRIBE_S
        while not subscriber.subscribed.wait(_LOOK_S):
            subscriber.check()
            if subscriber.refusal or time.monotonic() > deadline:
                reason = subscriber.refusal or "no answer"
                raise GridsimError(
                    f"export_topic: gridsim cannot subscribe at {subscriber.where}: {reason}"
                )

    def stop(self) -> None:
        """End the subscription."""
        self._subscriber.stop()

    def write(self, path: Path) -> None:
        """Write what has arrived so far, a message in each line. Raises GridsimError."""
        self._subscriber.check()
        self._bodies += self._subscriber.take()[0]
        if not self._bodies:
            raise GridsimError(f"export_topic: no message has arrived at {self._topics}")
        # Between the values of JSON a line break is a space.
        lines = (body.replace(b"\r", b" ").replace(b"\n", b" ") + b"\n" for body in self._bodies)
        path.write_bytes(b"".join(lines))

    @property
    def losses(self) -> int:
        """The number of lost connections; messages may be missing after each."""
        return self._subscriber.losses

"""One connection for all devices."""

from __future__ import annotations

from collections.abc import Sequence

from gridsim.api import Batch, Format
from gridsim_plugins.mqtt.publish.acknowledged import PublishAcknowledged
from gridsim_plugins.mqtt.publish.isolation import Isolation
from gridsim_plugins.mqtt.publish.messages import MessageAccount, encoded
from gridsim_plugins.mqtt.publish.unacknowledged import PublishUnacknowledged
from gridsim_plugins.mqtt.publish.unanswered import Unanswered
from gridsim_plugins.mqtt.session.connection import Connection
from gridsim_plugins.mqtt.session.frames import Frames
from gridsim_plugins.mqtt.settings import MqttSettings


class SharedConnection:
    """The connection that all devices share, opened by the constructor.

    It raises TransportError as `Connection` does.
    """

    def __init__(
        self,
        settings: MqttSettings,
        address: tuple[str, int],
        client_id: str,
        topics: Sequence[str],
        frames: Frames,
        isolation: Isolation,
        unanswered: Unanswered,
        answer_timeout_s: float,
        announced: bytes = b"",
    ) -> None:
        """Connect, and send the packets of the announcements."""
        self._connection = Connection(
            settings, *address, client_id=client_id, answer_timeout_s=answer_timeout_s
        )
        self._publisher: PublishAcknowledged | PublishUnacknowledged
        if settings.qos:
            self._publisher = PublishAcknowledged(
                self._connection,
                topics,
                isolation,
                unanswered,
                qos=settings.qos,
                frames=frames,
                window=settings.window,
            )
        else:
            self._publisher = PublishUnacknowledged(self._connection, frames, isolation)
        try:
            self.announce(announced)
        except BaseException:
            self.close()
            raise

    @property
    def closed_by_broker(self) -> bool:
        return self._connection.closed_by_broker

    def announce(self, packets: bytes) -> None:
        """Send the packets of announcements, which may be empty."""
        if packets:
            self._connection.send(packets)

    def go_on(
        self,
        topics: Sequence[str],
        frames: Frames,
        isolation: Isolation,
        unanswered: Unanswered,
    ) -> None:
        """Continue with the topics of other devices, when all messages are accounted for."""
        publisher = self._publisher
        if isinstance(publisher, PublishAcknowledged):
            publisher.go_on(topics, frames, isolation, unanswered)
        else:
            publisher.go_on(frames, isolation)

    def write(self, format: Format, batch: Batch, account: MessageAccount) -> None:
        self._publisher.write(encoded(format, batch), account)

    def keep_alive(self) -> None:
        self._connection.keep_alive()

    def close(self) -> None:
        self._connection.close()

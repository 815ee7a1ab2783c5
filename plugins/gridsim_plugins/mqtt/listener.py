"""A subscription to the messages that the transport `mqtt` publishes."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from gridsim.api import Listener, ReceivedMessage, TransportError
from gridsim_plugins.mqtt.settings import MqttSettings

if TYPE_CHECKING:
    from gridsim_plugins.mqtt.session.dialogue import Dialogue

_ANSWER_TIMEOUT_S = 5.0


class MqttListener(Listener):
    """One session at the transport's broker."""

    def __init__(
        self,
        settings: MqttSettings,
        find: Callable[[], tuple[str, int]],
        filters: Sequence[str],
        *,
        qos: int,
    ) -> None:
        """Create a listener for topic filters; `find` returns the address.

        The address of an embedded broker is known once its run is up.
        """
        self._settings = settings
        self._find = find
        self._address: tuple[str, int] | None = None
        if not settings.embedded:
            self._address = settings.host, settings.port
        self._filters = filters
        self._qos = qos
        self._client_id = f"gridsim-verify-{secrets.token_hex(6)}"
        self._dialogue: Dialogue | None = None

    def describe(self) -> str:
        address = self._address
        where = f"{address[0]}:{address[1]}" if address else "the run's embedded broker"
        return f"{where}, {', '.join(self._filters)}"

    def connect(self) -> None:
        # Imported here: loading the plugin must not cost the import of paho.
        from gridsim_plugins.mqtt.session.dialogue import Dialogue

        settings = self._settings
        self._address = self._find()
        self._dialogue = Dialogue(
            settings, self._address, self._client_id, _ANSWER_TIMEOUT_S, qos=self._qos
        )
        self._dialogue.subscribe(self._filters)

    def receive(self, timeout_s: float) -> Sequence[ReceivedMessage]:
        assert self._dialogue is not None
        messages = self._dialogue.listen(timeout_s)
        if dropped := self._dialogue.take_dropped():
            raise TransportError(
                f"{dropped} messages were dropped, because they arrived faster than they were read"
            )
        now_ms = time.time_ns() // 1_000_000
        # Retained messages are from an earlier run.
        return [
            ReceivedMessage(one.payload, now_ms, one.topic) for one in messages if not one.retained
        ]

    def close(self) -> None:
        dialogue, self._dialogue = self._dialogue, None
        if dialogue is not None:
            dialogue.close()

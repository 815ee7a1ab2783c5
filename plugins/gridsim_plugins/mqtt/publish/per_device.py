"""A connection for every project or DER, all in the transport's single thread. Readings are lost
like those of a real device. A reading is dropped ("not connected") if its connection is down. A
reading that was sent on a connection that then fails is unconfirmed. The remaining readings are
kept, and sent again at QoS 1 and 2, only if no connection is left.
"""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Batch, Format
from gridsim_plugins.mqtt.publish.gathering import gather_s
from gridsim_plugins.mqtt.publish.isolation import Isolation
from gridsim_plugins.mqtt.publish.messages import (
    MessageAccount,
    Messages,
    all_messages,
    gathered,
)
from gridsim_plugins.mqtt.publish.scatter import Scatter
from gridsim_plugins.mqtt.publish.shares import Shares
from gridsim_plugins.mqtt.publish.unanswered import Unanswered
from gridsim_plugins.mqtt.session.clients import Clients
from gridsim_plugins.mqtt.session.frames import Frames
from gridsim_plugins.mqtt.session.identities import Identities
from gridsim_plugins.mqtt.settings import MqttSettings

_ROWS_AT_ONCE = 65_536
"""The number of readings that are sent before all their answers are awaited."""


class PerDeviceConnections:
    """The connections of all owners; every method raises TransportError if none is left."""

    closed_by_broker = False

    def __init__(
        self,
        settings: MqttSettings,
        address: tuple[str, int],
        identities: Identities,
        frames: Frames,
        online: NDArray[np.bool_],
        isolation: Isolation,
        unanswered: Unanswered,
        answer_timeout_s: float,
    ) -> None:
        """Connect; `online`, bool[devices], is updated from the readings."""
        self._qos = settings.qos
        self._answer_timeout_s = answer_timeout_s
        self._of_device = identities.of_device
        self._online = online
        self._isolation = isolation
        unanswered.note_answers(1)
        self._owner_online = self._owners_online()
        self._frames = frames
        self._next_id = np.ones(len(identities), np.intp)
        self._clients = Clients(settings, *address, identities, self._owner_online.tolist())
        self._shares = Shares(self._clients, settings, isolation, unanswered, answer_timeout_s)
        try:
            self._clients.open()
        except BaseException:
            self._clients.close()
            raise

    def write(self, format: Format, batch: Batch, account: MessageAccount) -> None:
        self._follow_online(batch)
        per_device = {"der": 1, "measurand": len(format.measurands)}.get(format.framing, 0)
        parts = all_messages(format, format.encode_parts(batch))
        for messages in gathered(parts, _ROWS_AT_ONCE):
            link = messages.topic
            if per_device:
                link = self._of_device[link // per_device]
            self._write(messages, link, account)

    def keep_alive(self) -> None:
        self._clients.keep_alive()

    def close(self) -> None:
        self._clients.close()

    def _write(self, messages: Messages, link: NDArray[np.intp], account: MessageAccount) -> None:
        clients, shares = self._clients, self._shares
        scatter = Scatter(
            messages,
            link,
            self._frames,
            qos=self._qos,
            max_packet=clients.limits.max_packet,
            next_id=self._next_id,
            isolation=self._isolation,
        )
        self._next_id[scatter.links] = scatter.next_ids()
        failed = True
        try:
            shares.send(scatter)
            while scatter.open:
                left = shares.progress_at + self._answer_timeout_s - time.monotonic()
                if left > 0:
                    if pause_s := gather_s(scatter.open):
                        time.sleep(pause_s)
                    clients.turn(left)
                else:
                    shares.ask()
            account.lag(time.monotonic() - shares.sent_at)
            failed = False
        finally:
            shares.end()
            scatter.report(account, resend=failed and self._qos > 0)

    def _follow_online(self, batch: Batch) -> None:
        """Connect and drop connections according to the latest reading of each device."""
        # If a device has several readings, the last one is assigned last.
        self._online[batch.device] = batch.is_online
        before, self._owner_online = self._owner_online, self._owners_online()
        for index in np.flatnonzero(before != self._owner_online).tolist():
            link = self._clients.links[index]
            if self._owner_online[index]:
                self._clients.go_online(link)
            else:
                self._clients.go_offline(link)

    def _owners_online(self) -> NDArray[np.bool_]:
        count = int(self._of_device.max(initial=-1)) + 1
        return np.bincount(self._of_device, self._online, count) > 0

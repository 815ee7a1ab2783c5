"""The packets by which the owners of connections come online and go offline."""

from __future__ import annotations

from gridsim_plugins.mqtt.session.connect import connect_packet
from gridsim_plugins.mqtt.session.frames import DISCONNECT, status_packet
from gridsim_plugins.mqtt.session.identities import Identities
from gridsim_plugins.mqtt.settings import MqttSettings


class OwnerPackets:
    """The packets of each owner, by the index of its connection."""

    def __init__(self, settings: MqttSettings, identities: Identities) -> None:
        self._settings = settings
        self._identities = identities
        self._v5 = settings.protocol == "5"
        self._online = settings.status_online.encode()
        self._offline = settings.status_offline.encode()

    def connect(self, index: int) -> bytes:
        """Return the CONNECT; its last will is the status offline."""
        settings, identities = self._settings, self._identities
        return connect_packet(
            client_id=identities.client_id[index],
            username=identities.username[index],
            password=settings.password.get_secret_value(),
            keepalive_s=settings.keepalive_s,
            will_topic=identities.status_topic[index],
            will_payload=self._offline,
            v5=self._v5,
        )

    def online(self, index: int) -> bytes:
        """Return the status online."""
        return status_packet(self._identities.status_topic[index], self._online, v5=self._v5)

    def leave(self, index: int) -> bytes:
        """Return the status offline and a DISCONNECT, which suppresses the last will."""
        topic = self._identities.status_topic[index]
        return status_packet(topic, self._offline, v5=self._v5) + DISCONNECT

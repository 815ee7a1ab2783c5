"""The packets by which the owners of connections come online and go offline."""

from __future__ import annotations

from gridsim_plugins.mqtt.session.connect import connect_packet
from gridsim_plugins.mqtt.session.frames import DISCONNECT, single_publish
from gridsim_plugins.mqtt.session.identities import Identities
from gridsim_plugins.mqtt.session.properties import connect_properties
from gridsim_plugins.mqtt.settings import MqttSettings


class OwnerPackets:
    """The packets of each owner, by the index of its connection."""

    def __init__(self, settings: MqttSettings, identities: Identities) -> None:
        self._settings = settings
        self._identities = identities
        self._connect_properties = connect_properties(settings)
        self._online = settings.status_online.encode()
        self._offline = settings.status_offline.encode()

    def connect(self, index: int) -> bytes:
        """Return the CONNECT; its last will is the status offline."""
        settings, identities = self._settings, self._identities
        return connect_packet(
            client_id=identities.client_id[index],
            username=identities.username[index],
            password=identities.password[index],
            keepalive_s=settings.keepalive_s,
            will_topic=identities.status_topic[index],
            will_payload=self._offline,
            v5=settings.protocol == "5",
            properties=self._connect_properties,
            will_properties=identities.properties[index],
        )

    def online(self, index: int) -> bytes:
        """Return the announcements and the status online."""
        identities = self._identities
        announced = identities.announced.packets(index, identities.properties[index])
        return announced + self._status(index, self._online)

    def leave(self, index: int) -> bytes:
        """Return the status offline and a DISCONNECT, which suppresses the last will."""
        return self._status(index, self._offline) + DISCONNECT

    def _status(self, index: int, payload: bytes) -> bytes:
        identities = self._identities
        topic, properties = identities.status_topic[index], identities.properties[index]
        return single_publish(topic, payload, properties, retain=True)

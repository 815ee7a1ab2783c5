"""A subscription to all messages at the broker, in the process of the run."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gridsim.api import Capture, FarEnd
from gridsim_plugins.mqtt.listener import MqttListener
from gridsim_plugins.mqtt.settings import MqttSettings
from gridsim_plugins.mqtt.topics import check_filter, matches, subscription, topic_filter

_EVERYTHING = "#"


class MqttCapture(MqttListener, Capture):
    """One session at the broker, with QoS 0, which a broker sends at once and in order."""

    def __init__(
        self,
        settings: MqttSettings,
        find: Callable[[], tuple[str, int]],
        default_topic: str,
        filters: Sequence[str],
    ) -> None:
        """Create a capture; `filters` are further ones, for a broker that is not the run's own."""
        for one in filters:
            check_filter(one)
        template = settings.topic or default_topic
        self._of_readings = topic_filter(template)
        every = [_EVERYTHING]
        if not settings.embedded:
            every = list(dict.fromkeys([subscription(template), *filters]))
        super().__init__(settings, find, every, qos=0)

    def far_end(self) -> FarEnd:
        assert self._address is not None
        return FarEnd(*self._address, version="unknown", tls=self._settings.uses_tls)

    @property
    def is_own(self) -> bool:
        return self._settings.embedded

    def covers(self, topics: str) -> bool:
        check_filter(topics)
        return any(matches(one, topics) for one in self._filters)

    def matches(self, topics: str, topic: str) -> bool:
        return matches(topics, topic)

    def is_reading(self, topic: str) -> bool:
        return matches(self._of_readings, topic)

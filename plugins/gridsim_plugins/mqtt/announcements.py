"""Announcements: messages that a connection sends when it begins, such as those by which a device
introduces itself to a home automation system.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from gridsim.api import Roster
from gridsim_plugins.mqtt.fixed_messages import Announcement
from gridsim_plugins.mqtt.session.frames import single_publish
from gridsim_plugins.mqtt.settings import MqttSettings
from gridsim_plugins.mqtt.topics import (
    FIELDS,
    check_template,
    check_topic,
    check_topics,
    columns,
    placeholders,
)

Subject = Literal["run", "project", "der"]
"""The subject of each message of an announcement: the whole run, a project, or a DER."""

_FIELDS: Mapping[Subject, Sequence[str]] = {
    "run": ("units",),
    "project": FIELDS["project"],
    "der": FIELDS["der"],
}
_NUMBERS = frozenset({"nameplate_capacity", "latitude", "longitude"})


class Announcements:
    """The announcements of each connection, made when it begins, so that none is kept."""

    def __init__(self, settings: MqttSettings, roster: Roster) -> None:
        """Check the settings. Raises ValueError, starting with the setting, if one is invalid."""
        connections = settings.connections
        self._all = [
            _Announced(one, f"announce.{number}", connections, roster, settings.allow_dollar_topics)
            for number, one in enumerate(settings.announce)
        ]
        self._no_properties = b"\0" if settings.protocol == "5" else b""
        self._devices: Sequence[Sequence[int]] = ()
        if self._all and connections == "project":
            self._devices = [[] for _ in roster.project_id]
            for device, project in enumerate(roster.project.tolist()):
                self._devices[project].append(device)
        self._connections = connections
        self._roster = roster

    def packets(self, index: int, properties: bytes | None = None) -> bytes:
        """Return the packets of a connection, with the same properties each, or with none."""
        if properties is None:
            properties = self._no_properties
        return b"".join(
            single_publish(topic, payload, properties, retain=one.retain)
            for one in self._all
            for topic, payload in one.messages(self._places(one.subject, index))
        )

    def _places(self, subject: Subject, index: int) -> Sequence[int]:
        """Return the devices or projects that a connection announces, by their indices."""
        match subject, self._connections:
            case "run", _:
                return [0]
            case "der", "shared":
                return range(len(self._roster))
            case "der", "project":
                return self._devices[index]
            case _, "shared":
                return range(len(self._roster.project_id))
            case _:
                return [index]


def without_devices(settings: MqttSettings, roster: Roster) -> Iterator[str]:
    """Yield a text for each announcement whose types no DER of the run has."""
    reported = sorted(set(roster.type))
    for number, one in enumerate(settings.announce):
        if one.types and not {*one.types} & {*reported}:
            yield (
                f"announce.{number} announces nothing: no DER reports the type "
                f"{' or '.join(map(repr, one.types))}; there are: {', '.join(reported)}"
            )


class _Announced:
    """One announcement."""

    def __init__(
        self,
        announcement: Announcement,
        name: str,
        connections: Literal["shared", "project", "der"],
        roster: Roster,
        dollar: bool,
    ) -> None:
        texts = [(f"{name}.topic", announcement.topic), *_texts(announcement.payload, name)]
        for where, text in texts:
            check_template(text, where, FIELDS["der"], "an announcement")
        named = {field for _, text in texts for field in placeholders(text)}
        self.subject: Subject = next(one for one, fields in _FIELDS.items() if named <= set(fields))
        self.retain = announcement.retain
        self._topic = announcement.topic
        self._payload = announcement.payload
        self._types = frozenset(announcement.types)
        self._type: Sequence[str] = roster.type
        if self._types and self.subject != "der":
            raise ValueError(f"{name}.types: neither topic nor payload has a placeholder of a DER")
        if connections == "der" and self.subject == "project":
            raise ValueError(
                f"{name}: a connection of a DER does not announce a project; name a field of a DER "
                "in topic or payload, or set connections differently"
            )
        framing: Literal["der", "project"] = "der" if self.subject == "der" else "project"
        self._columns = columns(named, f"{name}.payload", framing, roster)
        self._check_topics(f"{name}.topic", dollar=dollar)

    def messages(self, places: Sequence[int]) -> Iterator[tuple[str, bytes]]:
        """Yield the topics and payloads of these devices or projects."""
        for place in places:
            if not self._types or self._type[place] in self._types:
                fields = self._fields(place)
                yield self._topic.format(**fields), _payload(self._payload, fields)

    def _fields(self, place: int) -> dict[str, object]:
        return {name: column[place] for name, column in self._columns.items()}

    def _check_topics(self, name: str, *, dollar: bool) -> None:
        below = check_topics(self._topic, name, dollar=dollar)
        for place in range(len(next(iter(self._columns.values()), ()))):
            check_topic(self._topic.format(**self._fields(place)), name, dollar=below or None)


def _payload(payload: str | Mapping[str, Any], fields: Mapping[str, object]) -> bytes:
    if isinstance(payload, str):
        return payload.format(**fields).encode()
    made = json.dumps(_filled(payload, fields), ensure_ascii=False, separators=(",", ":"))
    return made.encode()


def _filled(value: Any, fields: Mapping[str, object]) -> Any:
    """Return a value with the placeholders in its texts filled."""
    match value:
        case str():
            return _number_or_text(value, value.format(**fields))
        case Mapping():
            return {key.format(**fields): _filled(one, fields) for key, one in value.items()}
        case list():
            return [_filled(one, fields) for one in value]
        case _:
            return value


def _number_or_text(template: str, text: str) -> float | str:
    """Return the number that a template of number fields alone gives, or else its text."""
    named = placeholders(template)
    if not named or not named <= _NUMBERS:
        return text
    try:
        return float(text)
    except ValueError:
        return text


def _texts(value: Any, name: str) -> Iterator[tuple[str, str]]:
    """Yield the texts in a payload, each with the setting that has it.

    Raises ValueError if JSON has no such value.
    """
    where = f"{name}.payload"
    match value:
        case str():
            yield where, value
        case Mapping():
            for key, one in value.items():
                yield where, key
                yield from _texts(one, name)
        case list():
            for one in value:
                yield from _texts(one, name)
        case bool() | int():
            pass
        case float() if value - value == 0:
            pass
        case _:
            raise ValueError(f"{where}: JSON has no value {value}; write a text")

"""The properties of MQTT 5 in PUBLISH, CONNECT and last wills (OASIS MQTT 5.0, section 2.2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from typing import Literal

from gridsim.api import Framing, Roster
from gridsim_plugins.mqtt.session.frames import length, string
from gridsim_plugins.mqtt.settings import ConnectionSettings, MqttSettings
from gridsim_plugins.mqtt.topics import FIELDS, check_text, fill, placeholders, shown

_MESSAGE_EXPIRY, _CONTENT_TYPE, _SESSION_EXPIRY, _USER = b"\x02", b"\x03", b"\x11", b"\x26"
_NAMES = ("message_expiry_s", "content_type", "session_expiry_s", "user_properties")


def check_properties(settings: MqttSettings) -> None:
    """Raise ValueError if a property is set that the protocol does not have, or cannot be sent."""
    for name in _NAMES:
        if getattr(settings, name) and settings.protocol != "5":
            raise ValueError(f'{name}: MQTT 3.1.1 does not have it; set protocol = "5"')
    if settings.session_expiry_s and not settings.client_id:
        raise ValueError(
            "session_expiry_s: it needs a client_id, or the broker would keep a session of every "
            "connection under a random client id"
        )
    check_text(settings.content_type, "content_type")


def publish_properties(
    settings: MqttSettings, framing: Framing, roster: Roster, measurands: Sequence[str]
) -> list[bytes]:
    """Return the properties of the readings, with their length: one for each topic, or one for all.

    In MQTT 3.1.1 they are empty. Raises ValueError if a user property is invalid.
    """
    if settings.protocol != "5":
        return [b""]
    constant = b""
    if settings.message_expiry_s:
        constant += _MESSAGE_EXPIRY + settings.message_expiry_s.to_bytes(4, "big")
    if settings.content_type:
        constant += _CONTENT_TYPE + string(settings.content_type)
    columns = [
        _user_column(name, template, framing, roster, measurands)
        for name, template in settings.user_properties.items()
    ]
    return _joined([[constant], *columns])


def owner_properties(
    settings: MqttSettings, kind: Literal["der", "project"], roster: Roster
) -> list[bytes]:
    """Return the properties of each owner's status messages and last will, with their length.

    These are the user properties that are known of the owner. In MQTT 3.1.1 they are empty.
    """
    owners = len(roster.der_id if kind == "der" else roster.project_id)
    if settings.protocol != "5":
        return [b""] * owners
    columns = [
        _user_column(name, template, kind, roster)
        for name, template in settings.user_properties.items()
        if placeholders(template) <= set(FIELDS[kind])
    ]
    made = _joined([[b""], *columns])
    return made * owners if len(made) == 1 else made


def connect_properties(settings: MqttSettings) -> bytes:
    """Return the properties of CONNECT, with their length; in MQTT 3.1.1 they are empty."""
    if settings.protocol != "5":
        return b""
    seconds = settings.session_expiry_s
    made = _SESSION_EXPIRY + seconds.to_bytes(4, "big") if seconds else b""
    return length(len(made)) + made


def constant_user_properties(settings: ConnectionSettings) -> list[tuple[str, str]]:
    """Return the names and values of the user properties that are the same for all devices."""
    if not isinstance(settings, MqttSettings):
        return []
    return [
        (name, template.format())
        for name, template in settings.user_properties.items()
        if not placeholders(template)
    ]


def _user_column(
    name: str, template: str, framing: Framing, roster: Roster, measurands: Sequence[str] = ()
) -> list[bytes]:
    """Return a user property for each topic, or one if it is the same for all."""
    setting = f"user_properties.{name}"
    check_text(name, f"user_properties, name {shown(name)}")
    texts = fill(template, setting, framing, roster, measurands)
    if not placeholders(template):
        texts = texts[:1]
    for text in texts:
        check_text(text, setting)
    start = _USER + string(name)
    return [start + string(text) for text in texts]


def _joined(columns: Sequence[Sequence[bytes]]) -> list[bytes]:
    """Return the rows of columns after their lengths; a column of one entry is repeated."""
    rows = max(map(len, columns)) if all(columns) else 0
    full = [column if len(column) == rows else repeat(column[0], rows) for column in columns]
    return [length(len(row)) + row for row in map(b"".join, zip(*full, strict=True))]

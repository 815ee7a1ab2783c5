"""The identities of connections per project or per DER: client id, user name, status topic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Framing, Roster
from gridsim_plugins.mqtt.announcements import Announcements
from gridsim_plugins.mqtt.credentials import Credentials, check_password_way, read_credentials
from gridsim_plugins.mqtt.session.properties import owner_properties
from gridsim_plugins.mqtt.settings import MqttSettings
from gridsim_plugins.mqtt.topics import check_text, check_topic, fill

_STATUS = {
    "project": "projects/{project_id}/status",
    "der": "projects/{project_id}/ders/{der_id}/status",
}


@dataclass(frozen=True, slots=True, eq=False)
class Identities:
    """The identities of all connections, in roster order."""

    owner: Sequence[str]
    """The ids of the projects or DERs."""
    client_id: Sequence[str]
    username: Sequence[str]
    status_topic: Sequence[str]
    properties: Sequence[bytes]
    """The properties of the status messages and the last will, with their length."""
    password: Sequence[str] = field(repr=False)
    certificate: Sequence[tuple[str, str]]
    """The files of certificate and key; empty: those of the settings."""
    of_device: NDArray[np.intp]
    """The connection of each device, intp[devices]."""
    announced: Announcements
    """The messages at the start of each connection."""

    def __len__(self) -> int:
        return len(self.owner)


def make_identities(
    settings: MqttSettings, framing: Framing, roster: Roster, topics: Sequence[str], prefix: str
) -> Identities:
    """Return the identities of the settings' connections; `prefix` starts default client ids.

    Raises ValueError if settings are invalid or client ids are not unique.
    """
    kind = settings.connections
    if kind == "shared":
        raise AssertionError("a shared connection has no identities")
    if framing == "batch":
        raise ValueError('connections: a message of framing batch has many projects; use "shared"')
    if kind == "der" and framing == "project":
        raise ValueError(
            'connections: a message of framing project contains many DERs; use "project"'
        )
    owner = roster.der_id if kind == "der" else roster.project_id
    default = f"{prefix}-{{{'der_id' if kind == 'der' else 'project_id'}}}"
    context = f"connections {kind}"
    client_id = fill(settings.client_id or default, "client_id", kind, roster, context=context)
    username = fill(settings.username, "username", kind, roster, context=context)
    password = [settings.password.get_secret_value()] * len(owner)
    certificate = [("", "")] * len(owner)
    if settings.credentials_file:
        own = _own_credentials(settings, kind, owner)
        client_id = [one.client_id or text for one, text in zip(own, client_id, strict=True)]
        username = [one.username or text for one, text in zip(own, username, strict=True)]
        password = [one.password or text for one, text in zip(own, password, strict=True)]
        certificate = [(one.cert_file, one.key_file) for one in own]
        for user, name in zip(own, username, strict=True):
            if user.password and not name:
                path = settings.credentials_file
                raise ValueError(
                    f"credentials_file: {path}, line {user.line}: a password needs a username"
                )
    for one, text, name in zip(owner, client_id, username, strict=True):
        check_text(text, f"client_id of {one}")
        check_text(name, f"username of {one}")
    _check_unique(client_id, owner)
    # Of the topics that begin with $, brokers take those of their own list only.
    dollar = any(topic.startswith("$") for topic in topics[:1])
    if settings.status_topic or dollar or len(topics) != len(owner):
        status = fill(
            settings.status_topic or _STATUS[kind], "status_topic", kind, roster, context=context
        )
    else:
        status = [f"{topic}/status" for topic in topics]
    below = settings.allow_dollar_topics if settings.status_topic.startswith("$") else None
    for one, topic in zip(owner, status, strict=True):
        check_topic(topic, f"status_topic of {one}", dollar=below)
    of_device = np.arange(len(roster)) if kind == "der" else roster.project
    properties = owner_properties(settings, kind, roster)
    announced = Announcements(settings, roster)
    return Identities(
        owner, client_id, username, status, properties, password, certificate, of_device, announced
    )


def _own_credentials(
    settings: MqttSettings, kind: Literal["project", "der"], owners: Sequence[str]
) -> list[Credentials]:
    """Return the credentials of the owners. Raises ValueError if one has none."""
    path = settings.credentials_file
    try:
        found = read_credentials(path, kind)
    except ValueError as error:
        raise ValueError(f"credentials_file: {error}") from None
    missing = [owner for owner in owners if owner not in found]
    if missing:
        others = f" and {len(missing) - 1:,} others" if len(missing) > 1 else ""
        raise ValueError(f"credentials_file: {path} has no row for {missing[0]}{others}")
    own = [found[owner] for owner in owners]
    if any(one.password for one in own):
        check_password_way(settings, "credentials_file: a password")
    if any(one.cert_file for one in own) and not settings.uses_tls:
        raise ValueError(
            'credentials_file: a certificate has no effect without TLS; set tls = "on"'
        )
    return own


def _check_unique(client_ids: Sequence[str], owners: Sequence[str]) -> None:
    first: dict[str, str] = {}
    for client_id, owner in zip(client_ids, owners, strict=True):
        other = first.setdefault(client_id, owner)
        if other != owner:
            raise ValueError(
                f"client_id: {client_id!r} is the client id of both {other} and {owner}; "
                "brokers allow one connection per client id"
            )

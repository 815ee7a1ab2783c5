"""The identities of connections per project or per DER: client id, user name, status topic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Framing, Roster
from gridsim_plugins.mqtt.session.properties import owner_properties
from gridsim_plugins.mqtt.settings import MqttSettings
from gridsim_plugins.mqtt.topics import check_template, check_topic

_FIELDS = {"der": ("der_id", "project_id", "type"), "project": ("project_id",)}
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
    of_device: NDArray[np.intp]
    """The connection of each device, intp[devices]."""

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
    client_id = _fill(settings.client_id or default, "client_id", kind, roster)
    username = _fill(settings.username, "username", kind, roster)
    _check_unique(client_id, owner)
    # Of the topics that begin with $, brokers take those of their own list only.
    own = any(topic.startswith("$") for topic in topics[:1])
    if settings.status_topic or own or len(topics) != len(owner):
        status = _fill(settings.status_topic or _STATUS[kind], "status_topic", kind, roster)
    else:
        status = [f"{topic}/status" for topic in topics]
    dollar = settings.allow_dollar_topics if settings.status_topic.startswith("$") else None
    for one, topic in zip(owner, status, strict=True):
        check_topic(topic, f"status_topic of {one}", dollar=dollar)
    of_device = np.arange(len(roster)) if kind == "der" else roster.project
    properties = owner_properties(settings, kind, roster)
    return Identities(owner, client_id, username, status, properties, of_device)


def _fill(template: str, name: str, kind: Literal["project", "der"], roster: Roster) -> list[str]:
    check_template(template, name, _FIELDS[kind], f"connections {kind}")
    if kind == "project":
        return [template.format(project_id=project) for project in roster.project_id]
    return [
        template.format(der_id=der, project_id=roster.project_id[project], type=kind_of_der)
        for der, project, kind_of_der in zip(
            roster.der_id, roster.project.tolist(), roster.type, strict=True
        )
    ]


def _check_unique(client_ids: Sequence[str], owners: Sequence[str]) -> None:
    first: dict[str, str] = {}
    for client_id, owner in zip(client_ids, owners, strict=True):
        other = first.setdefault(client_id, owner)
        if other != owner:
            raise ValueError(
                f"client_id: {client_id!r} is the client id of both {other} and {owner}; "
                "brokers allow one connection per client id; add a placeholder"
            )

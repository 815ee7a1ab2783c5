"""The answers about projects and devices."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from gridsim_plugins.views.web.models.common import Count, Kw


class ProjectItem(Struct, frozen=True, omit_defaults=True):
    id: str
    index: Count
    standalone: bool
    devices: Count
    first_device: Count
    load_kw: Kw
    net_kw: Kw
    output_kw: Kw
    baseline_kw: Kw
    threshold_kw: Kw
    target_kw: Kw
    delivered_kw: Kw
    in_violation: bool
    violations: Count
    sparkline: list[Kw] | None = None


class ProjectsAnswer(Struct, frozen=True):
    total: Count
    offset: Count
    items: list[ProjectItem]


class DeviceItem(Struct, frozen=True):
    id: str
    index: Count
    project: str
    type: str
    nameplate_kw: float
    output_kw: Kw
    soc: float | None
    online: bool
    faulty: bool
    called: bool
    disabled: bool


class ProjectAnswer(ProjectItem, frozen=True, kw_only=True):
    device_items: list[DeviceItem]


class DevicesAnswer(Struct, frozen=True):
    total: Count
    offset: Count
    items: list[DeviceItem]


class MessageItem(Struct, frozen=True):
    number: Count
    wall_ms: int
    direction: Literal["out", "in"]
    channel: str
    topic: str
    qos: int | None
    payload: str
    encoding: Literal["text", "base64"]
    start: Count
    """The place of `payload` in the whole payload, bytes."""
    size: Count
    fate: str
    changed: Count


class WatchAnswer(Struct, frozen=True):
    id: str
    project: str
    type: str
    settings: dict[str, Any]
    order: str
    time_ms: list[int]
    true: dict[str, list[float | None]]
    reported: dict[str, list[float | None]]
    faults: list[bool]
    messages: list[MessageItem]


class RosterAnswer(Struct, frozen=True):
    devices: Count
    types: list[str]
    project_ids: list[str]
    first_device: list[int]

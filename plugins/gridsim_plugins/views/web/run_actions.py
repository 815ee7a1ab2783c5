"""Changes of the run's pace, and the watching of devices."""

from __future__ import annotations

import base64
import threading

import numpy as np

from gridsim.api import Control, DeviceView, TracedMessage
from gridsim_plugins.views.web.answers import Failed
from gridsim_plugins.views.web.models import ControlBody, MessageItem, WatchAnswer, WatchQuery
from gridsim_plugins.views.web.tables import numbers


class PaceControl:
    """The pausing, resuming, speed and reload of a run. One change is made at a time."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._lock = threading.Lock()

    def change(self, body: ControlBody) -> None:
        """Make a change; it takes effect after the current tick. Raises Failed."""
        control = self._control
        if body.action == "speed" and body.speed is None:
            raise Failed(
                422, "'speed' is missing: write a number, such as 60; 0 is as fast as possible"
            )
        if body.action != "speed" and body.speed is not None:
            raise Failed(422, f"{body.action} takes no 'speed': leave it out")
        state = control.status().state
        if state in ("stopping", "ended"):
            raise Failed(409, f"the run is {state}: it cannot be changed")
        if not self._lock.acquire(blocking=False):
            raise Failed(409, "another change of the run has not taken effect yet: try again")
        try:
            if body.action == "pause":
                control.pause()
            elif body.action == "resume":
                control.resume()
            elif body.action == "reload":
                control.reload()
            elif body.speed is not None:
                control.set_speed(body.speed)
        except ValueError as error:
            raise Failed(422, str(error)) from None
        finally:
            self._lock.release()


def watched(view: DeviceView, query: WatchQuery) -> WatchAnswer:
    """Return a watched device, without the data that the client already has."""
    new = view.time_ms > query.after_ms
    return WatchAnswer(
        id=view.der_id,
        project=view.project_id,
        type=view.type,
        settings=dict(view.settings),
        order=view.order,
        time_ms=view.time_ms[new].tolist(),
        true={name: numbers(column[new]) for name, column in view.true.items()},
        reported={name: numbers(column[new]) for name, column in view.reported.items()},
        faults=np.asarray(view.faults)[new].tolist(),
        messages=[_message(one) for one in view.messages if one.changed > query.after_change],
    )


def _message(message: TracedMessage) -> MessageItem:
    payload, encoding = _payload(message)
    return MessageItem(
        number=message.number,
        wall_ms=message.time_ms,
        direction=message.direction,
        channel=message.channel,
        topic=message.topic,
        qos=message.qos,
        payload=payload,
        encoding="base64" if encoding == "base64" else "text",
        start=message.start,
        size=message.size,
        fate=message.fate,
        changed=message.changed,
    )


def _payload(message: TracedMessage) -> tuple[str, str]:
    payload = message.payload
    if message.start:
        # A payload that was cut may begin or end within a character.
        lead = next((n for n, byte in enumerate(payload[:4]) if byte & 0xC0 != 0x80), 0)
        payload = payload[lead:]
    try:
        return payload.decode(), "text"
    except UnicodeDecodeError as error:
        cut = message.start + len(message.payload) < message.size
        if cut and error.start >= len(payload) - 3 and error.reason == "unexpected end of data":
            return payload[: error.start].decode(), "text"
    return base64.b64encode(message.payload).decode(), "base64"

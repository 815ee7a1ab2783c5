"""The stream: each event is encoded once, and sent to every page that is open."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import msgspec
from sse_starlette import EventSourceResponse

from gridsim.api import Roster, Snapshot
from gridsim_plugins.views.web.answers import Failed
from gridsim_plugins.views.web.status import DeliveryRates, entries_after, frame_of, status_of

MAX_CLIENTS = 200
_STATUS_S = 1.0
_ENTRIES = 20
_LONGEST_TEXT = 200
_WAITING = 20
"""The number of events that may wait for a client: those of 4 s."""
_SEND_TIMEOUT_S = 5.0
_SEND_S = 0.03
"""The shortest time between two events, per connected client: 50 clients get one every 1.5 s."""
_SNAPSHOT_S = 0.25
"""The time between two snapshots; a few clients get all of them."""
_HOLD_S = 0.1
"""The largest age of a shared answer, per connected client: with 50 clients it is made every 5
s.
"""

_Queue = asyncio.Queue[bytes | None]


class Stream:
    """The clients of the stream.

    `show` and `end` are called from the views' thread, the rest in the server's loop. A client that
    does not keep up is disconnected, because missed events are not kept.
    """

    def __init__(
        self,
        roster: Roster,
        rates: DeliveryRates,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.dropped = 0
        """The clients that were disconnected because they did not keep up."""
        self._roster = roster
        self._rates = rates
        self._monotonic = monotonic
        self._loop: asyncio.AbstractEventLoop | None = None
        self._clients: set[_Queue] = set()
        self._latest: dict[str, bytes] = {}
        self._ended: bytes | None = None
        self._status_at = float("-inf")
        self._entries = -1
        self._state = ""
        self._sent_at = float("-inf")

    def __len__(self) -> int:
        return len(self._clients)

    @property
    def is_full(self) -> bool:
        """True if no further client is admitted."""
        return len(self._clients) >= MAX_CLIENTS

    def _pause_s(self) -> float:
        pause_s = _SEND_S * len(self)
        return pause_s if pause_s > _SNAPSHOT_S else 0.0

    def hold_s(self) -> float:
        """Return the largest age of an answer that the pages share. It grows with the number of
        pages, like the time between the requests of each. A run that is paused has no newer state.
        """
        return _HOLD_S * len(self._clients) if self._state == "running" else 0.0

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Set the server's loop."""
        self._loop = loop

    def show(self, snapshot: Snapshot) -> None:
        """Send a snapshot to all clients, or leave it to the next one if many are connected."""
        now, state = self._monotonic(), snapshot.status.state
        if state == self._state == "running" and now - self._sent_at < self._pause_s():
            return
        self._state, self._sent_at = state, now
        events = {"frame": encoded("frame", frame_of(snapshot, self._rates))}
        # No snapshot may follow that of a paused or ended run.
        if now - self._status_at >= _STATUS_S or state != "running":
            self._status_at = now
            events["status"] = encoded(
                "status",
                status_of(snapshot, snapshot.status, self._roster, self._rates, len(self)),
            )
        newest = snapshot.entries[-1].number if snapshot.entries else -1
        if newest > self._entries:
            news = entries_after(snapshot.entries, self._entries, _ENTRIES, longest=_LONGEST_TEXT)
            self._entries = newest
            events["entries"] = encoded("entries", news)
        self._call(lambda: self._send(events))

    def end(self, snapshot: Snapshot) -> None:
        """Send the end to all clients, and close their streams."""
        text = {"state": snapshot.status.state, "error": snapshot.status.error}
        event = encoded("end", text)
        self._call(lambda: self._close(event))

    def response(self) -> EventSourceResponse:
        """Return the stream as the answer to a client. Raises Failed if there are too many."""
        if self.is_full:
            raise Failed(503, f"{MAX_CLIENTS} streams are open: close some pages")
        return EventSourceResponse(self._events(), ping=15, send_timeout=_SEND_TIMEOUT_S)

    async def _events(self) -> AsyncIterator[bytes]:
        queue: _Queue = asyncio.Queue(_WAITING)
        self._clients.add(queue)
        try:
            for name in ("status", "frame"):
                if name in self._latest:
                    yield self._latest[name]
            if self._ended is not None:
                yield self._ended
                return
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self._clients.discard(queue)

    def _call(self, function: Callable[[], None]) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function)

    def _send(self, events: dict[str, bytes]) -> None:
        self._latest.update(events)
        joined = b"".join(events.values())
        for queue in list(self._clients):
            try:
                queue.put_nowait(joined)
            except asyncio.QueueFull:
                self.dropped += 1
                self._finish(queue)

    def _close(self, event: bytes) -> None:
        self._ended = event
        for queue in list(self._clients):
            self._finish(queue, event)

    def _finish(self, queue: _Queue, *last: bytes) -> None:
        """End the stream of a client; waiting events are dropped."""
        self._clients.discard(queue)
        while not queue.empty():
            queue.get_nowait()
        for event in (*last, None):
            queue.put_nowait(event)


def encoded(event: str, data: object) -> bytes:
    """Return an event of the stream."""
    return b"event: %s\ndata: %s\n\n" % (event.encode(), msgspec.json.encode(data))

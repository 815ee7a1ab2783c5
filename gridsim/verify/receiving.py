"""The messages that `gridsim verify --subscribe` receives during a run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from gridsim.errors import NeverConnectedError
from gridsim.ledger import NotALedger, Reader
from gridsim.text.progress import Progress
from gridsim.text.words import counted
from gridsim.verify.arrivals import Arrivals
from gridsim.verify.jsonlines import JsonParser
from gridsim.verify.options import VerifyOptions
from gridsim.verify.reading import Reading
from gridsim.verify.subscriber import Subscriber

_LOOK_S = 0.1
_ANSWER_WARNING_S = 2.0
_PART = 50_000


class Received:
    """The messages that a subscriber has received."""

    def __init__(self, subscriber: Subscriber) -> None:
        self._subscriber = subscriber
        self._bodies: list[bytes] = []
        self._times: list[int] = []

    def collect(self) -> int:
        """Take the messages since the last call, and return their number."""
        bodies, times = self._subscriber.take()
        self._bodies += bodies
        self._times += times
        return len(bodies)

    def parts(self, reading: Reading) -> Iterator[Arrivals]:
        parser = JsonParser(reading)
        for start in range(0, len(self._bodies), _PART):
            part = slice(start, start + _PART)
            bodies = self._bodies[part]
            places = range(start + 1, start + len(bodies) + 1)
            yield parser.texts(bodies, places, self._times[part])

    def notes(self, reader: Reader) -> list[str]:
        """Return the reasons why verify may lack readings that the back-end has received."""
        losses, since = self._subscriber.losses, self._subscriber.since_ms
        [(first,)] = reader.rows("SELECT min(wall_ms) FROM offers")
        notes = []
        if not since:
            notes.append(f"verify never subscribed at {self._subscriber.where}")
        elif first is not None and first < since:
            late = (since - first) / 1000
            notes.append(
                f"verify subscribed {late:.1f} s after the run began; start verify before the run"
            )
        if losses:
            notes.append(
                f"verify lost its connection {counted(losses, 'time')}, and may have missed "
                "readings that your back-end has received"
            )
        return notes


def listen(
    options: VerifyOptions,
    subscriber: Subscriber,
    say: Callable[[str], None],
    progress: Progress,
) -> Received:
    """Receive until the run has ended and no message has arrived for `quiet_s`.

    Raises NeverConnectedError if the far end refuses the subscription.
    """
    before = _run_of(options.ledger)
    received = Received(subscriber)
    progress.begin("receiving")
    subscriber.start()
    announced = warned = False
    began = time.monotonic()
    try:
        while not _over(options.ledger, before):
            subscriber.check()
            if subscriber.refusal:
                raise NeverConnectedError(
                    f"verify cannot subscribe at {subscriber.where}: {subscriber.refusal}"
                )
            if subscriber.subscribed.is_set() and not announced:
                say(f"subscribed at {subscriber.where}; waiting for a run to end")
                announced = True
            elif not (announced or warned) and time.monotonic() - began > _ANSWER_WARNING_S:
                say(f"no answer from {subscriber.where} yet; retrying")
                warned = True
            progress.advance(received.collect())
            time.sleep(_LOOK_S)
        ended = time.monotonic()
        while time.monotonic() - max(subscriber.last_at, ended) < options.quiet_s:
            progress.advance(received.collect())
            time.sleep(_LOOK_S)
    except KeyboardInterrupt:
        say("interrupted; comparing what has arrived")
    finally:
        subscriber.stop()
        received.collect()
    subscriber.check()
    return received


def _over(path: Path, before: str) -> bool:
    """Return whether the ledger of a run other than `before` is complete."""
    try:
        with Reader(path) as reader:
            return reader.complete and reader.meta["run"] != before
    except NotALedger:
        return False


def _run_of(path: Path) -> str:
    """Return the run's id of a complete ledger at `path`; empty if there is none."""
    try:
        with Reader(path) as reader:
            return str(reader.meta["run"]) if reader.complete else ""
    except NotALedger:
        return ""

"""Publishing on one connection with QoS 1 or 2, in a window of messages under way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from gridsim_plugins.mqtt.publish.flight import Flight, NotedOutcome
from gridsim_plugins.mqtt.publish.gathering import gather_s
from gridsim_plugins.mqtt.publish.isolation import QUIET_S, REFUSED, Isolation, MessageSpan
from gridsim_plugins.mqtt.publish.messages import (
    DELIVERED,
    OVERSIZE,
    UNCONFIRMED,
    MessageAccount,
    Messages,
)
from gridsim_plugins.mqtt.publish.unanswered import Unanswered
from gridsim_plugins.mqtt.publish.window import PacketWindow
from gridsim_plugins.mqtt.session.answers import PUBACK, PUBCOMP, PUBREC
from gridsim_plugins.mqtt.session.connection import Connection
from gridsim_plugins.mqtt.session.frames import Frames, pubrels
from gridsim_plugins.mqtt.session.reasons import REFUSAL, reason_name


class PublishAcknowledged:
    """A publisher with QoS 1 or 2; messages are accounted for in the order of sending.

    The messages from the first one without an acknowledgement on are not accounted for.
    """

    def __init__(
        self,
        connection: Connection,
        topics: Sequence[str],
        isolation: Isolation,
        unanswered: Unanswered,
        *,
        qos: int,
        frames: Frames,
        window: int,
    ) -> None:
        self._connection = connection
        self._topics = topics
        self._isolation = isolation
        self._unanswered = unanswered
        self._proof = False
        """True while a message is alone on a connection that has been quiet."""
        self._frames = frames
        self._final = PUBACK if qos == 1 else PUBCOMP
        self._window = PacketWindow(min(window, connection.receive_maximum or window))

    def go_on(
        self,
        topics: Sequence[str],
        frames: Frames,
        isolation: Isolation,
        unanswered: Unanswered,
    ) -> None:
        """Publish to other topics; the packet ids in use stay in use."""
        self._topics, self._frames = topics, frames
        self._isolation, self._unanswered = isolation, unanswered

    def write(self, parts: Iterator[Messages], account: MessageAccount) -> None:
        self._connection.touch()
        # Nothing is written for a batch that has only oversize messages.
        self._connection.keep_alive()
        flight = Flight(self._window, account, self._isolation, self._unanswered)
        try:
            for messages in parts:
                self._write(messages, flight)
            self._finish(flight)
        except Exception:
            # Acknowledgements that arrived just before the connection failed count too.
            self._collect(flight, release=False)
            if self._connection.closed_on_message:
                topics, sizes, _ = flight.sent()
                self._isolation.note_closed(topics, sizes, proof=self._proof, narrow=True)
            raise

    def _write(self, messages: Messages, flight: Flight) -> None:
        isolation = self._isolation
        sizes = self._frames.sizes(messages.topic, messages.sizes)
        ahead = -1
        for piece in isolation.pieces(messages.topic, sizes):
            first, stop = piece.start, piece.stop
            if first <= ahead < stop:
                # This message was already accepted, as a comparison.
                self._send_piece(messages.part(first, ahead), sizes[first:ahead], piece, flight)
                flight.expect(messages.part(ahead, ahead + 1), sizes[ahead : ahead + 1])
                self._leave_out(DELIVERED, flight)
                first = ahead + 1
            elif piece.proof and isolation.needs_comparison(int(messages.topic[first])):
                self._finish(flight)
                ahead = self._compare(messages, sizes, first, flight)
            self._send_piece(messages.part(first, stop), sizes[first:stop], piece, flight)

    def _send_piece(
        self, messages: Messages, sizes: NDArray[np.intp], piece: MessageSpan, flight: Flight
    ) -> None:
        if not len(messages):
            return
        if piece.treatment == "drop":
            flight.expect(messages, sizes)
            for _ in range(len(messages)):
                self._leave_out(REFUSED, flight)
        elif piece.treatment == "send":
            self._send(messages, sizes, flight)
            if self._isolation.is_searching:
                self._finish(flight)
        else:
            self._finish(flight)
            if piece.proof:
                self._connection.stay_quiet(QUIET_S)
            self._proof = piece.proof
            self._send(messages, sizes, flight)
            self._finish(flight)
            self._proof = False

    def _compare(
        self, messages: Messages, sizes: NDArray[np.intp], suspect: int, flight: Flight
    ) -> int:
        """Send a later message to another topic; return its index if it passes, else -1."""
        topic = messages.topic
        other = (topic != topic[suspect]) & (sizes <= self._connection.max_packet)
        other &= self._isolation.fit(topic, sizes)
        after = np.flatnonzero(other[suspect:])
        if not len(after):
            return -1
        # The smallest, because a size limit is the most likely reason.
        index = suspect + int(after[np.argmin(sizes[suspect:][after])])
        noted = NotedOutcome()
        trial = Flight(self._window, MessageAccount(noted), self._isolation, self._unanswered)
        try:
            self._send(messages.part(index, index + 1), sizes[index : index + 1], trial)
            self._finish(trial)
        except Exception:
            self._isolation.note_unfit(int(topic[index]))
            raise
        flight.resume()
        return index if noted.delivered_rows else -1

    def _finish(self, flight: Flight) -> None:
        """Wait until all messages are settled."""
        # Messages that are not sent, because they are oversize, get no answer.
        self._collect(flight)
        while flight.under_way:
            self._wait(flight)

    def _wait(self, flight: Flight) -> None:
        """Wait for answers; give up messages that get none though others do."""
        connection, window, unanswered = self._connection, self._window, self._unanswered
        overdue = connection.overdue()
        known = unanswered.known and unanswered.among(flight.sent()[0]).all()
        if not overdue and not known:
            connection.wait(gather_s(window.sent - window.settled))
            self._collect(flight)
            return
        _, _, before = flight.sent()
        connection.ping(0.5 if overdue else 1.0)
        self._collect(flight)
        topics, sizes, numbers = flight.sent()
        if overdue and len(numbers) < len(before):
            return  # Answers have arrived just now.
        given_up = unanswered.note_stall(topics, sizes, resend=True)
        window.give_up(numbers[given_up], UNCONFIRMED)
        flight.account_for()
        left = int(np.count_nonzero(~given_up))
        if left:
            raise connection.not_confirmed(left, self._topics[int(topics[~given_up][0])])
        if window.given_up > window.size // 2:
            raise connection.not_confirmed(window.given_up, self._topics[int(topics[-1])])

    def _leave_out(self, outcome: str, flight: Flight) -> None:
        """Settle the next message without sending it."""
        while not self._window.room:
            self._wait(flight)
        self._window.skip(outcome)

    def _send(self, messages: Messages, sizes: NDArray[np.intp], flight: Flight) -> None:
        connection, window = self._connection, self._window
        stops = np.flatnonzero(sizes > connection.max_packet).tolist()
        flight.expect(messages, sizes)
        start = 0
        for stop in (*stops, len(messages)):
            while start < stop:
                # Blocks of a few messages would cost more time than they save.
                while window.room < min(stop - start, window.size // 4 + 1):
                    self._wait(flight)
                count = min(window.room, stop - start)
                part = messages.part(start, start + count)
                ids = window.take(count)
                connection.send(self._frames.pack(part.topic, part.bodies, part.sizes, ids))
                start += count
                flight.note_sent()
                connection.poll()
                self._collect(flight)
            if stop < len(messages):
                self._leave_out(OVERSIZE, flight)
                start += 1

    def _collect(self, flight: Flight, *, release: bool = True) -> None:
        """Process the broker's answers; with `release`, also send the PUBRELs of QoS 2."""
        connection = self._connection
        answers, connection.answers = connection.answers, []
        received: list[NDArray[np.uint16]] = []
        accepted: list[NDArray[np.uint16]] = []
        for run in answers:
            if run.reason >= REFUSAL:
                self._finish_ids(accepted)
                name = reason_name(run.kind, run.reason)
                # In MQTT 5 a PUBREC can be a refusal too; it then ends the exchange (4.3.3).
                refusal = "" if run.kind == PUBCOMP else f"refused by broker: {name}"
                self._finish_ids([run.ids], refusal)
                accepted = []
            elif run.kind == PUBREC:
                received.append(run.ids)
            elif run.kind == self._final:
                accepted.append(run.ids)
        self._finish_ids(accepted)
        flight.account_for()
        if received and release:
            connection.send(pubrels(np.concatenate(received)))

    def _finish_ids(self, groups: list[NDArray[np.uint16]], refusal: str = "") -> None:
        if groups:
            ids = np.concatenate(groups)
            self._unanswered.note_answers(len(ids))
            self._window.finish(ids, refusal)

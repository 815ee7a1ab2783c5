"""The reading of answers from many connections: the usual ones of a turn together."""

from __future__ import annotations

import selectors
from abc import ABC, abstractmethod
from collections.abc import Callable

from gridsim_plugins.mqtt.session.answers import DISCONNECT as SERVER_DISCONNECT
from gridsim_plugins.mqtt.session.answers import (
    PINGRESP,
    PINGRESP_PACKET,
    PUBACK,
    AnswerGroup,
    ProtocolError,
)
from gridsim_plugins.mqtt.session.link import READ, Link, LinkState
from gridsim_plugins.mqtt.session.reasons import ABOUT_CONNECTION, reason_name

_FEW_BYTES = 256
"""The largest number of bytes of the usual answers of a connection."""

Acknowledged = tuple[Link, bytes]
"""A connection, and bytes that begin with a PUBACK."""


class AnswerReader(ABC):
    """A reader of the connections that are up; the subclass opens, writes and drops them."""

    def __init__(self, where: str, *, uses_tls: bool) -> None:
        self.where = where
        self._uses_tls = uses_tls
        self.lost: Callable[[Link], None] = lambda link: None
        """Called when a connection fails."""
        self.connected: Callable[[Link], None] = lambda link: None
        """Called when a connection is up."""
        self.answered: Callable[[Link, AnswerGroup], None] = lambda link, run: None
        """Called for each PUBREC, PUBCOMP, and PUBACK, and for a PINGRESP among others."""
        self.pinged: Callable[[list[Link]], None] = lambda links: None
        """Called with the connections on which a PINGRESP was received, and nothing else."""
        self.acknowledged: Callable[[list[Acknowledged]], None] = lambda found: None
        """Called with the connections on which a PUBACK was received first; `take` reads it."""

    @abstractmethod
    def fail(
        self, link: Link, cause: str, *, permanent: bool = False, closed: bool = False
    ) -> None:
        """Drop a connection; `closed`: the broker has closed it, perhaps because of a message."""

    @abstractmethod
    def _serve(self, link: Link, mask: int) -> None:
        """Read and write on one connection, in any state."""

    @abstractmethod
    def _give_up(self, link: Link, error: Exception) -> None:
        """Drop a connection that has failed."""

    def take(self, link: Link, data: bytes, *, ended: bool = False) -> None:
        """Process bytes from the broker; `ended`: it has closed the connection after them."""
        try:
            found = link.answers(data) if data and link.state is LinkState.UP else []
        except ProtocolError as failure:
            self._give_up(link, failure)
            return
        for run in found:
            if run.kind == SERVER_DISCONNECT:
                name = reason_name(SERVER_DISCONNECT, run.reason)
                cause = f"the broker at {self.where} closed the connection: {name}"
                self.fail(link, cause, closed=run.reason not in ABOUT_CONNECTION)
                return
            if run.kind == PINGRESP:
                link.pings = max(link.pings - run.packets, 0)
            self.answered(link, run)
        if ended and link.sock is not None:
            self.fail(link, f"the broker at {self.where} closed the connection", closed=True)

    def _serve_all(self, ready: list[tuple[selectors.SelectorKey, int]]) -> None:
        """Read and write; the usual answers, a few bytes each, are handed on together."""
        up, plain = LinkState.UP, not self._uses_tls
        pinged: list[Link] = []
        acknowledged: list[Acknowledged] = []
        try:
            for key, mask in ready:
                link = key.data
                if not (plain and mask == READ and link.state is up and link.parser is None):
                    self._serve(link, mask)
                    continue
                try:
                    data = link.sock.recv(_FEW_BYTES)
                except BlockingIOError:
                    continue
                except OSError as failure:
                    self._give_up(link, failure)
                    continue
                if data == PINGRESP_PACKET:
                    if link.pings:
                        link.pings -= 1
                    pinged.append(link)
                elif data and data[0] == PUBACK:
                    acknowledged.append((link, data))
                else:
                    self.take(link, data, ended=not data)
        finally:
            # Also if no connection is left: these answers count.
            if pinged:
                self.pinged(pinged)
            if acknowledged:
                self.acknowledged(acknowledged)

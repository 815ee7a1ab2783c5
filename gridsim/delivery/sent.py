"""The messages that one transport sends, for the trace."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Batch, MessageAddress, Payloads, Transport
from gridsim.delivery.account import Fate
from gridsim.delivery.trace import NO_ADDRESS, MessageTrace
from gridsim.errors import is_interrupt


class SentMessages:
    """The reporter of one transport's messages to the trace: the bytes when they are encoded, and
    the fate when their readings are settled. The transport itself does nothing for the trace.

    A reading that is dropped without having been encoded has a message without bytes, and so has
    every reading of a transport that does not use its format.
    """

    def __init__(self, trace: MessageTrace, name: str, transport: Transport) -> None:
        self._trace = trace
        self._name = name
        self._transport = transport
        self._addresses: dict[int, MessageAddress] = {}
        self._encodes = False
        """True once the transport has used its format."""

    def encoded(self, batch: Batch, payloads: Payloads) -> None:
        """Note the messages of a batch. Called in the transport's thread."""
        self._encodes = True
        watched = self._trace.watched
        if watched is None:
            return
        rows = np.flatnonzero(watched[batch.device])
        bodies = np.searchsorted(payloads.starts, rows, "right") - 1
        # The first of the messages of a reading, with framing measurand.
        bodies = np.searchsorted(payloads.starts, payloads.starts[bodies], "left")
        for row, body in zip(rows.tolist(), bodies.tolist(), strict=True):
            device = int(batch.device[row])
            self._trace.note(
                [device],
                (self._name, batch.number + row),
                "out",
                self._name,
                self._address(device),
                payloads.bodies[body],
            )

    def settled(self, batch: Batch, first: int, rows: int, fate: Fate, reason: str) -> None:
        """Note the fate of readings of a batch, by the number of the first. Called in any thread;
        no plugin is called."""
        watched = self._trace.watched
        if watched is None:
            return
        start = first - batch.number
        part: NDArray[np.intp] = batch.device[start : start + rows]
        text = f"{fate}: {reason}" if reason else fate
        for row in np.flatnonzero(watched[part]).tolist():
            device = int(part[row])
            address = self._addresses.get(device, NO_ADDRESS)
            self._trace.settle(
                [device],
                (self._name, first + row),
                text,
                self._name,
                address,
                # Else it was encoded before the device was opened.
                add=fate == "dropped" or not self._encodes,
            )

    def _address(self, device: int) -> MessageAddress:
        found = self._addresses.get(device)
        if found is None:
            try:
                found = self._transport.address(device)
            except BaseException as error:
                if is_interrupt(error):
                    raise
                found = NO_ADDRESS
            if len(self._addresses) > 1000:
                self._addresses.clear()
            self._addresses[device] = found
        return found

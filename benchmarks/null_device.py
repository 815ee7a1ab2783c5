"""The transport `null_device`, for measurements without a far end: it encodes, and writes away."""

from __future__ import annotations

import os

from gridsim.api import Batch, Receipt, Register, Settings, Transport, hookimpl


class NullDevice(Transport[Settings]):
    """Lines into the null device."""

    _fd = -1

    def describe(self) -> str:
        return "the null device"

    def hint(self) -> str:
        return "nothing arrives"

    def connect(self) -> None:
        self._fd = os.open(os.devnull, os.O_WRONLY)

    def write(self, batch: Batch, receipt: Receipt) -> None:
        for part, payloads in self.format.encode_parts(batch):
            os.write(self._fd, b"\n".join(payloads.bodies))
            receipt.delivered(len(part))

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


@hookimpl
def gridsim_register(register: Register) -> None:
    register.transport("null_device", NullDevice)

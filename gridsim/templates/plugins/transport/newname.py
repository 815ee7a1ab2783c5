"""The transport `newname`: a line for each message, appended to a file.

Replace the file by the client of your protocol: `connect` opens it, `write` sends a batch, and
`close` releases it. gridsim owns the queue, the retries and the counters.
"""

from __future__ import annotations

from gridsim.api import (
    Batch,
    LocalPath,
    Receipt,
    Register,
    Settings,
    Transport,
    TransportError,
    hookimpl,
)
from pydantic import Field


class NewNameSettings(Settings):
    """Settings of the transport."""

    path: LocalPath = Field(description="the file, relative to the folder of the configuration")


class NewName(Transport[NewNameSettings]):
    """Lines in a file; delivered: the operating system has them."""

    Settings = NewNameSettings

    def describe(self) -> str:
        return f"lines in {self.settings.path}"

    def connect(self) -> None:
        try:
            self._file = open(self.settings.path, "ab", buffering=0)  # noqa: SIM115
        except OSError as error:
            # gridsim waits and connects again.
            raise TransportError(f"{self.settings.path}: {error.strerror}") from error

    def write(self, batch: Batch, receipt: Receipt) -> None:
        # A part has whole messages; what is confirmed is not written again after a failure.
        for part, payloads in self.format.encode_parts(batch):
            try:
                self._file.write(b"".join(body + b"\n" for body in payloads.bodies))
            except OSError as error:
                raise TransportError(f"{self.settings.path}: {error.strerror}") from error
            receipt.delivered(len(part))

    def close(self) -> None:
        # It is also called before `connect` and after a failure.
        if hasattr(self, "_file"):
            self._file.close()


@hookimpl
def gridsim_register(register: Register) -> None:
    register.transport("newname", NewName)

"""Transports: the outputs for readings."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import ClassVar, Generic, Protocol, Self

from gridsim.contracts.batch import Batch
from gridsim.contracts.format import Format, Framing
from gridsim.contracts.message import MessageAddress
from gridsim.contracts.run_context import RunContext
from gridsim.contracts.settings import S, Settings

NOT_CONNECTED = "not connected"
"""Drop reason: the connection of this device was down. Use it in a transport that has a connection
per device; otherwise raise TransportError, so that the readings are kept."""
DEVICE_OFFLINE = "device offline"
"""Drop reason: the device itself was offline. This is the effect of a fault, not a loss."""


class Receipt(Protocol):
    """The account of one `write`: the transport reports the outcome of the rows.

    Rows are accounted for in order, from the first row of the batch. Rows without an outcome
    count as delivered when `write` returns, and are written again later when it raises.
    """

    def delivered(self, rows: int) -> None:
        """Count the next `rows` rows as delivered: the far end has confirmed them."""

    def unconfirmed(self, rows: int) -> None:
        """Count the next rows as sent; a confirmation is not possible."""

    def dropped(self, rows: int, reason: str) -> None:
        """Count the next rows as dropped: they cannot be sent, for example too large."""

    def lag(self, seconds: float) -> None:
        """Report the time between the end of sending and the answer of the far end; optional."""


class Transport(ABC, Generic[S]):
    """The contract of a transport. Delivery owns its queue, retries and counters.

    All methods after the constructor are called in the worker thread of the transport, so they
    may block; `describe` and `hint` may be called in any thread. Any of them may raise
    `TransportError`: the worker then closes, waits with increasing pauses, connects again, and
    writes the rows without an outcome.
    """

    Settings: ClassVar[type[Settings]] = Settings
    framings: ClassVar[tuple[Framing, ...]] = ("der", "project")
    has_connection: ClassVar[bool] = True
    """False for a target that is only opened and written to, such as a file; for the log."""
    writes_columns: ClassVar[bool] = False
    """True if it writes the columns of the batch, and has no format. Declare the columns in
    `wants`."""
    rows_at_once: int = 0
    """The largest number of rows for which batches that wait at speed 0 are joined in one `write`;
    0: each batch is written by itself. Batches that wait in a spool are not joined. With framing
    `project` or `batch`, the messages of joined batches may differ from those of each by itself."""
    uses_stdout: ClassVar[bool] = False
    """True if it writes to standard output, so that no picture is drawn on the same terminal."""

    @classmethod
    def wants(cls, settings: S) -> Collection[str]:
        """Return the names of the columns that the transport itself writes with these settings.

        The simulation computes the measurands among them. Other names have no effect.
        """
        return ()

    def __init__(self, settings: S, format: Format, run: RunContext) -> None:
        """Open nothing; raise ValueError if the settings do not fit the run."""
        self.settings = settings
        self.format = format
        self.run = run

    @property
    def at_most_once(self) -> bool:
        """True if a reading that is under way when the connection is lost is not sent again.

        MQTT does so with QoS 0. A run that loses such readings warns of it, and fails only with
        `--strict`. By default a transport sends again, and unconfirmed readings are a failure.
        """
        return False

    @abstractmethod
    def describe(self) -> str:
        """Return the target of the readings for the log: one line, without secrets."""

    def hint(self) -> str:
        """Return a shell command that shows the received data; may be empty."""
        return ""

    def address(self, device: int) -> MessageAddress:
        """Return the topic and QoS of a device's messages, for the trace of the device.

        `device` is an index into the roster. Called in the worker thread.
        """
        return MessageAddress()

    def warning(self, readings_per_s: float) -> str:
        """Return a warning if it is known that the far end cannot keep up with the run; may be
        empty.

        `readings_per_s` is the highest rate of the run, infinite at speed 0. May be called from
        any thread, after the first attempt to connect.
        """
        return ""

    def share(self) -> None:
        """Start what all shards of a run on one machine share, such as a broker of the run's own.

        Called in the process that drives the shards, where the transport does not connect, before
        the first shard connects and then about once a second. What it announces there, the shards
        find in `RunContext.given`. Raises TransportError.
        """

    @abstractmethod
    def connect(self) -> None:
        """Connect to the target."""

    @abstractmethod
    def write(self, batch: Batch, receipt: Receipt) -> None:
        """Encode and send the batch, and return when the far end has all of it.

        Encode in parts (`batch.rows`) if the batch may be large.
        """

    def take_over(self, older: Self) -> bool:
        """Continue with the connection of `older`, and return whether that was possible.

        Called instead of `connect` after a reload of the configuration, if the settings of the
        transport have stayed and the devices of the run have changed: this object was made for the
        new devices, and `older`, which is not used afterwards, for the old ones. All that `older`
        has written is settled. If it returns False, as it does by default, `older` is closed and
        this object connects.
        """
        return False

    def idle(self) -> None:
        """Keep the connection open; called a few times per second without a write."""

    @abstractmethod
    def close(self) -> None:
        """Release everything; also called after a failure, and before each new `connect`.

        A permanent TransportError at the end of the run means that readings were lost that counted
        as delivered: the transport has failed. Other errors are logged only.
        """

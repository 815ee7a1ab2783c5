"""Probes: the other end of a protocol, in the role of the user's own system."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Literal, NamedTuple, TypeVar

from gridsim.contracts.batch import Batch
from gridsim.contracts.format import Framing, Payloads
from gridsim.contracts.instructions import Instruction
from gridsim.contracts.run_context import RunContext
from gridsim.contracts.settings import Settings

TransportSettingsT = TypeVar("TransportSettingsT")
SourceSettingsT = TypeVar("SourceSettingsT")
Offer = Literal["listen", "send", "measure", "capture", "restart"]


class ReceivedMessage(NamedTuple):
    """A message that arrived."""

    payload: bytes
    time_ms: int
    """The time of arrival, ms since 1970, UTC."""
    topic: str = ""
    """The address of the message at the far end; empty if the protocol has none."""


class Listener(ABC):
    """A subscription to what a transport publishes.

    `connect`, `receive` and `close` are called from one thread. `connect` and `receive` may
    raise `TransportError`: the listener is then closed and connected again after a pause, and a
    connection that was lost is counted. After a permanent `TransportError` it is not connected
    again. `describe` may be called from any thread.
    """

    @abstractmethod
    def describe(self) -> str:
        """Return the address and the subject of the subscription, without secrets."""

    @abstractmethod
    def connect(self) -> None:
        """Return once everything that is published from now on will be received."""

    @abstractmethod
    def receive(self, timeout_s: float) -> Sequence[ReceivedMessage]:
        """Return what has arrived, in order; wait for about `timeout_s` if there is nothing.

        Leave out messages that were published before `connect` and retained for later
        subscribers.
        """

    @abstractmethod
    def close(self) -> None:
        """Release everything; also called after a failure, before `connect` is called again."""


@dataclass(frozen=True, slots=True)
class WireMessage:
    """A message as the transport sends it."""

    topic: str
    """The address of the message at the far end; empty if the protocol has none."""
    body: bytes
    packet_bytes: int
    """The size of the whole packet, headers included."""


@dataclass(frozen=True, slots=True)
class FarEnd:
    """The system that a transport sends to."""

    host: str
    port: int
    version: str
    """The name and version that it reports; "unknown" if it gives none."""
    tls: bool


class Capture(Listener):
    """A listener to all messages at a far end, made in the process of the run."""

    @abstractmethod
    def far_end(self) -> FarEnd:
        """Return the far end; its version may be "unknown". Called after `connect`."""

    @property
    @abstractmethod
    def is_own(self) -> bool:
        """True if the far end belongs to the run, so that no other run uses it."""

    @abstractmethod
    def covers(self, topics: str) -> bool:
        """Return whether it receives every message that the pattern `topics` matches.

        Raises ValueError, with the reason, if the pattern is not valid.
        """

    @abstractmethod
    def matches(self, topics: str, topic: str) -> bool:
        """Return whether the pattern `topics` matches the topic of a message."""

    @abstractmethod
    def is_reading(self, topic: str) -> bool:
        """Return whether the transport publishes readings to a topic."""


class ReferenceClient(ABC):
    """A client that sends the same messages without gridsim, for comparison.

    Called from the main thread, once in each round.
    """

    name: ClassVar[str]
    """The key in the report's JSON."""
    title: ClassVar[str]
    """The name in the report for a person, up to 32 characters."""

    @abstractmethod
    def sending(self, count: int) -> AbstractContextManager[Callable[[], None]]:
        """Connect on entry, and disconnect on exit; yield the function that is timed.

        The function sends `count` messages and returns once the far end has them all. Entry and
        function raise `TransportError`.
        """


class Benchmark(ABC):
    """The part of `gridsim bench` that depends on the protocol. Called from the main thread."""

    wire: Mapping[str, str | int | float | bool]
    """The settings that shape the messages, for the report's JSON."""
    capacity_per_s: float | None = None
    """The messages per second that the far end can handle; None if that is not known."""

    @abstractmethod
    def describe_wire(self) -> str:
        """Return protocol and settings in a few words, such as "MQTT 3.1.1, QoS 0"."""

    @abstractmethod
    def far_end(self) -> FarEnd:
        """Connect to the far end and ask for its version. Raises `TransportError`."""

    @abstractmethod
    def messages(self, batch: Batch, payloads: Payloads) -> Sequence[WireMessage]:
        """Return the messages that the transport would send of an encoded batch, in order."""

    @abstractmethod
    def references(
        self, stock: Sequence[WireMessage], typical: WireMessage
    ) -> Sequence[ReferenceClient]:
        """Return the clients to compare with, ready to be used.

        They send the messages of `stock` in turn, or the `typical` one repeatedly.
        """


class Probe(Generic[TransportSettingsT, SourceSettingsT]):
    """The other end of a protocol: it receives, sends and measures as a user's system does.

    A probe is registered under the name of the transport and the source that it belongs to. It
    is made in a process of its own (`gridsim verify --subscribe`, `gridsim send`), or in that of
    `gridsim bench`, from the same configuration as the run. A probe overrides the methods that
    it offers; each raises ValueError, with the reason, if the settings cannot be used.
    """

    Settings: ClassVar[type[Settings]] = Settings
    """Empty: a probe uses the settings of the transport or source."""

    def __init__(self, run: RunContext) -> None:
        """Open nothing. `run` has the projects and DERs."""
        self.run = run

    def listen(self, settings: TransportSettingsT, framing: Framing) -> Listener:
        """Return a listener, not yet connected, to what a transport with these settings publishes.

        `gridsim verify --subscribe` calls it once, from the main thread.
        """
        raise ValueError("this transport cannot be listened to")

    def send(self, settings: SourceSettingsT, instruction: Instruction) -> Iterator[bytes]:
        """Send an instruction to the run whose source has these settings; yield the answers.

        An answer is an acknowledgement as a JSON object with `id`, `status` and `reason`. While
        there is none, b"" is yielded about once a second. `gridsim send` calls it from the main
        thread, and closes the iterator when it has enough. Raises `TransportError`.
        """
        raise ValueError("this source cannot be sent to from outside")

    def measure(self, settings: TransportSettingsT, framing: Framing) -> Benchmark:
        """Return the benchmark of a transport with these settings, for `gridsim bench`.

        Called once, from the main thread.
        """
        raise ValueError("this transport cannot be measured")

    def capture(
        self, settings: TransportSettingsT, framing: Framing, topics: Sequence[str]
    ) -> Capture:
        """Return a listener, not yet connected, to all messages at the far end of a transport.

        If the run owns the far end, it listens to everything there. Otherwise it listens to what
        the transport publishes, and to `topics`, patterns of the protocol. The pytest fixture
        uses it in the process of the run, once the transport is connected.
        """
        raise ValueError("this transport cannot be captured")

    def restart(self, settings: TransportSettingsT) -> None:
        """Restart the far end of a transport, which belongs to the run, at the same address.

        Sessions and messages that it holds are lost. `gridsim check` uses it in the process of the
        run, once the transport is connected. Raises ValueError if the far end is not the run's own.
        """
        raise ValueError("gridsim cannot restart the far end of this transport")

    @classmethod
    def offers(cls, what: Offer) -> bool:
        """Return whether the probe overrides the method `what`."""
        own: Any = getattr(cls, what)
        base: Any = getattr(Probe, what)
        return own is not base

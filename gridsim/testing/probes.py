"""The contract test of probes."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar
from unittest import SkipTest

from pydantic import SecretStr

from gridsim.api import (
    Acknowledgement,
    Batch,
    Benchmark,
    Command,
    Framing,
    Listener,
    Offer,
    Probe,
    ReceivedMessage,
    RunContext,
    Settings,
    Source,
    Target,
    Transport,
)
from gridsim.plugins.services import Services
from gridsim.testing.builders import START_MS, make_batch, make_roster
from gridsim.testing.sources import DEADLINE_S, RecordingInbox
from gridsim.testing.transports import PlainFormat, RecordingReceipt

_TARGET = Target("PRJ_0", "DER_0")
_RECEIVE_S = 0.1


class ProbeContract:
    """The rules for every probe, tested with its transport and source. Inherit, and name them:

    class TestWireProbe(ProbeContract):
        probe = WireProbe
        transport = Wire
        source = WireCommands

        def target(self, tmp_path):
            return {"path": str(tmp_path / "readings")}

        def way(self, tmp_path):
            return {"path": str(tmp_path / "commands")}

    Methods that the probe does not offer are skipped.
    """

    probe: ClassVar[type[Probe[Any, Any]]]
    transport: ClassVar[type[Transport] | None] = None
    source: ClassVar[type[Source] | None] = None
    framings: ClassVar[tuple[Framing, ...]] = ("der", "project")

    def target(self, tmp_path: Path) -> Mapping[str, Any]:
        """Return settings of the transport that lead to an empty target."""
        raise NotImplementedError

    def way(self, tmp_path: Path) -> Mapping[str, Any]:
        """Return settings of the source, for a connection that nothing else uses."""
        raise NotImplementedError

    def test_it_offers_something(self) -> None:
        offers: tuple[Offer, ...] = ("listen", "send", "measure")
        assert any(self.probe.offers(what) for what in offers)

    def test_it_receives_what_is_written_from_its_connection_on(self, tmp_path: Path) -> None:
        self._need("listen")
        for framing in self.framings:
            folder = tmp_path / framing
            folder.mkdir()
            with self._run() as run, self._writing(folder, framing, run) as transport:
                listener = self._listener(folder, framing, run)
                before = make_batch(run.roster, ticks=1)
                _write(transport, before)
                listener.connect()
                batch = make_batch(run.roster, ticks=3, start_ms=START_MS + 60_000)
                began = time.time_ns() // 1_000_000
                _write(transport, batch)
                wanted = list(transport.format.encode(batch).bodies)
                received = _receive(listener, len(wanted))
                ended = time.time_ns() // 1_000_000
                listener.close()
                assert [message.payload for message in received] == wanted
                times = [message.time_ms for message in received]
                assert times == sorted(times)
                assert began <= times[0]
                assert times[-1] <= ended

    def test_it_listens_again_after_it_was_closed(self, tmp_path: Path) -> None:
        self._need("listen")
        framing = self.framings[0]
        with self._run() as run, self._writing(tmp_path, framing, run) as transport:
            listener = self._listener(tmp_path, framing, run)
            listener.close()
            for tick in range(2):
                listener.connect()
                assert list(listener.receive(_RECEIVE_S)) == []
                batch = make_batch(run.roster, start_ms=START_MS + tick * 1000)
                _write(transport, batch)
                wanted = list(transport.format.encode(batch).bodies)
                assert [m.payload for m in _receive(listener, len(wanted))] == wanted
                listener.close()
                listener.close()

    def test_it_describes_itself_without_secrets(self, tmp_path: Path) -> None:
        self._need("listen")
        with self._run() as run:
            settings = self._transport_settings(tmp_path)
            text = self.probe(run).listen(settings, self.framings[0]).describe()
        assert text
        assert "\n" not in text
        for name, value in settings:
            if isinstance(value, SecretStr) and value.get_secret_value():
                assert value.get_secret_value() not in text, f"{name} is shown"

    def test_what_it_sends_is_posted_and_the_answer_comes_back(self, tmp_path: Path) -> None:
        self._need("send")
        assert self.source is not None
        settings = self.source.Settings.model_validate(self.way(tmp_path))
        with self._run() as run:
            source = self.source(settings, run)
            source.connect()
            inbox = RecordingInbox()
            served = threading.Thread(target=_serve, args=(source, inbox), daemon=True)
            served.start()
            instruction = Command(_TARGET, "c-1", "connect")
            deadline = time.monotonic() + DEADLINE_S
            with closing(_as_generator(self.probe(run).send(settings, instruction))) as texts:
                answer = next(texts)
                while not answer:
                    assert time.monotonic() < deadline, "there is no answer"
                    answer = next(texts)
                assert next(texts) == b"", "after the answers there is a pulse"
            served.join(DEADLINE_S)
            source.close()
        read = json.loads(answer)
        assert (read["id"], read["status"], read["reason"]) == ("c-1", "accepted", "")
        assert [replace(one, source="") for one in inbox.instructions] == [instruction]

    def test_its_messages_are_those_of_the_transport(self, tmp_path: Path) -> None:
        self._need("measure")
        for framing in self.framings:
            with self._run() as run:
                batch = make_batch(run.roster, ticks=2)
                benchmark = self._benchmark(tmp_path, framing, run)
                payloads = PlainFormat(Settings(), framing, run.roster).encode(batch)
                messages = benchmark.messages(batch, payloads)
            assert [message.body for message in messages] == list(payloads.bodies)
            assert all(message.packet_bytes >= len(message.body) for message in messages)
            assert benchmark.describe_wire()
            assert json.loads(json.dumps(benchmark.wire)) == benchmark.wire

    def test_its_reference_clients_send_every_message(self, tmp_path: Path) -> None:
        self._need("measure")
        self._need("listen")
        framing = self.framings[0]
        with self._run() as run, self._writing(tmp_path, framing, run):
            benchmark = self._benchmark(tmp_path, framing, run)
            batch = make_batch(run.roster, ticks=1)
            payloads = PlainFormat(Settings(), framing, run.roster).encode(batch)
            stock = benchmark.messages(batch, payloads)
            clients = benchmark.references(stock, stock[0])
            assert len({client.name for client in clients}) == len(clients)
            count = 2 * len(stock) + 1
            for client in clients:
                assert 0 < len(client.title) <= 32
                listener = self._listener(tmp_path, framing, run)
                listener.connect()
                with client.sending(count) as send:
                    send()
                received = _receive(listener, count)
                listener.close()
                bodies = {message.body for message in stock}
                own = [message for message in received if message.payload in bodies]
                assert len(own) == count, f"{client.name} sent {len(own)} of {count} messages"
            far = benchmark.far_end()
            assert far.version
            assert 0 <= far.port <= 65_535

    @contextmanager
    def _run(self) -> Iterator[RunContext]:
        with Services() as services:
            yield RunContext(make_roster(), START_MS, services.get)

    @contextmanager
    def _writing(self, tmp_path: Path, framing: Framing, run: RunContext) -> Iterator[Transport]:
        """Yield the transport, connected."""
        assert self.transport is not None
        plain = PlainFormat(Settings(), framing, run.roster)
        transport = self.transport(self._transport_settings(tmp_path), plain, run)
        transport.connect()
        try:
            yield transport
        finally:
            transport.close()

    def _transport_settings(self, tmp_path: Path) -> Settings:
        assert self.transport is not None
        return self.transport.Settings.model_validate(self.target(tmp_path))

    def _listener(self, tmp_path: Path, framing: Framing, run: RunContext) -> Listener:
        return self.probe(run).listen(self._transport_settings(tmp_path), framing)

    def _benchmark(self, tmp_path: Path, framing: Framing, run: RunContext) -> Benchmark:
        return self.probe(run).measure(self._transport_settings(tmp_path), framing)

    def _need(self, what: Offer) -> None:
        if not self.probe.offers(what):
            # pytest treats this as a skip, too, and gridsim.testing does not need pytest.
            raise SkipTest(f"this probe does not {what}")


def _write(transport: Transport, batch: Batch) -> None:
    receipt = RecordingReceipt(len(batch))
    transport.write(batch, receipt)
    assert not receipt.dropped_rows, f"dropped: {receipt.reasons}"


def _receive(listener: Listener, count: int) -> list[ReceivedMessage]:
    """Return the next `count` messages, and any that arrive shortly after them."""
    received: list[ReceivedMessage] = []
    _until(lambda: len(received) >= count, lambda: received.extend(listener.receive(_RECEIVE_S)))
    received.extend(listener.receive(_RECEIVE_S))
    return received


def _until(done: Callable[[], bool], work: Callable[[], None]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not done():
        assert time.monotonic() < deadline, "not everything has arrived"
        work()


def _serve(source: Source, inbox: RecordingInbox) -> None:
    """Serve until an instruction has arrived, and acknowledge it."""
    _until(lambda: bool(inbox.instructions), lambda: source.serve(inbox, _RECEIVE_S))
    [instruction] = inbox.instructions
    source.acknowledge(
        [Acknowledgement(instruction.target, "c-1", "accepted", "", 0, START_MS, "x", "connect")]
    )


def _as_generator(texts: Iterator[bytes]) -> Generator[bytes]:
    yield from texts

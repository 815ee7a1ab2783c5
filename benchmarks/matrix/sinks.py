"""The far ends of the matrix: each counts every reading that arrives."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

_SETTLED_S = 30.0


class Received:
    """The readings that arrived, by DER and timestamp."""

    def __init__(self) -> None:
        self.copies: Counter[tuple[str, str]] = Counter()
        self.torn = 0
        """The number of messages that are not whole readings."""
        self.order: list[tuple[str, str]] = []
        """The readings in the order of their arrival."""

    def take(self, payload: bytes | bytearray | str, *, again: bool = False) -> None:
        """Count a message. `again`: the broker repeats it, so that a second copy is its own."""
        try:
            message = json.loads(payload)
            records = message if isinstance(message, list) else [message]
            readings = [(record["der_id"], record["timestamp"]) for record in records]
        except (ValueError, KeyError, TypeError):
            self.torn += 1
            return
        for reading in readings:
            if not (again and reading in self.copies):
                self.copies[reading] += 1
                self.order.append(reading)

    def lines(self, lines: Iterable[str]) -> Received:
        """Count the lines of a text, and return itself."""
        for line in lines:
            self.take(line)
        return self


def of_file(path: Path) -> Received:
    """Return the readings in a file of JSON Lines."""
    text = path.read_text(errors="replace") if path.exists() else ""
    return Received().lines(text.splitlines())


class Subscriber:
    """A client of the broker that subscribes with QoS 1 to all readings.

    The broker keeps its session, so that a restart of the broker loses none of its messages.
    """

    def __init__(self, port: int, *, topic: str = "projects/#", name: str = "far-end") -> None:
        self.received = Received()
        self._marks: set[str] = set()
        self._subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=name, clean_session=False)
        self._client.reconnect_delay_set(0.05, 0.05)  # type: ignore[arg-type]
        self._client.on_connect = lambda client, *_: client.subscribe(
            [(topic, 1), ("matrix/mark", 1)]
        )
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._note
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        if not self._subscribed.wait(_SETTLED_S):
            raise TimeoutError("the far end could not subscribe")

    def __enter__(self) -> Subscriber:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def settled(self) -> Received:
        """Wait for all that the broker has so far, and return what arrived."""
        mark = str(time.monotonic_ns())
        deadline = time.monotonic() + _SETTLED_S
        while mark not in self._marks:
            if time.monotonic() > deadline:
                raise TimeoutError("the far end got no mark")
            # Repeated, because the client may be about to reconnect.
            if self._client.is_connected():
                self._client.publish("matrix/mark", mark, qos=1).wait_for_publish(5)
            time.sleep(0.1)
        return self.received

    def _note(self, client: Client, _: object, message: MQTTMessage) -> None:
        if message.topic == "matrix/mark":
            self._marks.add(message.payload.decode())
        else:
            self.received.take(message.payload, again=message.dup)


class Server:
    """An HTTP server for the transport `webhook` of the examples, which can misbehave."""

    def __init__(self) -> None:
        self.received = Received()
        self.refuse = ""
        """A text; a request that contains it is answered with 422."""
        self.answer = 200
        self._flowing = threading.Event()
        self._flowing.set()
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                outer._flowing.wait()
                status = outer.take(body)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._flowing.set()
        self._server.shutdown()
        self._server.server_close()

    def stall(self) -> None:
        """Answer nothing until `resume`."""
        self._flowing.clear()

    def resume(self) -> None:
        self._flowing.set()

    def take(self, body: str) -> int:
        """Count the readings of a request and return the status of the answer."""
        with self._lock:
            if self.refuse and self.refuse in body:
                return 422
            if self.answer < 300:
                self.received.lines(body.splitlines())
            return self.answer

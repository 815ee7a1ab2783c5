"""The embedded MQTT broker: amqtt in a child process, on 127.0.0.1, for first runs and demos.

The child runs this same module (`python -m gridsim.broker PORT`). It tells the parent over
its standard output where it listens, or why not, and ends when its standard input closes, so
that it cannot outlive the parent however that ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
from typing import Any

from loguru import logger

from gridsim.errors import UsageError

HOST = "127.0.0.1"

_START_TIMEOUT_S = 15.0
_STOP_TIMEOUT_S = 2.0
_CONFIG: dict[str, Any] = {
    # The child opens the socket itself, to know its port, and hands connections over.
    "listeners": {"default": {"type": "external"}},
    # Named here, the list replaces amqtt's own, which logs every packet and publishes $SYS.
    "plugins": {
        "amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True},
    },
}


class EmbeddedBroker:
    """Starts the broker when first asked for it; one serves all. Any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: subprocess.Popen[str] | None = None
        self._address = (HOST, 0)

    def __enter__(self) -> EmbeddedBroker:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, port: int) -> tuple[str, int]:
        """Where the broker listens: at `port`, or at a free one if that is taken.

        Idempotent; a broker that has died is started anew. Raises UsageError with the reason
        if it does not start.
        """
        with self._lock:
            if self._child is None or self._child.poll() is not None:
                self._end()
                self._launch(self._address[1] or port)
            return self._address

    @property
    def running(self) -> bool:
        """Whether a broker has been asked for and not been stopped."""
        return self._child is not None

    def stop(self) -> None:
        """Ends the broker, if it runs."""
        with self._lock:
            self._end()

    def _launch(self, port: int) -> None:
        child = subprocess.Popen(
            # -P: a file of the working folder must not shadow a module.
            [sys.executable, "-P", "-m", "gridsim.broker", str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            # Out of reach of the terminal's Ctrl-C: the last readings still want a broker.
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        self._child = child
        assert child.stdout is not None
        watchdog = threading.Timer(_START_TIMEOUT_S, child.kill)
        watchdog.start()
        try:
            answer = child.stdout.readline()
        finally:
            watchdog.cancel()
        report = json.loads(answer) if answer else {}
        if "port" in report:
            self._address = (HOST, int(report["port"]))
            if port not in (0, self._address[1]):
                logger.warning(
                    "port {} is taken: the embedded broker listens on {}:{}", port, *self._address
                )
            return
        self._end()
        reason = report.get("error", f"its process ended with status {child.returncode}")
        raise UsageError(f"the embedded MQTT broker did not start: {reason}")

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.close()
        try:
            child.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        child.stdout.close()


def _listen(port: int) -> socket.socket:
    """A listening socket at `port`, or at a free one if that is taken."""
    for wished in (port, 0):
        sock = socket.socket()
        if os.name == "posix":
            # On Windows this option would let two brokers share a port.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((HOST, wished))
            sock.listen(128)
        except OSError:
            sock.close()
            if wished == 0:
                raise
        else:
            return sock
    raise AssertionError("unreachable")


async def _serve(port: int) -> None:
    from amqtt.adapters import StreamReaderAdapter, StreamWriterAdapter
    from amqtt.broker import Broker

    broker = Broker(_CONFIG)
    await broker.start()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await broker.external_connected(
            StreamReaderAdapter(reader), StreamWriterAdapter(writer), "default"
        )

    sock = _listen(port)
    server = await asyncio.start_server(connected, sock=sock)
    _report({"port": sock.getsockname()[1]})
    await server.serve_forever()


def _report(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


def _main() -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        asyncio.run(_serve(int(sys.argv[1])))
    except Exception as error:
        # The parent has the terminal, and says it.
        _report({"error": f"{type(error).__name__}: {error}"})
        sys.exit(1)


if __name__ == "__main__":
    _main()

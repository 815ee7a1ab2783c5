"""The process of the embedded broker: amqtt on 127.0.0.1 (`python -m ...broker_process PORT`).

It imports nothing from gridsim, so that it starts fast. It prints the port on which it listens, or
the error, to standard output. It ends when its standard input closes, so that it never runs longer
than its parent process. Before that, it forwards the messages that it has confirmed.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from amqtt.broker import Broker

HOST: Final = "127.0.0.1"
PASS_ON_S: Final = 1.0
"""The time that subscribers have to receive the last messages; a subscriber that hangs loses
them.
"""
_IDLE_S: Final = 0.02

_CONFIG: dict[str, Any] = {
    # This process opens the socket itself to know its port, and passes the connections to amqtt.
    "listeners": {"default": {"type": "external"}},
    # This list replaces amqtt's own, which logs every packet and publishes $SYS.
    "plugins": {
        "amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True},
    },
}


def _listen(port: int) -> socket.socket:
    """Return a socket that listens on `port`, or on a free port if `port` is in use."""
    for candidate in (port, 0):
        sock = socket.socket()
        if os.name == "posix":
            # On Windows this option would let two brokers share a port.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((HOST, candidate))
            sock.listen(128)
        except OSError:
            sock.close()
            if candidate == 0:
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
    # The loop keeps the server while it listens.
    await asyncio.start_server(connected, sock=sock)
    parent_ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    threading.Thread(target=_wait_for_parent, args=(loop, parent_ended), daemon=True).start()
    _report({"port": sock.getsockname()[1]})
    await parent_ended.wait()
    await _pass_on(broker)
    # Do not close the server or amqtt, which would wait for every client (the server from Python
    # 3.12 on).
    os._exit(0)


async def _pass_on(broker: Broker) -> None:
    """Wait, for PASS_ON_S at most, until subscribers have what the broker has confirmed.

    amqtt confirms a message before it sends it to subscribers, and has no public method that
    returns the remaining messages.
    """
    deadline = asyncio.get_running_loop().time() + PASS_ON_S
    idle = 0
    while idle < 2 and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(_IDLE_S)
        busy = not broker._broadcast_queue.empty() or not all(
            task.done() for task in broker._tasks_queue
        )
        idle = 0 if busy else idle + 1


def _report(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


def _wait_for_parent(loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    sys.stdin.read()
    loop.call_soon_threadsafe(ended.set)


def _main() -> None:
    try:
        asyncio.run(_serve(int(sys.argv[1])))
    except Exception as error:
        # The parent process logs the error.
        _report({"error": f"{type(error).__name__}: {error}"})
        sys.exit(1)


if __name__ == "__main__":
    _main()

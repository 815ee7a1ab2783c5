"""The process of the embedded broker: amqtt on 127.0.0.1 (`python -m ...broker_process PORT`).

It imports nothing from gridsim, so that it starts fast. It prints the port on which it listens, or
the error, to standard output. It ends when its standard input closes, so that it never runs longer
than its parent process.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import threading
from typing import Any, Final

HOST: Final = "127.0.0.1"

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
        # The parent process logs the error.
        _report({"error": f"{type(error).__name__}: {error}"})
        sys.exit(1)


if __name__ == "__main__":
    _main()

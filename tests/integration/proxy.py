"""A TCP proxy that makes a network fail on purpose, between a client and a broker."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress

DEADLINE_S = 30.0


class FaultProxy:
    """Forwards to a port on 127.0.0.1 from a thread of its own, until told to misbehave.

    `slice_bytes` is the most that is forwarded at once towards the broker, `latency_s` what
    each such forwarding waits before. `tap` gets what is forwarded: the number of the connection,
    whether it goes towards the broker, and the bytes.
    """

    def __init__(
        self,
        port: int,
        *,
        slice_bytes: int = 65_536,
        latency_s: float = 0.0,
        tap: Callable[[int, bool, bytes], None] | None = None,
    ) -> None:
        self.port = 0
        self._target = port
        self._slice_bytes = slice_bytes
        self._latency_s = latency_s
        self._tap = tap
        self._connections = 0
        self._swallowing = False
        self._reset_after: int | None = None
        self._clients: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True)

    def __enter__(self) -> FaultProxy:
        self._thread.start()
        assert self._ready.wait(DEADLINE_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._done.set)
        self._thread.join(DEADLINE_S)

    def stall(self) -> None:
        """Nothing moves in either direction; nothing more is read."""
        self._do(self._flowing.clear)

    def swallow(self) -> None:
        """A half-open connection: all is accepted, nothing arrives, nothing comes back."""
        self._swallowing = True
        self._do(self._honest.clear)

    def recover(self) -> None:
        """Ends what `stall` and `swallow` began, for connections yet to come."""
        self._swallowing = False
        self._do(self._flowing.set)
        self._do(self._honest.set)

    def reset(self) -> None:
        """Tears down all connections with a TCP reset."""
        self._do(self._reset)

    def reset_after(self, size: int) -> None:
        """Does so once, when `size` more bytes have gone towards the broker."""
        self._reset_after = size

    def _do(self, action: Callable[[], None]) -> None:
        done = threading.Event()

        def act() -> None:
            action()
            done.set()

        self._loop.call_soon_threadsafe(act)
        assert done.wait(DEADLINE_S)

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._done = asyncio.Event()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._honest = asyncio.Event()
        self._honest.set()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._done.wait()
        server.close()
        self._flowing.set()
        self._honest.set()
        self._reset()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=DEADLINE_S)

    async def _connected(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            far_reader, far = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            client.transport.abort()
            return
        self._clients.add(client)
        self._connections += 1
        number = self._connections
        pumps = {
            asyncio.create_task(self._pump(number, reader, far, towards_broker=True)),
            asyncio.create_task(self._pump(number, far_reader, client, towards_broker=False)),
        }
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        # Nor does it come through, if so wished, that the other side has hung up.
        await self._honest.wait()
        for pump in pumps:
            pump.cancel()
        await asyncio.wait(pumps)
        self._clients.discard(client)
        client.transport.abort()
        far.transport.abort()

    async def _pump(
        self,
        connection: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        towards_broker: bool,
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(self._slice_bytes if towards_broker else 65_536):
                await self._flowing.wait()
                if self._swallowing:
                    continue
                if towards_broker:
                    if self._latency_s:
                        await asyncio.sleep(self._latency_s)
                    data = self._up_to_reset(data)
                if self._tap is not None:
                    self._tap(connection, towards_broker, data)
                writer.write(data)
                await writer.drain()
                if self._reset_after == 0:
                    self._reset_after = None
                    self._reset()

    def _up_to_reset(self, data: bytes) -> bytes:
        if self._reset_after is None:
            return data
        data = data[: self._reset_after]
        self._reset_after -= len(data)
        return data

    def _reset(self) -> None:
        for client in self._clients:
            sock: socket.socket = client.get_extra_info("socket")
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.transport.abort()

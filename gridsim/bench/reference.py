"""The reference clients: simple clients of a protocol's probe that gridsim is compared with."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import TypeVar

from gridsim.api import ReferenceClient, TransportError
from gridsim.bench.sample import Sample, Stopwatch
from gridsim.errors import NeverConnectedError
from gridsim.running.probes import ask

ResultT = TypeVar("ResultT")


def send(name: str, client: ReferenceClient, count: int) -> Sample:
    """Send `count` messages and return the time taken, without the time to connect.

    Raises NeverConnectedError if the client cannot connect, GridsimError if the connection is lost.
    """
    with ExitStack() as stack:
        run = reach(name, lambda: stack.enter_context(client.sending(count)))
        watch = Stopwatch()
        ask(name, run)
        return watch.read()


def reach(name: str, connect: Callable[[], ResultT]) -> ResultT:
    """Call `connect`, which connects to the broker of the transport `name`, and return its result.

    Raises NeverConnectedError.
    """
    try:
        return ask(name, connect)
    except TransportError as error:
        raise NeverConnectedError(str(error)) from error

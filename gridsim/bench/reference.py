"""Reference clients: what a protocol's probe brings along to compare gridsim with."""

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
    """Send `count` messages and return how long that took; connecting is not timed.

    Raises NeverConnectedError if there is no connection, GridsimError if it breaks.
    """
    with ExitStack() as stack:
        run = reach(name, lambda: stack.enter_context(client.sending(count)))
        watch = Stopwatch()
        ask(name, run)
        return watch.read()


def reach(name: str, connect: Callable[[], ResultT]) -> ResultT:
    """Call what connects to the far end of the transport `name`. Raises NeverConnectedError."""
    try:
        return ask(name, connect)
    except TransportError as error:
        raise NeverConnectedError(str(error)) from error

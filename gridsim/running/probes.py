"""The probes of a configuration's transports and sources, which tools use to reach the far ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from gridsim.api import Listener, Offer, Probe, ReceivedMessage, RunContext
from gridsim.config.tables.sources import SourceChoice
from gridsim.config.tables.transports import TransportChoice
from gridsim.errors import GridsimError, UsageError, failure, is_interrupt, place_of

ProbeType = type[Probe[Any, Any]]
ChoiceT = TypeVar("ChoiceT", TransportChoice, SourceChoice)
ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True)
class Probes:
    """The registered probes, for one run."""

    types: Mapping[str, ProbeType]
    """The probe types by the name of their transport or source."""
    run: RunContext

    def first(
        self, choices: Iterable[ChoiceT], what: Offer
    ) -> tuple[ChoiceT, Probe[Any, Any]] | None:
        """Return the first choice that has a probe which offers `what`, and the probe."""
        for choice in choices:
            probe = self.types.get(choice.name.partition("#")[0])
            if probe is not None and probe.offers(what):
                return choice, ask(choice.name, partial(probe, self.run))
        return None

    def names(self, what: Offer) -> str:
        """Return the names of all probes that offer `what`, joined; "none" if there are none."""
        return ", ".join(sorted(n for n, t in self.types.items() if t.offers(what))) or "none"


def received(listener: Listener, timeout_s: float) -> Sequence[ReceivedMessage]:
    """Return what a listener receives. Raises TypeError if these are not messages."""
    messages = listener.receive(timeout_s)
    wrong = ""
    if not isinstance(messages, Sequence) or isinstance(messages, str | bytes):
        wrong = type(messages).__name__
    else:
        for one in messages:
            kinds = type(getattr(one, "payload", None)), type(getattr(one, "time_ms", None))
            if kinds != (bytes, int):
                wrong = f"a {type(one).__name__} of {kinds[0].__name__} and {kinds[1].__name__}"
                break
    if wrong:
        place = place_of(listener.receive)
        raise TypeError(f"receive() returned {wrong} instead of ReceivedMessage{place}")
    return messages


def ask(name: str, call: Callable[[], ResultT], prefix: str = "") -> ResultT:
    """Call a method of the probe of `name`.

    A ValueError becomes a UsageError with `prefix`; any exception that is not a GridsimError
    becomes a PluginError.
    """
    try:
        return call()
    except GridsimError:
        raise
    except ValueError as error:
        raise UsageError(f"{prefix}{error}") from error
    except BaseException as error:
        if is_interrupt(error):
            raise
        raise failure(f"the probe of {name}", error) from error

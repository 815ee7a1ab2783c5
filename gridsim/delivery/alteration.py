"""Messages whose text a fault alters, between format and transport."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from loguru import logger

from gridsim.api import Batch, Format, MessageFault, Payloads, StateError
from gridsim.contracts.results import InjectedFault
from gridsim.delivery.decorator import FormatDecorator, encoded_parts
from gridsim.errors import PluginError, failure, place_of


@dataclass(frozen=True, slots=True)
class Alteration:
    """A fault that alters messages."""

    name: str
    """The name of its type."""
    type: type[MessageFault]
    settings: Any


class Alterations:
    """The faults of a run that alter messages, by their index. It grows as faults are injected;
    a fault is added before the first message that it alters is offered to a transport."""

    def __init__(self, faults: Iterable[tuple[int, Alteration]] = ()) -> None:
        self._faults = dict(faults)
        self._injected: dict[int, list[Any]] = {}
        self._failed: dict[int, object] = {}

    def add(self, fault: int, alteration: Alteration) -> None:
        """Add a fault; other threads may look up faults meanwhile."""
        self._faults[fault] = alteration

    def has_failed(self, fault: int) -> bool:
        """Return True if a fault is disabled, because it could not alter a message."""
        return fault in self._failed

    def disable(self, fault: int, error: PluginError) -> None:
        """Alter no further message by a fault, and log its error once. Any thread may call it."""
        own = object()
        if self._failed.setdefault(fault, own) is own:
            logger.error("{}; it is disabled, and messages are sent as they are", error)

    def add_injected(self, injected: InjectedFault) -> None:
        """Add an injected fault, if it is a message fault."""
        if issubclass(injected.type, MessageFault):
            self.add(injected.fault, Alteration(injected.name, injected.type, injected.settings))
            settings = injected.settings.model_dump_json()
            self._injected[injected.fault] = [injected.fault, injected.name, settings]

    def keep_configured(self) -> None:
        """Keep the configured faults like injected ones: after a reload, their indices no longer
        follow from the configuration.
        """
        for fault, own in self._faults.items():
            text = own.settings.model_dump_json()
            self._injected.setdefault(fault, [fault, own.name, text])

    def injected(self) -> list[list[Any]]:
        """Return the injected message faults as data: index, name, and settings as JSON."""
        return [list(one) for one in self._injected.values()]

    def injected_as(self, fault: int) -> list[Any] | None:
        """Return an injected message fault as data; None if it is not one."""
        return self._injected.get(fault)

    def restore(self, injected: Sequence[Sequence[Any]], types: Mapping[str, type[Any]]) -> None:
        """Add the injected message faults of a checkpoint again. Raises StateError.

        Messages that they have altered may still wait, after the faults are over.
        """
        for one in injected:
            try:
                fault, name, text = one
                settings = types[name].Settings.model_validate_json(text)
                self.add(int(fault), Alteration(name, types[name], settings))
            except (KeyError, TypeError, ValueError) as error:
                raise StateError(f"an injected fault cannot be restored: {error}") from error
            self._injected[fault] = [fault, name, text]

    @property
    def known(self) -> int:
        """The number after the highest index."""
        return max(self._faults, default=-1) + 1

    def fingerprint(self) -> str:
        """Return a text that is equal for the same faults with the same settings."""
        text = repr([(n, one.name, repr(one.settings)) for n, one in sorted(self._faults.items())])
        return blake2b(text.encode(errors="surrogatepass"), digest_size=16).hexdigest()

    def __getitem__(self, fault: int) -> Alteration:
        return self._faults[fault]


class AlteringFormat(FormatDecorator):
    """A format whose texts are then altered by faults, in the rows with such a label.

    A pure function of the rows, so that a message that is sent again is altered in the same
    way. The first labelled row of a message decides which fault alters it. A fault that fails is
    disabled, and messages are sent as they are: a fault must not disable its transports.
    """

    def __init__(self, format: Format, faults: Alterations) -> None:
        """Wrap `format`; `faults` may grow later."""
        super().__init__(format)
        self._faults = faults

    def encode(self, batch: Batch) -> Payloads:
        return self._altered(batch, self._format.encode(batch))

    def encode_parts(
        self, batch: Batch, rows: int | None = None
    ) -> Iterator[tuple[Batch, Payloads]]:
        for part, payloads in encoded_parts(self._format, batch, rows):
            yield part, self._altered(part, payloads)

    def _altered(self, batch: Batch, payloads: Payloads) -> Payloads:
        labels = batch.labels
        if labels is None:
            return payloads
        rows = np.flatnonzero(labels.altered >= 0)
        if not len(rows):
            return payloads
        bodies = list(payloads.bodies)
        last = np.searchsorted(payloads.starts, rows, "right") - 1
        last, first = np.unique(last, return_index=True)
        # With framing measurand, a reading has several bodies, and some are empty.
        begin = np.searchsorted(payloads.starts, payloads.starts[last], "left")
        for start, stop, row in zip(
            begin.tolist(), (last + 1).tolist(), rows[first].tolist(), strict=True
        ):
            fault = int(labels.altered[row])
            for place in range(start, stop):
                if bodies[place] and not self._faults.has_failed(fault):
                    chance = float(labels.chance[row])
                    try:
                        bodies[place] = _alter(self._faults[fault], bodies[place], chance)
                    except PluginError as error:
                        self._faults.disable(fault, error)
        return Payloads(bodies, payloads.starts)


def _alter(alteration: Alteration, body: bytes, chance: float) -> bytes:
    name = f"the fault {alteration.name!r}"
    try:
        altered = alteration.type.alter(alteration.settings, body, chance)
    except BaseException as error:
        raise failure(name, error) from error
    if type(altered) is not bytes or not altered:
        kind = "none" if altered == b"" else type(altered).__name__
        raise PluginError(
            f"{name} failed: alter() must return non-empty bytes, not {kind}"
            f"{place_of(alteration.type.alter)}"
        )
    return altered

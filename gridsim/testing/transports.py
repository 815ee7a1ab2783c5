"""The contract test of transports, with a simple format and receipt."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar
from unittest import SkipTest

import numpy as np
from pydantic import SecretStr

from gridsim.api import (
    Batch,
    Format,
    Framing,
    Payloads,
    Settings,
    Transport,
    TransportError,
)
from gridsim.testing.builders import make_batch, make_roster, make_run
from gridsim.testing.settings import assert_described

REFUSED_DER = "DER_2"
"""The device of the test roster, alone in its project, whose messages the far end refuses."""
_ATTEMPTS = 50
"""The largest number of connections that a transport may lose to find the message that the far end
refuses.
"""


class RecordingReceipt:
    """A receipt that counts the rows of a batch by outcome."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.delivered_rows = 0
        self.unconfirmed_rows = 0
        self.dropped_rows = 0
        self.reasons: list[str] = []

    @property
    def left(self) -> int:
        """The number of rows without an outcome."""
        return self.rows - self.delivered_rows - self.unconfirmed_rows - self.dropped_rows

    def delivered(self, rows: int) -> None:
        self.delivered_rows += self._checked(rows)

    def unconfirmed(self, rows: int) -> None:
        self.unconfirmed_rows += self._checked(rows)

    def dropped(self, rows: int, reason: str) -> None:
        self.dropped_rows += self._checked(rows)
        self.reasons.append(reason)

    def lag(self, seconds: float) -> None:
        assert seconds >= 0.0

    def _checked(self, rows: int) -> int:
        assert 0 <= rows <= self.left, f"{rows} rows accounted for, but only {self.left} were left"
        return rows


class PlainFormat(Format):
    """A format for tests of transports: `DER_0@1767225600000` for each row, joined by spaces."""

    def encode(self, batch: Batch) -> Payloads:
        rows = [
            f"{batch.roster.der_id[device]}@{time}".encode()
            for device, time in zip(batch.device, batch.timestamp_ms, strict=True)
        ]
        if self.framing == "der":
            return Payloads(rows, np.arange(len(rows) + 1))
        starts = batch.groups()
        return Payloads([b" ".join(rows[a:b]) for a, b in pairwise(starts)], starts)


class TransportContract:
    """The requirements on every transport, with a real target. Inherit the class:

    class TestArchive(TransportContract):
        transport = Archive

        def target(self, tmp_path):
            return {"path": str(tmp_path / "out")}

        def received(self, tmp_path):
            return (tmp_path / "out").read_bytes().splitlines()

    If the far end can refuse a single message, override `refusing`, too.
    """

    transport: ClassVar[type[Transport]]

    def target(self, tmp_path: Path) -> Mapping[str, Any]:
        """Return settings for an empty target."""
        raise NotImplementedError

    def received(self, tmp_path: Path) -> list[bytes]:
        """Return the payloads that have arrived, in order; called when the transport is closed."""
        raise NotImplementedError

    def refusing(self, tmp_path: Path) -> Mapping[str, Any] | None:
        """Return settings for an empty target that refuses every message of `REFUSED_DER`.

        None, the default: the target cannot refuse a single message, as for a file.
        """
        return None

    def test_every_setting_is_described(self) -> None:
        assert_described(self.transport.Settings)

    def test_what_is_written_arrives_in_order(self, tmp_path: Path) -> None:
        made = self._make(tmp_path, self._framings()[-1])
        batch = make_batch(ticks=3)
        made.connect()
        for part in (batch.rows(0, 3), batch.rows(3)):
            _write(made, part)
        made.close()
        assert self.received(tmp_path) == list(made.format.encode(batch).bodies)

    def test_it_can_be_connected_again(self, tmp_path: Path) -> None:
        made = self._make(tmp_path, self._framings()[0])
        batch = make_batch(ticks=2)
        for part in (batch.rows(0, 3), batch.rows(3)):
            made.connect()
            made.idle()
            _write(made, part)
            made.close()
        assert self.received(tmp_path) == list(made.format.encode(batch).bodies)

    def test_a_message_that_is_refused_for_good_is_dropped_alone(self, tmp_path: Path) -> None:
        target = self.refusing(tmp_path)
        if target is None:
            # pytest treats this as a skip, too, and gridsim.testing does not need pytest.
            raise SkipTest("the target of this transport cannot refuse a single message")
        made = self._make(tmp_path, self._framings()[0], target)
        batch = make_batch(ticks=3)
        devices = [batch.roster.der_id[device] for device in batch.device]
        receipts = _deliver(made, batch)
        refused = devices.count(REFUSED_DER)
        assert sum(receipt.dropped_rows for receipt in receipts) == refused, (
            f"{refused} rows are refused, dropped: {[receipt.reasons for receipt in receipts]}"
        )
        assert all(reason for receipt in receipts for reason in receipt.reasons)
        assert sum(receipt.delivered_rows for receipt in receipts) == len(batch) - refused
        bodies = made.format.encode(batch).bodies
        expected = [body for body, der in zip(bodies, devices, strict=True) if der != REFUSED_DER]
        # Messages in transit when the far end closed the connection may arrive twice.
        received = self.received(tmp_path)
        assert list(dict.fromkeys(received)) == expected

    def test_closing_is_always_possible(self, tmp_path: Path) -> None:
        made = self._make(tmp_path, self._framings()[0])
        made.close()
        made.connect()
        made.close()
        made.close()

    def test_it_describes_itself_without_secrets(self, tmp_path: Path) -> None:
        made = self._make(tmp_path, self._framings()[0])
        for text in (made.describe(), made.hint()):
            assert "\n" not in text
            for name, value in made.settings:
                if isinstance(value, SecretStr) and value.get_secret_value():
                    assert value.get_secret_value() not in text, f"{name} is shown"
        assert made.describe()

    def _framings(self) -> list[Framing]:
        """Return the framings of the transport that the plain format also supports."""
        return [one for one in self.transport.framings if one in PlainFormat.framings]

    def _make(
        self, tmp_path: Path, framing: Framing, target: Mapping[str, Any] | None = None
    ) -> Transport:
        target = self.target(tmp_path) if target is None else target
        settings = self.transport.Settings.model_validate(target)
        roster = make_roster()
        plain = PlainFormat(Settings(), framing, roster)
        return self.transport(settings, plain, make_run(roster))


def _write(transport: Transport, batch: Batch) -> None:
    receipt = RecordingReceipt(len(batch))
    transport.write(batch, receipt)
    assert not receipt.dropped_rows, f"dropped: {receipt.reasons}"
    assert not receipt.unconfirmed_rows, "the target was available, but rows are unconfirmed"


def _deliver(transport: Transport, batch: Batch) -> list[RecordingReceipt]:
    """Write a batch as delivery does, with a new connection after each loss; return the receipts.

    Close the transport at the end.
    """
    receipts: list[RecordingReceipt] = []
    for _ in range(_ATTEMPTS):
        transport.close()
        try:
            transport.connect()
            receipts.append(RecordingReceipt(len(batch)))
            transport.write(batch, receipts[-1])
        except TransportError as error:
            if error.permanent:
                raise
            if receipts:
                batch = batch.rows(len(batch) - receipts[-1].left)
            continue
        receipts[-1].delivered(receipts[-1].left)
        transport.close()
        return receipts
    raise AssertionError(
        f"the rows from {batch.device[:1]} on were not sent in {_ATTEMPTS} attempts"
    )

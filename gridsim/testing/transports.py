"""The contract test of transports, with a simple format and receipt."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import SecretStr

from gridsim.api import Batch, Format, Framing, Payloads, Settings, Transport
from gridsim.testing.builders import make_batch, make_roster, make_run
from gridsim.testing.settings import assert_described


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
    """

    transport: ClassVar[type[Transport]]

    def target(self, tmp_path: Path) -> Mapping[str, Any]:
        """Return settings for an empty target."""
        raise NotImplementedError

    def received(self, tmp_path: Path) -> list[bytes]:
        """Return the payloads that have arrived, in order; called when the transport is closed."""
        raise NotImplementedError

    def test_every_setting_is_described(self) -> None:
        assert_described(self.transport.Settings)

    def test_what_is_written_arrives_in_order(self, tmp_path: Path) -> None:
        made = self._make(tmp_path, self.transport.framings[-1])
        batch = make_batch(ticks=3)
        made.connect()
        for part in (batch.rows(0, 3), batch.rows(3)):
            _write(made, part)
        made.close()
        assert self.received(tmp_path) == list(made.format.encode(batch).bodies)

    def test_it_can_be_connected_again(self, tmp_path: Path) -> None:
        made = self._make(tmp_path, self.transport.framings[0])
        batch = make_batch(ticks=2)
        for part in (batch.rows(0, 3), batch.rows(3)):
            made.connect()
            made.idle()
            _write(made, part)
            made.close()
        assert self.received(tmp_path) == list(made.format.encode(batch).bodies)

    def test_closing_is_always_possible(self, tmp_path: Path) -> None:
        made = self._make(tmp_path, self.transport.framings[0])
        made.close()
        made.connect()
        made.close()
        made.close()

    def test_it_describes_itself_without_secrets(self, tmp_path: Path) -> None:
        made = self._make(tmp_path, self.transport.framings[0])
        for text in (made.describe(), made.hint()):
            assert "\n" not in text
            for name, value in made.settings:
                if isinstance(value, SecretStr) and value.get_secret_value():
                    assert value.get_secret_value() not in text, f"{name} is shown"
        assert made.describe()

    def _make(self, tmp_path: Path, framing: Framing) -> Transport:
        settings = self.transport.Settings.model_validate(self.target(tmp_path))
        roster = make_roster()
        plain = PlainFormat(Settings(), framing, roster)
        return self.transport(settings, plain, make_run(roster))


def _write(transport: Transport, batch: Batch) -> None:
    receipt = RecordingReceipt(len(batch))
    transport.write(batch, receipt)
    assert not receipt.dropped_rows, f"dropped: {receipt.reasons}"
    assert not receipt.unconfirmed_rows, "the target was available, but rows are unconfirmed"

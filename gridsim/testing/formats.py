"""The contract test of formats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from gridsim.api import Format, Framing
from gridsim.testing.builders import make_batch, make_roster
from gridsim.testing.settings import assert_described


class FormatContract:
    """The requirements on every format. Inherit the class and set `format`:

    class TestXml(FormatContract):
        format = Xml
        framings = ("der",)
    """

    format: ClassVar[type[Format]]
    settings: ClassVar[Sequence[Mapping[str, Any]]] = ({},)
    """The settings to test."""
    framings: ClassVar[Sequence[Framing]] = ("der", "project")
    """The supported framings; the format must refuse others with a ValueError."""

    def test_every_setting_is_described(self) -> None:
        assert_described(self.format.Settings)

    def test_every_row_is_in_one_payload(self) -> None:
        batch = make_batch(ticks=3)
        for made in self._made():
            payloads = made.encode(batch)
            bounds = np.asarray(payloads.starts).tolist()
            assert bounds == made.starts(batch).tolist(), (
                "starts must have the first row of each body, then the end"
            )
            assert len(payloads.bodies) == len(bounds) - 1
            assert all(type(body) is bytes for body in payloads.bodies)
            # One of several values of a reading may be missing.
            assert made.framing == "measurand" or all(payloads.bodies)

    def test_the_same_rows_give_the_same_bytes(self) -> None:
        batch = make_batch(ticks=4)
        for made, again in zip(self._made(), self._made(), strict=True):
            cuts = made.cuts(batch)
            half = len(batch) // 2 if cuts is None else int(cuts[len(cuts) // 2])
            whole = list(made.encode(batch).bodies)
            parts = (again.encode(part) for part in (batch.rows(0, half), batch.rows(half)))
            assert [body for part in parts for body in part.bodies] == whole
            assert list(made.encode(batch).bodies) == whole, "encoded twice, it differs"

    def test_later_values_replace_earlier_ones(self) -> None:
        first = make_batch()
        changes: list[dict[str, Any]] = [
            {"is_online": ~first.is_online},
            {"contract_threshold": first.contract_threshold + 1.0},
            {"connection_start_ms": first.connection_start_ms + 1},
            {"current_soc": np.where(np.isnan(first.current_soc), 50.0, np.nan)},
        ]
        for change in changes:
            later = replace(first, **change)
            for made, fresh in zip(self._made(), self._made(), strict=True):
                made.encode(first)
                found, expected = made.encode(later).bodies, fresh.encode(later).bodies
                assert list(found) == list(expected), (
                    f"a change of {next(iter(change))} has no effect"
                )

    def test_a_batch_may_be_empty(self) -> None:
        for made in self._made():
            payloads = made.encode(make_batch().rows(0, 0))
            assert list(payloads.bodies) == []
            assert np.asarray(payloads.starts).tolist() == [0], "of an empty batch"

    def test_a_framing_it_does_not_know_is_refused(self) -> None:
        every: tuple[Framing, ...] = ("der", "project", "measurand", "batch")
        for framing in set(every) - set(self.framings):
            for settings in self.settings:
                try:
                    self._make(settings, framing)
                except ValueError:
                    continue
                raise AssertionError(f"the framing {framing} must be refused")

    def _made(self) -> list[Format]:
        return [
            self._make(settings, framing) for settings in self.settings for framing in self.framings
        ]

    def _make(self, settings: Mapping[str, Any], framing: Framing) -> Format:
        validated = self.format.Settings.model_validate(settings)
        return self.format(validated, framing, make_roster())

"""A format around another: what it measures, and what it refuses by the other's name."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gridsim.api import Batch, Format, Framing, Payloads, Settings
from gridsim.delivery.timing import TimedFormat
from gridsim.errors import PluginError
from gridsim.testing import PlainFormat, make_batch

BATCH = make_batch()
"""Two devices in the first project and one in the second."""


class Scripted(Format):
    """A format whose payloads a test chooses."""

    encoding: Callable[[Batch], object]

    def encode(self, batch: Batch) -> Payloads:
        return self.encoding(batch)  # type: ignore[return-value]


def payloads(bodies: Any, starts: Any) -> Payloads:
    return Payloads(bodies, starts)


def scripted(encoding: Callable[[Batch], object]) -> TimedFormat:
    made = Scripted(Settings(), "der", BATCH.roster)
    made.encoding = encoding
    return TimedFormat("odd", made)


@pytest.mark.parametrize(("framing", "bodies"), [("der", 3), ("project", 2)])
def test_a_body_is_expected_for_each_reading_or_each_project(framing: Framing, bodies: int) -> None:
    made = TimedFormat("plain", PlainFormat(Settings(), framing, BATCH.roster))
    assert len(made.encode(BATCH).bodies) == bodies
    assert made.payloads == bodies


@pytest.mark.parametrize(
    ("encoding", "message"),
    [
        (lambda batch: payloads({}, np.arange(4)), "bodies of type dict: it must be a list"),
        (lambda batch: payloads(b"abc", np.arange(4)), "bodies of type bytes: it must be a list"),
        (lambda batch: None, "returned None instead of Payloads"),
        (
            lambda batch: Payloads([b""] * 2, batch.groups()),
            "returned 2 bodies for 3 readings: 3 are expected, one for each reading",
        ),
        (
            lambda batch: Payloads([b""] * 3, np.array([0, 1, 2, 4])),
            "the first row of each reading, then 3, not",
        ),
        (lambda batch: {"other": 1}["key"], "failed: KeyError: 'key'"),
    ],
)
def test_what_does_not_fit_is_refused_by_the_name_of_the_format(
    encoding: Callable[[Batch], object], message: str
) -> None:
    with pytest.raises(PluginError) as caught:
        scripted(encoding).encode(BATCH)
    assert str(caught.value).startswith("the format 'odd' ")
    assert message in str(caught.value)


def test_the_time_of_each_encoding_is_added() -> None:
    def encode(batch: Batch) -> Payloads:
        began = time.perf_counter()
        while time.perf_counter() - began < 0.002:
            pass
        return Payloads([b""] * 3, np.arange(4))

    made = scripted(encode)
    for count in (1, 2):
        made.encode(BATCH)
        assert 0.002 * count <= made.seconds < 60.0

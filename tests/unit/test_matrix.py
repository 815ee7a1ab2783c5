"""The checks of `make matrix`: they must see what they are there for."""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gridsim.contracts.part_status import TransportStatus
from gridsim.text.status import account_line

ROOT = Path(__file__).parents[2]
if str(ROOT) not in sys.path:
    # At the end: what is installed goes first.
    sys.path.append(str(ROOT))

from benchmarks.matrix import page  # noqa: E402
from benchmarks.matrix.accounts import Account, contradictions, printed  # noqa: E402
from benchmarks.matrix.logs import errors, late_ticks, repeated  # noqa: E402
from benchmarks.matrix.row import Outcome, Row  # noqa: E402
from benchmarks.matrix.sinks import Received  # noqa: E402
from benchmarks.matrix.tap import Tap  # noqa: E402


def body(number: int) -> bytes:
    return b'{"der_id": "D%d", "timestamp": "t"}' % number


def publish(mid: int, payload: bytes) -> bytes:
    rest = struct.pack("!H1sH", 1, b"t", mid) + payload
    return bytes([0x32, len(rest)]) + rest


def puback(mid: int) -> bytes:
    return b"\x40\x02" + struct.pack("!H", mid)


def test_the_account_is_read_as_it_is_printed() -> None:
    status = TransportStatus(
        name="mqtt#2", state="up", accepted=12_345, delivered=12_000, unconfirmed=45,
        dropped={"queue full": 200, "refused by broker: Not authorized": 100},
    )  # fmt: skip
    [(name, account)] = printed(f"12:00:00 INFO    {account_line(status)}\n").items()
    assert name == "mqtt#2"
    assert account == Account(12_345, 12_000, 45, 0, dict(status.dropped))
    assert account.balanced
    assert not Account(2, 1, 0, 0, {}).balanced


def fates(again: frozenset[int] = frozenset(), **changes: str) -> Any:
    fate = {0: ("delivered", ""), 1: ("delivered", ""), 2: ("dropped", "x")}
    fate |= {int(key[1:]): (value, "") for key, value in changes.items()}
    reading = {number: (f"D{number}", "t") for number in range(3)}
    return SimpleNamespace(fate=fate, reading=reading, again=again)


@pytest.mark.parametrize(
    ("arrived", "again", "expected"),
    [
        ([0, 1], frozenset(), []),
        ([0], frozenset(), ["1 delivered readings are not at the far end"]),
        ([0, 1, 2], frozenset(), ["1 dropped readings are at the far end"]),
        ([0, 1, 2], frozenset({2}), []),
        (
            [0, 0, 1],
            frozenset(),
            ["1 readings arrived more than once without having been sent again"],
        ),
        ([0, 0, 1], frozenset({0}), []),
        ([0, 1, 7], frozenset(), ["1 readings at the far end are not in the ledger"]),
    ],
)
def test_a_far_end_that_contradicts_the_ledger_is_found(
    arrived: list[int], again: frozenset[int], expected: list[str]
) -> None:
    received = Received()
    for number in arrived:
        received.take(body(number))
    assert contradictions(fates(again), received, copies=True) == expected
    received.take(b'{"der_id": "D0"')
    assert contradictions(fates(again), received, copies=True)[-1].endswith("are torn")


def test_the_tap_knows_what_the_broker_confirmed() -> None:
    tap = Tap()
    stream = publish(1, body(0)) + publish(2, body(1))
    for at in range(0, len(stream), 7):
        tap(1, True, stream[at : at + 7])
    tap(1, False, puback(2)[:3])
    tap(1, False, puback(2)[3:])
    assert list(tap.confirmed.copies) == [("D1", "t")]
    # On the next connection the rest is sent again; a copy within a connection is not allowed.
    tap(2, True, publish(1, body(0)))
    tap(2, False, puback(1) + puback(9))
    assert (tap.confirmed.copies.total(), tap.copies, tap.within) == (2, 1, 0)
    tap(2, True, publish(2, body(0)))
    assert tap.within == 1


def test_a_line_that_is_repeated_within_ten_seconds_is_found() -> None:
    log = "12:00:00 WARNING 5 dropped\n12:00:{} WARNING 17 dropped\n12:00:02 ERROR   no\n"
    assert repeated(log.format("10")) == repeated(log.format("09")) == []
    assert repeated(log.format("08")) == ["twice within 10 s: 17 dropped"]
    assert errors(log) == ["no"]
    assert late_ticks("12:00:00 INFO    tick lag p50 1 ms; 1,234 late ticks caught up\n") == 1234


def test_the_page_keeps_the_other_sections(tmp_path: Path) -> None:
    def ran(name: str, failure: str = "") -> page.Ran:
        row = Row(name, "a | b", lambda scene, outcome: None, short=True)
        return page.Ran(row, Outcome(["seen"], [failure] if failure else []), 1.0)

    path = tmp_path / "page.md"
    order = ["One", "Two"]
    page.write(path, {"Two": page.section("Two", [ran("x"), ran("y", "lost")])}, order)
    page.write(path, {"One": page.section("One", [ran("z")])}, order)
    text = path.read_text()
    assert text.index("## One") < text.index("## Two")
    assert "3 rows, 1 of them not as promised." in text
    assert "| y | a \\| b | seen; lost | FAIL |" in text
    page.write(path, {"Two": page.section("Two", [ran("y")])}, order)
    assert "2 rows, 0 of them not as promised." in path.read_text()

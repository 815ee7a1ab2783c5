"""The fastest parser gives what the others give, or leaves the text to them."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from gridsim.verify.arrivals import Arrivals
from gridsim.verify.fields import FIELDS
from gridsim.verify.jsonlines import JsonParser
from gridsim.verify.reading import Reading
from gridsim.verify.skeleton import SkeletonParser
from gridsim.verify.strict import StrictParser
from tests.fixtures.ledgers import Kept, keep
from tests.fixtures.parsing import columns, new_reading


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return keep(tmp_path_factory.mktemp("kept"))


@pytest.fixture
def reading(kept: Kept) -> Reading:
    return new_reading(kept)


def written(lines: list[bytes], write: Callable[[Any], str]) -> bytes:
    return b"".join(write(json.loads(line)).encode() + b"\n" for line in lines)


@pytest.mark.parametrize(
    "write",
    [
        lambda one: json.dumps(one),
        lambda one: json.dumps(one, separators=(",", ":")) + "\r",
        lambda one: json.dumps(one, sort_keys=True),
        lambda one: json.dumps(one | {"current_soc": None}),
        lambda one: json.dumps(one | {"timestamp": one["timestamp"].replace("Z", "+00:00")}),
        lambda one: json.dumps(one | {"connection_start_at": "2026-01-01T00:00:00Z"}),
        lambda one: json.dumps(one | {"current_output": -0.05, "baseline": 99999.99}),
        lambda one: json.dumps(one | {"current_output": 7, "baseline": -9999.9}),
    ],
)
def test_lines_of_any_layout_are_as_the_other_parser_has_them(
    kept: Kept, reading: Reading, write: Callable[[Any], str]
) -> None:
    block = written(kept.lines, write)
    found = SkeletonParser(reading).arrivals(block, 7)
    assert found is not None
    assert (reading.evidence.rows, reading.evidence.there["type"]) == (240, 240)
    other = StrictParser(reading).arrivals(block, 7)
    assert other is not None
    assert columns(found) == columns(other)
    for name in Arrivals.__slots__:
        assert getattr(found, name).dtype == getattr(other, name).dtype, name


def test_lines_as_they_are_sent_are_read(kept: Kept, reading: Reading) -> None:
    found = SkeletonParser(reading).arrivals(b"\n".join(kept.lines), 1)
    assert found is not None
    assert columns(found) == columns(JsonParser(reading).texts(kept.lines, range(1, 241)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"is_online":true', b'"is_online": true'),
        (b'"is_online":true', b'"is_0nline":true'),
        (b'"is_online":true', b'"is_online":1'),
        (b"HOME_2_PV", b"HOME_9_PV"),
        (b"HOME_2_PV", b"HOME_2_PV "),
        (b"HOME_2_PV", b"HOME_2\\u005fPV"),
        (b'"kW"', b'"W"'),
        (b'"kW"', b"kW"),
        (b'"nameplate_capacity":5.00', b'"nameplate_capacity":5.01'),
        (b'"nameplate_capacity":5.00', b'"nameplate_capacity":5.'),
        (b'"nameplate_capacity":5.00', b'"nameplate_capacity":05.00'),
        (b'"nameplate_capacity":5.00', b'"nameplate_capacity":+5.00'),
        (b'"nameplate_capacity":5.00', b'"nameplate_capacity":5.0.0'),
        (b'"nameplate_capacity":5.00', b'"nameplate_capacity":5..0'),
        (b'"nameplate_capacity":5.00', b'"nameplate_capacity":-'),
        (b'"nameplate_capacity":5.00', b'"nameplate_capacity":'),
        (b'"nameplate_capacity":5.00', b'"nameplate_capacity":5.001'),
        (b'"nameplate_capacity":5.00', b'"nameplate_capacity":5e0'),
        (b'"current_soc":"null"', b'"current_soc":""'),
        (b'"current_soc":"null"', b'"current_soc":nul'),
        (b"Z", b"x"),
        (b"2026-07-01T12:00:07", b"2026-07-32T12:00:07"),
        (b"2026-07-01T12:00:07", b"2026-02-29T12:00:07"),
        (b"2026-07-01T12:00:07", b"2026-07-01T24:00:07"),
        (b"2026-07-01T12:00:07", b"2026-07-01t12:00:0:"),
        (b"2026-07-01T12:00:07.000Z", b"\t2026-07-01T12:00:07.000Z"),
        (b"}", b",}"),
        (b"}", b"}}"),
        (b"}", b""),
        (b"}", b',"more":1}'),
    ],
)
def test_a_line_of_another_kind_is_left_to_the_others(
    kept: Kept, reading: Reading, old: bytes, new: bytes
) -> None:
    """One of a line's values is written in another way, among lines that are as they were sent."""
    place = next(
        i for i, line in enumerate(kept.lines) if i > 40 and old in line and b"_2_PV" in line
    )
    lines = list(kept.lines)
    lines[place] = lines[place].replace(old, new, 1)
    assert lines != kept.lines
    assert SkeletonParser(reading).arrivals(b"\n".join(lines), 1) is None
    assert reading.evidence.rows == 0


@pytest.mark.parametrize("text", [b"", b"\n", b"{}\n", b"[]\n", b'{"der_id":"HOME_1_BAT"}\n', b"x"])
def test_other_texts_are_left_to_the_others(reading: Reading, text: bytes) -> None:
    assert SkeletonParser(reading).arrivals(text, 1) is None


def tampered(line: bytes, random: Random) -> bytes:
    """Return a line with one value changed: rightly, wrongly, or not at all."""
    one = json.loads(line)
    name = random.choice([*FIELDS, "", "connection_start_at"])
    if name == "connection_start_at":
        one[name] = f"2026-0{random.randint(1, 6)}-01T00:00:0{random.randint(0, 9)}.000Z"
    elif name in ("current_output", "power_meter_measurement", "baseline"):
        one[name] = round(random.uniform(-99.0, 99.0), 2)
    elif name == "timestamp":
        one[name] = f"2026-07-01T12:00:{random.randint(10, 59)}.000Z"
    elif name == "is_online":
        one[name] = random.random() < 0.5
    elif name == "der_id" and random.random() < 0.2:
        one[name] = f"HOME_{random.randint(1, 3)}_PV"
    elif name and random.random() < 0.05:
        one[name] = random.choice([0, 4.99, True, "other", one["der_id"], one["project_id"]])
    return json.dumps(one, separators=(",", ":")).encode()


@pytest.mark.parametrize("seed", range(5))
def test_tampered_blocks_are_as_the_other_parser_has_them(
    kept: Kept, reading: Reading, seed: int
) -> None:
    """A text that was right before, of this device or another, must not hide a wrong one."""
    random = Random(seed)
    skeleton, strict = SkeletonParser(reading), StrictParser(reading)
    read = left = 0
    for _ in range(60):
        lines = [
            tampered(line, random) if random.random() < 0.2 else line
            for line in random.choices(kept.lines, k=random.randint(1, 60))
        ]
        block = b"\n".join(lines)
        found, other = skeleton.arrivals(block, 1), strict.arrivals(block, 1)
        if found is None:
            left += 1
            continue
        read += 1
        assert other is not None
        assert columns(found) == columns(other)
    assert read > 10
    assert left > 1

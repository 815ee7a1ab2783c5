from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest

from gridsim.api import Batch, Framing, Payloads, Settings, Transport, TransportError
from gridsim.testing import (
    PlainFormat,
    RecordingReceipt,
    TransportContract,
    make_batch,
    make_roster,
    make_run,
)
from gridsim_plugins.transports.stdout import Stdout


class TestContract(TransportContract):
    transport: ClassVar[type[Transport]] = Stdout

    @pytest.fixture(autouse=True)
    def stdout(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        self.monkeypatch = monkeypatch
        with open(tmp_path / "out", "w") as self.file:
            yield

    def target(self, tmp_path: Path) -> dict[str, object]:
        # Not before the test itself runs: pytest puts its own stdout there until then.
        self.monkeypatch.setattr(sys, "stdout", self.file)
        return {}

    def received(self, tmp_path: Path) -> list[bytes]:
        return (tmp_path / "out").read_bytes().splitlines()


class WithHeader(PlainFormat):
    header = b"# who and when"


def made(format: type[PlainFormat] = PlainFormat, framing: Framing = "der") -> Stdout:
    roster = make_roster()
    return Stdout(Settings(), format(Settings(), framing, roster), make_run(roster))


def test_the_header_is_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stdout = made(WithHeader)
    with open(tmp_path / "out", "w") as file:
        monkeypatch.setattr(sys, "stdout", file)
        for _ in range(2):
            stdout.connect()
            stdout.write(make_batch(), RecordingReceipt(3))
            stdout.close()
    lines = (tmp_path / "out").read_bytes().splitlines()
    assert lines.index(WithHeader.header) == 0
    assert lines.count(WithHeader.header) == 1
    assert len(lines) == 7


def test_a_full_pipe_that_does_not_block_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    batch = make_batch(ticks=2000)
    chunks: list[bytes] = []

    def read() -> None:
        while chunk := os.read(read_end, 1 << 16):
            chunks.append(chunk)

    reader = Thread(target=read)
    stdout = made()
    try:
        with open(write_end, "w") as file:
            monkeypatch.setattr(sys, "stdout", file)
            stdout.connect()
            writer = Thread(target=stdout.write, args=(batch, RecordingReceipt(len(batch))))
            writer.start()
            reader.start()
            writer.join(30)
        reader.join(30)
    finally:
        os.close(read_end)
    assert b"".join(chunks).splitlines() == list(stdout.format.encode(batch).bodies)


def test_without_a_standard_output_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(TransportError, match="standard output is closed") as caught:
        made().connect()
    assert caught.value.permanent


# What happens to the process as a whole is tried on one: on its pipe, its exit and its limits.

PROGRAM = """
import sys
from gridsim.api import ReaderGone, Settings, TransportError
from gridsim.testing import PlainFormat, RecordingReceipt, make_batch, make_roster, make_run
from gridsim_plugins.transports.stdout import Stdout

roster = make_roster([20])
stdout = Stdout(Settings(), PlainFormat(Settings(), "der", roster), make_run(roster))
batch = make_batch(roster, ticks=5)
receipt = RecordingReceipt(len(batch))

def say(*words):
    print(*words, file=sys.stderr)
"""


def program(body: str, stdout: int) -> subprocess.Popen[str]:
    # Buffered, as a user's is: what is in the buffer at the end is what makes trouble.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM + body],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def test_a_reader_that_leaves_ends_it_quietly() -> None:
    body = """
print("before")
try:
    stdout.connect()
    while True:
        stdout.write(batch, RecordingReceipt(len(batch)))
except ReaderGone as gone:
    say(gone, gone.permanent)
    stdout.close()
print("what Python still flushes at its exit")
"""
    process = program(body, subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    assert [process.stdout.readline() for _ in range(2)] == ["before\n", "DER_0@1782907200000\n"]
    process.stdout.close()
    with process.stderr as stderr:
        assert stderr.read() == "the reader of standard output has closed it True\n"
    assert process.wait(30) == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_device_without_room_is_an_error_to_try_again() -> None:
    body = """
try:
    stdout.connect()
    stdout.write(batch, receipt)
except TransportError as error:
    say(error, error.permanent, receipt.left)
"""
    with open("/dev/full", "w") as full:
        _, said = program(body, full.fileno()).communicate(timeout=30)
    assert said == "standard output: No space left on device False 100\n"


@pytest.mark.parametrize(
    ("lost", "between"), [(0, b""), (1, b"DER_7@17829\n")], ids=["the same row", "a later row"]
)
def test_a_line_that_broke_off_is_completed_or_ended(
    tmp_path: Path, lost: int, between: bytes
) -> None:
    pytest.importorskip("resource")
    # 20 and 21 bytes a line: the limit falls into the line of DER_7's second reading.
    limit = 10 * 20 + 10 * 21 + 7 * 20 + 11
    body = f"""
import resource
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, hard))
stdout.connect()
try:
    stdout.write(batch, receipt)
except TransportError as error:
    say(error)
stdout.close()
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
stdout.connect()
sent = len(batch) - receipt.left
rest = batch.rows(sent + {lost})
stdout.write(rest, RecordingReceipt(len(rest)))
say(sent)
"""
    with open(tmp_path / "out", "wb") as file:
        _, said = program(body, file.fileno()).communicate(timeout=30)
    assert said == "standard output: File too large\n27\n"
    roster = make_roster([20])
    whole = PlainFormat(Settings(), "der", roster).encode(make_batch(roster, ticks=5)).bodies
    wanted = [*whole[:27], *between.splitlines(), *whole[27 + lost :]]
    assert (tmp_path / "out").read_bytes().splitlines() == wanted


def test_a_part_is_accounted_for_before_the_next_is_encoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(PlainFormat):
        def encode(self, batch: Batch) -> Payloads:
            if batch.tick[0]:
                raise RuntimeError("the format fails at the second part")
            return super().encode(batch)

    roster = make_roster([1] * 20_000)
    batch = make_batch(roster, ticks=2)
    receipt = RecordingReceipt(len(batch))
    stdout = Stdout(Settings(), Broken(Settings(), "der", roster), make_run(roster))
    with open(tmp_path / "out", "w") as file:
        monkeypatch.setattr(sys, "stdout", file)
        stdout.connect()
        with pytest.raises(RuntimeError):
            stdout.write(batch, receipt)
    lines = (tmp_path / "out").read_bytes().splitlines()
    assert 0 < receipt.delivered_rows == len(lines) < len(batch)

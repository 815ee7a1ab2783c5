"""Readings, commands and answers as lines of files in a folder: a protocol with both ends.

The transport appends to `readings`, the source reads `commands` and appends to `answers`. The
probe is the other end, so that `gridsim verify --subscribe`, `gridsim send` and `gridsim bench`
work with this protocol as they do with MQTT.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydantic import Field

from gridsim.api import (
    Acknowledgement,
    Batch,
    Benchmark,
    FarEnd,
    Framing,
    Inbox,
    Instruction,
    Listener,
    LocalPath,
    Payloads,
    Probe,
    Receipt,
    ReceivedMessage,
    ReferenceClient,
    Register,
    Settings,
    Source,
    Target,
    Transport,
    TransportError,
    WireMessage,
    hookimpl,
    read_instruction,
    write_instruction,
)

_POLL_S = 0.01
_PULSE_S = 1.0


class SpoolSettings(Settings):
    """Settings of the transport and the source `spool`."""

    folder: LocalPath = Field(description="the folder of the files")


class NewLines:
    """The lines that are appended to a file from now on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = path.stat().st_size if path.exists() else 0

    def take(self, timeout_s: float) -> list[bytes]:
        """Return the next whole lines; wait for about `timeout_s` if there are none."""
        deadline = time.monotonic() + timeout_s
        while True:
            lines = self._next()
            if lines or time.monotonic() >= deadline:
                return lines
            time.sleep(_POLL_S)

    def _next(self) -> list[bytes]:
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._read)
            whole, newline, _ = file.read().rpartition(b"\n")
        self._read += len(whole) + len(newline)
        return whole.split(b"\n") if newline else []


def append(path: Path, lines: Sequence[bytes]) -> None:
    """Append lines to a file."""
    try:
        with path.open("ab") as file:
            file.writelines(line + b"\n" for line in lines)
    except OSError as error:
        raise TransportError(f"cannot write to {path}: {error.strerror}") from error


class Spool(Transport[SpoolSettings]):
    """A line for each message."""

    Settings = SpoolSettings

    def describe(self) -> str:
        return f"lines in {self.settings.folder}/readings"

    def connect(self) -> None:
        self._path = Path(self.settings.folder, "readings")
        append(self._path, [])

    def write(self, batch: Batch, receipt: Receipt) -> None:
        append(self._path, self.format.encode(batch).bodies)

    def close(self) -> None:
        """Do nothing, because no file stays open."""


class SpoolCommands(Source[SpoolSettings]):
    """A line for each command: PROJECT or PROJECT/DER, a space, and its JSON."""

    Settings = SpoolSettings

    def describe(self) -> str:
        return f"lines in {self.settings.folder}/commands"

    def connect(self) -> None:
        self._commands = NewLines(Path(self.settings.folder, "commands"))

    def serve(self, inbox: Inbox, timeout_s: float) -> None:
        for line in self._commands.take(timeout_s):
            name, _, payload = line.partition(b" ")
            project_id, _, der_id = name.decode().partition("/")
            inbox.post(read_instruction(payload, Target(project_id, der_id or None)))

    def acknowledge(self, acknowledgements: Sequence[Acknowledgement]) -> None:
        answers = [
            {
                "target": str(one.target),
                "id": one.id,
                "status": one.status,
                "reason": one.reason,
                "tick": one.tick,
            }
            for one in acknowledgements
        ]
        lines = [json.dumps(answer).encode() for answer in answers]
        append(Path(self.settings.folder, "answers"), lines)

    def close(self) -> None:
        """Do nothing, because no file stays open."""


class SpoolListener(Listener):
    """A reader of the lines that are appended to `readings`."""

    def __init__(self, folder: str) -> None:
        self._path = Path(folder, "readings")

    def describe(self) -> str:
        return str(self._path)

    def connect(self) -> None:
        self._readings = NewLines(self._path)

    def receive(self, timeout_s: float) -> Sequence[ReceivedMessage]:
        lines = self._readings.take(timeout_s)
        now_ms = time.time_ns() // 1_000_000
        return [ReceivedMessage(line, now_ms) for line in lines]

    def close(self) -> None:
        """Do nothing, because no file stays open."""


class PlainAppend(ReferenceClient):
    """A client that opens the file once and appends every message."""

    name = "plain"
    title = "plain append to a file"

    def __init__(self, path: Path, stock: Sequence[WireMessage]) -> None:
        self._path = path
        self._lines = [message.body + b"\n" for message in stock]

    @contextmanager
    def sending(self, count: int) -> Iterator[Callable[[], None]]:
        with self._path.open("ab") as file:

            def send() -> None:
                for number in range(count):
                    file.write(self._lines[number % len(self._lines)])
                file.flush()

            yield send


class SpoolBenchmark(Benchmark):
    """The benchmark of the folder, for `gridsim bench`."""

    wire: Mapping[str, str] = {"protocol": "lines"}

    def __init__(self, folder: str) -> None:
        self._path = Path(folder, "readings")

    def describe_wire(self) -> str:
        return "lines"

    def far_end(self) -> FarEnd:
        return FarEnd(host=str(self._path.parent), port=0, version="file system", tls=False)

    def messages(self, batch: Batch, payloads: Payloads) -> Sequence[WireMessage]:
        return [WireMessage("", body, len(body) + 1) for body in payloads.bodies]

    def references(
        self, stock: Sequence[WireMessage], typical: WireMessage
    ) -> Sequence[ReferenceClient]:
        return [PlainAppend(self._path, stock)]


class SpoolProbe(Probe[SpoolSettings, SpoolSettings]):
    """The other end of the folder."""

    def listen(self, settings: SpoolSettings, framing: Framing) -> Listener:
        return SpoolListener(settings.folder)

    def send(self, settings: SpoolSettings, instruction: Instruction) -> Iterator[bytes]:
        answers = NewLines(Path(settings.folder, "answers"))
        line = f"{instruction.target} ".encode() + write_instruction(instruction)
        append(Path(settings.folder, "commands"), [line])
        while True:
            for answer in answers.take(_PULSE_S):
                if json.loads(answer)["target"] == str(instruction.target):
                    yield answer
            yield b""

    def measure(self, settings: SpoolSettings, framing: Framing) -> Benchmark:
        return SpoolBenchmark(settings.folder)


@hookimpl
def gridsim_register(register: Register) -> None:
    register.transport("spool", Spool)
    register.source("spool", SpoolCommands)
    register.probe("spool", SpoolProbe)

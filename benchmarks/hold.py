"""A fleet at 1 Hz on one connection: its lag, its processor time and what a reader received.

python benchmarks/hold.py --config configs/fleet-10k.toml --seconds 60
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO

from mosquitto import find, mosquitto, version

ROOT = Path(__file__).parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", default=str(ROOT / "configs/fleet-10k.toml"))
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--no-reader", action="store_true", help="publish without a subscriber")
    options = parser.parse_args()
    reader = "no reader" if options.no_reader else "one reader"
    print(f"Mosquitto {version()}, {reader}", flush=True)
    with mosquitto() as port:
        counting = nullcontext([]) if options.no_reader else _count(port)
        with counting as received:
            subprocess.run(
                [
                    *(sys.executable, "-m", "gridsim", "--config", options.config),
                    *("--duration", f"{options.seconds}s"),
                    *("--set", "transports.0.host=127.0.0.1", "--set", f"transports.0.port={port}"),
                    *(word for override in options.set for word in ("--set", override)),
                    "--strict",
                ],
                check=True,
                stderr=subprocess.STDOUT,  # the run's log is what this prints
            )
    if received:
        print(f"another client received {received[0]:,} messages")


@contextmanager
def _count(port: int) -> Iterator[list[int]]:
    """Count the messages that arrive at another client; the count is complete at the end."""
    received: list[int] = []
    with tempfile.TemporaryFile() as topics:
        reader = subprocess.Popen(
            [find("mosquitto_sub"), "-p", str(port), "-t", "#", "-F", "%t"], stdout=topics
        )
        yield received
        # The messages that the broker still holds for the reader arrive before this one.
        subprocess.run(
            [find("mosquitto_pub"), "-p", str(port), "-q", "1", "-t", "end", "-m", "end"],
            check=True,
        )
        while reader.poll() is None and not _ends_with(topics, b"end\n"):
            time.sleep(0.1)
        reader.terminate()
        reader.wait()
        topics.seek(0)
        received.append(sum(1 for line in topics if line != b"end\n"))


def _ends_with(file: IO[bytes], tail: bytes) -> bool:
    size = os.fstat(file.fileno()).st_size
    return size >= len(tail) and os.pread(file.fileno(), len(tail), size - len(tail)) == tail


if __name__ == "__main__":
    main()

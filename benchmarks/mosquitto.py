"""The benchmarks' own Mosquitto, on a free port of this machine."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def find(name: str) -> str:
    """Return the path of a Mosquitto program, or exit and name the package."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if path is None:
        sys.exit(f"{name} is not installed: apt-get install mosquitto mosquitto-clients")
    return path


def version() -> str:
    """Return the version of the broker, such as 2.0.11."""
    text = subprocess.run([find("mosquitto"), "-h"], capture_output=True, text=True).stdout
    match = re.search(r"version (\S+)", text)
    return match[1] if match else "of unknown version"


@contextmanager
def mosquitto() -> Iterator[int]:
    """Run a broker that accepts every client on 127.0.0.1; yield its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        conf = Path(folder, "mosquitto.conf")
        conf.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n"
            "log_type error\nlog_dest stderr\n"
        )
        broker = subprocess.Popen([find("mosquitto"), "-c", str(conf)])
        try:
            _wait_until_it_listens(port, broker)
            yield port
        finally:
            broker.terminate()
            broker.wait(10)


def _wait_until_it_listens(port: int, broker: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and broker.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    sys.exit("mosquitto did not start")

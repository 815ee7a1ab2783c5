"""The brokers of the matrix: Mosquitto, and the table of a transport to it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.integration.mosquitto import Mosquitto

_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])


def find(name: str) -> str:
    """Return the path of a program, or exit and name the packages."""
    path = shutil.which(name, path=_PATH)
    if path is None:
        sys.exit(f"{name} is not installed: apt-get install mosquitto mosquitto-clients openssl")
    return path


def version() -> str:
    """Return the version of Mosquitto."""
    text = subprocess.run([find("mosquitto"), "-h"], capture_output=True, text=True).stdout
    match = re.search(r"version (\S+)", text)
    return match[1] if match else "of unknown version"


def broker(folder: Path, lines: str = "allow_anonymous true", options: str = "") -> Mosquitto:
    """Return a broker with one listener, `only`, that keeps its sessions over a restart."""
    kept = f"persistence true\npersistence_location {folder}/\n{options}"
    return Mosquitto(find("mosquitto"), folder, {"only": lines}, kept)


def mqtt(port: int, *lines: str) -> str:
    """Return the table of a transport to a broker on this machine, with the canary as password."""
    head = ["", "[[transports]]", 'type = "mqtt"', 'host = "127.0.0.1"', f"port = {port}"]
    login = ['username = "fleet"', 'password = "${MATRIX_PASSWORD}"']
    return "\n".join([*head, *login, *lines, ""])

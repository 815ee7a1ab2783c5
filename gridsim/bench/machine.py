"""The machine that the figures were measured on."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Machine:
    cpu: str
    cores: int
    """The processors that this process may use."""
    python: str
    os: str


def machine() -> Machine:
    """Describe the machine that this process runs on."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return Machine(_cpu(), _cores(), python, platform.platform(terse=True))


def peak_memory() -> int | None:
    """Return this process's peak memory so far, bytes; None if the system does not report it.

    `resource.getrusage` is not used, because its figure includes the parent process's memory.
    """
    return _status("VmHWM")


def memory_now() -> int | None:
    """Return this process's memory in use, bytes; None if the system does not report it."""
    return _status("VmRSS")


def _status(field: str) -> int | None:
    kilobytes = _first(Path("/proc/self/status"), rf"{field}:\s*(\d+) kB")
    return int(kilobytes) * 1024 if kilobytes else None


def _cpu() -> str:
    # On most systems `platform.processor` returns an empty text or an architecture.
    model = _first(Path("/proc/cpuinfo"), r"model name\s*: (.+)")
    return model or platform.processor() or platform.machine() or "unknown"


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _first(file: Path, pattern: str) -> str | None:
    try:
        match = re.search(pattern, file.read_text())
    except OSError:
        return None
    return match[1].strip() if match else None

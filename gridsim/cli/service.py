"""Messages about a run to the service manager that started it, such as systemd.

The protocol is that of sd_notify(3): datagrams to the socket that `NOTIFY_SOCKET` names.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Mapping
from typing import Final

from loguru import logger

from gridsim.contracts.status import RunStatus
from gridsim.text.status import live_line

_STATUS_EVERY_S: Final = 10.0


class ServiceManager:
    """The manager of this service. Without one, every method does nothing."""

    def __init__(
        self,
        environment: Mapping[str, str] = os.environ,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`; connect to nothing yet."""
        path = environment.get("NOTIFY_SOCKET", "")
        # The name of an abstract socket begins with a NUL, which "@" stands for.
        self._address = f"\0{path[1:]}" if path.startswith("@") else path
        self._watchdog = self._address != "" and _is_watched(environment)
        # Twice in the time that the watchdog allows, as sd_watchdog_enabled(3) advises.
        limit_s = int(environment["WATCHDOG_USEC"]) / 2e6 if self._watchdog else _STATUS_EVERY_S
        self._every_s = min(limit_s, _STATUS_EVERY_S)
        self._monotonic = monotonic
        self._due = 0.0

    def ready(self, status: RunStatus) -> None:
        """Report that the run has started."""
        self._due = self._monotonic() + self._every_s
        self._send("READY=1", f"STATUS={live_line(status)}")

    def reloading(self) -> None:
        """Report that the configuration is being reloaded; `ready` ends that."""
        # Type=notify-reload of systemd needs the time, in microseconds of CLOCK_MONOTONIC.
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def report(self, status: Callable[[], RunStatus]) -> None:
        """Report the status if that is due. The watchdog is reset only while ticks go on."""
        now = self._monotonic()
        if not self._address or now < self._due:
            return
        self._due = now + self._every_s
        current = status()
        alive = ["WATCHDOG=1"] if self._watchdog and current.ticking else []
        self._send(*alive, f"STATUS={live_line(current)}")

    def stopping(self) -> None:
        """Report that the run sends what is queued, and ends."""
        self._send("STOPPING=1", "STATUS=sending what is queued")

    def _send(self, *assignments: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)
                # If the manager is busy, the next report is due soon.
                with contextlib.suppress(BlockingIOError):
                    sender.sendto("\n".join(assignments).encode(), self._address)
        except OSError as error:
            self._address = ""
            logger.warning("the service manager cannot be reached: {}", error)


def _is_watched(environment: Mapping[str, str]) -> bool:
    """Return whether a watchdog waits for this process, and not for another one."""
    every = environment.get("WATCHDOG_USEC", "")
    process = environment.get("WATCHDOG_PID", str(os.getpid()))
    return every.isascii() and every.isdigit() and int(every) > 0 and process == str(os.getpid())

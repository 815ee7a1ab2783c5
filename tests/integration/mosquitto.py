"""A real Mosquitto, and mosquitto_sub as the other client that reads what was published."""

from __future__ import annotations

import getpass
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gridsim.api import Transport
from tests.fixtures.ports import free_port

DEADLINE_S = 30.0
"""The time that anything may take before a test fails; a passing test never waits so long."""

_SUBSCRIBED = "Subscribed (mid:"
_MARK = "\x1f"


def idle_on(transport: Transport, for_s: float = DEADLINE_S) -> None:
    """Call `idle` as delivery does while there is nothing to write."""
    until = time.monotonic() + for_s
    while time.monotonic() < until:
        transport.idle()
        time.sleep(0.02)


class Mosquitto:
    """A broker with a listener on 127.0.0.1 per name; each has its own lines of configuration."""

    def __init__(
        self, command: str, folder: Path, listeners: Mapping[str, str], options: str = ""
    ) -> None:
        self.ports = {name: free_port() for name in listeners}
        self._command = command
        self._log = folder / "mosquitto.log"
        self._config = folder / "mosquitto.conf"
        self._process: subprocess.Popen[bytes] | None = None
        lines = [
            "per_listener_settings true",
            # Not 0, for no limit: then 2.0.11 hangs up on a client that its access list refuses.
            "max_queued_messages 10000000",
            # Started by root, it would otherwise become a user who cannot read the files.
            f"user {getpass.getuser()}",
            options,
        ]
        for name, own in listeners.items():
            lines += [f"listener {self.ports[name]} 127.0.0.1", own]
        self._config.write_text("\n".join(lines) + "\n")

    def __enter__(self) -> Mosquitto:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._command, "-c", str(self._config)], stdout=log, stderr=log
            )
        deadline = time.monotonic() + DEADLINE_S
        for port in self.ports.values():
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    assert self._process.poll() is None, self._log.read_text()
                    assert time.monotonic() < deadline, self._log.read_text()

    def pause(self) -> None:
        """Stop the process without ending it: it accepts connections and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self, *, kill: bool = False) -> None:
        process, self._process = self._process, None
        if process is not None:
            if kill:
                process.kill()
            else:
                process.terminate()
            process.wait(DEADLINE_S)


class Subscriber:
    """A mosquitto_sub that has subscribed when the constructor returns."""

    def __init__(
        self, command: Sequence[str], port: int, *options: str, topic: str = "projects/#"
    ) -> None:
        self._subscribed = False
        self._received: list[tuple[str, str, str]] = []
        self._last_words = ""
        self._changed = threading.Condition()
        self._process = subprocess.Popen(
            [
                *(*command, "-h", "127.0.0.1", "-p", str(port), "-t", topic, "-d"),
                *("-F", f"{_MARK}%t{_MARK}%r{_MARK}%p", *options),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        try:
            self._wait(lambda: self._subscribed)
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Subscriber:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def messages(self, count: int) -> list[tuple[str, str]]:
        """(topic, payload) of all that arrived, once they are `count` or more."""
        self._wait(lambda: len(self._received) >= count)
        with self._changed:
            return [(topic, payload) for topic, _, payload in self._received]

    def until(self, payload: str) -> list[tuple[str, str]]:
        """(topic, payload) of all that arrived, once `payload` was the latest."""
        self._wait(lambda: bool(self._received) and self._received[-1][2] == payload)
        return self.messages(0)

    def flags(self) -> list[str]:
        """The retain flag, "0" or "1", of all that arrived so far."""
        with self._changed:
            return [retain for _, retain, _ in self._received]

    def stop(self) -> None:
        # On SIGTERM it disconnects within the handler, and hangs if the library held its lock.
        self._process.kill()
        self._process.wait(DEADLINE_S)
        self._thread.join(DEADLINE_S)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._changed:
                if line.startswith(_MARK):
                    _, topic, retain, payload = line.rstrip("\n").split(_MARK, 3)
                    self._received.append((topic, retain, payload))
                else:
                    self._last_words = line
                    self._subscribed |= line.startswith(_SUBSCRIBED)
                self._changed.notify_all()

    def _wait(self, condition: Callable[[], bool]) -> None:
        with self._changed:
            done = self._changed.wait_for(condition, DEADLINE_S)
            count = len(self._received)
        assert done, f"mosquitto_sub has {count} messages; it said last: {self._last_words}"

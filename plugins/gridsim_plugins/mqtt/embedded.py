"""The embedded MQTT broker: amqtt in a child process, on 127.0.0.1, for first runs and demos."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from typing import Final

from loguru import logger

from gridsim.api import RunContext, TransportError
from gridsim_plugins.mqtt.broker_process import HOST
from gridsim_plugins.mqtt.topics import mosquitto_sub
from gridsim_plugins.mqtt.url import PORT

MESSAGES_PER_S: Final = 5_000
"""The messages per second that the embedded broker can handle; see the README."""
SERVICE: Final = "mqtt: embedded broker"
"""The key of the broker among the run's services, and of its announced address."""


_START_TIMEOUT_S = 15.0
_STOP_TIMEOUT_S = 2.0


class EmbeddedBroker:
    """A broker that starts on first use; callers in any thread share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: subprocess.Popen[str] | None = None
        self._address = (HOST, 0)
        self._moved = False

    def __enter__(self) -> EmbeddedBroker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, port: int) -> tuple[str, int]:
        """Start the broker on `port`, or on a free port if `port` is in use; return its address.

        A broker that is running is left unchanged. A broker whose process has ended is started
        again. Raises TransportError with the reason if it does not start.
        """
        with self._lock:
            if self._child is None or self._child.poll() is not None:
                self._end()
                self._launch(self._address[1] or port)
            return self._address

    @property
    def address(self) -> tuple[str, int] | None:
        """The address of the broker, or None if it was never started."""
        return self._address if self._address[1] else None

    def take_moved(self) -> bool:
        """Return whether the broker is on another port than the requested one; true only once."""
        with self._lock:
            moved, self._moved = self._moved, False
            return moved

    def restart(self) -> None:
        """Start the broker again at the same port. Raises TransportError if it does not start."""
        with self._lock:
            self._end()
            self._launch(self._address[1])

    def close(self) -> None:
        """End the broker, if it is running."""
        with self._lock:
            self._end()

    def _launch(self, port: int) -> None:
        child = subprocess.Popen(
            # -P: a file of the working folder must not shadow a module.
            [sys.executable, "-P", "-m", "gridsim_plugins.mqtt.broker_process", str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            # A separate session, so that Ctrl-C does not end it before the last readings are sent.
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        self._child = child
        assert child.stdout is not None
        watchdog = threading.Timer(_START_TIMEOUT_S, child.kill)
        watchdog.start()
        try:
            answer = child.stdout.readline()
        finally:
            watchdog.cancel()
        report = json.loads(answer) if answer else {}
        if "port" in report:
            self._address = (HOST, int(report["port"]))
            self._moved = port not in (0, self._address[1])
            return
        self._end()
        reason = report.get("error", f"its process ended with status {child.returncode}")
        raise TransportError(f"the embedded MQTT broker did not start: {reason}", permanent=True)

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.close()
        try:
            child.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        child.stdout.close()


def describe_embedded(port: int) -> str:
    """Return the description of an embedded broker that has not started."""
    return f"the embedded broker on {f'port {port}' if port else 'a free port'},"


def embedded_address(run: RunContext, port: int, topics: str) -> tuple[str, int]:
    """Start the run's embedded broker if it is not running, and return its address.

    `topics` is the filter of the topics to watch, for the message that `port` is in use. Raises
    TransportError if the broker does not start.
    """
    if (given := run.given.get(SERVICE)) is not None:
        # The driver of this shard has started it for all of them.
        return str(given["host"]), int(given["port"])
    broker = run.service(SERVICE, EmbeddedBroker)
    host, own = broker.start(port)
    run.announce(SERVICE, {"host": host, "port": own})
    if broker.take_moved():
        logger.warning(
            "port {} is in use by another program: the embedded broker of this run listens on "
            "port {}. Watch it: {}. If the other program is a broker, publish to it instead with: "
            "MQTT_HOST={} gridsim ...",
            port,
            own,
            mosquitto_sub(host, own, topics),
            host if port == PORT else f"{host} MQTT_PORT={port}",
        )
    return host, own

"""The conventions of TLS, passwords and the page."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import ssl
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from benchmarks.matrix.broker import broker, find, mqtt
from benchmarks.matrix.embedded_rows import listening
from benchmarks.matrix.fleet import FleetRun, fleet
from benchmarks.matrix.logs import errors
from benchmarks.matrix.row import Group, Outcome, Scene
from tests.fixtures.ports import free_port
from tests.integration.certificates import Authority, Certificate

GROUP = Group("Conventions")


def _ends(scene: Scene, text: str, *words: object) -> tuple[int, str]:
    with FleetRun(scene.folder, text, *words, ledger=False) as run:
        return run.wait(), run.log


@GROUP.row(
    "a password in plain text to another machine; port 8883 without `tls`",
    "refused unless a setting allows it; port 8883 means TLS",
)
def plaintext(scene: Scene, outcome: Outcome) -> None:
    # An address that is for documentation, so that nothing answers there.
    away = fleet(mqtt(1883)).replace("127.0.0.1", "192.0.2.1")
    status, log = _ends(scene.part("refused"), away, "--duration", "1s")
    outcome.note(f"plain text: exit {status}")
    outcome.check(status == 2 and "unencrypted" in log, f"plain text: {log[:200]}")
    allowed = away.replace("port = 1883", "port = 1883\nallow_plaintext_password = true")
    status, _ = _ends(scene.part("allowed"), allowed, "--dry-run")
    outcome.note(f"allowed, without a start: exit {status}")
    outcome.check(status == 0, f"allowed: exit {status}")
    text = fleet(mqtt(8883, 'startup = "retry"'))
    _, log = _ends(scene.part("port"), text, "--duration", "1s")
    outcome.note("port 8883: mqtts" if "mqtts://127.0.0.1" in log else "port 8883: no TLS")
    outcome.check("mqtts://127.0.0.1" in log, "port 8883 without TLS")


@GROUP.row(
    "`tls_insecure = true`; a server that has nothing newer than TLS 1.1",
    "a warning at each start; TLS before 1.2 is refused, exit 3",
)
def insecure(scene: Scene, outcome: Outcome) -> None:
    authority = Authority(scene.folder / "authority", find("openssl"))
    own = authority.issue("elsewhere", "DNS:broker.example")
    listener = (
        f"allow_anonymous true\ncertfile {own.file}\nkeyfile {own.key}\ncafile {authority.file}"
    )
    part = scene.part("insecure")
    with broker(part.folder, listener) as mosquitto:
        text = fleet(mqtt(mosquitto.ports["only"], 'tls = "on"', "tls_insecure = true"))
        statuses, warned = [], 0
        for number in range(2):
            status, log = _ends(part.part(str(number)), text, "--duration", "1s")
            statuses.append(status)
            warned += any("WARNING" in line and "tls_insecure" in line for line in log.splitlines())
    outcome.note(f"tls_insecure: exits {statuses}, {warned} of 2 starts warned")
    outcome.check(statuses == [0, 0] and warned == 2, "no warning at a start, or no connection")
    with _old_server(own) as port:
        lines = ('tls = "on"', f'ca_file = "{authority.file}"', "tls_insecure = true")
        status, log = _ends(scene.part("old"), fleet(mqtt(port, *lines)), "--duration", "1s")
    outcome.note(f"TLS 1.1: exit {status}, {'; '.join(errors(log))[:160]}")
    outcome.check(status == 3, f"TLS 1.1: exit {status}")


@contextmanager
def _old_server(own: Certificate) -> Iterator[int]:
    """Serve TLS 1.1 and nothing newer, which Mosquitto cannot be made to do; yield the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own.file, own.key)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    link, _ = listener.accept()
                    with suppress(OSError), context.wrap_socket(link, server_side=True):
                        pass

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]


@GROUP.row(
    "a `.env` that others may read; a value that the environment has, too",
    "a warning; the environment takes precedence",
)
def dotenv(scene: Scene, outcome: Outcome) -> None:
    env = {**os.environ, "MATRIX_PORT": "9"}
    for mode, expected in ((0o644, True), (0o600, False)):
        part = scene.part(f"{mode:o}")
        path = part.folder / ".env"
        path.write_text("MATRIX_PORT=8\nMATRIX_USER=fleet\n")
        path.chmod(mode)
        text = fleet(mqtt(1).replace("port = 1", 'port = "${MATRIX_PORT}"'))
        text = text.replace('username = "fleet"', 'username = "${MATRIX_USER}"')
        with FleetRun(part.folder, text, "--duration", "1s", ledger=False, env=env) as run:
            status = run.wait()
        warned = any("WARNING" in line and ".env" in line for line in run.log.splitlines())
        outcome.note(f"mode {mode:o}: exit {status}, {'a' if warned else 'no'} warning")
        outcome.check(warned == expected, f"mode {mode:o}: {'no' if expected else 'a'} warning")
        outcome.check("127.0.0.1:9" in run.log, f"mode {mode:o}: not the port of the environment")


def _ask(port: int, method: str, path: str, **headers: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        # The names of headers have hyphens.
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, b"{}" if method == "POST" else None, named)
        return connection.getresponse().status
    finally:
        connection.close()


@GROUP.row(
    "the page: another host name, another origin, an address for all",
    "bound to 127.0.0.1; Host and Origin are checked; elsewhere it needs a token",
)
def page(scene: Scene, outcome: Outcome) -> None:
    stdout = '\n[[transports]]\ntype = "stdout"\n'
    port = free_port()
    view = f'\n[[views]]\ntype = "web"\nport = {port}\n'
    with FleetRun(scene.part("own").folder, fleet(stdout + view), ledger=False) as run:
        run.wait_for(f":{port}")
        answers = {
            "own": _ask(port, "GET", "/healthz"),
            "another host": _ask(port, "GET", "/api/v1/status", Host="evil.example"),
            "another origin": _ask(
                port,
                "POST",
                "/api/v1/control",
                Origin="http://evil.example",
                Content_Type="application/json",
            ),
        }
        addresses = listening(port)
        run.process.send_signal(signal.SIGTERM)
        run.wait()
    outcome.note(f"answers {answers}, listens at {addresses}")
    outcome.check(answers["own"] == 200, "its own host is refused")
    outcome.check(answers["another host"] in (400, 403, 421), "another host is answered")
    outcome.check(answers["another origin"] == 403, "another origin may post")
    outcome.check(addresses == ["0100007F"], "not bound to 127.0.0.1")
    port = free_port()
    view = f'\n[[views]]\ntype = "web"\nport = {port}\nhost = "0.0.0.0"\n'
    with FleetRun(scene.part("all").folder, fleet(stdout + view), ledger=False) as run:
        run.wait_for(f":{port}")
        time.sleep(0.2)
        status = _ask(port, "GET", "/api/v1/status")
        run.process.send_signal(signal.SIGTERM)
        run.wait()
    outcome.note(f"on all addresses, without its token: {status}")
    outcome.check(status in (401, 403), "no token is needed")

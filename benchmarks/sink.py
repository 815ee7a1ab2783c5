"""Check that every frame arrives whole, in order, and equal to the record of the simulation.

Runs gridsim at full speed against this script's own MQTT server, which reads every byte, parses
every frame and compares topic and payload with a simulation of the same seed. Exits 1 if one frame
is missing, torn or mixed.

python benchmarks/sink.py --messages 10000000
python benchmarks/sink.py --messages 1000000 --tls
"""

from __future__ import annotations

import argparse
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from frames import DISCONNECT, Checker, TornStreamError, parse

from gridsim.api import Batch, Format
from gridsim.bench.target import BENCH_CONFIG, counts_for, find_target
from gridsim.running.plan import Options
from gridsim.simulation.scenario import Scenario
from gridsim.simulation.step import Simulation

_CONNACK, _PINGRESP = b"\x20\x02\x00\x00", b"\xd0\x00"
_READ = 1 << 18
_DEADLINE_S = 120


def main(words: Sequence[str] | None = None, start: Callable[..., Any] | None = None) -> int:
    """Run gridsim against the server of this script; return the exit status.

    `start` starts the words of a command line of gridsim in the background, as `_start` does.
    """
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--messages", type=int, default=10_000_000, help="about so many")
    parser.add_argument("--ders", type=int, default=10_000)
    parser.add_argument("--tls", action="store_true")
    options = parser.parse_args(words)
    default = Options(config=BENCH_CONFIG)
    counts = counts_for(default, options.ders, find_target(default).ders)
    target = find_target(Options(config=BENCH_CONFIG, overrides=counts))
    ticks = max(1, options.messages // target.ders)
    with tempfile.TemporaryDirectory() as folder, socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        there = ["host=127.0.0.1", f"port={listener.getsockname()[1]}"]
        context = None
        if options.tls:
            certificate, context = _certificate(Path(folder))
            there += ["tls=on", f"ca_file={certificate}"]
        sets = [f"transports.0.{setting}" for setting in [*there, "qos=0", "protocol='3.1.1'"]]
        command = ["--config", str(BENCH_CONFIG), "--speed", "0", "--duration", f"{ticks}s"]
        command += [word for text in [*counts, *sets] for word in ("--set", text)]
        run = (start or _start)(*command, stderr=subprocess.PIPE)
        began = time.perf_counter()
        checker = Checker(_made(target.plan.configuration.scenario, target.outlet.format, ticks))
        torn = ""
        try:
            _serve(listener, context, checker)
        except (TornStreamError, OSError) as error:
            torn = str(error)
            run.kill()
        seconds = time.perf_counter() - began
        log = run.communicate()[1]
    found = checker.end()
    way = "over TLS" if options.tls else "over plain TCP"
    print(
        f"{target.ders:,} DERs, {ticks:,} ticks {way}: {found.right:,} of {ticks * target.ders:,} "
        f"records right ({found.bytes / 1e9:.2f} GB of payload in {seconds:.0f} s); "
        f"{found.missing:,} missing, {found.torn:,} torn, {found.mixed:,} mixed"
    )
    if torn:
        print(f"the stream ended: {torn}")
    if run.returncode:
        print(f"gridsim exited with {run.returncode}:\n{log}")
    return int(bool(torn or run.returncode or not found.clean))


def _start(*words: str, stderr: int) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-m", "gridsim", *words], stderr=stderr, text=True)


def _serve(listener: socket.socket, context: ssl.SSLContext | None, checker: Checker) -> None:
    """Serve one connection to its end. A second connection would be a fault, so it is not
    accepted.
    """
    listener.settimeout(_DEADLINE_S)
    link, _ = listener.accept()
    link.settimeout(_DEADLINE_S)
    if context is not None:
        link = context.wrap_socket(link, server_side=True)
    with link:
        rest = _connect(link)
        ended = False
        while not ended:
            messages, pings, used, ended = parse(rest)
            if pings:
                link.sendall(_PINGRESP * pings)
            checker.take(messages)
            rest = rest[used:]
            if not ended:
                got = link.recv(_READ)
                if not got:
                    raise TornStreamError(f"no DISCONNECT, and {len(rest)} bytes of a frame")
                rest += got
        if rest:
            raise TornStreamError(f"{len(rest)} bytes after the packet {DISCONNECT:#x}")


def _connect(link: socket.socket) -> bytes:
    """Accept a client; return the bytes after its CONNECT."""
    data = b""
    while len(data) < 2 or len(data) < 2 + data[1]:
        got = link.recv(_READ)
        if not got:
            raise TornStreamError("it hung up before its CONNECT was whole")
        data += got
    if data[0] != 0x10 or data[1] > 127:
        raise TornStreamError(f"no CONNECT: {data[:16]!r}")
    link.sendall(_CONNACK)
    return data[2 + data[1] :]


def _made(
    scenario: Scenario, format: Format, ticks: int
) -> Iterator[tuple[Batch, Sequence[bytes]]]:
    simulation = Simulation(scenario)
    for _ in range(ticks):
        batch = simulation.step()
        yield batch, format.encode(batch).bodies


def _certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """Make a certificate for 127.0.0.1; return its file and a context of a server with it."""
    certificate, key = folder / "sink.crt", folder / "sink.key"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"),
            *("-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=sink"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return certificate, context


if __name__ == "__main__":
    sys.exit(main())

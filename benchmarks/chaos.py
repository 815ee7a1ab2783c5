"""The account of every reading when everything breaks. Exits with 4 if one is not explained.

Runs configs/chaos.toml, in which every fault is on, through its own Mosquitto with QoS 1 as fast as
it can, with `gridsim verify --subscribe` connected before tick 0: 108,000 readings.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from mosquitto import mosquitto, version

ROOT = Path(__file__).parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--duration", default="2h")
    options = parser.parse_args()
    print(f"Mosquitto {version()}", flush=True)
    with tempfile.TemporaryDirectory() as folder, mosquitto() as port:
        ledger = Path(folder) / "ledger.sqlite"
        fleet = [
            *("--config", str(ROOT / "configs/chaos.toml")),
            *("--set", "transports.0.host=127.0.0.1", "--set", f"transports.0.port={port}"),
        ]
        gridsim = [sys.executable, "-m", "gridsim"]
        listening = subprocess.Popen(
            [*gridsim, "verify", str(ledger), "--subscribe", *fleet],
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert listening.stderr is not None
            print(listening.stderr.readline(), end="", flush=True)
            kept = ["--set", f'ledger.path="{ledger}"']
            run = [*gridsim, *fleet, *kept, "--speed", "0", "--duration", options.duration]
            subprocess.run(run, check=True, stderr=subprocess.DEVNULL)
            sys.exit(listening.wait(300))
        finally:
            if listening.poll() is None:
                listening.kill()


if __name__ == "__main__":
    main()

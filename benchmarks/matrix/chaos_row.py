"""Deliberate faults: every reading of a run with all of them is explained."""

from __future__ import annotations

import sys
from pathlib import Path
from subprocess import PIPE, Popen

from benchmarks.matrix.broker import broker
from benchmarks.matrix.fleet import FleetRun
from benchmarks.matrix.row import Group, Outcome, Scene

GROUP = Group("Deliberate faults")
_CONFIG = Path(__file__).parents[2] / "configs" / "chaos.toml"
_DEADLINE_S = 300


@GROUP.row(
    "all types of faults at once (`configs/chaos.toml`), 108,000 readings at speed 0, QoS 1",
    "`gridsim verify --subscribe` explains every reading that is missing, late, doubled or altered",
    short=False,
)
def chaos(scene: Scene, outcome: Outcome) -> None:
    ledger = scene.folder / "chaos.sqlite"
    with broker(scene.folder) as mosquitto:
        text = _CONFIG.read_text().replace('"scenarios/', f'"{_CONFIG.parent}/scenarios/')
        port = mosquitto.ports["only"]
        sets = ["--set", 'transports.0.host="127.0.0.1"', "--set", f"transports.0.port={port}"]
        config = scene.folder / "run.toml"
        config.write_text(text)
        words = ["verify", str(ledger), "--subscribe", "--config", str(config), *sets]
        listening = Popen(
            [sys.executable, "-m", "gridsim", *words], stdout=PIPE, stderr=PIPE, text=True
        )
        try:
            assert listening.stderr is not None
            listening.stderr.readline()
            kept = ("--set", f'ledger.path="{ledger}"')
            run = ("--speed", "0", "--duration", "2h")
            with FleetRun(scene.folder, "", *sets, *kept, *run, ledger=False, write=text) as fleet:
                status = fleet.wait(_DEADLINE_S)
            report, _ = listening.communicate(timeout=_DEADLINE_S)
            verdict = listening.returncode
        finally:
            if listening.poll() is None:
                listening.kill()
    lines = [line for line in report.splitlines() if " expected, " in line[:40] or "PASS" in line]
    outcome.note(f"exit {status}; verify: exit {verdict}, {'; '.join([*lines[:1], *lines[-1:]])}")
    outcome.check(status == 0, f"exit {status}: {fleet.log[-300:]}")
    outcome.check(verdict == 0, f"verify: exit {verdict}: {report[-500:]}")

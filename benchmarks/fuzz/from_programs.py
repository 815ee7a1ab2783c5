"""The inputs that programs write: instructions, exports for verify, checkpoints."""

from __future__ import annotations

import gzip
import json
import struct
import zlib
from contextlib import redirect_stderr, redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from benchmarks.fuzz.inputs import changed, changed_bytes, changed_text, changed_tree, texts, values
from benchmarks.fuzz.target import HOME, SITE, Target, resolved, to_json
from gridsim.api import Target as Addressee
from gridsim.api import read_instruction
from gridsim.contracts.state import StateError
from gridsim.contracts.tree_serial import tree_from_bytes, tree_to_bytes
from gridsim.errors import GridsimError
from gridsim.execution.checkpoint import RunFacts, checkpoint_bytes, read_checkpoint
from gridsim.plugins.registry import Registry
from gridsim.simulation.step import Simulation
from gridsim.verify import VerifyOptions, verify
from tests.fixtures import ledgers


def commands(registry: Registry) -> Target:
    scenario = resolved(HOME, registry)
    fault = {"id": "c", "command": "inject_fault"}
    seeds: list[dict[str, Any]] = [
        {"id": "c", "command": "set_power", "value": -3.0, "ramp_s": 5, "duration_s": 60},
        {"id": "c", "command": "limit_power", "value": 50, "unit": "%", "stack_level": 1},
        {"id": "c", "command": "target_soc", "value": 80, "start": "2026-07-01T12:00:00Z"},
        {"id": "c", "command": "set_power", "periods": [{"start_s": 0, "value": 1}]},
        {"id": "c", "command": "connect"},
        {"id": "c", "command": "call_event", "event": "peak", "duration_s": 600, "ramp_s": 10},
        {"id": "c", "command": "cancel_event", "event": "peak"},
        {**fault, "type": "offline", "duration_s": {"uniform": [1, 2]}},
        {**fault, "type": "noise", "sigma": 0.1, "probability": 0.5},
        {**fault, "type": "delay", "delay_s": 5, "ders": ["*"]},
        {"id": "c", "command": "clear_fault", "fault": "dark"},
    ]
    payloads = st.one_of(
        changed(changed_tree(seeds)).map(
            lambda tree: json.dumps(tree).encode(errors="surrogatepass")
        ),
        changed(changed_bytes([json.dumps(seed).encode() for seed in seeds])),
        st.dictionaries(texts, values, max_size=6).map(to_json),
        st.binary(max_size=60),
    )
    targets = st.sampled_from(
        [Addressee("HOME"), Addressee("HOME", "BAT"), Addressee("HOME", "EV"), Addressee("*"),
         Addressee("HOME", "NONE"), Addressee("NONE")]
    )  # fmt: skip
    run = _Run(scenario)

    def check(case: tuple[Addressee, bytes]) -> None:
        addressee, payload = case
        run.take(read_instruction(payload, addressee, "fuzz"))

    return Target("commands", st.tuples(targets, payloads), check, ())


class _Run:
    """A simulation that takes an instruction in each tick, and begins again after 500."""

    def __init__(self, configuration: Any) -> None:
        self._configuration = configuration
        self._left = 0

    def take(self, instruction: Any) -> None:
        if not self._left:
            self._simulation = Simulation(self._configuration.scenario)
            self._left = 500
        self._left -= 1
        result = self._simulation.advance([instruction])
        assert np.isfinite(result.batch.current_output).all(), "a power is not finite"
        answers = [one for one in result.acknowledgements if one.id == instruction.id]
        assert answers or not instruction.id, "the instruction has no answer"


def exports(folder: Path) -> Target:
    kept = ledgers.keep(folder, more=ledgers.FAULTS, ticks=8)
    lines = b"".join(line + b"\n" for line in kept.lines)
    rows = []
    for line in kept.lines:
        # Some are cut by a fault.
        with suppress(ValueError):
            rows.append(json.loads(line))
    names = list(rows[0])
    csv = "\n".join([",".join(names), *(",".join(str(row.get(n)) for n in names) for row in rows)])
    topics = "\n".join(f"a/b {json.dumps(row)}" for row in rows)
    wrapped = "\n".join(json.dumps({"topic": "a", "payload": row}) for row in rows)
    seeds = [lines.decode(errors="replace"), csv, csv.replace(",", ";"), topics, wrapped]
    seeds += [json.dumps(rows[:10]), "\n".join(json.dumps(row) for row in rows[:3])]
    packed = [text.encode() for text in seeds] + [gzip.compress(csv.encode())]
    export = folder / "export"

    def check(raw: bytes) -> None:
        export.write_bytes(raw)
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            verify(VerifyOptions(ledger=kept.ledger, files=(str(export),)), lambda _: None)

    tree = changed(changed_tree(rows)).map(to_json)
    return Target(
        "exports for verify",
        st.one_of(
            changed(changed_text(seeds)).map(lambda text: text.encode(errors="surrogatepass")),
            changed(changed_bytes(packed)),
            st.lists(tree, max_size=4).map(b"\n".join),
        ),
        check,
    )


def checkpoints(registry: Registry) -> Target:
    configuration = resolved(HOME + SITE, registry)
    simulation = Simulation(configuration.scenario)
    data = []
    for _ in range(3):
        for _ in range(5):
            simulation.advance([])
        data.append(checkpoint_bytes(simulation.state(), {}, RunFacts(run="fuzz")))
    trees = [tree_from_bytes(one) for one in data]

    def with_checksum(body: bytes) -> bytes:
        head = struct.pack("<8sIIQ", b"gridsim\0", 1, zlib.crc32(body), len(body))
        return head + body

    def check(raw: bytes) -> None:
        state = read_checkpoint(raw).state
        again = Simulation(configuration.scenario)
        again.restore(state)

    return Target(
        "checkpoints",
        st.one_of(
            changed(changed_bytes(data)),
            changed(changed_bytes([one[24:] for one in data])).map(with_checksum),
            changed(changed_tree(trees)).map(_written),
        ),
        check,
        (GridsimError, StateError),
    )


def _written(tree: Any) -> bytes:
    try:
        return tree_to_bytes(tree)
    except (ValueError, TypeError, OverflowError, GridsimError):
        return b""

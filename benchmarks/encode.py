"""The speed of encoding: the formats beside json and msgspec on whole objects.

python benchmarks/encode.py

All take the same batches of a fleet's models in turn, so the ratios hold on a busy machine. The
first encoding, which fills the caches of each device, is timed separately.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from gridsim.api import FIELDS, Batch, Format, Framing
from gridsim.helpers.timestamps import rfc3339
from gridsim.running.plan import Options, make_plan
from gridsim.simulation.step import Simulation
from gridsim_plugins.formats.csv import Csv
from gridsim_plugins.formats.json import Json
from gridsim_plugins.formats.template import Template

ROOT = Path(__file__).parent.parent
# A script would cache the texts of repeated times.
_stamp = cache(rfc3339)
# Only the models are needed, not the connections of the configuration.
NO_BROKER = 'transports=[{type="stdout"}]'
# The record, and the same fields nested, scaled and left out.
RECORD = json.dumps({name: f"{{{name}}}" for name in FIELDS})
NESTED = """
{"v": 2, "device": {"id": "{der_id}", "site": "{project_id}", "kind": "{type | upper}"},
 "ts": "{timestamp | ms}", "online": "{is_online | as(1, 0)}", "measurements": [
   {"n": "P", "u": "W", "v": "{current_output * 1000 | round}"},
   {"n": "SOC", "u": "%", "v": "{current_soc | round(1) | else(omit_element)}"}],
 "meter": {"import_w": "{max(net, 0) * 1000 | round}", "export_w": "{max(-net, 0) * 1000 | round}"},
 "contract": {"kw": "{contract_threshold}", "baseline": "{baseline}", "alone": "{is_standalone}"},
 "nameplate": "{nameplate_capacity}", "since": "{connection_start_at}", "unit": "{units}"}
"""
GATEWAY = """
{"{der_id}": [{"ts": "{timestamp | ms}", "values": {"power": "{current_output}",
  "load": "{power_meter_measurement}", "baseline": "{baseline}", "soc": "{current_soc}"}}]}
"""
LIMIT = 1.5
Encode = Callable[[Batch], Sequence[bytes]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, default=ROOT / "configs/fleet-10k.toml")
    parser.add_argument("--ticks", type=int, default=10, help="batches for each measurement")
    parser.add_argument("--rounds", type=int, default=7, help="alternating measurements")
    options = parser.parse_args()
    scenario = make_plan(
        Options(config=options.config, overrides=(NO_BROKER,))
    ).configuration.scenario
    simulation = Simulation(scenario)
    batches = [simulation.step() for _ in range(options.ticks)]
    ways: dict[str, Callable[[], Encode]] = {
        "json.dumps of dicts": lambda: _objects(lambda record: json.dumps(record).encode()),
        "msgspec of dicts": lambda: _objects(msgspec.json.encode),
        "json, framing der": lambda: _format(Json, "der", batches[0]),
        "json, framing project": lambda: _format(Json, "project", batches[0]),
        "csv": lambda: _format(Csv, "der", batches[0]),
        "template, the record": lambda: _template(RECORD, "der", batches[0]),
        "template, nested": lambda: _template(NESTED, "der", batches[0]),
        "template, per project": lambda: _template(GATEWAY, "project", batches[0]),
    }
    first: dict[str, list[float]] = {name: [] for name in ways}
    later: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(options.rounds):
        for name, make in ways.items():
            encode = make()
            first[name].append(_seconds(encode, batches[:1]))
            later[name].append(_seconds(encode, batches[1:]))
    _report(first, later, len(batches[0]))


def _report(first: dict[str, list[float]], later: dict[str, list[float]], devices: int) -> None:
    slowest = median(next(iter(later.values())))
    print(f"{devices:,} devices, medians of {len(next(iter(first.values())))} alternating rounds")
    print(f"{'':24}{'records/s':>12}{'ratio':>8}{'first batch, us per device':>28}")
    for name, times in later.items():
        seconds = median(times)
        print(
            f"{name:24}{1 / seconds:>12,.0f}{slowest / seconds:>8.1f}"
            f"{median(first[name]) * 1e6:>28.1f}"
        )

    for name, other in (
        ("template, the record", "json, framing der"),
        ("template, nested", "json, framing der"),
        ("template, per project", "json, framing project"),
    ):
        pairs = zip(later[name], later[other], strict=True)
        ratio = median(own / json_s for own, json_s in pairs)
        print(f"{name}: {ratio:.2f} times the time of {other} (at most {LIMIT:g})")


def _seconds(encode: Encode, batches: Sequence[Batch]) -> float:
    """Return the seconds per reading."""
    began = time.process_time()
    for batch in batches:
        encode(batch)
    return (time.process_time() - began) / sum(map(len, batches))


def _format(kind: type[Format], framing: Framing, batch: Batch) -> Encode:
    made = kind(kind.Settings(), framing, batch.roster)
    return lambda batch: made.encode(batch).bodies


def _template(text: str, framing: Framing, batch: Batch) -> Encode:
    made = Template(Template.Settings(template=text), framing, batch.roster)
    return lambda batch: made.encode(batch).bodies


def _objects(encode: Callable[[Any], bytes]) -> Encode:
    return lambda batch: [encode(record) for record in _records(batch)]


def _records(batch: Batch) -> list[dict[str, Any]]:
    """Return the readings in the form of most scripts: a dict for each."""
    roster = batch.roster
    project = roster.project[batch.device]
    columns = (
        [roster.der_id[device] for device in batch.device.tolist()],
        batch.is_online.tolist(),
        [_stamp(time_ms) for time_ms in batch.timestamp_ms.tolist()],
        batch.current_output.tolist(),
        batch.power_meter_measurement.tolist(),
        batch.baseline.tolist(),
        batch.contract_threshold.tolist(),
        ["kW"] * len(batch),
        [roster.project_id[place] for place in project.tolist()],
        roster.is_standalone[project].tolist(),
        [_stamp(time_ms) for time_ms in batch.connection_start_ms.tolist()],
        ["null" if soc != soc else soc for soc in batch.current_soc.tolist()],
        [roster.type[device] for device in batch.device.tolist()],
        roster.nameplate_capacity[batch.device].tolist(),
    )
    return [dict(zip(FIELDS, row, strict=True)) for row in zip(*columns, strict=True)]


if __name__ == "__main__":
    main()

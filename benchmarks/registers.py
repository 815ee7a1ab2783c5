"""The energy registers of a simulated month, beside the ledger of the run.

python benchmarks/registers.py
python benchmarks/registers.py --tick 60

Steps homes with all DER types, with outages, faults and a checkpoint that is resumed in the middle,
and writes a ledger. Then compares the registers in each reading with the integral of the true power
in the ledger, by SQL: equal to the last Wh at every tick, or it fails.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from gridsim.api import DER_REGISTERS, SITE_REGISTERS
from gridsim.contracts.tree_serial import tree_from_bytes, tree_to_bytes
from gridsim.ledger import query
from gridsim.running.plan import Options, make_plan
from gridsim.simulation.step import Simulation

TYPES = {
    "solar": "nameplate_capacity = 8.0",
    "battery": "nameplate_capacity = 5.0\nenergy_capacity_kwh = 10.0",
    "ev_charger": "nameplate_capacity = 11.0",
    "heat_pump": "nameplate_capacity = 3.0",
    "water_heater": "nameplate_capacity = 2.0",
    "wind_turbine": "nameplate_capacity = 4.0",
    "generator": "nameplate_capacity = 5.0",
}
CONFIG = """
[simulation]
seed = 3
tick_s = {tick}
speed = 0
start = 2026-03-10T00:00:00Z
[site]
timezone = "Europe/Berlin"
latitude = 52.5
longitude = 13.4
[weather]
type = "clear"
[ledger]
path = "{ledger}"
[[transports]]
type = "stdout"
format = {{ type = "json", extra_fields = {registers} }}
[[faults]]
type = "offline"
readings = "stored"
per_day = 0.5
duration_s = 40000
[[faults]]
type = "drop"
probability = 0.05
[[faults]]
type = "spike"
per_day = 1.0
duration_s = 14000
[[faults]]
type = "sign_flip"
ders = ["*_battery"]
per_day = 0.5
duration_s = 30000
[[faults]]
type = "alarm"
ders = ["*_heat_pump"]
per_day = 0.5
duration_s = 30000
[[projects]]
id = "HOME_{{n}}"
count = {homes}
load = {{ type = "household", annual_kwh = 4000 }}
"""
REGISTERS = (*DER_REGISTERS, *SITE_REGISTERS)
# The integrals before each reading, hundredths of a kW times ticks: imported and exported, of the
# device and of its site.
INTEGRALS = """
WITH reading AS (
  SELECT device, tick, output, meter FROM readings JOIN truth USING (number) WHERE NOT copy
  UNION SELECT device, tick, output, meter FROM unsent WHERE NOT copy),
device AS (
  SELECT der_id, project, tick, output AS fed, meter AS load
  FROM reading JOIN devices USING (device)),
site AS (
  SELECT project, tick, max(load) - sum(fed) AS drawn FROM device GROUP BY project, tick),
meter AS (
  SELECT project, tick, sum(max(drawn, 0)) OVER before AS bought,
         sum(max(-drawn, 0)) OVER before AS sold
  FROM site WINDOW before AS
    (PARTITION BY project ORDER BY tick ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING))
SELECT der_id, tick, sum(max(-fed, 0)) OVER before, sum(max(fed, 0)) OVER before, bought, sold
FROM device JOIN meter USING (project, tick) WINDOW before AS
  (PARTITION BY der_id ORDER BY tick ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
"""


def differences(folder: Path, *, days: float, tick_s: int, homes: int) -> tuple[int, int, int]:
    """Return the numbers of compared registers, of those that differ, and of those above zero."""
    ledger = folder / "ledger.sqlite"
    text = CONFIG.format(tick=tick_s, ledger=ledger, homes=homes, registers=[*REGISTERS])
    for name, settings in TYPES.items():
        text += f'[[projects.ders]]\nid = "{{project_id}}_{name}"\ntype = "{name}"\n{settings}\n'
    config = folder / "registers.toml"
    config.write_text(text)
    shown = _run(config, round(days * 86_400 / tick_s))
    compared = different = counted = 0
    for key, expected in _integrals(ledger, tick_s * 1000):
        read = shown.pop(key, expected)
        compared += len(expected)
        different += sum(a != b for a, b in zip(read, expected, strict=True))
        counted += sum(value > 0 for value in expected)
    # A reading that the ledger does not have would be a difference, too.
    return compared, different + len(shown), counted


def _run(config: Path, ticks: int) -> dict[tuple[str, int], tuple[int, ...]]:
    """Return the registers, Wh, in each reading that was sent, by device and tick."""
    plan = make_plan(Options(config=config))
    assert plan.ledger is not None
    ledger = plan.ledger.open()
    scenario = plan.configuration.scenario
    simulation, names = Simulation(scenario), scenario.roster.der_id
    shown: dict[tuple[str, int], tuple[int, ...]] = {}
    for index in range(ticks):
        if index == ticks // 2:
            kept = tree_from_bytes(tree_to_bytes(simulation.state()))
            assert isinstance(kept, dict)
            simulation = Simulation(scenario)
            simulation.restore(kept)
        result = simulation.advance()
        ledger.record(result)
        batch = result.batch
        if len(batch):
            ledger.fates[0].settled(batch.number, len(batch), "delivered", "")
        columns = [(batch.extra[name] * 1000).round().astype(int) for name in REGISTERS]
        rows = zip(batch.device.tolist(), batch.tick.tolist(), *columns, strict=True)
        for device, tick, *wh in rows:
            shown[names[device], tick] = tuple(int(value) for value in wh)
    ledger.record(simulation.finish())
    ledger.close(complete=True, timeout_s=60.0)
    return shown


def _integrals(ledger: Path, tick_ms: int) -> Iterator[tuple[tuple[str, int], tuple[int, ...]]]:
    """Yield the integrals before each reading of the ledger, Wh, rounded half up."""
    with query(ledger, INTEGRALS) as found:
        for der_id, tick, *sums in found.rows:
            exact = [Fraction(int(value or 0) * tick_ms, 360_000) for value in sums]
            yield (der_id, tick), tuple(int(value + Fraction(1, 2)) for value in exact)


def main() -> int:
    """Print the number of compared registers; return 1 if one differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--days", type=float, default=31.0, help="days to simulate")
    parser.add_argument("--tick", type=int, default=300, help="seconds of a tick")
    parser.add_argument("--homes", type=int, default=3, help="homes, with a DER of each type")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        compared, different, counted = differences(
            Path(folder), days=options.days, tick_s=options.tick, homes=options.homes
        )
    print(f"{options.days:g} days: {compared:,} registers, {counted:,} above zero")
    print(f"{different:,} differ from the integral of the ledger")
    return 1 if different or not counted else 0


if __name__ == "__main__":
    sys.exit(main())

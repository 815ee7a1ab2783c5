"""The same evening twice, with a demand-response event and without it."""

from __future__ import annotations

import gridsim

BEGIN, END = "2026-07-02T18:00:00+02:00", "2026-07-02T20:00:00+02:00"


def consumption_kwh(sim: gridsim.Simulator) -> float:
    """Return the net consumption of all homes from BEGIN to END."""
    sim.run(until=BEGIN)
    readings = sim.run(until=END).to_pandas()
    homes = readings.drop_duplicates(["timestamp", "project_id"])
    kw = homes["power_meter_measurement"].sum() - readings["current_output"].sum()
    return float(kw * sim.tick_s / 3600)


def main() -> None:
    sim = gridsim.simulate("home.toml", seed=7)
    sim.run(until="2026-07-02")

    called = sim.copy()
    called.call_event("evening", start=BEGIN, duration="2h", target_kw=1.0)

    without, with_event = consumption_kwh(sim), consumption_kwh(called)
    print(f"without the event: {without:6.2f} kWh")
    print(f"with the event:    {with_event:6.2f} kWh")
    print(f"reduction:         {without - with_event:6.2f} kWh")


if __name__ == "__main__":
    main()

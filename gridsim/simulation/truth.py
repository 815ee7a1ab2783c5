"""The true state of a tick, by reference to the arrays that the simulation already has."""

from __future__ import annotations

from collections.abc import Mapping

from gridsim.api import Floats
from gridsim.contracts.truth import TickTruth
from gridsim.simulation.batch import BatchMaker
from gridsim.simulation.demand_response.events import DemandResponse
from gridsim.simulation.faults.book import FaultBook


def tick_truth(
    baseline: Floats,
    meter: Floats,
    real: Floats,
    soc: Floats,
    extra: Mapping[str, Floats],
    maker: BatchMaker,
    faults: FaultBook | None,
    demand_response: DemandResponse | None,
) -> TickTruth:
    """Return the true state of a tick after its faults: `baseline` and `meter` per site, kW."""
    # The tick is over: the simulation does not write to them again.
    for column in (baseline, meter, real, soc, *extra.values()):
        column.setflags(write=False)
    return TickTruth(
        baseline_kw=baseline,
        load_kw=meter,
        output_kw=real,
        soc=soc,
        extra=extra,
        faulty=None if faults is None else faults.running.affected(),
        running_faults=() if faults is None else faults.running.affecting(),
        instruments=0 if faults is None else faults.running.instruments,
        offline=None if faults is None else faults.unreachable,
        disabled=maker.absent,
        reports=maker.reports,
        events=() if demand_response is None else demand_response.running_events(),
    )

"""The true state of a tick, by reference to the arrays that the simulation already has."""

from __future__ import annotations

from collections.abc import Mapping

from gridsim.api import Floats
from gridsim.contracts.truth import TickTruth
from gridsim.simulation.batch import BatchMaker, read_only
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
    return TickTruth(
        baseline_kw=read_only(baseline.view()),
        load_kw=read_only(meter.view()),
        output_kw=read_only(real.view()),
        soc=read_only(soc.view()),
        extra={name: read_only(column.view()) for name, column in extra.items()},
        faulty=None if faults is None else faults.affected(),
        running_faults=() if faults is None else faults.running_faults(),
        offline=None if faults is None else faults.unreachable,
        disabled=maker.absent,
        events=() if demand_response is None else demand_response.running_events(),
    )

"""The aggregator's settlement of a demand-response event equals the truth."""

from datetime import datetime
from typing import Any

START = datetime.fromisoformat("2026-07-14T17:00:00-03:00")


def test_it_settles_an_event(gridsim_fleet: Any, make_aggregator: Any) -> None:
    fleet = gridsim_fleet("fleet.toml", seed=7)
    aggregator = make_aggregator(fleet.broker.host, fleet.broker.port)
    fleet.call_event("peak", "HOME_*", start=START, duration="1h", target_kw=1.5)
    fleet.advance("1h20m")
    carried = len(fleet.messages("projects/+/ders/+"))
    fleet.wait_until(lambda: aggregator.received == carried, what="having received everything")

    [end] = {event["end"] for event in fleet.truth.events.to_dicts()}
    settlements = aggregator.settle("peak", START, end)
    fleet.verify(aggregator.readings(), settlements=settlements)

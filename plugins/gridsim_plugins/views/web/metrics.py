"""The metrics of a run for Prometheus, in base units: watts, joules, seconds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from gridsim.api import Control, RunState, RunStatus, SourceStatus, TransportStatus
from gridsim.version import __version__

_QUANTILES = (0.5, 0.9, 0.99)
_J_PER_KWH = 3.6e6
_SOURCE_COUNTS = {
    "posted": "Instructions that went into the run's inbox.",
    "refused": "Instructions for which there was no room.",
    "unanswerable": "Refused instructions that got no answer.",
    "lost": "Instructions that arrived and were dropped unread.",
    "acknowledged": "Acknowledgements that were handed over.",
    "undelivered": "Acknowledgements that were abandoned, or that the far end refused.",
}
_SOURCE_WAITING = {
    "unanswered": "Instructions in the run's inbox that have no answer yet.",
    "waiting": "Acknowledgements that wait to be handed over.",
}


def exposition(control: Control, streams: int) -> tuple[bytes, str]:
    """Return the metrics as text, and its media type."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(RunCollector(control, streams))
    ProcessCollector(registry=registry)
    return generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4


class RunCollector(Collector):
    """The metrics of one run. No label names a device, a project or an event."""

    def __init__(self, control: Control, streams: int = 0) -> None:
        self._control = control
        self._streams = streams

    def collect(self) -> Iterator[Metric]:
        status, snapshot = self._control.status(), self._control.snapshot()
        yield from _run(status)
        yield _gauge("gridsim_devices_online", "Devices with a connection.", snapshot.online)
        kilowatts = {
            "gridsim_load_watts": ("The gross load of all projects.", snapshot.load_kw),
            "gridsim_net_watts": ("The net consumption of all projects.", snapshot.net_kw),
            "gridsim_baseline_watts": ("The baseline of all projects.", snapshot.baseline_kw),
            "gridsim_event_target_watts": (
                "The reduction that running events call for.",
                snapshot.target_kw,
            ),
            "gridsim_event_delivered_watts": (
                "The reduction of the projects that an event calls.",
                snapshot.delivered_kw,
            ),
        }
        for name, (text, kw) in kilowatts.items():
            yield _gauge(name, text, kw * 1000)
        output = GaugeMetricFamily(
            "gridsim_output_watts", "The true output by reported type.", labels=["type"]
        )
        for type, kw in snapshot.kw.items():
            output.add_metric([type], kw * 1000)
        yield output
        in_violation = int(snapshot.sites.in_violation.sum())
        violations = int(snapshot.sites.violations.sum())
        yield _gauge("gridsim_projects_in_violation", "Projects in violation.", in_violation)
        yield _counter("gridsim_violations", "Violations that have begun.", violations)
        yield from _transports(status.transports)
        yield from _sources(status.sources)
        yield _gauge("gridsim_web_streams", "Open streams of the web view.", self._streams)


def _run(status: RunStatus) -> Iterator[Metric]:
    info = GaugeMetricFamily("gridsim_info", "The run.", labels=["version", "seed"])
    info.add_metric([__version__, str(status.seed)], 1)
    yield info
    state = GaugeMetricFamily(
        "gridsim_state", "1 for the state of the run, 0 for the others.", labels=["state"]
    )
    for name in get_args(RunState):
        state.add_metric([name], float(name == status.state))
    yield state
    yield _gauge("gridsim_devices", "Devices of the run.", status.devices)
    yield _gauge("gridsim_projects", "Projects of the run.", status.projects)
    yield _gauge("gridsim_speed_ratio", "Simulated over real time; 0: no limit.", status.speed)
    yield _gauge(
        "gridsim_simulated_timestamp_seconds",
        "The simulated time of the next tick, since 1970 UTC.",
        status.time_ms / 1000,
    )
    yield _counter("gridsim_ticks", "Completed ticks.", status.tick)
    yield _counter("gridsim_late_ticks", "Ticks that began late.", status.late_ticks)
    yield _gauge("gridsim_behind_seconds", "Time since the next tick was due.", status.behind_s)
    lag = GaugeMetricFamily(
        "gridsim_tick_lag_seconds", "Delay of the last 10,000 ticks.", labels=["quantile"]
    )
    for share in _QUANTILES:
        lag.add_metric([f"{share:g}"], status.lag.quantile(share))
    yield lag
    yield _counter("gridsim_stepping_seconds", "Real time in the models.", status.stepping_s)
    yield _counter("gridsim_readings", "Readings that left the simulation.", status.readings)
    instructions = status.instructions
    yield _counter(
        "gridsim_instructions_received", "Instructions at a tick.", instructions.received
    )
    yield _counter("gridsim_instructions_rejected", "Rejected ones.", instructions.rejected)
    yield _gauge("gridsim_instructions_waiting", "Those for the next tick.", instructions.waiting)
    yield _gauge(
        "gridsim_failed_devices",
        "Devices whose DER type was disabled.",
        sum(one.devices for one in status.failures),
    )
    yield from _events(status)
    if status.faults is not None:
        faults = CounterMetricFamily(
            "gridsim_fault_readings", "Readings that faults affected.", labels=["effect"]
        )
        for effect in ("affected", "lost", "late", "altered", "repeated"):
            faults.add_metric([effect], getattr(status.faults, effect))
        yield faults
        yield _counter("gridsim_fault_episodes", "Ended faults.", status.faults.episodes)
    if status.ledger is not None:
        yield _counter(
            "gridsim_ledger_wait_seconds", "Time waited for the ledger.", status.ledger.waited_s
        )
        yield _gauge(
            "gridsim_ledger_complete", "1 if the ledger is complete.", not status.ledger.error
        )


def _events(status: RunStatus) -> Iterator[Metric]:
    settlements = CounterMetricFamily(
        "gridsim_settlements",
        "Settlements of events, one for each project and occurrence.",
        labels=["outcome"],
    )
    took_part = sum(event.took_part for event in status.events)
    opted_out = sum(event.opted_out for event in status.events)
    violated = sum(e.in_violation - e.opted_out_in_violation for e in status.events)
    settlements.add_metric(["kept"], took_part - violated)
    settlements.add_metric(["violated"], violated)
    settlements.add_metric(["opted_out"], opted_out)
    yield settlements
    for name in ("target", "delivered"):
        kwh = sum(getattr(event, f"{name}_kwh") for event in status.events)
        yield _gauge(
            f"gridsim_settled_{name}_joules", f"Energy {name} of settled events.", kwh * _J_PER_KWH
        )


def _transports(transports: tuple[TransportStatus, ...]) -> Iterator[Metric]:
    """Yield the accounts: accepted = delivered + dropped + unconfirmed + pending, always."""
    accepted = CounterMetricFamily(
        "gridsim_transport_accepted_readings",
        "Readings that the transport accepted: the sum of gridsim_transport_readings_total and "
        "gridsim_transport_pending_readings.",
        labels=["transport"],
    )
    readings = CounterMetricFamily(
        "gridsim_transport_readings",
        "Readings by outcome: delivered, unconfirmed, dropped.",
        labels=["transport", "outcome", "reason"],
    )
    pending = _family("pending_readings", "Readings that are not settled yet.")
    earlier = _family("earlier_readings", "Accepted readings that earlier runs left in the spool.")
    up = _family("up", "1 if the transport is connected.")
    behind = _family("behind_seconds", "Age of the oldest batch that is not settled.")
    reconnects = CounterMetricFamily(
        "gridsim_transport_reconnects", "Reconnections.", labels=["transport"]
    )
    late = CounterMetricFamily(
        "gridsim_transport_late_batches",
        "Batches that were not settled in time.",
        labels=["transport"],
    )
    latency = GaugeMetricFamily(
        "gridsim_transport_settled_seconds",
        "Time from a tick to the confirmation of its batch, of the last 10,000.",
        labels=["transport", "quantile"],
    )
    for one in transports:
        accepted.add_metric([one.name], one.accepted)
        readings.add_metric([one.name, "delivered", ""], one.delivered)
        readings.add_metric([one.name, "unconfirmed", ""], one.unconfirmed)
        for reason, number in one.dropped.items():
            readings.add_metric([one.name, "dropped", reason], number)
        pending.add_metric([one.name], one.pending)
        earlier.add_metric([one.name], one.earlier)
        up.add_metric([one.name], float(one.state == "up"))
        behind.add_metric([one.name], one.behind_s)
        reconnects.add_metric([one.name], one.reconnects)
        late.add_metric([one.name], one.late_batches)
        for share in _QUANTILES:
            latency.add_metric([one.name, f"{share:g}"], one.settled.quantile(share))
    yield from (accepted, readings, pending, earlier, up, behind, reconnects, late, latency)


def _sources(sources: tuple[SourceStatus, ...]) -> Iterator[Metric]:
    for name, text in _SOURCE_COUNTS.items():
        family = CounterMetricFamily(f"gridsim_source_{name}", text, labels=["source"])
        for one in sources:
            family.add_metric([one.name], getattr(one, name))
        yield family
    for name, text in _SOURCE_WAITING.items():
        gauge = GaugeMetricFamily(f"gridsim_source_{name}", text, labels=["source"])
        for one in sources:
            gauge.add_metric([one.name], getattr(one, name))
        yield gauge
    up = GaugeMetricFamily("gridsim_source_up", "1 if the source is up.", labels=["source"])
    for one in sources:
        up.add_metric([one.name], float(one.state == "up"))
    yield up


def _family(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"gridsim_transport_{name}", text, labels=["transport"])


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, float(value))


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, float(value))

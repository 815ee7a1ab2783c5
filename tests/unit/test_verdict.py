"""The exit status of a run follows from its account: each reason, QoS and `strict`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gridsim.contracts.latency import LatencySketch
from gridsim.contracts.part_status import TransportStatus
from gridsim.contracts.status import RunStatus
from gridsim.delivery.account import NOT_SENT, QUEUE_FULL
from gridsim.running.plan import Options, make_plan
from gridsim.running.verdict import judge
from gridsim.text.verdict import finding_line

GOOD = TransportStatus("mqtt", "closed", ever_connected=True, accepted=1500, delivered=1500)


def run_with(*transports: TransportStatus) -> RunStatus:
    return RunStatus(
        state="ended",
        start_ms=0,
        tick_ms=1000,
        ticks=10,
        tick=10,
        speed=1.0,
        seed=1,
        transports=transports,
    )


def with_drops(reason: str, n: int = 1, **more: object) -> TransportStatus:
    return replace(GOOD, delivered=1500 - n, dropped={reason: n}, **more)  # type: ignore[arg-type]


def unconfirmed(n: int = 1, *, at_most_once: bool) -> TransportStatus:
    return replace(GOOD, delivered=1500 - n, unconfirmed=n, at_most_once=at_most_once)


@pytest.mark.parametrize("at_most_once", [True, False])
@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    "reason",
    [
        QUEUE_FULL,
        NOT_SENT,
        "larger than the broker accepts",
        "refused by broker: Not authorized",
        "transport failed",
        "a reason of somebody's plugin",
    ],
)
def test_a_dropped_reading_fails_the_run(reason: str, at_most_once: bool, strict: bool) -> None:
    status = run_with(with_drops(reason, at_most_once=at_most_once))
    verdict = judge(status, strict=strict)
    assert verdict.exit_status == 1
    assert finding_line(verdict.findings[0]) == (
        f"transport mqtt: 1 of 1,500 readings dropped (1 {reason})"
    )


@pytest.mark.parametrize(
    ("transport", "status", "with_strict"),
    [
        (GOOD, 0, 0),
        (replace(GOOD, accepted=0, delivered=0), 0, 0),
        (replace(GOOD, reconnects=3), 0, 0),
        # Intended.
        (with_drops("device offline"), 0, 0),
        (with_drops("device offline", 1500), 0, 0),
        (with_drops(QUEUE_FULL, on_full_set=True), 0, 0),
        (with_drops(QUEUE_FULL, 1500, on_full_set=True), 0, 0),
        (with_drops(NOT_SENT, on_full_set=True), 1, 1),
        (with_drops(QUEUE_FULL, 0), 0, 0),
        # A lost connection.
        (unconfirmed(at_most_once=True), 0, 4),
        (unconfirmed(at_most_once=False), 1, 1),
        (with_drops("not connected", at_most_once=True), 0, 4),
        (with_drops("not connected", at_most_once=False), 1, 1),
        # Nothing confirmed.
        (unconfirmed(1499, at_most_once=True), 0, 4),
        (unconfirmed(1500, at_most_once=True), 1, 1),
        (with_drops("not connected", 1500, at_most_once=True), 1, 1),
        # The end of a transport.
        (replace(GOOD, state="failed"), 1, 1),
        (replace(GOOD, ever_connected=False, state="connecting"), 3, 3),
        (with_drops(NOT_SENT, 1500, ever_connected=False), 3, 3),
        (with_drops("transport reader gone", state="reader gone"), 0, 0),
    ],
)
def test_the_exit_status_of_an_account(
    transport: TransportStatus, status: int, with_strict: int
) -> None:
    assert judge(run_with(transport)).exit_status == status
    assert judge(run_with(transport), strict=True).exit_status == with_strict


def test_one_transport_that_loses_is_enough() -> None:
    lossy = replace(with_drops(QUEUE_FULL), name="file")
    assert judge(run_with(GOOD, lossy)).exit_status == 1
    assert judge(run_with(lossy, GOOD)).exit_status == 1


def test_the_more_important_status_comes_first() -> None:
    never = replace(GOOD, ever_connected=False, error="connection refused")
    lossy, doubtful = with_drops(QUEUE_FULL), unconfirmed(at_most_once=True)
    assert judge(run_with(doubtful, lossy, never), strict=True).exit_status == 3
    assert judge(run_with(doubtful, lossy), strict=True).exit_status == 1


def test_a_rate_that_was_not_held_counts_with_strict() -> None:
    status = replace(
        run_with(replace(GOOD, late_batches=5, batches=10)),
        wake_s=1.0,
        lag=LatencySketch.of((0.1,)),
    )
    assert judge(status).exit_status == 0
    assert judge(status, strict=True).exit_status == 4


def test_a_signal_excuses_a_transport_that_had_no_time_to_connect() -> None:
    status = run_with(replace(GOOD, ever_connected=False, accepted=0, delivered=0))
    assert judge(status, interrupted=True).findings == ()
    lossy = run_with(with_drops(NOT_SENT))
    assert judge(lossy, interrupted=True).exit_status == 1, "losses are reported all the same"


@pytest.mark.parametrize(
    ("transport", "lines"),
    [
        (
            replace(with_drops(QUEUE_FULL, 1000), dropped={QUEUE_FULL: 900, NOT_SENT: 100}),
            [
                "transport mqtt: 1,000 of 1,500 readings dropped "
                "(100 not sent before the end, 900 queue full)"
            ],
        ),
        (
            unconfirmed(10, at_most_once=False),
            ["transport mqtt: 10 of 1,500 readings unconfirmed: they may not have arrived"],
        ),
        (
            with_drops(NOT_SENT, 10, error="connection refused"),
            [
                "transport mqtt: 10 of 1,500 readings dropped (10 not sent before the end); "
                "its last error: connection refused"
            ],
        ),
        (
            unconfirmed(1500, at_most_once=True),
            [
                "transport mqtt: 1,500 of 1,500 readings may be lost with the connection, because "
                "QoS 0 sends each reading at most once",
                "transport mqtt: none of 1,500 readings was confirmed",
            ],
        ),
        (
            replace(GOOD, state="failed", error="no progress for 30 s"),
            ["transport mqtt failed: no progress for 30 s"],
        ),
    ],
)
def test_findings_as_sentences(transport: TransportStatus, lines: list[str]) -> None:
    assert [finding_line(one) for one in judge(run_with(transport)).findings] == lines


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        ((), ""),
        (("transports.0.host=dead", "transports.0.port=1"), "sources.0.host and sources.0.port"),
        (("transports.0.host=dead", "sources.0.host=dead"), ""),
        (("transports.0.qos=1",), ""),
        (("sources.0.host=dead",), ""),
    ],
)
def test_settings_that_are_overridden_for_the_transport_only(
    tmp_path: Path, overrides: tuple[str, ...], named: str
) -> None:
    config = tmp_path / "run.toml"
    config.write_text(
        '[weather]\ntype = "clear"\n[[projects]]\nid = "P"\n'
        '[[projects.ders]]\nid = "D"\ntype = "solar"\nnameplate_capacity = 1.0\n'
        '[[transports]]\ntype = "mqtt"\nhost = "localhost"\n'
        '[[sources]]\ntype = "mqtt"\nhost = "localhost"\n'
    )
    plan = make_plan(Options(config=config, overrides=overrides))
    plan.close()
    assert plan.not_set.get("mqtt", "") == named


def test_a_transport_that_never_connected_names_settings_of_its_source() -> None:
    dead = TransportStatus("mqtt", "failed", error="nothing listens at dead:1883")
    [finding] = judge(run_with(dead)).findings
    line = "transport mqtt never connected: nothing listens at dead:1883"
    assert finding_line(finding) == line
    assert finding_line(finding, "sources.0.host") == (
        f"{line}; --set changed the transport only, not sources.0.host"
    )

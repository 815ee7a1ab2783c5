"""One occurrence of an event: its projects, their times and targets, and the results."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gridsim.api import Floats
from gridsim.contracts.results import Change, Ending, EventChange, EventTotals, Shortfall
from gridsim.contracts.settlements import SettlementColumns
from gridsim.contracts.truth import RunningEvent
from gridsim.simulation.demand_response.settlement import Hundredths, SettlementAccount
from gridsim.simulation.demand_response.shortfall import Ability, ShortfallAccount
from gridsim.simulation.dispatch.orders import SiteOrders
from gridsim.simulation.dispatch.steps import up_to_step
from gridsim.simulation.scenario import EventSpec, Scenario

WAITING, RUNNING, OVER = range(3)
_MS_PER_HOUR = 3_600_000
_NEVER = np.iinfo(np.int64).max
_WORST = 3
"""The largest number of projects in the `shortfalls` of a change."""


def occurrence_name(event: str, number: int) -> str:
    """Return the name of an event's occurrence; `number` counts from 1."""
    return event if number == 1 else f"{event}#{number}"


class Occurrence:
    """An occurrence that has been announced, as columns with one entry per project.

    Random draws depend only on the project, the event's id and the scheduled start.
    """

    kept = (
        "end_ms",
        "state",
        "has_begun",
        "totals",
        "_account",
        "_before_kw",
        "_asked_sum",
        "_shortfall",
        "_short",
        "_worst",
    )
    """The attributes that a checkpoint keeps."""

    def __init__(self, scenario: Scenario, spec: EventSpec, number: int, start_ms: int) -> None:
        """Draw the projects' times and targets.

        `number` counts the event's occurrences from 1; `start_ms` is the scheduled start.
        """
        self.spec = spec
        self.number = number
        self.name = occurrence_name(spec.id, number)
        self.start_ms = start_ms
        self.site = spec.projects
        draws, keys = scenario.draws, scenario.sites.keys[self.site]
        purpose = f"event.{spec.id}.{start_ms}"
        self.begin_ms = np.full(len(keys), start_ms, np.int64)
        if spec.randomize_ms:
            late = draws.uniform(f"{purpose}.start", keys) * (spec.randomize_ms + 1)
            self.begin_ms += np.floor(late).astype(np.int64)
        self.settled_ms = self.begin_ms + spec.ramp_ms
        self.end_ms = self.begin_ms + spec.duration_ms
        self.cancel_ms = _NEVER
        """The scheduled time of the cancellation."""
        if spec.cancel_after_ms is not None:
            self.cancel_ms = start_ms - spec.notice_ms + spec.cancel_after_ms
        self.opted_out = np.zeros(len(keys), np.bool_)
        if spec.opt_out:
            self.opted_out = draws.uniform(f"{purpose}.opt_out", keys) < spec.opt_out
        threshold = scenario.contract_threshold[self.site]
        self.target_kw = np.zeros(len(keys))
        if spec.reduces and spec.target_kw is None:
            self.target_kw = threshold
        elif spec.reduces and spec.target_kw is not None:
            self.target_kw = spec.target_kw.sample(draws, f"{purpose}.target", keys)
        self.compliance = spec.compliance.sample(draws, f"{purpose}.compliance", keys)
        self.state = np.full(len(keys), WAITING, np.int8)
        self.has_begun = False
        self.totals = EventTotals()
        """The totals of the projects that have ended."""
        self._tick_ms = scenario.tick_ms
        self._project_id = scenario.roster.project_id
        # An event with limits alone has no contracted reduction, so no violations.
        self._contract_kw = threshold if spec.reduces else np.full(len(keys), np.nan)
        self._account = SettlementAccount(self._contract_kw, self.settled_ms, scenario.tick_ms)
        self._before_kw = np.zeros(len(keys))
        self._asked_sum = np.zeros(len(keys))
        self._shortfall = ShortfallAccount(len(keys))
        self._late = np.empty(0, np.intp)
        """The rows that were asked for a reduction in this tick, after their ramp."""
        self._asked = np.empty(0)
        self._short = 0
        self._worst: tuple[Shortfall, ...] = ()

    @property
    def running(self) -> NDArray[np.bool_]:
        running: NDArray[np.bool_] = self.state == RUNNING
        return running

    @property
    def is_over(self) -> bool:
        return bool((self.state == OVER).all())

    def next_ms(self) -> int:
        """Return the time at which the next project begins or ends, or all are cancelled."""
        begin = self.begin_ms[self.state == WAITING].min(initial=_NEVER)
        return int(min(begin, self.cancel_ms, self.end_ms[self.running].min(initial=_NEVER)))

    def begin(self, rows: NDArray[np.bool_], before_kw: Floats) -> None:
        """Begin for these projects; `before_kw`, float64[sites], is the last tick's reduction."""
        self.state[rows] = RUNNING
        self._before_kw[rows] = before_kw[self.site[rows]]

    def ask(self, time_ms: int, baseline: Floats, orders: SiteOrders) -> None:
        """Write the running projects' orders for the tick at `time_ms` into `orders`."""
        rows = self.running & ~self.opted_out
        site, spec = self.site[rows], self.spec
        if spec.export_limit_kw is not None:
            orders.export_kw[site] = spec.export_limit_kw
        if spec.import_limit_kw is not None:
            orders.import_kw[site] = spec.import_limit_kw
        if not spec.reduces:
            return
        before, goal = self._before_kw[rows], (self.target_kw * self.compliance)[rows]
        share = np.ones(len(site))
        if spec.ramp_ms:
            share = np.minimum((time_ms - self.begin_ms[rows]) / spec.ramp_ms, 1.0)
        asked = before + (goal - before) * share
        self._asked_sum[rows] += asked
        settled = time_ms >= self.settled_ms[rows]
        self._late, self._asked = np.flatnonzero(rows)[settled], asked[settled]
        # A promise is judged by readings, which are rounded: aim at the next step above it.
        aimed = np.rint(baseline[site] * 100.0) / 100.0 - up_to_step(asked)
        orders.net_kw[site] = np.rint(aimed * 100.0) / 100.0

    def add(
        self, time_ms: int, reduced: Hundredths, baseline: Floats, able: Ability | None
    ) -> None:
        """Add the sites' reduction in a tick: int64[sites], hundredths of a kW."""
        own = reduced[self.site]
        self._account.add(time_ms, own, self.running)
        late, self._late = self._late, np.empty(0, np.intp)
        if len(late) and able is not None:
            self._shortfall.add(late, self.site[late], self._asked, own[late], baseline, able)

    def end(
        self, rows: NDArray[np.bool_], ending: Ending, end_ms: NDArray[np.int64]
    ) -> SettlementColumns:
        """End for these running projects at `end_ms`, int64[projects], and settle them."""
        self._account.close(rows, end_ms)
        self.state[rows] = OVER
        self.end_ms[rows] = end_ms[rows]
        hours = self._tick_ms / _MS_PER_HOUR
        which = np.flatnonzero(rows)
        place = {row: index for index, row in enumerate(which.tolist())}
        violations = {
            place[row]: spans for row, spans in self._account.violations().items() if row in place
        }
        settled = SettlementColumns(
            event=self.name,
            notice_ms=self.start_ms - self.spec.notice_ms,
            ending=ending,
            project_ids=self._project_id,
            project=self.site[which],
            opted_out=self.opted_out[which],
            start_ms=self.begin_ms[which],
            settled_ms=self.settled_ms[which],
            end_ms=self.end_ms[which],
            target_kw=self.target_kw[which],
            compliance=self.compliance[which],
            dispatched_kwh=self._asked_sum[which] * hours,
            delivered_kwh=self._account.delivered[which] / 100 * hours,
            asked_kw=self._shortfall.asked_kw[which],
            able_kw=self._shortfall.able_kw[which],
            violations=violations,
            reason=self._reasons(which, violations),
        )
        self.totals = self.totals.plus(settled.totals)
        return settled

    def _reasons(
        self, which: NDArray[np.intp], violations: dict[int, tuple[tuple[int, int], ...]]
    ) -> dict[int, str]:
        """Return the reason of each of the projects `which` that fell short, by its index."""
        if not self.spec.reduces:
            return {}
        missing = self._shortfall.missing_kw(self.target_kw)[which]
        out = self.opted_out[which]
        short = (missing > 0.0) | out
        short[list(violations)] = True
        reasons, worst = {}, list(self._worst)
        hours = (self.end_ms - self.settled_ms)[which] / _MS_PER_HOUR
        for place in np.flatnonzero(short).tolist():
            if out[place]:
                reasons[place] = "opted out"
                continue
            row = int(which[place])
            columns = (self.target_kw, self.compliance, self._contract_kw)
            reason = self._shortfall.reason(row, *(float(one[row]) for one in columns))
            reasons[place] = reason
            kwh = float(missing[place] * hours[place])
            worst.append(Shortfall(self._project_id[self.site[row]], kwh, reason))
            self._short += 1
        worst.sort(key=lambda one: -one.missing_kwh)
        self._worst = tuple(worst[:_WORST])
        return reasons

    def running_event(self) -> RunningEvent:
        """Return the present state of the running projects, after `add`."""
        return RunningEvent(
            name=self.name,
            site=self.site,
            target_kw=self.target_kw if self.spec.reduces else np.full(len(self.site), np.nan),
            takes_part=self.running & ~self.opted_out,
            # The next tick may end violations in place.
            in_violation=self._account.in_violation.copy(),
        )

    def change(self, kind: Change, time_ms: int) -> EventChange:
        """Return a change of this occurrence in the tick at `time_ms`."""
        spec, follow = self.spec, ~self.opted_out
        return EventChange(
            event=self.name,
            kind=kind,
            time_ms=time_ms,
            start_ms=self.start_ms,
            duration_ms=spec.duration_ms,
            notice_ms=spec.notice_ms,
            randomize_ms=spec.randomize_ms,
            projects=int(follow.sum()),
            opted_out=int(self.opted_out.sum()),
            reduces=spec.reduces,
            target_kw=float(self.target_kw[follow].sum()),
            export_limit_kw=spec.export_limit_kw,
            import_limit_kw=spec.import_limit_kw,
            totals=self.totals,
            short=self._short,
            worst=self._worst,
        )

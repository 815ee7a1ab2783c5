"""A simulation that a program advances: no thread, no transport, no file."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from gridsim.api import Action, Target
from gridsim.contracts.instruction_rules import CommandUnit
from gridsim.contracts.results import TickResult
from gridsim.contracts.truth import TickTruth
from gridsim.simulation.step import Simulation
from gridsim.simulator.column import moment
from gridsim.simulator.fleet_columns import FleetColumns
from gridsim.simulator.fleet_text import fleet_html, fleet_lines
from gridsim.simulator.making import InstructionMaker, Periods, Sendable
from gridsim.simulator.opening import OpenedConfiguration
from gridsim.simulator.readings import Readings, ReadingsCollector
from gridsim.simulator.sent import SentInstruction
from gridsim.simulator.times import Duration, Time, duration_ticks, time_ms
from gridsim.simulator.true_readings import TruthCollector
from gridsim.simulator.truth import Truth, TruthRecords
from gridsim.text.overloads import overload_lines
from gridsim.text.words import site_time


class Simulator:
    """A simulated fleet that advances when a program calls `run`; see `gridsim.simulate`.

        sim = gridsim.simulate("home.toml", seed=7, start="2026-07-01")
        morning = sim.run("12h")          # the readings, as a table
        what_if = sim.copy()              # the same moment, to continue differently
        what_if.send("DER_1", "set_power", -3, duration="10m")

    It has no thread, prints nothing, and sends nothing: only `run` advances it, as fast as it
    can, in the caller's thread. The same configuration, seed, start and instructions give the
    same readings, bit by bit, however they are divided among calls of `run`. One thread may use
    it at a time.
    """

    def __init__(self, opened: OpenedConfiguration) -> None:
        """Make the simulation of a checked configuration. Raises PluginError."""
        self._opened = opened
        configuration = opened.configuration
        self._scenario = configuration.scenario
        self._timezone = configuration.timezone
        self._columns = FleetColumns(self._scenario)
        self._simulation = Simulation(self._scenario)
        self._pending: list[Sendable] = []
        self._maker = InstructionMaker(self._scenario, opened.registry, self._timezone)
        self._sent: dict[tuple[Target, str], SentInstruction] = {}
        self._records = TruthRecords()
        self._collector = self._truth_collector(self._columns.choose(None), 1)
        self._last: TickTruth | None = None
        self._broken: BaseException | None = None
        self._open: tuple[int, TickResult] | None = None
        """A tick, and the result that would end the simulation before it."""

    # Time.

    @property
    def now(self) -> datetime:
        """The simulated time of the next tick, in the zone of `[site]`."""
        return moment(self._now_ms, ZoneInfo(self._timezone))

    @property
    def tick(self) -> int:
        """The index of the next tick, which is the number of ticks so far."""
        return self._simulation.next_tick

    @property
    def tick_s(self) -> float:
        """The simulated time between two ticks, in seconds: `tick_s` of the configuration."""
        return self._scenario.tick_ms / 1000

    @property
    def seed(self) -> int:
        """The seed of all random numbers."""
        return self._opened.configuration.simulation.seed

    @property
    def timezone(self) -> str:
        """The IANA name of the zone of `[site]`, which all times are in."""
        return self._timezone

    def run(
        self,
        duration: Duration | None = None,
        *,
        until: Time | None = None,
        ticks: int | None = None,
        columns: Sequence[str] | None = None,
        every: Duration | None = None,
    ) -> Readings:
        """Advance the simulation and return the readings of that time, as a table.

        Give one of three:

        - `duration`: "90s", "15m", "1h30m", "1d"; a number of seconds; or a timedelta. It must be
          a whole number of ticks.
        - `until`: a time such as "2026-07-02T00:00:00-03:00", a datetime with a zone, or a date,
          which means midnight by the clock of `[site]`. The tick at that time does not run.
        - `ticks`: a number of ticks.

        A reading with all columns takes 53 bytes, and 8 more for each column that a DER type
        adds. The true state takes 16 bytes for each device and tick, 16 for each project, and 8
        for each further column. For a large fleet or a long time, keep less:

        - `columns`: the names of the columns to keep, in this order. `seq`, the index of the
          tick, is a column that you get only in this way.
        - `every`: a duration. The first reading of each device in each interval is kept: a sample,
        not a mean. Readings that arrive after a reading of a later interval are left out.

        A year of 100 homes with three DERs each, every 15 minutes, has 10.5 million readings: 560
        MB, or 210 MB with columns=["timestamp", "der_id", "current_output"].

        The readings are those that the devices report, with all faults; those of
        `truth.readings` are true. Readings that arrive late are in the table of the time in which
        they arrive. Faults that alter bytes of messages have no effect: there are no messages.

        Raises ValueError if an argument is wrong, MemoryError if there is no room for the
        readings, and PluginError, with the plugin's name, if a plugin fails. After a failure, or
        Ctrl-C in a tick, only copies that were made before can be used. Values that are clipped,
        and DERs that `on_error = "skip_fleet"` disables, are warnings.
        """
        count = self._count(duration, until, ticks)
        names = self._columns.choose(columns)
        every_ticks = 1
        if every is not None:
            every_ticks = duration_ticks(every, self._scenario.tick_ms, "every")
        readings = ReadingsCollector(self._scenario, self._columns, names, count, every_ticks)
        self._collector = self._truth_collector(names, every_ticks)
        for _ in range(count):
            readings.add(self._advance().batch)
        return readings.table(self._timezone)

    # Instructions.

    def send(
        self,
        target: str,
        command: Action,
        value: float | None = None,
        *,
        unit: CommandUnit | None = None,
        start: Time | None = None,
        duration: Duration | None = None,
        ramp: Duration | None = None,
        id: str | None = None,
        periods: Periods | None = None,
        stack_level: int = 0,
    ) -> SentInstruction:
        """Send a command to a DER or a project; it takes effect in the next tick.

        `target` is the id of a DER or a project, or PROJECT/DER. The commands are:

        - set_power: `value` kW, positive to feed the site and negative to draw; `unit` "%" for
          percent of the nameplate capacity
        - limit_power: `value` % (or kW) at most, in both directions
        - limit_export, limit_import: `value` kW at most, to or from the grid for a project
        - target_soc: charge or discharge to `value` %
        - disconnect, connect: without a value

        `start` is a time, at once without it. `duration` is a duration such as "10m", after which
        the device reverts; without it, the command holds until the next of its kind. `ramp` is the
        duration of the linear ramp from the present value to the new one. `id` is made if it is not
        given. `periods` are values over time instead of `value`, as pairs of the time since the
        start and the value: `[(0, 3.0), ("10m", 1.5)]`. The last one holds to the end. Of
        several commands of a kind, the one of the highest `stack_level`, 0 to 9, applies.

        Returns the instruction, whose `state` is "pending" until the next `run`: only the
        simulation can decide whether the device can follow. Raises ValueError if there is no such
        target, or if the command is not well-formed.
        """
        return self._post(
            self._maker.command(
                target, command, value, unit, start, duration, ramp, id, periods, stack_level
            )
        )

    def call_event(
        self, event: str, target: str = "*", *, duration: Duration, **keys: Any
    ) -> SentInstruction:
        """Call a demand-response event, which begins in the next tick or at its start.

        `event` is its id in `truth.events`. `target` is a project, a pattern such as "HOME_*", or
        "*" for all that have a contract. `keys` are the keys of `[[events]]`: `target_kw`,
        `compliance`, `start`, `notice`, `ramp`, `opt_out`, `export_limit_kw` and others. Times may
        be datetimes. Where the configuration has a key in seconds (`notice_s`), leave out the
        `_s` for a duration such as "15m".

            sim.call_event("peak", "HOME_*", duration="2h", target_kw=1.5, notice="15m")

        Returns the instruction; see `send`. Raises ValueError if a key is wrong.
        """
        keys["duration"] = duration
        return self._post(self._maker.call_event(event, target, keys, self._now_ms))

    def cancel_event(self, event: str, target: str = "*") -> SentInstruction:
        """Cancel an event for a project, or for all: end it, or withdraw it before it begins.

        Returns the instruction; see `send`.
        """
        return self._post(self._maker.cancel_event(event, target))

    def inject(
        self, fault: str, target: str = "*", *, id: str = "", **keys: Any
    ) -> SentInstruction:
        """Inject a fault, which begins in the next tick or at its start.

        `fault` is its type, such as "offline"; `gridsim plugins` lists them. `target` is a DER, a
        project, a pattern, or "*" for all. `keys` are those of `[[faults]]`: `ders`, `projects`,
        `duration` ("10m"; without it, until `clear`), `per_day`, `probability`, and those of the
        type. `id` is its id in `truth.faults`, its type without it.

            sim.inject("offline", ders="HOME_*", duration="20m", readings="stored")

        Returns the instruction; see `send`. Raises ValueError if a key is wrong.
        """
        return self._post(self._maker.inject(fault, target, id, keys, self._now_ms))

    def clear(self, fault: str, target: str = "*") -> SentInstruction:
        """End a fault on a DER, a project, or all; `fault` is its id, which may be its type.

        Returns the instruction; see `send`.
        """
        return self._post(self._maker.clear(fault, target))

    @property
    def instructions(self) -> tuple[SentInstruction, ...]:
        """The instructions that were sent so far, with their answers."""
        return tuple(self._sent.values())

    # The truth, and copies.

    @property
    def truth(self) -> Truth:
        """The truth so far: `events`, `violations`, `faults` and `readings`, each a table."""
        return Truth(self._records, self._timezone, self._still_open, lambda: self._collector)

    def copy(self) -> Simulator:
        """Return a separate simulator that continues from the present tick, with everything that is
        pending.

        Both give the same readings until they get different instructions. A copy takes a few
        milliseconds, and for 10,000 homes about a tenth of a second. Raises StateError, with the
        plugin's name, if a plugin has a state that cannot be copied.
        """
        self._check()
        other = object.__new__(type(self))
        vars(other).update(vars(self))
        other._simulation = self._simulation_now()
        other._pending = [*self._pending]
        other._sent = {key: sent.copied() for key, sent in self._sent.items()}
        other._records = self._records.copied()
        other._maker = self._maker.copied()
        return other

    def __copy__(self) -> Simulator:
        return self.copy()

    def __deepcopy__(self, memo: object) -> Simulator:
        return self.copy()

    def _simulation_now(self) -> Simulation:
        """Return a simulation that continues from the present tick."""
        simulation = Simulation(self._scenario)
        if self.tick:
            simulation.restore(self._simulation.state())
        return simulation

    def _still_open(self) -> TickResult | None:
        """Return the result that would end the simulation now; None if nothing is open."""
        last = self._last
        if self._broken is not None or last is None or not (last.events or last.running_faults):
            return None
        if self._open is None or self._open[0] != self.tick:
            self._open = self.tick, self._simulation_now().finish()
        return self._open[1]

    # Internal.

    def _truth_collector(self, names: Sequence[str], every_ticks: int) -> TruthCollector:
        return TruthCollector(self._scenario, self._columns, names, every_ticks)

    @property
    def _now_ms(self) -> int:
        return self._scenario.start_ms + self.tick * self._scenario.tick_ms

    def _check(self) -> None:
        if self._broken is not None:
            raise RuntimeError(
                f"this simulator failed in tick {self.tick:,}: use a copy of an earlier moment, "
                f"or a new one. The cause was: {self._broken!r}"
            ) from self._broken

    def _count(self, duration: Duration | None, until: Time | None, ticks: int | None) -> int:
        """Return the number of ticks for the arguments of `run`."""
        self._check()
        if sum(one is not None for one in (duration, until, ticks)) != 1:
            raise ValueError('run needs one of a duration, until= and ticks=, such as run("1d")')
        tick_ms = self._scenario.tick_ms
        if duration is not None:
            return duration_ticks(duration, tick_ms, "duration")
        if until is not None:
            end_ms = time_ms(until, self._timezone, "until")
            if end_ms < self._now_ms:
                now = site_time(self._now_ms, self._timezone)
                raise ValueError(f"until {until} is before the present simulated time, {now}")
            return -(-(end_ms - self._now_ms) // tick_ms)
        if isinstance(ticks, bool) or not isinstance(ticks, int | np.integer):
            raise TypeError(f"ticks must be a whole number, not {type(ticks).__name__}")
        if ticks < 0:
            raise ValueError(f"ticks must be at least 0, not {ticks}")
        return int(ticks)

    def _post(self, instruction: Sendable) -> SentInstruction:
        self._check()
        sent = SentInstruction(instruction)
        key = instruction.target, instruction.id
        if key in self._sent:
            raise ValueError(f"the id {instruction.id!r} is already taken: choose another")
        self._sent[key] = sent
        self._pending.append(instruction)
        return sent

    def _advance(self) -> TickResult:
        """Advance by a tick, with the pending instructions."""
        pending, self._pending = self._pending, []
        try:
            result = self._simulation.advance(pending)
        except BaseException as error:
            self._broken = error
            raise
        self._last = result.truth
        if result.truth is not None:
            self._collector.add(result.tick, result.truth)
        self._records.add(result)
        for answer in result.acknowledgements:
            if (sent := self._sent.get((answer.target, answer.id))) is not None:
                sent.add(answer)
        for failure in result.failures:
            _warn(f"{failure.effect} ({failure.fleet}): {failure.reason}")
        for clipped in result.clipped:
            _warn(
                f"{clipped.plugin} returned {clipped.name} beyond the bounds of its devices: "
                f"clipped, the first is {clipped.example}"
            )
        for line in overload_lines(result.overloads):
            _warn(line)
        return result

    # Text.

    def __repr__(self) -> str:
        return "\n  ".join(self._lines())

    def _repr_html_(self) -> str:
        """Return the types of DERs as HTML, for a notebook."""
        return fleet_html(self._lines(), self._scenario.roster, self._last)

    def _lines(self) -> list[str]:
        return fleet_lines(self._opened, self.tick, self._last, len(self._pending))


def _warn(message: str) -> None:
    """Warn at the place where the program called `run`."""
    warnings.warn(message, stacklevel=4)

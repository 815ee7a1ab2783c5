"""What a plugin's tests need: builders of small inputs, and contract tests to inherit.

    from gridsim.testing import FleetContract

    class TestHeatPump(FleetContract):
        fleet = HeatPump
        settings = ({"nameplate_capacity": 6.0},)

pytest collects the inherited tests. The built-in plugins pass the same ones.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import SecretStr

from gridsim.api import (
    Batch,
    Draws,
    Fleet,
    Floats,
    Format,
    Framing,
    Load,
    Members,
    Orders,
    Payloads,
    Roster,
    Run,
    Settings,
    Sites,
    Sky,
    Telemetry,
    Tick,
    Transport,
    Weather,
    identities,
    numeric_fields,
    sun,
)

START_MS = int(datetime(2026, 7, 1, 12, tzinfo=UTC).timestamp() * 1000)


def make_sites(
    n: int = 1,
    *,
    latitude: float = 45.96,
    longitude: float = -66.64,
    altitude: float = 20.0,
    timezone: str = "America/Moncton",
) -> Sites:
    """`n` sites at one place, with ids SITE_0, SITE_1, ..."""
    ids = [f"SITE_{i}" for i in range(n)]
    return Sites(
        ids=ids,
        keys=identities(ids),
        latitude=np.full(n, latitude),
        longitude=np.full(n, longitude),
        altitude=np.full(n, altitude),
        timezone=[timezone] * n,
    )


def make_members(
    settings_type: type[Settings],
    settings: Sequence[Mapping[str, Any]],
    *,
    sites: Sites | None = None,
    site: Sequence[int] | None = None,
    ids: Sequence[str] | None = None,
    seed: int = 42,
    start_ms: int = START_MS,
    tick_s: float = 1.0,
) -> Members[Any]:
    """One member per entry of `settings`, all at one site unless `site` says otherwise."""
    stanzas = [settings_type.model_validate(entry) for entry in settings]
    names = list(ids) if ids is not None else [f"DER_{i}" for i in range(len(stanzas))]
    return Members(
        ids=names,
        keys=identities(names),
        columns={name: _column(stanzas, name) for name in numeric_fields(settings_type)},
        settings=stanzas,
        stanza=np.arange(len(stanzas)),
        site=np.zeros(len(stanzas), np.intp) if site is None else np.array(site, np.intp),
        sites=sites if sites is not None else make_sites(),
        draws=Draws(seed),
        start_ms=start_ms,
        tick_ms=round(tick_s * 1000),
    )


def make_sky(
    n: int = 1, *, ghi: float = 0.0, temperature_c: float = 20.0, wind_m_s: float = 2.0
) -> Sky:
    """The same weather over `n` sites; three quarters of the irradiance is direct on the ground."""
    value = np.full(n, ghi)
    return Sky(
        ghi=value,
        dni=0.75 * value,
        dhi=0.25 * value,
        temperature_c=np.full(n, temperature_c),
        wind_m_s=np.full(n, wind_m_s),
    )


def make_tick(
    index: int = 0, *, sky: Sky | None = None, start_ms: int = START_MS, tick_s: float = 1.0
) -> Tick:
    """Tick `index` of a simulation that starts at `start_ms`."""
    at = start_ms + index * round(tick_s * 1000)
    return Tick(index, at, tick_s, sky if sky is not None else make_sky())


def make_roster(ders: Sequence[int] = (2, 1), columns: Mapping[str, str] | None = None) -> Roster:
    """Projects with as many devices each as `ders` says: batteries, the last one solar."""
    project = np.repeat(np.arange(len(ders)), ders)
    n = len(project)
    return Roster(
        der_id=[f"DER_{i}" for i in range(n)],
        project=project,
        type=["battery_storage"] * (n - 1) + ["solar"] * min(n, 1),
        nameplate_capacity=np.full(n, 10.0),
        project_id=[f"PRJ_{i}" for i in range(len(ders))],
        is_standalone=np.zeros(len(ders), np.bool_),
        columns=dict(columns or {}),
    )


def make_batch(roster: Roster | None = None, *, ticks: int = 1, start_ms: int = START_MS) -> Batch:
    """Readings of every device for `ticks` ticks, all different; solar has no SoC."""
    roster = roster if roster is not None else make_roster()
    n = len(roster) * ticks
    device = np.tile(np.arange(len(roster)), ticks)
    tick = np.repeat(np.arange(ticks), len(roster))
    row = np.arange(n, dtype=np.float64)
    solar = np.array([kind == "solar" for kind in roster.type], np.bool_)[device]
    return Batch(
        roster=roster,
        device=device,
        tick=tick,
        timestamp_ms=start_ms + tick * 1000,
        is_online=np.ones(n, np.bool_),
        current_output=np.round(row * 0.37 - 1.5, 2),
        power_meter_measurement=np.round(row * 0.11 + 2.0, 2),
        baseline=np.full(n, 5.0),
        contract_threshold=np.full(n, 4.0),
        connection_start_ms=np.full(n, start_ms - 86_400_123),
        current_soc=np.where(solar, np.nan, np.round(row % 1000 * 0.1, 1)),
        extra={name: np.full(n, 1.25) for name in roster.columns},
    )


class RecordingReceipt:
    """A receipt that adds up what a transport says became of a batch's rows."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.delivered_rows = 0
        self.unconfirmed_rows = 0
        self.dropped_rows = 0
        self.reasons: list[str] = []

    @property
    def left(self) -> int:
        """Rows that are not accounted for."""
        return self.rows - self.delivered_rows - self.unconfirmed_rows - self.dropped_rows

    def delivered(self, rows: int) -> None:
        self.delivered_rows += self._checked(rows)

    def unconfirmed(self, rows: int) -> None:
        self.unconfirmed_rows += self._checked(rows)

    def dropped(self, rows: int, reason: str) -> None:
        self.dropped_rows += self._checked(rows)
        self.reasons.append(reason)

    def _checked(self, rows: int) -> int:
        assert 0 <= rows <= self.left, f"{rows} rows accounted for, where {self.left} were left"
        return rows


class PlainFormat(Format):
    """A format for tests of transports: `DER_0@1767225600000` for each row, joined by spaces."""

    def encode(self, batch: Batch) -> Payloads:
        rows = [
            f"{batch.roster.der_id[device]}@{time}".encode()
            for device, time in zip(batch.device, batch.timestamp_ms, strict=True)
        ]
        if self.framing == "der":
            return Payloads(rows, np.arange(len(rows) + 1))
        starts = batch.groups()
        return Payloads([b" ".join(rows[a:b]) for a, b in pairwise(starts)], starts)


def make_run(roster: Roster | None = None, *, start_ms: int = START_MS) -> Run:
    """A run without an embedded broker."""

    def no_broker(port: int) -> tuple[str, int]:
        raise AssertionError("this run has no embedded broker")

    return Run(roster if roster is not None else make_roster(), start_ms, no_broker)


class FleetContract:
    """What every DER type must do, tried over a simulated day. Inherit, and name the type:

    class TestHeatPump(FleetContract):
        fleet = HeatPump
        settings = ({"nameplate_capacity": 6.0}, {"nameplate_capacity": 3.0})

    For a `Device`, give `fleet_of(HeatPump, "heat_pump")`.
    """

    fleet: ClassVar[type[Fleet]]
    settings: ClassVar[Sequence[Mapping[str, Any]]]
    """One device or more of each is tested, all in one fleet."""
    tick_s: ClassVar[float] = 300.0
    ticks: ClassVar[int] = 288

    def test_every_setting_is_described(self) -> None:
        _assert_described(self.fleet.Settings)

    def test_reports_are_physical(self) -> None:
        members = self._members()
        rated = members.columns["nameplate_capacity"]
        for told in self._run(self.fleet(members), range(self.ticks)):
            assert told.current_output.shape == rated.shape
            assert np.isfinite(told.current_output).all()
            assert (np.abs(told.current_output) <= rated * (1 + 1e-12)).all(), "above nameplate"
            if told.current_soc is not None:
                soc = told.current_soc[~np.isnan(told.current_soc)]
                assert ((soc >= 0.0) & (soc <= 100.0)).all(), "state of charge out of bounds"
            assert set(told.extra) <= set(self.fleet.columns), "a column is not declared"

    def test_a_device_does_not_depend_on_the_others(self) -> None:
        members = self._members()
        every = self._run(self.fleet(members), range(self.ticks))
        for rows in (np.array([0]), np.arange(len(members))[::-1], np.arange(1, len(members), 2)):
            some = self._run(self.fleet(some_of(members, rows)), range(self.ticks))
            for whole, part in zip(every, some, strict=True):
                _assert_same_telemetry(_rows(whole, rows), part)

    def test_a_pickled_fleet_continues(self) -> None:
        fleet, half = self.fleet(self._members()), self.ticks // 2
        self._run(fleet, range(half))
        copy = pickle.loads(pickle.dumps(fleet))
        rest = range(half, self.ticks)
        for one, other in zip(self._run(fleet, rest), self._run(copy, rest), strict=True):
            _assert_same_telemetry(one, other)

    def test_what_was_reported_does_not_change_later(self) -> None:
        fleet = self.fleet(self._members())
        first = self._run(fleet, range(1))[0]
        kept = pickle.loads(pickle.dumps(first))
        self._run(fleet, range(1, self.ticks // 4))
        _assert_same_telemetry(first, kept)

    def _members(self) -> Members[Any]:
        stages = {self.fleet.stage(self.fleet.Settings.model_validate(s)) for s in self.settings}
        assert len(stages) == 1, "settings of two stages: use a contract test for each"
        entries = list(self.settings) * 3
        ids = [f"DER_{i}" for i in range(len(entries))]
        return make_members(self.fleet.Settings, entries, ids=ids, tick_s=self.tick_s)

    def _run(self, fleet: Fleet, ticks: Iterable[int]) -> list[Telemetry]:
        """A day with sun, a site that now draws and now feeds, and some setpoints."""
        members = fleet.members
        rated = members.columns["nameplate_capacity"]
        flexible = fleet.stage(members.settings[0]) == "flexible"
        told = []
        for index in ticks:
            day = index * self.tick_s / 86_400
            sky = make_sky(len(members.sites), ghi=max(0.0, 900.0 * np.cos(2 * np.pi * day)))
            tick = make_tick(index, sky=sky, tick_s=self.tick_s)
            balance = rated * np.sin(2 * np.pi * 3 * day)
            if flexible:
                able = fleet.capability(tick)
                assert (able.min_kw <= 0.0).all()
                assert (able.max_kw >= 0.0).all()
                assert (able.min_kw >= -rated * (1 + 1e-12)).all(), "promises above nameplate"
                assert (able.max_kw <= rated * (1 + 1e-12)).all(), "promises above nameplate"
                balance = np.clip(balance, able.min_kw, able.max_kw)
            asked = (members.keys + np.uint64(index // 24)) % np.uint64(3) == 0
            setpoint = np.where(asked, 1.5 * rated * np.cos(2 * np.pi * 7 * day), np.nan)
            share = balance if flexible else np.zeros_like(balance)
            told.append(fleet.step(tick, Orders(setpoint, share)))
        return told


class WeatherContract:
    """What every weather plugin must do. Inherit, and name it:

    class TestFoehn(WeatherContract):
        weather = Foehn
    """

    weather: ClassVar[type[Weather]]
    settings: ClassVar[Sequence[Mapping[str, Any]]] = ({},)

    def test_every_setting_is_described(self) -> None:
        _assert_described(self.weather.Settings)

    def test_the_sky_is_physical(self) -> None:
        sites = self._sites()
        up = sun.up_vector(sites.latitude, sites.longitude)
        for weather in self._made(sites):
            for time_ms in self._times():
                sky = weather.at(time_ms)
                height = sun.cos_zenith(sun.sun_vector(time_ms), up)
                for values in (sky.ghi, sky.dni, sky.dhi, sky.temperature_c, sky.wind_m_s):
                    assert values.shape == height.shape
                    assert np.isfinite(values).all()
                for values in (sky.ghi, sky.dni, sky.dhi, sky.wind_m_s):
                    assert (values >= 0.0).all()
                dark = height < np.sin(np.radians(-1.0))
                assert not (sky.ghi + sky.dni + sky.dhi)[dark].any(), "sun at night"
                parts = sky.dhi + sky.dni * np.maximum(height, 0.0)
                np.testing.assert_allclose(sky.ghi, parts, atol=5.0, err_msg="parts do not add up")
                assert (sky.ghi < 1800.0).all()

    def test_it_is_a_function_of_time(self) -> None:
        sites = self._sites()
        for forward, backward in zip(self._made(sites), self._made(sites), strict=True):
            seen = {time_ms: forward.at(time_ms) for time_ms in self._times()}
            for time_ms in reversed(self._times()):
                _assert_same_sky(backward.at(time_ms), seen[time_ms])

    def test_a_site_does_not_depend_on_the_others(self) -> None:
        sites = self._sites()
        for rows in ([2], [4, 3, 0]):
            few = _some_sites(sites, rows)
            for whole, part in zip(self._made(sites), self._made(few), strict=True):
                for time_ms in self._times():
                    _assert_same_sky(part.at(time_ms), whole.at(time_ms), rows)

    def test_a_pickled_weather_continues(self) -> None:
        for weather in self._made(self._sites()):
            weather.at(START_MS)
            copy = pickle.loads(pickle.dumps(weather))
            for time_ms in self._times():
                _assert_same_sky(copy.at(time_ms), weather.at(time_ms))

    def _sites(self) -> Sites:
        """From the Arctic to the southern hemisphere, two of them at one place."""
        base = make_sites(6)
        return replace(
            base,
            latitude=np.array([45.96, 45.97, 69.65, 0.0, -33.87, 45.96]),
            longitude=np.array([-66.64, -66.63, 18.96, 36.8, 151.2, -66.64]),
            altitude=np.array([20.0, 20.0, 10.0, 1700.0, 30.0, 20.0]),
        )

    def _times(self) -> list[int]:
        """Three days of the year around the clock, and some seconds in a row."""
        days = [START_MS + day * 86_400_000 for day in (0, 83, 174)]
        around = [day + step * 4_321_000 for day in days for step in range(20)]
        return around + [around[-1] + step * 1000 for step in range(1, 70)]

    def _made(self, sites: Sites) -> list[Weather]:
        validated = (self.weather.Settings.model_validate(one) for one in self.settings)
        return [self.weather(one, sites, Draws(42)) for one in validated]


class LoadContract:
    """What every load plugin must do. Inherit, and name it:

    class TestBakery(LoadContract):
        load = Bakery
        settings = ({"ovens": 3},)
    """

    load: ClassVar[type[Load]]
    settings: ClassVar[Sequence[Mapping[str, Any]]] = ({},)
    """Three sites of each are tested, all in one object."""

    def test_every_setting_is_described(self) -> None:
        _assert_described(self.load.Settings)

    def test_the_load_is_physical(self) -> None:
        members = self._members()
        load = self.load(members)
        for tick in self._ticks():
            for values in (load.at(tick), load.expected(tick.time_ms)):
                assert values.shape == (len(members),)
                assert np.isfinite(values).all()
                assert (values >= 0.0).all()

    def test_a_site_does_not_depend_on_the_others(self) -> None:
        members = self._members()
        every = self._run(self.load(members))
        for rows in (np.array([0]), np.arange(len(members))[::-1]):
            some = self._run(self.load(some_of(members, rows)))
            np.testing.assert_array_equal(every[:, rows], some)

    def test_expectation_does_not_depend_on_what_was_drawn(self) -> None:
        used, fresh = self.load(self._members()), self.load(self._members())
        for tick in self._ticks():
            used.at(tick)
            expected = fresh.expected(tick.time_ms)
            np.testing.assert_array_equal(used.expected(tick.time_ms), expected)

    def test_a_pickled_load_continues(self) -> None:
        load, ticks = self.load(self._members()), self._ticks()
        half = len(ticks) // 2
        for tick in ticks[:half]:
            load.at(tick)
        copy = pickle.loads(pickle.dumps(load))
        for tick in ticks[half:]:
            np.testing.assert_array_equal(load.at(tick), copy.at(tick))

    def _members(self) -> Members[Any]:
        entries = list(self.settings) * 3
        n = len(entries)
        ids = [f"SITE_{i}" for i in range(n)]
        return make_members(
            self.load.Settings, entries, ids=ids, sites=make_sites(n), site=range(n)
        )

    def _run(self, load: Load) -> Floats:
        return np.stack([load.at(tick) for tick in self._ticks()])

    def _ticks(self) -> list[Tick]:
        """A day in steps of ten minutes."""
        sky = make_sky(3 * len(self.settings))
        return [make_tick(index, sky=sky, tick_s=600.0) for index in range(144)]


def some_of(members: Members[Any], rows: NDArray[np.intp]) -> Members[Any]:
    """The members `rows` alone, in that order; the sites stay."""
    return replace(
        members,
        ids=[members.ids[row] for row in rows],
        keys=members.keys[rows],
        columns={name: column[rows] for name, column in members.columns.items()},
        stanza=members.stanza[rows],
        site=members.site[rows],
    )


def _some_sites(sites: Sites, rows: Sequence[int]) -> Sites:
    return Sites(
        ids=[sites.ids[row] for row in rows],
        keys=sites.keys[rows],
        latitude=sites.latitude[rows],
        longitude=sites.longitude[rows],
        altitude=sites.altitude[rows],
        timezone=[sites.timezone[row] for row in rows],
    )


def _rows(told: Telemetry, rows: NDArray[np.intp]) -> Telemetry:
    soc = told.current_soc
    extra = {name: column[rows] for name, column in told.extra.items()}
    return Telemetry(told.current_output[rows], None if soc is None else soc[rows], extra)


def _assert_same_telemetry(one: Telemetry, other: Telemetry) -> None:
    np.testing.assert_array_equal(one.current_output, other.current_output)
    assert (one.current_soc is None) == (other.current_soc is None)
    if one.current_soc is not None and other.current_soc is not None:
        np.testing.assert_array_equal(one.current_soc, other.current_soc)
    assert one.extra.keys() == other.extra.keys()
    for name, column in one.extra.items():
        np.testing.assert_array_equal(column, other.extra[name])


def _assert_same_sky(part: Sky, whole: Sky, rows: Sequence[int] | None = None) -> None:
    for name in ("ghi", "dni", "dhi", "temperature_c", "wind_m_s"):
        values = getattr(whole, name)
        wanted = values if rows is None else values[rows]
        np.testing.assert_array_equal(getattr(part, name), wanted, err_msg=name)


class FormatContract:
    """What every format must do. Inherit, and name the format:

    class TestXml(FormatContract):
        format = Xml
        framings = ("der",)
    """

    format: ClassVar[type[Format]]
    settings: ClassVar[Sequence[Mapping[str, Any]]] = ({},)
    """Each of these is tested."""
    framings: ClassVar[Sequence[Framing]] = ("der", "project")
    """Those that the format knows; it must refuse others with a ValueError."""

    def test_every_setting_is_described(self) -> None:
        _assert_described(self.format.Settings)

    def test_every_row_is_in_one_payload(self) -> None:
        batch = make_batch(ticks=3)
        for made in self._made():
            payloads = made.encode(batch)
            bounds = np.asarray(payloads.starts).tolist()
            wanted = batch.groups().tolist() if made.framing == "project" else range(len(batch) + 1)
            assert bounds == list(wanted), "starts says which rows each body encodes"
            assert len(payloads.bodies) == len(bounds) - 1
            assert all(type(body) is bytes and body for body in payloads.bodies)

    def test_the_same_rows_give_the_same_bytes(self) -> None:
        batch = make_batch(ticks=4)
        half = len(batch) // 2
        for made, again in zip(self._made(), self._made(), strict=True):
            whole = list(made.encode(batch).bodies)
            parts = (again.encode(part) for part in (batch.rows(0, half), batch.rows(half)))
            assert [body for part in parts for body in part.bodies] == whole
            assert list(made.encode(batch).bodies) == whole, "encoded twice, it differs"

    def test_what_a_device_said_before_is_forgotten(self) -> None:
        first = make_batch()
        changes: list[dict[str, Any]] = [
            {"is_online": ~first.is_online},
            {"contract_threshold": first.contract_threshold + 1.0},
            {"connection_start_ms": first.connection_start_ms + 1},
            {"current_soc": np.where(np.isnan(first.current_soc), 50.0, np.nan)},
        ]
        for change in changes:
            later = replace(first, **change)
            for made, fresh in zip(self._made(), self._made(), strict=True):
                made.encode(first)
                found, wanted = made.encode(later).bodies, fresh.encode(later).bodies
                assert list(found) == list(wanted), f"another {next(iter(change))} does not show"

    def test_a_batch_may_be_empty(self) -> None:
        for made in self._made():
            payloads = made.encode(make_batch().rows(0, 0))
            assert list(payloads.bodies) == []
            assert np.asarray(payloads.starts).tolist() == [0]

    def test_a_framing_it_does_not_know_is_refused(self) -> None:
        every: tuple[Framing, ...] = ("der", "project")
        for framing in set(every) - set(self.framings):
            for settings in self.settings:
                try:
                    self._make(settings, framing)
                except ValueError:
                    continue
                raise AssertionError(f"the framing {framing} is not refused")

    def _made(self) -> list[Format]:
        return [self._make(one, framing) for one in self.settings for framing in self.framings]

    def _make(self, settings: Mapping[str, Any], framing: Framing) -> Format:
        validated = self.format.Settings.model_validate(settings)
        return self.format(validated, framing, make_roster())


class TransportContract:
    """What every transport must do, tried on a real target. Inherit, and say what that is:

    class TestArchive(TransportContract):
        transport = Archive

        def target(self, tmp_path):
            return {"path": str(tmp_path / "out")}

        def received(self, tmp_path):
            return (tmp_path / "out").read_bytes().splitlines()
    """

    transport: ClassVar[type[Transport]]

    def target(self, tmp_path: Path) -> Mapping[str, Any]:
        """Settings that lead to an empty target."""
        raise NotImplementedError

    def received(self, tmp_path: Path) -> list[bytes]:
        """The payloads that have arrived, in order; called when the transport is closed."""
        raise NotImplementedError

    def test_every_setting_is_described(self) -> None:
        _assert_described(self.transport.Settings)

    def test_what_is_written_arrives_in_order(self, tmp_path: Path) -> None:
        made = self._make(tmp_path, self.transport.framings[-1])
        batch = make_batch(ticks=3)
        made.connect()
        for part in (batch.rows(0, 3), batch.rows(3)):
            _write(made, part)
        made.close()
        assert self.received(tmp_path) == list(made.format.encode(batch).bodies)

    def test_it_can_be_connected_again(self, tmp_path: Path) -> None:
        made = self._make(tmp_path, self.transport.framings[0])
        batch = make_batch(ticks=2)
        for part in (batch.rows(0, 3), batch.rows(3)):
            made.connect()
            made.idle()
            _write(made, part)
            made.close()
        assert self.received(tmp_path) == list(made.format.encode(batch).bodies)

    def test_closing_is_always_possible(self, tmp_path: Path) -> None:
        made = self._make(tmp_path, self.transport.framings[0])
        made.close()
        made.connect()
        made.close()
        made.close()

    def test_it_describes_itself_without_secrets(self, tmp_path: Path) -> None:
        made = self._make(tmp_path, self.transport.framings[0])
        for text in (made.describe(), made.hint()):
            assert "\n" not in text
            for name, value in made.settings:
                if isinstance(value, SecretStr) and value.get_secret_value():
                    assert value.get_secret_value() not in text, f"{name} is shown"
        assert made.describe()

    def _make(self, tmp_path: Path, framing: Framing) -> Transport:
        settings = self.transport.Settings.model_validate(self.target(tmp_path))
        roster = make_roster()
        plain = PlainFormat(Settings(), framing, roster)
        return self.transport(settings, plain, make_run(roster))


def _write(transport: Transport, batch: Batch) -> None:
    receipt = RecordingReceipt(len(batch))
    transport.write(batch, receipt)
    assert not receipt.dropped_rows, f"dropped: {receipt.reasons}"
    assert not receipt.unconfirmed_rows, "the target was there, and yet rows are unconfirmed"


def _assert_described(settings: type[Settings]) -> None:
    silent = [name for name, info in settings.model_fields.items() if not info.description]
    assert not silent, f"these settings have no description: {silent}"


def _column(stanzas: Sequence[Settings], name: str) -> Floats:
    values = [getattr(stanza, name) for stanza in stanzas]
    return np.array([np.nan if value is None else value for value in values], np.float64)

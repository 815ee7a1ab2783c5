"""What a plugin's tests need: builders of small inputs, and contract tests to inherit.

    from gridsim.testing import FleetContract

    class TestHeatPump(FleetContract):
        fleet = HeatPump
        settings = ({"nameplate_capacity": 6.0},)

pytest collects the inherited tests. The built-in plugins pass the same ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import SecretStr

from gridsim.api import (
    Batch,
    Draws,
    Floats,
    Format,
    Framing,
    Members,
    Payloads,
    Roster,
    Run,
    Settings,
    Sites,
    Sky,
    Tick,
    Transport,
    identities,
    numeric_fields,
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
        later = replace(
            first,
            is_online=~first.is_online,
            contract_threshold=first.contract_threshold + 1.0,
            connection_start_ms=first.connection_start_ms + 1,
            current_soc=np.where(np.isnan(first.current_soc), 50.0, np.nan),
        )
        for made, fresh in zip(self._made(), self._made(), strict=True):
            made.encode(first)
            assert list(made.encode(later).bodies) == list(fresh.encode(later).bodies)

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

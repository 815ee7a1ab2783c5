"""The ledger's tables. `docs/ledger.md` is their description for users."""

from __future__ import annotations

from typing import Final

APPLICATION_ID: Final = 0x6E65724C
"""The id in the file's header that distinguishes a ledger from other SQLite files."""
VERSION: Final = 3

TRUTH: Final = (
    "projects",
    "devices",
    "batches",
    "packed_readings",
    "packed_reported",
    "packed_labels",
    "packed_connections",
    "packed_unsent",
    "faults",
    "episodes",
    "settlements",
    "violations",
    "true_reductions",
    "unmeasured",
    "baselines",
    "instructions",
    "acknowledgements",
)
"""The tables that depend only on the configuration and the seed; others have wall-clock times."""

# Powers in hundredths of a kW, states of charge in tenths of a percent, times in ms since 1970.
# The columns without a type are packed, see `gridsim.ledger.columns`: one row holds the readings of
# a batch. `shift_ms` is a reported time minus the tick's time, `since_ms` is relative to start_ms.
TABLES: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE projects (
  project INTEGER PRIMARY KEY, project_id TEXT NOT NULL, standalone INTEGER NOT NULL,
  threshold INTEGER NOT NULL);
CREATE TABLE devices (
  device INTEGER PRIMARY KEY, der_id TEXT NOT NULL, project INTEGER NOT NULL,
  type TEXT NOT NULL, nameplate INTEGER NOT NULL);
CREATE TABLE batches (tick INTEGER PRIMARY KEY, first INTEGER NOT NULL, rows INTEGER NOT NULL);
CREATE INDEX batches_first ON batches (first);
CREATE TABLE packed_readings (
  batch INTEGER PRIMARY KEY, tick, device, output, meter, baseline, soc);
CREATE TABLE packed_reported (
  batch INTEGER PRIMARY KEY, rows INTEGER NOT NULL, place, shift_ms, online, output, meter, soc);
CREATE TABLE packed_labels (
  batch INTEGER PRIMARY KEY, rows INTEGER NOT NULL, place, faults, altered, copy);
CREATE TABLE packed_connections (
  batch INTEGER PRIMARY KEY, rows INTEGER NOT NULL, place, since_ms);
CREATE TABLE packed_unsent (
  known INTEGER PRIMARY KEY, rows INTEGER NOT NULL, tick, device, output, meter, baseline, soc,
  shift_ms, faults, copy);
CREATE TABLE faults (
  fault INTEGER PRIMARY KEY, id TEXT NOT NULL, type TEXT NOT NULL, of TEXT NOT NULL,
  number INTEGER NOT NULL, since INTEGER NOT NULL, until INTEGER);
CREATE TABLE episodes (
  episode INTEGER PRIMARY KEY, fault INTEGER NOT NULL, device INTEGER NOT NULL,
  start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL);
CREATE TABLE settlements (
  settlement INTEGER PRIMARY KEY, event TEXT NOT NULL, project INTEGER NOT NULL,
  notice_ms INTEGER NOT NULL, start_ms INTEGER NOT NULL, settled_ms INTEGER NOT NULL,
  end_ms INTEGER NOT NULL, ending TEXT NOT NULL, target_kw REAL NOT NULL,
  compliance REAL NOT NULL, dispatched_kwh REAL NOT NULL, delivered_kwh REAL NOT NULL,
  asked_kw REAL NOT NULL, able_kw REAL NOT NULL, reason TEXT NOT NULL);
CREATE TABLE violations (
  settlement INTEGER NOT NULL, start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL);
CREATE TABLE true_reductions (
  settlement INTEGER PRIMARY KEY, true_kwh REAL NOT NULL, rebound_kwh REAL NOT NULL,
  rebound_s REAL NOT NULL);
CREATE TABLE unmeasured (event TEXT NOT NULL, reason TEXT NOT NULL);
CREATE TABLE baselines (project INTEGER PRIMARY KEY, method TEXT NOT NULL);
CREATE TABLE instructions (
  tick INTEGER NOT NULL, sequence INTEGER NOT NULL, project_id TEXT NOT NULL, der_id TEXT,
  instruction TEXT NOT NULL, source TEXT NOT NULL, PRIMARY KEY (tick, sequence));
CREATE TABLE acknowledgements (
  acknowledgement INTEGER PRIMARY KEY, tick INTEGER NOT NULL, time_ms INTEGER NOT NULL,
  project_id TEXT NOT NULL, der_id TEXT, command_id TEXT NOT NULL, status TEXT NOT NULL,
  reason TEXT NOT NULL, source TEXT NOT NULL);
CREATE TABLE transports (
  transport INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL, format TEXT NOT NULL,
  format_settings TEXT NOT NULL, framing TEXT NOT NULL);
CREATE TABLE offers (tick INTEGER PRIMARY KEY, wall_ms INTEGER NOT NULL);
CREATE TABLE fates (
  transport INTEGER NOT NULL, first INTEGER NOT NULL, rows INTEGER NOT NULL,
  fate TEXT NOT NULL, reason TEXT NOT NULL, wall_ms INTEGER NOT NULL);
CREATE TABLE reloads (
  reload INTEGER PRIMARY KEY, tick INTEGER NOT NULL, time_ms INTEGER NOT NULL,
  configuration TEXT NOT NULL, wall_ms INTEGER NOT NULL);
CREATE TABLE resumptions (
  resumption INTEGER PRIMARY KEY, tick INTEGER NOT NULL, handed_on INTEGER NOT NULL,
  first_missing INTEGER, last_missing INTEGER, on_recovery TEXT NOT NULL,
  wall_ms INTEGER NOT NULL, gridsim TEXT NOT NULL);
CREATE TABLE retries (
  transport INTEGER NOT NULL, first INTEGER NOT NULL, rows INTEGER NOT NULL,
  wall_ms INTEGER NOT NULL);
"""

TIME: Final = "strftime('%Y-%m-%dT%H:%M:%f', {} / 1000.0, 'unixepoch') || 'Z'"
"""The text of a time in ms, in SQL."""
VIEWS: Final = f"""
CREATE VIEW settled AS SELECT
  s.event, p.project_id, {TIME.format("s.start_ms")} AS start, {TIME.format("s.end_ms")} AS end,
  s.ending, s.target_kw, s.compliance, s.dispatched_kwh, s.delivered_kwh, t.true_kwh,
  t.rebound_kwh, m.method AS baseline_method, s.asked_kw, s.able_kw, s.reason,
  count(v.start_ms) AS violations, coalesce(sum(v.end_ms - v.start_ms), 0) / 1000.0 AS violation_s
FROM settlements s JOIN projects p USING (project) LEFT JOIN violations v USING (settlement)
LEFT JOIN true_reductions t USING (settlement) LEFT JOIN baselines m USING (project)
GROUP BY s.settlement;
CREATE VIEW settlement AS SELECT
  s.event, p.project_id, s.delivered_kwh AS reduction_kwh,
  {TIME.format("v.start_ms")} AS violation_start, {TIME.format("v.end_ms")} AS violation_end
FROM settlements s JOIN projects p USING (project) LEFT JOIN violations v USING (settlement)
ORDER BY s.settlement, v.start_ms;
"""

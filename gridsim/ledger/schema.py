"""The ledger's tables. `docs/ledger.md` is their description for users."""

from __future__ import annotations

from typing import Final

APPLICATION_ID: Final = 0x6E65724C
"""The id in the file's header that distinguishes a ledger from other SQLite files."""
VERSION: Final = 2

TRUTH: Final = (
    "projects",
    "devices",
    "batches",
    "readings",
    "reported",
    "labels",
    "connections",
    "unsent",
    "faults",
    "episodes",
    "settlements",
    "violations",
    "instructions",
    "acknowledgements",
)
"""The tables that depend only on the configuration and the seed; others have wall-clock times."""

# Powers in hundredths of a kW, states of charge in tenths of a percent, times in ms since 1970.
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
CREATE TABLE readings (
  number INTEGER PRIMARY KEY, tick INTEGER NOT NULL, device INTEGER NOT NULL,
  output INTEGER, meter INTEGER, baseline INTEGER, soc INTEGER);
CREATE TABLE reported (
  number INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, online INTEGER NOT NULL,
  output INTEGER, meter INTEGER, soc INTEGER);
CREATE TABLE labels (
  number INTEGER PRIMARY KEY, faults INTEGER NOT NULL, altered INTEGER, copy INTEGER NOT NULL);
CREATE TABLE connections (
  number INTEGER PRIMARY KEY, device INTEGER NOT NULL, since_ms INTEGER NOT NULL);
CREATE TABLE unsent (
  unsent INTEGER PRIMARY KEY, known INTEGER NOT NULL, tick INTEGER NOT NULL,
  device INTEGER NOT NULL, output INTEGER, meter INTEGER, baseline INTEGER, soc INTEGER,
  time_ms INTEGER NOT NULL, faults INTEGER NOT NULL, copy INTEGER NOT NULL);
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
  compliance REAL NOT NULL, dispatched_kwh REAL NOT NULL, delivered_kwh REAL NOT NULL);
CREATE TABLE violations (
  settlement INTEGER NOT NULL, start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL);
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
CREATE TABLE retries (
  transport INTEGER NOT NULL, first INTEGER NOT NULL, rows INTEGER NOT NULL,
  wall_ms INTEGER NOT NULL);
"""

_TIME = "strftime('%Y-%m-%dT%H:%M:%f', {} / 1000.0, 'unixepoch') || 'Z'"
_START = "(SELECT value FROM meta WHERE key = 'start_ms')"
_TICK = "(SELECT value FROM meta WHERE key = 'tick_ms')"
_LEFT = "(SELECT b.tick FROM batches b WHERE b.first <= l.number ORDER BY b.first DESC LIMIT 1)"
"""The tick in which a labelled reading left."""
_TRUE_TIME = f"({_START} + r.tick * {_TICK})"

VIEWS: Final = f"""
CREATE VIEW truth AS SELECT
  r.number, r.tick AS seq, {_TIME.format(_TRUE_TIME)} AS timestamp, p.project_id, d.der_id,
  d.type, r.output / 100.0 AS current_output, r.meter / 100.0 AS power_meter_measurement,
  r.baseline / 100.0 AS baseline, r.soc / 10.0 AS current_soc,
  coalesce(l.faults, 0) AS faults, coalesce(l.copy, 0) AS copy
FROM readings r JOIN devices d USING (device) JOIN projects p USING (project)
LEFT JOIN labels l USING (number);
CREATE VIEW messages AS SELECT
  r.number, r.tick AS seq,
  {_TIME.format(f"coalesce(w.time_ms, {_TRUE_TIME})")} AS timestamp, p.project_id, d.der_id,
  d.type, coalesce(w.online, 1) AS is_online,
  CASE WHEN w.number IS NULL THEN r.output ELSE w.output END / 100.0 AS current_output,
  CASE WHEN w.number IS NULL THEN r.meter ELSE w.meter END / 100.0 AS power_meter_measurement,
  r.baseline / 100.0 AS baseline,
  CASE WHEN w.number IS NULL THEN r.soc ELSE w.soc END / 10.0 AS current_soc,
  coalesce(l.faults, 0) AS faults, f.id AS altered_by, coalesce(l.copy, 0) AS copy
FROM readings r JOIN devices d USING (device) JOIN projects p USING (project)
LEFT JOIN reported w USING (number) LEFT JOIN labels l USING (number)
LEFT JOIN faults f ON f.fault = l.altered;
CREATE VIEW affected AS SELECT l.number, f.id AS fault
FROM labels l JOIN faults f ON (l.faults >> f.number) & 1 AND {_LEFT} >= f.since
  AND (f.until IS NULL OR {_LEFT} <= f.until);
CREATE VIEW settled AS SELECT
  s.event, p.project_id, {_TIME.format("s.start_ms")} AS start, {_TIME.format("s.end_ms")} AS end,
  s.ending, s.target_kw, s.compliance, s.dispatched_kwh, s.delivered_kwh,
  count(v.start_ms) AS violations, coalesce(sum(v.end_ms - v.start_ms), 0) / 1000.0 AS violation_s
FROM settlements s JOIN projects p USING (project) LEFT JOIN violations v USING (settlement)
GROUP BY s.settlement;
"""

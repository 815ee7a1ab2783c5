"""Runs with a spool: the plan, the end of a run, the next run, and their ledgers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gridsim.config.text.report import ConfigError
from gridsim.delivery.spool import read_account
from gridsim.errors import UsageError
from gridsim.ledger import Reader
from gridsim.running.plan import Options, Plan, make_plan
from gridsim.running.run import Run
from gridsim.running.verdict import judge
from gridsim.text.plan import plan_lines
from gridsim.text.status import closing_lines, earlier_lines
from tests.fixtures.ledgers import Kept
from tests.fixtures.ports import free_port

FLEET = """
[simulation]
seed = 7
start = {start}
[weather]
type = "clear"
[ledger]
path = "{ledger}"
[[projects]]
id = "HOME_{{n}}"
count = 3
[[projects.ders]]
id = "{{project_id}}_BAT"
type = "battery"
nameplate_capacity = 5.0
[[transports]]
spool = {{ path = "spool/readings.sqlite" }}
{transport}
"""
FIRST, SECOND = "2026-07-01T12:00:00Z", "2026-07-01T13:00:00Z"
FILE = 'type = "file"\npath = "out.jsonl"'


def planned(folder: Path, start: str, transport: str, ledger: str) -> Plan:
    config = folder / "fleet.toml"
    config.write_text(FLEET.format(start=start, transport=transport, ledger=ledger))
    return make_plan(Options(config=config))


def down() -> str:
    """The table of a transport to a broker that is down; with a spool it retries by default."""
    return f'type = "mqtt"\nhost = "127.0.0.1"\nport = {free_port()}'


def test_readings_that_a_run_could_not_send_are_sent_by_the_next(tmp_path: Path) -> None:
    plan = planned(tmp_path, FIRST, down(), "a.sqlite")
    (head,) = (line for line in plan_lines(plan) if line.startswith("spool"))
    assert head.endswith("readings.sqlite, up to 256 MB")
    with Run(plan, clock="manual") as first:
        first.advance(4)
        with pytest.raises(UsageError, match=r"another run uses .*readings\.sqlite"):
            Run(planned(tmp_path, FIRST, down(), "b.sqlite"), clock="manual").start()
        # Nothing of the refused run is left.
        assert not (tmp_path / "b.sqlite").exists()
    status = first.status()
    (one,) = status.transports
    assert (one.pending, one.dropped, one.unconfirmed) == (12, {}, 0)
    assert one.spool.endswith("readings.sqlite")
    assert any(line.endswith(f"12 pending (kept in {one.spool})") for line in closing_lines(status))
    assert {finding.kind for finding in judge(status).findings} == {"never connected"}
    assert judge(status, interrupted=True).exit_status == 0

    with Run(planned(tmp_path, SECOND, FILE, "b.sqlite"), clock="manual") as second:
        assert list(earlier_lines(second.status())) == [
            f"file: 12 readings of earlier runs in {one.spool} to send first"
        ]
        second.advance(2)
        assert second.confirm()
    (one,) = second.status().transports
    assert (one.accepted, one.earlier, one.delivered) == (18, 12, 18)
    assert judge(second.status()).exit_status == 0
    account = read_account(tmp_path / "spool" / "readings.sqlite")
    assert (account.accepted, account.delivered, account.pending) == (18, 18, 0)
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    times = [json.loads(line)["timestamp"][:19] for line in lines]
    assert times == sorted(times)
    assert times[0] == FIRST[:19]
    assert times[12] == SECOND[:19]

    with Reader(tmp_path / "a.sqlite") as ledger:
        assert ledger.rows("SELECT first, rows, fate, reason FROM fates ORDER BY first") == [
            (0, 12, "pending", "kept in the spool")
        ]
    sent = [line.encode() for line in lines]
    found = Kept(tmp_path / "a.sqlite").compare(sent[:5]).differences.causes
    assert found["missing"] == {"kept in the spool": 7}
    report = Kept(tmp_path / "b.sqlite").compare(sent)
    assert report.differences.causes["unknown"] == {"of an earlier run, from the spool": 12}
    assert report.unexplained == 0


def test_the_file_of_a_spool_is_checked_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("a file")
    with pytest.raises(ConfigError, match=r"'path' .*spool is not a folder"):
        planned(tmp_path, FIRST, FILE, "a.sqlite")


def test_two_transports_cannot_share_a_spool(tmp_path: Path) -> None:
    second = '\n[[transports]]\ntype = "stdout"\nspool = { path = "spool/readings.sqlite" }'
    with pytest.raises(ConfigError, match=r"readings\.sqlite is already used by transport file"):
        planned(tmp_path, FIRST, FILE + second, "a.sqlite")


@pytest.mark.parametrize(
    ("spool", "why"),
    [("{}", "'path'"), ('{ path = "" }', "path"), ('{ path = "a", max_mb = 0 }', "max_mb")],
)
def test_wrong_settings_are_named(tmp_path: Path, spool: str, why: str) -> None:
    config = tmp_path / "fleet.toml"
    text = FLEET.format(start=FIRST, transport=FILE, ledger="a.sqlite")
    config.write_text(text.replace('{ path = "spool/readings.sqlite" }', spool))
    with pytest.raises(ConfigError, match=why):
        make_plan(Options(config=config))

"""A day against a system: late exports, failing commands, brokers that are not there, Ctrl-C."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gridsim.check import CheckOptions, ReportCard, check
from gridsim.errors import UsageError
from gridsim.text.progress import Progress
from tests.fixtures.ports import free_port

DAY = """
[simulation]
tick_s = 60
speed = 0
duration_s = 300
start = 2026-07-14T17:00:00Z

[[projects]]
id = "HOME"
load = {{ type = "constant", kw = 3.0 }}

[[projects.ders]]
id = "HOME_BAT"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 13.5
{more}
"""
FILE = '\n[system.broker]\ntype = "file"\npath = "wire.jsonl"\n'
CheckDays = Callable[..., ReportCard]


@pytest.fixture
def check_days(tmp_path: Path) -> CheckDays:
    """Return the card of days of one's own, with more lines of [system]."""

    def checking(
        system: str, *names: str, wire: str = FILE, progress: Progress | None = None, more: str = ""
    ) -> ReportCard:
        days = names or ("calm",)
        for name in days:
            (tmp_path / f"{name}.toml").write_text(DAY.format(more=more))
        listed = ", ".join(f'"{name}.toml"' for name in days)
        path = tmp_path / "my-system.toml"
        path.write_text(f"[system]\ndays = [{listed}]\n{system}{wire}")
        lines: list[str] = []
        card = check(CheckOptions(path), progress or Progress(), lines.append)
        assert [line.partition(":")[0] for line in lines] == list(days)
        return card

    return checking


def test_an_export_that_is_late_is_repeated_until_it_has_all(
    check_days: CheckDays, tmp_path: Path
) -> None:
    # The second export has the readings that the first one lacked.
    late = 'if test -e again; then cp wire.jsonl "$GRIDSIM_RECORDS"; else touch again; '
    late += 'head -n 3 wire.jsonl > "$GRIDSIM_RECORDS"; fi'
    [result] = check_days(f"export_command = '''{late}'''\nsettle_s = 30\n").results
    assert (result.outcome, result.figures.stored, result.reasons) == ("kept", 5, ())
    assert (tmp_path / "again").exists()


def test_a_file_of_a_day_that_cannot_be_written_is_said(
    check_days: CheckDays, tmp_path: Path
) -> None:
    # The next day of the check runs, and a folder that blocks a file is found before all.
    blocks = 'test -e once || { rm "$GRIDSIM_EVENTS"; mkdir "$GRIDSIM_EVENTS"; touch once; }'
    system = f"start_command = '{blocks}; sleep 60'\nreset_command = 'test -e once'\n"
    system += "export_command = 'cp wire.jsonl $GRIDSIM_RECORDS'\nsettle_s = 0\n"
    first, second = check_days(system, "calm", "still").results
    assert first.outcome == "error"
    assert first.reasons[0].startswith("a file of the day cannot be written: ")
    assert second.outcome != "error"
    (tmp_path / "kept" / "calm" / "events.csv").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"--keep: error: .*events.csv cannot be replaced: "):
        check(CheckOptions(tmp_path / "my-system.toml", keep=tmp_path / "kept"), Progress(), print)


def test_after_its_time_the_last_export_counts(check_days: CheckDays) -> None:
    part = "export_command = 'head -n 3 wire.jsonl > $GRIDSIM_RECORDS'\nsettle_s = 0\n"
    [result] = check_days(part).results
    assert (result.outcome, result.reasons) == ("broken", ("2 readings lost (0 allowed)",))
    assert "5 expected, 3 received" in result.details


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("true", "export_command wrote no file: it has to write to $GRIDSIM_RECORDS"),
        (": > $GRIDSIM_RECORDS", "export_command wrote an empty file to $GRIDSIM_RECORDS"),
        ("echo sorry >&2; exit 7", "export_command ended with status 7: echo sorry >&2; exit 7\n"),
        ("printf PK\\\\003\\\\004 > $GRIDSIM_RECORDS", "is an Excel workbook or a ZIP archive"),
    ],
)
def test_an_export_that_fails_is_an_error_and_not_a_loss(
    check_days: CheckDays, command: str, reason: str
) -> None:
    card = check_days(f"export_command = '{command}'\nsettle_s = 0\n")
    [result] = card.results
    assert (result.outcome, card.exit_status) == ("error", 1)
    assert reason in result.reasons[0]


def test_the_commands_know_the_day(check_days: CheckDays, tmp_path: Path) -> None:
    names = "DAY START END CONFIG EVENTS SETTLEMENT"
    shown = "; ".join(f"echo $GRIDSIM_{name} >> seen" for name in names.split())
    [result] = check_days(
        f"export_command = '{shown}; cp wire.jsonl $GRIDSIM_RECORDS'\n"
        "reset_command = 'echo reset > seen'\n"
    ).results
    assert result.outcome == "kept"
    reset, day, start, end, config, events, settlement = (tmp_path / "seen").read_text().split()
    assert (reset, day) == ("reset", "calm")
    assert (start, end) == ("2026-07-14T17:00:00.000Z", "2026-07-14T17:05:00.000Z")
    assert config == str(tmp_path / "calm.toml")
    assert (Path(events).name, Path(settlement).name) == ("events.csv", "settlement.csv")
    assert not Path(events).exists()


def test_a_reset_that_fails_ends_the_day(check_days: CheckDays) -> None:
    system = "export_command = 'true'\nreset_command = 'echo locked; exit 2'\n"
    [result] = check_days(system).results
    assert result.outcome == "error"
    assert result.reasons == ("reset_command ended with status 2: echo locked; exit 2\n    locked",)


def test_without_a_broker_the_days_that_are_left_are_not_run(check_days: CheckDays) -> None:
    wire = f'\n[system.broker]\nhost = "127.0.0.1"\nport = {free_port()}\n'
    card = check_days("export_command = 'true'\n", "one", "two", wire=wire)
    assert [one.outcome for one in card.results] == ["error", "skipped"]
    assert card.results[0].reasons[0].startswith("no connection to the broker: ")
    assert card.results[1].reasons == ("not run, because the broker cannot be reached",)
    assert card.exit_status == 1


def test_ctrl_c_ends_the_check_and_keeps_the_days_so_far(check_days: CheckDays) -> None:
    class Impatient(Progress):
        """Interrupts the second day in its third tick."""

        ticks = 0

        def advance(self, parts: float = 1.0) -> None:
            self.ticks += 1
            if self.ticks == 8:
                raise KeyboardInterrupt

    system = "export_command = 'cp wire.jsonl $GRIDSIM_RECORDS'\nreset_command = ': > wire.jsonl'\n"
    card = check_days(system, "one", "two", "three", progress=Impatient())
    assert [one.outcome for one in card.results] == ["kept", "skipped", "skipped"]
    assert (card.interrupted, card.exit_status) == (True, 130)
    reason = "not run to its end, because the check was interrupted"
    assert card.results[2].reasons == (reason,)


def test_a_broker_that_cannot_be_used_is_an_error_of_the_file(
    check_days: CheckDays, tmp_path: Path
) -> None:
    (tmp_path / "wire.jsonl").mkdir()
    with pytest.raises(UsageError) as caught:
        check_days("export_command = 'true'\n")
    assert str(caught.value).startswith(f"{tmp_path}/my-system.toml: [system.broker]: error: ")
    assert "is a folder" in str(caught.value)


def overlay_of(tmp_path: Path, system: str, day: str) -> Any:
    from gridsim.check.overlay import overlaid
    from gridsim.check.system import read_system
    from gridsim.config.text.environment import gather
    from gridsim.config.text.load import read
    from gridsim.running.plan import load_plugins

    registry = load_plugins(()).registry
    (tmp_path / "my-system.toml").write_text(system)
    (tmp_path / "day.toml").write_text(day)
    under_test = read_system(tmp_path / "my-system.toml", registry)
    document = read(tmp_path / "day.toml", environment=gather(tmp_path))
    return overlaid(document, under_test, registry, tmp_path / "l.sqlite").data


def test_the_broker_of_the_system_replaces_that_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MQTT_PORT", "8883")
    day = (
        '[[transports]]\ntype = "mqtt"\nport = "${MQTT_PORT}"\nqos = 1\ntopic = "a/{der_id}"\n'
        '[[transports]]\ntype = "stdout"\n[[sources]]\ntype = "mqtt"\nport = "${MQTT_PORT}"\n'
        '[[views]]\ntype = "web"\n[ledger]\nrebound_s = 60\n'
    )
    system = "[system]\nexport_command = 'x'\nspeed = 60\n"
    broker = '[system.broker]\nhost = "broker"\nqos = 2\ntopic = "b/{der_id}"\n'
    data = overlay_of(tmp_path, system + broker, day)
    merged = {"type": "mqtt", "host": "broker", "qos": 2, "topic": "b/{der_id}"}
    assert data["transports"] == [merged]
    assert data["sources"] == [{"type": "mqtt", "host": "broker"}]
    assert (data["views"], data["simulation"]["speed"]) == ([], 60)
    assert data["ledger"] == {
        "rebound_s": 60,
        "path": str(tmp_path / "l.sqlite"),
        "overwrite": True,
        "counterfactual": False,
    }
    plain = overlay_of(tmp_path, system, day)["transports"]
    assert plain == [{"type": "mqtt", "port": "8883", "qos": 1, "topic": "a/{der_id}"}]

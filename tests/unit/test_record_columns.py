"""The columns of transports that write columns: names, measurands by default, configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridsim.api import FIELDS, MEASURANDS, ColumnSettings, record_columns
from gridsim.config.resolve import Flags
from gridsim.config.text.report import ConfigError
from gridsim.running.plan import Options, Plan, make_plan
from gridsim.testing import make_batch, make_roster
from tests.fixtures.runs import HEAD, HOMES


def plan(folder: Path, lines: str, transport: str | None = None) -> Plan:
    path = folder / "c.toml"
    path.write_text(HEAD.replace('type = "stdout"\n', lines) + HOMES)
    return make_plan(Options(config=path, flags=Flags(transport=transport)))


POSTGRES = 'type = "postgres"\ndatabase = "x"\n'


def test_without_columns_a_run_computes_every_measurand(tmp_path: Path) -> None:
    scenario = plan(tmp_path, POSTGRES).configuration.scenario
    assert set(MEASURANDS) <= set(scenario.roster.columns)
    names = [one.name for one in record_columns(ColumnSettings(), scenario.roster)]
    assert names == [*FIELDS, "seq", *scenario.roster.columns]


def test_with_columns_it_computes_those_alone(tmp_path: Path) -> None:
    chosen = POSTGRES + 'columns = ["der_id", "frequency"]\n'
    columns = plan(tmp_path, chosen).configuration.scenario.roster.columns
    assert set(MEASURANDS) & set(columns) == {"frequency"}


def test_a_format_is_an_error_and_left_out_by_a_flag(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the postgres transport writes columns and has no form"):
        plan(tmp_path, POSTGRES + 'format = "csv"\n')
    stdout = 'type = "stdout"\nformat = "csv"\n[defaults.postgres]\ndatabase = "x"\n'
    assert plan(tmp_path, stdout, "postgres").transports[0].name == "postgres"


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"columns": ["der", "seq"]}, "there is no column 'der'; did you mean 'der_id'"),
        ({"columns": ["make"]}, "no DER has a make"),
        ({"columns": ["seq"], "rename": {"type": "t"}}, "there is no written column 'type'"),
        ({"rename": {"seq": ""}}, "a column's name cannot be empty"),
        ({"rename": {"seq": "type"}}, "two columns would be named 'type'"),
    ],
)
def test_wrong_names_are_errors(settings: dict[str, object], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        record_columns(ColumnSettings.model_validate(settings), make_roster())


def test_values_have_one_entry_for_each_row() -> None:
    batch = make_batch(make_roster((2, 1), {"heat": "kW"}), ticks=2)
    found = {one.name: one for one in record_columns(ColumnSettings(), batch.roster)}
    assert all(len(one.values(batch)) == 6 for one in found.values())
    shown = {
        name: [one.texts[row] for row in one.values(batch)]
        for name, one in found.items()
        if one.texts
    }
    assert shown["der_id"] == ["DER_0", "DER_1", "DER_2"] * 2
    assert shown["project_id"] == ["PRJ_0", "PRJ_0", "PRJ_1"] * 2
    assert shown["type"][1:3] == ["battery_storage", "solar"]
    assert (found["heat"].unit, found["seq"].values(batch)[-1]) == ("kW", 1)

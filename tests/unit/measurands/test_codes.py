"""States as text or as numbers, in each format."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gridsim.api import MEASURANDS, Batch, Format, codes_of
from gridsim.testing import make_batch, make_roster
from gridsim_plugins.formats.csv import Csv
from gridsim_plugins.formats.json import Json
from gridsim_plugins.formats.template import Template

STATE = np.array([4.0, 103.0, np.nan, 55.0])


def batch(values: Any = STATE) -> Batch:
    roster = make_roster((2, 2), columns={"state": "1"})
    return replace(make_batch(roster), extra={"state": np.array(values)})


def written(of: type[Format[Any]], given: Batch, **settings: Any) -> list[str]:
    one = of(of.Settings(**settings), "der", given.roster)
    return [body.decode() for body in one.encode(given).bodies]


@pytest.mark.parametrize(
    ("of", "settings", "texts"),
    [
        (Json, {}, ['{"state":4}', '{"state":103}', "{}", '{"state":55}']),
        (
            Json,
            {"codes": "text"},
            ['{"state":"MPPT"}', '{"state":"Charging"}', "{}", '{"state":"55"}'],
        ),
        (Csv, {}, ["4", "103", "", "55"]),
        (Csv, {"codes": "text"}, ["MPPT", "Charging", "", "55"]),
    ],
)
def test_a_format_writes_states_as_numbers_or_names(
    of: type[Format[Any]], settings: dict[str, Any], texts: list[str]
) -> None:
    assert written(of, batch(), fields=["state"], **settings) == texts


@pytest.mark.parametrize(
    ("template", "texts"),
    [
        ('["{state}"]', ["[4]", "[103]", "[null]", "[55]"]),
        ('["{state | name | lower}"]', ['["mppt"]', '["charging"]', "[null]", '["55"]']),
        ('["{state | name}"]', ['["MPPT"]', '["Charging"]', "[null]", '["55"]']),
        (
            '["{state | name | else(none)}", 1]',
            ['["MPPT",1]', '["Charging",1]', '["none",1]', '["55",1]'],
        ),
        (
            '["a", "is {state | name | else(omit)}"]',
            ['["a","is MPPT"]', '["a","is Charging"]', '["a"]', '["a","is 55"]'],
        ),
        ('{"s": "{state | name | else(omit)}"}', None),
    ],
)
def test_a_template_writes_states_as_numbers_or_names(
    template: str, texts: list[str] | None
) -> None:
    texts = texts or ['{"s":"MPPT"}', '{"s":"Charging"}', "{}", '{"s":"55"}']
    assert written(Template, batch(), template=template) == texts


def test_all_missing_and_no_rows() -> None:
    nothing = batch([np.nan] * 4)
    assert written(Json, nothing, fields=["state"], codes="text") == ["{}"] * 4
    assert written(Json, nothing.rows(0, 0), fields=["state"], codes="text") == []
    assert written(Template, nothing, template='["{state | name}"]') == ["[null]"] * 4


def test_a_column_of_a_type_in_another_unit_has_no_names() -> None:
    assert codes_of("state", "1") is MEASURANDS["state"].codes
    assert codes_of("state", "V") is None
    assert codes_of("voltage", "V") is None
    assert codes_of("heat", "kW") is None
    roster = make_roster((2, 2), columns={"state": "V"})
    other = replace(make_batch(roster), extra={"state": STATE})
    assert written(Json, other, fields=["state"], codes="text")[1] == '{"state":103.000}'

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridsim.api import FIELDS, Batch, Format, Framing
from gridsim.testing import FormatContract, make_batch, make_roster
from gridsim_plugins.formats.csv import Csv, CsvSettings, _quote, _quote_formula


class TestContract(FormatContract):
    format: ClassVar[type[Format]] = Csv
    framings: ClassVar[Sequence[Framing]] = ("der",)
    settings: ClassVar[Sequence[Mapping[str, Any]]] = ({}, {"missing_soc": "zero"})


def table(batch: Batch, **settings: Any) -> list[list[str]]:
    """Return the lines of the whole file, the header first."""
    made = Csv(CsvSettings(**settings), "der", batch.roster)
    lines = [made.header, *made.encode(batch).bodies]
    text = b"\n".join(lines).decode() + "\n"
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


def test_a_header_and_a_line_per_reading() -> None:
    header, first, _, solar = table(make_batch())
    assert header == list(FIELDS)
    assert first == [
        *("DER_0", "true", "2026-07-01T12:00:00.000Z", "-1.50", "2.00", "5.00", "4.00", "kW"),
        *("PRJ_0", "false", "2026-06-30T11:59:59.877Z", "0.0", "battery_storage", "10.00"),
    ]
    assert solar[header.index("current_soc")] == ""


def test_the_choice_of_fields_is_that_of_the_header() -> None:
    batch = make_batch(make_roster([1], columns={"temperature": "degC"}))
    batch = replace(batch, extra={"temperature": batch.extra["temperature"] * float("nan")})
    assert table(
        batch,
        fields=["der_id", "current_soc"],
        extra_fields=["temperature", "seq"],
        rename={"seq": "n, counted"},
        missing_soc="zero",
    ) == [["der_id", "current_soc", "temperature", "n, counted"], ["DER_0", "0.0", "", "0"]]


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


@given(TEXT.filter(lambda text: text != "units"))
def test_any_text_comes_back(text: str) -> None:
    batch = make_batch(replace(make_roster([1]), der_id=[text]))
    assert table(batch, fields=["der_id", "units"], rename={"der_id": text}) == [
        [text, "units"],
        [text, "kW"],
    ]


def test_an_array_per_project_is_refused() -> None:
    with pytest.raises(ValueError, match="framing must be der, not project"):
        Csv(CsvSettings(), "project", make_roster())


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@a", "\ta", "\ra"])
def test_formulas_are_quoted_by_choice(text: str) -> None:
    assert _quote_formula(text).strip('"') == f"'{text}"
    assert _quote(text).strip('"') == text


def test_only_a_first_character_makes_a_formula() -> None:
    assert _quote_formula("a=1") == "a=1"

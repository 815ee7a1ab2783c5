from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixtures.config.fakes import MINIMAL, configure, report, with_radio


def test_a_literal_is_refused_and_masked_wherever_its_line_is_shown(tmp_path: Path) -> None:
    text = (
        "transports = [{ type = 'radio', pin = 'hunter2', retries = 10 }]\n"
        + (MINIMAL.partition("[[transports]]")[0])
    )
    found = report(tmp_path, text)
    assert "'pin' is a secret" in found
    assert "or name a file by 'pin_file'" in found
    assert "'retries' must be at most 9" in found
    assert "hunter2" not in found


@pytest.mark.parametrize(
    "lines",
    [
        "pin = 'hunter2'",
        "pin = '''\nhunter2'''\nretries = 10",
        "pin = 'hunter2${PIN}'",
        "pin = ['hunter2']",
        "pim = 'x'\npassword = 'hunter2'",
        "will = { topic = 'a', key = 'hunter2' }",
        "will = { topic = 'a', api_key = 'hunter2' }",
        "pim = 'mqtt://ann:hunter2@host'",
        "pim = 'mqtt://ann:1 hunter2@host'",
        "pim = 'mqtt://ann:1/hunter2@host'",
        "pim = 'ann:hunter2@host'",
    ],
)
def test_no_literal_is_ever_shown(tmp_path: Path, lines: str) -> None:
    found = report(tmp_path, with_radio(lines), environment={"PIN": "hunter2"})
    assert "hunter2" not in found


def test_a_number_for_a_secret_is_not_shown_either(tmp_path: Path) -> None:
    assert "1234" not in report(tmp_path, with_radio("pin = 1234"))


def test_placeholders_fill_it(tmp_path: Path) -> None:
    text = with_radio("pin = '${A}${B:-}'\nwill = { topic = 'a', key = '${A}' }")
    settings = configure(tmp_path, text, environment={"A": "hunter2"}).transports[0].settings
    assert settings.pin.get_secret_value() == "hunter2"
    assert settings.will.key.get_secret_value() == "hunter2"


def test_an_empty_literal_is_no_secret(tmp_path: Path) -> None:
    settings = configure(tmp_path, with_radio("pin = ''")).transports[0].settings
    assert settings.pin.get_secret_value() == ""


def test_a_flag_that_holds_one_is_masked(tmp_path: Path) -> None:
    found = report(tmp_path, MINIMAL, overrides=["transports.0.pin=hunter2"])
    assert found.startswith("--set transports.0.pin=****: error: 'pin' is a secret")
    url = "transports.0.host=h?token=hunter2"
    assert "hunter2" not in report(tmp_path, MINIMAL, overrides=[url, "transports.0.retries=x"])
    whole = "transports.0={type='radio', pin='hunter2', retries=10}"
    assert "hunter2" not in report(tmp_path, MINIMAL, overrides=[whole])

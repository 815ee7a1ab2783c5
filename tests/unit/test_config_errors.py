from __future__ import annotations

import re
from pathlib import Path

import pytest

from gridsim.config.resolve import Flags, resolve
from gridsim.config.text.guard import MAX_BYTES
from gridsim.config.text.load import read
from gridsim.config.text.report import ConfigError
from gridsim.errors import UsageError
from gridsim.plugins.registry import BrokenPlugin
from tests.fixtures.config.fakes import MINIMAL, registry, report, with_der, with_radio

BATTERY = """
[[projects.ders]]
id = "B"
type = "battery"
nameplate_capacity = 1
"""


def test_shows_every_problem_with_place_line_caret_and_suggestion(tmp_path: Path) -> None:
    text = """\
[simulation]
\ttick_s = "1"
[simulatoin]
[[projects]]
id = "P"
[[projects.ders]]
id = "D"
type = "solr"
tlit = 3
[[projects.ders]]
id = "E"
type = "solar"
tlit = 3
[[transports]]
type = "radio"
port = 99.5
"""
    assert (
        report(tmp_path, text)
        == """\
c.toml:2:11: error: 'tick_s' must be a number
    \ttick_s = "1"
    \t         ^
c.toml:3:1: error: 'simulatoin' is not a table of the configuration; did you mean 'simulation'?
    [simulatoin]
    ^
c.toml:8:8: error: there is no DER 'solr'; there are: battery, oven, solar; did you mean 'solar'?
    type = "solr"
           ^
c.toml:10:1: error: 'nameplate_capacity' is missing
    [[projects.ders]]
    ^
c.toml:13:1: error: 'tlit' is not a setting of the solar DER; did you mean 'tilt'?
    tlit = 3
    ^
c.toml:16:8: error: 'port' must be a whole number or 'auto'
    port = 99.5
           ^"""
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (with_der("tilt = -1"), "7:8: error: 'tilt' must be at least 0"),
        (with_der("azimuth = 360"), "'azimuth' must be less than 360"),
        (with_der("tilt = nan"), "'tilt' must be a finite number"),
        (with_der("tilt = true"), "'tilt' must be a number"),
        (with_der("strings = 1.5"), "'strings' must be a whole number"),
        (with_der('strings = "2"'), "'strings' must be a whole number"),
        (with_der("count = 0"), "'count' must be at least 1"),
        (with_der("report_every_s = 1.5"), "must be a multiple of the tick, 1 s"),
        (
            with_der("report_on_change = { tilt = 1 }"),
            "7:22: error: 'tilt' is not a column of 'solar' that changes: current_output,",
        ),
        (
            with_der("report_on_change = { curent_output = 1 }"),
            "did you mean 'current_output'?",
        ),
        (with_der("report_on_change = { is_online = 0 }"), "every change of it is reported"),
        (with_der("report_on_change = { baseline = -1 }"), "'baseline' must be at least 0"),
        (with_der("report_on_change = { baseline = nan }"), "must be a finite number"),
        (with_der("report_on_change = { baseline = true }"), "'baseline' must be a number"),
        (with_der("report_on_change = {}"), "'report_on_change' must not be empty"),
        (with_der("report_on_change = 0.1"), "'report_on_change' must be a table"),
        (with_der("reported_type = ''"), "'reported_type' must not be empty"),
        (with_radio("loud = 1"), "'loud' must be true or false"),
        (with_radio("startup = 'rety'"), "'fail' or 'retry'; did you mean 'retry'?"),
        (with_radio("queue_mb = 0"), "'queue_mb' must be greater than 0"),
        (with_radio("will = { qos = 0 }"), "9:8: error: 'topic' is missing"),
        (with_radio("will = { topic = 'a', qso = 0 }"), "did you mean 'qos'?"),
        (with_radio("bands = [1, 0]"), "9:13: error: 'bands.1' must be greater than 0"),
        (with_radio("framing = 'project'"), "the radio transport supports only the framing der"),
        (with_radio("format = 'jsn'"), "9:10: error: there is no format 'jsn'"),
        (with_radio("format = 3"), "must be a table: such as { type"),
        (with_radio("format = { type = 'json', missing_soc = 'nul' }"), "did you mean 'null'?"),
        (with_radio("on_full = 'block'"), "must not be block in real time (speed 1 or less)"),
        ("weather = { type = 'x' }\n" + MINIMAL, "there is no weather 'x'"),
        ("site.timezone = 'Mars/Base'\n" + MINIMAL, "'timezone' must be the name of a time zone"),
        ("site.timezone = '../etc/passwd'\n" + MINIMAL, "'timezone' must be the name of a time"),
        ("simulation.tick_s = 0.0015\n" + MINIMAL, "a whole number of milliseconds"),
        ("simulation.start = 2026-07-01T00:00:00\n" + MINIMAL, "has no offset from UTC"),
        ("simulation.start = '1 July'\n" + MINIMAL, 'must be "now", a time such as'),
        ("simulation.start = '2026-02-30'\n" + MINIMAL, "'start' is not a valid time"),
        (
            "simulation.start = 1970-01-01\nsite.timezone = 'Asia/Tokyo'\n" + MINIMAL,
            "1:20: error: 'start' must be from 1970 to 2199",
        ),
        ("simulation.start = '2026-07-32T00:00Z'\n" + MINIMAL, "'start' is not a valid time"),
        ("simulation.start = 1969-07-01T00:00:00Z\n" + MINIMAL, "must be from 1970 to 2199"),
        ("simulation.seed = -1\n" + MINIMAL, "'seed' must be at least 0"),
        (f"simulation.seed = {2**63 - 1}0\n" + MINIMAL, "'seed' is a whole number of more than 64"),
        ("simulation.seed = 0x" + "f" * 9000 + "\n" + MINIMAL, "of more than 64 bits"),
        ("simulation.speed = 1e-4\n" + MINIMAL, "'speed' must be 0 or at least 0.001"),
        ("simulation.speed = 1e7\n" + MINIMAL, "'speed' must be at most 1000000"),
        ("simulation.hang_timeout_s = 1e99\n" + MINIMAL, "must be at most 31622400"),
        (with_der("report_every_s = 1e300"), "'report_every_s' must be at most 31622400"),
        (with_radio("queue_mb = 1e300"), "'queue_mb' must be at most 1000000"),
        ("plugins = ['a.py']\n" + MINIMAL, "1:1: error: 'plugins' belongs under [simulation]"),
        ("projects = 3\n[[transports]]\ntype = 'radio'", "must be an array of tables"),
        ("[projects]\nid = 'P'\n[[transports]]\ntype = 'radio'", "1:1: error: must be an array"),
        ("[[transports]]\ntype = 'radio'", "1:1: error: there is no project"),
        ("[[projects]]\nid = 'P'\n[[transports]]\ntype = 'radio'", "the project has no DER"),
        ("transports = []\n" + MINIMAL.partition("[[transports]]")[0], "there is no transport"),
        (MINIMAL.replace('type = "radio"', ""), "7:1: error: 'type' is missing: pigeon, radio"),
        (
            MINIMAL.replace('"P"', '"P"\nstandalone = true\ncontract_threshold = 1'),
            "4:22: error: a standalone project has no contract",
        ),
        (with_der(BATTERY + "min_soc = 95"), "8:1: error: min_soc must not be above max_soc"),
        (
            with_der(BATTERY + BATTERY.replace("B", "O").replace("battery", "oven")),
            "report 'temperature' in different units, degC and K",
        ),
    ],
)
def test_words_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    found = report(tmp_path, text)
    assert message in found
    assert found.count(": error: ") == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = 1\nb = \n", "c.toml:2:5: error: "),
        ("a = 1\na = 2\n", "c.toml:2:"),
        ("a = 'x\nb = 2\n\n", "c.toml:1:5: error: this string is not closed"),
        ('a = """x\nb = 2\n\n', "c.toml:1:5: error: this string is not closed"),
        ("a = " + "1" * 5000, "c.toml: error: holds a bad value"),
        ("a" + ".a" * 40 + " = 1", "is nested deeper than 32 levels"),
    ],
)
def test_tells_where_a_text_is_no_toml(tmp_path: Path, text: str, message: str) -> None:
    assert message in report(tmp_path, text)


def test_shows_no_secret_of_a_text_that_is_no_toml(tmp_path: Path) -> None:
    found = report(tmp_path, "[[transports]]\n  mqtt_password = 'hunter2\n")
    assert "mqtt_password = ****" in found
    assert "hunter2" not in found


def test_long_and_foreign_lines_are_shown_in_part(tmp_path: Path) -> None:
    found = report(tmp_path, f"x = [{'1, ' * 5000}'\u200b', 2]\ny = \x00")
    assert max(map(len, found.splitlines())) < 200
    assert "\x00" not in found


@pytest.mark.parametrize("content", [b"\xff = 1", b"#" * (MAX_BYTES + 1)])
def test_refuses_files_that_are_no_text_or_too_large(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "c.toml").write_bytes(content)
    with pytest.raises(UsageError, match=r"c\.toml: (line 1 is not UTF-8|is larger than 16 MB)"):
        read(tmp_path / "c.toml", environment={})


def test_refuses_a_folder_and_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder"):
        read(tmp_path, environment={})
    with pytest.raises(UsageError, match="there is no such file"):
        read(tmp_path / "none.toml", environment={})


def test_a_plugin_that_could_not_be_loaded_says_why_where_it_is_used(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(MINIMAL.replace("solar", "wind"))
    known = registry()
    known.broken.append(BrokenPlugin("wind", "wind-farm 1.0", "ImportError: no blades"))
    with pytest.raises(ConfigError, match=r"of wind-farm 1\.0 cannot be loaded: ImportError"):
        resolve(read(tmp_path / "c.toml", environment={}), known, now_ms=0, flags=Flags())


def with_project(lines: str) -> str:
    return MINIMAL.replace('id = "P"', f'id = "P"\n{lines}')


BEYOND = "must be within -1,000,000,000 and 1,000,000,000 kW"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (with_project("contract_threshold = 1e307"), f"'contract_threshold' {BEYOND}"),
        (with_project("baseline = -1e10"), f"'baseline' {BEYOND}"),
        (with_project("baseline = { normal = [0, 1e300] }"), f"'baseline' {BEYOND}"),
        (
            with_project("baseline = { uniform = [-1.7e308, 1.7e308] }"),
            "'baseline' overflows for some",
        ),
        (
            with_project("load = { type = 'shop', annual_kwh = 1e300 }"),
            "'annual_kwh' must be within",
        ),
        (MINIMAL.replace("nameplate_capacity = 5.0", "nameplate_capacity = 1e307"), BEYOND),
    ],
)
def test_numbers_that_would_become_infinite_are_refused_in_their_stanza(
    tmp_path: Path, text: str, message: str
) -> None:
    found = report(tmp_path, text)
    assert message in found
    assert re.match(r"c\.toml:[2-6]:\d+: error: ", found)


def test_ids_are_unique_and_both_stanzas_are_named(tmp_path: Path) -> None:
    more = '[[projects]]\nid = "Q"\n[[projects.ders]]\nid = "D"\ntype = "solar"\n' + (
        "nameplate_capacity = 1\n"
    )
    found = report(tmp_path, MINIMAL + more)
    assert "c.toml:12:6: error: the id 'D' is already taken on line 4" in found
    found = report(tmp_path, MINIMAL.replace('id = "P"', 'id = "P"\ncount = 2'))
    assert "the id 'P' occurs more than once: put {n} into it" in found
    assert "the id 'D' occurs more than once: put {project_id} into it" in found
    assert "put {n} into it" in report(tmp_path, with_der("count = 2"))


@pytest.mark.parametrize(
    "name",
    [
        *("", "a/b", "a+", "#", "$SYS", "a\\u0000", "a\\n", " a", "a ", ".", "..", "a" * 129),
        *("{project_id:05}", "{x}", "{n:5}", "{n:00}", "{{n}}", "}", "\\u00e9" * 65),
    ],
)
def test_refuses_ids_that_could_do_harm(tmp_path: Path, name: str) -> None:
    found = report(tmp_path, MINIMAL.replace('"D"', f'"{name}"'))
    assert found.startswith("c.toml:4:6: error: ")


def test_a_count_too_large_is_refused_before_it_is_made(tmp_path: Path) -> None:
    text = MINIMAL.replace('"P"', '"P{n}"\ncount = 1_000_000').replace(
        '"D"', '"{project_id}_{n}"\ncount = 1_000_000'
    )
    assert "makes more than 10,000,000 DERs" in report(tmp_path, text)

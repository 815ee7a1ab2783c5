"""The errors of a template: each points at its place in the text, the configuration or the file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gridsim.api import Framing, TextError
from gridsim.config.text.report import ConfigError
from gridsim.running.plan import Options, make_plan
from gridsim.testing import make_roster, make_sites
from gridsim_plugins.formats.template import Template, TemplateSettings

ROSTER = replace(
    make_roster(columns={"energy_import_kwh": "kWh", "state": "1"}),
    sites=make_sites(2, timezone="America/Moncton"),
)


@pytest.mark.parametrize(
    ("framing", "template", "message"),
    [
        ("der", "^", "the template is empty"),
        ("der", "^ \n ", "the template is empty"),
        ("der", "^" + " " * 262_145 + "1", "the template has 262,146 characters"),
        ("der", "[" * 33 + "^[", "nests deeper than 32"),
        ("der", "^[1, 2", "this [ is never closed"),
        ("der", "[1^, ]", "this comma is followed by nothing"),
        ("der", "[1 ^2]", "a comma or ] is expected here"),
        ("der", "{^{}}", "a key in quotes is expected here"),
        ("der", '{"a": {^current_output}}', "write a placeholder in quotes, too"),
        ("der", '{"a" ^1}', "a colon is expected here"),
        ("der", '{"a": ^}', "a value is expected here"),
        ("der", '{"a": ^tru}', "'tru' is not a value of JSON"),
        ("der", "[^01]", "'01' is not a value of JSON"),
        ("der", '^"abc', "no closing quote"),
        ("der", '"a^\\q"', "is not an escape of JSON"),
        ("der", '^"\\ud800"', "half of a surrogate pair"),
        ("der", "1 ^2", "the template ends here"),
        ("der", '{"a": 1, ^"a": 2}', "this key occurs twice"),
        ("der", '{"a": 1, ^"\\u0061": 2}', "this key occurs twice"),
        ("der", '"x ^{current_output"', "has no closing brace"),
        ("der", '"x ^} y"', "has no opening one"),
        ("der", '"^{ }"', "this placeholder is empty"),
        ("der", '"{current_output | ^}"', "a filter is a name"),
        ("der", '"{^curent_output}"', "there is no field 'curent_output'"),
        ("der", '"{2 * ^curent_output}"', "there is no field 'curent_output'"),
        ("der", '"{current_output | ^rond(1)}"', "there is no filter 'rond'"),
        ("der", '"{current_output | ^round(1, 2)}"', "round takes a number of decimals"),
        ("der", '"{current_output | ^round(-1)}"', "round takes a number of decimals"),
        ("der", '"{current_output | round | ^round}"', "was already used"),
        ("der", '"{timestamp | ms | ^s}"', "was already used"),
        ("der", '"{current_output | ^upper}"', "is for a text"),
        ("der", '"{der_id | ^round}"', "is for a number"),
        ("der", '"{is_online | ^as(1)}"', "as takes the texts or numbers"),
        ("der", '"{current_soc | ^else}"', "else takes the value"),
        ("der", '"{timestamp | ^ms(3)}"', "ms takes no argument"),
        ("der", '"{^is_online * 2}"', "'is_online' is not a number"),
        ("der", '"{^abs(1, 2)}"', "abs takes 1 value, not 2"),
        ("der", '"{^open(1)}"', "there is no function 'open'"),
        ("der", '"{^seq.real}"', "an expression has fields"),
        ("der", '"{seq ** 2}"', "an expression has fields"),
        ("der", '"{seq +}"', "is not an expression"),
        ("der", '"{2max(net, seq)}"', "is not an expression"),
        ("der", '"{seq / ^0}"', "this divides by zero"),
        ("der", '"{1 / ^-0.0}"', "this divides by zero"),
        ("der", '"{seq * 2 / (^3 - 3) + 1}"', "this divides by zero"),
        ("der", '"{max(1 / ^min(0, 1), seq)}"', "this divides by zero"),
        ("der", '"{^1e309}"', "this number is larger"),
        ("der", '"{seq + ^1e308 * 10}"', "this number is larger"),
        ("der", '"{' + "-" * 201 + "^-" + "-" * 98 + 'seq}"', "the expression nests deeper"),
        ("der", '"{current_output | ^name}"', "'current_output' have no names"),
        ("der", '"{state | name | ^round}"', "the filter round is for a number"),
        ("der", '"{state + 0 | ^name}"', "'state + 0' have no names"),
        ("der", '"{state | ^name(1)}"', "name takes no argument"),
        ("der", '^"{current_soc | else(omit)}"', "a message cannot be left out"),
        ("der", '{"a": "^{current_soc | else(omit_element)}"}', "there is none around it"),
        ("der", '{^"{seq}": 1}', "a key is a text"),
        ("der", '^[1, "..."]', "a message of framing der has one"),
        ("project", '[1, 2, ^"..."]', "repeats the element before it"),
        ("project", '{"a": "{^der_id}"}', "differs between the devices"),
        ("project", '{"a": "{^current_output + 1}"}', "differs between the devices"),
        ("project", '{^"{type}": 1}', "must contain {der_id}"),
        ("project", '{^"{der_id}": 1, "a": 2}', "must be the only one"),
        ("project", '[^[1, "..."], "..."]', "is repeated already"),
    ],
)
def test_an_error_points_at_its_place(framing: Framing, template: str, message: str) -> None:
    place = template.find("^")
    text = template.replace("^", "")
    with pytest.raises(TextError) as caught:
        Template(TemplateSettings(template=text), framing, ROSTER)
    error = caught.value
    assert message in error.message
    if place >= 0:
        assert (error.setting, error.offset, error.text) == (("template",), place, text)


def test_a_near_name_is_suggested() -> None:
    with pytest.raises(TextError) as caught:
        Template(TemplateSettings(template='"{tpye}"'), "der", make_roster())
    assert caught.value.suggestion == "type"


CONFIG = """
[[projects]]
id = "HOME"
[[projects.ders]]
id = "PV"
type = "solar"
nameplate_capacity = 5.0
[[transports]]
type = "stdout"
[transports.format]
type = "template"
"""


@pytest.mark.parametrize(
    ("lines", "place", "source"),
    [
        ('template = \'{"a": "{tpye}"}\'', "12:21", 'template = \'{"a": "{tpye}"}\''),
        ('template = "{\\"a\\": \\"\\u0041{tpye}\\"}"', "12:30", None),
        ('template = """\n{"a":\n  "{tpye}"}"""', "14:5", '  "{tpye}"}"""'),
        ('template = """{"a": \\\n   "{tpye}"}"""', "13:6", '   "{tpye}"}"""'),
        ("template = '''\n\n  [\"{tpye}\"]'''", "14:6", "  [\"{tpye}\"]'''"),
    ],
)
def test_the_report_shows_the_place_in_the_configuration(
    lines: str, place: str, source: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "own.toml"
    path.write_text(CONFIG + lines + "\n")
    with pytest.raises(ConfigError) as caught:
        make_plan(Options(config=path))
    first, shown, caret = str(caught.value).splitlines()
    assert first == f"{path}:{place}: error: there is no field 'tpye'; did you mean 'type'?"
    assert shown[len(caret) - 1 :].startswith("tpye}")
    assert source is None or shown == "    " + source


def test_the_report_shows_the_place_in_a_file(tmp_path: Path) -> None:
    path, file = tmp_path / "own.toml", tmp_path / "message.json"
    path.write_text(CONFIG + 'template_file = "message.json"\n')
    file.write_bytes(b'\xef\xbb\xbf{"a": 1,\r\n "b": "{tpye}"}\r\n')
    with pytest.raises(ConfigError) as caught:
        make_plan(Options(config=path))
    first, shown, caret = str(caught.value).splitlines()
    assert first == f"{file}:2:9: error: there is no field 'tpye'; did you mean 'type'?"
    assert (shown, caret) == ('     "b": "{tpye}"}', " " * 12 + "^")
    file.write_bytes(b'{"a": 1,\n "b\xff": 2}')
    with pytest.raises(ConfigError, match=r"message\.json:2:4: error: the byte 0xff is not UTF-8"):
        make_plan(Options(config=path))
    file.unlink()
    with pytest.raises(ConfigError, match=r"template_file: .*message\.json does not exist"):
        make_plan(Options(config=path))
    file.write_text('{"a": "{type}"}')
    assert make_plan(Options(config=path)).transports[0].format.example() == '{"a":"solar"}'


def test_a_flag_has_no_place_so_the_line_is_said(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(CONFIG + "template = '1'\n")
    flag = "transports.0.format.template='[\"{tpye}\"]'"
    with pytest.raises(ConfigError) as caught:
        make_plan(Options(config=path, overrides=(flag,)))
    assert "line 1, column 4 of the text: there is no field 'tpye'" in str(caught.value)

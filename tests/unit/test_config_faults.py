"""[[faults]]: what may stand there, and what is said of what may not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tomli
from jsonschema import Draft202012Validator

from gridsim.config.schema import build
from gridsim.config.text.report import ConfigError
from gridsim.plugins.host import PluginHost
from gridsim.running.plan import Options, make_plan
from gridsim.simulation.scenario import Scenario
from gridsim.simulation.step import Simulation
from tests.fixtures.runs import HEAD, HOMES


def scenario_of(folder: Path, text: str, **files: str) -> Scenario:
    for name, content in files.items():
        (folder / f"{name}.toml").write_text(content)
    path = folder / "c.toml"
    path.write_text(HEAD + HOMES + text)
    return make_plan(Options(config=path)).configuration.scenario


def report(folder: Path, text: str, **files: str) -> str:
    with pytest.raises(ConfigError) as found:
        scenario_of(folder, text, **files)
    return str(found.value).replace(f"{folder}/", "")


def fault(lines: str) -> str:
    return f"[[faults]]\n{lines}\n"


def test_patterns_choose_devices(tmp_path: Path) -> None:
    text = fault('type = "noise"')
    text += fault('id = "two"\ntype = "noise"\nders = ["*_PV", "HOME_1_*"]')
    text += fault('id = "three"\ntype = "noise"\nders = ["*_PV"]\nprojects = ["HOME_[23]"]')
    every, some, few = scenario_of(tmp_path, text).faults
    assert every.id == "noise"
    assert every.device.tolist() == list(range(6))
    assert list(some.members.ids) == ["HOME_1_PV", "HOME_1_BAT", "HOME_2_PV", "HOME_3_PV"]
    assert list(few.members.ids) == ["HOME_2_PV", "HOME_3_PV"]


def test_faults_of_one_type_draw_differently_and_a_project_draws_together(tmp_path: Path) -> None:
    text = fault('type = "clock_step"\nstep_s = { uniform = [-10, 10] }')
    text += fault('id = "again"\ntype = "clock_step"\nstep_s = { uniform = [-10, 10] }')
    text += fault(
        'id = "both"\ntype = "clock_step"\nof = "project"\nstep_s = { uniform = [-10, 10] }'
    )
    one, other, together = (
        spec.members.columns["step_s"] for spec in scenario_of(tmp_path, text).faults
    )
    assert len(set(one.tolist()) | set(other.tolist())) == 12
    assert np.array_equal(together[::2], together[1::2])
    assert len(set(together.tolist())) == 3


def test_they_may_stand_in_files_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(
        HEAD.replace("[simulation]", '[simulation]\nscenarios = ["a.toml", "b.toml"]') + HOMES
    )
    (tmp_path / "a.toml").write_text(fault('type = "drop"'))
    (tmp_path / "b.toml").write_text(fault('type = "ghost"\nders = ["HOME_1_PV"]'))
    plan = make_plan(Options(config=tmp_path / "c.toml"))
    assert [spec.id for spec in plan.configuration.scenario.faults] == ["drop", "ghost"]
    (tmp_path / "b.toml").write_text(fault('\ntype = "drop"\nprobabilty = 0.1'))
    with pytest.raises(ConfigError) as found:
        make_plan(Options(config=tmp_path / "c.toml"))
    assert "b.toml:4:1" in str(found.value)
    assert "did you mean 'probability'?" in str(found.value)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ('type = "ofline"', "there is no fault 'ofline'"),
        ('type = "ofline"', "did you mean 'offline'?"),
        ('type = "offline"\nreading = "stored"', "did you mean 'readings'?"),
        ('type = "offline"\nafter_s = 5', "'duration_s' is missing: 'after_s' needs it"),
        ('type = "offline"\nper_day = 5', "'duration_s' is missing: 'per_day' needs it"),
        ('type = "drop"\nduration_s = 5', "'duration_s' needs a start"),
        (
            'type = "drop"\nafter_s = 1\ncron = "* * * * *"\nduration_s = 5',
            "'cron' and 'after_s' exclude each other",
        ),
        (
            'type = "drop"\nafter_s = 1\nper_day = 2\nduration_s = 5',
            "'per_day' and 'after_s' exclude each other",
        ),
        ('type = "drop"\nid = "a\\nb"', "'id' must not hold U+000A: it is not visible"),
        ('type = "drop"\nid = "a\\u200bb"', "'id' must not hold U+200B: it is not visible"),
        ('type = "drop"\nders = ["HOME_9_*"]', "there is no DER that matches 'HOME_9_*'"),
        ('type = "drop"\nprojects = ["SHOP"]', "there is no project that matches 'SHOP'"),
        (
            'type = "drop"\nders = ["HOME_1_*"]\nprojects = ["HOME_2"]',
            "none of these DERs is in one of these projects",
        ),
        ('type = "drop"\nprobability = 0', "'probability' must be greater than 0"),
        (
            'type = "drop"\nper_day = 1\nduration_s = { normal = [60, 10] }',
            "'duration_s' has no lower end, but must be greater than 0: give `min`",
        ),
        (
            'type = "schema_drift"\nfield = "curent_output"',
            "the fault 'schema_drift' has a field that is not written, 'curent_output'; "
            "did you mean 'current_output'?",
        ),
        (
            'type = "schema_drift"\nrenamed_to = "baseline"',
            "the fault 'schema_drift' would rename a field to another field, 'baseline'",
        ),
        ('type = "truncate"\nleast = 60\nmost = 40', "least must not be above most"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, lines: str, message: str) -> None:
    text = report(tmp_path, fault(lines))
    assert message in text
    assert "c.toml:" in text


def test_ids_are_unique_and_few(tmp_path: Path) -> None:
    twice = report(tmp_path, fault('type = "drop"') * 2)
    assert "the fault id 'drop' is already taken on line" in twice
    many = "".join(fault(f'id = "F{n}"\ntype = "drop"') for n in range(64))
    assert "there are more than 63 faults" in report(tmp_path, many)


def test_a_schema_drifts_in_json_only(tmp_path: Path) -> None:
    text = '[[transports]]\ntype = "file"\npath = "out.csv"\nformat = "csv"\n'
    said = report(tmp_path, text + fault('type = "schema_drift"'))
    assert "'schema_drift' changes fields of JSON, but a transport of this run writes csv" in said
    scenario_of(tmp_path, text + fault('type = "truncate"'))


def test_another_format_that_writes_json_may_drift(tmp_path: Path) -> None:
    (tmp_path / "pretty.py").write_text(
        "import numpy as np\n"
        "from gridsim.api import Format, Payloads, hookimpl\n"
        "class Pretty(Format):\n"
        '    """Two fields and much space."""\n'
        "    is_json = True\n"
        "    def encode(self, batch):\n"
        '        bodies = [b\'{ "seq": %d, "current_output": 1.50 }\' % t for t in batch.tick]\n'
        "        return Payloads(bodies, np.arange(len(batch) + 1))\n"
        "@hookimpl\n"
        "def gridsim_register(register):\n"
        '    register.format("pretty", Pretty)\n'
    )
    (tmp_path / "c.toml").write_text(
        HEAD.replace('type = "stdout"', 'type = "stdout"\nformat = "pretty"')
        + HOMES
        + fault('type = "schema_drift"\nfield = "current_output"\nrenamed_to = "kw"')
    )
    plan = make_plan(Options(config=tmp_path / "c.toml", plugins=(tmp_path / "pretty.py",)))
    batch = Simulation(plan.configuration.scenario).step()
    bodies = plan.transports[0].transport.format.encode(batch).bodies
    assert bodies[0] == b'{"seq":0,"kw":1.50}'


def test_a_field_is_known_by_the_name_that_is_written(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(
        HEAD.replace(
            'type = "stdout"',
            'type = "stdout"\nformat = { type = "json", rename = { current_output = "kw" } }',
        )
        + HOMES
        + fault('type = "schema_drift"\nfield = "kw"\nchange = "missing"')
    )
    [spec] = make_plan(Options(config=tmp_path / "c.toml")).configuration.scenario.faults
    assert spec.name == "schema_drift"


def test_the_schema_admits_the_shipped_faults_and_no_misspelt_ones() -> None:
    host = PluginHost()
    host.load_installed()
    schema = build(host.registry)
    validator = Draft202012Validator({**schema["properties"]["faults"], "$defs": schema["$defs"]})
    shipped = Path(__file__).parents[2] / "configs/scenarios/everything-breaks.toml"
    text = shipped.read_text().replace("start = 2026-11-01T01:45:00-03:00", 'start = "x"')
    faults = tomli.loads(text)["faults"]
    assert list(validator.iter_errors(faults)) == []
    assert list(validator.iter_errors([{**faults[0], "der": ["X"]}]))
    assert list(validator.iter_errors([{"type": "offline", "readings": "late"}]))


def test_a_fault_of_texts_is_refused_beside_a_transport_of_columns(tmp_path: Path) -> None:
    columns = '[[transports]]\ntype = "postgres"\ndatabase = "x"\n'
    assert scenario_of(tmp_path, columns + fault('type = "drop"')).faults
    text = report(tmp_path, columns + fault('type = "truncate"'))
    assert "'truncate' alters the text of messages, and a transport writes columns" in text

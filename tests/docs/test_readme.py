"""The configurations, the plugin, the flags and the targets of the README work."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gridsim.running.plan import Options, make_plan
from tests.fixtures.prepared import gridsim

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


PROJECT = """
[[projects]]
id = "HOME"
contract_threshold = 2.0
[[projects.ders]]
id = "HOME_PV"
type = "solar"
nameplate_capacity = 5.0
"""
STDOUT = '[[transports]]\ntype = "stdout"\n'


@pytest.mark.parametrize("block", blocks("toml"))
def test_its_configurations_are_valid(block: str, tmp_path: Path) -> None:
    if block.startswith(("format", "[[events]]", "[ledger]")):
        block = PROJECT + STDOUT + block
    elif "[[projects]]" not in block:
        block = PROJECT + block
    path = tmp_path / "readme.toml"
    path.write_text(block)
    plan = make_plan(Options(config=path))
    assert len(plan.configuration.scenario.roster) > 0


def test_its_plugin_is_the_one_in_the_examples() -> None:
    block, _ = sorted(blocks("python"), key=lambda text: "hookimpl" not in text)
    example = (ROOT / "examples/my_ders/electric_heater.py").read_text()
    assert block.split('"""\n', 1)[1] == example.split('"""\n', 1)[1]


def test_its_program_commands_a_battery() -> None:
    [block] = [text for text in blocks("python") if "import gridsim\n" in text]
    assert re.findall(r"^(?:from|import) .*", block, re.MULTILINE) == ["import gridsim"]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", block],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert "[960 rows x 15 columns]" in done.stdout
    assert done.stdout.splitlines()[-1] == "DER_123456 -3.0 kW"


def test_its_record_has_the_fields_in_order() -> None:
    [record] = blocks("json")
    done = gridsim("--config", ROOT / "configs/stdout.toml", "--speed", "0", "--duration", "1s")
    sent = json.loads(done.stdout.splitlines()[0])
    assert list(sent) == list(json.loads(record))


def test_its_flags_and_commands_exist() -> None:
    helps = [
        ["--help"],
        ["plugins", "--help"],
        ["bench", "--help"],
        ["send", "--help"],
        ["verify", "--help"],
    ]
    known = ""
    for words in helps:
        known += gridsim(*words).stdout
    flags = set(re.findall(r"`(?:gridsim [^`]*)?(--[a-z-]+)", README)) - {"--config"}
    assert flags
    assert {flag for flag in flags if flag not in known} == set()


def test_its_targets_and_files_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"`make ([a-z][a-z-]*)", README)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for path in set(re.findall(r"\b((?:configs|examples|benchmarks)/[\w./-]+\w)", README)):
        assert (ROOT / path).exists(), path

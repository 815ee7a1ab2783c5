"""The fixture `gridsim_fleet`, in tests of their own that run inside these."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from tempfile import mkdtemp

import pytest

from gridsim.fixture.factory import FleetFactory
from tests.integration.conftest import Brokers
from tests.integration.mosquitto import Mosquitto
from tests.integration.pytest_plugin.texts import INSIDE, SHARED, TEXT

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples/aggregator"
PAGE = ROOT / "docs/pytest.md"
WRONG = "E * AssertionError: the code under test differs from the truth: "
STRICT = ("-W", "error", "-p", "no:cacheprovider", "-p", "no:xdist")


def factory(folder: Path) -> FleetFactory:
    return FleetFactory(folder=folder, data=folder, shared=folder, broker=None, broker_from="")


@pytest.fixture(scope="module", autouse=True)
def _loaded(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Load all that a fleet loads, so that it is not loaded again for each test inside a test."""
    import time_machine

    assert time_machine
    with factory(tmp_path_factory.mktemp("loaded")) as make:
        fleet = make(TEXT)
        fleet.advance("1m")
        fleet.verify([message.json() for message in fleet.messages("projects/+/ders/+")])


@pytest.fixture
def example(pytester: pytest.Pytester) -> pytest.Pytester:
    for file in EXAMPLE.iterdir():
        if file.is_file():
            shutil.copy(file, pytester.path)
    return pytester


def test_the_example_passes_in_its_folder() -> None:
    # -P: as the command `pytest`, which does not put the working folder on the path.
    command = [sys.executable, "-P", "-m", "pytest", *STRICT]
    done = subprocess.run(command, cwd=EXAMPLE, capture_output=True, text=True, timeout=120)
    assert re.search(r"^=+ 1 passed", done.stdout, re.MULTILINE), done.stdout + done.stderr


@pytest.mark.parametrize(
    ("bug", "lines"),
    [
        (
            "ExportCountsAsLoad",
            [
                f"{WRONG}4 of 4 settlements",
                "E * 4 settlements compared, 4 differences",
                "E * peak HOME_1: -1.983 kWh instead of 1.500",
            ],
        ),
        (
            "CountsRepeats",
            [
                f"{WRONG}4 of 4 settlements",
                "E * duplicate            26  25 duplicate, 1 duplicate + delay",
                "E * peak HOME_1: 1.639 kWh instead of 1.500",
            ],
        ),
        (
            "BaselineOfTheStart",
            [
                f"{WRONG}4 of 4 settlements",
                "E * peak HOME_1: 1.489 kWh instead of 1.500",
            ],
        ),
    ],
)
def test_the_example_finds_a_bug_of_the_back_end_at_the_users_broker(
    example: pytest.Pytester,
    brokers: Brokers,
    bug: str,
    lines: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url, nowhere = f"mqtt://127.0.0.1:{brokers.ports['plain']}", "mqtt://127.0.0.1:1"
    words = ["--aggregator", f"bugs:{bug}", "-o", f"gridsim_broker={nowhere}"]
    # The option comes before the variable, and the variable before the setting.
    by_option = bug == "CountsRepeats"
    monkeypatch.setenv("GRIDSIM_BROKER", nowhere if by_option else url)
    words += ["--gridsim-broker", url] if by_option else []
    result = example.runpytest_inprocess(*STRICT, *words)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(lines)
    page = PAGE.read_text()
    assert [line for line in lines if re.sub(r"^E \* ", "", line) not in page] == []


def test_each_part_works_and_says_what_is_wrong(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_inside=INSIDE)
    before = {thread.name for thread in threading.enumerate()}
    result = pytester.runpytest_inprocess(*STRICT)
    assert {thread.name for thread in threading.enumerate()} == before
    result.assert_outcomes(passed=6, failed=9)
    text = result.stdout.str()
    for line in (
        "test_inside.py *",
        f"{WRONG}2 of 10 readings",
        "E * unexplained: missing PV 2026-06-21T15:00:00.000Z",
        "E * unexplained: altered BAT 2026-06-21T15:01:00.000Z, records[[]2]: *",
        "E * gridsim.errors.UsageError: gridsim_fleet().clock needs time-machine: pip install *",
        "<gridsim_fleet>:14:8: error: there is no DER 'solr'; *did you mean 'solar'[?]",
        '    type = "solr"',
        "           ^",
        "projects?0?.ders?0?.type: error: there is no DER 'batery'; *",
        "transport mqtt cannot connect: nothing listens at 127.0.0.1:1: connection refused",
        "broker: error: 'host' http:// is not one of mqtt://, *",
        "nowhere.toml: there is no such file",
        "E * this fleet has no broker: its configuration has the transports file. Without *",
    ):
        result.stdout.fnmatch_lines([line])
    assert "During handling" not in text
    assert "fixture/fleet.py" not in text
    left = [path for path in pytester.path.rglob("*") if path.name.startswith("ledger")]
    assert left == []


def test_the_page_is_right(pytester: pytest.Pytester) -> None:
    page = PAGE.read_text()
    [first, example] = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    pytester.makepyfile(test_page=first)
    pytester.runpytest_inprocess(*STRICT).assert_outcomes(passed=1)
    assert (EXAMPLE / "test_aggregator.py").read_text().endswith(example)
    assert f"{len((EXAMPLE / 'aggregator.py').read_text().splitlines())} lines" in page


def test_what_a_restart_of_the_broker_delays_is_waited_for(
    commands: dict[str, str], tmp_path: Path
) -> None:
    listeners = {"plain": "allow_anonymous true"}
    with (
        Mosquitto(commands["mosquitto"], tmp_path, listeners) as broker,
        factory(Path(mkdtemp(dir=tmp_path))) as make,
    ):
        fleet = make(TEXT, broker=f"mqtt://127.0.0.1:{broker.ports['plain']}")
        fleet.advance("3m")
        broker.stop(kill=True)
        broker.start()
        fleet.advance("3m")
        [transport] = fleet.status.transports
        assert (transport.delivered, transport.pending, transport.reconnects) == (12, 0, 1)


def test_workers_of_xdist_take_turns_at_the_users_broker(
    pytester: pytest.Pytester, brokers: Brokers
) -> None:
    url = f"mqtt://127.0.0.1:{brokers.ports['plain']}"
    pytester.makepyfile(test_shared=SHARED + f"\nBROKER = {url!r}\n")
    pytester.makeini(f"[pytest]\ngridsim_broker = {url}\n")
    result = pytester.runpytest_inprocess("-W", "error", "-n", "2")
    result.assert_outcomes(passed=2)


def test_the_plugin_alone_loads_nothing_heavy() -> None:
    code = (
        "import sys, gridsim.pytest_plugin; "
        "print([m for m in ('numpy', 'pydantic', 'loguru', 'paho', 'gridsim.running') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"

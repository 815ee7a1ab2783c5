"""The console blocks of the pages do what the text says. Each line is run, or has a reason."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.fixtures import prepared
from tests.fixtures.ports import free_port
from tests.integration.commands import gridsim

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
WRITTEN = {"performance.md", "realism.md", "reliability.md", "fuzzing.md"}
"""Pages that commands write, with the output of each command."""
DEADLINE_S = 300

INSTALLS = "installs gridsim: `make wheel`, `make example` and tests/packaging do"
LIVE = "runs until Ctrl-C, which another test of this file presses"
NOT_RUN = {
    r"pipx .*|uvx .*|git clone .*|cd gridsim|(\.venv/bin/)?pip install .*": INSTALLS,
    r"python3 -m venv .*|\. \.venv/bin/activate": INSTALLS,
    r"make run": f"{INSTALLS}; it then runs configs/default.toml",
    r"(\.venv/bin/)?gridsim demo": "takes two minutes: tests of the demo step its configuration",
    r"(\.venv/bin/)?gridsim --config (configs/default|home)\.toml": LIVE,
    r"cd ha|gridsim --config gridsim\.toml": f"{LIVE}, and a broker",
    r"gridsim send .*": "needs a run: another test of this file sends each of them",
    r"mosquitto(_sub|_pub)? .*|MQTT_HOST=.*": "port 1883 or 18830 may be another broker's",
    r"gridsim init home\.toml": "asks questions on a terminal: tests of init answer them",
    r"pytest .*|cd examples/aggregator && pytest": "tests/integration/pytest_plugin does",
    r"gridsim (plugins|--config ice_rink/).*ice_rink.*": "`make example` does, after pip",
    r"gridsim --config haze/.*": "needs `pip install`, as `make example` does for a DER type",
    r"gridsim verify .* --subscribe .*": "needs a run and a broker: tests/integration have it",
    r'gridsim query .* "SELECT \.\.\."': "the dots are for a query of the reader",
    r"python benchmarks/.*": "a benchmark of half a minute",
    r"cd examples/aggregator": "the next line is for that folder",
    r"(AGGREGATOR=.* )?gridsim check my-system.*": "all days, minutes; test_check.py runs some",
    r"gridsim plot home\.toml .*": "8,640 ticks and more: test_plot.py draws such pictures",
    r"gridsim --config X --resume": "needs a run that was killed: test_resume.py has many",
    r"gridsim --config X --start .*": "years of ticks: test_backfill.py has less",
    r"gridsim play readings\.jsonl --config X .*": "X is the reader's: tests/unit/play has many",
    r"docker .*": "needs Docker",
    r"/opt/gridsim/bin/pip .*|install -.*|systemctl .*|journalctl .*": "installs a service",
    r"kill -HUP PID": "needs a run: test_runs.py sends it the signal",
    r"gridsim --config configs/dr-event.*": "7,200 ticks: test_settlement.py steps this file",
    r"gridsim --config configs/chaos.*": "1,200 ticks: tests/integration/test_chaos_run.py does",
}
"""Patterns of command lines that are not run here, with the reasons."""
SAMPLE = """
[simulation]
tick_s = 60
duration_s = 3600
speed = 0
start = 2026-07-14T17:00:00Z

[[projects]]
id = "HOME_{n}"
count = 2
contract_threshold = 1.0
load = { type = "constant", kw = 3.0 }

[[projects.ders]]
id = "{project_id}_BAT"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 13.5

[[events]]
id = "peak"
after_s = 600
duration_s = 1800

[[transports]]
type = "file"
path = "readings.jsonl"

[ledger]
path = "out/ledger.sqlite"
"""


class Line(NamedTuple):
    """A command line of a page."""

    text: str
    printed: tuple[str, ...]
    """The lines that the page shows below it."""


def lines(page: Path) -> Iterator[Line]:
    """Yield the command lines of the console blocks of a page."""
    blocks = re.findall(r"^```(console|sh)\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    for kind, block in blocks:
        text = block.replace("\\\n", " ")
        marked = text.splitlines()
        if kind == "sh":
            marked = [f"$ {line}" for line in marked if line]
        for part in "\n".join(marked).split("$ ")[1:]:
            command, *printed = part.splitlines()
            whole = re.sub(r" +# .*", "", command)
            own = [whole] if "pytest" in whole else whole.split(" && ")
            for one in own:
                last = one == own[-1]
                yield Line(re.sub(r"  +", " ", one).strip(), tuple(printed if last else ()))


def reason(text: str) -> str | None:
    """Return the reason why a command line is not run here."""
    found = (why for pattern, why in NOT_RUN.items() if re.fullmatch(pattern, text))
    return next(found, None)


EXAMPLES = {page.name: list(lines(page)) for page in PAGES if page.name not in WRITTEN}
RUN = {
    name: own
    for name, every in EXAMPLES.items()
    if (own := [line for line in every if reason(line.text) is None])
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working folder like a checkout, without a run in it."""
    for name in ("configs", "examples", ".env.example"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


@pytest.fixture
def environment() -> dict[str, str]:
    """The environment of a command; the port is free, so that no other run is in the way."""
    return {**os.environ, "MQTT_PORT": str(free_port())}


def sampled(folder: Path) -> None:
    """Make the files of a run that the pages assume: X is its configuration."""
    (folder / "X").write_text(SAMPLE)
    assert gridsim("--config", "X", cwd=folder).returncode == 0
    assert gridsim("export", "out/ledger.sqlite", "--to", "export.csv", cwd=folder).returncode == 0
    query = "SELECT event, project_id, delivered_kwh AS reduction_kwh FROM settlements "
    found = gridsim(
        "query", "out/ledger.sqlite", query + "JOIN projects USING (project)", cwd=folder
    )
    (folder / "settlement.csv").write_text(found.stdout)
    done = gridsim("verify", "out/ledger.sqlite", "readings.jsonl", "--json", cwd=folder)
    (folder / "verify.json").write_text(done.stdout)


def sampled_with_other_names(folder: Path) -> None:
    """Make the files of a run, with an export that has the names in docs/ledger.md."""
    sampled(folder)
    head, _, rest = (folder / "export.csv").read_text().partition("\n")
    names = head.replace("der_id", "device").split(",")
    time = names.index("timestamp")
    stored = (f"{row},{row.split(',')[time]}" for row in rest.splitlines())
    text = "\n".join([",".join([*names, "stored_at"]), *stored, ""])
    (folder / "export.csv").write_text(text)


def of_the_page(folder: Path) -> None:
    """Save the configuration that docs/quickstart.md shows as home.toml."""
    page = (ROOT / "docs/quickstart.md").read_text()
    [text] = re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (folder / "home.toml").write_text(text)


PREPARE: dict[str, Callable[[Path], None]] = {
    "README.md": sampled,
    "baselines.md": sampled,
    "ledger.md": sampled_with_other_names,
    "quickstart.md": of_the_page,
}


@pytest.mark.parametrize("name", RUN)
def test_the_command_lines_of_a_page_work(
    name: str, folder: Path, environment: dict[str, str]
) -> None:
    if name in PREPARE:
        PREPARE[name](folder)
    for line in RUN[name]:
        words = shlex.split(line.text)
        if words[0] == "gridsim":
            done = prepared.gridsim(*words[1:], cwd=folder, env=environment, timeout_s=DEADLINE_S)
        else:
            shell = ["bash", "-c", line.text]
            done = subprocess.run(shell, cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, f"{line.text}\n{done.stderr}"
        shown = (done.stdout + done.stderr).splitlines()
        for printed in line.printed:
            assert any(own.endswith(printed) for own in shown), f"{line.text}\n{printed}"


def test_each_reason_not_to_run_is_for_a_command_line() -> None:
    texts = [line.text for every in EXAMPLES.values() for line in every]
    for pattern in NOT_RUN:
        assert any(re.fullmatch(pattern, text) for text in texts), pattern


def until_ctrl_c(
    config: str, folder: Path, environment: dict[str, str], act: Callable[[], None]
) -> list[str]:
    """Run a configuration, act when its devices send, press Ctrl-C, and return the log."""
    run = prepared.start("--config", config, cwd=folder, env=environment, stderr=subprocess.PIPE)
    assert run.stderr is not None
    log = []
    try:
        for line in run.stderr:
            log.append(line.rstrip())
            if " delivered" in line:
                act()
                run.send_signal(signal.SIGINT)
                break
        log += run.stderr.read().splitlines()
        assert run.wait(DEADLINE_S) == 130
    finally:
        run.kill()
        run.stderr.close()
    return log


def test_commands_to_the_default_fleet_are_accepted_as_the_pages_show(
    folder: Path, environment: dict[str, str]
) -> None:
    every = [line for own in EXAMPLES.values() for line in own]
    sent = {line.text: line for line in every if line.text.startswith("gridsim send ")}
    assert len(sent) == 5

    def send() -> None:
        for line in sent.values():
            done = prepared.gridsim(
                *shlex.split(line.text)[1:], cwd=folder, env=environment, timeout_s=DEADLINE_S
            )
            answer = r"send-[0-9a-f]{8}: accepted at \d{4}-\d\d-\d\dT[\d:.]+Z, tick \d+"
            for answered in (*line.printed, *done.stdout.splitlines()[:1]):
                assert re.fullmatch(answer, answered), f"{line.text}\n{done.stderr}"
            assert done.returncode == 0

    log = until_ctrl_c("configs/default.toml", folder, environment, send)
    [shown] = re.findall(r"^mqtt: .*", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert re.sub("[0-9]+", "N", shown) in {re.sub("[0-9,]+", "N", line[17:]) for line in log}


def test_the_first_configuration_of_ones_own_runs_until_ctrl_c(
    folder: Path, environment: dict[str, str]
) -> None:
    [first] = [line for line in RUN["first-day.md"] if line.text.startswith("gridsim init home")]
    assert gridsim(*shlex.split(first.text)[1:], cwd=folder).returncode == 0
    log = until_ctrl_c("home.toml", folder, environment, lambda: None)
    assert any(" accepted = " in line for line in log)

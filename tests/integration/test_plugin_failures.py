"""Plugins that fail, as a user of the command sees it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.fixtures import prepared
from tests.integration.commands import DEADLINE_S, HOME, ODD, PLUGIN, STDOUT, gridsim, records

TRANSPORT = """
from gridsim.api import Transport, hookimpl

class Pipe(Transport):
    def __init__(self, settings, format, run):
        super().__init__(settings, format, run)
        {made}

    def describe(self):
        return {{}}["words"]

    def hint(self):
        raise SystemExit("never mind")

    def connect(self): ...

    def write(self, batch, receipt):
        receipt.delivered(len(batch))

    def close(self): ...

@hookimpl
def gridsim_register(register):
    register.transport("pipe", Pipe)
"""


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ("{}['pump']", "the transport 'pipe' could not be made: KeyError: 'pump'"),
        ("raise SystemExit('no')", "the transport 'pipe' could not be made: SystemExit: no"),
        ("raise ValueError('no pump')", "error: no pump"),
    ],
)
def test_a_transport_that_cannot_be_made_is_named(made: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "pipe.py").write_text(TRANSPORT.format(made=made))
    path = tmp_path / "pipe.toml"
    path.write_text(HOME + '[[transports]]\ntype = "pipe"\n')
    done = gridsim("validate", "--config", path, "--plugin", tmp_path / "pipe.py")
    assert done.returncode == 2
    assert f"{path}:10:1: error: " in done.stderr
    assert message in done.stderr


def test_a_transport_that_cannot_describe_itself_runs_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "pipe.py").write_text(TRANSPORT.format(made="pass"))
    path = tmp_path / "pipe.toml"
    path.write_text(HOME + '[[transports]]\ntype = "pipe"\n')
    options = ("--config", path, "--plugin", tmp_path / "pipe.py", "--duration", "1s")
    done = gridsim(*options, "--speed", 0)
    assert done.returncode == 0
    assert "pipe: (its description failed: KeyError: 'words' (" in done.stderr
    assert "1 tick of 1 s, as fast as possible" in done.stderr
    assert "1 accepted = 1 delivered" in done.stderr


def test_a_der_type_whose_stage_fails_is_named_where_it_is_used(tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text(
        "from gridsim.api import Fleet, hookimpl\n"
        "class Odd(Fleet):\n"
        "    @classmethod\n"
        "    def stage(cls, settings): return {}['x']\n"
        "    def step(self, tick, orders): ...\n"
        "@hookimpl\n"
        "def gridsim_register(register): register.der('odd', Odd)\n"
    )
    path = tmp_path / "odd.toml"
    path.write_text(HOME + ODD + STDOUT)
    done = gridsim("validate", "--config", path, "--plugin", tmp_path / "odd.py")
    assert done.returncode == 2
    assert f"{path}:13:8: error: the DER type 'odd': stage() failed: KeyError: 'x'" in done.stderr


def test_a_plugin_that_fails_ends_it_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text(PLUGIN.format(body="assert tick.index < 2, 'worn out'"))
    path = tmp_path / "odd.toml"
    path.write_text('[simulation]\nplugins = ["odd.py"]\n' + HOME + ODD + STDOUT)
    done = gridsim("--config", path, "--speed", 0, "--duration", "5s")
    assert done.returncode == 1
    assert "the DER type 'odd' failed at tick 2: AssertionError: worn out" in done.stderr
    assert len(records(done.stdout)) == 4
    done = gridsim(
        *("--config", path, "--speed", 0, "--duration", "5s"),
        *("--set", "simulation.on_error=skip_fleet"),
    )
    assert done.returncode == 0
    assert "1 DER disabled" in done.stderr
    assert [r["der_id"] for r in records(done.stdout)].count("HOME_BAT") == 5


def test_a_format_that_fails_disables_its_transport_and_a_fault_nothing(tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text("""
from gridsim.api import Format, MessageFault, hookimpl

class Torn(Format):
    def encode(self, batch):
        raise ValueError("torn")

class Numb(MessageFault):
    def inject(self, tick, effects):
        effects.altered[:] = True

    def alter(self, body, chance):
        raise ValueError("numb")

@hookimpl
def gridsim_register(register):
    register.format("torn", Torn)
    register.fault("numb", Numb)
""")
    path = tmp_path / "odd.toml"
    head = '[simulation]\nplugins = ["odd.py"]\n' + HOME + STDOUT
    path.write_text(head + 'format = "torn"\n')
    done = gridsim("--config", path, "--speed", 0, "--duration", "5s")
    assert done.returncode == 1
    reason = "transport stdout disabled: the format 'torn' failed: ValueError: torn (odd.py:"
    assert reason in done.stderr
    path.write_text(head + '[[faults]]\ntype = "numb"\n')
    done = gridsim("--config", path, "--speed", 0, "--duration", "5s")
    assert done.returncode == 0
    assert done.stderr.count("the fault 'numb' failed: ValueError: numb (odd.py:") == 1
    assert len(records(done.stdout)) == 5


def test_a_plugin_that_hangs_is_named_and_left_behind(tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text(PLUGIN.format(body="tick.index and time.sleep(3600)"))
    path = tmp_path / "odd.toml"
    path.write_text(
        '[simulation]\nplugins = ["odd.py"]\nhang_timeout_s = 4.0\n' + HOME + ODD + STDOUT
    )
    done = gridsim("--config", path, "--speed", 0, "--duration", "5s")
    assert done.returncode == 1
    assert "the DER type 'odd' has not returned for 4 s" in done.stderr
    assert len(records(done.stdout)) == 2


BLOCKING = """
import sys, threading
from gridsim.api import Transport, hookimpl

class Pipe(Transport):
    def describe(self):
        return "a pipe"

    def warning(self, readings_per_s):
        print("blocks", file=sys.stderr, flush=True)
        threading.Event().wait()

    def connect(self): ...

    def write(self, batch, receipt):
        receipt.delivered(len(batch))

    def close(self): ...

@hookimpl
def gridsim_register(register):
    register.transport("pipe", Pipe)
"""


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_a_plugin_that_blocks_the_main_thread_costs_no_account(tmp_path: Path) -> None:
    (tmp_path / "pipe.py").write_text(BLOCKING)
    path = tmp_path / "pipe.toml"
    path.write_text(HOME + '[[transports]]\ntype = "pipe"\n')
    options = ("--config", path, "--plugin", tmp_path / "pipe.py")
    with prepared.start(*options, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        while process.stderr.readline() != "blocks\n":
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 143
    assert re.search(r"pipe: (\d+) accepted = \1 delivered \+ 0 dropped", log)

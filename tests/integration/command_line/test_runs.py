"""A run by the command line: its start, its end, its exit status."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures import prepared
from tests.integration.commands import (
    DEADLINE_S,
    FULL_DISK,
    HOME,
    ODD,
    PLUGIN,
    STDOUT,
    command,
    gridsim,
    records,
)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "home.toml"
    path.write_text(HOME + STDOUT)
    return path


def test_a_configuration_runs_without_a_subcommand(config: Path) -> None:
    done = gridsim("--config", config, "--speed", 0, "--duration", "5s")
    assert done.returncode == 0
    assert [r["der_id"] for r in records(done.stdout)] == ["HOME_BAT"] * 5
    assert "5 accepted = 5 delivered" in done.stderr


def test_the_default_fleet_runs_from_any_folder(tmp_path: Path) -> None:
    done = gridsim("--speed", 0, "--duration", "3s", "--set", "transports.0.port=0", cwd=tmp_path)
    assert done.returncode == 0
    assert "3 projects, 8 DERs" in done.stderr
    assert "24 accepted = 24 delivered" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_same_seed_and_start_give_the_same_output(config: Path) -> None:
    options = ("--config", config, "--start", "2026-07-01T12:00:00Z", "--duration", "3s")
    real = gridsim(*options)
    free = gridsim(*options, "--speed", 0)
    assert real.returncode == free.returncode == 0
    assert real.stdout == free.stdout
    assert len(real.stdout.splitlines()) == 3


@pytest.mark.skipif(os.name != "posix", reason="a signal of POSIX")
def test_ctrl_c_while_modules_are_imported_prints_nothing(tmp_path: Path) -> None:
    # A module that the command imports takes long, and turns an interruption into another error.
    (tmp_path / "typer.py").write_text(
        "import sys, time\nprint('importing', flush=True)\n"
        "try:\n    time.sleep(60)\nexcept BaseException as e:\n    raise ImportError('no') from e\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", "from gridsim.__main__ import main; main()", "--version"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "importing\n"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=DEADLINE_S)
    finally:
        process.kill()
    assert (process.returncode, said) == (130, "")


@pytest.mark.skipif(os.name != "posix", reason="there is no limit on the size of files")
def test_a_full_disk_under_a_file_costs_the_readings_after_it_and_is_said(tmp_path: Path) -> None:
    path = tmp_path / "home.toml"
    file = '[[transports]]\ntype = "file"\npath = "{}.jsonl"\nstall_timeout_s = 0.5\n'
    path.write_text(HOME + file.format("all") + STDOUT)
    (tmp_path / "limit.py").write_text(FULL_DISK.format(size=40_000))
    words = ("--config", path, "--speed", 0, "--duration", "500s")
    # The limit is also one for a file that takes the output, but not for a pipe.
    pipe = subprocess.PIPE
    run = prepared.start(*words, "--plugin", "limit.py", cwd=tmp_path, stdout=pipe, stderr=pipe)
    out, log = run.communicate(DEADLINE_S)
    assert run.returncode == 1
    written = (tmp_path / "all.jsonl").read_text()
    assert written.endswith("}\n")
    arrived = len(written.splitlines())
    assert 0 < arrived < 500
    assert len(out.splitlines()) == 500
    full = "all.jsonl: File too large"
    assert f"WARNING transport file cannot write: {full}; retrying" in log
    assert "lost its connection" not in log
    assert "writes again" not in log
    # A batch whose write the end interrupts is unconfirmed.
    account = r"file: 500 accepted = (\d+) delivered \+ (\d+) dropped .* \+ (\d+) unconfirmed \+ 0 "
    [(delivered, dropped, unconfirmed)] = re.findall(account, log)
    assert int(delivered) == arrived
    assert int(dropped) + int(unconfirmed) == 500 - arrived
    assert f"ERROR   transport file failed: no progress for 0.5 s ({full})\n" in log


@pytest.mark.skipif(os.name != "posix", reason="closes a descriptor as POSIX shells do")
def test_a_closed_standard_output_does_not_matter_where_nothing_goes_there(
    tmp_path: Path,
) -> None:
    path = tmp_path / "home.toml"
    path.write_text(HOME + '[[transports]]\ntype = "file"\npath = "out.jsonl"\n')
    words = " ".join(command("--config", path, "--speed", 0, "--duration", "2s"))
    done = subprocess.run(
        ["sh", "-c", f"{words} >&-"], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 2


def test_what_the_terminal_cannot_show_is_escaped(tmp_path: Path) -> None:
    path = tmp_path / "caf\u00e9.toml"
    path.write_text(HOME + STDOUT)
    done = subprocess.run(
        command("validate", "--config", path.name),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONUTF8": "1", "PYTHONIOENCODING": "ascii"},
    )
    assert done.stdout == "caf\\xe9.toml: no errors\n"


def test_a_reader_that_leaves_ends_the_run_quietly(config: Path) -> None:
    pipe = subprocess.PIPE
    with prepared.start("--config", config, "--speed", 0, stdout=pipe, stderr=pipe) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        assert len(records(run.stdout.readline() + run.stdout.readline())) == 2
        run.stdout.close()
        log = run.stderr.read()
    assert run.returncode == 0
    assert "Traceback" not in log
    assert "WARN" not in log
    assert "BrokenPipe" not in log


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_cleanly(config: Path, number: signal.Signals, status: int) -> None:
    pipe = subprocess.PIPE
    with prepared.start("--config", config, stdout=pipe, stderr=pipe) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(number)
        rest, log = process.communicate(DEADLINE_S)
        assert process.returncode == status
    lines = records(first + rest)
    assert f"{len(lines)} accepted = {len(lines)} delivered" in log


@pytest.mark.skipif(os.name != "posix", reason="a signal of POSIX")
def test_sighup_reloads_the_configuration_and_a_bad_one_changes_nothing(config: Path) -> None:
    text, pipe = config.read_text(), subprocess.PIPE
    with prepared.start("--config", config, stdout=pipe, stderr=pipe) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        config.write_text(text.replace("HOME_BAT", "ANOTHER"))
        process.send_signal(signal.SIGHUP)
        while records(line := process.stdout.readline())[0]["der_id"] != "ANOTHER":
            pass
        config.write_text(text.replace("nameplate_capacity", "nameplate"))
        process.send_signal(signal.SIGHUP)
        log = ""
        while "the run goes on unchanged" not in log:
            log += process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        rest, more = process.communicate(DEADLINE_S)
        assert process.returncode == 143
    assert {one["der_id"] for one in records(line + rest)} == {"ANOTHER"}
    assert "reload: 1 DER removed: HOME_BAT" in log
    assert f"{config}:" in log.partition("'nameplate' is not a setting")[0].splitlines()[-1]
    assert "0 dropped + 0 unconfirmed" in more


def test_a_broker_that_is_not_there_ends_it_with_3(tmp_path: Path) -> None:
    path = tmp_path / "mqtt.toml"
    path.write_text(HOME + '[[transports]]\ntype = "mqtt"\nhost = "127.0.0.1"\nport = 9\n')
    done = gridsim("--config", path, "--duration", "1s")
    assert done.returncode == 3
    assert "refused" in done.stderr
    path.write_text(path.read_text() + 'startup = "retry"\n' + STDOUT)
    done = gridsim("--config", path, "--duration", "2s")
    assert done.returncode == 3
    assert len(records(done.stdout)) == 2  # the other transport is not affected


def test_several_transports_at_once(config: Path, tmp_path: Path) -> None:
    with config.open("a") as toml:
        toml.write(
            f'\n[[transports]]\ntype = "file"\npath = "{tmp_path}/out.csv"\nformat = "csv"\n'
        )
    done = gridsim("--config", config, "--speed", 0, "--duration", "4s")
    assert done.returncode == 0
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert len(lines) == 1 + 4
    assert len(records(done.stdout)) == 4


def test_logs_can_be_json_lines(config: Path) -> None:
    done = gridsim("--config", config, "--speed", 0, "--duration", "1s", "--log-json")
    assert {line["level"] for line in records(done.stderr)} == {"info"}


def test_strict_tells_by_its_status_that_the_rate_was_not_held(tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text(PLUGIN.format(body="time.sleep(0.2)"))
    path = tmp_path / "odd.toml"
    path.write_text('[simulation]\nplugins = ["odd.py"]\n' + HOME + ODD + STDOUT)
    slow = gridsim("--config", path, "--speed", 100, "--duration", "10s", "--strict")
    assert slow.returncode == 4
    assert "the rate was not held" in slow.stderr
    assert "the slowest part was models" in slow.stderr
    assert len(records(slow.stdout)) == 20  # late, but all there


@pytest.mark.skipif(sys.platform != "linux", reason="the sockets of systemd")
def test_a_service_manager_hears_when_a_run_is_ready_ticks_and_ends(
    config: Path, tmp_path: Path
) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(DEADLINE_S)
        environment = {**os.environ, "NOTIFY_SOCKET": path, "WATCHDOG_USEC": "200000"}
        with prepared.start("--config", config, env=environment) as run:
            assert manager.recv(4096).startswith(b"READY=1\nSTATUS=tick ")
            while not manager.recv(4096).startswith(b"WATCHDOG=1\nSTATUS=tick "):
                pass
            run.terminate()
            while not manager.recv(4096).startswith(b"STOPPING=1\n"):
                pass
            assert run.wait(DEADLINE_S) == 143

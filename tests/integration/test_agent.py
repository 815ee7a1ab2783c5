"""`gridsim mcp`: an agent's client, from the protocol's own SDK, beside a real run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

import gridsim
from gridsim.agent.attach import address_of
from gridsim.agent.client import ApiClient, ApiError
from gridsim.cli import app
from gridsim.errors import UsageError

CONFIG = """
[simulation]
speed = 20
[ledger]
path = "ledger.sqlite"
[[projects]]
id = "HOME_{n}"
count = 2
contract_threshold = 1.0
[[projects.ders]]
id = "{project_id}_BAT"
type = "battery"
nameplate_capacity = 5.0
energy_capacity_kwh = 10.0
[[views]]
type = "web"
port = 0
[[transports]]
type = "file"
path = "readings.jsonl"
"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a run in this process."""
    folder = tmp_path_factory.mktemp("agent")
    (folder / "home.toml").write_text(CONFIG, encoding="utf-8")
    with gridsim.run(folder / "home.toml"):
        yield address_of(str(os.getpid()))


async def _session(url: str, readings: Path) -> dict[str, Any]:
    """Use the tools as an agent does, and return the answers."""
    from mcp import ClientSession, StdioServerParameters, stdio_client

    command = StdioServerParameters(
        command=sys.executable, args=["-m", "gridsim", "mcp", "--url", url]
    )
    found: dict[str, Any] = {}
    async with stdio_client(command) as (read, write), ClientSession(read, write) as session:
        found["server"] = (await session.initialize()).server_info.name
        found["tools"] = {tool.name: tool for tool in (await session.list_tools()).tools}

        async def call(name: str, **arguments: Any) -> Any:
            answer = await session.call_tool(name, arguments)
            text = "".join(getattr(part, "text", "") for part in answer.content)
            return text if answer.is_error else json.loads(text)

        found["status"] = await call("status")
        found["projects"] = await call("projects", filter="HOME_2")
        found["command"] = await call(
            "send_command", target="HOME_1_BAT", command="set_power", value=-3
        )
        found["device"] = await call("device", id="HOME_1_BAT")
        found["wrong"] = await call("send_command", target="NOBODY", command="connect")
        found["fault"] = await call(
            "inject_fault", fault="gone", type="offline", target="HOME_2_BAT"
        )
        found["event"] = await call("call_event", event="peak", target_kw=0.5, duration_s=600)
        found["speed"] = await call("set_speed", speed=10)
        found["pause"] = await call("pause")
        found["resume"] = await call("resume")
        found["verify"] = await call("verify")
        found["compared"] = await call("verify", files=[str(readings)])
        found["missing"] = await call("verify", files=["/no/such.jsonl"])
    return found


def test_an_agent_lists_reads_commands_injects_and_verifies(url: str) -> None:
    ledger = Path(ApiClient(url).get("verify")["ledger"])
    found = anyio.run(_session, url, ledger.with_name("readings.jsonl"))
    assert found["server"] == "gridsim"
    assert {"status", "send_command", "call_event", "inject_fault", "verify"} <= set(found["tools"])
    assert all(tool.description for tool in found["tools"].values())
    assert found["status"]["devices"] == 2
    assert [one["id"] for one in found["projects"]["items"]] == ["HOME_2"]
    assert found["command"]["status"] == "accepted"
    assert found["device"]["settings"]["energy_capacity_kwh"] == 10.0
    assert "there is no DER and no project 'NOBODY'" in found["wrong"]
    assert found["fault"]["status"] == "accepted"
    assert found["event"]["status"] == "accepted"
    assert found["speed"]["speed"] == 10
    assert (found["pause"]["state"], found["resume"]["state"]) == ("paused", "running")
    assert [one["balanced"] for one in found["verify"]["accounts"]] == [True]
    # The run still goes on, so its ledger is not complete.
    assert found["compared"]["outcome"] in ("not proven", "failed")
    assert "no such" in found["missing"].lower()


def test_a_run_that_is_gone_is_named() -> None:
    with pytest.raises(ApiError, match=r"http://127.0.0.1:9 does not answer: .*may have ended"):
        ApiClient("http://127.0.0.1:9").get("status")


def test_without_a_run_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr("gridsim.agent.attach.running", list)
    with pytest.raises(UsageError, match="no run is up on this machine; start one, or give"):
        address_of(None)
    with pytest.raises(UsageError, match="no run 7 is up"):
        address_of("7")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--run", "7", "--url", "http://x"], "give --config, --run or --url, not several"),
        (["--speed", "2"], "--duration and --speed need --config"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    words: list[str], reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        app(["mcp", *words])
    assert ended.value.code == 2
    assert reason in capfd.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_its_run_ends_when_it_is_terminated(
    tmp_path: Path, number: signal.Signals, status: int
) -> None:
    run = tmp_path / "run"
    run.write_text(
        "#!/bin/sh\ntrap 'echo ended >&2; exit' INT\necho up >&2\nwhile :; do sleep 0.02; done\n"
    )
    run.chmod(0o700)
    program = (
        "import signal, sys; from gridsim.agent.attach import started\n"
        # A shell ignores SIGINT in the background, and then `sh` cannot trap it.
        "signal.signal(signal.SIGINT, signal.SIG_DFL)\n"
        "sys.executable = sys.argv[1]\nwith started([]): pass"
    )
    words = [sys.executable, "-c", program, str(run)]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        assert server.stderr.readline() == "up\n"
        server.send_signal(number)
        assert server.communicate(timeout=60)[1] == "ended\n"
        assert server.returncode == status

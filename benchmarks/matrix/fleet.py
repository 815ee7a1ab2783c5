"""A run of gridsim as a process, and what it leaves behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from tests.fixtures import prepared
from tests.fixtures.canary import CANARY

WITNESS = Path(__file__).with_name("witness.py")
DEADLINE_S = 90.0
"""The longest time that a run may take to end, beyond its duration."""

FLEET = """
[simulation]
seed = 7
tick_s = {tick_s}
{simulation}
{more}
[weather]
type = "clear"
[[projects]]
id = "P{{n}}"
count = {count}
load = {{ type = "constant", kw = 1.0 }}
[[projects.ders]]
id = "{{project_id}}_B"
type = "battery"
nameplate_capacity = 5.0
"""


def fleet(
    transports: str, *, count: int = 20, tick_s: float = 0.25, simulation: str = "", more: str = ""
) -> str:
    """Return a configuration with `count` batteries, and the tables of its transports.

    `simulation` has further lines of `[simulation]`, and `more` has tables that come before the
    projects.
    """
    return FLEET.format(count=count, tick_s=tick_s, simulation=simulation, more=more) + transports


class FleetRun:
    """One process of gridsim with a configuration in its own folder."""

    def __init__(
        self,
        folder: Path,
        text: str,
        *words: object,
        ledger: bool = True,
        env: Mapping[str, str] | None = None,
        own_interpreter: bool = False,
        user: int | None = None,
        write: str | None = None,
    ) -> None:
        """Start the process.

        `own_interpreter`: it is not forked from a process that has imported gridsim. `user`: it
        runs as this user and group, not forked either; needs the rights of root.
        `write` is the whole text of the configuration; it may have lone surrogates for bytes.
        """
        self.folder = folder
        self.config = folder / "run.toml"
        self.ledger = folder / "ledger.sqlite" if ledger else None
        self.seen = folder / "seen.json"
        if ledger:
            text += '\n[ledger]\npath = "ledger.sqlite"\noverwrite = true\n'
            text += '\n[[views]]\ntype = "witness"\npath = "seen.json"\n'
        self.config.write_bytes((text if write is None else write).encode(errors="surrogateescape"))
        self._log = folder / "log"
        self._out = folder / "stdout"
        line = ["--config", str(self.config), "--plugin", str(WITNESS), *map(str, words)]
        environment = {**(os.environ if env is None else env), "MATRIX_PASSWORD": CANARY}
        # The witness is a file, but it imports the built-in plugins as an installed one may.
        with self._log.open("wb") as log, self._out.open("wb") as out:
            self.process: subprocess.Popen[bytes] | prepared.Started
            if own_interpreter or user is not None:
                command = [*_as_user(user), sys.executable, "-m", "gridsim", *line]
                self.process = subprocess.Popen(
                    command, stdout=out, stderr=log, cwd=folder, env=environment
                )
            else:
                self.process = _prepared(line, folder, environment, out, log)
        self.pid = self.process.pid
        self.began = time.monotonic()

    def __enter__(self) -> FleetRun:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    @property
    def log(self) -> str:
        """The standard error so far."""
        return self._log.read_text(errors="backslashreplace")

    @property
    def stdout(self) -> str:
        """The standard output so far."""
        return self._out.read_text(errors="backslashreplace")

    def wait(self, timeout_s: float = DEADLINE_S) -> int:
        """Wait for the end and return the exit status; kill the process after the time limit."""
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise TimeoutError(f"the run did not end; its log:\n{self.log[-2000:]}") from None

    def wait_for(self, text: str, timeout_s: float = DEADLINE_S) -> float:
        """Wait until the log has a text, and return the seconds that it took."""
        since = time.monotonic()
        while text not in self.log:
            if self.process.poll() is not None or time.monotonic() - since > timeout_s:
                raise TimeoutError(f"no {text!r} in the log:\n{self.log[-2000:]}")
            time.sleep(0.02)
        return time.monotonic() - since

    def memory_mb(self) -> float:
        """Return the resident memory of the process, MB."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024 / 1e6
        return 0.0


def _as_user(user: int | None) -> list[str]:
    """Return the start of a command line that runs the rest as a user; None: as this one."""
    if user is None:
        return []
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]


def _prepared(
    line: list[str], folder: Path, env: Mapping[str, str], out: IO[bytes], log: IO[bytes]
) -> prepared.Started:
    with open(os.devnull, "rb") as nothing:
        streams = (nothing.fileno(), out.fileno(), log.fileno())
        return prepared.Started(line, folder, env, *streams)

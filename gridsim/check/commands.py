"""The command lines of a user's system, run by the shell."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

from gridsim.errors import GridsimError, printable

_LINES: Final = 5
_TAIL: Final = 4_000
_STOP_S: Final = 5.0
_LOOK_S: Final = 0.1


class CommandFailed(GridsimError):  # noqa: N818 - describes the command
    """A command line of the user's system failed; the message has its last output."""


class SystemCommands:
    """The shell in which the commands of one day run."""

    def __init__(
        self, folder: Path, environment: Mapping[str, str], timeout_s: float, log: Path
    ) -> None:
        """Prepare; `folder` is the working folder, `log` the file for all output.

        The output of the command that is started goes to the file system.log beside it.
        """
        self._folder, self._timeout_s, self._log = folder, timeout_s, log
        self._background_log = log.with_name("system.log")
        self.environment = {**os.environ, **environment}
        """The variables of the commands."""
        self._background: tuple[str, subprocess.Popen[bytes], int] | None = None

    def run(self, name: str, text: str) -> None:
        """Run a command line to its end. Raises CommandFailed if its status is not 0."""
        with self._log.open("ab") as log:
            begin = self._begin(log, name, text)
            process = self._launch(text, log)
            try:
                status = process.wait(self._timeout_s)
            except subprocess.TimeoutExpired:
                _kill(process)
                raise CommandFailed(
                    f"{name} did not end within {self._timeout_s:g} s (timeout_s): "
                    f"{printable(text)}{_last_lines(self._log, begin)}"
                ) from None
            except BaseException:
                _kill(process)
                raise
        if status:
            raise CommandFailed(f"{name} {_ending(status)}: {self._failure(text, begin)}")

    def run_until_ready(self, name: str, text: str) -> None:
        """Run a command line repeatedly until its status is 0. Raises CommandFailed."""
        deadline = time.monotonic() + self._timeout_s
        while True:
            try:
                return self.run(name, text)
            except CommandFailed as error:
                self.check()
                if time.monotonic() > deadline:
                    raise CommandFailed(f"{error}; repeated for {self._timeout_s:g} s") from None
            time.sleep(_LOOK_S)

    def start(self, name: str, text: str) -> None:
        """Start a command line that runs until `stop`."""
        with self._background_log.open("ab") as log:
            begin = self._begin(log, name, text)
            self._background = name, self._launch(text, log), begin

    def check(self) -> None:
        """Raise CommandFailed if the command that was started has ended."""
        if self._background is None:
            return
        name, process, begin = self._background
        status = process.poll()
        if status is not None:
            raise CommandFailed(
                f"{name} {_ending(status)} before the day was over"
                f"{_last_lines(self._background_log, begin)}"
            )

    def stop(self) -> None:
        """End the command that was started."""
        if self._background is None:
            return
        process = self._background[1]
        self._background = None
        _signal(process, signal.SIGTERM)
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            _kill(process)
        # Processes that the shell started may ignore the signal.
        _kill(process)

    def _launch(self, text: str, log: IO[bytes]) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                text,
                shell=True,
                cwd=self._folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # A separate process group, so that all processes of the command can be ended.
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise CommandFailed(f"{printable(text)}: cannot be run: {error}") from None

    def _begin(self, log: IO[bytes], name: str, text: str) -> int:
        log.write(f"$ {text}    # {name}\n".encode(errors="replace"))
        log.flush()
        return log.tell()

    def _failure(self, text: str, begin: int) -> str:
        return f"{printable(text)}{_last_lines(self._log, begin) or ': it printed nothing'}"


def _last_lines(path: Path, begin: int) -> str:
    """Return the last lines that a command has printed; empty if there are none."""
    with path.open("rb") as log:
        end = log.seek(0, os.SEEK_END)
        log.seek(max(begin, end - _TAIL))
        lines = log.read().decode(errors="replace").splitlines()
    shown = [line for line in map(printable, lines) if line.strip()][-_LINES:]
    return "".join(f"\n    {line}" for line in shown)


def _ending(status: int) -> str:
    if status < 0:
        return f"was ended by signal {-status}"
    return f"ended with status {status}"


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(OSError):
        if os.name == "posix":
            os.killpg(process.pid, number)
        else:
            process.terminate()


def _kill(process: subprocess.Popen[bytes]) -> None:
    if os.name == "posix":
        _signal(process, signal.SIGKILL)
    else:
        with suppress(OSError):
            process.kill()
    process.wait()

"""A real PostgreSQL on 127.0.0.1, which a test can kill and start again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psycopg

from tests.fixtures.ports import free_port

DEADLINE_S = 30.0
PASSWORD = "right-password"


def postgres_commands() -> dict[str, str]:
    """Return the paths of initdb and postgres that are installed, also where Debian has them."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    path = os.pathsep.join([*map(str, folders), os.environ.get("PATH", os.defpath)])
    found = {name: shutil.which(name, path=path) for name in ("initdb", "postgres")}
    return {name: place for name, place in found.items() if place is not None}


class PostgresServer:
    """A server with the database `postgres` and the role `owner`, whose password is `PASSWORD`.

    The user `postgres` must be able to reach its folder, which `tmp_path` does not permit.
    """

    def __init__(self, commands: dict[str, str], folder: Path) -> None:
        self.port = free_port()
        self._data = folder / "data"
        self._commands = commands
        self._log = folder / "postgres.log"
        self._process: subprocess.Popen[bytes] | None = None
        # PostgreSQL does not run as root.
        self._user = "postgres" if os.getuid() == 0 else None
        if self._user is not None:
            shutil.chown(folder, "postgres")
        secret = folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        self._run(
            *("initdb", "-D", str(self._data), "-U", "owner", "--no-sync", "--no-locale"),
            *("-E", "UTF8", "-A", "scram-sha-256", "--pwfile", str(secret)),
        )

    def __enter__(self) -> PostgresServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(signal.SIGQUIT)

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(self._commands["postgres"], "-D", str(self._data), "-p", str(self.port)),
                    *("-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="),
                    *("-c", "fsync=off", "-c", "shared_buffers=16MB"),
                ],
                stdout=log,
                stderr=log,
                user=self._user,
            )
        until = time.monotonic() + DEADLINE_S
        while True:
            try:
                self.run("SELECT 1")
                return
            except psycopg.OperationalError:
                assert time.monotonic() < until, self._log.read_text()
                time.sleep(0.03)

    def stop(self, how: signal.Signals) -> None:
        """Stop it: SIGQUIT as after a crash, without writing what it has in memory."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(DEADLINE_S)
            self._process = None

    def crash(self) -> None:
        self.stop(signal.SIGQUIT)

    def run(self, query: str) -> list[tuple[object, ...]]:
        """Run a query as the owner, and return its rows."""
        with psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            dbname="postgres",
            user="owner",
            password=PASSWORD,
            autocommit=True,
        ) as connection:
            cursor = connection.execute(query)
            return cursor.fetchall() if cursor.description else []

    def _run(self, name: str, *arguments: str) -> None:
        subprocess.run(
            [self._commands[name], *arguments], check=True, capture_output=True, user=self._user
        )

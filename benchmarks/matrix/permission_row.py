"""The right to write is lost while a run goes on, and comes back."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from benchmarks.matrix.accounts import disagreements, printed
from benchmarks.matrix.file_rows import GROUP
from benchmarks.matrix.fleet import FleetRun, fleet
from benchmarks.matrix.logs import late_ticks, repeated
from benchmarks.matrix.row import Outcome, Scene
from benchmarks.matrix.sinks import Received, of_file

_NOBODY = 65534
_TABLES = """
[checkpoint]
path = "place/ck"
every_s = 1
"""
_TRANSPORTS = """
[[transports]]
type = "file"
path = "place/out.jsonl"
[[transports]]
type = "stdout"
spool = { path = "place/spool.sqlite" }
"""


@GROUP.row(
    "permission lost: the folder of the file transport, the checkpoints, the spool and the ledger "
    "becomes read-only, and the file is renamed; later writable again",
    "the file transport and the checkpoints are named, once each, and go on when they may; files "
    "that are open stay in use; nothing lost",
    short=False,
)
def permission(scene: Scene, outcome: Outcome) -> None:
    place = scene.folder / "place"
    place.mkdir()
    user = None
    if not os.geteuid():
        # Permissions do not bind root.
        user = _NOBODY
        scene.folder.chmod(0o711)
        for folder in (scene.folder, place):
            shutil.chown(folder, user, user)
    text = fleet(_TRANSPORTS, more=_TABLES)
    text += '\n[ledger]\npath = "place/ledger.sqlite"\n'
    text += '\n[[views]]\ntype = "witness"\npath = "seen.json"\n'
    with FleetRun(scene.folder, text, ledger=False, user=user) as run:
        run.ledger = place / "ledger.sqlite"
        run.wait_for("ledger: ")
        time.sleep(2.2)
        _set_modes(place, 0o500, 0o400)
        (place / "out.jsonl").rename(place / "old.jsonl")
        run.wait_for("no permission")
        run.wait_for("checkpoints cannot be")
        time.sleep(3)
        _set_modes(place, 0o700, 0o600)
        run.wait_for("writes again")
        back = time.time()
        time.sleep(3)
        written = [one for one in (place / "ck").iterdir() if one.stat().st_mtime > back]
        run.process.terminate()
        status = run.wait()
    out = Received().lines(run.stdout.splitlines())
    lines = [*(place / "old.jsonl").read_text().splitlines()]
    lines += (place / "out.jsonl").read_text().splitlines()
    outcome.extend(disagreements(run, {"file": Received().lines(lines), "stdout": out}))
    outcome.check(of_file(place / "out.jsonl").torn == 0, "a torn line")
    outcome.extend(repeated(run.log))
    outcome.check(status == 143, f"exit {status}")
    for name, account in printed(run.log).items():
        outcome.check(account.delivered == account.accepted, f"{name}: {account}")
    outcome.check(bool(written), "no checkpoint afterwards")
    loud = [line[9:] for line in run.log.splitlines() if " INFO " not in line]
    outcome.note(f"exit {status}, {late_ticks(run.log)} late ticks; {'; '.join(loud)}")


def _set_modes(folder: Path, of_folder: int, of_file: int) -> None:
    """Set the modes of a folder, of the folders in it, and of their files."""
    for path in folder.rglob("*"):
        path.chmod(of_folder if path.is_dir() else of_file)
    folder.chmod(of_folder)

"""Faults of files: a full disk, deletions, links, and paths that lead elsewhere."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

from benchmarks.matrix.accounts import disagreements, printed
from benchmarks.matrix.fleet import FleetRun, fleet
from benchmarks.matrix.logs import errors, late_ticks, repeated
from benchmarks.matrix.row import Group, Outcome, Scene
from benchmarks.matrix.sinks import Received, of_file

GROUP = Group("Files and disks")
_STDOUT = '\n[[transports]]\ntype = "stdout"\n'
_FILE = '\n[[transports]]\ntype = "file"\npath = "{path}"\n{lines}'


@contextmanager
def small_disk(folder: Path, kilobytes: int = 256) -> Iterator[Path]:
    """Make a small disk in memory; needs the rights of root."""
    disk = folder / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "matrix", str(disk)]
    subprocess.run(mount, check=True, capture_output=True)
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True, capture_output=True)


def fill(path: Path) -> None:
    """Write to a file until its disk is full."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        while True:
            os.write(file, b"x" * 4096)
    except OSError:
        os.close(file)


def can_mount(scene: Scene) -> bool:
    """Return whether a small disk can be mounted here."""
    try:
        with small_disk(scene.part("try").folder):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


@GROUP.row(
    "disk full under the file transport, and free again",
    "that transport stops and retries, the torn line is cut off; nothing lost when there is room "
    "again; the rest goes on",
)
def full(scene: Scene, outcome: Outcome) -> None:
    if not can_mount(scene):
        outcome.note("not run: it needs root to mount a small disk")
        return
    with small_disk(scene.folder) as disk:
        filler = disk / "filler"
        path = disk / "out.jsonl"
        text = fleet(_FILE.format(path=path, lines="") + _STDOUT, count=50)
        with FleetRun(scene.folder, text) as run:
            run.wait_for("watch it")
            time.sleep(0.5)
            fill(filler)
            run.wait_for("cannot write")
            time.sleep(1)
            torn = of_file(path).torn
            filler.unlink()
            run.wait_for("writes again")
            time.sleep(0.5)
            run.process.terminate()
            status = run.wait()
        received = of_file(path)
    account = printed(run.log)["file"]
    outcome.note(
        f"{torn} torn lines while the disk was full; {late_ticks(run.log)} late ticks; file: "
        f"{account}; exit {status}"
    )
    outcome.check(torn == 0, "a torn line")
    outcome.check(account.delivered == account.accepted, "readings lost")
    outcome.extend(repeated(run.log))
    out = Received().lines(run.stdout.splitlines())
    outcome.extend(disagreements(run, {"file": received, "stdout": out}))


@GROUP.row(
    "disk full under the file transport to the end",
    "counted as dropped, exit 1; the rest goes on",
    short=False,
)
def full_to_the_end(scene: Scene, outcome: Outcome) -> None:
    if not can_mount(scene):
        outcome.note("not run: it needs root to mount a small disk")
        return
    with small_disk(scene.folder, 64) as disk:
        path = disk / "out.jsonl"
        lines = "stall_timeout_s = 2"
        text = fleet(_FILE.format(path=path, lines=lines) + _STDOUT, count=50)
        with FleetRun(scene.folder, text, "--duration", "4s") as run:
            status = run.wait()
        received = of_file(path)
    outcome.note(f"file: {printed(run.log)['file']}; exit {status}; {'; '.join(errors(run.log))}")
    outcome.check(status == 1, f"exit {status}")
    out = Received().lines(run.stdout.splitlines())
    outcome.check(len(out.copies) == 800, "stdout lost readings")
    outcome.extend(disagreements(run, {"file": received, "stdout": out}))


@GROUP.row(
    "ledger deleted during a run",
    "the run ends with exit 1 and names it",
    short=False,
)
def deleted_ledger(scene: Scene, outcome: Outcome) -> None:
    with FleetRun(scene.folder, fleet(_STDOUT)) as run:
        run.wait_for("ledger: ")
        time.sleep(1)
        assert run.ledger is not None
        run.ledger.unlink()
        status = run.wait()
    found = errors(run.log)
    outcome.note(f"exit {status}: {'; '.join(found)}")
    outcome.check(status == 1, f"exit {status}")
    outcome.check(any("ledger" in one for one in found), "the ledger is not named")
    account = printed(run.log)["stdout"]
    out = Received().lines(run.stdout.splitlines())
    outcome.check(account.delivered == len(out.copies), "stdout has other readings")


@GROUP.row(
    "disk full under the checkpoints; their folder deleted",
    "named, and once; a deleted folder is made again with the next checkpoint; the run goes on",
    short=False,
)
def checkpoints(scene: Scene, outcome: Outcome) -> None:
    for how in ("full", "deleted"):
        part = scene.part(how)
        if how == "full" and not can_mount(part):
            outcome.note("full: not run, it needs root to mount a small disk")
            continue
        with small_disk(part.folder, 512) if how == "full" else nullcontext(part.folder) as place:
            more = f'[checkpoint]\npath = "{place / "ck"}"\nevery_s = 1\n'
            text = fleet(_STDOUT, count=20, more=more)
            with FleetRun(part.folder, text) as run:
                run.wait_for("ledger: ")
                time.sleep(2.2)
                if how == "full":
                    fill(place / "filler")
                else:
                    shutil.rmtree(place / "ck")
                time.sleep(4)
                again = how == "deleted" and any((place / "ck").glob("*.state"))
                run.process.terminate()
                status = run.wait()
        loud = [line for line in run.log.splitlines() if " INFO " not in line]
        named = [line for line in loud if "checkpoint" in line]
        outcome.note(f"{how}: exit {status}, named {len(named)} times: {named[:1]}")
        outcome.check(status == 143, f"{how}: exit {status}")
        # A folder that is made again before a checkpoint misses it loses nothing.
        outcome.check(len(named) == 1 or (again and not named), f"{how}: {named}")
        outcome.check(again == (how == "deleted"), f"{how}: no checkpoint in a new folder")
        out = Received().lines(run.stdout.splitlines())
        outcome.extend(disagreements(run, {"stdout": out}), how)


@GROUP.row(
    "disk full under the ledger",
    "the run ends with exit 1 and names it; the ledger can be read",
    short=False,
)
def full_ledger(scene: Scene, outcome: Outcome) -> None:
    if not can_mount(scene):
        outcome.note("not run: it needs root to mount a small disk")
        return
    with small_disk(scene.folder, 400) as disk:
        text = fleet(_STDOUT, count=300, tick_s=0.1)
        text += f'\n[ledger]\npath = "{disk / "ledger.sqlite"}"\n'
        with FleetRun(scene.folder, text, ledger=False) as run:
            status = run.wait()
        with closing(sqlite3.connect(disk / "ledger.sqlite")) as connection:
            [(sound,)] = connection.execute("PRAGMA integrity_check").fetchall()
            [(ticks,)] = connection.execute("SELECT count(*) FROM batches").fetchall()
    found = errors(run.log)
    outcome.note(f"exit {status}: {'; '.join(found)}; integrity {sound}, {ticks} ticks in it")
    outcome.check(status == 1, f"exit {status}")
    outcome.check(any("ledger" in one for one in found), "the ledger is not named")
    outcome.check(sound == "ok", "the ledger is corrupt")
    outcome.extend(disagreements(run, {}))


@GROUP.row(
    "file deleted, or renamed, under the file transport",
    "deleted: named with the bytes that were lost, which the account still calls delivered; the "
    "next readings are in a new file; exit 1. Renamed: a new file, nothing lost",
)
def deleted(scene: Scene, outcome: Outcome) -> None:
    for how in ("deleted", "renamed"):
        part = scene.part(how)
        path = part.folder / "out.jsonl"
        text = fleet(_FILE.format(path="out.jsonl", lines=""))
        with FleetRun(part.folder, text, "--duration", "4s") as run:
            run.wait_for("watch it")
            time.sleep(1)
            if how == "deleted":
                path.unlink()
            else:
                path.rename(part.folder / "old.jsonl")
            status = run.wait()
        received = of_file(path)
        if how == "renamed":
            text = (part.folder / "old.jsonl").read_text() + path.read_text()
            received = Received().lines(text.splitlines())
            outcome.extend(disagreements(run, {"file": received}), how)
            outcome.check(not errors(run.log), f"{how}: {errors(run.log)}")
        else:
            outcome.check(any("deleted" in one for one in errors(run.log)), "not named")
            outcome.check(bool(of_file(path).order), "no new file")
        outcome.check(status == (how == "deleted"), f"{how}: exit {status}")
        mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o600
        outcome.check(mode == 0o600, f"{how}: mode {mode:o}")
        outcome.note(f"{how}: exit {status}; {printed(run.log)['file']}; {errors(run.log)[:1]}")


_LINKS = {
    "`..` after a name": ("a/../../out.jsonl", None),
    "`..` after a placeholder": ("{project_id}/../../out.jsonl", None),
    "a literal link to a folder elsewhere": ("link/out.jsonl", "link"),
    "a literal link to a file elsewhere": ("out.jsonl", "out.jsonl"),
    "a placeholder that is a link": ("out/{project_id}/x.jsonl", "out/P1"),
}


@GROUP.row(
    "path traversal: `..`, links to a folder or a file elsewhere, ids with slashes",
    "refused at load, or the transport fails; nothing is written outside the folder that the path "
    "names; files have mode 0600",
)
def traversal(scene: Scene, outcome: Outcome) -> None:
    for name, (path, link) in _LINKS.items():
        part = scene.part(f"case-{list(_LINKS).index(name)}")
        outside, inside = part.folder / "outside", part.folder / "inside"
        outside.mkdir()
        inside.mkdir()
        (outside / "out.jsonl").touch()
        if link is not None:
            target = outside / "out.jsonl" if link.endswith("jsonl") else outside
            (inside / link).parent.mkdir(exist_ok=True)
            os.symlink(target, inside / link)
        with FleetRun(inside, fleet(_FILE.format(path=path, lines="")), "--duration", "1s") as run:
            status = run.wait()
        written = [
            one.name
            for one in (*outside.rglob("*"), part.folder / "out.jsonl")
            if one.is_file() and one.stat().st_size
        ]
        said = next(iter(errors(run.log)), run.log.strip().splitlines()[0] if run.log else "")
        outcome.note(f"{name}: exit {status}, {said}"[:300])
        outcome.check(status != 0, f"{name}: exit 0")
        outcome.check(not written, f"{name}: wrote {written} outside")
    part = scene.part("ids")
    text = fleet(_FILE.format(path="{project_id}.jsonl", lines="")).replace('"P{n}"', '"../P{n}"')
    with FleetRun(part.folder, text, "--duration", "1s") as run:
        status = run.wait()
    outcome.note(f"an id with slashes: exit {status}")
    outcome.check(status == 2, f"an id with slashes: exit {status}")

"""kill -9 of a shard's process in mid-run: the run goes on from the checkpoint."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import pytest

from tests.ray.fleet import FLEET, actors, engine, finished, gridsim, records

TICKS = 240
# Ten ticks of a minute each second.
SPEED = 600
EVERY_S = 4
CHECKPOINT = f"""
[checkpoint]
path = "ck-{{shard}}"
every_s = {EVERY_S}
on_recovery = "RULE"
"""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int], bytes]:
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "fleet.toml").write_text(FLEET)
    finished(gridsim(folder, "--duration", f"{TICKS}m"))
    return {(device, tick): line for device, tick, line in records(folder)}


def killed(folder: Path, rule: str) -> str:
    """Run two shards, kill one a while after its checkpoint, and return the output."""
    (folder / "fleet.toml").write_text(
        FLEET.replace("speed = 0", f"speed = {SPEED}") + CHECKPOINT.replace("RULE", rule)
    )
    run = gridsim(folder, "--duration", f"{TICKS}m", *engine("ray", 2))
    checkpoints = folder / "ck-1-of-2"
    until = time.monotonic() + 120
    while len(found := sorted(checkpoints.glob("*.state"))) < 2:
        assert time.monotonic() < until, run.poll()
        time.sleep(0.1)
    time.sleep(EVERY_S / 2)
    assert sorted(checkpoints.glob("*.state")) == found
    lost = [pid for pid in actors(run.pid) if _locks(pid, checkpoints / "lock")]
    assert len(lost) == 1
    os.kill(lost[0], signal.SIGKILL)
    output = finished(run)
    assert "was killed, or cannot be reached" in output
    return output


def _locks(pid: int, path: Path) -> bool:
    own = Path(f"/proc/{pid}/fd")
    return any(os.path.realpath(one) == os.path.realpath(path) for one in own.iterdir())


def test_republish_misses_nothing(
    undisturbed: dict[tuple[str, int], bytes], tmp_path: Path
) -> None:
    """A record that is sent again has the `seq` and the bytes of the first one."""
    killed(tmp_path, "republish")
    seen: dict[tuple[str, int], bytes] = {}
    again = 0
    for device, tick, line in records(tmp_path):
        again += (device, tick) in seen
        assert seen.setdefault((device, tick), line) == line
    assert seen == undisturbed
    assert again > 0


def test_skip_states_the_gap(undisturbed: dict[tuple[str, int], bytes], tmp_path: Path) -> None:
    """The shard that stays misses nothing, and what is sent of the other one is sent once."""
    output = killed(tmp_path, "skip")
    sent = [((device, tick), line) for device, tick, line in records(tmp_path)]
    seen = dict(sent)
    assert len(seen) == len(sent)
    assert all(undisturbed[key] == line for key, line in sent)
    missing = undisturbed.keys() - seen.keys()
    assert {device.split("_")[1] for device, _ in missing} == {f"{n:02}" for n in range(8, 15)}
    ticks = {tick for _, tick in missing}
    stated = re.search(r"shard 1-of-2: .*ticks ([\d,]+) to ([\d,]+) are not sent", output)
    assert stated is not None, output
    first, last = (int(text.replace(",", "")) for text in stated.groups())
    assert ticks == set(range(first, last + 1))

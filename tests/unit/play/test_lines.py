"""The lines of the log at the start of a playback."""

from __future__ import annotations

from pathlib import Path

from gridsim.play import PlayOptions, make_play_plan
from gridsim.text.plan import plan_lines


def test_the_plan_has_no_seed_and_no_clock_of_a_site(tmp_path: Path) -> None:
    """A playback draws no random numbers, and the site of the configuration has no part in it."""
    recording, config = tmp_path / "own.jsonl", tmp_path / "play.toml"
    recording.write_text(
        '{"der_id":"A","project_id":"P","timestamp":"2026-07-01T12:00:00Z"}\n'
        '{"der_id":"A","project_id":"P","timestamp":"2026-07-01T12:01:00Z"}\n'
    )
    config.write_text('[[transports]]\ntype = "stdout"\n')
    plan = make_play_plan(PlayOptions(str(recording), config=config, speed=0.0)).plan
    lines = list(plan_lines(plan))
    assert "from 2026-07-01T12:00:00Z, 2 ticks of 60 s, as fast as possible" in lines
    assert not any("the site's clock" in line for line in lines)

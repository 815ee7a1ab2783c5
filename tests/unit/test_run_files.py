"""The runtime files by which other commands find a run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import gridsim
from gridsim.api import TransportError
from gridsim.errors import UsageError
from gridsim.running.runfile import RunFile, running
from gridsim.running.runs import RunFinder, find_run, only_run
from tests.fixtures import prepared

ROOT = Path(__file__).parents[2]
KEY = "radio: mast"
DEADLINE_S = 30.0

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the tests use POSIX permissions")


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give this test runtime folders of its own."""
    (tmp_path / "runtime").mkdir(mode=0o700)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))


def opened(config: Path, started: str = "2026-11-28T12:00:00.000Z", **announced: int) -> RunFile:
    made = RunFile()
    if announced:
        made.announce(KEY, announced)
    made.open(config, started, "", ())
    return made


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*.json"))


def test_a_run_is_found_until_it_ends(tmp_path: Path) -> None:
    one = opened(tmp_path / "a.toml", port=7)
    [record] = running()
    assert record.pid == os.getpid()
    assert record.name == str(os.getpid())
    assert record.config == str(tmp_path / "a.toml")
    assert record.announced == {KEY: {"port": 7}}
    one.announce(KEY, {"port": 8})
    assert [record.announced for record in running()] == [{KEY: {"port": 8}}]
    one.close()
    one.close()
    assert running() == []
    assert files(tmp_path) == []


def test_only_the_user_can_read_it(tmp_path: Path) -> None:
    one = opened(tmp_path / "a.toml")
    [path] = (tmp_path / "runtime").rglob("*.json")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    one.close()


def test_two_runs_in_one_process_have_two_names(tmp_path: Path) -> None:
    one = opened(tmp_path / "a.toml", "2026-11-28T12:00:00.000Z")
    two = opened(tmp_path / "b.toml", "2026-11-28T12:00:01.000Z")
    assert [run.name for run in running()] == [f"{os.getpid()}", f"{os.getpid()}.2"]
    one.close()
    assert [run.config for run in running()] == [str(tmp_path / "b.toml")]
    two.close()


def test_the_file_of_a_killed_run_is_stale_even_if_its_process_id_is_in_use(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from gridsim.running.runfile import RunFile; "
        "RunFile().open(Path(sys.argv[1]), '', '', ()); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "a.toml")], timeout=DEADLINE_S)
    [path] = (tmp_path / "runtime").rglob("*.json")
    # Another process has the same id now: this one.
    mine = path.with_name(f"{os.getpid()}.run.json")
    path.rename(mine)
    assert json.loads(mine.read_text())["config"] == str(tmp_path / "a.toml")
    assert running() == []
    assert not mine.exists()


def test_a_run_whose_name_is_taken_by_a_stale_file_takes_its_place(tmp_path: Path) -> None:
    folder = tmp_path / "runtime/gridsim"
    folder.mkdir(mode=0o700)
    (folder / f"{os.getpid()}.run.json").write_text("{}")
    one = opened(tmp_path / "a.toml")
    assert [run.name for run in running()] == [str(os.getpid())]
    one.close()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', '{"announced": 3}'])
def test_a_file_that_is_not_a_record_is_left_out(tmp_path: Path, text: str) -> None:
    import fcntl

    folder = tmp_path / "runtime/gridsim"
    folder.mkdir(mode=0o700)
    path = folder / "1.run.json"
    path.write_text(text)
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert running() == []
        assert path.exists()


def test_without_a_runtime_folder_it_is_in_the_temporary_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "missing"))
    if Path(f"/run/user/{os.getuid()}").is_dir():
        pytest.skip("this system has a runtime folder of the user")
    one = opened(tmp_path / "a.toml")
    folder = tmp_path / f"temporary/gridsim-{os.getuid()}"
    assert files(folder) == [f"{os.getpid()}.run.json"]
    # A terminal with another environment finds it all the same.
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    assert len(running()) == 1
    one.close()


def test_a_folder_that_others_may_write_to_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = opened(tmp_path / "a.toml")
    (tmp_path / "runtime/gridsim").chmod(0o777)
    assert running() == []
    one.close()
    monkeypatch.setattr("os.getuid", lambda: 12345)
    two = opened(tmp_path / "a.toml")
    assert running() == []
    assert files(tmp_path) == []
    two.close()


def test_the_finder_returns_what_the_run_of_its_configuration_announced(tmp_path: Path) -> None:
    finder = RunFinder(tmp_path / "a.toml")
    with pytest.raises(TransportError, match="is up on this machine; there is no other one"):
        finder.announced(KEY, {})
    other = opened(tmp_path / "b.toml", port=1)
    with pytest.raises(TransportError, match=r"these are up, choose one .*: \d+ \(.*b\.toml"):
        finder.announced(KEY, {})
    one = opened(tmp_path / "a.toml", port=2)
    assert finder.announced(KEY, {"port": 9}) == {"port": 2}
    two = opened(tmp_path / "a.toml", port=3)
    assert finder.announced(KEY, {"port": 3}) == {"port": 3}
    with pytest.raises(TransportError, match=r"2 runs of .*a\.toml are up") as caught:
        finder.announced(KEY, {"port": 9})
    assert caught.value.permanent
    default = RunFinder(tmp_path / "default.toml", is_default=True)
    with pytest.raises(TransportError, match=r"^no run of the default fleet is up on this machine"):
        default.announced(KEY, {})
    with pytest.raises(UsageError, match=r"^3 runs are up on this machine: choose one") as found:
        only_run(tmp_path / "default.toml")
    assert str(found.value).count(".toml, since ") == 3
    assert only_run(tmp_path / "a.toml") is None
    name = f"{os.getpid()}.2"
    assert RunFinder(tmp_path / "c.toml", name).announced(KEY, {}) == {"port": 2}
    assert find_run(name).config == str(tmp_path / "a.toml")
    with pytest.raises(UsageError, match=r"--run: error: no run 9\.9 is up on this machine"):
        find_run("9.9")
    with pytest.raises(TransportError, match="does not use the radio: tower"):
        finder.announced("radio: tower", {})
    for run in (one, two, other):
        run.close()


def test_a_link_to_the_configuration_is_the_same_configuration(tmp_path: Path) -> None:
    (tmp_path / "a.toml").touch()
    (tmp_path / "link.toml").symlink_to(tmp_path / "a.toml")
    one = opened(tmp_path / "link.toml", port=1)
    assert RunFinder(tmp_path / "a.toml").announced(KEY, {}) == {"port": 1}
    one.close()


def test_a_run_leaves_word_while_it_is_up(tmp_path: Path) -> None:
    config = ROOT / "configs/default.toml"
    options = ["transports.0.port=0", "sources=[]", "views=[]"]
    with gridsim.run(config, clock="manual", overrides=options) as run:
        run.advance()
        [record] = running()
        assert record.config == str(config.resolve())
        assert record.plugins == ()
        [(key, values)] = record.announced.items()
        assert key == "mqtt: embedded broker"
        assert values["host"] == "127.0.0.1"
        assert isinstance(values["port"], int)
    assert running() == []


def test_verify_asks_for_a_run_only_if_it_subscribes(tmp_path: Path) -> None:
    runs = opened(tmp_path / "a.toml", port=1), opened(tmp_path / "b.toml", port=2)
    (tmp_path / "readings.jsonl").touch()
    words = ("verify", "none.sqlite")
    of_file = prepared.gridsim(*words, "readings.jsonl", cwd=tmp_path)
    assert of_file.returncode == 2
    assert "none.sqlite" in of_file.stderr
    subscribed = prepared.gridsim(*words, "--subscribe", cwd=tmp_path)
    assert subscribed.returncode == 2
    assert "2 runs are up on this machine" in subscribed.stderr
    for run in runs:
        run.close()

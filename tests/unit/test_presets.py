"""`gridsim init --for`: the files of every preset are written, and are a valid configuration."""

from __future__ import annotations

import io
import re
from importlib.resources import files
from pathlib import Path

import pytest
import typer
import yaml

from gridsim.cli import app
from gridsim.cli.init import _PRESETS
from gridsim.contracts.codes import STATES
from gridsim.errors import UsageError
from gridsim.running.plan import Options, make_plan
from gridsim.simulation.step import Simulation
from gridsim.templates.presets import PRESETS, write_preset
from tests.fixtures.prepared import gridsim


def filled(folder: Path) -> str:
    """Return the `.env` of a folder with a value for each variable of the configuration."""
    text = (folder / ".env").read_text()
    needed = set(re.findall(r"\$\{(\w+)\}", (folder / "gridsim.toml").read_text()))
    offered = set(re.findall(r"^#(\w+)=", text, re.MULTILINE))
    assert needed <= offered, "the .env does not name every variable that is needed"
    given = re.compile(rf"^#({'|'.join(needed)})=(.*)$", re.MULTILINE)
    return given.sub(lambda found: f"{found[1]}={found[2] or 'x'}", text)


def test_the_help_names_every_preset() -> None:
    shipped = {one.name for one in files("gridsim.templates").joinpath("presets").iterdir()}
    assert set(_PRESETS) == set(PRESETS) == shipped
    assert list(PRESETS) == sorted(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_valid_once_its_variables_are_set(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    [config, *others] = write_preset(name, tmp_path, force=False)
    assert config == tmp_path / "gridsim.toml"
    assert "#:schema" not in config.read_text()
    own = tmp_path / ".env"
    assert own in others
    assert own.stat().st_mode & 0o777 == 0o600
    with pytest.raises(UsageError, match=r"the variable [A-Z_]+ is needed here"):
        make_plan(Options(config), files="none")
    own.write_text(filled(tmp_path))
    plan = make_plan(Options(config), files="none")
    simulation = Simulation(plan.configuration.scenario)
    # Devices that report every 60 s do so at different times.
    first = next(batch for _ in range(60) if len(batch := simulation.step()))
    for transport in plan.transports:
        assert transport.format.encode(first).bodies
    plan.close()


@pytest.mark.parametrize("path", ["mine", "mine/", "mine/my.toml", "."])
def test_the_path_is_a_folder_or_the_configuration(path: str, tmp_path: Path) -> None:
    done = gridsim("init", path, "--for", "thingsboard", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    config = tmp_path / path / ("" if path.endswith(".toml") else "gridsim.toml")
    assert sorted(one.name for one in config.parent.iterdir()) == [".env", config.name]
    lines = done.stdout.splitlines()
    assert lines[0] == f"{config.relative_to(tmp_path)} written, with .env."
    assert lines[1].startswith("ThingsBoard: a gateway for all devices. Put")
    enter = [] if path == "." else ["  cd mine"]
    assert lines[2:] == [
        *enter,
        f"  gridsim validate --config {config.name}",
        f"  gridsim --config {config.name}",
    ]


def test_what_the_user_filled_in_is_never_replaced(tmp_path: Path) -> None:
    write_preset("thingsboard", tmp_path, force=False)
    (tmp_path / ".env").write_text("MINE=1\n")
    with pytest.raises(UsageError, match="the file already exists and was not changed"):
        write_preset("thingsboard", tmp_path, force=False)
    (tmp_path / "gridsim.toml").unlink()
    with pytest.raises(
        UsageError, match=r"\.env: error: the file .* but \.env and credentials.csv"
    ):
        write_preset("thingsboard", tmp_path, force=False)
    (tmp_path / "gridsim.toml").write_text("")
    write_preset("thingsboard", tmp_path, force=True)
    assert (tmp_path / ".env").read_text() == "MINE=1\n"
    assert "v1/gateway/telemetry" in (tmp_path / "gridsim.toml").read_text()


def test_the_questions_offer_the_presets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for name, stream in (("stdin", Terminal("5\nwrong\nevcc\n")), ("stderr", Terminal())):
        monkeypatch.setattr("sys." + name, stream)
    with pytest.raises(SystemExit) as ended:
        typer.main.get_command(app)(["init", str(tmp_path / "my.toml")])
    assert ended.value.code == 0
    assert (tmp_path / "evcc.yaml").is_file()
    assert (tmp_path / "my.toml").read_text().startswith("# evcc:")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--for", "thingsbord"), "--for: no preset 'thingsbord'; did you mean 'thingsboard'?"),
        (("--for", "x"), f"--for: no preset 'x'; there are: {', '.join(PRESETS)}"),
        (("--for", "thingsboard", "--to", "file"), "--to: has no meaning with --for"),
        (("--for", "thingsboard", "--count", "3"), "--count: has no meaning with --for"),
    ],
)
def test_a_preset_that_cannot_be_is_refused(
    words: tuple[str, ...], says: str, tmp_path: Path
) -> None:
    done = gridsim("init", *words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"gridsim init: error: {says}\n"
    assert not list(tmp_path.iterdir())


def test_evcc_gets_a_letter_for_each_state_of_a_charger(tmp_path: Path) -> None:
    write_preset("evcc", tmp_path, force=False)
    [charger] = yaml.safe_load((tmp_path / "evcc.yaml").read_text())["chargers"]
    expression = charger["status"]["jq"]
    cases = re.findall(r'if (.*?) then "(\w)"', expression)
    [other] = re.findall(r'else "(\w)" end$', expression)
    letters = {
        name: next(
            (letter for condition, letter in cases if eval(condition.replace(".", str(state)))),
            other,
        )
        for state, name in STATES.names.items()
        if state > 100
    }
    assert letters == {
        "Available": "A", "Preparing": "B", "Charging": "C", "SuspendedEVSE": "B",
        "SuspendedEV": "B", "Finishing": "B", "Reserved": "A", "Unavailable": "A", "Faulted": "F",
    }  # fmt: skip


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"file/gridsim.toml: error: cannot be written: Not a dir"):
        write_preset("thingsboard", tmp_path / "file", force=False)

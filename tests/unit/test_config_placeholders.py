from __future__ import annotations

from pathlib import Path

import pytest

from gridsim.config.text.environment import gather
from gridsim.errors import UsageError
from tests.fixtures.config.fakes import configure, report, with_radio


def test_the_environment_fills_them_and_numbers_are_numbers(tmp_path: Path) -> None:
    text = with_radio(
        "host = 'a.${HOST}.${DOMAIN:-org}'\nport = '${PORT}'\nloud = '${LOUD}'\n"
        "retries = '${TRIES:-5}'\nwill = { topic = '${HOST}', qos = '${QOS}' }"
    )
    environment = {"HOST": "b", "PORT": "17", "LOUD": "true", "QOS": "1", "TRIES": ""}
    settings = configure(tmp_path, text, environment=environment).transports[0].settings
    assert (settings.host, settings.port, settings.loud) == ("a.b.org", 17, True)
    assert (settings.retries, settings.will.qos) == (5, 1)


def test_text_that_looks_like_a_number_stays_text_where_text_is_wanted(tmp_path: Path) -> None:
    settings = configure(tmp_path, with_radio("host = '${H:-1}'")).transports[0].settings
    assert settings.host == "1"


def test_all_that_are_missing_are_reported_with_all_else(tmp_path: Path) -> None:
    found = report(tmp_path, with_radio("host = '${A} ${B}'\nport = '${C}'\nretries = 10"))
    assert "c.toml:9:8: error: the variable A is needed here" in found
    assert "c.toml:10:8: error: the variable C is needed here" in found
    assert "'retries' must be at most 9" in found
    assert found.count(": error: ") == 3


def test_one_that_is_none_is_refused(tmp_path: Path) -> None:
    assert "is written ${NAME}" in report(tmp_path, with_radio("host = '${A'"))


def test_a_bad_value_out_of_one_is_reported(tmp_path: Path) -> None:
    found = report(tmp_path, with_radio("retries = '${N}'"), environment={"N": "few"})
    assert "9:11: error: 'retries' must be a whole number" in found


def test_variables_come_before_the_env_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = tmp_path / ".env"
    env.write_text('# mine\nGRIDSIM_A=file\nGRIDSIM_B="$x ${y}"\nexport GRIDSIM_C=\nGRIDSIM_D\n')
    env.chmod(0o600)
    monkeypatch.setenv("GRIDSIM_A", "environment")
    found = gather(tmp_path)
    assert (found["GRIDSIM_A"], found["GRIDSIM_B"]) == ("environment", "$x ${y}")
    assert found["GRIDSIM_C"] == ""
    assert "GRIDSIM_D" not in found


def test_credentials_of_systemd_come_after_variables_and_before_the_env_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("GRIDSIM_B=file\nGRIDSIM_C=file\n")
    (tmp_path / ".env").chmod(0o600)
    folder = tmp_path / "credentials"
    folder.mkdir()
    for name, text in {"GRIDSIM_A": "a", "GRIDSIM_B": " $x \n\n", "no.name": "n"}.items():
        (folder / name).write_text(text)
    monkeypatch.setenv("GRIDSIM_A", "environment")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    found = gather(tmp_path)
    assert (found["GRIDSIM_A"], found["GRIDSIM_B"]) == ("environment", " $x ")
    assert found["GRIDSIM_C"] == "file"
    assert "no.name" not in found
    (folder / "GRIDSIM_C").write_bytes(b"\xff secret")
    with pytest.raises(UsageError, match=r"credential .*GRIDSIM_C is not UTF-8") as refused:
        gather(tmp_path)
    assert "secret" not in str(refused.value)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "none"))
    with pytest.raises(UsageError, match="none"):
        gather(tmp_path)

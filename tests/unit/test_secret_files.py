"""`password_file` and its like: the file of a secret, for the settings of every plugin."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from loguru import logger

from tests.fixtures.config.fakes import MINIMAL, configure, report, with_radio

SECRET = "hunter2-in-a-file"


def _pin(folder: Path, lines: str, **environment: str) -> str:
    settings = configure(folder, with_radio(lines), environment=environment).transports[0].settings
    pin: str = settings.pin.get_secret_value()
    return pin


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (SECRET.encode(), SECRET),
        (f"{SECRET}\n".encode(), SECRET),
        (f"{SECRET}\r\n\n".encode(), SECRET),
        (f"\ufeff{SECRET}".encode(), SECRET),
        (b" x \n", " x "),
        (b"a\nb\n", "a\nb"),
        (b"${NAME} \xc3\xa9", "${NAME} é"),
        (b"x" * 65_536, "x" * 65_536),
    ],
    ids=["bare", "newline", "newlines", "mark", "spaces", "lines", "placeholder", "largest"],
)
def test_a_secret_is_what_its_file_holds_without_the_newlines_at_its_end(
    tmp_path: Path, raw: bytes, value: str
) -> None:
    (tmp_path / "pin").write_bytes(raw)
    (tmp_path / "pin").chmod(0o600)
    assert _pin(tmp_path, "pin_file = 'pin'") == value


def _folder(path: Path) -> None:
    path.mkdir()


def _without_rights(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: None, "does not exist"),
        (_folder, "is a folder, not a file"),
        (os.mkfifo, "is a named pipe, not a file"),
        (lambda path: path.symlink_to("/dev/zero"), "is a device, not a file"),
        (_without_rights, "cannot be read: Too many levels"),
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.write_bytes(b"\n\r\n"), "is empty"),
        (lambda path: path.write_bytes(SECRET.encode("utf-16")), "is not UTF-8"),
        (lambda path: path.write_bytes(b"hun\0ter2"), "holds a NUL character"),
        (lambda path: path.write_bytes(b"x" * 65_537), "is larger than 65,536 bytes"),
    ],
    ids=["none", "folder", "pipe", "device", "loop", "empty", "blank", "utf-16", "nul", "large"],
)
def test_a_file_that_holds_no_secret_is_named_and_not_shown(
    tmp_path: Path, make: Callable[[Path], object], reason: str
) -> None:
    make(tmp_path / "pin")
    found = report(tmp_path, with_radio("pin_file = 'pin'"))
    assert f"error: 'pin_file' names {tmp_path / 'pin'}, which {reason}" in found
    assert "pin_file = 'pin'" in found
    assert not any(part in found.replace("\0", "") for part in ("hun", "xx"))
    assert found.count("error:") == 1


@pytest.mark.parametrize("value", ["1", "true", "['pin']", '"a\\u0000b"'])
def test_a_key_that_is_not_the_path_of_a_file_is_refused(tmp_path: Path, value: str) -> None:
    found = report(tmp_path, with_radio(f"pin_file = {value}"))
    assert "'pin_file' must" in found


def test_a_secret_and_its_file_exclude_each_other(tmp_path: Path) -> None:
    (tmp_path / "pin").write_text(SECRET)
    both = with_radio("pin = '${PIN}'\npin_file = 'pin'")
    assert "'pin' and 'pin_file' are both set" in report(
        tmp_path, both, environment={"PIN": "hunter2"}
    )
    assert _pin(tmp_path, "pin = '${PIN}'\npin_file = 'pin'", PIN="") == SECRET
    assert _pin(tmp_path, "pin = '${PIN}'\npin_file = ''", PIN="hunter2") == "hunter2"


def test_a_placeholder_and_a_flag_may_name_the_file(tmp_path: Path) -> None:
    (tmp_path / "pin").write_text(SECRET)
    assert _pin(tmp_path, "pin_file = '${PIN_FILE:-}'", PIN_FILE=str(tmp_path / "pin")) == SECRET
    for text in ("hunter2", "hunter2" * 50, "pin/hunter2"):
        wrong = report(tmp_path, with_radio("pin_file = '${KEY}'"), environment={"KEY": text})
        assert "'pin_file' names the file of a variable, which does not exist" in wrong
        assert "hunter2" not in wrong
    flag = "transports.0.pin_file=pin"
    settings = configure(tmp_path, with_radio(""), overrides=[flag]).transports[0].settings
    assert settings.pin.get_secret_value() == SECRET


def test_a_secret_of_an_inner_table_has_a_file_too(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(SECRET)
    text = with_radio("will = { topic = 'a', key_file = 'key' }")
    settings = configure(tmp_path, text).transports[0].settings
    assert settings.will.key.get_secret_value() == SECRET
    found = report(tmp_path, text.replace("'key'", "'none'"))
    assert "'key_file' names" in found
    assert "which does not exist" in found


def test_defaults_may_name_the_file_and_a_table_replaces_it(tmp_path: Path) -> None:
    (tmp_path / "pin").write_text(SECRET)
    shared = "[defaults.radio]\npin_file = 'pin'\n"
    assert _pin(tmp_path, f"\n{shared}") == SECRET
    assert _pin(tmp_path, f"pin = '${{PIN}}'\n{shared}", PIN="own-one") == "own-one"
    assert "'pon_file' is not a setting" in report(
        tmp_path, with_radio("\n[defaults.radio]\npon_file = 'pin'\n")
    )


def test_a_value_that_is_refused_is_located_at_the_key_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "pin").write_text(SECRET)
    found = report(tmp_path, MINIMAL + "\n[[transports]]\ntype = 'radio'\npon_file = 'pin'\n")
    assert "'pon_file' is not a setting of the radio transport; did you mean 'pin_file'?" in found


@pytest.mark.parametrize(("mode", "warned"), [(0o600, 0), (0o640, 1), (0o604, 1)])
def test_a_file_that_others_may_read_gives_a_warning(
    tmp_path: Path, mode: int, warned: int
) -> None:
    (tmp_path / "pin").write_text(SECRET)
    (tmp_path / "pin").chmod(mode)
    lines: list[str] = []
    logger.enable("gridsim")
    sink = logger.add(lines.append, format="{message}")
    try:
        assert _pin(tmp_path, "pin_file = 'pin'") == SECRET
    finally:
        logger.remove(sink)
    assert len([line for line in lines if "pin may be read by other users" in line]) == warned

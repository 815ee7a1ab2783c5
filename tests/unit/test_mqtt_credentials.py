"""The file of credentials, without a broker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from loguru import logger

from gridsim.api import Framing, Settings
from gridsim.testing import PlainFormat, make_roster, make_run
from gridsim_plugins.mqtt.credentials import read_credentials
from gridsim_plugins.mqtt.session.identities import make_identities
from gridsim_plugins.mqtt.session.owner_packets import OwnerPackets
from gridsim_plugins.mqtt.settings import MqttSettings
from gridsim_plugins.mqtt.transport import Mqtt

ROSTER = make_roster([2, 1])
CANARY = "c4nary-secret"
THREE = "DER_0,u0,p0\nDER_1,u1,p1\nDER_2,u2,p2\n"


def make(framing: Framing = "der", **settings: Any) -> Mqtt:
    plain = PlainFormat(Settings(), framing, ROSTER)
    return Mqtt(MqttSettings.model_validate(settings), plain, make_run(ROSTER))


def written(folder: Path, text: str, mode: int = 0o600) -> str:
    path = folder / "credentials.csv"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def test_each_connection_has_its_own_or_those_of_the_settings(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "password,Der ID,client_id,username,certfile\n"
        f'" {CANARY},""x"" ",DER_0,one,u0,a.crt\n,DER_1,,,\n,DER_2,,"ü,2",/b.crt\n,DER_9,,,\n',
    )
    settings = MqttSettings(
        connections="der",
        credentials_file=path,
        client_id="c-{der_id}",
        username="hub.azure-devices.net/{der_id}/?api-version=2021-04-12",
        host="broker",
        tls="on",
    )
    made = make_identities(settings, "der", ROSTER, ["t0", "t1", "t2"], "unique")
    azure = "hub.azure-devices.net/DER_1/?api-version=2021-04-12"
    assert made.client_id == ["one", "c-DER_1", "c-DER_2"]
    assert made.username == ["u0", azure, "ü,2"]
    assert made.password == [f' {CANARY},"x" ', "", ""]
    assert made.certificate == [(str(tmp_path / "a.crt"), ""), ("", ""), ("/b.crt", "")]
    assert f' {CANARY},"x" '.encode() in OwnerPackets(settings, made).connect(0)
    texts = [repr(made), repr(settings), settings.model_dump_json(), make(**dict(settings)).hint()]
    texts += [make(**dict(settings)).describe(), repr(read_credentials(path, "der"))]
    assert not [text for text in texts if CANARY in text]


def test_projects_have_credentials_too(tmp_path: Path) -> None:
    path = written(tmp_path, "project_id;username;password\nPRJ_0;a;b\nPRJ_1;c;d\n")
    settings = MqttSettings(connections="project", credentials_file=path)
    made = make_identities(settings, "der", ROSTER, ["t0", "t1", "t2"], "unique")
    assert (made.username, made.password) == (["a", "c"], ["b", "d"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the file is empty"),
        (f"DER_0,{CANARY}\n", "a header and at least one row"),
        (f"DER_0,{CANARY}\nDER_1,x\n", "line 1: this is not a header; it may name der_id, "),
        (f"project_id,password\nPRJ_0,{CANARY}\n", 'line 1: connections = "der" needs a column d'),
        (f"der_id,{CANARY}\nDER_0,x\n", "line 1: the name of column 2 is not one of der_id, "),
        (f"der_id,password,password\nDER_0,{CANARY},\n", "more than one column 'password'"),
        (f"der_id,certfile,cert_file\nDER_0,{CANARY},\n", "line 1: the name of column 2 is"),
        (f"der_id,username\nDER_0,a\nDER_1,{CANARY},\n DER_0 ,c\n", "line 4: DER_0 is in line 2"),
        (f"der_id,password\n\n,{CANARY}\n", "line 3: der_id is empty"),
        (f"der_id,password\nDER_0,{CANARY}\nDER_1,a,b\n", "line 3: 3 fields, but the header has 2"),
        (f"der_id,password\nDER_0,{CANARY}\n\nDER_1,a,b\n", "the lines at the end do not have 2"),
        (f"der_id,password\nDER_0,{CANARY}\x85\n", "password: it contains the character '\\x85'"),
        (f"der_id,password\nDER_0,{CANARY}\x01\n", "is not text: byte 36, in line 2, is 0x01"),
        (f"der_id,username\nDER_0,{CANARY * 6000}\n", "username: it is longer than 65535 bytes"),
        (f"der_id,key_file\nDER_0,{CANARY}\n", "line 2: a key_file needs a cert_file"),
        (f"der_id,password\nDER_0,{CANARY}\nDER_1,\nDER_2,\n", "line 2: a password needs a usern"),
        (f"der_id,username,password\nDER_0,a,{CANARY}\n", "no row for DER_1 and 1 others"),
        (f"der_id,client_id\n{THREE}".replace(",p0", ""), "line 3: 3 fields"),
        ("der_id,cert_file\nDER_0,x\nDER_1,\nDER_2,\n", "no effect without TLS"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_and_not_shown(
    tmp_path: Path, text: str, says: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ValueError, match=r"^credentials_file: ") as caught:
        make(connections="der", credentials_file=path, host="127.0.0.1")
    assert says in str(caught.value)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"connections": "shared"}, 'credentials_file: it needs connections = "project" or "der"'),
        ({"host": "broker"}, "credentials_file: a password: it would be sent to broker unencryp"),
        ({"client_id": "same"}, "client_id: 'same' is the client id of both DER_0 and DER_1"),
        ({"credentials_file": "/no/file.csv"}, "credentials_file: /no/file.csv: No such file"),
    ],
)
def test_settings_that_do_not_suit_the_file(
    tmp_path: Path, settings: dict[str, Any], says: str
) -> None:
    path = written(tmp_path, f"der_id,username,password\n{THREE}")
    with pytest.raises(ValueError, match=r"^[a-z_]+( of DER_0)?: ") as caught:
        make(**{"connections": "der", "credentials_file": path, "host": "127.0.0.1", **settings})
    assert says in str(caught.value)


@pytest.mark.parametrize(("mode", "warnings"), [(0o600, 0), (0o640, 1), (0o604, 1)])
def test_others_must_not_read_it(tmp_path: Path, mode: int, warnings: int) -> None:
    path = written(tmp_path, f"der_id,username,password\n{THREE}", mode)
    seen: list[str] = []
    sink = logger.add(seen.append, format="{message}")
    try:
        make(connections="der", credentials_file=path, host="127.0.0.1")
    finally:
        logger.remove(sink)
    assert seen == [f"{path} may be read by other users; chmod 600 {path}\n"] * warnings


def test_the_files_that_it_names_are_checked_before_a_run(tmp_path: Path) -> None:
    path = written(tmp_path, "der_id,cert_file\nDER_0,no.crt\n")
    settings = MqttSettings(connections="der", credentials_file=path, host="b", tls="on")
    problems = list(settings.file_problems(None))
    file = tmp_path / "no.crt"
    reason = f"cert_file that cannot be used: {file}: No such file or directory"
    assert problems == [("credentials_file", f"names in line 2 a {reason}")]
    assert not list(settings.model_copy(update={"connections": "shared"}).file_problems(None))

"""The masks of secrets in texts for people."""

from __future__ import annotations

import html
import io
import json
import logging
import re
import sys
from base64 import b64encode, urlsafe_b64encode
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from loguru import logger

from gridsim import logs
from gridsim.config.text.report import Problem
from gridsim.errors import UsageError, described, printable
from gridsim.redaction import Redactor, keep_secret, redacted
from tests.fixtures.config.fakes import configure, report, with_radio

HOSTILE = 'Kn4"\\é<x>&/ 7%{}\nsecond line'


@pytest.fixture(scope="module")
def redactor() -> Redactor:
    made = Redactor()
    made.add(HOSTILE)
    made.add("hunter2hunter2")
    return made


@pytest.mark.parametrize(
    "written",
    [
        HOSTILE,
        json.dumps({"password": HOSTILE}),
        json.dumps({"password": HOSTILE}, ensure_ascii=False),
        repr(HOSTILE),
        repr(HOSTILE.encode()),
        HOSTILE.encode("unicode_escape").decode(),
        quote(HOSTILE),
        re.sub("%..", lambda code: code[0].lower(), quote(HOSTILE, safe="")),
        quote_plus(HOSTILE),
        html.escape(HOSTILE),
        b64encode(HOSTILE.encode()).decode(),
        *(b64encode(f"{'u' * n}:hunter2hunter2".encode()).decode() for n in (1, 2, 3)),
        urlsafe_b64encode(b"\xff\xfe\xfb" + b"hunter2hunter2\xff").decode(),
        "mqtt://ann:hunter2hunter2@host",
        "hunter2hunter2hunter2hunter2",
    ],
)
def test_a_secret_is_masked_in_every_way_of_writing_it(redactor: Redactor, written: str) -> None:
    clean = redactor.clean(f"refused <<{written}>> by the broker")
    assert clean.startswith("refused <<")
    assert clean.endswith(">> by the broker")
    assert "****" in clean
    assert not any(part in clean for part in ("Kn4", "second", "hunter", "7%", "bnRlcj"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "short",
        "connections up after 3.1 s; last failure (DER_7): not authorised",
        "/var/lib/gridsim/ledger-of-a-long-name/AAAABBBBCCCC==",
        "hunter2",
        "Kn4 ordinary second",
    ],
)
def test_other_texts_are_returned_as_they_are(redactor: Redactor, text: str) -> None:
    assert redactor.clean(text) == text


def test_a_secret_of_less_than_six_characters_is_left_alone() -> None:
    redactor = Redactor()
    redactor.add("1883s")
    redactor.add("")
    assert redactor.clean("port 1883s") == "port 1883s"
    redactor.add("1883s!")
    assert redactor.clean("port 1883s!") == "port ****"


def test_the_longer_of_two_secrets_is_masked_whole() -> None:
    redactor = Redactor()
    for secret in ("sesame", "sesame street"):
        redactor.add(secret)
    assert redactor.clean("open sesame street, sesame") == "open ****, ****"


def test_a_key_in_a_text_is_masked_line_by_line() -> None:
    redactor = Redactor()
    redactor.add("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQ\n-----END")
    assert redactor.clean("line 2: MIIEvQIBADANBg") == "line 2: ****"
    assert redactor.clean("-----BEGIN PRIVATE KEY-----") == "-----BEGIN PRIVATE KEY-----"


def test_errors_and_texts_of_plugins_are_masked_before_they_are_cut() -> None:
    keep_secret("canary-in-an-error")
    assert str(UsageError("no canary-in-an-error here")) == "no **** here"
    assert printable("x" * 295 + "canary-in-an-error") == "x" * 295 + "****"
    assert "canary" not in described(ValueError("canary-in-an-error"))
    # 120 characters of a long line are shown, of which the first could be the end of a secret.
    source = "x" * 50 + "canary-in-an-error" + "y" * 200
    assert "an-error" not in str(Problem("a.toml", "is wrong", 1, 124, source))


@pytest.mark.parametrize("as_json", [False, True])
def test_no_line_of_the_log_has_a_secret(monkeypatch: pytest.MonkeyPatch, as_json: bool) -> None:
    keep_secret('canary"of\nthe log')
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    monkeypatch.setattr(logging, "lastResort", logging.lastResort)
    monkeypatch.setattr(logging.root, "handlers", [])
    logs.configure("debug", as_json=as_json)
    try:
        logger.debug("token {} refused", 'canary"of\nthe log')
        logging.getLogger("a library").warning("token %r refused", 'canary"of\nthe log')
        try:
            raise OSError('canary"of\nthe log')
        except OSError as error:
            logging.getLogger("a library").exception("it failed")
            logs.print_error(error)
    finally:
        logger.remove()
    lines = written.getvalue().splitlines()
    assert len(lines) > 4
    assert "token **** refused" in lines[0]
    assert "token '****' refused" in lines[1]
    assert "it failed: OSError: ****" in lines[2]
    assert lines[3].startswith("Traceback")
    assert lines[-1] == "OSError: ****"
    assert not any(word in written.getvalue() for word in ("canary", "the log"))


def test_the_secrets_of_a_configuration_are_masked_from_then_on(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("canary-of-a-file")
    text = with_radio(
        "pin = '${A}'\nhost = 'h?key=${HOOK_TOKEN}'\nwill = { topic = 'a', key_file = 'key' }"
    )
    values = {"A": "canary-of-a-variable", "HOOK_TOKEN": "canary-in-an-address"}
    configure(tmp_path, text, environment=values)
    for secret in ("canary-of-a-file", *values.values()):
        assert redacted(f"<{secret}>") == "<****>"


def test_a_secret_that_is_an_ordinary_word_does_not_hide_it(tmp_path: Path) -> None:
    for word in ("password", "Secret"):
        configure(tmp_path, with_radio("pin = '${A}'"), environment={"A": word})
        assert redacted(f"the {word} is wrong") == f"the {word} is wrong"


def test_a_literal_that_a_wrong_file_has_is_masked_elsewhere_too(tmp_path: Path) -> None:
    assert "'pin' is a secret" in report(tmp_path, with_radio("pin = 'canary-literal'"))
    assert redacted("canary-literal") == "****"

"""The contract test of sources."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import SecretStr

from gridsim.api import Acknowledgement, Request, Source, Target
from gridsim.testing.builders import START_MS, make_run
from gridsim.testing.settings import assert_described

DEADLINE_S = 30.0


class RecordingInbox:
    """An inbox that keeps what is posted, up to a limit."""

    def __init__(self, limit: int = 1000) -> None:
        self.limit = limit
        self.requests: list[Request] = []
        self.refused = 0

    def post(self, request: Request) -> bool:
        if len(self.requests) >= self.limit:
            self.refused += 1
            return False
        self.requests.append(request)
        return True


class SourceContract:
    """What every source must do, tried on a real way in. Inherit, and say what that is:

    class TestLetterbox(SourceContract):
        source = Letterbox

        def way(self, tmp_path):
            return {"folder": str(tmp_path)}

        def bring(self, tmp_path, target, payload):
            (tmp_path / f"{target.der_id}.command").write_bytes(payload)

        def answers(self, tmp_path, count):
            return [path.read_bytes() for path in tmp_path.glob("*.ack")]
    """

    source: ClassVar[type[Source]]
    targets: ClassVar[tuple[Target, ...]] = (Target("PRJ_0", "DER_0"), Target("PRJ_1"))

    def way(self, tmp_path: Path) -> Mapping[str, Any]:
        """Settings of a way in that nobody else uses."""
        raise NotImplementedError

    def bring(self, tmp_path: Path, target: Target, payload: bytes) -> None:
        """Do what a user's system does to command a target."""
        raise NotImplementedError

    def answers(self, tmp_path: Path, count: int) -> list[bytes]:
        """Return the texts of all acknowledgements that have arrived, `count` or more, in order."""
        raise NotImplementedError

    def test_every_setting_is_described(self) -> None:
        assert_described(self.source.Settings)

    def test_what_is_brought_is_posted_as_it_is(self, tmp_path: Path) -> None:
        made = self._make(tmp_path)
        made.connect()
        inbox = RecordingInbox()
        payloads = (b'{"id": "c-1"}', b"\xff\x00 no JSON at all", b"")
        wanted = [(target, payload) for target in self.targets for payload in payloads]
        for target, payload in wanted:
            self.bring(tmp_path, target, payload)
        _serve(made, inbox, len(wanted))
        got = [(request.target, request.payload) for request in inbox.requests]
        assert sorted(got, key=repr) == sorted(wanted, key=repr)
        made.close()

    def test_a_full_inbox_disturbs_nothing(self, tmp_path: Path) -> None:
        made = self._make(tmp_path)
        made.connect()
        full = RecordingInbox(limit=0)
        self.bring(tmp_path, self.targets[0], b"{}")
        _serve(made, full, 1)
        inbox = RecordingInbox()
        self.bring(tmp_path, self.targets[0], b"{}")
        _serve(made, inbox, 1)
        made.close()

    def test_acknowledgements_arrive_in_order(self, tmp_path: Path) -> None:
        made = self._make(tmp_path)
        made.connect()
        told = [
            Acknowledgement(target, f"c-{n}", "accepted", "", n, START_MS, "x", "set_power")
            for n in range(3)
            for target in self.targets
        ]
        made.acknowledge(told)
        read = [json.loads(text) for text in self.answers(tmp_path, len(told))]
        for answer in read:
            assert answer.keys() >= {"id", "status", "reason"}
            assert (answer["status"], answer["reason"]) == ("accepted", "")
        assert [answer["id"] for answer in read] == [one.id for one in told]
        made.close()

    def test_it_can_be_connected_again(self, tmp_path: Path) -> None:
        made = self._make(tmp_path)
        for _ in range(2):
            made.connect()
            inbox = RecordingInbox()
            self.bring(tmp_path, self.targets[0], b"{}")
            _serve(made, inbox, 1)
            made.close()

    def test_closing_is_always_possible(self, tmp_path: Path) -> None:
        made = self._make(tmp_path)
        made.close()
        made.connect()
        made.close()
        made.close()

    def test_it_describes_itself_without_secrets(self, tmp_path: Path) -> None:
        made = self._make(tmp_path)
        text = made.describe()
        assert text
        assert "\n" not in text
        for name, value in made.settings:
            if isinstance(value, SecretStr) and value.get_secret_value():
                assert value.get_secret_value() not in text, f"{name} is shown"

    def _make(self, tmp_path: Path) -> Source:
        return self.source(self.source.Settings.model_validate(self.way(tmp_path)), make_run())


def _serve(source: Source, inbox: RecordingInbox, count: int) -> None:
    """Until `count` requests were posted, kept or not."""
    deadline = time.monotonic() + DEADLINE_S
    while len(inbox.requests) + inbox.refused < count:
        assert time.monotonic() < deadline, f"{len(inbox.requests)} of {count} requests came"
        source.serve(inbox, 0.05)

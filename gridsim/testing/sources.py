"""The contract test of sources."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import SecretStr

from gridsim.api import Acknowledgement, Instruction, Source, Target, read_instruction
from gridsim.testing.builders import START_MS, make_run
from gridsim.testing.settings import assert_described

DEADLINE_S = 30.0


class RecordingInbox:
    """An inbox that records what is posted, up to a limit."""

    def __init__(self, limit: int = 1000) -> None:
        self.limit = limit
        self.instructions: list[Instruction] = []
        self.refused = 0
        self.unread = 0

    def post(self, instruction: Instruction) -> bool:
        if len(self.instructions) >= self.limit:
            self.refused += 1
            return False
        self.instructions.append(instruction)
        return True

    def lost(self, instructions: int) -> None:
        self.unread += instructions


class SourceContract:
    """The contract test of sources, on a real connection. Inherit, and give the connection:

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
    payloads: ClassVar[tuple[bytes, ...]] = (
        b'{"id": "c-1", "command": "disconnect"}',
        b'{"id": "c-2"}',
        b"\xff\x00 no JSON at all",
        b"",
    )
    """Texts that the source must post, instructions or not."""
    targets: ClassVar[tuple[Target, ...]] = (Target("PRJ_0", "DER_0"), Target("PRJ_1"))

    def way(self, tmp_path: Path) -> Mapping[str, Any]:
        """Return settings of a connection that nothing else uses."""
        raise NotImplementedError

    def bring(self, tmp_path: Path, target: Target, payload: bytes) -> None:
        """Send a payload to a target, as a user's system does."""
        raise NotImplementedError

    def expected(self, target: Target, payload: bytes) -> Instruction:
        """Return the instruction that the source must post; the default is for sources that speak
        JSON.
        """
        return read_instruction(payload, target)

    def answers(self, tmp_path: Path, count: int) -> list[bytes]:
        """Return all acknowledgements that have arrived, `count` or more, in order."""
        raise NotImplementedError

    def test_every_setting_is_described(self) -> None:
        assert_described(self.source.Settings)

    def test_what_is_brought_is_posted(self, tmp_path: Path) -> None:
        made = self._make(tmp_path)
        made.connect()
        inbox = RecordingInbox()
        pairs = [(target, payload) for target in self.targets for payload in self.payloads]
        for target, payload in pairs:
            self.bring(tmp_path, target, payload)
        _serve(made, inbox, len(pairs))
        wanted = [self.expected(target, payload) for target, payload in pairs]
        assert sorted(inbox.instructions, key=repr) == sorted(wanted, key=repr)
        made.close()

    def test_a_full_inbox_disturbs_nothing(self, tmp_path: Path) -> None:
        made = self._make(tmp_path)
        made.connect()
        full = RecordingInbox(limit=0)
        self.bring(tmp_path, self.targets[0], self.payloads[0])
        _serve(made, full, 1)
        inbox = RecordingInbox()
        self.bring(tmp_path, self.targets[0], self.payloads[0])
        _serve(made, inbox, 1)
        made.close()

    def test_acknowledgements_arrive_in_order(self, tmp_path: Path) -> None:
        made = self._make(tmp_path)
        made.connect()
        answers = [
            Acknowledgement(target, f"c-{n}", "accepted", "", n, START_MS, "x", "set_power")
            for n in range(3)
            for target in self.targets
        ]
        made.acknowledge(answers)
        read = [json.loads(text) for text in self.answers(tmp_path, len(answers))]
        for answer in read:
            assert answer.keys() >= {"id", "status", "reason"}
            assert (answer["status"], answer["reason"]) == ("accepted", "")
        assert [answer["id"] for answer in read] == [one.id for one in answers]
        made.close()

    def test_it_can_be_connected_again(self, tmp_path: Path) -> None:
        made = self._make(tmp_path)
        for _ in range(2):
            made.connect()
            inbox = RecordingInbox()
            self.bring(tmp_path, self.targets[0], self.payloads[0])
            _serve(made, inbox, 1)
            made.close()

    def test_closing_is_always_possible(self, tmp_path: Path) -> None:
        made = self._make(tmp_path)
        made.close()
        made.connect()
        made.close()
        made.close()

    def test_it_may_be_hurried_in_any_state(self, tmp_path: Path) -> None:
        for state in ("new", "connected", "closed"):
            made = self._make(tmp_path)
            if state != "new":
                made.connect()
            if state == "closed":
                made.close()
            # From another thread than the one that serves, like a run that ends.
            hurry = threading.Thread(target=made.hurry)
            hurry.start()
            hurry.join(DEADLINE_S)
            assert not hurry.is_alive(), "hurry does not return"
            if state == "connected":
                self._is_served_soon(made)
            made.close()

    def _is_served_soon(self, made: Source) -> None:
        began = time.monotonic()
        made.serve(RecordingInbox(), 0.02)
        answer = Acknowledgement(
            self.targets[0], "c-1", "accepted", "", 0, START_MS, "x", "set_power"
        )
        made.acknowledge([answer])
        assert time.monotonic() - began < DEADLINE_S, "serve and acknowledge take too long"

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
    """Serve until `count` instructions were posted, kept or not."""
    deadline = time.monotonic() + DEADLINE_S
    while len(inbox.instructions) + inbox.refused < count:
        came = len(inbox.instructions)
        assert time.monotonic() < deadline, f"{came} of {count} instructions came"
        source.serve(inbox, 0.05)

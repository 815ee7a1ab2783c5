from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gridsim.api import Framing, Settings
from gridsim.testing import PlainFormat, RecordingReceipt, make_batch, make_roster
from gridsim_plugins.mqtt.messages import (
    DELIVERED,
    PART_ROWS,
    UNCONFIRMED,
    Account,
    Messages,
    SizeLimit,
    encoded,
)

FRAMINGS: list[Framing] = ["der", "project"]


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.sampled_from([1, 7, 1000, PART_ROWS, PART_ROWS + 1, 9000]), max_size=6),
    st.sampled_from(FRAMINGS),
)
def test_parts_together_are_the_whole(ders: list[int], framing: Framing) -> None:
    roster = make_roster(ders)
    batch = make_batch(roster)
    plain = PlainFormat(Settings(), framing, roster)
    whole = plain.encode(batch)
    parts = list(encoded(plain, batch))
    assert [body for part in parts for body in part.bodies] == list(whole.bodies)
    assert sum(rows for part in parts for rows in part.rows) == len(batch)
    ids = roster.der_id if framing == "der" else roster.project_id
    topics = [ids[topic] for part in parts for topic in part.topic]
    assert topics == list(ids), "each body goes to its own device or project"
    full = [sum(part.rows) for part in parts[:-1]]
    assert all(rows >= PART_ROWS for rows in full)


class Noting(RecordingReceipt):
    def __init__(self, rows: int) -> None:
        super().__init__(rows)
        self.calls: list[tuple[str, int]] = []

    def delivered(self, rows: int) -> None:
        super().delivered(rows)
        self.calls.append(("delivered", rows))

    def unconfirmed(self, rows: int) -> None:
        super().unconfirmed(rows)
        self.calls.append(("unconfirmed", rows))

    def dropped(self, rows: int, reason: str) -> None:
        super().dropped(rows, reason)
        self.calls.append((reason, rows))


def test_the_account_keeps_the_order_and_joins_equal_neighbours() -> None:
    receipt = Noting(10)
    account = Account(receipt)
    for outcome, rows in [
        (DELIVERED, 1),
        (DELIVERED, 2),
        ("oversize", 1),
        ("refused", 2),
        (DELIVERED, 1),
        (UNCONFIRMED, 1),
    ]:
        account.add(outcome, rows)
    account.tell()
    account.tell()
    assert receipt.calls == [
        ("delivered", 3),
        ("oversize", 1),
        ("refused", 2),
        ("delivered", 1),
        ("unconfirmed", 1),
    ]


def test_the_size_limit_is_exact() -> None:
    # 1 + 1 for the fixed header, 2 + 3 for the topic, then the payload.
    limit = SizeLimit(["a/b", "much/longer"], 20, qos=0, v5=False)
    fits, over = Messages([0], [bytes(13)], [1]), Messages([0, 0], [bytes(13), bytes(14)], [1, 1])
    assert limit.exceeded_by(fits) == set()
    assert limit.exceeded_by(over) == {1}
    assert limit.exceeded_by(Messages([1], [bytes(13)], [1])) == {0}
    assert SizeLimit(["a/b"], 20, qos=1, v5=True).exceeded_by(fits) == {0}

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gridsim.api import PART_ROWS, Framing, Settings
from gridsim.testing import PlainFormat, RecordingReceipt, make_batch, make_roster
from gridsim_plugins.formats.template import Template, TemplateSettings
from gridsim_plugins.mqtt.publish.messages import (
    DELIVERED,
    FIRST_ROWS,
    UNCONFIRMED,
    MessageAccount,
    Messages,
    all_messages,
    encoded,
    gathered,
)

FRAMINGS: list[Framing] = ["der", "project"]


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.sampled_from([1, 7, 512, 1000, 4096, 4097, 9000]), max_size=6),
    st.sampled_from(FRAMINGS),
)
def test_parts_together_are_the_whole(ders: list[int], framing: Framing) -> None:
    roster = make_roster(ders)
    batch = make_batch(roster)
    plain = PlainFormat(Settings(), framing, roster)
    whole = plain.encode(batch)
    parts = list(encoded(plain, batch))
    assert [body for part in parts for body in part.bodies] == list(whole.bodies)
    assert [size for part in parts for size in part.sizes] == [len(body) for body in whole.bodies]
    assert sum(int(part.rows.sum()) for part in parts) == len(batch)
    ids = roster.der_id if framing == "der" else roster.project_id
    topics = [ids[topic] for part in parts for topic in part.topic]
    assert topics == list(ids), "each body goes to its own device or project"
    full = [int(part.rows.sum()) for part in parts[:-1]]
    assert all(rows >= min(FIRST_ROWS << i, PART_ROWS) for i, rows in enumerate(full))


def test_parts_are_joined_up_to_a_number_of_readings() -> None:
    roster = make_roster([1, 2, 3, 1, 1])
    plain = PlainFormat(Settings(), "project", roster)
    batch = make_batch(roster)
    parts = list(all_messages(plain, plain.encode_parts(batch, 1)))
    joined = list(gathered(iter(parts), 4))
    assert [one.rows.tolist() for one in joined] == [[1, 2, 3], [1, 1]]
    assert [one.topic.tolist() for one in joined] == [[0, 1, 2], [3, 4]]
    assert [one.sizes.tolist() for one in joined] == [
        [len(body) for body in one.bodies] for one in joined
    ]
    assert [body for one in joined for body in one.bodies] == list(plain.encode(batch).bodies)
    assert list(gathered(iter([]), 4)) == []


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
    account = MessageAccount(receipt)
    for outcome, rows in [
        (DELIVERED, 1),
        (DELIVERED, 2),
        ("larger than the broker accepts", 1),
        ("refused", 2),
        (DELIVERED, 1),
        (UNCONFIRMED, 1),
    ]:
        account.add(outcome, rows)
    account.report()
    account.report()
    assert receipt.calls == [
        ("delivered", 3),
        ("larger than the broker accepts", 1),
        ("refused", 2),
        ("delivered", 1),
        ("unconfirmed", 1),
    ]


def test_some_messages_are_left_out() -> None:
    column = np.arange(4)
    messages = Messages(column, [b"0", b"1", b"2", b"3"], column * 10, column * 100)
    kept = messages.without(np.array([0, 2]))
    assert kept.bodies == [b"1", b"3"]
    for kept_column, factor in ((kept.topic, 1), (kept.sizes, 10), (kept.rows, 100)):
        assert kept_column.tolist() == [factor, 3 * factor]
    assert messages.without(np.array([], np.intp)) is messages


def test_a_reading_is_delivered_if_all_of_its_messages_are() -> None:
    receipt = Noting(6)
    account = MessageAccount(receipt)
    messages = [(DELIVERED, 0), (DELIVERED, 1), ("refused", 0), (DELIVERED, 1)]
    messages += [(DELIVERED, 0), ("large", 1), ("large", 0), (UNCONFIRMED, 0), (DELIVERED, 3)]
    for outcome, rows in messages:
        account.add(outcome, rows)
    account.report()
    assert receipt.calls == [
        ("delivered", 1),
        ("refused", 1),
        ("large", 2),
        ("delivered", 2),
    ]


def test_messages_of_measurands_leave_out_what_is_not_there() -> None:
    roster = make_roster([2, 1, 1])
    types = ["solar", "battery_storage", "solar", "solar"]
    batch = make_batch(replace(roster, type=types))
    measurands = {"soc": "{current_soc}", "of": "{current_soc} %"}
    made = Template(TemplateSettings(measurands=measurands), "measurand", batch.roster)
    [messages] = encoded(made, batch)
    assert messages.bodies == [b"0.1", b"0.1 %"]
    assert messages.topic.tolist() == [2, 3]
    # The first reading has no message, and counts with the next; so do those after.
    assert messages.rows.tolist() == [1, 3]
    none = batch.rows(2)
    assert list(encoded(made, none)) == []
    # The rows of a part without messages count with the next part.
    both = ((part, made.encode(part)) for part in (batch.rows(0, 1), batch.rows(1, 2), none))
    assert [part.rows.tolist() for part in all_messages(made, both)] == [[1, 1]]


def test_each_message_of_a_batch_goes_to_the_one_topic() -> None:
    batch = make_batch(make_roster([600, 7]))
    settings = TemplateSettings(template='["{der_id}", "..."]', batch_size=100)
    made = Template(settings, "batch", batch.roster)
    parts = list(encoded(made, batch))
    sizes = [rows for part in parts for rows in part.rows.tolist()]
    assert sizes == [100] * 6 + [7]
    assert {topic for part in parts for topic in part.topic.tolist()} == {0}

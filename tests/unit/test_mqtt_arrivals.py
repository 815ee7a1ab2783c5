"""The messages that wait to be read: bounds, order, and turns of the topics."""

from __future__ import annotations

from gridsim_plugins.mqtt.session.arrivals import ArrivedMessage, MessageQueue


def message(topic: str, payload: str) -> ArrivedMessage:
    return ArrivedMessage(topic, payload.encode(), retained=False)


def payloads(arrivals: MessageQueue, most: int) -> list[str]:
    return [one.payload.decode() for one in arrivals.take(most)]


def test_what_fits_at_once_comes_in_the_order_of_arrival() -> None:
    arrivals = MessageQueue(1_000_000, most_each=10)
    for number, topic in enumerate("abcba"):
        assert arrivals.add(message(topic, str(number)))
    assert payloads(arrivals, 5) == ["0", "1", "2", "3", "4"]
    assert len(arrivals) == 0
    assert payloads(arrivals, 5) == []


def test_a_flood_to_one_topic_does_not_delay_another() -> None:
    arrivals = MessageQueue(1_000_000, most_each=100)
    added = [arrivals.add(message("flood", f"f{number}")) for number in range(101)]
    assert added == [True] * 100 + [False]
    assert arrivals.add(message("quiet", "q"))
    assert payloads(arrivals, 10) == [*(f"f{number}" for number in range(9)), "q"]
    assert payloads(arrivals, 2) == ["f9", "f10"]
    assert len(arrivals) == 89


def test_topics_that_had_no_turn_come_first_in_the_next_call() -> None:
    arrivals = MessageQueue(1_000_000, most_each=100)
    for topic in "abcd":
        for number in range(2):
            arrivals.add(message(topic, f"{topic}{number}"))
    assert payloads(arrivals, 2) == ["a0", "b0"]
    assert payloads(arrivals, 2) == ["c0", "d0"]
    assert payloads(arrivals, 100) == ["a1", "b1", "c1", "d1"]


def test_without_turns_the_order_is_that_of_arrival() -> None:
    arrivals = MessageQueue(1_000_000)
    for number, topic in enumerate("aaab"):
        arrivals.add(message(topic, str(number)))
    assert [payloads(arrivals, 3), payloads(arrivals, 3)] == [["0", "1", "2"], ["3"]]


def test_the_bytes_are_bounded_and_the_room_comes_back() -> None:
    arrivals = MessageQueue(700)
    # Each counts 300 bytes more than its payload. A message of any size fits an empty queue.
    assert [arrivals.add(message("a", "x" * 50)) for _ in range(3)] == [True, True, False]
    assert len(arrivals.take(1)) == 1
    assert arrivals.add(message("a", "x" * 50))
    assert not arrivals.add(message("a", ""))
    assert len(arrivals.take(9)) == 2
    assert arrivals.add(message("a", "x" * 9_000))


def test_floods_to_many_topics_leave_room_for_a_quiet_one() -> None:
    arrivals = MessageQueue(3_000, most_each=100)
    # Each counts 300 bytes more than its payload: the first of each topic, and further ones up to
    # the limit.
    added = [arrivals.add(message(f"flood{number % 4}", "")) for number in range(40)]
    assert sum(added) == 10
    assert arrivals.add(message("quiet", ""))
    assert not arrivals.add(message("quiet", ""))
    assert {one.topic for one in arrivals.take(5)} == {
        *(f"flood{number}" for number in range(4)),
        "quiet",
    }


def test_many_topics_have_twice_the_bytes_at_most() -> None:
    arrivals = MessageQueue(3_000, most_each=100)
    assert sum(arrivals.add(message(f"{number}", "")) for number in range(100)) == 20

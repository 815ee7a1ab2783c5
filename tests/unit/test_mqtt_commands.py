"""The source `mqtt` without a broker: its topics, and what its settings may be."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridsim.api import Target
from gridsim.testing import make_roster, make_run
from gridsim_plugins.mqtt.command_topics import CommandTopics
from gridsim_plugins.mqtt.source import MqttCommands, MqttCommandSettings, command_topics


def topics(
    topic: str = "projects/{project_id}/ders/{der_id}/command",
    project_topic: str = "projects/{project_id}/command",
    project_ack_topic: str = "projects/{project_id}/ack",
) -> CommandTopics:
    ack_topic = "projects/{project_id}/ders/{der_id}/ack"
    return CommandTopics(topic, project_topic, ack_topic, project_ack_topic, make_roster())


def test_topics_lead_to_targets_and_back() -> None:
    made = topics()
    assert made.filters == ["projects/+/ders/+/command", "projects/+/command"]
    for target in (Target("PRJ_0", "DER_1"), Target("P (.*) \\d", "D{x}"), Target("P")):
        assert made.target(made.command(target)) == target
    assert made.acknowledgement(Target("P", "D")) == "projects/P/ders/D/ack"
    assert made.acknowledgement(Target("P")) == "projects/P/ack"


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "projects/P/ders/D",
        "projects/P/ders/D/ack",
        "projects/P/ders//command",
        "projects//command",
        "projects/P/Q/command",
        "xprojects/P/command",
        "projects/P/command/x",
        "projects/P\x00/command",
        "projects/P+/command",
        "projects/P\n/command",
    ],
)
def test_other_topics_are_nobodys(topic: str) -> None:
    assert topics().target(topic) is None


def test_ids_may_be_parts_of_a_level() -> None:
    made = topics("fleet/site-{project_id}/{der_id}.do", "fleet/site-{project_id}.do")
    assert made.filters == ["fleet/+/+", "fleet/+"]
    assert made.target("fleet/site-A/B.do") == Target("A", "B")
    assert made.target("fleet/site-A.do") == Target("A")
    assert made.target("fleet/A/B.do") is None


def test_an_id_that_comes_twice_is_the_same() -> None:
    made = topics("{project_id}/{der_id}/of/{project_id}")
    assert made.target("A/B/of/A") == Target("A", "B")
    assert made.target("A/B/of/C") is None


def test_the_project_is_looked_up_where_the_topic_does_not_say_it() -> None:
    made = topics("ders/{der_id}/do")
    assert made.target("ders/DER_2/do") == Target("PRJ_1", "DER_2")
    assert made.target("ders/NOBODY/do") == Target("", "NOBODY")


def test_what_could_not_be_answered_is_nobodys() -> None:
    made = topics(project_ack_topic="answers/{project_id}/" + "x" * 60_000)
    assert made.target("projects/P/command") == Target("P")
    assert made.target(f"projects/{'P' * 6000}/command") is None


@given(topic=st.text(max_size=60) | st.from_regex(r"projects/.*/ders/.*/command"))
def test_no_topic_is_too_odd(topic: str) -> None:
    made = topics()
    target = made.target(topic)
    if target is not None:
        assert made.command(target) == topic


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"topic": "a/b"}, "topic: it must contain {der_id}"),
        ({"project_topic": "a/{der_id}"}, "project_topic: unknown placeholder {der_id}"),
        ({"ack_topic": "a/+/{der_id}"}, "ack_topic: .* wildcard"),
        ({"project_ack_topic": "$SYS/{project_id}"}, "project_ack_topic: .*reserved for brokers"),
        ({"password": "x"}, "password: it needs a username"),
        ({"tls": "on"}, "tls: the embedded broker does not support TLS"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        MqttCommands(MqttCommandSettings.model_validate(settings), make_run())


def test_it_describes_itself_without_secrets() -> None:
    settings = {"host": "broker.example", "port": 8883, "username": "u", "password": "sesame"}
    text = MqttCommands(MqttCommandSettings.model_validate(settings), make_run()).describe()
    assert text.startswith("mqtts://broker.example:8883 projects/{project_id}/ders/{der_id}")
    assert "sesame" not in text


def fleet_topics(fleet_topic: str, fleet_ack_topic: str = "fleet/ack") -> CommandTopics:
    return CommandTopics(
        "projects/{project_id}/ders/{der_id}/command",
        "projects/{project_id}/command",
        "projects/{project_id}/ders/{der_id}/ack",
        "projects/{project_id}/ack",
        make_roster(),
        fleet_topic=fleet_topic,
        fleet_ack_topic=fleet_ack_topic,
    )


def test_the_fleet_has_a_topic_of_its_own() -> None:
    made, fleet = fleet_topics("fleet/command"), Target("")
    assert made.target("fleet/command") == fleet
    assert (made.command(fleet), made.acknowledgement(fleet)) == ("fleet/command", "fleet/ack")
    assert made.filters == ["projects/+/ders/+/command", "projects/+/command"]


def test_without_its_topic_the_fleet_takes_nothing() -> None:
    made = fleet_topics("")
    assert made.target("") is None
    assert made.target("fleet/command") is None
    with pytest.raises(ValueError, match="fleet_topic: is empty"):
        made.command(Target(""))


@pytest.mark.parametrize("topic", ["fleet/+", "fleet/{project_id}", "$SYS/fleet"])
def test_the_fleets_topic_is_one(topic: str) -> None:
    with pytest.raises(ValueError, match="fleet_topic"):
        fleet_topics(topic)
    with pytest.raises(ValueError, match="fleet_ack_topic"):
        fleet_topics("fleet/command", topic)


def test_commands_by_topics_that_begin_with_a_dollar() -> None:
    settings = MqttCommandSettings(
        host="b",
        topic="$aws/things/{der_id}/shadow/update/delta",
        ack_topic="$aws/things/{der_id}/shadow/update",
    )
    with pytest.raises(ValueError, match=r"^topic: .* set allow_dollar_topics = true"):
        command_topics(settings, make_roster())
    allowed = settings.model_copy(update={"allow_dollar_topics": True})
    made = command_topics(allowed, make_roster())
    assert made.filters[0] == "$aws/things/+/shadow/update/delta"
    target = made.target("$aws/things/DER_1/shadow/update/delta")
    assert target == Target("PRJ_0", "DER_1")
    assert made.acknowledgement(target) == "$aws/things/DER_1/shadow/update"


def value_topics(value_topic: str) -> CommandTopics:
    settings = MqttCommandSettings(value_topic=value_topic)
    return command_topics(settings, make_roster())


def test_plain_values_have_a_topic_for_each_command() -> None:
    made = value_topics("g/{der_id}/set/{command}")
    assert made.filters[2:] == ["g/+/set/+"]
    assert made.value("g/DER_2/set/set_power") == (Target("PRJ_1", "DER_2"), "set_power")
    assert made.value("g/NOBODY/set/connect") == (Target("", "NOBODY"), "connect")
    # Not a command: neither read nor answered, as an answer could arrive here again.
    for topic in ("g/DER_2/set/power", "g/DER_2/set/call_event", "g/DER_2/set/", "g//set/connect"):
        assert made.value(topic) is None
    assert made.target("g/DER_2/set/set_power") is None
    assert topics().value("g/DER_2/set/set_power") is None


@pytest.mark.parametrize(
    ("value_topic", "reason"),
    [
        ("{der_id}/set", r"value_topic: it must contain {command}"),
        ("set/{command}", r"value_topic: it must contain {der_id}"),
        ("{der_id}/{x}/{command}", r"value_topic: unknown placeholder {x}"),
        ("projects/{project_id}/ders/{der_id}/{command}", r"messages to projects/.*/command would"),
        ("{der_id}/{command}", r"messages to fleet/command would arrive there, too"),
        ("$x/{der_id}/{command}", r"value_topic: .*reserved for brokers"),
    ],
)
def test_a_topic_of_values_that_cannot_be_used_is_refused(value_topic: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        value_topics(value_topic)

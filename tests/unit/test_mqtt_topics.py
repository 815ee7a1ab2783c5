from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gridsim.api import Framing, Settings
from gridsim.testing import PlainFormat, make_roster, make_run, make_sites
from gridsim_plugins.mqtt.settings import MqttSettings
from gridsim_plugins.mqtt.topics import (
    DEFAULT_TOPIC,
    check_filter,
    make_topics,
    matches,
    subscription,
    topic_filter,
)
from gridsim_plugins.mqtt.transport import Mqtt

ROSTER = make_roster([2, 1])


def make(framing: Framing = "der", **settings: object) -> Mqtt:
    plain = PlainFormat(Settings(), framing, ROSTER)
    return Mqtt(MqttSettings.model_validate(settings), plain, make_run(ROSTER))


def test_a_topic_per_device_or_per_project() -> None:
    assert make_topics(DEFAULT_TOPIC["der"], "der", ROSTER) == [
        "projects/PRJ_0/ders/DER_0",
        "projects/PRJ_0/ders/DER_1",
        "projects/PRJ_1/ders/DER_2",
    ]
    assert make_topics(DEFAULT_TOPIC["project"], "project", ROSTER) == [
        "projects/PRJ_0",
        "projects/PRJ_1",
    ]


def test_the_constant_fields_of_the_record_are_known() -> None:
    topics = make_topics("a/{type}/{units}/{{b}}/{der_id}", "der", ROSTER)
    assert topics[0] == "a/battery_storage/kW/{b}/DER_0"
    assert topics[2] == "a/solar/kW/{b}/DER_2"


def test_a_topic_per_measurand_and_one_for_batches() -> None:
    roster = replace(ROSTER, sites=make_sites(2))
    template = "{timezone}/{der_id}/{measurand}/{nameplate_capacity}/{latitude}"
    topics = make_topics(template, "measurand", roster, ("p", "soc"))
    assert topics[:2] == [f"America/Moncton/DER_0/{name}/10.00/45.96" for name in ("p", "soc")]
    assert topics[-1] == "America/Moncton/DER_2/soc/10.00/45.96"
    assert make_topics(DEFAULT_TOPIC["batch"], "batch", roster) == ["readings"]
    assert make_topics("{project_id}/{longitude}", "project", roster)[1] == "PRJ_1/-66.64"
    with pytest.raises(ValueError, match="is the same for all measurands"):
        make_topics("a/{der_id}", "measurand", roster, ("p", "soc"))
    with pytest.raises(ValueError, match="the locations of the sites are not known"):
        make_topics("a/{latitude}", "der", ROSTER)


@pytest.mark.parametrize(
    ("framing", "topic", "says"),
    [
        ("der", "a/{der}", "unknown placeholder {der}; framing der allows {project_id}, {der_id}"),
        ("der", "a/{}", "unknown placeholder {}"),
        ("der", "a/{der_id.__class__}", "unknown placeholder {der_id.__class__}"),
        ("der", "a/{der_id!r:>9}", "unknown placeholder {der_id!r:>9}"),
        ("project", "a/{der_id}", "unknown placeholder {der_id}; framing project allows {project"),
        ("der", "a/{der_id", "expected '}'"),
        ("der", "a/+/{der_id}", "contains the wildcard '+'"),
        ("der", "#", "contains the wildcard '#'"),
        ("der", "a/\x00/{der_id}", r"contains the character '\x00'"),
        ("der", "a\n/{der_id}", r"contains the character '\n'"),
        ("der", "a\uffff/{der_id}", r"contains the character '\uffff'"),
        ("der", "$aws/{der_id}", "begins with $, reserved for brokers; if yours takes"),
        ("der", "a" * 65_533 + "{der_id}", "longer than 65535 bytes"),
    ],
)
def test_what_nobody_can_publish_to_is_refused(framing: Framing, topic: str, says: str) -> None:
    with pytest.raises(ValueError, match=r"^topic") as caught:
        make(framing, topic=topic)
    assert says in str(caught.value)
    assert len(str(caught.value)) < 300


def test_an_id_that_spoils_its_topic_is_named() -> None:
    spoilt = replace(ROSTER, der_id=["DER_0", "DER/#", "DER_2"])
    with pytest.raises(ValueError, match=r"topic of DER/#: .* contains the wildcard '#'"):
        make_topics(DEFAULT_TOPIC["der"], "der", spoilt)
    first = replace(ROSTER, project_id=["$share", "PRJ_1"])
    with pytest.raises(
        ValueError, match=r"topic of \$share: .* begins with \$, reserved for brokers$"
    ):
        make_topics("{project_id}", "project", first)


def test_the_will_needs_a_proper_topic_too() -> None:
    with pytest.raises(ValueError, match=r"^will\.topic: .* contains the wildcard"):
        make(will={"topic": "a/#"})


@pytest.mark.parametrize(
    ("template", "pattern"),
    [
        (DEFAULT_TOPIC["der"], "projects/#"),
        ("{project_id}/x", "#"),
        ("a/b{project_id}/c", "a/#"),
        ("all", "all"),
    ],
)
def test_a_subscription_matches_all_topics(template: str, pattern: str) -> None:
    assert subscription(template) == pattern


def test_what_a_person_is_told() -> None:
    plain = make(host="127.0.0.1")
    assert plain.describe() == (
        "mqtt://127.0.0.1:1883 projects/{project_id}/ders/{der_id}, QoS 0, MQTT 3.1.1"
    )
    assert plain.hint() == "mosquitto_sub -h 127.0.0.1 -p 1883 -t 'projects/#' -v"
    secured = make(
        "project",
        host="broker.example",
        port="8883",
        username="it's me",
        password="hush",
        ca_file="my ca.pem",
        qos="1",
        protocol="5",
    )
    assert secured.describe() == "mqtts://broker.example:8883 projects/{project_id}, QoS 1, MQTT 5"
    assert secured.hint() == (
        "mosquitto_sub -h broker.example -p 8883 --cafile 'my ca.pem' "
        "-u 'it'\"'\"'s me' -P PASSWORD -t 'projects/#' -v"
    )


@pytest.mark.parametrize(
    ("template", "pattern"),
    [
        (DEFAULT_TOPIC["der"], "projects/+/ders/+"),
        (DEFAULT_TOPIC["project"], "projects/+"),
        ("{der_id}", "+"),
        ("fleet/a{der_id}b/{type}-{units}/x", "fleet/+/+/x"),
        ("constant/level", "constant/level"),
        ("{{der_id}}/{der_id}", "{der_id}/+"),
        ("/", "/"),
    ],
)
def test_a_filter_has_a_wildcard_for_each_varying_level(template: str, pattern: str) -> None:
    assert topic_filter(template) == pattern


@pytest.mark.parametrize(
    ("framing", "host", "readings_per_s", "warning"),
    [
        ("der", "embedded", 5000.0, ""),
        ("der", "embedded", 5001.0, "this run sends up to 5,001 messages/s, more than"),
        ("der", "broker.example", 5001.0, ""),
        (
            "der",
            "embedded",
            float("inf"),
            "the embedded broker, with about 5,000 messages/s, limits",
        ),
        # Two projects of three DERs.
        ("project", "embedded", 7500.0, ""),
        ("project", "embedded", 7502.0, "this run sends up to 5,001 messages/s, more than"),
    ],
)
def test_more_than_the_embedded_broker_can_handle_is_warned_of(
    framing: Framing, host: str, readings_per_s: float, warning: str
) -> None:
    run = make_run()
    transport = Mqtt(MqttSettings(host=host), PlainFormat(Settings(), framing, run.roster), run)
    found = transport.warning(readings_per_s)
    assert warning in found
    assert bool(found) is bool(warning)


@pytest.mark.parametrize(
    ("pattern", "topic", "does"),
    [
        ("#", "a/b", True),
        ("a/#", "a", True),
        ("a/#", "a/b/c", True),
        ("a/#", "ab", False),
        ("a/+", "a/b", True),
        ("a/+", "a", False),
        ("a/+", "a/b/c", False),
        ("+/b", "/b", True),
        ("a/b", "a/b", True),
        ("a/b", "a/c", False),
        ("#", "$SYS/broker", False),
        ("+/broker", "$SYS/broker", False),
        ("$SYS/#", "$SYS/broker", True),
        # Every topic that the second filter matches.
        ("#", "a/#", True),
        ("a/+", "a/+", True),
        ("a/+", "a/#", False),
        ("a/b", "a/+", False),
    ],
)
def test_a_filter_matches_as_the_broker_does(pattern: str, topic: str, does: bool) -> None:
    assert matches(pattern, topic) is does


@pytest.mark.parametrize("pattern", ["", "a\0", "a/#/b", "a#", "#/#", "a+/b", "a/b+"])
def test_a_filter_that_no_broker_accepts_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="is not a topic filter: "):
        check_filter(pattern)


@pytest.mark.parametrize("pattern", ["#", "+", "a", "a/+/b/#", "/", "a//b"])
def test_a_filter_that_brokers_accept_is_accepted(pattern: str) -> None:
    check_filter(pattern)


def test_topics_that_begin_with_a_dollar() -> None:
    shadow = "$aws/things/{der_id}/shadow/update"
    given: dict[str, Any] = {"host": "b", "allow_dollar_topics": True}
    mqtt = make(topic=shadow, connections="der", **given)
    assert mqtt.address(0).topic == "$aws/things/DER_0/shadow/update"
    assert mqtt.hint().endswith("-t '$aws/things/#' -v")
    # The plain template still makes no topic that begins with $.
    with pytest.raises(ValueError, match=r"^topic of \$1: '\$1/p' begins with \$"):
        make_topics("{der_id}/p", "der", replace(ROSTER, der_id=["$1", "a", "b"]), dollar=True)
    for topic, says in (
        ("$SYS/{der_id}", "no broker takes messages there"),
        ("$share/g/{der_id}", "no broker takes messages there"),
        ("${der_id}/a", "has a placeholder in its first level"),
    ):
        with pytest.raises(ValueError, match=r"^topic: ") as caught:
            make(topic=topic, **given)
        assert says in str(caught.value)
    make(topic="$SYSTEM/{der_id}", will={"topic": "$will"}, **given)
    with pytest.raises(ValueError, match=r"^will.topic: '\$will' begins with \$"):
        make(will={"topic": "$will"})
    with pytest.raises(ValueError, match=r"^allow_dollar_topics: the embedded broker refuses"):
        make(topic=shadow, allow_dollar_topics=True)

"""The topics of instructions and of their acknowledgements."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import get_args

from gridsim.api import Action, Roster, Target
from gridsim_plugins.mqtt.topics import check_template, check_topic, check_topics, topic_filter

_FIELDS = ("project_id", "der_id")
_ACTIONS: tuple[Action, ...] = get_args(Action)


class CommandTopics:
    """The templates of the topics, from target to topic and back."""

    def __init__(
        self,
        topic: str,
        project_topic: str,
        ack_topic: str,
        project_ack_topic: str,
        roster: Roster,
        *,
        fleet_topic: str = "",
        fleet_ack_topic: str = "",
        value_topic: str = "",
        dollar: bool = False,
    ) -> None:
        """Check the templates; with an empty `fleet_topic` the whole fleet has no topic, and
        with an empty `value_topic` plain values have none.

        `dollar`: they may begin with $.

        Raises ValueError, starting with the name of the template that cannot be used.
        """
        self._roster = roster
        self.fleet = fleet_topic
        self._fleet_answers = fleet_ack_topic
        if fleet_topic:
            for name, fixed in (("fleet_topic", fleet_topic), ("fleet_ack_topic", fleet_ack_topic)):
                check_template(fixed, name, (), "the fleet's topic")
                check_topic(fixed, name, dollar=dollar)
        self._of_der = _pattern(_checked(topic, "topic", _FIELDS, dollar))
        self._of_project = _pattern(_checked(project_topic, "project_topic", _FIELDS[:1], dollar))
        self._templates = (topic, project_topic)
        self._answers = (
            _checked(ack_topic, "ack_topic", _FIELDS, dollar),
            _checked(project_ack_topic, "project_ack_topic", _FIELDS[:1], dollar),
        )
        self._value_topic = value_topic
        if value_topic:
            self._of_value = _pattern(self._checked_value(value_topic, dollar))
        self._projects: Mapping[str, str] | None = None

    @property
    def filters(self) -> list[str]:
        """The filters to subscribe to, without the fleet's topic. An id is a whole level, or a part
        of a level.
        """
        more = (self._value_topic,) if self._value_topic else ()
        return [topic_filter(template) for template in (*self._templates, *more)]

    def value(self, topic: str) -> tuple[Target, Action] | None:
        """Return the target and the action of plain values at this topic.

        None if the topic is not for values, or if they could not be answered.
        """
        found = self._of_value.fullmatch(topic) if self._value_topic else None
        if found is None:
            return None
        action = next((one for one in _ACTIONS if one == found["command"]), None)
        target = self._answered(found.groupdict())
        return None if action is None or target is None else (target, action)

    def target(self, topic: str) -> Target | None:
        """Return the target of instructions at this topic, which need not exist; None if the topic
        is not for instructions, or if they could not be answered.
        """
        if self.fleet and topic == self.fleet:
            return Target("")
        found = self._of_der.fullmatch(topic) or self._of_project.fullmatch(topic)
        if found is None:
            return None
        return self._answered(found.groupdict())

    def _answered(self, ids: Mapping[str, str]) -> Target | None:
        """Return the target with these ids; None if its instructions could not be answered."""
        der = ids.get("der_id")
        project = ids.get("project_id")
        target = Target(self._project_of(der or "") if project is None else project, der)
        try:
            answer = self.acknowledgement(target)
            check_topic(answer, "ack_topic", dollar=self._answers[der is None].startswith("$"))
        except ValueError:
            return None
        return target

    def command(self, target: Target) -> str:
        """Return the topic of the target's instructions. Raises ValueError if there is none."""
        if target == Target(""):
            if not self.fleet:
                raise ValueError("fleet_topic: is empty, so the fleet takes no instructions")
            return self.fleet
        return _fill(self._templates[target.der_id is None], target)

    def acknowledgement(self, target: Target) -> str:
        """Return the topic of the answers to the target's instructions."""
        if target == Target(""):
            return self._fleet_answers
        return _fill(self._answers[target.der_id is None], target)

    def _checked_value(self, template: str, dollar: bool) -> str:
        """Return the template of values. Raises ValueError if it cannot be used."""
        _checked(template, "value_topic", (*_FIELDS, "command"), dollar)
        if "{der_id}" not in template:
            raise ValueError("value_topic: it must contain {der_id}")
        own = topic_filter(template)
        for other in (*self._templates, *self._answers, self.fleet, self._fleet_answers):
            if other and _overlap(own, topic_filter(other)):
                raise ValueError(f"value_topic: messages to {other} would arrive there, too")
        return template

    def _project_of(self, der_id: str) -> str:
        """Return a DER's project, for topics without one; empty if there is no such DER."""
        if self._projects is None:
            roster = self._roster
            names = (roster.project_id[project] for project in roster.project.tolist())
            self._projects = dict(zip(roster.der_id, names, strict=True))
        return self._projects.get(der_id, "")


def _checked(template: str, name: str, fields: tuple[str, ...], dollar: bool) -> str:
    check_template(template, name, fields, "a command's topic")
    check_topics(template, name, dollar=dollar)
    if f"{{{fields[-1]}}}" not in template:
        raise ValueError(f"{name}: it must contain {{{fields[-1]}}}")
    return template


def _fill(template: str, target: Target) -> str:
    return template.format(project_id=target.project_id, der_id=target.der_id)


def _pattern(template: str) -> re.Pattern[str]:
    """Return a pattern of the template's topics; an id that occurs twice must be the same."""
    pattern, seen = "", set()
    for piece in re.split(r"(\{\w+\})", template):
        name = piece[1:-1]
        if not piece.startswith("{"):
            pattern += re.escape(piece)
        elif name in seen:
            pattern += f"(?P={name})"
        else:
            seen.add(name)
            pattern += f"(?P<{name}>[^/]+)"
    return re.compile(pattern, re.DOTALL)


def _overlap(one: str, other: str) -> bool:
    """Return whether two filters, without #, match the same topic."""
    pairs = list(zip(one.split("/"), other.split("/"), strict=False))
    same = one.count("/") == other.count("/")
    return same and all(a == b or "+" in (a, b) for a, b in pairs)

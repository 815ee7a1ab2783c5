"""Topic templates: one topic per device or per project, created and checked once."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from string import Formatter

from gridsim.api import UNITS, Framing, Roster

DEFAULT_TOPIC = {"der": "projects/{project_id}/ders/{der_id}", "project": "projects/{project_id}"}

_FIELDS = {"der": ("project_id", "der_id", "type", "units"), "project": ("project_id",)}
_MAX_BYTES = 65_535
_BAD = re.compile(r"[\x00-\x1f\x7f-\x9f+#\ud800-\udfff]")


def make_topics(template: str, framing: Framing, roster: Roster) -> list[str]:
    """Return the topic of every device (framing `der`) or project (`project`), in roster order.

    Raises ValueError if the template is invalid, or if an id makes a topic invalid.
    """
    check_template(template, "topic", _FIELDS[framing], f"framing {framing}")
    check_topic(re.sub(r"\{\w*\}", "x", template), "topic")
    if framing == "project":
        topics = [template.format(project_id=project) for project in roster.project_id]
        owners: Iterable[str] = roster.project_id
    else:
        topics = [
            template.format(project_id=roster.project_id[p], der_id=der, type=kind, units=UNITS)
            for p, der, kind in zip(
                roster.project.tolist(), roster.der_id, roster.type, strict=True
            )
        ]
        owners = roster.der_id
    for owner, topic in zip(owners, topics, strict=True):
        check_topic(topic, f"topic of {owner}")
    return topics


def check_topic(topic: str, name: str) -> None:
    """Raise ValueError, starting with `name`, if `topic` is not valid for publishing."""
    if not topic:
        raise ValueError(f"{name}: it is empty")
    if topic.startswith("$"):
        raise ValueError(f"{name}: {topic!r} starts with $, which is reserved for brokers")
    bad = _BAD.search(topic)
    if bad:
        what = "the wildcard" if bad[0] in "+#" else "the character"
        raise ValueError(f"{name}: {_shown(topic)} contains {what} {bad[0]!r}")
    if len(topic.encode()) > _MAX_BYTES:
        raise ValueError(f"{name}: {_shown(topic)} is longer than {_MAX_BYTES} bytes")


def subscription(template: str) -> str:
    """Return the filter that matches all topics of a template: its constant levels, then `#`."""
    levels = template.split("/")
    constant = [level for level in levels if "{" not in level]
    if len(constant) == len(levels):
        return template
    return "/".join([*levels[: next(i for i, x in enumerate(levels) if "{" in x)], "#"])


def topic_filter(template: str) -> str:
    """Return the filter that matches the topics of a template, with `+` for each varying level."""
    return "/".join(
        "+"
        if any(name is not None for _, name, _, _ in Formatter().parse(level))
        else level.format()
        for level in template.split("/")
    )


def check_filter(pattern: str) -> None:
    """Raise ValueError if a topic filter is not valid."""
    levels = pattern.split("/")
    if not pattern or "\0" in pattern:
        raise ValueError(f"{_shown(pattern)} is not a topic filter: it is empty or contains NUL")
    if "#" in pattern and (levels[-1] != "#" or pattern.count("#") > 1):
        raise ValueError(f"{_shown(pattern)} is not a topic filter: # must be the whole last level")
    if any("+" in level and level != "+" for level in levels):
        raise ValueError(f"{_shown(pattern)} is not a topic filter: + must be a whole level")


def matches(pattern: str, topic: str) -> bool:
    """Return whether a topic filter matches a topic, or every topic of another filter."""
    wanted, given = pattern.split("/"), topic.split("/")
    if wanted[0] in "+#" and given[0].startswith("$"):
        return False
    for place, level in enumerate(wanted):
        if level == "#":
            return True
        if place == len(given) or given[place] == "#":
            return False
        if level not in ("+", given[place]):
            return False
    return len(wanted) == len(given)


def mosquitto_sub(
    host: str, port: int, pattern: str, *, username: str = "", tls_options: Iterable[str] = ()
) -> str:
    """Return a command line that prints the messages; the user has to fill in the password."""
    words = ["mosquitto_sub", "-h", host, "-p", str(port), *tls_options]
    if username:
        words += ["-u", username, "-P", "PASSWORD"]
    quoted = "'" + pattern.replace("'", "'\"'\"'") + "'"
    return f"{shlex.join(words)} -t {quoted} -v"


def check_template(template: str, name: str, known: Sequence[str], context: str) -> None:
    """Raise ValueError, starting with `name`, if a placeholder is not in `known`.

    `context` is the setting that decides on `known`.
    """
    try:
        parsed = list(Formatter().parse(template))
    except ValueError as error:
        raise ValueError(f"{name}: {_shown(template)}: {error}") from error
    for _, field, spec, conversion in parsed:
        if field is None:
            continue
        if field not in known or spec or conversion:
            placeholders = ", ".join(f"{{{one}}}" for one in known)
            whole = field + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")
            raise ValueError(
                f"{name}: unknown placeholder {{{whole}}}; {context} allows {placeholders}"
            )


def _shown(topic: str) -> str:
    return repr(topic if len(topic) <= 80 else topic[:77] + "...")

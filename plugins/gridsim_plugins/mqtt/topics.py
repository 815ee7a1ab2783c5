"""Topic templates: one topic per device or per project, created and checked once."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from string import Formatter

from gridsim.api import ATTRIBUTES, UNITS, Framing, Roster

DEFAULT_TOPIC: Mapping[Framing, str] = {
    "der": "projects/{project_id}/ders/{der_id}",
    "project": "projects/{project_id}",
    "measurand": "projects/{project_id}/ders/{der_id}/{measurand}",
    "batch": "readings",
}

_OF_SITE = ("timezone", "latitude", "longitude")
_OF_DER = ("project_id", "der_id", "type", "units", "nameplate_capacity", *_OF_SITE, *ATTRIBUTES)
FIELDS: Mapping[Framing, Sequence[str]] = {
    "der": _OF_DER,
    "project": ("project_id", "units", *_OF_SITE),
    "measurand": ("measurand", *_OF_DER),
    "batch": ("units",),
}
"""The placeholders of each framing."""
_MAX_BYTES = 65_535
_DOLLAR_HINT = "; if yours takes messages there, as AWS IoT does, set allow_dollar_topics = true"
# Only the broker publishes below $SYS, and $share begins the filter of a shared subscription.
_NEVER_PUBLISHED = ("$SYS/", "$share/")
_REFUSED = r"\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef" + "".join(
    chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF)
)
_BAD = re.compile(f"[+#{_REFUSED}]")
_BAD_IN_TEXT = re.compile(f"[{_REFUSED}]")
"""The characters on which brokers may close the connection (MQTT 5, section 1.5.4)."""


def make_topics(
    template: str,
    framing: Framing,
    roster: Roster,
    measurands: Sequence[str] = (),
    *,
    dollar: bool = False,
) -> list[str]:
    """Return the topics in roster order: one for each device, project, or measurand of a device.

    With framing `batch` there is one topic. `dollar`: the template may begin with $. Raises
    ValueError if the template is invalid, or if an id makes a topic invalid.
    """
    topics = fill(template, "topic", framing, roster, measurands)
    dollar = check_topics(template, "topic", dollar=dollar)
    if framing == "measurand" and "measurand" not in placeholders(template) and len(measurands) > 1:
        raise ValueError(
            f"topic: {shown(template)} is the same for all measurands; add {{measurand}}"
        )
    if framing == "batch":
        return topics
    owners: Sequence[str] = roster.project_id if framing == "project" else roster.der_id
    each = len(measurands) if framing == "measurand" else 1
    for place, topic in enumerate(topics):
        check_topic(topic, f"topic of {owners[place // each]}", dollar=dollar or None)
    return topics


def fill(
    template: str,
    name: str,
    framing: Framing,
    roster: Roster,
    measurands: Sequence[str] = (),
    *,
    context: str = "",
) -> list[str]:
    """Return the text of a template for each topic, in the order of `make_topics`.

    `context` is the setting that determines the placeholders; empty: the framing. Raises
    ValueError, starting with `name`, if the template is invalid.
    """
    check_template(template, name, FIELDS[framing], context or f"framing {framing}")
    if framing == "batch":
        return [template.format(units=UNITS)]
    values = columns(placeholders(template), name, framing, roster)
    pairs = [[(field, text) for text in column] for field, column in values.items()]
    count = len(roster.project_id if framing == "project" else roster)
    rows = list(zip(*pairs, strict=True)) if pairs else [()] * count
    return [
        template.format(**dict(row), measurand=measurand)
        for row in rows
        for measurand in (measurands if framing == "measurand" else ("",))
    ]


def placeholders(template: str) -> set[str]:
    """Return the names of the placeholders in a valid template."""
    return {field for _, field, _, _ in Formatter().parse(template) if field is not None}


def columns(
    named: Collection[str], name: str, framing: Framing, roster: Roster
) -> dict[str, Sequence[object]]:
    """Return the values of the named placeholders, one for each project or device.

    Raises ValueError, starting with `name`, if the locations of the sites are not known.
    """
    of_project: dict[str, Sequence[object]] = {"project_id": roster.project_id}
    count = len(roster.project_id if framing == "project" else roster)
    wanted = [field for field in FIELDS[framing] if field in named]
    if any(field in _OF_SITE for field in wanted):
        if roster.sites is None:
            raise ValueError(f"{name}: the locations of the sites are not known here")
        of_project["timezone"] = roster.sites.timezone
        of_project["latitude"] = roster.sites.latitude.tolist()
        of_project["longitude"] = roster.sites.longitude.tolist()
    values: dict[str, Sequence[object]] = {
        "der_id": roster.der_id,
        "type": roster.type,
        "units": [UNITS] * count,
        "nameplate_capacity": [f"{kw:.2f}" for kw in roster.nameplate_capacity.tolist()],
    }
    for field, column in of_project.items():
        if framing != "project":
            column = [column[place] for place in roster.project.tolist()]
        values[field] = column
    for field in wanted:
        if field in ATTRIBUTES:
            values[field] = _attribute(name, field, roster)
    return {field: values[field] for field in wanted if field != "measurand"}


def _attribute(name: str, field: str, roster: Roster) -> Sequence[str]:
    """Return an attribute of all devices. Raises ValueError if a device has none."""
    try:
        texts = roster.attribute(field)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    if "" in texts:
        without = roster.der_id[texts.index("")]
        raise ValueError(f"{name}: {without} has no {field}: set it in [[projects.ders]]")
    return texts


def check_topics(template: str, name: str, *, dollar: bool) -> bool:
    """Return whether the topics of a template begin with $, which `dollar` permits.

    Raises ValueError, starting with `name`, if no topic of the template is valid for publishing.
    """
    check_topic(re.sub(r"\{\w*\}", "x", template), name, dollar=dollar)
    if template.startswith("$") and "{" in template.partition("/")[0]:
        # The wildcards of a subscription do not match a first level that begins with $.
        raise ValueError(
            f"{name}: {shown(template)} has a placeholder in its first level, which begins with $"
        )
    return template.startswith("$")


def check_topic(topic: str, name: str, *, dollar: bool | None = None) -> None:
    """Raise ValueError, starting with `name`, if `topic` is not valid for publishing.

    `dollar`: it may begin with $. If False, the error names the setting that permits it.
    """
    if not topic:
        raise ValueError(f"{name}: it is empty")
    if topic.startswith("$") and not dollar:
        hint = "" if dollar is None else _DOLLAR_HINT
        raise ValueError(f"{name}: {shown(topic)} begins with $, reserved for brokers{hint}")
    if topic.startswith(_NEVER_PUBLISHED):
        raise ValueError(f"{name}: {shown(topic)}: no broker takes messages there")
    bad = _BAD.search(topic)
    if bad:
        what = "the wildcard" if bad[0] in "+#" else "the character"
        raise ValueError(f"{name}: {shown(topic)} contains {what} {bad[0]!r}")
    if len(topic.encode()) > _MAX_BYTES:
        raise ValueError(f"{name}: {shown(topic)} is longer than {_MAX_BYTES} bytes")


def check_text(text: str, name: str, *, secret: bool = False) -> None:
    """Raise ValueError, starting with `name`, if a broker would refuse `text`.

    The error does not show a `secret` text.
    """
    bad = _BAD_IN_TEXT.search(text)
    what = "it" if secret else shown(text)
    if bad:
        raise ValueError(f"{name}: {what} contains the character {bad[0]!r}")
    if len(text.encode()) > _MAX_BYTES:
        raise ValueError(f"{name}: {what} is longer than {_MAX_BYTES} bytes")


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
        raise ValueError(f"{shown(pattern)} is not a topic filter: it is empty or contains NUL")
    if "#" in pattern and (levels[-1] != "#" or pattern.count("#") > 1):
        raise ValueError(f"{shown(pattern)} is not a topic filter: # must be the whole last level")
    if any("+" in level and level != "+" for level in levels):
        raise ValueError(f"{shown(pattern)} is not a topic filter: + must be a whole level")


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

    `context` is the setting that determines `known`.
    """
    try:
        parsed = list(Formatter().parse(template))
    except ValueError as error:
        raise ValueError(f"{name}: {shown(template)}: {error}") from error
    for _, field, spec, conversion in parsed:
        if field is None:
            continue
        if field not in known or spec or conversion:
            placeholders = ", ".join(f"{{{one}}}" for one in known)
            whole = field + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")
            raise ValueError(
                f"{name}: unknown placeholder {{{whole}}}; {context} allows {placeholders}"
            )


def shown(text: str) -> str:
    """Return a text in quotes, shortened to 80 characters."""
    return repr(text if len(text) <= 80 else text[:77] + "...")

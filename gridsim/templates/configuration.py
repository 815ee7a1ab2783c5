"""A new configuration: a fleet and the destination of its readings, with a comment for every
key.
"""

from __future__ import annotations

import os
import re
import tempfile
from importlib.resources import files
from pathlib import Path

from gridsim.errors import UsageError
from gridsim.templates.choices import FLEETS, Choices
from gridsim.wholefile import whole_file

_COLUMN = 27
_EMBEDDED_PER_S = 5000
_MQTT_KEYS = (
    ("username", "${MQTT_USERNAME:-}", "from the environment or the file .env; empty: none"),
    ("password", "${MQTT_PASSWORD:-}", "a placeholder; or name a file by password_file"),
)


def text_of(choices: Choices, name: str) -> str:
    """Return the configuration; `name` is the path that its comments show."""
    choices.check()
    size = choices.size
    fleet = files("gridsim.templates").joinpath("fleets", f"{choices.fleet}.toml")
    stanzas = fleet.read_text(encoding="utf-8").replace("{count}", str(size))
    stanzas = stanzas.replace("{threshold}", f"{3.0 * size:g}")
    stanzas = stanzas.replace("{limit}", f"{150.0 * size:g}")
    parts = [_head(choices, name), _aligned(stanzas), _transport(choices)]
    if choices.wire in ("embedded", "mqtt"):
        parts.append(_source(choices))
    parts.append(_rest())
    return "\n".join(parts)


def check_text(text: str, name: str) -> None:
    """Raise UsageError, with this name of a file, if the text is not a valid configuration."""
    from gridsim.running.plan import Options, make_plan

    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary, name)
        path.write_text(text, encoding="utf-8")
        try:
            make_plan(Options(path), files="none").close()
        except UsageError as error:
            raise UsageError(str(error).replace(f"{path}:", f"{name}:")) from None


def write(text: str, path: Path, *, force: bool) -> None:
    """Write the text to a new file, or with `force` replace it. Raises UsageError."""
    if path.is_dir():
        raise UsageError(f"{path}: error: is a folder; name a file, such as {path / 'home.toml'}")
    if not force and os.path.lexists(path):
        raise UsageError(
            f"{path}: error: the file already exists and was not changed; name another, or "
            "replace it with --force"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as new:
            new.write_text(text, encoding="utf-8")
    except FileExistsError:
        raise UsageError(f"{path}: error: {path.parent} is not a folder") from None
    except OSError as error:
        raise UsageError(f"{path}: error: cannot be written: {error.strerror}") from error


def warning(choices: Choices) -> str:
    """Return a warning if the embedded broker cannot keep up with the fleet; may be empty."""
    rate = choices.messages_per_s
    if choices.wire != "embedded" or rate <= _EMBEDDED_PER_S:
        return ""
    return (
        f"the embedded broker takes about {_EMBEDDED_PER_S:,} messages a second and this fleet "
        f"sends {rate:,}: use --framing project, a smaller --count, or your own broker"
    )


def _head(choices: Choices, name: str) -> str:
    title = FLEETS[choices.fleet][0]
    lines = [
        f"# {title[:1].upper()}{title[1:]}. Made by `gridsim init`; change it as you like.",
        "#",
        f"#     gridsim validate --config {name}     reports every error",
        f"#     gridsim --config {name}              runs it until Ctrl-C",
        "#",
        "# `gridsim plugins` lists all types and tables; `gridsim plugins simulation` shows the",
        "# settings of one. `gridsim schema --write` gives editors the schema of this file.",
        "",
        "[simulation]",
        _key("seed", "42", "the same seed gives the same run, to the byte"),
        _key("tick_s", "1.0", "s: simulated time between two readings"),
        _key("speed", "1", "1: real time; 60: a minute per second; 0: as fast as possible"),
        _key("start", '"now"', "or 2026-07-01T12:00:00-03:00, or a date: midnight at the site"),
        "",
        "# The location of all projects that do not set their own.",
        "[site]",
        _key("latitude", f"{_given(choices.latitude, 45.96)}", "degrees, north positive"),
        _key("longitude", f"{_given(choices.longitude, -66.64)}", "degrees, east positive"),
        _key("altitude", "20.0", "m above sea level"),
        _key("timezone", f'"{choices.timezone or "America/Moncton"}"', "IANA name"),
        "",
        "[weather]",
        _key("type", '"synthetic"', 'or "clear", or "file" (EPW, TMY3, your own CSV)'),
        "",
    ]
    return "\n".join(lines)


def _transport(choices: Choices) -> str:
    lines = ["# The destination of the readings. There may be several [[transports]]."]
    if choices.wire in ("embedded", "mqtt"):
        per_project = choices.framing == "project"
        topic = "projects/{project_id}" + ("" if per_project else "/ders/{der_id}")
        lines += ["[[transports]]", *_broker(choices)]
        lines += [
            _key("protocol", '"3.1.1"', 'MQTT version; or "5"'),
            _key("qos", "0", "0, 1 or 2"),
            _key("topic", f'"{topic}"', ""),
        ]
        lines[-1] = f"{lines[-1].rstrip()}   # a topic per {'project' if per_project else 'DER'}"
    elif choices.wire == "file":
        suffix = "csv" if choices.format == "csv" else "jsonl"
        path = choices.path or f"out/{{date}}.{suffix}"
        comment = "relative to this file; {date} is the simulated day"
        lines += [
            "[[transports]]",
            _key("type", '"file"', '"mqtt", "stdout" or "file"'),
            _key("path", _quoted(path), comment),
        ]
    else:
        lines += ["[[transports]]", _key("type", '"stdout"', '"mqtt", "stdout" or "file"')]
    lines += [
        _key("framing", f'"{choices.framing}"', '"der": a message per DER; "project": per project'),
        _key("format", f'"{choices.format}"', '"json", "csv", or your own: docs/payloads.md'),
        "",
    ]
    return "\n".join(lines)


def _source(choices: Choices) -> str:
    lines = [
        "# The origin of commands, such as `gridsim send DER_ID set_power -3 --duration 10m`.",
        "[[sources]]",
        *_broker(choices),
        "",
    ]
    return "\n".join(lines)


def _broker(choices: Choices) -> list[str]:
    port = '"auto"' if choices.port is None else str(choices.port)
    host = "embedded" if choices.wire == "embedded" else str(choices.host)
    lines = [
        _key("type", '"mqtt"', '"mqtt", "stdout" or "file"'),
        _key("host", _quoted(host), '"embedded": the embedded broker; or a name or address'),
        _key("port", port, '"auto": 1883, or 8883 with TLS'),
    ]
    if choices.wire == "mqtt":
        lines += [_key(key, _quoted(value), comment) for key, value, comment in _MQTT_KEYS]
        lines.append(_key("tls", f'"{choices.tls}"', '"auto": on for port 8883; or "on", "off"'))
    return lines


def _rest() -> str:
    return "\n".join(
        [
            "# The page that shows the run, and its HTTP API; --no-web leaves it out.",
            "[[views]]",
            _key("type", '"web"', '"web" or "terminal"'),
            _key("host", '"127.0.0.1"', "address to listen on"),
            _key("port", "8080", "if it is in use, the next free port"),
            "",
            "# The truth about the run, for `gridsim verify` and `gridsim report`.",
            "# [ledger]",
            '# path = "out/ledger.sqlite"   # relative to this file',
            "",
        ]
    )


def _key(name: str, value: str, comment: str) -> str:
    text = f"{name} = {value}"
    return f"{text.ljust(_COLUMN)}# {comment}" if len(text) < _COLUMN else f"{text}   # {comment}"


def _aligned(stanzas: str) -> str:
    """Return the stanzas with the comments aligned, even after a number was inserted."""
    lines = []
    for line in stanzas.splitlines():
        found = re.fullmatch(r"(\w+ = .*?)\s+# (.*)", line)
        if found is None:
            lines.append(line)
            continue
        key, _, value = found[1].partition(" = ")
        lines.append(_key(key, value, found[2]))
    return "\n".join([*lines, ""])


def _quoted(text: str) -> str:
    """Return a TOML string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _given(value: float | None, usual: float) -> float:
    return usual if value is None else value

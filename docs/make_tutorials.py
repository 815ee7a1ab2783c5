"""Writes docs/tutorials.md: a plugin of each kind, as `gridsim new` writes it.

python docs/make_tutorials.py
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from gridsim.running.plan import find_plugins
from gridsim.templates.plugin import TITLES, new_plugin

PAGE = Path(__file__).with_name("tutorials.md")
HEAD = """# A plugin of each kind

Each section shows what `gridsim new KIND NAME` writes: a package with a working module, its test
and a configuration. Begin with the one that is nearest to yours, run its test, and then replace the
model. A DER type step by step is in [A fleet and a device of your own](first-day.md), and the rules
for all plugins are in [Your own plugins](plugins.md). `python docs/make_tutorials.py` writes this
page.

The commands are the same for every kind:

```console
$ gridsim new weather haze
$ pip install -e haze pytest
$ pytest haze
$ gridsim --config haze/haze.toml --duration 10s
```

With `--single-file` you get only the module. A configuration loads it with
`plugins = ["./haze.py"]` in `[simulation]`.
"""


class Example(NamedTuple):
    """An example of a kind: its name, and what matters in it."""

    name: str
    text: str


EXAMPLES = {
    "der": Example(
        "pool_pump",
        "`capability` bounds the power in a tick, and `step` returns it. With `capability` "
        "the type takes part in events and follows commands. gridsim calls both in the thread "
        "of the simulation, once per device and tick. For thousands of devices, derive from "
        "`Fleet`, which steps them as arrays.",
    ),
    "weather": Example(
        "haze",
        "`at` returns irradiance, temperature and wind for every site at a time. It is a "
        "function of place and time only, so that any tick can be asked for, also again.",
    ),
    "load": Example(
        "workshop",
        "`expected` is the consumption that a forecast would know, from which baselines are "
        "made. `at` is the consumption that is drawn, here with a chance by site and minute.",
    ),
    "baseline": Example(
        "margin",
        "`at` returns the estimated consumption of each site without demand response. "
        "`event_announced` is the moment to fix what depends on the day of the event.",
    ),
    "fault": Example(
        "half_blind",
        "`inject` changes the readings of the affected devices in place. The configuration "
        "chooses devices, times and probability; the fault only defines the error. The "
        "physics never changes.",
    ),
    "format": Example(
        "key_value",
        "`encode` returns the payloads of a batch as bytes, one for each message. A batch "
        "holds the readings of a tick as columns.",
    ),
    "transport": Example(
        "line_file",
        "`connect`, `write` and `close` are called from the transport's own thread. Queue, "
        "retries, reconnects and the account are gridsim's. `write` returns when the far end "
        "has what it was given, and raises otherwise.",
    ),
    "source": Example(
        "drop_folder",
        "`serve` runs in its own thread and posts what arrives to the inbox. "
        "`acknowledge` sends the answers, which follow from the tick that decides.",
    ),
    "view": Example(
        "scoreboard",
        "`show` gets at most four snapshots a second, in a thread that never delays a tick. "
        "Its `control` can call events, send commands and change the speed.",
    ),
    "probe": Example(
        "line_probe",
        "A probe is the other end of a transport. With it `gridsim verify --subscribe` reads "
        "what the transport has written.",
    ),
}
LANGUAGES = {".py": "python", ".toml": "toml"}


def page() -> str:
    """Return the whole page."""
    return "\n".join([HEAD, *(part for kind in TITLES for part in _section(kind))])


def _section(kind: str) -> Iterator[str]:
    """Yield the section of a kind: its text, module, test and configuration."""
    example = EXAMPLES[kind]
    plugin = new_plugin(kind, example.name, find_plugins(None, ()), single_file=False)
    yield f"## {TITLES[kind]}\n\n`gridsim new {kind} {example.name}`\n\n{example.text}\n"
    for path, text in plugin.files.items():
        inner = path.partition("/")[2]
        language = LANGUAGES.get(Path(inner).suffix)
        if language and inner != "pyproject.toml":
            yield f"`{inner}`:\n\n```{language}\n{text.strip()}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(page())

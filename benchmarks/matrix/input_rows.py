"""Hostile input: configurations, ids, texts."""

from __future__ import annotations

import time

from benchmarks.matrix.accounts import disagreements
from benchmarks.matrix.broken_plugins import PLUGIN
from benchmarks.matrix.broker import mqtt
from benchmarks.matrix.fleet import FleetRun, fleet
from benchmarks.matrix.row import Group, Outcome, Scene
from benchmarks.matrix.sinks import of_file

GROUP = Group("Hostile input")
_FILE = '\n[[transports]]\ntype = "file"\npath = "out.jsonl"\n'
_HOSTILE = {
    "17 MB": "# " + "x" * 17_000_000 + "\n",
    "a dotted key of 100 KB": ".".join("a" * 50_000) + " = 1\n",
    "depth 33": "a = " + "[" * 33 + "]" * 33 + "\n",
    "50,000 brackets": "a = " + "[" * 50_000 + "\n",
    "not UTF-8": 'a = "\udcff"\n',
    "a NUL": 'a = "\0"\n',
    "an unclosed string": 'a = """' + "x" * 1_000_000,
    "100,000 projects": '[[projects]]\nid = "P{n}"\ncount = 100000000\n',
}


@GROUP.row(
    "hostile TOML: 17 MB, a dotted key of 100 KB, depth 33, brackets, bytes that are not UTF-8, "
    "NUL, an unclosed string, a count of 100 million",
    "exit 2 with one text and without a traceback, within seconds",
)
def toml(scene: Scene, outcome: Outcome) -> None:
    # The first run of a process that is forked imports what the others share.
    for name, text in _HOSTILE.items():
        part = scene.part(f"case-{list(_HOSTILE).index(name)}")
        run = FleetRun(part.folder, "", "--duration", "1s", ledger=False, write=text)
        with run:
            began = time.monotonic()
            status = run.wait()
            seconds = time.monotonic() - began
        outcome.note(f"{name}: exit {status}, {seconds:.1f} s")
        outcome.check(status == 2, f"{name}: exit {status}: {run.log[:300]}")
        outcome.check("Traceback" not in run.log, f"{name}: a traceback")
        outcome.check(seconds < 8, f"{name}: {seconds:.1f} s")
        outcome.check(len(run.log) < 5_000, f"{name}: {len(run.log)} characters of error")


_IDS = {
    "`+`": "P+{n}",
    "`#`": "P#{n}",
    "NUL": "P\\u0000{n}",
    "a control character": "P\\u0007{n}",
    "a line break": "P\\n{n}",
    "a slash": "P/{n}",
    "an invisible character": "P\\u200b{n}",
}


@GROUP.row(
    "`+`, `#`, NUL, `$`, control and invisible characters in ids and topics",
    "refused at load, exit 2",
)
def ids(scene: Scene, outcome: Outcome) -> None:
    cases = {name: fleet(mqtt(9)).replace("P{n}", id) for name, id in _IDS.items()}
    for name, topic in {
        "a topic with `#`": "projects/#",
        "a topic with `$SYS`": "$SYS/{der_id}",
        "a topic with NUL": "a\\u0000{der_id}",
    }.items():
        cases[name] = fleet(mqtt(9, f'topic = "{topic}"'))
    for name, text in cases.items():
        part = scene.part(f"case-{list(cases).index(name)}")
        with FleetRun(part.folder, text, "--duration", "1s", ledger=False) as run:
            status = run.wait()
        outcome.check(status == 2, f"{name}: exit {status}: {run.log[:200]}")
        outcome.check("Traceback" not in run.log, f"{name}: a traceback")
    outcome.note(f"{len(cases)} cases: {', '.join(cases)}")


_EVIL = "{0} {x!r} {} %s \\n2026-01-01 ERROR   forged \\x1b[2J"


@GROUP.row(
    "braces, line breaks and escape sequences in the text of an error",
    "never formatted, one line, escaped",
)
def braces(scene: Scene, outcome: Outcome) -> None:
    for kind, table in (
        ("transport", '\n[[transports]]\ntype = "odd"\n'),
        ("source", '\n[[sources]]\ntype = "odd"\n'),
        ("fault", '\n[[faults]]\ntype = "odd"\n'),
        ("view", '\n[[views]]\ntype = "odd"\n'),
    ):
        part = scene.part(kind)
        body = PLUGIN.replace(f"BODY_{kind}", f'raise ValueError("{_EVIL}")')
        (part.folder / "odd.py").write_text(body)
        text = fleet(table + _FILE, simulation='plugins = ["odd.py"]')
        with FleetRun(part.folder, text, "--duration", "1s") as run:
            status = run.wait()
        found = [line for line in run.log.splitlines() if "forged" in line]
        forged = [line for line in found if line.startswith("2026-01-01 ERROR")]
        outcome.note(f"{kind}: exit {status}, {len(found)} lines, {len(forged)} forged")
        outcome.check(bool(found) and not forged, f"{kind}: a forged line, or none")
        outcome.check(all("{0} {x!r} {} %s" in line for line in found), f"{kind}: formatted")
        outcome.check("\x1b" not in run.log, f"{kind}: an escape sequence")
        outcome.extend(disagreements(run, {"file": of_file(part.folder / "out.jsonl")}), kind)

"""The writer of docs/performance.md: it runs every benchmark and records the output of each.

python benchmarks/performance.py          (about half an hour, on an otherwise idle machine) python
benchmarks/performance.py --quick    (small sizes, to see that all of it works)
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mosquitto import mosquitto, version

from gridsim.bench.machine import machine

ROOT = Path(__file__).parent.parent
_HEAD = """\
# Performance

Written by `make performance`, which runs the commands below and puts down what they print;
nothing here is typed by hand. Figures are this machine's. Ratios come from one run, in which
both sides took turns, and mean more. The broker shares the machine's processors.

{machine}, {cores} cores, {python}, {os}, Mosquitto {mosquitto}, {day}.
"""
_TAIL = """\
## The object that `gridsim bench --json` prints

| key | what it holds |
| --- | --- |
| `gridsim`, `machine` | the version; `cpu`, `cores`, `python`, `os` |
| `broker` | `host`, `port`, `version` (from `$SYS/broker/version`, or "unknown"), `tls` |
| `fleet` | `config`, `projects`, `ders`, `tick_s` |
| `wire` | `qos`, `protocol`, `framing`, and the means `payload_bytes` and `packet_bytes` |
| `real_time` | `ticks`, `rate_hz`, `held` (the verdict of `--strict`), `records`, `delivered`, `dropped`; `tick_lag`, `confirmed` and `broker_lag`, each with `p50_ms` and `p99_ms`; `cpu_cores`, core-seconds per second |
| `memory` | `peak_mb` and `end_mb` of the process, `kb_per_1000_ders`, what each further 1,000 add (null for a fleet under 1,000) |
| `flat_out` | `messages` and `records` of each way in each round, `rounds`; `ways`: `gridsim`, `raw`, `paho_script`, `paho_best`, each with `messages_per_s`, `records_per_s`, `cpu_us_per_message` and its `rounds` (`seconds`, `cpu_s`); `ratios`: gridsim's pace to each other way's, the median of the rounds' ratios |
| `ramp` | `seconds`, `largest_held` in DERs, `steps`: `ders` and `run`, which has the keys of `real_time` |

What was not measured is null: `ramp` without `--ramp`; `real_time`, `memory` and `flat_out` with
it. Keys are added, never renamed or removed.
"""  # noqa: E501


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    text: str
    command: Sequence[str]
    """`gridsim ...` gets its own Mosquitto; anything else is a script of this folder."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument(
        "--again",
        action="append",
        metavar="TITLE",
        help="only this section of the page; repeatable",
    )
    parser.add_argument("--out", type=Path, default=ROOT / "docs/performance.md")
    options = parser.parse_args()
    here = machine()
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    head = _HEAD.format(
        machine=here.cpu,
        cores=here.cores,
        python=here.python,
        os=here.os,
        mosquitto=version(),
        day=day,
    )
    note = ""
    if options.again is not None:
        # The head is about the other sections.
        head, note = options.out.read_text().partition("\n## ")[0], f" Measured on {day}."
    parts = [head]
    kept = _kept(options.out, options.again)
    for section in sections(quick=options.quick, plot=options.out.with_name("growth.svg")):
        if section.title in kept:
            parts.append(kept[section.title])
            continue
        print(f"{section.title} ...", flush=True)
        parts.append(
            f"## {section.title}\n\n{section.text}{note}\n\n{_transcript(section.command)}"
        )
    options.out.parent.mkdir(exist_ok=True)
    options.out.write_text("\n".join([*parts, _TAIL]))
    print(f"wrote {options.out}")


def _kept(page: Path, again: Sequence[str] | None) -> dict[str, str]:
    """Return the sections of the present page that are not measured again, by title."""
    if again is None:
        return {}
    texts = page.read_text().split("\n## ")[1:]
    return {
        text.partition("\n")[0]: f"## {text}"
        for text in texts
        if text.partition("\n")[0] not in again
    }


def sections(*, quick: bool, plot: Path) -> list[Section]:
    """Return the benchmarks, in the order of the page."""
    minute = "2" if quick else "60"
    bench = ("gridsim", "bench", "--seconds", "2" if quick else "10", *_runs(quick))
    hundred_thousand = _fleet(200 if quick else 100_000)
    return [
        Section(
            "QoS 0",
            "The same messages by gridsim (models, format and transport as in any run), by one "
            "plain socket that repeats one packet, and by paho; all to the broker's confirmation.",
            bench,
        ),
        Section("QoS 1", "The same at QoS 1.", (*bench, "--set", "transports.0.qos=1")),
        Section(
            "QoS 1 beside paho without its thread",
            "paho as fast as it can be driven: own loop, no callback, ready payloads.",
            ("qos1.py", *(("--messages", "10000", "--rounds", "1") if quick else ())),
        ),
        Section(
            "The processor time of a message",
            "QoS 1, and a connection for each DER, beside QoS 0 on one connection, and all of them "
            "beside the commit before both became cheaper, in the same run. On a busy machine the "
            "ratios count.",
            ("publish_cost.py", *_small_publishing(quick), "--against", "05edd9f"),
        ),
        Section(
            "One message per project",
            'The same at QoS 0 with `framing = "project"`: a message holds a project\'s DERs.',
            (*bench, "--set", "transports.0.framing=project"),
        ),
        Section(
            "100,000 DERs at 1 Hz",
            "Every DER sends one message a second for a minute, all models on. `--strict` makes "
            "a rate that is not held a failure.",
            ("hold.py", "--seconds", minute, "--no-reader", *hundred_thousand),
        ),
        Section(
            "100,000 DERs, flat out",
            "The same fleet as fast as it goes, beside a plain socket and paho.",
            (
                "gridsim",
                "bench",
                "--seconds",
                "2" if quick else "5",
                "--runs",
                "3",
                *hundred_thousand,
            ),
        ),
        Section(
            "The largest fleet that holds 1 Hz",
            "Held: 99 % of the ticks start, and 99 % are confirmed, before the next are due, and "
            "nothing is dropped.",
            (
                *("gridsim", "bench", "--ramp", "--ramp-seconds", "2" if quick else "20"),
                *(_fleet(100) if quick else ()),
            ),
        ),
        Section(
            "A connection for each DER",
            "One process, one client for each DER.",
            ("connections.py", "--seconds", minute, "--connections", "50" if quick else "10000"),
        ),
        Section(
            "Every byte",
            "A server that reads every byte compares each frame with its own simulation.",
            ("sink.py", "--messages", "20000" if quick else "10000000"),
        ),
        Section(
            "Every byte, over TLS",
            "The same through an encrypted connection.",
            ("sink.py", "--tls", "--messages", "20000" if quick else "1000000"),
        ),
        Section(
            "Into a file",
            "JSON Lines, free-running, all models on; into memory where there is such a folder.",
            (
                *("to_file.py", *(("--folder", "/dev/shm") if Path("/dev/shm").is_dir() else ())),
                *(("--ticks", "20", "--rounds", "1") if quick else ()),
            ),
        ),
        Section(
            "Encoding",
            "The formats alone, beside json and msgspec on whole objects.",
            ("encode.py", *(("--ticks", "2") if quick else ())),
        ),
        Section(
            "A simulated day",
            "Models only.",
            ("day.py", *(("--hours", "0.1") if quick else ())),
        ),
        Section(
            "Small fleets through time",
            "Long runs of homes with a battery, a solar array, a car and a household, from a span "
            "of each, beside the commit before blocks of ticks, in turns. On a busy machine the "
            "ratios count.",
            ("small_fleets.py", "--part", "0.05" if quick else "0.25", "--against", "05edd9f"),
        ),
        Section(
            "A day in a DataFrame",
            "100 homes of two DERs at 60 s: `gridsim.simulate` and `to_pandas`, beside a run that "
            "writes a file which pandas reads; and `copy()` of a simulator. The peak is of the "
            "process, with Python and all libraries; on a busy machine the processor time counts.",
            ("pandas_day.py", *_small_day(quick)),
        ),
        Section(
            "How cost grows",
            "Models only. To a fixed cost (the cloud field, the calls of a tick of any "
            "size) each DER adds the same: the larger the fleet, the closer to linear.\n\n"
            f"![time and memory by fleet size]({plot.name})",
            (
                *("growth.py", "--plot", str(plot)),
                *(("--ders", "1000", "10000", "--ticks", "20") if quick else ()),
            ),
        ),
    ]


def _small_publishing(quick: bool) -> tuple[str, ...]:
    small = ("--ders", "1000", "--connections", "100", "--ticks", "1", "--rounds", "1")
    return small if quick else ()


def _small_day(quick: bool) -> tuple[str, ...]:
    return ("--homes", "2", "--duration", "1h", "--copied", "10") if quick else ()


def _runs(quick: bool) -> tuple[str, ...]:
    return ("--runs", "1", *_fleet(200)) if quick else ("--runs", "5")


def _fleet(ders: int) -> tuple[str, ...]:
    """Return the overrides for this number of DERs.

    The default fleet has four homes with a battery to each with a car, two DERs each.
    """
    homes = ders // 2
    counts = (f"projects.0.count={homes * 4 // 5}", f"projects.1.count={homes // 5}")
    return tuple(word for count in counts for word in ("--set", count))


def _transcript(command: Sequence[str]) -> str:
    """Return a command and its output as a block."""
    environment = {**os.environ, "COLUMNS": "100"}
    if command[0] == "gridsim":
        shown = shlex.join(command)
        with mosquitto() as port:
            there = {"MQTT_HOST": "127.0.0.1", "MQTT_PORT": str(port)}
            done = _run([sys.executable, "-m", *command], {**environment, **there})
    else:
        words = [_shown(word) for word in command]
        shown = shlex.join(["python", f"benchmarks/{words[0]}", *words[1:]])
        done = _run(
            [sys.executable, str(ROOT / "benchmarks" / command[0]), *command[1:]], environment
        )
    ending = f"exit status {done.returncode}\n" if done.returncode else ""
    return f"```console\n$ {shown}\n{_shown(done.stdout)}{ending}```\n"


def _run(command: Sequence[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    # Standard error, which shows the progress, stays the terminal's.
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT)


def _shown(text: str) -> str:
    """Return a text without the folder of this checkout."""
    return text.replace(f"{ROOT}/", "")


if __name__ == "__main__":
    main()

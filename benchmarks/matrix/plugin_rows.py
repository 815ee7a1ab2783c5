"""Plugins that raise, hang, or return what they must not, in every tick."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from benchmarks.matrix.accounts import NO_STATUS, disagreements, printed
from benchmarks.matrix.broken_plugins import BODIES, PLUGIN
from benchmarks.matrix.fleet import FleetRun, fleet
from benchmarks.matrix.logs import repeated
from benchmarks.matrix.row import Group, Outcome, Scene
from benchmarks.matrix.sinks import Received, of_file

GROUP = Group("Plugins")
TICKS = 8
_PARALLEL = 3
_ENDS = "the run ends with exit 1 after `hang_timeout_s`"
_FILE = '\n[[transports]]\ntype = "file"\npath = "out.jsonl"\n'


@dataclass(frozen=True, slots=True)
class Expected:
    """The promise for one case."""

    status: int
    goes_on: bool
    """True if the healthy devices, or the other transports, miss no tick."""
    witnessed: bool = True
    """False if the view that records the last status waits for another one that hangs."""


_DISABLED = Expected(0, goes_on=True)
_STOPS = Expected(1, goes_on=False)
_FAILS = Expected(1, goes_on=True)


def _kind(
    kind: str, tables: str, expected: Callable[[str], Expected], **more: str
) -> Callable[[Scene, Outcome], None]:
    """Return the function of a row: a separate run for each body of the kind."""

    def run(scene: Scene, outcome: Outcome) -> None:
        bodies = BODIES[kind]
        names = list(bodies)
        if scene.short:
            # One of each way: an exception, a hang, a wrong value.
            names = [name for name in names if name in ("raises", "hangs", "NaN", "wrong type")]
        with ThreadPoolExecutor(_PARALLEL) as pool:
            cases = {
                name: pool.submit(
                    _case, scene.part(name.replace(" ", "-")), kind, bodies[name], tables, more
                )
                for name in names
            }
        for name, case in cases.items():
            _judge(name, case.result(), expected(name), outcome)

    run.__name__ = kind
    return run


def _case(scene: Scene, kind: str, body: str, tables: str, more: dict[str, str]) -> FleetRun:
    text = fleet(
        tables,
        count=3,
        simulation='plugins = ["odd.py"]\nhang_timeout_s = 1.0\n' + more.get("simulation", ""),
    )
    if "weather" in more:
        text = text.replace('type = "clear"', more["weather"])
    if "project" in more:
        text = text.replace("load = {", more["project"] + "\nload = {", 1)
    if "load" in more:
        text = text.replace('load = { type = "constant", kw = 1.0 }', more["load"])
    (scene.folder / "odd.py").write_text(PLUGIN.replace(f"BODY_{kind}", body))
    with FleetRun(scene.folder, text, "--duration", f"{TICKS * 0.25}s") as run:
        run.wait()
    return run


def _judge(name: str, run: FleetRun, expected: Expected, outcome: Outcome) -> None:
    status = run.process.wait()
    ticks = _ticks(of_file(run.folder / "out.jsonl"))
    # The closing lines repeat what decides the exit status.
    running = run.log.partition(" accepted = ")[0].splitlines() if ticks else run.log.splitlines()
    loud = [line for line in running if " ERROR " in line or " WARNING " in line]
    named = [line for line in loud if "odd" in line]
    outcome.note(f"{name}: exit {status}, named {len(named)} times, {ticks} of {TICKS} ticks")
    outcome.check(status == expected.status, f"{name}: exit {status}, not {expected.status}")
    # Once for each thing that happens: it hangs, it is given up, its readings are dropped.
    outcome.check(1 <= len(named) <= 3, f"{name}: named {len(named)} times: {loud[-1:]}")
    outcome.extend(repeated("\n".join(running)), name)
    outcome.check("Traceback" not in run.log, f"{name}: a traceback")
    if expected.goes_on:
        outcome.check(ticks == TICKS, f"{name}: {ticks} of {TICKS} ticks elsewhere")
    if printed(run.log):
        found = disagreements(run, {"file": of_file(run.folder / "out.jsonl")})
        if not expected.witnessed:
            found = [one for one in found if one != NO_STATUS]
        outcome.extend(found, name)
    elif not (status and not ticks):
        outcome.failures.append(f"{name}: no account")


def _ticks(received: Received) -> int:
    """Return the number of ticks in which all healthy devices were received."""
    devices: dict[str, set[str]] = {}
    for der, stamp in received.copies:
        devices.setdefault(stamp, set()).add(der)
    return sum({"P1_B", "P2_B", "P3_B"} <= ders for ders in devices.values())


_ODD_DER = '\n[[projects]]\nid = "O"\n[[projects.ders]]\nid = "O_X"\ntype = "odd"\n'
_ODD_DER += "nameplate_capacity = 5.0\n"
_NAMED = "named once in the log, not once per tick; "


def _hangs(otherwise: Expected) -> Callable[[str], Expected]:
    return lambda name: _STOPS if name == "hangs" else otherwise


for _kind_of, _fault, _promise, _tables, _expected, _more in (
    (
        "device",
        'a DER type fails (contract for one device), `on_error = "skip_fleet"`',
        "its devices are disabled, the others miss no tick; a hang ends the run with exit 1",
        _ODD_DER + _FILE,
        _hangs(_DISABLED),
        {"simulation": 'on_error = "skip_fleet"\n'},
    ),
    (
        "fleet",
        'a DER type fails (contract for a fleet), `on_error = "skip_fleet"`',
        "its devices are disabled, the others miss no tick; a value beyond the bounds of a DER "
        "is clipped; a hang ends the run with exit 1",
        _ODD_DER.replace('"odd"', '"odd_fleet"') + _FILE,
        _hangs(_DISABLED),
        {"simulation": 'on_error = "skip_fleet"\n'},
    ),
    (
        "stop",
        'a DER type fails, `on_error = "stop"` (the default)',
        "the run ends with exit 1",
        _ODD_DER.replace('"odd"', '"odd_fleet"') + _FILE,
        lambda name: _STOPS,
        {},
    ),
    (
        "weather",
        "a weather fails",
        "the run ends with exit 1",
        _FILE,
        lambda name: _STOPS,
        {"weather": 'type = "odd"'},
    ),
    (
        "load",
        "a load fails",
        "the run ends with exit 1",
        _FILE,
        lambda name: _STOPS,
        {"load": 'load = { type = "odd" }'},
    ),
    (
        "baseline",
        "a baseline fails",
        "the run ends with exit 1",
        _FILE,
        lambda name: _STOPS,
        {"project": 'baseline = { type = "odd_baseline" }'},
    ),
    (
        "fault",
        "a fault of devices fails",
        "it is disabled, and no reading is changed or missing; a hang ends the run with exit 1",
        '\n[[faults]]\ntype = "odd"\n' + _FILE,
        _hangs(_DISABLED),
        {},
    ),
    (
        "message_fault",
        "a fault of messages fails",
        "it is disabled, and no reading is changed or missing; a hang ends the run with exit 1",
        '\n[[faults]]\ntype = "odd_message"\n' + _FILE,
        _hangs(_DISABLED),
        {},
    ),
    (
        "alter",
        "a fault that alters messages fails in `alter`",
        "it is disabled; messages are sent as they are",
        '\n[[faults]]\ntype = "odd_alteration"\n' + _FILE,
        lambda name: _DISABLED,
        {},
    ),
    (
        "format",
        "a format fails",
        "its transport is disabled, the others miss no tick; exit 1",
        '\n[[transports]]\ntype = "stdout"\nformat = "odd"\nstall_timeout_s = 3\n' + _FILE,
        lambda name: _FAILS,
        {},
    ),
    (
        "transport",
        "a transport fails or hangs",
        "it is disabled, or named; the others miss no tick; exit 1",
        '\n[[transports]]\ntype = "odd"\nstall_timeout_s = 3\n' + _FILE,
        lambda name: _FAILS,
        {},
    ),
    (
        "source",
        "a source fails or hangs",
        "it is disabled, or named; no tick is missed",
        '\n[[sources]]\ntype = "odd"\n' + _FILE,
        lambda name: _DISABLED,
        {},
    ),
    (
        "view",
        "a view fails or hangs",
        "it is disabled, or named; no tick is missed",
        '\n[[views]]\ntype = "odd"\n' + _FILE,
        lambda name: Expected(0, goes_on=True, witnessed=name != "hangs"),
        {},
    ),
):
    GROUP.row(_fault, _NAMED + _promise, short=_kind_of in ("fleet", "fault", "transport"))(
        _kind(_kind_of, _tables, _expected, **_more)
    )

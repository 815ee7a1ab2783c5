"""The cost of a tick with a view that does nothing, compared with a run without a view.

    python benchmarks/views.py [DEVICES] [ROUNDS]

Both runs are in this process and alternate: in each turn one of them runs a tick with the manual
clock, so that changes of the machine's speed affect both. Prints the medians and their ratio: in
processor time of the thread that runs the ticks, and in real time, which includes waiting for the
thread of the views.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from gridsim.running.plan import Options, make_plan
from gridsim.running.run import Run

PLUGIN = '''
from gridsim.api import Transport, View, hookimpl


class Nowhere(Transport):
    """Confirms all readings and keeps none."""

    def describe(self):
        return "nowhere"

    def connect(self):
        pass

    def write(self, batch, receipt):
        receipt.delivered(len(batch))

    def close(self):
        pass


class Blind(View):
    """Does nothing."""

    def start(self, control):
        pass

    def show(self, snapshot):
        pass

    def close(self):
        pass


@hookimpl
def gridsim_register(register):
    register.view("blind", Blind)
    register.transport("nowhere", Nowhere)
'''
CONFIG = """
[simulation]
start = 2026-06-21T15:00:00Z
plugins = ["blind.py"]

[[projects]]
id = "HOME_{{n}}"
count = {homes}
contract_threshold = 2.0

[[projects.ders]]
id = "{{project_id}}_PV"
type = "solar"
nameplate_capacity = 5.0

[[projects.ders]]
id = "{{project_id}}_BAT"
type = "battery"
nameplate_capacity = 5.0

[[events]]
id = "peak"
after_s = 5
duration_s = 86400

[[transports]]
type = "nowhere"
"""
VIEW = '\n[[views]]\ntype = "blind"\n'
REST_S = 0.02
"""The pause between two ticks, in which a view's thread works as it does in real time."""


def made(folder: Path, devices: int, view: bool) -> Run:
    path = folder / f"view-{view}.toml"
    path.write_text(CONFIG.format(homes=devices // 2) + (VIEW if view else ""))
    return Run(make_plan(Options(config=path)), clock="manual")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("devices", nargs="?", type=int, default=100_000)
    parser.add_argument("rounds", nargs="?", type=int, default=60)
    options = parser.parse_args()
    cpu: dict[bool, list[float]] = {False: [], True: []}
    wall: dict[bool, list[float]] = {False: [], True: []}
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "blind.py").write_text(PLUGIN)
        runs = {view: made(Path(name), options.devices, view) for view in (False, True)}
        for run in runs.values():
            run.start()
            run.advance(10)
        for number in range(options.rounds):
            for view in (False, True) if number % 2 else (True, False):
                began, began_cpu = time.perf_counter(), time.thread_time()
                runs[view].advance(1)
                cpu[view].append(time.thread_time() - began_cpu)
                wall[view].append(time.perf_counter() - began)
                time.sleep(REST_S)
        for run in runs.values():
            run.stop()
    print(f"{options.devices:,} devices, {options.rounds} ticks each, medians in ms a tick:")
    for name, took in (("processor time", cpu), ("real time", wall)):
        without, with_one = (statistics.median(took[view]) * 1000 for view in (False, True))
        ratio = with_one / without
        print(f"{name}: without a view {without:.2f}, with one {with_one:.2f}: ratio {ratio:.3f}")


if __name__ == "__main__":
    main()

"""Energy registers beside the ledger; `make registers` compares those of a month."""

from __future__ import annotations

from pathlib import Path

from benchmarks.registers import REGISTERS, differences


def test_registers_are_the_integral_of_the_ledger(tmp_path: Path) -> None:
    compared, different, counted = differences(tmp_path, days=0.75, tick_s=5400, homes=1)
    assert compared == 12 * 7 * len(REGISTERS)
    assert different == 0
    assert counted > 100

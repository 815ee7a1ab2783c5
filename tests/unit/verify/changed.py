"""Messages that are changed after they were sent."""

from __future__ import annotations

from gridsim.verify.differences import KINDS, UNEXPLAINED
from gridsim.verify.report import VerifyReport


def unexplained(report: VerifyReport) -> dict[str, int]:
    return {
        kind: report.differences.causes[kind][UNEXPLAINED]
        for kind in KINDS
        if report.differences.causes[kind][UNEXPLAINED]
    }

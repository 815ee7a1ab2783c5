"""The pictures after a run: one page made from a ledger, which needs no network."""

from gridsim.report.write import write_report

__all__ = ["write_report"]

"""`gridsim check`: named days against a user's running system, and a report card."""

from gridsim.check.main import CheckOptions, check
from gridsim.check.result import DayResult, ReportCard

__all__ = ["CheckOptions", "DayResult", "ReportCard", "check"]

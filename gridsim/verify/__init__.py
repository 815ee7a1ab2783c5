"""gridsim verify: compares what a back-end holds with what the ledger says was sent.

An instrument: it reads the ledger and what the user has, and shares no code with what made
the messages.
"""

from gridsim.verify.main import VerifyOptions, verify
from gridsim.verify.report import VerifyReport

__all__ = ["VerifyOptions", "VerifyReport", "verify"]

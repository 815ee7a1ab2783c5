"""The command line."""

from gridsim.cli import demo, ledger, look, mcp, measure, report, send
from gridsim.cli.app import app

# The import order is the order of the commands in the help.
__all__ = ["app", "demo", "ledger", "look", "mcp", "measure", "report", "send"]

"""The command line."""

from gridsim.cli import (
    check,
    demo,
    init,
    ledger,
    look,
    mcp,
    measure,
    new,
    play,
    plot,
    report,
    send,
)
from gridsim.cli.app import app

# The import order is the order of the commands in the help.
__all__ = [
    "app",
    "check",
    "demo",
    "init",
    "ledger",
    "look",
    "mcp",
    "measure",
    "new",
    "play",
    "plot",
    "report",
    "send",
]

"""The command line."""

from gridsim.cli import look, measure, send
from gridsim.cli.app import app

# The order in which help shows them.
__all__ = ["app", "look", "measure", "send"]

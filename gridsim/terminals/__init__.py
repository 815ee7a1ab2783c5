"""Terminals: those that can show a picture, stops by Ctrl-Z, and lines that a user types below
it.
"""

from gridsim.terminals.controlling import ControllingTerminal
from gridsim.terminals.stops import STOPS
from gridsim.terminals.suitable import MIN_COLUMNS, MIN_LINES, unsuitable
from gridsim.terminals.typed import typed_rows

__all__ = ["MIN_COLUMNS", "MIN_LINES", "STOPS", "ControllingTerminal", "typed_rows", "unsuitable"]

"""The server of the Model Context Protocol: a run's tools over standard input and output."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import wraps
from typing import Any

from gridsim.agent.client import ApiClient
from gridsim.agent.tools import Tools
from gridsim.errors import GridsimError, UsageError
from gridsim.version import __version__

_INSTRUCTIONS = (
    "gridsim simulates a fleet of distributed energy resources (batteries, solar, EV chargers, "
    "heat pumps) that publish telemetry to a broker. These tools read the running simulation, "
    "steer devices, call demand-response events, inject faults on purpose, and compare what a "
    "system has stored with the truth. Power is in kW, positive where a device feeds its site."
)


def check_installed() -> None:
    """Raise UsageError if the extra is not installed."""
    try:
        import mcp.server  # noqa: F401
    except ImportError as error:
        raise UsageError(
            "gridsim mcp: error: the extra mcp is not installed: pip install 'mcp>=2,<3'"
        ) from error


def serve(client: ApiClient) -> None:
    """Serve the tools of a run until standard input ends."""
    from mcp.server import MCPServer

    server = MCPServer("gridsim", instructions=_INSTRUCTIONS, version=__version__)
    for tool in Tools(client).every():
        server.add_tool(_told(tool), description=inspect.getdoc(tool))
    # The protocol uses standard output; the command line redirects the prints of plugins.
    with redirect_stdout(sys.__stdout__):
        server.run("stdio")


def _told(tool: Callable[..., Any]) -> Callable[..., Any]:
    """Return a tool whose errors reach the agent with their reasons."""
    from mcp.server.mcpserver.exceptions import ToolError

    @wraps(tool)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return tool(*args, **kwargs)
        except GridsimError as error:
            raise ToolError(str(error)) from error

    return call

"""Help texts in groups: an option's or a command's `rich_help_panel` is the group's title.

Typer shows these groups only through rich, whose import would take most of the time of a help text.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from typer.core import TyperCommand, TyperGroup

from gridsim.errors import printable

RUN = "What runs"
TIME = "Time"
SHOWN = "What you see"
CHECKS = "Checks"
DATA = "How your data is read"
TOLERANCES = "Tolerances"

FIRST_STEPS = "First steps"
CONFIGURATION = "Configuration"
RUNNING = "A run that is up"
LEDGER = "The ledger of a run"
OWN = "Your own plugins and measurements"

_GROUPS = (FIRST_STEPS, CONFIGURATION, RUNNING, LEDGER, OWN)
_LAST = "Other options"


class GroupedCommand(TyperCommand):
    """A command with its options in groups, and a hint to --config for a path given alone."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.allow_extra_args = True
        unexpected = super().parse_args(ctx, args)
        if unexpected and not ctx.resilient_parsing:
            has_config = any("--config" in each.opts for each in self.get_params(ctx))
            path = next((each for each in unexpected if each.endswith(".toml")), "")
            hint = f"; give a configuration with --config {path}" if path and has_config else ""
            ctx.fail(f"unexpected argument {printable(unexpected[0])!r}{hint}")
        return unexpected

    def format_options(self, ctx: Any, formatter: Any) -> None:
        _write_options(self.get_params(ctx), ctx, formatter, "Options")


class GroupedGroup(TyperGroup):
    """Commands in groups, with the options of the group itself in groups, too."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0]
        if name == "run":
            ctx.fail("there is no command 'run': gridsim --config FILE runs a configuration")
        if name.endswith(".toml"):
            name = printable(name)
            ctx.fail(f"{name!r} is not a command; give a configuration with --config {name}")
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        _write_options(self.get_params(ctx), ctx, formatter, _LAST)
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands below the titles of their groups, each with its whole summary."""
        by_group: dict[str, list[tuple[str, str]]] = {title: [] for title in _GROUPS}
        for name in self.list_commands(ctx):
            command: Any = self.get_command(ctx, name)
            if command is not None and not command.hidden:
                summary = " ".join((command.help or "").split("\n\n")[0].split())
                title = getattr(command, "rich_help_panel", None) or OWN
                by_group.setdefault(title, []).append((name, summary))
        width = max(len(name) for rows in by_group.values() for name, _ in rows)
        for title, rows in by_group.items():
            _write(formatter, title, [(name.ljust(width), text) for name, text in rows])


def _write_options(parameters: Iterable[Any], ctx: Any, formatter: Any, other: str) -> None:
    """Write arguments, then the options by group, in the order in which groups first occur.

    `other` is the title of options without a group.
    """
    by_group: dict[str, list[tuple[str, str]]] = {"Arguments": [], other: []}
    for parameter in parameters:
        record = parameter.get_help_record(ctx)
        if record is None:
            continue
        title = getattr(parameter, "rich_help_panel", None)
        if parameter.param_type_name == "argument":
            title = "Arguments"
            # Without the type, which Typer adds.
            record = (record[0].partition(" <")[0], record[1])
        by_group.setdefault(title or other, []).append(record)
    if other == _LAST:
        by_group[other] = by_group.pop(other)
    for title, rows in by_group.items():
        _write(formatter, title, rows)


def _write(formatter: Any, title: str, rows: list[tuple[str, str]]) -> None:
    if rows:
        with formatter.section(title):
            formatter.write_dl(rows)

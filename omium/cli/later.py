"""Commands that are loaded when they are used: until then a name and a sentence, of commands.py's table.

Typer makes every parameter of every command of an application before it looks at what was typed. Here it does
that for the one command that was typed. Help, completion and "Did you mean" ask for names and sentences only.
"""

from __future__ import annotations

import gc
import importlib
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from omium.cli.commands import COMMANDS, Place
from omium.cli.unconverted import leave_defaults_alone


class LaterCommand(TyperCommand):
    """A command or a group of which the name and the first sentence are known, and where the rest is."""

    def __init__(self, place: Place) -> None:
        super().__init__(place.name, help=place.help, rich_markup_mode=None)
        self.place = place

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Load the command and begin it: from here on it's in this one's place.

        The context is Click's, or that of the Click inside of Typer, by Typer's version.
        """
        return self.load().make_context(info_name, args, parent, **extra)

    def load(self) -> Any:
        """Return the command itself as Typer makes it, with its parameters and its own commands."""
        place = self.place
        found = _load(place)
        holder = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
        if isinstance(found, typer.Typer):
            holder.add_typer(found, name=place.name)
        else:
            holder.command(place.name)(found)
        command: Any = typer.main.get_group(holder).commands[place.name]
        for each in place.more:
            command.add_command(LaterCommand(each))
        leave_defaults_alone(command)
        return command


def _load(place: Place) -> Any:
    """Import what the command is; next to nothing of that is garbage, and looking for it takes an eighth."""
    collects = gc.isenabled()
    gc.disable()
    try:
        return getattr(importlib.import_module(place.module), place.where.partition(":")[2])
    finally:
        if collects:
            gc.enable()


class Commands(TyperGroup):
    """The group of all commands of the table."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for place in COMMANDS:
            self.add_command(LaterCommand(place))

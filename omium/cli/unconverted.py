"""Parameters that nobody gave are taken as they are.

Typer converts every value to its parameter's type, and loads pydantic for it, which takes longer than all
else that it does for a command. Our defaults have their types already (tests/cli/test_later.py tries all),
so a command whose parameters were left out, such as `omium tui`, begins without.
"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Any, Final

_OF_THEIR_TYPE: Final = (str, int, float, Enum, Path)


def leave_defaults_alone(command: Any) -> None:
    """Let the parameters of `command`, and of its own commands, convert only what was given."""
    list_params = command.get_params

    def get_params(ctx: Any) -> list[Any]:
        params: list[Any] = list_params(ctx)  # with --help, which Click makes when it's asked for
        for param in params:
            if "process_value" not in vars(param):
                _leave_default_alone(param)
        return params

    command.get_params = get_params
    for each in getattr(command, "commands", {}).values():
        leave_defaults_alone(each)


def _leave_default_alone(param: Any) -> None:
    convert = param.process_value
    default = param.default if isinstance(param.default, _OF_THEIR_TYPE) else None

    def process_value(ctx: Any, value: Any) -> Any:
        if value is not default or param.required:
            return convert(ctx, value)
        return value if param.callback is None else param.callback(ctx, param, value)

    param.process_value = process_value

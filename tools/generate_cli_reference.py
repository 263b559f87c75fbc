"""Writes the reference part of docs/cli.md from the commands themselves; a test compares them.

Run it after a change of a command: `python tools/generate_cli_reference.py`. With `--check` it writes nothing
and says whether the page is current.
"""

import inspect
import re
import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from omium.cli.application import make_command
from omium.cli.later import LaterCommand

PAGE = Path(__file__).resolve().parents[1] / "docs" / "cli.md"
MARK = "<!-- From here on: written by tools/generate_cli_reference.py -->"
COMMON = frozenset({"base_url", "profile", "as_json", "yes", "quiet", "no_color", "help"})


def list_commands() -> Iterator[tuple[str, Any]]:
    """Yield each command's path, such as `executions list`, and its Click command, in the order of --help."""

    def walk(path: str, command: Any) -> Iterator[tuple[str, Any]]:
        if isinstance(command, LaterCommand):
            command = command.load()
        for name, child in getattr(command, "commands", {}).items():
            yield from walk(f"{path} {name}".strip(), child)
        if not hasattr(command, "commands"):
            yield path, command

    yield from walk("", make_command())


def split_help(command: Any) -> tuple[str, str]:
    """Return a command's words and its examples."""
    words, _, examples = inspect.cleandoc(command.help or "").partition("\b\n")
    return words.strip(), examples.strip()


def make_reference() -> str:
    """Return the reference of every command as Markdown."""
    return "\n".join(_section(path, command) for path, command in list_commands())


def make_page(text: str) -> str:
    """Return the page with the reference as it should be."""
    head, found, _ = text.partition(MARK)
    if not found:
        raise SystemExit(f"{PAGE} has lost its line {MARK}")
    return f"{head}{MARK}\n\n{make_reference()}"


def _section(path: str, command: Any) -> str:
    words, examples = split_help(command)
    hints = get_type_hints(inspect.unwrap(command.callback))
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    options = [
        param
        for param in command.params
        if param.param_type_name == "option" and param.name not in COMMON and not param.hidden
    ]
    lines = [f"### omium {path}", "", words, "", "```text", examples, "```", ""]
    if arguments or options:
        lines += ["| | |", "|---|---|"]
        lines += [f"| `{_metavar(param)}` | {_cell(param.help)} |" for param in arguments]
        lines += [f"| `{_flags(param, hints.get(param.name))}` | {_cell(param.help)} |" for param in options]
        lines.append("")
    common = [_long(param) for param in command.params if param.name in COMMON and param.name != "help"]
    if common:
        lines += [f"Also: {', '.join(f'`{each}`' for each in common)}.", ""]
    return "\n".join(lines)


def _metavar(param: Any) -> str:
    return str(param.metavar or param.name.upper()).replace("|", "\\|")


def _flags(param: Any, hint: Any) -> str:
    names = ", ".join(param.opts)
    if param.is_flag:
        return names
    choices = _choices(hint)
    value = "|".join(choices) or param.metavar or param.name.rpartition("_")[2].upper()
    return f"{names} {value}".replace("|", "\\|")


def _choices(hint: Any) -> list[str]:
    """Return the words that an annotation allows, if it allows only some."""
    if isinstance(hint, type) and issubclass(hint, Enum):
        return [str(member.value) for member in hint]
    found: list[str] = []
    for part in get_args(hint):
        found += [part] if get_origin(hint) is Literal else _choices(part)
    return found


def _long(param: Any) -> str:
    return str(next(each for each in param.opts if each.startswith("--")))


def _cell(text: str | None) -> str:
    return re.sub(r"\s+", " ", text or "").replace("|", "\\|")


if __name__ == "__main__":
    current = PAGE.read_text()
    wanted = make_page(current)
    if "--check" in sys.argv:
        sys.exit(0 if current == wanted else f"{PAGE} is not current: python tools/generate_cli_reference.py")
    PAGE.write_text(wanted)

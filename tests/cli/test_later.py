"""Commands that are loaded when they are used are those of the table, and nobody can tell the difference."""

import contextlib
import importlib
import inspect
import pkgutil
import subprocess
import sys
import typing

import pytest
import typer
from typer.models import ParameterInfo

import omium.cli
from omium.cli.commands import COMMANDS
from omium.cli.later import LaterCommand
from omium.cli.main import run
from tests.cli.test_help import COMMANDS as EVERY_COMMAND

PLACES = [each for place in COMMANDS for each in (place, *place.more)]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.where)
def test_the_words_of_the_table_are_the_commands_own(place):
    later, loaded = LaterCommand(place), LaterCommand(place).load()

    assert later.name == loaded.name == place.name
    assert (later.hidden, later.deprecated) == (loaded.hidden, loaded.deprecated)
    for width in range(10, 121):  # as --help and completion cut them
        assert later.get_short_help_str(width) == loaded.get_short_help_str(width)


def test_no_name_is_taken_twice():
    assert len({place.name for place in COMMANDS}) == len(COMMANDS)
    for place in COMMANDS:
        own = LaterCommand(place).load()
        more = [each.name for each in place.more]
        assert len(set(more)) == len(more)
        assert not more or list(own.commands)[-len(more) :] == more  # none of the group's own is replaced


@pytest.mark.parametrize("path", EVERY_COMMAND)
def test_every_default_is_what_it_would_be_converted_to(path):
    command = EVERY_COMMAND[path]
    context = typer.Context(command)
    for param in command.params:
        if param.default is None or callable(param.default):
            continue
        assert type(param).process_value(param, context, param.default) == param.default, param.name


def list_written_commands():
    """Yield what takes options or arguments of a command line, by module and name."""
    for found in pkgutil.iter_modules(omium.cli.__path__, "omium.cli."):
        module = importlib.import_module(found.name)
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ != found.name or name.startswith("_"):
                continue
            hints = {}
            with contextlib.suppress(NameError):  # what only type checkers import: no command
                hints = typing.get_type_hints(function, include_extras=True)
            told = [each for hint in hints.values() for each in getattr(hint, "__metadata__", ())]
            if any(isinstance(each, ParameterInfo) for each in told):
                yield found.name, name


def test_every_command_that_is_written_is_in_the_table():
    functions = [inspect.unwrap(each.callback) for each in EVERY_COMMAND.values() if each.callback]
    reached = {(each.__module__, each.__name__) for each in functions}
    written = set(list_written_commands())

    assert len(written) > 150
    assert written - reached == set()


def loaded_by(*arguments):
    """Return the modules that a command line has loaded when it has ended."""
    code = "import sys; from omium.cli.main import run; run(sys.argv[1:]); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_a_command_loads_itself_and_no_other():
    modules = {place.module for place in PLACES}

    assert loaded_by("--help") & modules == set()
    assert loaded_by("keys", "--help") & modules == {"omium.cli.keys"}
    assert loaded_by("tui") & modules == {"omium.cli.tui"}


def test_a_command_whose_parameters_are_left_out_needs_no_pydantic():
    assert "pydantic" not in loaded_by("tui")  # which ends: this is no terminal


@pytest.mark.parametrize(
    ("typed", "meant"), [(["workflow"], "workflows"), (["workflows", "imprt"], "import")]
)
def test_a_misspelt_command_is_recognised(typed, meant, capsys):
    assert run(typed) == 2
    assert f"Did you mean '{meant}'?" in capsys.readouterr().err

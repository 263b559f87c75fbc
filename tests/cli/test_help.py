"""Every command explains itself, in --help and in docs/cli.md, and `omium --help` comes at once."""

import importlib.metadata
import importlib.util
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from omium.cli.main import run

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 5

_spec = importlib.util.spec_from_file_location("cli_reference", ROOT / "tools" / "generate_cli_reference.py")
reference = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(reference)
COMMANDS = dict(reference.list_commands())

_LOCKED = re.search(r"^typer==(\S+)", (ROOT / "requirements" / "dev.txt").read_text(), re.MULTILINE)
locked_typer = pytest.mark.skipif(
    importlib.metadata.version("typer") != _LOCKED[1],
    reason="this is what the locked Typer prints, to the letter",
)

_MINIMAL = """
import typer
app = typer.Typer()
@app.command()
def hello(name: str = "you") -> None:
    "Say hello."
@app.command()
def goodbye(name: str = "you") -> None:
    "Say goodbye."
app()
"""


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_has_a_sentence_and_an_example(path, capsys):
    assert run([*path.split(), "--help"]) == 0
    words, examples = reference.split_help(COMMANDS[path])

    assert words.splitlines()[0].endswith(".")
    assert len(words.splitlines()[0].partition(". ")[0]) <= 61  # --help of the whole shows it uncut
    assert f"omium {path}" in examples
    printed = capsys.readouterr().out
    for example in examples.splitlines():
        assert example.strip() in printed  # on a line of its own, unwrapped
    assert max(map(len, examples.splitlines())) <= 100


@locked_typer
@pytest.mark.parametrize("path", COMMANDS)
def test_the_page_of_the_command_line_is_current(path):
    page = (ROOT / "docs" / "cli.md").read_text()

    assert reference._section(path, COMMANDS[path]) in page, "run: python tools/generate_cli_reference.py"


@pytest.mark.parametrize("path", [path for path in COMMANDS if path not in ("serve", "db export")])
def test_the_common_flags_are_the_same_everywhere(path):
    names = {param.name for param in COMMANDS[path].params}

    assert {"as_json", "quiet", "no_color"} <= names
    assert ("base_url" in names) <= ("profile" in names)


@locked_typer
def test_help_of_the_whole_is_not_cut(capsys):
    assert run(["--help"]) == 0
    assert "..." not in capsys.readouterr().out.replace("COMMAND [ARGS]...", "")


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("omium exec", "executions"), ("omium workflows im", "import"), ("omium tui --pl", "--plain")],
)
def test_completion_is_offered_and_knows_commands_and_flags(typed, offered):
    environment = {
        "_OMIUM_COMPLETE": "complete_bash",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(typed.count(" ")),
    }
    done = subprocess.run(
        [sys.executable, "-c", "from omium.cli.main import main; main()"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert offered in done.stdout.split()


def test_no_command_loads_anything_heavy_before_it_runs():
    code = """
import importlib, sys
from omium.cli.application import make_command
from omium.cli.commands import COMMANDS
for place in COMMANDS:
    for each in (place, *place.more):
        importlib.import_module(each.module)
make_command()
print(*sys.modules)
"""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    loaded = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    ).stdout.split()

    heavy = (
        "asyncio",
        "httpx",
        "pydantic",
        "rich",
        "sqlite3",
        "ssl",
        "omium.sdk",
        "omium.server",
        "omium.models",
    )
    assert [name for name in loaded if name.startswith(heavy)] == []


def test_help_takes_hardly_longer_than_that_of_a_program_with_two_commands():
    def measure_s(*command):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    minimal, ours = [], []
    for _ in range(ROUNDS):
        minimal.append(measure_s(sys.executable, "-c", _MINIMAL, "--help"))
        ours.append(measure_s(sys.executable, "-m", "omium", "--help"))

    assert min(ours) <= 1.3 * min(minimal)


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        (["nonsense"], 2),
        (["executions", "list", "--limit", "0"], 2),
        (["executions", "show"], 2),
        (["worker", "x.py", "--execution", "ex_1"], 2),
        (["worker", "x.py", "--isolation", "magic"], 2),
        (["--version"], 0),
    ],
)
def test_wrong_use_ends_with_two(typed, code, capsys):
    assert run(typed) == code
    capsys.readouterr()

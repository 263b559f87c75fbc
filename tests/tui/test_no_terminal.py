"""`omium tui` where there is no terminal that it could draw on: a sentence, and what does the same."""

from pathlib import Path

import omium
from tests.cli.conftest import Cli
from tests.cli.terminal import Terminal


def make_cli(tmp_path: Path) -> Cli:
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "OMIUM_CONFIG_DIR": str(tmp_path / "config"),
        "PYTHONPATH": str(Path(omium.__file__).parents[1]),
    }
    return Cli(tmp_path, environment)


def test_into_a_pipe_it_says_which_commands_print_the_same(tmp_path):
    done = make_cli(tmp_path)("tui")
    assert done.code == 2
    assert done.out == ""
    assert "The dashboard needs a terminal." in done.err
    assert "`omium status`" in done.err
    assert "\x1b" not in done.err


def test_a_terminal_that_cannot_move_its_cursor_is_told_what_to_set(tmp_path):
    terminal = Terminal(make_cli(tmp_path), "tui", term="dumb")
    terminal.expect("TERM=dumb")
    assert terminal.end() == 2
    assert "omium tui --web" in terminal.shown
    assert "\x1b" not in terminal.shown

"""Following an execution from another terminal: its events and its lines, as they come, each once."""

import json
import signal

import pytest

from tests.cli.conftest import wait_for_file
from tests.cli.terminal import Terminal

GATED = """
import os, sys, time
import omium

@omium.step
def first():
    print("before the gate")

@omium.step
def second(gate):
    open(gate + ".reached", "w").close()
    while not os.path.exists(gate):
        time.sleep(0.05)
    print("after the gate")
    print("to the other stream", file=sys.stderr)

@omium.workflow
def gated(gate: str):
    first()
    second(gate)
"""


@pytest.fixture
def gate(cli, tmp_path):
    """A run that hangs in its second step until the file is there; `finish` lets it end."""
    (tmp_path / "gated.py").write_text(GATED)
    gate = tmp_path / "gate"
    cli.start("run", "gated.py:gated", "--input", f"gate={gate}")
    wait_for_file(tmp_path / "gate.reached")
    return gate


def test_lines_are_followed_over_a_restart_of_the_server_each_once(cli, running_server, gate):
    following = cli.start("logs", "last", "--follow", "--json")
    assert json.loads(following.stdout.readline())["text"] == "before the gate"

    running_server.stop()
    running_server.restart()
    gate.touch()

    rest = following.stdout.read()  # not communicate: what readline has buffered belongs to it
    assert [json.loads(line)["text"] for line in rest.splitlines()] == [
        "after the gate",
        "to the other stream",
    ]
    assert (following.wait(), following.stderr.read()) == (0, "")


def test_of_one_step_only_its_lines_are_followed(cli, gate):
    following = cli.start("logs", "last", "--follow", "--step", "second")
    gate.touch()

    shown = following.stdout.read()

    assert [line.split("  ", 3)[3] for line in shown.splitlines()] == [
        "after the gate",
        "to the other stream",
    ]


def test_events_are_followed_over_a_restart_until_the_execution_has_ended(cli, running_server, gate):
    following = cli.start("executions", "events", "last", "--follow", "--json")
    assert json.loads(following.stdout.readline())["type"] == "execution.started"

    running_server.kill()
    running_server.restart()
    gate.touch()

    events = [json.loads(line) for line in following.stdout]
    assert following.wait() == 0
    assert [event["seq"] for event in events] == list(range(2, len(events) + 2))
    assert events[-1]["type"] == "execution.completed"


def test_what_has_ended_is_shown_and_not_waited_for(cli, gate):
    gate.touch()
    run = cli.processes[-1]
    run.communicate()

    followed = cli("logs", "last", "--follow")

    assert followed.code == 0
    assert followed.out == cli("logs", "last").out


@pytest.mark.parametrize("command", [["logs", "last"], ["executions", "events", "last"]])
def test_ctrl_c_ends_it_without_a_word(cli, gate, command):
    terminal = Terminal(cli, *command, "--follow")
    terminal.expect("first")
    terminal.type("\x03")

    assert terminal.end() == 130
    assert not {"interrupted", "Traceback", "omium:"} & set(terminal.shown.split())
    assert cli.processes[-1].poll() is None  # what is followed goes on


def test_ctrl_c_before_a_command_has_begun_is_no_traceback(cli):
    process = cli.start("status", PYTHONPROFILEIMPORTTIME="1")
    for line in process.stderr:
        if "typer" in line:  # what main() loads first
            break
    process.send_signal(signal.SIGINT)

    words = process.stderr.read()
    assert process.wait() in (0, 130)
    assert "Traceback" not in words

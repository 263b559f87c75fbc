"""Commands of the operator: run as they stand in the list, with nothing of the server's own."""

import json
import os
import select
import sys
from pathlib import Path

import pytest

from omium.errors import ConfigError
from omium.server.outbound.addresses import TargetRefused
from omium.server.outbound.command import find_command, read_commands, run_command
from omium.server.outbound.http import SendFailed


def program(tmp_path: Path, text: str) -> tuple[str, ...]:
    path = tmp_path / "program.py"
    path.write_text(text)
    return (sys.executable, "-I", str(path), "$(id)", "; rm -rf /")


def has_ended(pid: int) -> bool:
    """Say whether a killed process is gone; on a busy machine that takes a moment."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], 60)[0])
    finally:
        os.close(handle)


async def test_a_command_gets_json_and_no_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("OMIUM_SMTP_PASSWORD_FILE", "/somewhere")
    target = tmp_path / "seen.json"
    argv = program(
        tmp_path,
        "import json, os, sys\n"
        "seen = [json.load(sys.stdin), dict(os.environ), sys.argv[1:], os.getcwd()]\n"
        f"json.dump(seen, open({str(target)!r}, 'w'))\n",
    )

    await run_command(argv, b'{"type":"credits.low"}', timeout_s=60)

    told, environment, arguments, folder = json.loads(target.read_text())
    assert told == {"type": "credits.low"}
    assert set(environment) <= {"PATH", "LANG", "LC_CTYPE"}
    assert arguments == ["$(id)", "; rm -rf /"]  # no shell has seen them
    assert folder == "/"


async def test_a_command_that_fails_says_why(tmp_path):
    argv = program(tmp_path, "import sys\nsys.exit('the pager is away')\n")

    with pytest.raises(SendFailed, match="ended with 1: the pager is away"):
        await run_command(argv, b"{}", timeout_s=60)


async def test_a_command_and_its_children_are_killed_when_their_time_is_over(tmp_path):
    pids = tmp_path / "pids"
    argv = program(
        tmp_path,
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        "time.sleep(600)\n",
    )

    with pytest.raises(SendFailed, match="did not end within"):
        await run_command(argv, b"{}", timeout_s=5)

    assert all(has_ended(int(pid)) for pid in pids.read_text().split())


async def test_a_command_that_reads_nothing_and_says_much_is_no_trouble(tmp_path):
    argv = program(tmp_path, "import sys\nsys.stderr.write('x' * 1_000_000)\n")

    await run_command(argv, b"x" * 1_000_000, timeout_s=60)


async def test_a_program_that_is_not_there_is_a_failure():
    with pytest.raises(SendFailed, match="cannot be run"):
        await run_command(("/nowhere/program",), b"{}")


def test_only_what_the_operator_has_listed_can_be_named(tmp_path):
    path = tmp_path / "commands.toml"
    path.write_text('pager = ["/usr/local/bin/page", "--team", "ml"]\n')
    commands = read_commands(path)

    assert find_command(commands, "pager") == ("/usr/local/bin/page", "--team", "ml")
    for name in ("/bin/sh", "pager --team other", ""):
        with pytest.raises(TargetRefused):
            find_command(commands, name)


@pytest.mark.parametrize("text", ['a = "ls"', "a = []", 'a = ["ls"]', "a = [1]", "a ="])
def test_a_list_that_cannot_be_right_is_refused(tmp_path, text):
    path = tmp_path / "commands.toml"
    path.write_text(text)

    with pytest.raises(ConfigError):
        read_commands(path)


def test_a_list_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigError):
        read_commands(tmp_path / "nowhere.toml")

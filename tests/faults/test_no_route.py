"""No route to anywhere: everything works on this machine alone, and nothing even tries to leave it."""

import shutil
import sys
from pathlib import Path

import pytest

from tests.faults.alone import ROOT, Alone

SOME_TESTS = (
    "tests/examples/test_examples.py::test_the_plain_report",
    "tests/sdk/test_relaxed.py::test_one_that_begins_while_the_server_is_away_is_told_to_it_later",
    "tests/cli/test_machine.py::test_the_doctor_finds_a_healthy_machine_healthy",
    "tests/web/test_streams.py",
)
MORE_TESTS = (
    "tests/examples",
    "tests/sdk/test_relaxed.py",
    "tests/cli",
    "tests/web",
    "tests/server",
    "tests/worker",
)
STAMPS = [
    *(ROOT / ".venv" / f".installed-{name}" for name in ("dev", "demo", "model")),
    ROOT / ".venv-crewai" / ".installed",  # without it the demo tries to install its crew's part
]
CALLS_HOME = """
import socket
with socket.socket() as telemetry:
    telemetry.settimeout(1)
    telemetry.connect_ex(("192.0.2.1", 443))
"""


@pytest.fixture
def alone(tmp_path):
    made = Alone(tmp_path)
    if not made.is_possible:
        pytest.skip("strace is not here, or this machine permits no network namespaces (try as root)")
    return made


def work_alone(gate, alone: Alone, *command: str) -> str:
    """Run `command` without a network and count whom it tried to reach; return what it said."""
    code, said = alone.run(*command)
    gate.lost(code != 0, f"it ended with {code}: {said[-2_000:]}")
    gate.tried(alone.attempts, "connections")
    strangers = alone.strangers()
    for stranger in strangers:
        gate.lost(1, f"it tried to reach {stranger}, behind:\n{alone.before(stranger)}")
    return said


@pytest.mark.gate(
    promise="Omium works on a machine without a network, and tries to reach nobody.",
    fault="A network namespace with loopback alone: servers, SDK, command line, examples.",
)
def test_servers_scripts_and_commands_reach_for_nobody(gate, alone, tmp_path):
    options = ("-q", "-p", "no:cacheprovider", "--no-cov", "--torture-report", str(tmp_path / "reports"))
    said = work_alone(
        gate, alone, sys.executable, "-m", "pytest", *options, *(MORE_TESTS if gate.torture else SOME_TESTS)
    )
    assert " passed" in said, said


@pytest.mark.gate(
    promise="Once `make demo` has run, it runs again without a network.",
    fault="A network namespace with loopback alone.",
)
@pytest.mark.timeout(900)
def test_the_demo_runs_again_without_a_network(gate, alone):
    if not all(stamp.exists() for stamp in STAMPS) or shutil.which("make") is None:
        pytest.skip("the demo is not installed; run `make demo` once")
    said = work_alone(gate, alone, "make", "demo")
    assert "Done in" in said, said
    assert "A crew of CrewAI in its own environment" in said, said


@pytest.mark.planted(bug="A word to its maker", gate="test_servers_scripts_and_commands_reach_for_nobody")
def test_the_gate_catches_a_program_that_calls_home(trial, alone):
    work_alone(trial, alone, sys.executable, "-c", CALLS_HOME)


@pytest.mark.planted(bug="A name is looked up", gate="test_servers_scripts_and_commands_reach_for_nobody")
def test_the_gate_catches_a_name_that_is_looked_up(trial, alone):
    if "nameserver" not in Path("/etc/resolv.conf").read_text():
        pytest.skip("there is nobody to ask for names")
    work_alone(
        trial, alone, sys.executable, "-c", "import socket; socket.getaddrinfo('telemetry.invalid', 443)"
    )

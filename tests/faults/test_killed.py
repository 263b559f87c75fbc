"""A server that is killed while it works: what it said is there, and it is ready again soon."""

import json
import time
from functools import partial
from pathlib import Path

import pytest

from tests.faults.patience import busy
from tests.faults.traffic import Asking, Traffic

DRIVERS = 8
ROUNDS_A_FOLDER = 20  # then a fresh one: checking a large database at each start tries nothing else
ANEW_EVERY = 10  # rounds; a start that counts Python's own


def try_kills(gate, make_server, short=60, long=1_000, rounds_a_folder=ROUNDS_A_FOLDER):
    server = None
    for round_ in gate.each(short, long, "kills"):
        if round_ % rounds_a_folder == 0:
            if server is not None:
                look_whole(gate, server)
                server.kill()
            server = make_server()
        with Traffic(server, DRIVERS) as traffic:
            time.sleep(gate.random.uniform(0.005, 0.2))
            server.kill()
        started = time.monotonic()
        if round_ % ANEW_EVERY == 0:
            server.start_anew()
            waited_s = waited_for_cpu_s(server.pid)
            own_s = time.monotonic() - started - waited_s
            gate.figure("ready again, on a CPU of its own", round(own_s, 2), "s")
            gate.figure("waited for a CPU besides", round(waited_s, 2), "s")
        else:
            server.start()
        gate.figure("most acknowledged between two kills", traffic.acknowledged)
        traffic.look(gate)
    look_whole(gate, server)


def waited_for_cpu_s(pid):
    """Return how long a process's main thread was ready to run while others ran: theirs, not the server's."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except OSError:  # a kernel that does not count it
        return 0.0


def look_whole(gate, server):
    """Ask the server for its own proof: no event without its row, nothing half done."""
    with Asking(server) as asking:
        status, body = asking.ask("GET", "/v1/admin/verify")
    assert status == 200, body
    problems = json.loads(body)["problems"]
    gate.lost(len(problems), f"verify: {problems[:3]}")


@pytest.mark.gate(
    promise="What a server has acknowledged is there after it was killed; what it has not can be sent again"
    " and is there once. It is ready again in less than 5 seconds.",
    fault="SIGKILL at a random moment, while eight drivers write steps (SQLite)",
)
def test_a_killed_server_keeps_what_it_acknowledged(gate, forked_server):
    try_kills(gate, forked_server)
    ready_s, _ = gate.figures["ready again, on a CPU of its own"]
    gate.lost(ready_s > 5 * busy(), f"ready again after {ready_s:.1f} s")


@pytest.mark.postgres
@pytest.mark.gate(
    promise="What a server on PostgreSQL has acknowledged is there after it was killed.",
    fault="SIGKILL of the server at a random moment, while eight drivers write steps",
)
def test_a_killed_server_keeps_what_it_acknowledged_on_postgres(gate, forked_server, postgres_url):
    make_server = partial(forked_server, OMIUM_DATABASE_URL=postgres_url)
    try_kills(gate, make_server, short=12, long=300, rounds_a_folder=1_000_000)


@pytest.mark.planted(
    bug="The server answers before its COMMIT", gate="test_a_killed_server_keeps_what_it_acknowledged"
)
def test_the_gate_catches_an_answer_before_the_commit(trial, forked_server):
    try_kills(trial, partial(forked_server, "acknowledge-before-commit"))


@pytest.mark.postgres
@pytest.mark.planted(
    bug="The server answers before its COMMIT on PostgreSQL",
    gate="test_a_killed_server_keeps_what_it_acknowledged_on_postgres",
)
def test_the_gate_catches_an_answer_before_the_commit_on_postgres(trial, forked_server, postgres_url):
    make_server = partial(forked_server, "acknowledge-before-commit", OMIUM_DATABASE_URL=postgres_url)
    try_kills(trial, make_server, rounds_a_folder=1_000_000)

"""PostgreSQL itself ends in the middle of its work and comes back: the server waits, and nothing is lost."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests import postgres
from tests.faults.patience import PATIENCE_S
from tests.faults.test_killed import look_whole
from tests.faults.traffic import Traffic

DRIVERS = 8
DURABLE = {"fsync": "on", "full_page_writes": "on", "restart_after_crash": "on"}

pytestmark = pytest.mark.postgres


@pytest.fixture
def durable_postgres(postgres_server):
    """A PostgreSQL of one's own that syncs, asked for beside the shared one so that it is skipped like it."""
    binaries = postgres.find_binaries()
    server = postgres.start_server(binaries, DURABLE)
    yield server
    os.kill(find_main_process(server), signal.SIGQUIT)  # at once: it may be in the middle of a recovery
    server.stop()


def find_main_process(server):
    return int((server.folder / "data" / "postmaster.pid").read_text().split()[0])


def crash(server, chance):
    """Kill one of PostgreSQL's processes: it ends all others at once, without a goodbye, and recovers."""
    main = find_main_process(server)
    children = [int(pid) for pid in Path(f"/proc/{main}/task/{main}/children").read_text().split()]
    os.kill(chance.choice(children), signal.SIGKILL)


def wait_for_each(traffic):
    """Return once each driver was answered again: what waited, what was refused and sent again, and more.

    Or once one was refused for another reason than that the database is away: that is a loss, and stays one.
    """
    goals = [driver.steps + 3 for driver in traffic.drivers]
    give_up_at = time.monotonic() + PATIENCE_S
    while any(driver.steps < goal for driver, goal in zip(traffic.drivers, goals, strict=True)):
        if list_other_refusals(traffic):
            return
        assert time.monotonic() < give_up_at, "it did not come back in time"
        time.sleep(0.01)


def list_other_refusals(traffic):
    return [each for driver in traffic.drivers for each in driver.refused if "503" not in each]


def try_crashes(gate, server, durable_postgres, *, short=3):
    for _ in gate.each(short=short, long=200, what="crashes of PostgreSQL"):
        with Traffic(server, DRIVERS) as traffic:
            time.sleep(gate.random.uniform(0.02, 0.3))
            before = traffic.acknowledged
            crash(durable_postgres, gate.random)
            crashed = time.monotonic()
            wait_for_each(traffic)
            gate.figure("working again", round(time.monotonic() - crashed, 1), "s")
        refused = list_other_refusals(traffic)
        gate.lost(len(refused), f"{before} acknowledged, then refused otherwise than with 503: {refused[:2]}")
        if refused:  # of what is gone nothing can be compared
            return
        traffic.look(gate)
    look_whole(gate, server)


@pytest.mark.gate(
    promise="When PostgreSQL crashes, requests are refused with 503 until it is back, nothing acknowledged is"
    " lost, nothing doubled, and the server works on without a restart.",
    fault="SIGKILL of a process of PostgreSQL under load: it shuts down at once and recovers from its log",
)
def test_a_crash_of_postgres_loses_nothing(gate, forked_server, durable_postgres):
    url = durable_postgres.url(durable_postgres.create_database())
    try_crashes(gate, forked_server(OMIUM_DATABASE_URL=url), durable_postgres)


@pytest.mark.planted(
    bug="A commit does not wait for PostgreSQL's log", gate="test_a_crash_of_postgres_loses_nothing"
)
def test_the_gate_catches_a_commit_that_does_not_wait(trial, forked_server, durable_postgres):
    url = durable_postgres.url(durable_postgres.create_database())
    durable_postgres.execute("ALTER SYSTEM SET wal_writer_delay = '2s'")  # a disk that is not the fastest
    durable_postgres.execute("SELECT pg_reload_conf()")
    server = forked_server("asynchronous-commit", OMIUM_DATABASE_URL=url)
    try_crashes(trial, server, durable_postgres, short=20)  # each may meet a log that was just written

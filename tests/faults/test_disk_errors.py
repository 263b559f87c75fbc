"""A disk that fails to sync: nobody knows what it holds, so the server ends before it says anything wrong."""

import re
import time
from functools import partial

import pytest

from omium.server.db.writer import FATAL_EXIT_STATUS
from tests.faults.forks import DidNotStart, needs_strace
from tests.faults.patience import PATIENCE_S, slack
from tests.faults.traffic import Traffic

DRIVERS = 4
TRACED = "trace=fdatasync,fsync,write,writev,sendto,sendmsg"

pytestmark = needs_strace


def try_failing_syncs(gate, make_server, tmp_path):
    trace = tmp_path / "trace"
    server = make_server()
    for round_ in gate.each(short=20, long=200, what="syncs that failed"):
        server.stop()
        inject = f"inject=fdatasync,fsync:error=EIO:when={round_ + 1}"
        options = ["-f", "-y", "-ttt", "-s", "12", "-o", str(trace)]
        server.under = ["strace", *options, "-e", TRACED, "-e", inject]
        traffic = Traffic(server, DRIVERS)
        try:
            server.start()
            with traffic:
                code = wait_for_end(server, traffic, syncs=round_ + 1)
        except DidNotStart as ended:  # the sync was one of its start
            code = ended.code
        server.under = None
        failed_path, synced, took_s, answers = read_trace(trace.read_text())
        if failed_path == str(server.data):
            gate.lost(code is None and not synced, "the folder of the log was never synced")
        else:
            gate.lost(code != FATAL_EXIT_STATUS, f"it did not end after sync {round_ + 1} had failed: {code}")
            gate.figure("ended after the error", round(took_s, 3), "s")
            gate.lost(took_s > slack(), f"it took {took_s} s to end")
            # An earlier batch, which is durable, may be on its way out: one answer for each at the most.
            gate.lost(max(0, answers - DRIVERS), f"{answers} answers after sync {round_ + 1} had failed")
        server.kill()
        server.start()
        traffic.look(gate)


def wait_for_end(server, traffic, syncs):
    """Return the exit code, None where more was answered than so many syncs can have made durable."""
    give_up_at = time.monotonic() + PATIENCE_S
    while server.is_alive:
        if traffic.acknowledged > DRIVERS * (syncs + 20) or time.monotonic() > give_up_at:
            return None
        time.sleep(0.01)
    return server.wait()


def read_trace(trace):
    """Return what failed to be synced, whether it was synced at another time, how many seconds the process
    lived after the failure, and how many good answers it gave in them.
    """
    before, after = trace.split("(INJECTED)", 1)
    failed = before.splitlines()[-1]
    path = failed.partition("<")[2].partition(">")[0]
    synced = re.search(rf"sync\(\d+<{re.escape(path)}>(\) += 0| <unfinished)", trace) is not None
    lived_s = float(after.splitlines()[-1].split()[1]) - float(failed.split()[1])
    return path, synced, lived_s, len(re.findall(r'"HTTP/1\.1 2', after))


@pytest.mark.gate(
    promise="When the disk fails to sync, the server ends within a second, and has acknowledged nothing that"
    " was not synced.",
    fault="EIO from the 1st, 2nd, 3rd ... fsync of a server under load",
)
def test_a_failing_sync_ends_the_server(gate, forked_server, tmp_path):
    try_failing_syncs(gate, forked_server, tmp_path)


@pytest.mark.planted(bug="An I/O error is taken for a busy disk", gate="test_a_failing_sync_ends_the_server")
def test_the_gate_catches_a_server_that_goes_on(trial, forked_server, tmp_path):
    try_failing_syncs(trial, partial(forked_server, "io-errors-are-passing"), tmp_path)

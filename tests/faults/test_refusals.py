"""What a server must refuse: a damaged database, a file that another server has, a lock that is not given."""

import contextlib
import json
import shutil
import sqlite3
import time
from functools import partial

import pytest

from tests.faults.forks import DidNotStart, ForkedServer
from tests.faults.patience import PATIENCE_S, slack
from tests.faults.traffic import Asking, Traffic

RIVALS = 3
PAGE_BYTES = 4096


def try_damages(gate, make_server):
    server = make_server()
    with Traffic(server, 4) as traffic:
        while traffic.acknowledged < 200:
            time.sleep(0.01)
    server.stop()
    file = server.data / "omium.sqlite"
    whole = file.read_bytes()
    for _ in gate.each(short=25, long=500, what="damaged databases"):
        damage = do_damage(gate.random, whole)
        file.write_bytes(damage)
        try:
            server.start()
        except DidNotStart as refused:
            log = server.log().splitlines()[-1]
            gate.lost(refused.code != 1 or "omium db restore" not in log, f"{refused.code}: {log}")
            continue
        # It may have hit bytes that nobody reads: then nothing is missing.
        gate.figure("harmless", gate.figures.get("harmless", (0, ""))[0] + 1)
        with Asking(server) as asking:
            status, body = asking.ask("GET", "/v1/admin/verify")
            gate.lost(status != 200 or json.loads(body)["problems"] != [], f"served, but {body[:300]!r}")
            for driver in traffic.drivers:
                wrong = find_wrong(asking, driver)
                gate.lost(wrong is not None, f"served, but {wrong}")
        server.kill()
        for suffix in ("-wal", "-shm"):
            file.with_name(file.name + suffix).unlink(missing_ok=True)


def find_wrong(asking, driver):
    """Return what is wrong with the answers about a driver's steps."""
    try:
        outputs = asking.list_outputs(driver)[: driver.steps]
    except AssertionError as error:  # an answer that is no answer
        return str(error)
    expected = [driver.output(number) for number in range(driver.steps)]
    return None if outputs == expected else "other outputs than were acknowledged"


def do_damage(chance, whole):
    pages = len(whole) // PAGE_BYTES
    first = chance.randrange(pages)
    count = chance.randint(1, 8)
    match chance.randrange(3):
        case 0:  # the end is missing
            return whole[: chance.randrange(1, len(whole))]
        case 1:  # zeros, as after a torn write
            content = bytes(count * PAGE_BYTES)
        case _:
            content = chance.randbytes(count * PAGE_BYTES)
    damaged = bytearray(whole)
    damaged[first * PAGE_BYTES : (first + count) * PAGE_BYTES] = content
    return bytes(damaged[: len(whole)])


@pytest.mark.gate(
    promise="A damaged or truncated database is refused at the start, and the sentence names"
    " `omium db restore`.",
    fault="Pages zeroed or overwritten at random, or the file cut at a random byte",
)
def test_a_damaged_database_is_not_served(gate, forked_server):
    try_damages(gate, forked_server)


@pytest.mark.planted(bug="The file is not checked at the start", gate="test_a_damaged_database_is_not_served")
def test_the_gate_catches_a_start_without_a_check(trial, forked_server):
    try_damages(trial, partial(forked_server, "no-check-at-start"))


def try_rivals(gate, tmp_path, bug=""):
    for round_ in gate.each(short=6, long=200, what="starts of three servers at once"):
        folder = tmp_path / f"rivals{round_}"
        folder.mkdir()
        rivals = [ForkedServer(folder / "data", {}, bug, start=False) for _ in range(RIVALS)]
        ready = []
        started = time.monotonic()
        for rival in rivals:
            rival.launch()
        for rival in rivals:
            try:
                rival.wait_until_ready()
                ready.append(rival)
            except DidNotStart as refused:
                gate.figure("refused after", round(time.monotonic() - started, 2), "s")
                gate.lost(refused.code != 1, f"ended with {refused.code}")
        log = (folder / "server.log").read_text()
        gate.lost(len(ready) != 1, f"{len(ready)} servers on one file")
        gate.lost(log.count("is in use by another omium process") != RIVALS - len(ready), log)
        for rival in ready:
            rival.kill()
        shutil.rmtree(folder)


@pytest.mark.gate(
    promise="Two servers never use one database file: the second ends within two seconds and says why.",
    fault="Three servers started at the same moment on one new folder",
)
def test_one_file_has_one_server(gate, tmp_path):
    try_rivals(gate, tmp_path)
    refused_s, _ = gate.figures["refused after"]
    gate.lost(refused_s > 2 * slack(), f"the last one was refused after {refused_s} s")


@pytest.mark.planted(bug="Nobody takes the lock", gate="test_one_file_has_one_server")
def test_the_gate_catches_a_missing_lock(trial, tmp_path):
    try_rivals(trial, tmp_path, "no-lock")


def try_locks(gate, server):
    with Traffic(server, 4) as traffic, Asking(server) as asking:
        for _ in gate.each(short=2, long=100, what="locks held"):
            foreign = sqlite3.connect(server.data / "omium.sqlite", isolation_level=None, timeout=PATIENCE_S)
            foreign.execute("BEGIN IMMEDIATE")
            refused = [len(driver.refused) for driver in traffic.drivers]
            asked = time.monotonic()
            status, body = asking.ask("POST", "/v1/keys", {"name": "k"}, **{"idempotency-key": str(asked)})
            waited_s = time.monotonic() - asked
            gate.figure("waited", round(waited_s, 1), "s")
            gate.lost(waited_s > 2.5 * slack(), f"{waited_s} s")
            gate.lost(status != 503 or json.loads(body)["code"] != "storage-busy", f"{status} {body!r}")
            read, _ = asking.ask("GET", "/v1/executions")
            gate.lost(read != 200, f"a read was answered with {read}")
            for driver, before in zip(traffic.drivers, refused, strict=True):
                gate.lost(
                    any("storage-busy" not in each for each in driver.refused[before:]), driver.refused[-1:]
                )
            with contextlib.closing(foreign):
                foreign.execute("ROLLBACK")
            acknowledged = traffic.acknowledged
            give_up_at = time.monotonic() + PATIENCE_S
            while traffic.acknowledged == acknowledged and time.monotonic() < give_up_at:
                time.sleep(0.01)
            gate.lost(traffic.acknowledged == acknowledged, "it did not go on")
    traffic.look(gate)


@pytest.mark.gate(
    promise="While another process holds the database's lock, writes are refused with 503 after a bounded"
    " wait, reads go on, nothing is half done, and afterwards work goes on without a restart.",
    fault="A foreign process in the middle of a transaction on the file, under load",
)
def test_a_lock_that_is_not_given_back_is_waited_for_and_told(gate, forked_server):
    try_locks(gate, forked_server())


@pytest.mark.planted(
    bug="A lock that another process holds is an error without a name",
    gate="test_a_lock_that_is_not_given_back_is_waited_for_and_told",
)
def test_the_gate_catches_a_lock_that_nobody_thought_of(trial, forked_server):
    try_locks(trial, forked_server("busy-is-a-mistake"))

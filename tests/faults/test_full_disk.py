"""A full disk: it is told, reads go on, nobody pays for a neighbour, and space is all that is needed."""

import time

import pytest

from omium.clock import SystemClock
from omium.errors import StorageFull
from omium.server.db.open import open_database
from omium.server.db.settings import DatabaseSettings
from tests.db import schema
from tests.db.schema import insert, write_migrations
from tests.db.together import write_together
from tests.faults.patience import PATIENCE_S
from tests.faults.planted import plant
from tests.faults.small_disk import SmallDisk, needs_small_disk
from tests.faults.traffic import Asking, Traffic
from tests.serverfixture import RunningServer


class ServerOnDisk(RunningServer):
    """A server whose folder is on a small disk."""

    def __init__(self, disk, bug="", **environment):
        self._disk = disk
        super().__init__(disk.path / "data", environment, ("-m", "tests.faults.planted", bug))

    def start(self):
        self.before = self._disk.enter
        super().start()

    def log(self):
        return (self._disk.path / "server.log").read_text()


@pytest.fixture
def disk(tmp_path):
    with SmallDisk(tmp_path / "disk", size="24m") as disk:
        yield disk


def try_full_disks(gate, disk, bug=""):
    server = ServerOnDisk(disk, bug, OMIUM_BALLAST_BYTES="0")
    server.bootstrap()
    try:
        for _ in gate.each(short=4, long=60, what="full disks"):
            with Traffic(server, 4) as traffic, Asking(server) as asking:
                wait(lambda traffic=traffic: traffic.acknowledged > 30)
                disk.fill(spare_bytes=gate.random.randrange(0, 60_000))
                wait(lambda traffic=traffic: all(driver.refused for driver in traffic.drivers))
                for driver in traffic.drivers:
                    told = all(part in driver.refused[0] for part in ('"status":507', "The disk is full"))
                    gate.lost(not told, driver.refused[0])
                gate.lost(asking.ask("GET", "/v1/executions")[0] != 200, "a read was refused")
                disk.free()
                acknowledged = traffic.acknowledged
                wait(lambda traffic=traffic, before=acknowledged: traffic.acknowledged > before + 8)
            traffic.look(gate)
        server.kill()
        server.start()
        traffic.look(gate)
    finally:
        server.kill()


@needs_small_disk
@pytest.mark.gate(
    promise="On a full disk writes are refused with 507 and a sentence, reads go on, and as soon as there is"
    " space work goes on without a restart; what was acknowledged is there.",
    fault="The server's disk filled to the last byte under load, and freed again",
)
def test_a_full_disk_is_told_and_survived(gate, disk):
    try_full_disks(gate, disk)


@needs_small_disk
@pytest.mark.planted(bug="A full disk is taken for a busy one", gate="test_a_full_disk_is_told_and_survived")
def test_the_gate_catches_a_full_disk_that_is_not_told(trial, disk):
    try_full_disks(trial, disk, "full-is-busy")


def try_full_starts(gate, disk, bug=""):
    server = ServerOnDisk(disk, bug, OMIUM_BALLAST_BYTES=str(256 << 10))
    server.bootstrap()
    try:
        for _ in gate.each(short=1, long=30, what="starts"):
            gate.lost(not (server.data / "omium.sqlite.ballast").exists(), "no ballast was kept")
            server.stop()
            disk.fill()
            if not starts(server):
                gate.lost(1, f"it did not start: {server.log()[-300:]}")
                disk.free()
                server.start()
                continue
            with Asking(server) as asking:
                gate.lost(asking.ask("GET", "/v1/whoami")[0] != 200, "it does not read")
            gate.lost((server.data / "omium.sqlite.ballast").exists(), "the ballast was kept")
            server.stop()
            disk.fill()
            gate.lost(starts(server), "it started without any space")
            gate.lost("is full: free some space" not in server.log(), server.log()[-300:])
            disk.free()
            server.start()
    finally:
        server.kill()


@needs_small_disk
@pytest.mark.gate(
    promise="A server that starts on a full disk gives its ballast back and serves; without one it says that"
    " the disk is full.",
    fault="A disk filled to the last byte before the start, with and without a ballast file",
)
def test_a_start_on_a_full_disk_serves_or_says_so(gate, disk):
    try_full_starts(gate, disk)


@needs_small_disk
@pytest.mark.planted(
    bug="The ballast is kept when there is no space left",
    gate="test_a_start_on_a_full_disk_serves_or_says_so",
)
def test_the_gate_catches_a_ballast_that_is_not_given_back(trial, disk):
    try_full_starts(trial, disk, "ballast-is-kept")


def starts(server):
    try:
        server.start()
    except AssertionError:
        return False
    return True


def wait(condition):
    give_up_at = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < give_up_at, "it did not come to that in time"
        time.sleep(0.01)


async def try_full_batches(gate, tmp_path):
    """Let the disk fill up inside one of several works that share a transaction."""
    settings = DatabaseSettings(
        migrations=write_migrations(tmp_path / "migrations"), connections=1, ballast_bytes=0
    )
    database = await open_database(str(tmp_path / "db"), clock=SystemClock(), settings=settings)
    writer = database._connections[0]
    try:
        for round_ in gate.each(short=60, long=1_000, what="batches"):
            await writer.execute_function(lambda raw: limit_pages(raw, gate.random.randint(0, 12)))
            hooks = []
            works = [
                make_work(f"{round_:05}-{n}", gate.random, hooks) for n in range(gate.random.randint(2, 12))
            ]
            outcomes = await write_together(database, *works)
            await writer.execute_function(lambda raw: limit_pages(raw, 1_000_000))
            good = [outcome for outcome in outcomes if isinstance(outcome, str)]
            others = {type(outcome) for outcome in outcomes if not isinstance(outcome, str)}
            gate.lost(len(others - {StorageFull}), f"refused with {others}")
            stored = await database.read(lambda tx: tx.all(schema.LIST_IDS, str))
            stored = [item for item in stored if item.startswith(f"{round_:05}")]
            gate.lost(len(set(good) ^ set(stored)), f"answered {good}, stored {stored}")
            gate.lost(hooks != good, f"hooks of {hooks}, answered {good}")
            gate.figure("refused in one batch", len(outcomes) - len(good))
        assert await database.integrity_problems() == []
    finally:
        await database.close()


def limit_pages(connection, spare):
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + spare}")


def make_work(name, chance, hooks):
    body = b"x" * chance.choice([0, 100, 5_000, 40_000])

    def work(tx):
        tx.after_commit(lambda: hooks.append(name))
        return insert(tx, name, body=body)

    return work


@pytest.mark.gate(
    promise="When the disk fills up, of requests that share a transaction only those that do not fit are"
    " refused; none is lost, none is doubled.",
    fault="No further page inside one of 2 to 12 works of a batch (max_page_count)",
)
async def test_a_disk_that_fills_up_inside_a_batch_harms_no_neighbour(gate, tmp_path):
    await try_full_batches(gate, tmp_path)


@pytest.mark.planted(
    bug="A batch that the disk rolled back is answered as it was",
    gate="test_a_disk_that_fills_up_inside_a_batch_harms_no_neighbour",
)
async def test_the_gate_catches_a_batch_that_is_not_run_again(trial, tmp_path, monkeypatch):
    plant("lost-batch-answered", monkeypatch)
    await try_full_batches(trial, tmp_path)

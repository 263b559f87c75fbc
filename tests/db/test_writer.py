"""The coalescing writer: one transaction for all that wait, and nobody pays for a neighbour's failure."""

import asyncio
import contextlib
import sqlite3
import threading
from functools import partial

import pytest

from omium.errors import OutcomeUnknown, StorageBusy, StorageFull
from omium.server.db.sqlite_connection import connect
from omium.server.db.tx import ConstraintViolated
from tests.db import schema
from tests.db.schema import insert
from tests.db.together import write_together


def ids(path):
    """What another process would see: only what is committed."""
    connection = connect(path, "ro")
    try:
        return [name for (name,) in connection.execute("SELECT id FROM items ORDER BY id")]
    finally:
        connection.close()


async def test_waiting_works_share_one_commit(sqlite):
    before = sqlite.counters().batches

    results = await write_together(sqlite, *(lambda tx, n=n: insert(tx, f"i{n:03}") for n in range(100)))

    assert results == [f"i{n:03}" for n in range(100)]
    assert sqlite.counters().batches == before + 1
    assert sqlite.counters().largest_batch == 101


async def test_a_batch_has_at_most_256_works(sqlite):
    await write_together(sqlite, *(lambda tx, n=n: insert(tx, f"i{n:03}") for n in range(600)))

    assert sqlite.counters().largest_batch == 256
    assert await sqlite.read(lambda tx: tx.value(schema.COUNT)) == 600


async def test_works_run_in_the_order_they_came(sqlite):
    order = []

    await write_together(sqlite, *(lambda tx, n=n: order.append(n) for n in range(300)))

    assert order == list(range(300))


async def test_a_raising_work_undoes_only_itself(sqlite, sqlite_file):
    def fail(tx):
        insert(tx, "lost")
        raise LookupError("mine")

    outcomes = await write_together(sqlite, lambda tx: insert(tx, "i1"), fail, lambda tx: insert(tx, "i2"))

    assert outcomes[0] == "i1"
    assert outcomes[2] == "i2"
    assert isinstance(outcomes[1], LookupError)
    assert ids(sqlite_file) == ["i1", "i2"]


async def test_a_first_work_that_raises_holds_nobody_up(sqlite, sqlite_file):
    def fail(tx):
        insert(tx, "lost")
        raise LookupError("mine")

    with pytest.raises(LookupError):
        await sqlite.write(fail)

    assert await sqlite.write(lambda tx: insert(tx, "i1")) == "i1"
    assert ids(sqlite_file) == ["i1"]


async def test_nobody_is_answered_before_the_commit_neither_with_a_result_nor_with_an_error(
    sqlite, sqlite_file
):
    seen = {}

    async def ask(name, work):
        try:
            await sqlite.write(work)
        finally:
            seen[name] = ids(sqlite_file)  # at the moment of the answer

    def fail_because_of_a_neighbour(tx):
        insert(tx, "i1")

    gate = threading.Event()
    asking = [
        ask("gate", lambda tx: [insert(tx, "i1"), gate.wait(30)]),
        ask("error", fail_because_of_a_neighbour),
        ask("result", lambda tx: insert(tx, "i2")),
    ]
    tasks = [asyncio.ensure_future(one) for one in asking]
    await asyncio.sleep(0)
    gate.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)

    assert isinstance(outcomes[1], ConstraintViolated)
    assert "i1" in seen["error"], "it was told of a row that was not durable yet"
    assert "i2" in seen["result"]


async def test_hooks_of_a_raising_work_are_dropped_and_those_of_its_neighbours_run(sqlite):
    seen = []

    def fail(tx):
        tx.after_commit(lambda: seen.append("raising"))
        raise LookupError

    def succeed(tx):
        tx.after_commit(lambda: seen.append("neighbour"))

    await write_together(sqlite, succeed, fail, succeed)

    assert seen == ["neighbour", "neighbour"]


def fill_up(connection):
    """Leave the file no further page, as a full disk does."""
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")


def free_up(connection):
    connection.execute("PRAGMA max_page_count = 1000000")


async def test_a_disk_that_fills_up_inside_one_work_harms_no_neighbour_and_doubles_none(sqlite, sqlite_file):
    seen = []

    def too_large(tx):
        tx.after_commit(lambda: seen.append("too large"))
        return insert(tx, "large", body=b"x" * 200_000)

    def small(name):
        def work(tx):
            tx.after_commit(lambda: seen.append(name))
            return insert(tx, name)

        return work

    writer = sqlite._connections[0]
    await writer.execute_function(fill_up)

    outcomes = await write_together(sqlite, small("i1"), small("i2"), too_large, small("i3"))

    assert outcomes[:2] == ["i1", "i2"]
    assert isinstance(outcomes[2], StorageFull)
    assert outcomes[3] == "i3"
    assert seen == ["i1", "i2", "i3"], "each hook once, although the batch was run again"
    assert ids(sqlite_file) == ["i1", "i2", "i3"]

    assert await sqlite.read(lambda tx: tx.value(schema.COUNT)) == 3, "reads go on"
    await writer.execute_function(free_up)
    assert await sqlite.write(too_large) == "large", "recovered without a restart"


async def test_a_work_that_swallows_the_full_disk_cannot_commit_by_itself(sqlite, sqlite_file):
    def swallow(tx):
        with contextlib.suppress(StorageFull):
            insert(tx, "large", body=b"x" * 200_000)
        try:
            insert(tx, "sneaked in")
        except Exception:
            return "thought it was fine"

    await sqlite._connections[0].execute_function(fill_up)
    outcomes = await write_together(sqlite, lambda tx: insert(tx, "i1"), swallow, lambda tx: insert(tx, "i2"))

    assert outcomes[0] == "i1"
    assert isinstance(outcomes[1], Exception)
    assert outcomes[2] == "i2"
    assert ids(sqlite_file) == ["i1", "i2"]


async def test_a_full_disk_inside_a_savepoint_is_noticed_too(sqlite, sqlite_file):
    def work(tx):
        insert(tx, "before")
        with pytest.raises(StorageFull), tx.savepoint():
            insert(tx, "large", body=b"x" * 200_000)
        insert(tx, "after")

    await sqlite._connections[0].execute_function(fill_up)
    outcomes = await write_together(sqlite, lambda tx: insert(tx, "i1"), work)

    assert outcomes[0] == "i1"
    if isinstance(outcomes[1], Exception):  # SQLite rolled everything back: all or nothing
        assert ids(sqlite_file) == ["i1"]
    else:
        assert ids(sqlite_file) == ["after", "before", "i1"]


async def test_a_constraint_checked_at_commit_harms_only_the_one_that_broke_it(sqlite, sqlite_file):
    seen = []

    def orphan(tx):
        tx.after_commit(lambda: seen.append("orphan"))
        tx.execute(schema.INSERT_PART, item_id="none", number=1)

    outcomes = await write_together(sqlite, lambda tx: insert(tx, "i1"), orphan, lambda tx: insert(tx, "i2"))

    assert outcomes[0] == "i1"
    assert isinstance(outcomes[1], ConstraintViolated)
    assert outcomes[1].kind == "foreign-key"
    assert seen == [], "its hook went with it"
    assert outcomes[2] == "i2"
    assert ids(sqlite_file) == ["i1", "i2"]


async def test_a_lock_held_by_another_process_is_waited_for_then_refused_without_a_partial_write(
    open_any, sqlite_file
):
    database = await open_any(sqlite_file, busy_timeout_s=0.05)
    other = sqlite3.connect(sqlite_file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        waiting = [database.write(lambda tx, n=n: insert(tx, f"i{n}")) for n in range(400)]
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {StorageBusy}
        assert database.counters().refused == 400, "all at once: they did not wait for it one after the other"
        assert await database.read(lambda tx: tx.value(schema.COUNT)) == 0, "reads go on"
    finally:
        other.execute("ROLLBACK")
        other.close()

    assert await database.write(lambda tx: insert(tx, "i1")) == "i1"
    assert ids(sqlite_file) == ["i1"]


async def test_a_work_that_reads_before_it_writes_holds_the_lock_from_the_start(sqlite, sqlite_file):
    other = sqlite3.connect(sqlite_file, isolation_level=None, timeout=0, check_same_thread=False)

    def work(tx):
        tx.value(schema.COUNT)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")  # if this succeeded and committed, the insert would fail at once
        return insert(tx, "i1")

    assert await sqlite.write(work) == "i1"
    other.close()


async def test_too_many_that_wait_are_refused_at_once(open_any, sqlite_file):
    database = await open_any(sqlite_file, max_waiting=10)
    gate = threading.Event()
    started = asyncio.Event()
    loop = asyncio.get_running_loop()
    held = asyncio.ensure_future(
        database.write(lambda tx: [loop.call_soon_threadsafe(started.set), gate.wait(30)])
    )
    await started.wait()
    waiting = [asyncio.ensure_future(database.write(lambda tx, n=n: insert(tx, f"i{n}"))) for n in range(10)]
    await asyncio.sleep(0)

    with pytest.raises(StorageBusy, match="10 writes or reads wait"):
        await database.write(lambda tx: None)

    gate.set()
    await asyncio.gather(held, *waiting)
    assert database.counters().refused == 1


async def test_a_caller_that_is_cancelled_while_waiting_leaves_no_write(sqlite, sqlite_file):
    gate = threading.Event()
    started = asyncio.Event()
    loop = asyncio.get_running_loop()
    held = asyncio.ensure_future(
        sqlite.write(lambda tx: [loop.call_soon_threadsafe(started.set), gate.wait(30)])
    )
    await started.wait()
    cancelled = asyncio.ensure_future(sqlite.write(lambda tx: insert(tx, "cancelled")))
    kept = asyncio.ensure_future(sqlite.write(lambda tx: insert(tx, "kept")))
    await asyncio.sleep(0)
    cancelled.cancel()
    gate.set()

    await asyncio.gather(held, kept)
    assert cancelled.cancelled()
    assert ids(sqlite_file) == ["kept"]


async def test_a_work_may_raise_anything(sqlite):
    def stop(tx):
        raise StopIteration

    class Left(BaseException):
        pass

    def leave(tx):
        raise Left

    outcomes = await write_together(sqlite, stop, leave, lambda tx: insert(tx, "i1"))

    assert isinstance(outcomes[0], RuntimeError)
    assert isinstance(outcomes[1], Left)
    assert outcomes[2] == "i1"


async def test_after_a_fatal_error_nothing_is_answered_with_success(open_any, sqlite_file):
    fatal = []
    database = await open_any(sqlite_file, on_fatal=fatal.append)
    await database.write(lambda tx: insert(tx, "i1"))

    def break_the_schema_page(connection):
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_schema SET rootpage = 999 WHERE name = 'items'")
        connection.execute("PRAGMA writable_schema = RESET")

    await database._connections[0].execute_function(break_the_schema_page)
    outcomes = await asyncio.gather(
        *(database.write(lambda tx, n=n: insert(tx, f"j{n}")) for n in range(20)), return_exceptions=True
    )

    assert len(fatal) == 1
    assert {type(outcome) for outcome in outcomes} == {OutcomeUnknown}
    with pytest.raises(OutcomeUnknown):
        await database.write(lambda tx: None)


async def test_a_work_that_holds_everybody_up_is_named_in_the_log(sqlite, monkeypatch, caplog):
    monkeypatch.setattr("omium.server.db.writer.SLOW_S", -1)

    def dawdle(tx, secret=""):
        insert(tx, f"i{secret}")

    def announce(work, tx):
        work(tx)

    await sqlite.write(dawdle)
    await sqlite.write(partial(announce, partial(dawdle, secret="s3cret")))

    assert caplog.text.count("inside its transaction") == 2
    assert caplog.text.count("dawdle") == 2
    assert "s3cret" not in caplog.text


async def test_the_log_is_copied_into_the_file_now_and_then(open_any, sqlite_file, monkeypatch):
    monkeypatch.setattr("omium.server.db.writer.CHECKPOINT_CHANGES", 50)
    database = await open_any(sqlite_file)

    for n in range(200):
        await database.write(lambda tx, n=n: insert(tx, f"i{n}"))

    assert database.counters().checkpoints >= 3
    assert sqlite_file.stat().st_size > 4096
    assert await database.read(lambda tx: tx.value(schema.COUNT)) == 200


async def test_large_rows_bring_the_next_checkpoint_nearer(open_any, sqlite_file, monkeypatch):
    monkeypatch.setattr("omium.server.db.writer.WAL_STEP_BYTES", 1 << 20)
    database = await open_any(sqlite_file)
    for n in range(40):
        await database.write(lambda tx, n=n: insert(tx, f"i{n}", body=b"x" * 500_000))

    assert database.counters().checkpoints >= 2
    assert sqlite_file.with_name("omium.sqlite-wal").stat().st_size < 20 * 500_000

"""PostgreSQL's batches: one transaction for works that wait, and nobody pays for a neighbour's trouble."""

import asyncio
import contextlib
import threading

import psycopg
import pytest

from omium.errors import OutcomeUnknown, StorageBusy
from omium.server.db import postgres, postgres_batches, postgres_connection
from omium.server.db.tx import ConstraintViolated, Sql
from tests.db import schema
from tests.db.proxy import Proxy
from tests.db.schema import Item, insert

RAISE = Sql("UPDATE items SET size = size + 1 WHERE id = :id")


@pytest.fixture
def slow_machine(monkeypatch):
    """However long it takes: a batch is not too old, and no statement too slow."""
    monkeypatch.setattr(postgres_batches, "BATCH_S", 60)
    monkeypatch.setattr(postgres, "STATEMENT_S", 60)
    monkeypatch.setattr(postgres_connection, "LOCK_TIMEOUT_MS", 60_000)


@pytest.fixture
async def one_lane(open_any, postgres_url, slow_machine):
    """A database whose works all meet in one batch when they are submitted together."""
    return await open_any(postgres_url, postgres_writers=1)


@pytest.fixture
def ids(postgres_url):
    """What another connection sees: only what is committed."""

    def ids():
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            return [row[0] for row in connection.execute("SELECT id FROM items ORDER BY id")]

    return ids


async def write_together(database, *works):
    """Return the outcomes of works that are submitted before any of them is taken."""
    return await asyncio.gather(*map(database.write, works), return_exceptions=True)


async def test_waiting_works_share_a_commit(one_lane):
    results = await write_together(one_lane, *(lambda tx, n=n: insert(tx, f"i{n:03}") for n in range(100)))

    assert results == [f"i{n:03}" for n in range(100)]
    counters = one_lane.counters()
    assert counters.largest_batch == postgres_batches.MOST_WORKS
    assert counters.batches == 3
    assert counters.works_repeated == 0


async def test_a_raising_work_undoes_only_itself_and_its_hooks(one_lane, ids):
    seen = []

    def succeed(name):
        def work(tx):
            tx.after_commit(lambda: seen.append(name))
            return insert(tx, name)

        return work

    def fail(tx):
        tx.after_commit(lambda: seen.append("lost"))
        insert(tx, "lost")
        raise LookupError("mine")

    outcomes = await write_together(one_lane, succeed("i1"), fail, succeed("i2"))

    assert [outcomes[0], outcomes[2]] == ["i1", "i2"]
    assert isinstance(outcomes[1], LookupError)
    assert ids() == seen == ["i1", "i2"]
    assert one_lane.counters().batches == 1


async def test_a_batch_in_which_everyone_raises_commits_nothing_and_goes_on(one_lane, ids):
    def fail(tx):
        insert(tx, "lost")
        raise LookupError("mine")

    outcomes = await write_together(one_lane, fail, fail)

    assert [type(outcome) for outcome in outcomes] == [LookupError, LookupError]
    assert await one_lane.write(lambda tx: insert(tx, "i1")) == "i1"
    assert ids() == ["i1"]


async def test_nobody_is_answered_before_the_commit_neither_with_a_result_nor_with_an_error(one_lane, ids):
    seen = {}

    async def ask(name, work):
        try:
            await one_lane.write(work)
        finally:
            seen[name] = ids()  # at the moment of the answer

    def insert_again(tx):
        insert(tx, "i1")

    outcomes = await asyncio.gather(
        ask("result", lambda tx: insert(tx, "i1")), ask("error", insert_again), return_exceptions=True
    )

    assert isinstance(outcomes[1], ConstraintViolated)
    assert seen == {"result": ["i1"], "error": ["i1"]}, "somebody heard of a row that was not durable yet"


async def test_a_locked_row_holds_up_only_the_work_that_wants_it(open_any, one_lane, postgres_url):
    other = await open_any(postgres_url)
    await other.write(lambda tx: insert(tx, "i1"))
    loop, holds, release = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def hold(tx):
        tx.execute(RAISE, id="i1")
        loop.call_soon_threadsafe(holds.set)
        assert release.wait(30)

    holding = asyncio.ensure_future(other.write(hold))
    await holds.wait()
    wanting = asyncio.ensure_future(one_lane.write(lambda tx: tx.execute(RAISE, id="i1")))
    neighbours = await write_together(
        one_lane, lambda tx: insert(tx, "i2"), lambda tx: insert(tx, "i3"), lambda tx: insert(tx, "i4")
    )
    later = await one_lane.write(lambda tx: insert(tx, "i5"))

    assert [*neighbours, later] == ["i2", "i3", "i4", "i5"]
    assert not wanting.done(), "the lock is still held"
    release.set()
    assert await wanting == 1
    await holding
    assert (await other.read(lambda tx: tx.one(schema.FIND, Item, id="i1"))).size == 2


async def test_a_swallowed_refusal_of_a_lock_is_tried_with_patience(open_any, one_lane, postgres_url):
    other = await open_any(postgres_url)
    await other.write(lambda tx: insert(tx, "i1"))
    loop, holds, release = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    runs = []

    def hold(tx):
        tx.execute(RAISE, id="i1")
        loop.call_soon_threadsafe(holds.set)
        assert release.wait(30)

    def swallow(tx):
        runs.append(1)
        if len(runs) == 2:
            release.set()
        with contextlib.suppress(StorageBusy), tx.savepoint():
            return tx.execute(RAISE, id="i1")
        return "swallowed"

    holding = asyncio.ensure_future(other.write(hold))
    await holds.wait()

    assert await one_lane.write(swallow) == 1
    await holding


async def test_a_constraint_checked_at_commit_harms_only_the_one_that_broke_it(one_lane, ids):
    seen = []

    def orphan(tx):
        tx.after_commit(lambda: seen.append("orphan"))
        tx.execute(schema.INSERT_PART, item_id="nobody", number=1)

    def succeed(name):
        def work(tx):
            tx.after_commit(lambda: seen.append(name))
            return insert(tx, name)

        return work

    outcomes = await write_together(one_lane, succeed("i1"), orphan, succeed("i2"))

    assert [outcomes[0], outcomes[2]] == ["i1", "i2"]
    assert isinstance(outcomes[1], ConstraintViolated)
    assert sorted(seen) == ids() == ["i1", "i2"], "each hook once, although each work was run twice"
    assert one_lane.counters().works_repeated == 3


async def test_a_statement_that_was_sent_along_harms_only_its_own_work(one_lane, ids):
    await one_lane.write(lambda tx: insert(tx, "i1"))

    def send_twice(tx):
        tx.send(schema.INSERT, id="i1", owner="a", size=0, body=None)
        return "did not look"

    outcomes = await write_together(
        one_lane, lambda tx: insert(tx, "i2"), send_twice, lambda tx: insert(tx, "i3")
    )

    assert [outcomes[0], outcomes[2]] == ["i2", "i3"]
    assert isinstance(outcomes[1], ConstraintViolated)
    assert ids() == ["i1", "i2", "i3"]


async def test_a_connection_lost_while_committing_leaves_everyone_of_the_batch_without_an_outcome(
    open_any, postgres_url, ids
):
    seen = []

    def work(name):
        def run(tx):
            tx.after_commit(lambda: seen.append(name))
            insert(tx, name)

        return run

    def fail(tx):
        raise LookupError("perhaps because of what a neighbour wrote")

    async with Proxy(postgres_url) as proxy:
        database = await open_any(proxy.url, postgres_writers=1)
        await database.write(lambda tx: insert(tx, "i0"))
        proxy.cut = "after"
        outcomes = await write_together(database, work("i1"), fail, work("i2"))
        proxy.cut = None

        assert [type(outcome) for outcome in outcomes] == [OutcomeUnknown] * 3
        assert seen == []
        assert database.counters().outcomes_unknown == 3
        assert ids() == ["i0", "i1", "i2"]
        assert await database.write(lambda tx: insert(tx, "i3")) == "i3"
        await database.close()


async def test_a_connection_lost_inside_a_batch_is_not_noticed_by_the_callers(one_lane, ids, postgres_server):
    cut = []

    def cutting(tx):
        insert(tx, "i2")
        if not cut:
            cut.append(1)
            postgres_server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'INSERT INTO items%'"
            )
        return insert(tx, "i3")

    outcomes = await write_together(
        one_lane, lambda tx: insert(tx, "i1"), cutting, lambda tx: insert(tx, "i4")
    )

    assert outcomes == ["i1", "i3", "i4"]
    assert ids() == ["i1", "i2", "i3", "i4"]


async def test_an_old_batch_takes_no_further_work(one_lane, monkeypatch):
    monkeypatch.setattr(postgres_batches, "BATCH_S", 0)

    results = await write_together(one_lane, *(lambda tx, n=n: insert(tx, f"i{n}") for n in range(5)))

    assert results == [f"i{n}" for n in range(5)]
    assert one_lane.counters().batches == 5


async def test_batches_of_several_servers_that_want_the_same_rows_add_up(
    open_any, postgres_url, slow_machine
):
    databases = [await open_any(postgres_url, postgres_lone_writers=1) for _ in range(2)]
    names = [f"i{n}" for n in range(3)]
    await databases[0].write(lambda tx: [insert(tx, name) for name in names])

    def work(number):
        def run(tx):  # in an order that makes deadlocks
            for name in (names, names[::-1])[number % 2]:
                tx.execute(RAISE, id=name)

        return run

    await asyncio.gather(*(databases[number % 2].write(work(number)) for number in range(30)))

    for name in names:
        assert (await databases[0].read(lambda tx, name=name: tx.one(schema.FIND, Item, id=name))).size == 30


async def test_statements_that_are_not_used_any_more_are_forgotten(one_lane, monkeypatch):
    monkeypatch.setattr("omium.server.db.postgres_wire.MOST_STATEMENTS", 5)
    statements = [Sql(f"SELECT count(*) + {number} FROM items") for number in range(20)]
    known = Sql("SELECT count(*) FROM pg_prepared_statements")

    for sql in statements * 2:
        for _ in range(4):
            await one_lane.write(lambda tx, sql=sql: tx.value(sql))

    assert await one_lane.write(lambda tx: tx.value(known)) < 20

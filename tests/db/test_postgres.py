"""What only PostgreSQL does: conflicts, connections that go away, several servers."""

import asyncio
import contextlib
import threading
from urllib.parse import urlsplit

import pytest

from omium.errors import OutcomeUnknown, StorageBusy, StorageError
from omium.server.db.tx import Sql
from tests.db import schema
from tests.db.proxy import Proxy
from tests.db.schema import Item, insert

RAISE = Sql("UPDATE items SET size = size + 1 WHERE id = :id")


@pytest.fixture
async def proxy(postgres_url):
    async with Proxy(postgres_url) as proxy:
        yield proxy


@pytest.mark.parametrize(("cut", "there"), [("before", 0), ("after", 1)])
async def test_a_connection_lost_while_committing_has_an_unknown_outcome(
    open_any, proxy, postgres_url, cut, there
):
    database = await open_any(proxy.url)
    seen = []
    proxy.cut = cut

    def work(tx):
        tx.after_commit(lambda: seen.append("hook"))
        insert(tx, "i1")

    with pytest.raises(OutcomeUnknown):
        await database.write(work)
    proxy.cut = None

    direct = await open_any(postgres_url)
    assert await direct.read(lambda tx: tx.value(schema.COUNT)) == there
    assert seen == [], "nobody may be told of what is not known"
    assert database.counters().outcomes_unknown == 1
    assert await database.write(lambda tx: insert(tx, "i2")) == "i2", "and it goes on with a new connection"


async def test_a_connection_lost_before_commit_is_not_noticed_by_the_caller(
    open_any, proxy, postgres_url, postgres_server
):
    database = await open_any(proxy.url, connections=1)
    await database.write(lambda tx: insert(tx, "i1"))
    runs = []

    def work(tx):
        runs.append(1)
        insert(tx, "i2")
        if len(runs) == 1:
            end_others(postgres_server, postgres_url)
        return tx.value(schema.COUNT)

    assert await database.write(work) == 2
    assert len(runs) == 2
    assert await database.read(lambda tx: tx.value(schema.COUNT)) == 2


def end_others(server, url):
    name = urlsplit(url).path.strip("/")
    server.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")


async def test_a_database_that_is_away_is_busy_and_comes_back(
    open_any, proxy, postgres_url, postgres_server, monkeypatch
):
    monkeypatch.setattr("omium.server.db.postgres_lane.MOST_ATTEMPTS", 2)
    database = await open_any(proxy.url, connections=1)
    proxy.down = True
    end_others(postgres_server, postgres_url)

    started = asyncio.get_running_loop().time()
    writes = [database.write(lambda tx, n=n: insert(tx, f"j{n}")) for n in range(500)]
    outcomes = await asyncio.gather(*writes, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {StorageBusy}
    assert asyncio.get_running_loop().time() - started < 20, "they did not wait one after the other"
    with pytest.raises(StorageBusy):
        await database.read(lambda tx: tx.value(schema.COUNT))
    proxy.down = False

    assert await database.write(lambda tx: insert(tx, "i1")) == "i1"
    assert await database.read(lambda tx: tx.value(schema.COUNT)) == 1


async def test_a_database_that_cannot_be_reached_is_told_as_such(open_any, proxy):
    proxy.down = True

    with pytest.raises(StorageError, match="PostgreSQL cannot be used"):
        await open_any(proxy.url)


async def test_a_deadlock_is_run_again_with_fresh_hooks(open_any, postgres_url):
    database, other = await open_any(postgres_url), await open_any(postgres_url)
    await database.write(lambda tx: [insert(tx, "i1"), insert(tx, "i2")])
    both_hold_one = threading.Barrier(2)
    runs, seen = [], []

    def work(first, second):
        def run(tx):
            runs.append(first)
            tx.after_commit(lambda: seen.append(first))
            tx.execute(RAISE, id=first)
            if runs.count(first) == 1:
                both_hold_one.wait(30)
            tx.execute(RAISE, id=second)

        return run

    await asyncio.gather(database.write(work("i1", "i2")), other.write(work("i2", "i1")))

    assert len(runs) >= 3, "one of them was run again"
    assert sorted(seen) == ["i1", "i2"], "and told the world once"
    for name in ("i1", "i2"):
        assert (await database.read(lambda tx, name=name: tx.one(schema.FIND, Item, id=name))).size == 2
    assert database.counters().works_repeated + other.counters().works_repeated >= 1


async def test_a_swallowed_deadlock_is_run_again_too(open_any, postgres_url):
    database, other = await open_any(postgres_url), await open_any(postgres_url)
    await database.write(lambda tx: [insert(tx, "i1"), insert(tx, "i2")])
    both_hold_one = threading.Barrier(2)
    runs = []

    def work(first, second):
        def run(tx):
            runs.append(first)
            tx.execute(RAISE, id=first)
            if runs.count(first) == 1:
                both_hold_one.wait(30)
            with contextlib.suppress(Exception), tx.savepoint():
                tx.execute(RAISE, id=second)

        return run

    await asyncio.gather(database.write(work("i1", "i2")), other.write(work("i2", "i1")))

    for name in ("i1", "i2"):
        assert (await database.read(lambda tx, name=name: tx.one(schema.FIND, Item, id=name))).size == 2


async def test_a_lock_that_is_not_given_back_ends_in_a_refusal(open_any, postgres_url, monkeypatch):
    monkeypatch.setattr("omium.server.db.postgres_connection.LOCK_TIMEOUT_MS", 100)
    first, second = await open_any(postgres_url), await open_any(postgres_url)
    await first.write(lambda tx: insert(tx, "i1"))
    loop, holds, release = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def hold(tx):
        tx.execute(RAISE, id="i1")
        loop.call_soon_threadsafe(holds.set)
        assert release.wait(30)

    holding = asyncio.ensure_future(first.write(hold))
    await holds.wait()
    with pytest.raises(StorageBusy):
        await second.write(lambda tx: tx.execute(RAISE, id="i1"))
    release.set()
    await holding


async def test_works_of_many_clients_add_up(open_any, postgres_url):
    first, second = await open_any(postgres_url), await open_any(postgres_url)
    await first.write(lambda tx: insert(tx, "i1"))

    await asyncio.gather(
        *((first, second)[number % 2].write(lambda tx: tx.execute(RAISE, id="i1")) for number in range(200))
    )

    assert (await first.read(lambda tx: tx.one(schema.FIND, Item, id="i1"))).size == 200


async def test_a_server_without_synchronous_commit_is_set_right(open_any, postgres_url, postgres_server):
    name = urlsplit(postgres_url).path.strip("/")
    postgres_server.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    database = await open_any(postgres_url)

    assert await database.write(lambda tx: tx.value(Sql("SHOW synchronous_commit"))) == "on"

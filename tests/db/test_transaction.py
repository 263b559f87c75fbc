"""What a work may rely on, on both databases."""

import asyncio
import enum
import threading
from dataclasses import dataclass

import pytest

from omium.clock import SystemClock
from omium.errors import StorageBusy
from omium.ids import is_id
from omium.server.db.tx import ConstraintViolated, NoRow, Sql, TransactionLost
from tests.db import schema
from tests.db.schema import Item, insert


async def test_a_write_is_there_for_the_read_that_follows(database):
    await database.write(lambda tx: insert(tx, "i1", size=3, body=b"\x00\xff"))

    found = await database.read(lambda tx: tx.one(schema.FIND, Item, id="i1"))

    assert found == Item("i1", "a", 3, b"\x00\xff")


async def test_a_work_that_raises_leaves_nothing(database):
    def work(tx):
        insert(tx, "i1")
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await database.write(work)

    assert await database.read(lambda tx: tx.value(schema.COUNT)) == 0


async def test_returning_rows_are_drained_before_commit(database):
    await database.write(lambda tx: insert(tx, "i1"))

    for expected in (2, 4, 6):
        grown = await database.write(lambda tx: tx.one(schema.GROW, Item, id="i1", by=2))
        assert grown.size == expected


async def test_one_raises_where_there_is_no_row_and_its_sister_returns_none(database):
    with pytest.raises(NoRow):
        await database.read(lambda tx: tx.one(schema.FIND, Item, id="none"))

    assert await database.read(lambda tx: tx.one_or_none(schema.FIND, Item, id="none")) is None
    assert await database.read(lambda tx: tx.value(schema.SUM)) is None


async def test_one_refuses_to_choose_among_several(database):
    await database.write(lambda tx: [insert(tx, "i1"), insert(tx, "i2")])

    with pytest.raises(AssertionError, match="2 rows"):
        await database.read(lambda tx: tx.one(schema.LIST, Item, owner="a"))


async def test_a_row_class_must_name_the_columns_in_their_order(database):
    @dataclass(frozen=True, slots=True)
    class Wrong:
        id: str
        size: int
        owner: str
        body: bytes

    with pytest.raises(TypeError, match="the columns are"):
        await database.read(lambda tx: tx.all(schema.LIST, Wrong, owner="a"))


async def test_a_single_column_can_be_had_without_a_class(database):
    await database.write(lambda tx: [insert(tx, "i2"), insert(tx, "i1")])

    assert await database.read(lambda tx: tx.all(schema.LIST_IDS, str)) == ["i1", "i2"]
    with pytest.raises(TypeError, match="stands for one column"):
        await database.read(lambda tx: tx.all(schema.LIST, str, owner="a"))


async def test_affected_rows_are_counted_also_behind_with(database):
    grow_first = Sql("""
        WITH chosen AS MATERIALIZED (SELECT id FROM items ORDER BY id LIMIT 2 {skip_locked})
        UPDATE items SET size = size + 1 WHERE id IN (SELECT id FROM chosen)
    """)
    await database.write(lambda tx: [insert(tx, f"i{n}") for n in range(3)])

    assert await database.write(lambda tx: tx.execute(grow_first)) == 2
    assert await database.write(lambda tx: tx.execute(schema.SET_SIZE, owner="a", size=9)) == 3
    assert await database.write(lambda tx: tx.execute(schema.SET_SIZE, owner="z", size=9)) == 0


async def test_affected_rows_are_counted_also_with_returning(database):
    await database.write(lambda tx: [insert(tx, f"i{n}") for n in range(3)])

    assert await database.write(lambda tx: tx.execute(schema.GROW, id="i1", by=1)) == 1
    assert await database.write(lambda tx: tx.execute(schema.GROW, id="none", by=1)) == 0


async def test_a_statement_behind_with_takes_many_rows_too(database):
    grow = Sql("""
        WITH chosen AS MATERIALIZED (SELECT id FROM items WHERE owner = :owner)
        UPDATE items SET size = size + 1 WHERE id IN (SELECT id FROM chosen)
    """)
    await database.write(lambda tx: [insert(tx, "i1", owner="a"), insert(tx, "i2", owner="b")])
    owners = [{"owner": "a"}, {"owner": "b"}, {"owner": "none"}]

    assert await database.write(lambda tx: tx.execute_many(grow, owners)) == 2


async def test_many_rows_are_written_at_once(database):
    rows = [{"id": f"i{n}", "owner": "a", "size": n, "body": None} for n in range(50)]

    assert await database.write(lambda tx: tx.execute_many(schema.INSERT, rows)) == 50
    assert await database.write(lambda tx: tx.execute_many(schema.INSERT, [])) == 0
    assert await database.read(lambda tx: tx.one(schema.SUM, int)) == sum(range(50))


async def test_sums_and_comparisons_are_plain_numbers_on_both(database):
    compare = Sql("SELECT count(*) > 0 AS any_there, sum(size) AS total FROM items")

    @dataclass(frozen=True, slots=True)
    class Answer:
        any_there: int
        total: int

    await database.write(lambda tx: insert(tx, "i1", size=2**62))
    answer = await database.read(lambda tx: tx.one(compare, Answer))

    assert answer == Answer(1, 2**62)
    assert type(answer.any_there) is int
    assert type(answer.total) is int


async def test_text_is_ordered_by_its_bytes(database):
    await database.write(lambda tx: [insert(tx, name) for name in ("b", "a", "B", "_", "ä", "a1")])

    assert await database.read(lambda tx: tx.all(schema.LIST_IDS, str)) == ["B", "_", "a", "a1", "b", "ä"]


@pytest.mark.parametrize("value", [1.0, True, object()])
async def test_values_that_the_databases_would_store_differently_are_refused(database, value):
    with pytest.raises(TypeError, match="size is"):
        await database.write(lambda tx: insert(tx, "i1", size=value))


async def test_a_status_enum_is_stored_as_its_string(database):
    class Owner(enum.StrEnum):
        SOMEBODY = "somebody"

    class Size(enum.IntEnum):
        LARGE = 9

    await database.write(lambda tx: insert(tx, "i1", owner=Owner.SOMEBODY, size=Size.LARGE))

    assert await database.read(lambda tx: tx.one(schema.FIND, Item, id="i1")) == Item(
        "i1", "somebody", 9, None
    )


async def test_a_missing_or_misspelled_parameter_is_an_error(database):
    with pytest.raises(TypeError, match="takes id"):
        await database.read(lambda tx: tx.one_or_none(schema.FIND, Item, ident="x"))


@pytest.mark.parametrize(
    ("work", "kind"),
    [
        (lambda tx: [insert(tx, "i1"), insert(tx, "i1")], "unique"),
        (lambda tx: insert(tx, "i1", size=-1), "check"),
        (lambda tx: tx.execute(schema.INSERT, id=None, owner="a", size=0, body=None), "not-null"),
        (lambda tx: tx.execute(schema.INSERT_PART, item_id="none", number=1), "foreign-key"),
    ],
)
async def test_a_broken_constraint_says_which_kind(database, work, kind):
    with pytest.raises(ConstraintViolated) as caught:
        await database.write(work)

    assert caught.value.kind == kind
    assert await database.read(lambda tx: tx.value(schema.COUNT)) == 0


async def test_a_savepoint_undoes_only_itself(database):
    def work(tx):
        insert(tx, "kept")
        with pytest.raises(ConstraintViolated), tx.savepoint():
            insert(tx, "undone")
            insert(tx, "kept")
        with tx.savepoint():
            insert(tx, "inner")
        insert(tx, "after")

    await database.write(work)

    assert await database.read(lambda tx: tx.all(schema.LIST_IDS, str)) == ["after", "inner", "kept"]


async def test_savepoints_nest(database):
    def work(tx):
        with tx.savepoint():
            insert(tx, "outer")
            with pytest.raises(LookupError), tx.savepoint():
                insert(tx, "inner")
                raise LookupError
            insert(tx, "outer2")

    await database.write(work)

    assert await database.read(lambda tx: tx.all(schema.LIST_IDS, str)) == ["outer", "outer2"]


async def test_a_work_cannot_go_on_after_a_failed_statement_outside_a_savepoint(database):
    def work(tx):
        insert(tx, "i1")
        with pytest.raises(ConstraintViolated):
            insert(tx, "i1")
        insert(tx, "i2")

    with pytest.raises(TransactionLost):
        await database.write(work)

    assert await database.read(lambda tx: tx.value(schema.COUNT)) == 0


async def test_a_work_that_swallows_a_failed_statement_commits_nothing(database):
    def work(tx):
        insert(tx, "i1")
        with pytest.raises(ConstraintViolated):
            insert(tx, "i1")

    with pytest.raises(TransactionLost):
        await database.write(work)

    assert await database.read(lambda tx: tx.value(schema.COUNT)) == 0


async def test_hooks_run_after_commit_and_before_the_caller_goes_on(database):
    seen = []

    def work(tx):
        insert(tx, "i1")
        tx.after_commit(lambda: seen.append("hook"))

    await database.write(work)

    assert seen == ["hook"]


async def test_hooks_go_with_the_work_or_savepoint_that_is_undone(database):
    seen = []

    def undone(tx):
        tx.after_commit(lambda: seen.append("work"))
        raise LookupError

    def partly(tx):
        tx.after_commit(lambda: seen.append("kept"))
        with pytest.raises(LookupError), tx.savepoint():
            tx.after_commit(lambda: seen.append("savepoint"))
            raise LookupError

    with pytest.raises(LookupError):
        await database.write(undone)
    await database.write(partly)

    assert seen == ["kept"]


async def test_a_hook_that_raises_harms_nobody(database, caplog):
    seen = []

    def work(tx):
        tx.after_commit(lambda: 1 / 0)
        tx.after_commit(lambda: seen.append("second"))
        return insert(tx, "i1")

    assert await database.write(work) == "i1"
    assert seen == ["second"]
    assert "after-commit hook failed" in caplog.text


async def test_a_read_cannot_write(database):
    with pytest.raises(Exception, match=r"readonly|read-only"):
        await database.read(lambda tx: insert(tx, "i1"))
    with pytest.raises(RuntimeError, match="read commits nothing"):
        await database.read(lambda tx: tx.after_commit(print))


async def test_a_read_sees_one_snapshot(database):
    def work(tx):
        before = tx.value(schema.COUNT)
        database_loop.call_soon_threadsafe(written.set)
        assert committed.wait(30)
        return before, tx.value(schema.COUNT)

    database_loop, written, committed = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    reading = asyncio.ensure_future(database.read(work))
    await written.wait()
    await database.write(lambda tx: insert(tx, "i1"))
    committed.set()

    assert await reading == (0, 0)
    assert await database.read(lambda tx: tx.value(schema.COUNT)) == 1


async def test_a_long_read_is_ended_and_the_connection_serves_on(open_any, database_url):
    database = await open_any(database_url, read_deadline_s=0.05, connections=1)

    with pytest.raises(StorageBusy):
        await database.read(lambda tx: tx.value(schema.ENDLESS))

    assert await database.read(lambda tx: tx.value(schema.COUNT)) == 0
    assert database.counters().reads_timed_out == 1


async def test_a_tx_cannot_be_kept(database):
    kept = []
    await database.write(kept.append)

    with pytest.raises(TransactionLost):
        kept[0].value(schema.COUNT)


async def test_ids_and_times_come_from_the_clock_and_stand_still_in_a_work(database, clock):
    def work(tx):
        first = tx.now_us
        clock.advance(5)
        return first, tx.now_us, tx.lease_now_us, tx.new_id("ex")

    now_us, boot_us = clock.now_us(), clock.boot_us()
    first, later, lease_us, new_id = await database.write(work)

    assert (first, later, lease_us) == (now_us, now_us, boot_us)
    assert is_id(new_id, "ex")
    assert await database.write(lambda tx: tx.now_us) == now_us + 5_000_000


async def test_a_stepped_wall_clock_does_not_move_the_lease_clock(sqlite, clock):
    before = await sqlite.write(lambda tx: tx.lease_now_us)
    clock.step_wall(86_400)

    assert await sqlite.write(lambda tx: tx.lease_now_us) == before


async def test_postgres_tells_the_time_for_every_server(open_any, postgres_url):
    database = await open_any(postgres_url, clock=SystemClock())
    clock_us = Sql("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)")

    before = await database.read(lambda tx: tx.one(clock_us, int))
    now_us, lease_us = await database.write(lambda tx: (tx.now_us, tx.lease_now_us))
    after = await database.read(lambda tx: tx.one(clock_us, int))

    assert before <= now_us <= after
    assert lease_us == now_us


async def test_an_unknown_parameter_type_is_found_by_both(database):
    page = Sql("SELECT id FROM items WHERE (:after IS NULL OR id > :after) ORDER BY id LIMIT :most")
    await database.write(lambda tx: [insert(tx, f"i{n}") for n in range(3)])

    assert await database.read(lambda tx: tx.all(page, str, after=None, most=2)) == ["i0", "i1"]
    assert await database.read(lambda tx: tx.all(page, str, after="i1", most=2)) == ["i2"]


async def test_none_fits_every_column_also_through_a_select(database):
    copy = Sql("""
        INSERT INTO items (id, owner, size, body)
        SELECT :id, owner, size + :more, :body FROM items
         WHERE id = :source AND (size > :size OR :size IS NULL)
    """)
    await database.write(lambda tx: insert(tx, "i1", size=4))

    def work(tx):
        return [
            tx.execute(copy, id="i2", more=1, body=None, source="i1", size=None),
            tx.execute(copy, id="i3", more=1, body=b"x", source="i1", size=3),
            tx.execute(copy, id="i4", more=1, body=None, source="i1", size=4),
        ]

    assert await database.write(work) == [1, 1, 0]


async def test_closing_twice_is_fine_and_later_calls_are_told(database):
    await database.close()
    await database.close()

    with pytest.raises(Exception, match="closed"):
        await database.write(lambda tx: None)
    with pytest.raises(Exception, match="closed"):
        await database.read(lambda tx: None)


async def test_what_is_sent_along_is_there_for_the_next_statement_and_after_the_commit(database):
    def work(tx):
        tx.send(schema.INSERT, id="i1", owner="a", size=1, body=None)
        seen = tx.value(schema.COUNT)
        tx.send(schema.INSERT, id="i2", owner="a", size=1, body=None)
        return seen

    assert await database.write(work) == 1
    assert await database.read(lambda tx: tx.value(schema.COUNT)) == 2


async def test_what_is_sent_along_inside_a_savepoint_fails_inside(database):
    def work(tx):
        insert(tx, "i1")
        with pytest.raises(ConstraintViolated), tx.savepoint():
            tx.send(schema.INSERT, id="i2", owner="a", size=1, body=None)
            tx.send(schema.INSERT, id="i1", owner="a", size=1, body=None)
        tx.send(schema.INSERT, id="i3", owner="a", size=1, body=None)

    await database.write(work)
    assert await database.read(lambda tx: tx.all(schema.LIST_IDS, str)) == ["i1", "i3"]


async def test_what_was_sent_along_goes_with_the_savepoint_that_is_undone(database):
    def work(tx):
        with pytest.raises(LookupError), tx.savepoint():
            tx.send(schema.INSERT, id="i1", owner="a", size=1, body=None)
            raise LookupError
        with pytest.raises(LookupError), tx.savepoint():
            tx.send(schema.INSERT, id="i2", owner="a", size=1, body=None)
            assert tx.value(schema.COUNT) == 1
            tx.send(schema.INSERT, id="i3", owner="a", size=1, body=None)
            raise LookupError
        insert(tx, "i4")

    await database.write(work)
    assert await database.read(lambda tx: tx.all(schema.LIST_IDS, str)) == ["i4"]


async def test_a_work_that_only_sends_fails_by_what_it_sent(database):
    await database.write(lambda tx: insert(tx, "i1"))

    with pytest.raises(ConstraintViolated):
        await database.write(lambda tx: tx.send(schema.INSERT, id="i1", owner="a", size=1, body=None))
    assert await database.write(lambda tx: insert(tx, "i2")) == "i2"


async def test_thousands_of_rows_are_written_and_counted(database):
    rows = [{"id": f"i{n:05}", "owner": "a", "size": n, "body": b"x" * 200} for n in range(2_500)]

    assert await database.write(lambda tx: tx.execute_many(schema.INSERT, rows)) == 2_500
    assert await database.read(lambda tx: tx.value(schema.COUNT)) == 2_500


async def test_a_whole_number_beyond_the_databases_is_refused(database):
    with pytest.raises(OverflowError):
        await database.write(lambda tx: insert(tx, "i1", size=2**63))
    assert await database.write(lambda tx: insert(tx, "i2")) == "i2"

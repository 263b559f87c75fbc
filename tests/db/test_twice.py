import pytest

from omium.server.db.tx import ConstraintViolated
from tests.db import schema
from tests.db.schema import Item, insert
from tests.db.twice import TwiceDatabase


async def test_a_pure_work_gives_the_same_when_it_is_run_twice(database):
    twice = TwiceDatabase(database)
    seen = []

    def work(tx):
        insert(tx, "i1")
        tx.after_commit(lambda: seen.append("hook"))
        return tx.one(schema.GROW, Item, id="i1", by=5).size

    assert await twice.write(work) == 5
    assert seen == ["hook"]
    assert await twice.read(lambda tx: tx.value(schema.SUM)) == 5


async def test_a_work_with_a_memory_is_found(database):
    twice = TwiceDatabase(database)
    names = iter(["i1", "i2"])

    assert await twice.write(lambda tx: insert(tx, next(names))) == "i2"


async def test_errors_are_raised_as_ever(database):
    twice = TwiceDatabase(database)
    await twice.write(lambda tx: insert(tx, "i1"))

    with pytest.raises(ConstraintViolated):
        await twice.write(lambda tx: insert(tx, "i1"))
    with pytest.raises(LookupError):
        await twice.write(lambda tx: {}["none"])
    assert await twice.read(lambda tx: tx.value(schema.COUNT)) == 1

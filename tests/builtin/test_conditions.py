"""A version whose conditions were ended twice is evaluated no more, on any server, after any restart."""

import pytest

from omium.clock import SystemClock
from omium.server.builtin.conditions import Conditions
from omium.server.builtin.expressions import ExpressionFailed, ExpressionKilled, ExpressionPool
from omium.server.db.open import open_database
from tests.builtin.test_expressions import BUSY

VALUES = {"output": {"l": list(range(900))}}


@pytest.fixture
async def pool():
    pool = ExpressionPool()
    yield pool
    await pool.close()


async def test_two_ends_close_a_version_for_good_and_no_other_one(database_url, pool):
    db = await open_database(database_url, clock=SystemClock())
    try:
        conditions = Conditions(db, pool)
        assert await conditions.evaluate("tn_1", "digest-1", "output.l[0] == 0", VALUES) is True
        for _ in range(2):
            with pytest.raises(ExpressionKilled):
                await conditions.evaluate("tn_1", "digest-1", BUSY, VALUES)
    finally:
        await db.close()
    started = pool.started

    db = await open_database(database_url, clock=SystemClock())
    try:
        conditions = Conditions(db, pool)
        with pytest.raises(ExpressionFailed, match="ended 2 times") as refused:
            await conditions.evaluate("tn_1", "digest-1", "true", {})
        assert not isinstance(refused.value, ExpressionKilled)
        assert await conditions.evaluate("tn_1", "digest-2", "true", {}) is True
        assert await conditions.evaluate("tn_2", "digest-1", "true", {}) is True
    finally:
        await db.close()
    assert pool.started <= started + 2


async def test_an_expression_without_a_value_counts_for_nothing(database_url, pool):
    db = await open_database(database_url, clock=SystemClock())
    try:
        conditions = Conditions(db, pool)
        for _ in range(3):
            with pytest.raises(ExpressionFailed, match="there is no x"):
                await conditions.evaluate("tn_1", "digest-1", "output.x", {"output": {}})
    finally:
        await db.close()

"""Conditions are evaluated in a process of their own, and one that is over its limits is ended there."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from omium.errors import ShuttingDown
from omium.server.builtin.expressions import ExpressionFailed, ExpressionKilled, ExpressionPool
from omium.spec.expressions import check_expression

BUSY = (
    "output.l.all(x, output.l.map(y, output.l.map(z, [x, y, z])).size() > 0)"  # would be refused when saved
)
HUGE = (
    "output.l.map(x, output.s + output.s + output.s + output.s + output.s + output.s + output.s + output.s)"
)


@pytest.fixture
async def pool():
    pool = ExpressionPool()
    yield pool
    await pool.close()


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("output.n > 0.5", True),
        ("output.n == 1.0", True),
        ("has(output.missing)", False),
        ("output.l.filter(x, x > 1).map(x, x * 2)", [4, 6]),
        ("output.o", {"a": None, "b": [1.5, "ä", True]}),
        ("output.o.a == null ? 'none' : 'some'", "none"),
        ("string(timestamp('2026-01-01T00:00:00Z'))", "2026-01-01T00:00:00+00:00"),
    ],
)
async def test_a_value_comes_back_as_json(pool, source, value):
    values = {"output": {"n": 1, "l": [1, 2, 3], "o": {"a": None, "b": [1.5, "ä", True]}}}
    assert check_expression(source, ["output"]) == []

    assert await pool.evaluate(source, values) == value


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("output.missing", "there is no missing"),
        ("output.n > 'a'", "."),
        ("1 / 0", "division by zero"),
        ("9223372036854775807 + 1", "overflow"),
        ("output.text.matches('(')", "regex"),
        ("output.text.matches('(a{1000}){1000}')", "size limit"),
        ("1.0 / 0.0", "not JSON compliant"),
        ("timestamp('2026-01-01T00:00:00Z')", "datetime"),
        ("output.l + output.l", "1,200 items"),
        ("output.l.map(x, output.text + output.text)", "larger than 256 KiB"),
        ("nothing", "nothing"),
    ],
)
async def test_an_expression_without_a_value_says_why_and_the_process_goes_on(pool, source, reason):
    values = {"output": {"n": 1, "text": "a" * 500, "l": [0] * 600}}
    with pytest.raises(ExpressionFailed, match=reason) as failed:
        await pool.evaluate(source, values)

    assert not isinstance(failed.value, ExpressionKilled)
    assert await pool.evaluate("1 + 1", {}) == 2
    assert pool.started == 2  # the first and its spare


async def test_an_expression_over_its_cpu_is_ended_and_the_next_one_is_not_disturbed(pool):
    await pool.evaluate("1", {})
    values = {"output": {"l": list(range(900))}}

    results = await asyncio.gather(
        pool.evaluate(BUSY, values), pool.evaluate("2 + 2", {}), return_exceptions=True
    )

    assert isinstance(results[0], ExpressionKilled)
    assert "100 ms" in str(results[0])
    assert results[1] == 4
    assert pool.started == 3


async def test_an_expression_over_its_memory_is_ended_or_fails(pool):
    values = {"output": {"l": [0] * 1_000, "s": "x" * 900_000}}

    with pytest.raises(ExpressionFailed):
        await pool.evaluate(HUGE, values)

    assert await pool.evaluate("1", {}) == 1


async def test_lists_and_values_have_a_largest_size(pool):
    with pytest.raises(ExpressionFailed, match="1,001 items"):
        await pool.evaluate("true", {"output": {"deep": [[0] * 1_001]}})
    with pytest.raises(ExpressionFailed, match="1,048,576 are allowed"):
        await pool.evaluate("true", {"output": "x" * 1_048_576})

    assert pool.started == 0


async def test_a_process_that_somebody_else_ends_costs_nobody_an_answer(pool):
    assert await pool.evaluate("1", {}) == 1
    process = pool._process
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()

    assert await pool.evaluate("2", {}) == 2


async def test_an_answer_that_takes_too_long_is_not_given_to_the_next_one(pool):
    assert await pool.evaluate("1", {}) == 1
    os.kill(pool._process.pid, signal.SIGSTOP)
    pool._wall_s = 0.05

    with pytest.raises(TimeoutError):
        await pool.evaluate("'late'", {})

    pool._wall_s = 20.0
    assert await pool.evaluate("'next'", {}) == "next"


async def test_a_cancelled_evaluation_leaves_the_pool_in_order(pool):
    assert await pool.evaluate("1", {}) == 1
    os.kill(pool._process.pid, signal.SIGSTOP)
    asking = asyncio.create_task(pool.evaluate("'late'", {}))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking

    assert await pool.evaluate("'next'", {}) == "next"


async def test_nothing_runs_before_the_first_and_after_the_last():
    pool = ExpressionPool()
    assert pool.started == 0
    await pool.evaluate("1", {})
    await pool.close()

    with pytest.raises(ShuttingDown):
        await pool.evaluate("1", {})


async def test_the_process_has_nothing_of_the_server(pool, monkeypatch):
    monkeypatch.setenv("OMIUM_STRIPE_SECRET_KEY", "sk_test")
    await pool.evaluate("1", {})

    process = Path(f"/proc/{pool._process.pid}")
    assert (process / "environ").read_bytes() == b""
    assert len(list((process / "fd").iterdir())) == 3

"""Captured logs: bounded per step, and never cut silently."""

from dataclasses import replace

import pytest

from omium.clock import ManualClock
from omium.errors import NotFound
from omium.models.execution import LogLine
from omium.server.db.open import open_database
from omium.server.engine.logs import BEGINNING, END_CHUNK, LOG_BYTES_MAX, list_lines, pack_lines, write_logs
from tests.engine.rows import make_rows


@pytest.fixture
async def rows(database_url):
    clock = ManualClock()
    db = await open_database(database_url, clock=clock)
    yield await make_rows(db, clock)
    await db.close()


def lines(*texts):
    return pack_lines([LogLine(at_us=1, stream="stdout", level=None, text=text) for text in texts])


async def write(rows, execution, chunk, *texts, path="write", attempt=1):
    await rows.write(lambda tx: write_logs(tx, execution, path, attempt, chunk, lines(*texts)))


async def read(rows, execution, path="write", after=BEGINNING):
    return await rows.db.read(lambda tx: list_lines(tx, rows.tenant_id, execution.id, path, after))


async def test_lines_come_back_in_the_order_of_attempts_and_chunks(rows):
    execution = await rows.start()
    await write(rows, execution, 0, "c", attempt=2)
    await write(rows, execution, END_CHUNK, "b")
    await write(rows, execution, 0, "a", "ä")

    found, following = await read(rows, execution)
    assert [(line.attempt, line.text) for line in found] == [(1, "a"), (1, "ä"), (1, "b"), (2, "c")]
    assert following is None


async def test_a_chunk_that_is_sent_again_changes_nothing(rows):
    execution = await rows.start()
    await write(rows, execution, 0, "a")
    await write(rows, execution, 0, "a")

    found, _ = await read(rows, execution)
    assert [line.text for line in found] == ["a"]


async def test_a_step_that_runs_again_after_a_rollback_keeps_its_lines_too(rows):
    execution = await rows.start()
    again = replace(execution, generation=2)
    await write(rows, execution, END_CHUNK, "first time")
    for _ in range(2):  # the second time is a repeat
        await write(rows, again, END_CHUNK, "second time")
    await write(rows, again, 0, "x" * LOG_BYTES_MAX)

    found, _ = await read(rows, execution)
    assert [(line.attempt, line.text) for line in found[:2]] == [(1, "first time"), (1, "second time")]
    assert [line.dropped for line in found] == [0, 0, 1]


async def test_what_does_not_fit_is_counted_on_a_last_line(rows):
    execution = await rows.start()
    long = "x" * (LOG_BYTES_MAX // 4)
    await write(rows, execution, 0, *[long] * 5)
    for _ in range(2):  # the second time is a repeat
        await write(rows, execution, 1, long, long)

    found, _ = await read(rows, execution)
    assert [line.text for line in found[:-1]] == [long] * 3
    assert (found[-1].stream, found[-1].dropped) == ("omium", 4)
    assert "4 more lines were not kept" in found[-1].text


async def test_the_bound_is_per_step_and_short_lines_still_fit_after_a_long_one_did_not(rows):
    execution = await rows.start()
    await write(rows, execution, 0, "x" * LOG_BYTES_MAX)
    await write(rows, execution, 1, "short")
    await write(rows, execution, 0, "other step", path="read")

    found, _ = await read(rows, execution)
    assert [line.dropped for line in found] == [0, 1]
    other, _ = await read(rows, execution, "read")
    assert [line.text for line in other] == ["other step"]


async def test_without_a_path_the_lines_of_all_steps_are_read(rows):
    execution = await rows.start()
    for path in ("b", "a"):
        await write(rows, execution, 0, f"of {path}", path=path)

    found, _ = await read(rows, execution, path=None)
    assert [(line.key, line.text) for line in found] == [("a", "of a"), ("b", "of b")]


async def test_many_chunks_are_read_in_pages(rows):
    execution = await rows.start()
    for chunk in range(120):
        await write(rows, execution, chunk, str(chunk))

    texts, after = [], BEGINNING
    for _ in range(3):
        found, after = await read(rows, execution, after=after)
        texts += [line.text for line in found]
    assert texts == [str(chunk) for chunk in range(120)]
    assert after is None


async def test_a_foreign_executions_logs_are_not_found(rows):
    execution = await rows.start()
    with pytest.raises(NotFound):
        await rows.db.read(lambda tx: list_lines(tx, "tn_other", execution.id, "write"))

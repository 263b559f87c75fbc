"""Two servers on one PostgreSQL make executions of traces at the same time."""

import asyncio
import dataclasses
import threading

import psycopg
import pytest

from omium.server.db.forwarding import ForwardingDatabase
from omium.server.db.open import open_database
from omium.server.store import traces as store
from omium.server.traces.shower import Shower
from tests.traces.spans import TRACE, S, execution_id, kind, llm, send

OTHER = "1" * 32
ANSWER = {"gen_ai.response.id": "chatcmpl-1"}
AGENT = [
    S(1, 0, "agent", attributes=kind("AGENT")),
    llm(2, 1, start_ms=5, end_ms=50, scope="langchain", attributes=ANSWER),
]
CLIENT = [llm(1, 0, start_ms=6, end_ms=49, scope="openai", attributes=ANSWER, trace=OTHER)]
WAITING = """
    SELECT COUNT(*) FROM pg_stat_activity
     WHERE datname = current_database() AND wait_event_type = 'Lock' AND state = 'active'
"""


class HoldingDatabase(ForwardingDatabase):
    """Its works have done everything, and are not committed, until `release` is set."""

    def __init__(self, db):
        super().__init__(db)
        self.has_worked, self.release = threading.Event(), threading.Event()

    async def write(self, work):
        def hold(tx):
            found = work(tx)
            self.has_worked.set()
            assert self.release.wait(60)
            return found

        return await self._db.write(hold)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("first", [TRACE, OTHER], ids=["the agent's", "the client's"])
async def test_a_call_of_which_two_servers_tell_at_once_counts_once(make_app_client, postgres_url, first):
    async with make_app_client(database_url=postgres_url) as app:
        at_us = app.clock.now_us() - 1_000_000
        for spans in (AGENT, CLIENT):
            await send(app, spans, at_us=at_us)
        app.clock.advance(seconds=11)
        one = await open_database(postgres_url, clock=app.clock)
        two = await open_database(postgres_url, clock=app.clock)
        try:
            due = {row.trace_id: row for row in await one.read(lambda tx: store.list_due(tx, tx.now_us, 9))}
            assert set(due) == {TRACE, OTHER}
            slow = HoldingDatabase(one)
            begun = asyncio.create_task(_show(app, slow, due.pop(first)))
            assert await asyncio.to_thread(slow.has_worked.wait, 60)
            other = asyncio.create_task(_show(app, two, *due.values()))
            await _until_it_waits_or_ends(postgres_url, other)
            slow.release.set()
            await asyncio.gather(begun, other)
        finally:
            slow.release.set()
            await one.close()
            await two.close()
        app.clock.advance(seconds=11)
        await Shower(app.server.engine).run_once()

        shown = (await app.get(f"/v1/executions/{execution_id(app)}")).json()
        assert shown["usage"]["calls"] == 1
        assert (await app.get(f"/v1/executions/{execution_id(app, OTHER)}")).status_code == 404


async def _show(app, db, *traces):
    shower = Shower(dataclasses.replace(app.server.engine, db=db))
    for trace in traces:
        await shower.show_trace(trace)


async def _until_it_waits_or_ends(postgres_url, task):
    async with await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as watching:
        while not task.done():
            found = await (await watching.execute(WAITING)).fetchone()
            if found[0]:
                return
            await asyncio.sleep(0.05)

"""How much an execution keeps is what its results, checkpoints and values take, page by page."""

import pytest

from omium.server.db.tx import Sql
from omium.server.ledger.storage import measure

TAKEN = Sql("""
    SELECT CAST((SELECT COALESCE(SUM(LENGTH(output)), 0) FROM steps)
              + (SELECT COALESCE(SUM(LENGTH(state)), 0) FROM checkpoints)
              + (SELECT COALESCE(SUM(LENGTH(body)), 0) FROM payloads WHERE refs > 0) AS {int64})
""")
SAVE = Sql("""
    INSERT INTO checkpoints (id, execution_id, generation, path, name, seq, state, state_digest, created_us)
    VALUES (:id, :id, 0, '', 'last', 1, :state, '', 1)
""")
GRAPH = Sql("""
    INSERT INTO graph_channels (tenant_id, thread_id, namespace, channel, version, value)
    VALUES (:tenant_id, :thread_id, '', :channel, '1', :value)
""")


@pytest.mark.parametrize("rows_per_read", [1, 2, 500])
async def test_everything_is_counted_once_in_pages_of_any_size(engine, rows_per_read):
    tenant_id = engine.who.tenant_id
    for number in range(3):
        run = await engine.start()
        await run.send(engine.completed("small", output="x" * number))
        await run.send(engine.completed("large", output=f"{number}" * 100_000))
        await engine.write(lambda tx, id_=run.id: tx.execute(SAVE, id=id_, state=b"123456789"))
    taken = await engine.read(lambda tx: tx.one(TAKEN, int))

    def keep(tx):
        for thread in ("a", "b", "c"):
            for channel in ("one", "two"):
                tx.execute(GRAPH, tenant_id=tenant_id, thread_id=thread, channel=channel, value=b"1234")

    await engine.write(keep)
    assert taken > 27
    assert await measure(engine.db, rows_per_read) == {tenant_id: taken + 24}

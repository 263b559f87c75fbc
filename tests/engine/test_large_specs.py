"""Large specs: a thousand nodes, ten thousand items. What a node costs does not grow with what is around it.

Counted are statements and rows, never time. Nodes are done by a worker in turns, or, where there are many, by
the engine itself (a `wait` of no seconds), up to 64 in one transaction.
"""

from __future__ import annotations

import itertools

import pytest

from omium.clock import ManualClock
from omium.ids import new_id
from omium.models.execution import StartExecution
from omium.server.db.open import open_database
from omium.server.db.tx import Sql
from omium.server.engine.nodes.sweeps import sweep_nodes
from omium.server.engine.nodes.tasks import TaskLease, TaskScope, claim_tasks, complete_task, pack_output
from omium.server.engine.nodes.work import AT_ONCE
from omium.server.engine.parts import EngineParts
from omium.server.engine.start import start
from omium.server.engine.values import Vault
from omium.server.engine.workflow_versions import pack_spec, save_version
from omium.server.seal import KeyFile
from omium.server.store.executions import find_execution
from omium.server.store.tenants import insert_tenant
from omium.spec.check import load_spec
from tests.engine.harness import digest_of, principal
from tests.engine.watched import WatchedDatabase

NODES, ITEMS = 1_000, 10_000
SOME = 60
FLAT = 1.05
STATEMENTS_OF_A_NODE = 40
"""Of claiming and completing one, in two transactions, at most."""
LIVE = Sql("SELECT COUNT(*) FROM activations")
INSTANCES = Sql("SELECT COUNT(*) FROM engine_instances")
RECORDS = Sql("SELECT COUNT(*) FROM steps")


class Large:
    """An execution of a large spec, with what each transaction of it ran."""

    def __init__(self, db, folder):
        self.db = WatchedDatabase(db)
        self.parts = EngineParts(self.db, Vault(KeyFile.open(folder / "keys")))
        self.costs: list[int] = []
        """Statements of each transaction."""
        self._tokens = itertools.count(1)

    async def start(self, spec):
        """Save the spec and start it."""
        tenant = await self.db.write(lambda tx: insert_tenant(tx, "test"))
        self.who = principal(tenant.id)
        packed = pack_spec(load_spec({"omium": "0", "name": "large", **spec}))
        await self.db.write(lambda tx: save_version(tx, self.who, packed))
        command = StartExecution(
            workflow="large",
            driver="worker",
            input={},
            input_digest=digest_of({}),
            id=new_id("ex", 1_000_000),
        )
        self.id = (await start(self.parts, self.who, command)).id
        self.costs.append(len(self.db.statements))

    async def write(self, work):
        done = await self.db.write(work)
        self.costs.append(len(self.db.statements))
        return done

    async def do_next(self):
        """Claim one task and complete it; returns how many statements that took, 0: there was none."""
        before = len(self.costs)
        token = str(next(self._tokens)).zfill(64)
        scope = TaskScope("worker", self.who.tenant_id, "dev", "default", ("work",))
        claimed = await self.write(lambda tx: claim_tasks(tx, self.parts, scope, 1, [token]))
        for row in claimed.tasks:
            lease = TaskLease(row.tenant_id, row.execution_id, row.path, row.epoch, token)
            output = pack_output(self.parts, lease, {"of": row.path})
            await self.write(
                lambda tx, lease=lease, output=output: complete_task(tx, self.parts, lease, output)
            )
        return sum(self.costs[before:]) if claimed.tasks else 0

    async def sweep(self):
        """Go on with what was left for another transaction; returns whether there was anything."""
        return await self.write(lambda tx: sweep_nodes(tx, self.parts))

    async def count(self, sql):
        return await self.db.read(lambda tx: tx.one(sql, int))

    async def status(self):
        return (await self.db.read(lambda tx: find_execution(tx, self.who.tenant_id, self.id))).status


@pytest.fixture
async def large(tmp_path):
    db = await open_database(str(tmp_path / "omium.db"), clock=ManualClock())
    try:
        yield Large(db, tmp_path)
    finally:
        await db.close()


def function(name, **said):
    return {"id": name, "type": "function", "parameters": {"handler": "work"}, **said}


def pause(name, **said):
    return {"id": name, "type": "wait", "parameters": {"seconds": 0}, **said}


def chain(nodes):
    """Return a chain of nodes, each of which reads the one before it."""
    pairs = list(itertools.pairwise(nodes))
    for before, after in pairs:
        after["inputs"] = {"before": {"$from": f"nodes.{before['id']}.output"}}
    return {"nodes": nodes, "edges": [{"from": one["id"], "to": two["id"]} for one, two in pairs]}


async def test_a_node_costs_as_much_at_the_end_of_a_thousand_as_at_their_beginning(large):
    nodes = [pause(f"n{number}") for number in range(NODES)]
    for number in (*range(SOME), *range(NODES - SOME, NODES)):
        nodes[number] = function(f"n{number}")
    await large.start(chain(nodes))

    first = [await large.do_next() for _ in range(SOME)]
    while await large.sweep():
        pass
    last = [await large.do_next() for _ in range(SOME)]

    assert await large.status() == "completed"
    assert sum(last[5:-5]) <= sum(first[5:-5]) * FLAT
    assert max(first[5:-5] + last[5:-5]) <= STATEMENTS_OF_A_NODE
    assert await large.count(RECORDS) == NODES
    assert await large.count(LIVE) == await large.count(INSTANCES) == 0


async def test_a_node_costs_as_much_however_many_stand_beside_it(large):
    beside = [f"n{number}" for number in range(NODES - 2)]
    await large.start(
        {
            "nodes": [function("first"), *(function(name) for name in beside), function("last")],
            "edges": [{"from": "first", "to": name} for name in beside]
            + [{"from": name, "to": "last"} for name in beside],
        }
    )
    alone = await large.do_next()
    while await large.sweep():
        pass

    costs = [await large.do_next() for _ in range(SOME)]

    assert alone > NODES  # it has let all the others be ready
    assert max(costs) <= STATEMENTS_OF_A_NODE


async def test_nodes_that_the_engine_does_itself_are_done_in_transactions_of_bounded_size(large):
    await large.start(chain([pause(f"n{number}") for number in range(NODES)]))
    while await large.sweep():
        pass

    assert await large.status() == "completed"
    assert len(large.costs) >= NODES // AT_ONCE
    assert max(large.costs) <= AT_ONCE * STATEMENTS_OF_A_NODE


async def test_ten_thousand_items_are_mapped_with_few_rows_alive_and_at_a_flat_cost(large):
    body = {
        "nodes": [pause("stop", inputs={"item": {"$from": "item"}})],
        "outputs": {"is": {"$from": "index"}},
    }
    each = {
        "id": "each",
        "type": "map",
        "parameters": {"items": list(range(ITEMS)), "concurrency": 8},
        "body": body,
    }
    spec = {"nodes": [each], "edges": [], "outputs": {"all": {"$from": "nodes.each.output"}}}
    await large.start(spec)
    alive = []
    while await large.sweep():
        if len(large.costs) % 10 == 0:
            alive.append(await large.count(LIVE) + await large.count(INSTANCES))

    assert await large.status() == "completed"
    assert await large.count(RECORDS) == ITEMS + 1
    assert max(alive) <= 3 * 8 + 2
    costs = large.costs[:-1]  # the last one puts the output together
    assert sum(costs[-11:-1]) <= sum(costs[2:12]) * FLAT
    assert max(costs) <= AT_ONCE * STATEMENTS_OF_A_NODE

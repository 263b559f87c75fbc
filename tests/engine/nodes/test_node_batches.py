"""Groups of failures of specs: replayed in a batch like any other, by the server itself."""

from __future__ import annotations

from omium.models.failure import ReplayFailure
from omium.server.engine.batches import replay_failure
from omium.server.engine.failure_detail import read_failure
from omium.server.store import failures
from tests.engine.nodes.specs import chain


async def groups(nodes):
    who = nodes.engine.who
    return await nodes.engine.read(lambda tx: failures.list_failures(tx, who.tenant_id, limit=10))


async def test_a_group_is_replayed_without_a_worker_that_serves_the_workflow(nodes, key_file):
    who = nodes.engine.who
    runs = [await nodes.start(chain("a", "b")), await nodes.start("flow")]
    await nodes.do(1, 1, handlers=["a"])
    for _ in runs:
        await nodes.fail(await nodes.claim(handlers=["b"]), retryable=False)
    found = [await nodes.engine.read(lambda tx, run=run: failures.list_of_execution(tx, run)) for run in runs]
    ((one,), (other,)) = found
    assert one.failure_id == other.failure_id

    shown = await read_failure(nodes.parts, who.tenant_id, one.failure_id)
    assert shown.runner.runner == "engine"
    assert "omium resume" in shown.next_action

    answer = await replay_failure(nodes.parts, key_file, who, one.failure_id, ReplayFailure())
    assert answer.skipped == {}
    assert answer.remaining == 1
    assert answer.executions[0].replay_of in runs
    task = await nodes.claim()
    assert (task.path, task.execution_id) == ("b", answer.executions[0].id)

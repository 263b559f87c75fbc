"""Turns of an agent: another try goes on behind them, a new beginning does not."""

from omium.server.engine.nodes.tasks import grant_task, record_turn
from tests.engine.nodes.specs import spec

AGENT = {"role": "a", "llm": {"provider": "local", "model": "m"}}


def one_agent(**fields):
    retry = {"max_attempts": 2, "initial_delay_s": 0, "jitter": False}
    node = {
        "id": "ask",
        "type": "agent_task",
        "agent": "a",
        "parameters": {"description": "Do."},
        "retry": retry,
    }
    return spec([node], agents={"a": AGENT}, **fields)


async def take_turn(nodes, task, name):
    packed = nodes.parts.vault.pack(task.tenant_id, {"said": name})
    lease = nodes.lease(task)
    return await nodes.engine.write(lambda tx: record_turn(tx, nodes.parts, lease, name, packed))


async def list_granted(nodes, task):
    grant = await nodes.engine.read(lambda tx: grant_task(tx, nodes.parts, task))
    return [turn.name for turn in grant.turns]


async def test_a_try_that_failed_leaves_its_turns_to_the_next_one_but_not_to_a_resume(nodes):
    execution_id = await nodes.start(one_agent())
    first = await nodes.claim(executor="server")
    await take_turn(nodes, first, "turn-1")
    await nodes.fail(first, "RateLimitError")
    await nodes.sweep()

    second = await nodes.claim(executor="server")
    assert await list_granted(nodes, second) == ["turn-1"]
    await take_turn(nodes, second, "turn-2")
    await nodes.fail(second, "RateLimitError")

    await nodes.engine.requeue(execution_id)
    third = await nodes.claim(executor="server")
    assert await list_granted(nodes, third) == []
    await nodes.complete(third, "said")

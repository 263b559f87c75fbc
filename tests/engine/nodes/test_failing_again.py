"""A resume whose nodes fail again at once: nothing else begins, as behind any other failure."""

import pytest

from tests.engine.nodes.specs import function, spec

EDGES = [
    {"from": "a", "to": "b", "on": "failure"},
    {"from": "a", "to": "c"},
    {"from": "b", "to": "c"},
]


def lacking():
    """Return nodes of which `c` can never have its inputs, and `d` beside them."""
    last = function("c") | {"inputs": {"x": {"$from": "nodes.b.output"}}}
    return [function("a"), function("b"), last, function("d")]


def whole():
    return spec(lacking(), EDGES)


def in_a_map():
    body = {"nodes": lacking(), "edges": EDGES, "inputs": {}, "outputs": {}}
    node = {"id": "m", "type": "map", "parameters": {"items": {"$from": "inputs.items"}}, "body": body}
    return spec([node])


@pytest.mark.parametrize("document", [whole, in_a_map])
@pytest.mark.parametrize("beside", ["parked", "failed"])
async def test_what_stands_beside_a_node_that_fails_again_at_once_does_not_begin(nodes, document, beside):
    run = await nodes.start(document(), {"items": [1]})
    handlers = ["a", "d"] if beside == "failed" else ["a"]
    tasks = {each.node: each for each in await nodes.claim_all(handlers=handlers)}
    if beside == "failed":
        await nodes.fail(tasks["d"], retryable=False)
    await nodes.complete(tasks["a"], 1)
    assert await nodes.status(run) == ("failed", "error")

    await nodes.engine.requeue(run)

    await nodes.sweep()
    assert await nodes.claim_all() == []
    assert await nodes.status(run) == ("failed", "error")
    states = {path: state for path, (state, _) in (await nodes.live(run)).items()}
    assert set(states.values()) <= {"failed", "parked"}

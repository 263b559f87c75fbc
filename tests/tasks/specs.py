"""A workflow of one node that a worker or a webhook does, and what doing it has cost."""

import asyncio

from omium.server.ledger import funding
from omium.server.ledger.book import About, EntryKind

SPENT = {
    "id": "us_1",
    "path": "n",
    "provider": "openai",
    "model": "gpt-4o",
    "at_us": 1,
    "input_tokens": 1000,
}
"""A report of usage of that node."""


async def fund(client):
    """Give the client's tenant ten credits."""
    about = About(actor_id="test")
    tenant_id = client.key.tenant_id
    await client.server.db.write(lambda tx: funding.fund(tx, tenant_id, EntryKind.GRANT, 10_000_000, about))


async def start_node(client, *, retry=None, handler="enrich", **node):
    """Save the workflow, start it, and return the execution's id."""
    node = {"id": "n", "type": "function", "parameters": {"handler": handler}, **node}
    node["inputs"] = {"topic": "tea"}
    if retry is not None:
        node["retry"] = retry
    name = f"spec-{handler}"
    document = {
        "omium": "0",
        "name": name,
        "nodes": [node],
        "outputs": {"said": {"$from": "nodes.n.output"}},
    }
    saved = await client.post_keyed("/v1/workflows", {"document": document})
    assert saved.status_code < 300, saved.text
    body = {"workflow": name, "driver": "worker", "input": {}, "input_digest": "0" * 64}
    reply = await client.post_keyed("/v1/executions", body)
    assert reply.status_code < 300, reply.text
    return reply.json()["id"]


async def no_sleep(_seconds):
    await asyncio.sleep(0)

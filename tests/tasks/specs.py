"""A workflow of one node that a worker or a webhook does."""


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

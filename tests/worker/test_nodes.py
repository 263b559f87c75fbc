"""Nodes of specs, done by workers against a real server."""

import asyncio
import signal
import threading

import httpx
import pytest

import omium
from omium.sdk.handlers import find_handler
from omium.sdk.registry import find_workflow
from omium.sdk.session import current_session
from omium.sdk.worker import Worker
from tests.sdk.served import (
    TIMEOUT_S,
    make_running_server,
    running_server,
    server,
    server_of_long_leases,
    wait_until,
)

__all__ = ["make_running_server", "running_server", "server", "server_of_long_leases"]


@pytest.fixture
def serve():
    """A function that serves handlers and workflows from threads of this process until the test ends."""
    started = []

    def start(*functions, **options):
        workflows = {found.name: found for found in map(find_workflow, functions) if found}
        handlers = {found.name: found for found in map(find_handler, functions) if found}
        worker = Worker(current_session(), workflows, handlers=handlers, **options)
        thread = threading.Thread(target=worker.run)
        thread.start()
        started.append((worker, thread))
        return worker

    yield start
    for worker, _ in started:
        worker.stop()
    for _, thread in started:
        thread.join(TIMEOUT_S)


def node(name, handler=None, **more):
    return {"id": name, "type": "function", "parameters": {"handler": handler or name}, **more}


def save(server, *nodes, edges=(), name="spec", outputs=None):
    document = {
        "omium": "0",
        "name": name,
        "nodes": list(nodes),
        "edges": list(edges),
        "outputs": outputs or {},
    }
    server.post("/v1/workflows", {"document": document})


def start(server, inputs=None, name="spec"):
    return omium.run_workflow(name, inputs or {}, wait=False)


def ended(server, execution_id, status="completed"):
    def look():
        detail = server.detail(execution_id)
        if detail["status"] in {"completed", "failed", "cancelled"} or detail["status"] == status:
            return detail
        return None

    detail = wait_until(look)
    assert detail["status"] == status, detail
    return detail


def test_a_worker_does_the_nodes_that_call_its_handlers(server, serve):
    @omium.handler
    def fetch(topic):
        print(f"looking for {topic}")
        omium.record_usage(model="m", provider="p", input_tokens=7)
        return {"facts": [topic, 2]}

    @omium.handler("write")
    async def write(facts, task: omium.TaskContext):
        await asyncio.sleep(0)
        return f"{task.node} {facts} {task.attempt}"

    serve(fetch, write)
    save(
        server,
        node("fetch", inputs={"topic": {"$from": "inputs.topic"}}),
        node("write", inputs={"facts": {"$from": "nodes.fetch.output.facts"}}),
        edges=[{"from": "fetch", "to": "write"}],
        outputs={"text": {"$from": "nodes.write.output"}},
    )

    execution_id = start(server, {"topic": "tea"})

    detail = ended(server, execution_id)
    assert detail["output"] == {"text": "write ['tea', 2] 1"}
    (usage,) = server.get(f"/v1/usage?execution_id={execution_id}")["items"]
    assert (usage["path"], usage["input_tokens"]) == ("fetch", 7)
    lines = server.get(f"/v1/executions/{execution_id}/logs?path=fetch")
    assert "looking for tea" in str(lines)

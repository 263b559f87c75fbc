"""Three agents of an imported workflow: the server is killed inside of each, and no answer is paid twice."""

import json
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from omium.models.execution import StartExecution
from omium.models.workflows import SaveWorkflow
from omium.states import ENDED_STATUSES, Driver, ExecutionStatus
from omium.testing.processes import Programs, ServerProcess
from omium.testing.scratch import Scratch

WITHIN_S = 100
AGENTS = ("researcher", "writer", "editor")


class World:
    """A provider and a search on one address. Whoever is `awaited` is told of, and left without an answer."""

    def __init__(self) -> None:
        self.begun = Counter()
        self.answered = Counter()
        self.awaited = ""
        self.arrived = threading.Event()
        self.go_on = threading.Event()

    def take(self, who: str) -> bool:
        """Note a request; False where it is to stay without an answer, because who asked is killed."""
        self.begun[who] += 1
        if who == self.awaited:
            self.awaited = ""
            self.arrived.set()
            self.go_on.wait(WITHIN_S)
            return False
        self.answered[who] += 1
        return True

    def complete(self, body: dict) -> tuple[str, dict]:
        """Return who asks, and what the model says: the researcher searches first."""
        messages = body["messages"]
        agent = next(name for name in AGENTS if f"You are {name}." in messages[0]["content"])
        if agent == "researcher" and messages[-1]["role"] != "tool":
            function = {"name": "search", "arguments": '{"q": "tea"}'}
            calls = [{"id": "c1", "type": "function", "function": function}]
            return f"{agent} 1", {"role": "assistant", "content": None, "tool_calls": calls}
        said = {
            "researcher": "old, loved",
            "writer": "Tea is old.",
            "editor": '{"text": "Tea!", "good": true}',
        }
        return f"{agent} 2" if agent == "researcher" else agent, {"role": "assistant", "content": said[agent]}


def make_handler(world: World) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            who, message = world.complete(body)
            if world.take(who):
                usage = {"prompt_tokens": 10, "completion_tokens": 5}
                self.answer({"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage})

        def do_GET(self):
            if world.take("search"):
                self.answer(["tea is old"])

        def answer(self, value):
            data = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args):
            pass

    return Handler


@pytest.fixture
def world():
    world = World()
    server = ThreadingHTTPServer(("127.0.0.1", 0), make_handler(world))
    server.daemon_threads = False
    world.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield world
    world.go_on.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def server(tmp_path, world, monkeypatch):
    monkeypatch.setattr(
        Scratch, "environment", _with(Scratch.environment, OMIUM_TOOL_ALLOW=f"127.0.0.1:{world.port}")
    )
    scratch = Scratch(tmp_path)
    scratch.data.mkdir(mode=0o700)
    (scratch.data / "providers.toml").write_text(f'[local]\nbase_url = "http://127.0.0.1:{world.port}/v1"\n')
    server = ServerProcess(scratch, Programs())
    server.start()
    try:
        server.make_owner()
        yield server
    finally:
        server.kill()


def _with(environment, **further):
    return lambda self, **variables: environment(self, **variables, **further)


def document(port: int) -> dict:
    llm = {"provider": "local", "model": "tiny"}
    search = {
        "description": "Searches.",
        "input_schema": {"type": "object", "required": ["q"], "properties": {"q": {"type": "string"}}},
        "http": {"method": "GET", "url": f"http://127.0.0.1:{port}/search", "query": {"q": "{q}"}},
    }
    nodes = [
        {
            "id": "research",
            "type": "agent_task",
            "agent": "researcher",
            "parameters": {"description": "Find facts on {topic}."},
            "inputs": {"topic": {"$from": "inputs.topic"}},
        },
        {
            "id": "write",
            "type": "agent_task",
            "agent": "writer",
            "parameters": {"description": "Write from {facts}."},
            "inputs": {"facts": {"$from": "nodes.research.output"}},
        },
        {
            "id": "edit",
            "type": "agent_task",
            "agent": "editor",
            "parameters": {"description": "Edit {text}."},
            "inputs": {"text": {"$from": "nodes.write.output"}},
            "outputs": {
                "type": "object",
                "required": ["text", "good"],
                "properties": {"text": {"type": "string"}, "good": {"type": "boolean"}},
            },
        },
    ]
    return {
        "omium": "0",
        "name": "report",
        "inputs": {"type": "object", "required": ["topic"], "properties": {"topic": {"type": "string"}}},
        "outputs": {"report": {"$from": "nodes.edit.output.text"}},
        "agents": {
            "researcher": {"role": "researcher", "goal": "Find facts.", "llm": llm, "tools": ["search"]},
            "writer": {"role": "writer", "llm": llm},
            "editor": {"role": "editor", "llm": llm},
        },
        "tools": {"search": search},
        "nodes": nodes,
        "edges": [
            {"from": "research", "to": "write", "when": {"expr": "output.contains('old')"}},
            {"from": "write", "to": "edit"},
        ],
    }


def test_a_server_that_is_killed_inside_of_each_node_repeats_only_the_call_that_was_cut_off(server, world):
    with server.client() as client:
        client.save_workflow(SaveWorkflow(document=document(world.port)))
        world.awaited = "researcher 1"
        started = client.start_execution(
            StartExecution(
                workflow="report", driver=Driver.WORKER, input={"topic": "tea"}, input_digest="0" * 64
            )
        )
    execution_id = started.id
    cut_off = ["researcher 1", "search", "researcher 2", "writer", "editor"]
    for position, who in enumerate(cut_off):
        assert world.arrived.wait(WITHIN_S), f"nobody asked for {who}: {world.begun}"
        server.kill()
        world.arrived.clear()
        world.awaited = cut_off[position + 1] if position + 1 < len(cut_off) else ""
        release, world.go_on = world.go_on, threading.Event()
        release.set()
        server.start()

    ended = wait_for_end(server, execution_id)
    assert ended.status is ExecutionStatus.COMPLETED, ended
    assert ended.output == {"report": "Tea!"}
    assert world.answered == dict.fromkeys(cut_off, 1)
    assert world.begun == dict.fromkeys(cut_off, 2)
    assert (ended.usage.calls, ended.usage.input_tokens) == (4, 40)
    with server.client() as client:
        paths = {step.key for step in client.list_steps(execution_id, limit=50).items}
    assert {"research", "write", "edit", "research/turn-1", "research/turn-1-tool-1"} <= paths


def wait_for_end(server, execution_id):
    give_up = time.monotonic() + WITHIN_S
    with server.client() as client:
        while time.monotonic() < give_up:
            found = client.get_execution(execution_id)
            if found.status in ENDED_STATUSES or found.status is ExecutionStatus.FAILED:
                return found
            time.sleep(0.05)
    raise AssertionError(f"{execution_id} did not end: {found}")

"""Nodes of specs, done by workers against a real server."""

import asyncio
import contextlib
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
    use_server,
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

    def stop():
        for worker, _ in started:
            worker.stop()
        while started:
            started.pop()[1].join(TIMEOUT_S)

    start.stop = stop
    yield start
    stop()


@contextlib.contextmanager
def short_beats(make_running_server, tmp_path, monkeypatch, serve):
    """A server that is told of its workers often, and soon misses one that is gone."""
    running = make_running_server(
        OMIUM_LEASE_S="3", OMIUM_HEARTBEAT_S="0.5", OMIUM_SELF_FENCE_S="2", OMIUM_LEASE_GRACE_S="1"
    )
    running.bootstrap()
    with use_server(running, tmp_path, monkeypatch) as made:
        try:
            yield made
        finally:
            serve.stop()  # before the connections that its workers use are closed


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


def test_a_worker_serves_workflows_and_handlers_with_the_same_slots(server, serve):
    together, most = [], []

    def busy(name):
        together.append(name)
        most.append(len(together))
        threading.Event().wait(0.05)
        together.remove(name)

    @omium.workflow(name="by-code")
    def by_code(number):
        busy(number)

    @omium.handler
    def by_spec(number):
        busy(number)

    serve(by_code, by_spec, concurrency=2)
    save(server, node("by_spec", inputs={"number": {"$from": "inputs.number"}}))

    ids = [start(server, {"number": number}) for number in range(4)]
    ids += [omium.run_workflow("by-code", {"number": 10 + number}, wait=False) for number in range(4)]

    assert {ended(server, each)["status"] for each in ids} == {"completed"}
    assert max(most) <= 2


def test_a_try_that_fails_is_followed_by_another_unless_its_error_is_given_up_on(server, serve):
    class Hopeless(Exception):
        pass

    seen = []

    @omium.handler
    def flaky(task: omium.TaskContext):
        seen.append(task.attempt)
        if task.attempt < 3:
            raise ConnectionError("not yet")
        raise Hopeless("never")

    serve(flaky)
    retry = {"max_attempts": 9, "initial_delay_s": 0, "give_up_on": ["Hopeless"]}
    save(server, node("flaky", retry=retry))

    detail = ended(server, start(server), "failed")
    assert seen == [1, 2, 3]
    assert detail["error"]["type"].endswith("Hopeless")


def test_an_output_that_cannot_be_recorded_fails_the_node_and_names_it(server, serve):
    calls = []

    @omium.handler
    def opaque():
        calls.append(1)
        return object()

    serve(opaque)
    save(server, node("opaque", retry={"max_attempts": 3, "initial_delay_s": 0}))

    detail = ended(server, start(server), "failed")
    assert "opaque" in detail["error"]["message"]
    assert len(calls) == 1


def test_a_node_that_takes_too_long_has_failed(server, serve):
    release = threading.Event()

    @omium.handler
    def slow():
        release.wait(TIMEOUT_S)

    @omium.handler("slow-async")
    async def slow_async():
        await asyncio.sleep(TIMEOUT_S)

    serve(slow, slow_async)
    save(server, node("slow", timeout_s=0.2), name="sync")
    save(server, node("slow", "slow-async", timeout_s=0.2), name="async")
    try:
        for name in ("sync", "async"):
            detail = ended(server, start(server, name=name), "failed")
            assert detail["error"]["code"] == "timeout"
    finally:
        release.set()


def test_an_effect_that_certainly_did_not_happen_is_tried_again_and_another_is_a_question(server, serve):
    keys = []

    @omium.handler
    def charge(sure, task: omium.TaskContext):
        keys.append(omium.effect_key())
        if task.attempt == 1:
            raise omium.EffectNotApplied("no connection") if sure else ConnectionError("no answer")
        return "charged"

    serve(charge)
    retry = {"max_attempts": 2, "initial_delay_s": 0}
    inputs = {"sure": {"$from": "inputs.sure"}}
    save(server, node("charge", effect=True, retry=retry, inputs=inputs))

    ended(server, start(server, {"sure": True}))
    assert len(keys) == 2
    assert keys[0] == keys[1]
    detail = ended(server, start(server, {"sure": False}), "paused")
    assert detail["reason"] == "effect"
    assert len(keys) == 3


def test_a_cancel_reaches_a_call_that_runs(make_running_server, tmp_path, monkeypatch, serve):
    with short_beats(make_running_server, tmp_path, monkeypatch, serve) as server:
        running, reached = threading.Event(), []

        @omium.handler
        async def wait(task: omium.TaskContext):
            running.set()
            try:
                await asyncio.sleep(TIMEOUT_S)
            except asyncio.CancelledError:
                reached.append(task.cancel_requested)
                raise

        serve(wait)
        save(server, node("wait"))
        execution_id = start(server)
        assert running.wait(TIMEOUT_S)
        server.post(f"/v1/executions/{execution_id}/cancel")

        ended(server, execution_id, "cancelled")
        assert reached == [True]


NODES = """
import os, time
import omium

@omium.handler
def work(task: omium.TaskContext):
    print("doing", os.getpid(), flush=True)
    while task.attempt == 1 and os.path.exists("hang") or not os.path.exists("go"):
        time.sleep(0.05)
    return os.getpid()
"""


def start_worker(server, *options):
    path = server.write("nodes.py", NODES)
    return server.start("-m", "omium", "worker", str(path), *options)


def test_the_node_of_a_killed_worker_is_done_by_another_and_a_late_result_changes_nothing(
    make_running_server, tmp_path, monkeypatch, serve
):
    with short_beats(make_running_server, tmp_path, monkeypatch, serve) as server:
        first = start_worker(server)
        try:
            save(server, node("work"))
            execution_id = start(server)
            assert "doing" in first.stdout.readline()
        finally:
            first.kill()
            first.communicate()

        @omium.handler
        def work(task: omium.TaskContext):
            return [task.attempt, task.grant["epoch"] > 1]

        serve(work)
        detail = ended(server, execution_id)
        assert detail["steps"][0]["output"] == [1, True]  # an interruption, and no attempt

        late = {"execution_id": execution_id, "path": "work", "epoch": 1, "token": "t" * 32, "output": "late"}
        reply = httpx.post(
            server.running.base_url + "/v1/tasks/complete", json=late, headers=server.running.headers
        )
        assert (reply.status_code, reply.json()["code"]) == (409, "step-conflict")
        assert server.detail(execution_id)["steps"][0]["output"] == [1, True]


def test_a_killed_worker_of_the_same_host_is_not_waited_for(server_of_long_leases, serve):
    server = server_of_long_leases
    process = start_worker(server)
    try:
        save(server, node("work"))
        execution_id = start(server)
        assert "doing" in process.stdout.readline()
    finally:
        process.kill()
        process.communicate()

    @omium.handler
    def work():
        return "by another"

    serve(work)
    assert ended(server, execution_id)["steps"][0]["output"] == "by another"


def test_a_worker_that_is_told_to_stop_ends_the_node_that_it_does(server):
    process = start_worker(server)
    save(server, node("work"))
    execution_id = start(server)
    assert "doing" in process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    server.write("go", "")

    process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0
    assert server.detail(execution_id)["status"] == "completed"


def test_with_isolation_what_hangs_beyond_its_time_is_really_ended(server):
    server.write("hang", "")
    process = start_worker(server, "--isolation", "process", "--concurrency", "1")
    try:
        save(server, node("work", timeout_s=1, retry={"max_attempts": 2, "initial_delay_s": 0}))
        execution_id = start(server)
        line = process.stdout.readline()
        pid = int(line.split()[1])
        server.write("go", "")
        detail = ended(server, execution_id)
        assert detail["steps"][0]["attempt"] == 2
        assert detail["steps"][0]["output"] != pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=TIMEOUT_S)

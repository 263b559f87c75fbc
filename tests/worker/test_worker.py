"""Workers against a real server: claimed, drained, killed, compensated."""

import asyncio
import signal
import threading

import pytest

import omium
from omium.errors import ConnectionLost, NotFound, StepFailed
from omium.sdk.context import find_frame
from omium.sdk.loading import find_workflows, load_target
from omium.sdk.registry import find_workflow
from omium.sdk.session import current_session
from omium.sdk.tasks import Running
from omium.sdk.worker import Worker
from tests.sdk.edge import Edge
from tests.sdk.served import (
    TIMEOUT_S,
    make_running_server,
    running_server,
    server,
    server_of_long_leases,
    wait_until,
)

__all__ = ["make_running_server", "running_server", "server", "server_of_long_leases"]

WORKER = """
import sys
from omium.sdk.loading import find_workflows, load_target
from omium.sdk.session import current_session
from omium.sdk.worker import Worker

_, found = load_target(sys.argv[1])
worker = Worker(current_session(), find_workflows(found), concurrency=2)
print("ready", flush=True)
with worker.signals():
    worker.run()
"""


ONCE = """
import sys
from omium.sdk.session import current_session
from omium.sdk.supervisor import Service, load_service
from omium.sdk.worker import Worker

workflows = load_service(Service(sys.argv[1])).workflows
print(Worker(current_session(), workflows).run_once(sys.argv[2]))
"""


@pytest.fixture
def serve(server):
    """A function that serves workflows from a thread of this process until the test ends."""
    started = []

    def start(*functions, **options):
        workflows = {found.name: found for found in map(find_workflow, functions)}
        worker = Worker(current_session(), workflows, **options)
        thread = threading.Thread(target=worker.run)
        thread.start()
        started.append((worker, thread))
        return worker

    yield start
    for worker, _ in started:
        worker.stop()
    for _, thread in started:
        thread.join(TIMEOUT_S)


def wait_for_status(server, execution_id, status):
    def look():
        detail = server.detail(execution_id)
        return detail if detail["status"] == status else None

    return wait_until(look)


@omium.step
def double(x):
    return 2 * x


@omium.workflow
def doubled(xs):
    return [double(x) for x in xs]


@omium.workflow(name="doubled-async")
async def doubled_async(xs):
    @omium.step(name="slow")
    async def slow(x):
        await asyncio.sleep(0.01)
        return 2 * x

    return await asyncio.gather(*map(slow, xs))


def test_a_worker_runs_what_is_queued_and_the_caller_gets_its_output(server, serve):
    serve(doubled)

    assert omium.run_workflow("doubled", {"xs": [1, 2, 3]}) == [2, 4, 6]

    detail = server.newest()
    assert (detail["driver"], detail["status"]) == ("worker", "completed")
    assert detail["worker_id"] or detail["attempt"] == 1


def test_a_worker_goes_on_claiming_after_something_broke(server, serve, monkeypatch, caplog):
    class Clumsy(Running):
        broken = 0

        def begin(self, granted, release):
            self.broken += 1
            if self.broken == 1:
                raise RuntimeError("cannot start a thread")
            super().begin(granted, release)

    monkeypatch.setattr(omium.sdk.worker, "PATIENCE_S", 0.01)
    workflows = {"doubled": find_workflow(doubled)}
    omium.run_workflow("doubled", {"xs": [1]}, wait=False)
    clumsy = Clumsy(current_session(), workflows)
    serve(doubled, concurrency=1, running=clumsy)
    wait_until(lambda: clumsy.broken)

    assert omium.run_workflow("doubled", {"xs": [2]}) == [4]
    assert "cannot start a thread" in caplog.text


def test_async_executions_share_a_loop(server, serve):
    serve(doubled_async, concurrency=4)

    ids = [omium.run_workflow("doubled-async", {"xs": [n]}, wait=False) for n in range(6)]

    done = [
        wait_until(lambda i=i: server.detail(i)["status"] == "completed" and server.detail(i)) for i in ids
    ]
    assert [detail["output"] for detail in done] == [[2 * n] for n in range(6)]


def test_a_child_may_run_on_a_worker_and_is_found_again(server, serve):
    broken = True

    @omium.step
    def then():
        if broken:
            raise ValueError("broken")
        return 1

    @omium.workflow
    def parent():
        return [*omium.run_workflow("doubled", {"xs": [1, 2]}), then()]

    serve(doubled)
    with pytest.raises(ValueError, match="broken"):
        parent()
    failed = next(item for item in server.get("/v1/executions")["items"] if item["workflow"] == "parent")
    broken = False

    assert omium.resume(failed["id"]) == [2, 4, 1]
    assert len(server.detail(failed["id"])["children"]) == 1


def test_a_failure_on_a_worker_is_told_to_the_caller_and_the_worker_goes_on(server, serve):
    @omium.workflow
    def breaks():
        raise ValueError("on the worker")

    serve(breaks, doubled)

    with pytest.raises(StepFailed, match=r"ValueError: on the worker(?s:.*)omium executions show"):
        omium.run_workflow("breaks")
    assert omium.run_workflow("doubled", {"xs": [1]}) == [2]


def test_an_input_that_the_function_does_not_take_fails_with_the_remedy(server, serve):
    serve(doubled)

    with pytest.raises(StepFailed, match="has no parameter 'ys'"):
        omium.run_workflow("doubled", {"ys": [1]})


def test_a_worker_that_stops_finishes_the_step_and_gives_the_rest_back(server, serve):
    began = threading.Event()

    @omium.step
    def first():
        began.set()
        wait_until(lambda: find_frame().driving.stop_reason)  # the worker has noticed that it stops
        return "first"

    @omium.step
    def second(x):
        return x + " second"

    @omium.workflow
    def two_steps():
        return second(first())

    worker = serve(two_steps)
    execution_id = omium.run_workflow("two_steps", wait=False)
    assert began.wait(TIMEOUT_S)
    worker.stop()

    detail = wait_until(
        lambda: server.detail(execution_id)["status"] == "queued" and server.detail(execution_id)
    )
    assert [step["key"] for step in detail["steps"]] == ["first"]
    assert detail["interruptions"] == 0

    serve(two_steps)
    assert wait_until(lambda: server.detail(execution_id)["output"]) == "first second"


def test_a_long_delay_between_tries_costs_no_slot(server, serve, monkeypatch):
    monkeypatch.setattr("omium.sdk.driving.LONG_DELAY_S", 0.5)
    tries = []

    @omium.step(retry=omium.RetryPolicy(max_attempts=3, initial_delay_s=4, multiplier=1, jitter=False))
    def flaky():
        tries.append(1)
        if len(tries) < 3:
            raise ValueError("not yet")
        return "at last"

    @omium.workflow
    def patient():
        return [double(1), flaky()]

    serve(patient, doubled, concurrency=1)
    execution_id = omium.run_workflow("patient", wait=False)

    assert omium.run_workflow("doubled", {"xs": [1]}) == [2]

    assert wait_for_status(server, execution_id, "completed")["output"] == [2, "at last"]
    detail = server.detail(execution_id)
    assert (detail["interruptions"], len(tries)) == (0, 3)
    events = [each["type"] for each in server.get(f"/v1/executions/{execution_id}/events")["items"]]
    assert events.count("execution.waited") == 2
    assert server.steps(execution_id)["flaky"]["attempt"] == 3


def test_a_key_runs_one_at_a_time_over_workers_and_costs_no_place(server, serve, monkeypatch):
    monkeypatch.setattr("omium.sdk.slots.LONG_DELAY_S", 0.5)
    running, most, begun = [], [], threading.Event()
    go_on = threading.Event()

    @omium.step(concurrency=omium.Concurrency("provider", 1))
    def call(number):
        running.append(number)
        most.append(len(running))
        begun.set()
        assert go_on.wait(TIMEOUT_S)
        running.remove(number)
        return number

    @omium.workflow
    def limited(number):
        return call(number)

    serve(limited, doubled, concurrency=3)
    ids = [omium.run_workflow("limited", {"number": number}, wait=False) for number in range(4)]
    assert begun.wait(TIMEOUT_S)
    waiting = wait_until(lambda: [each for each in ids if server.detail(each)["status"] == "waiting"] or None)
    assert {server.detail(each)["reason"] for each in waiting} == {"slot"}
    assert server.detail(waiting[0])["awaited_slot"]["key"] == "provider"
    slots = server.get("/v1/slots?key=provider")["items"]
    assert [each["state"] for each in slots].count("held") == 1
    assert {each["execution_id"] for each in slots} >= set(waiting)

    assert omium.run_workflow("doubled", {"xs": [1]}) == [2]  # places that wait for a slot are free

    go_on.set()
    outputs = [wait_for_status(server, each, "completed")["output"] for each in ids]
    assert outputs == [0, 1, 2, 3]
    assert set(most) == {1}


def test_tries_on_several_claims_use_up_the_same_budget(server, serve, monkeypatch):
    monkeypatch.setattr("omium.sdk.driving.LONG_DELAY_S", 0.5)
    tries = []

    @omium.step(retry=omium.RetryPolicy(max_attempts=2, initial_delay_s=3, jitter=False))
    def never():
        tries.append(1)
        raise ValueError("never")

    @omium.workflow
    def hopeless():
        never()

    serve(hopeless)

    with pytest.raises(StepFailed, match="ValueError: never"):
        omium.run_workflow("hopeless")
    assert len(tries) == 2


class Away(Edge):
    """A server that is gone, and what was asked of it."""

    def __init__(self):
        super().__init__()
        self.asked, self.slept = [], []

    def http(self, request):
        self.asked.append(request.path)
        raise ConnectionLost("No Omium server answers.")

    def sleep(self, seconds):
        self.slept.append(seconds)


def test_a_worker_whose_server_is_gone_stops_without_waiting_for_it(caplog):
    away = Away()
    worker = Worker(away.session(), {"doubled": find_workflow(doubled)})
    thread = threading.Thread(target=worker.run)
    thread.start()
    wait_until(lambda: away.asked)

    worker.stop()
    thread.join(TIMEOUT_S)

    assert not thread.is_alive()
    assert away.asked.count("/v1/workers/stop") == 1
    assert sum(away.slept) <= 2
    assert "was not told that this worker stops" in caplog.text


LEFT = """
    import time, omium
    from pathlib import Path

    @omium.step
    def before():
        return 1

    @omium.step
    def goes_on():
        Path("began").touch()
        while not Path("server-is-gone").exists():
            time.sleep(0.05)
        return 2

    @omium.workflow
    def sync_flow():
        before()
        goes_on()

    @omium.workflow
    async def async_flow():
        before()
        goes_on()
"""


@pytest.mark.parametrize("flow", ["sync_flow", "async_flow"])
def test_what_a_stopping_worker_cannot_tell_its_server_is_named_and_left(server, flow):
    server.write("agents.py", LEFT)
    process = server.start(server.write("serve.py", WORKER), "agents.py")
    execution_id = omium.run_workflow(flow, wait=False)
    wait_until((server.folder / "began").exists)
    server.running.kill()
    if flow == "async_flow":
        process.send_signal(signal.SIGTERM)
    (server.folder / "server-is-gone").touch()
    if flow == "sync_flow":
        process.send_signal(signal.SIGTERM)

    _, err = process.communicate(timeout=TIMEOUT_S)  # a record is waited for five minutes where nobody stops

    assert process.returncode == 0, err
    assert f"1 could not be given back: {execution_id} ({flow})" in err
    server.running.restart()
    assert [step["key"] for step in server.detail(execution_id)["steps"]] == ["before"]


SCRIPT = """
    import os, time, omium

    @omium.step
    def one():
        note("one")
        return 1

    @omium.step
    def two(x):
        note("two")
        if not os.path.exists("crashed"):
            open("crashed", "w").close()
            os.kill(os.getpid(), 9)
        return x + 1

    @omium.workflow
    def crashes():
        return two(one())

    def note(text):
        with open("ran.txt", "a") as file:
            file.write(text + "\\n")
"""


def test_what_a_killed_worker_held_goes_on_on_the_next_one_before_its_lease_ends(server_of_long_leases):
    server = server_of_long_leases
    server.write("agents.py", SCRIPT)
    runner = server.write("serve.py", WORKER)
    execution_id = omium.run_workflow("crashes", wait=False)
    first = server.start(runner, "agents.py")
    assert first.wait(TIMEOUT_S) == -signal.SIGKILL
    first.communicate()

    second = server.start(runner, "agents.py")
    detail = wait_until(
        lambda: server.detail(execution_id)["status"] == "completed" and server.detail(execution_id)
    )

    assert (detail["output"], detail["interruptions"]) == (2, 1)
    assert (server.folder / "ran.txt").read_text().split() == ["one", "two", "two"]
    second.send_signal(signal.SIGTERM)
    out, err = second.communicate(timeout=TIMEOUT_S)
    assert second.returncode == 0, err
    assert out == "ready\n"


def test_one_execution_can_be_taken_up_by_its_id_after_a_failure(server, tmp_path):
    broken = True

    @omium.step
    def maybe():
        if broken:
            raise ValueError("broken")
        return "mended"

    @omium.workflow
    def flow():
        return maybe()

    with pytest.raises(ValueError, match="broken"):
        flow()
    broken = False
    worker = Worker(current_session(), {"flow": find_workflow(flow)})

    assert worker.run_once(server.newest()["id"]) == "mended"


def test_once_takes_the_next_one_in_the_queue(server):
    omium.run_workflow("doubled", {"xs": [4]}, wait=False)

    assert Worker(current_session(), {"doubled": find_workflow(doubled)}).run_once() == [8]


def test_an_unknown_execution_is_said_to_be_unknown(server):
    with pytest.raises(NotFound):
        Worker(current_session(), {"doubled": find_workflow(doubled)}).run_once(
            "ex_00000000000000000000000000"
        )


def test_what_a_script_recorded_is_understood_by_the_worker_that_imports_it(server):
    script = server.write(
        "findings.py",
        """
        import dataclasses, os, omium

        @dataclasses.dataclass
        class Finding:
            text: str

        @omium.step
        def find():
            return Finding("found")

        @omium.step
        def use(finding):
            assert type(finding) is Finding, type(finding)
            if not os.path.exists("mended"):
                raise ValueError("broken")
            return finding.text

        @omium.workflow
        def search():
            return use(find())

        if __name__ == "__main__":
            search()
        """,
    )
    assert server.run(script)[0] == 1
    (server.folder / "mended").touch()
    once = server.write("once.py", ONCE)

    code, out, err = server.run(once, "findings.py:search", server.newest()["id"])

    assert (code, out) == (0, "found\n"), err


def test_a_target_is_a_file_or_a_module_with_or_without_an_object(tmp_path, monkeypatch):
    (tmp_path / "some_agents.py").write_text(
        "import omium\n\n@omium.workflow\ndef a(): return 1\n\n"
        "@omium.workflow(name='bee')\ndef b(): return 2\n"
    )
    monkeypatch.chdir(tmp_path)

    for target, names in [
        ("some_agents.py", {"a", "bee"}),
        ("./some_agents.py:b", {"bee"}),
        ("some_agents:a", {"a"}),
        ("some_agents", {"a", "bee"}),
    ]:
        assert set(find_workflows(load_target(target)[1])) == names


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("none.py", "no file none.py"),
        ("no_such_module:a", "no module 'no_such_module'"),
        ("json:nope", "no 'nope'"),
    ],
)
def test_a_target_that_is_not_there_is_said_so(target, words):
    with pytest.raises(omium.OmiumError, match=words):
        load_target(target)

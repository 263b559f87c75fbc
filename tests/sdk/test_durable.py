"""Executions of real scripts against a real server: killed, resumed, raced, nested."""

import asyncio
import json
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import omium
from omium.errors import Cancelled, ScopeMissing, StepFailed
from omium.sdk.session import current_session
from tests.sdk.served import (
    TIMEOUT_S,
    make_running_server,
    running_server,
    server,
    server_of_long_leases,
)

__all__ = ["make_running_server", "running_server", "server", "server_of_long_leases"]


@omium.step
def double(x):
    return 2 * x


@omium.step(name="adouble")
async def double_async(x):
    return 2 * x


def test_a_workflow_is_an_execution_with_its_steps(server):
    @omium.workflow
    def report(topic, n=2):
        return {"topic": topic, "doubled": [double(x) for x in range(n)]}

    assert report("cats") == {"topic": "cats", "doubled": [0, 2]}

    detail = server.newest()
    assert (detail["workflow"], detail["status"]) == ("report", "completed")
    assert detail["input"] == {"topic": "cats", "n": 2}
    assert detail["output"] == {"topic": "cats", "doubled": [0, 2]}
    assert [step["key"] for step in detail["steps"]] == ["double", "double#2"]
    assert detail["code"]["digest"]


async def test_an_async_workflow_is_one_too(server):
    @omium.workflow
    async def flow():
        return await asyncio.gather(*(double_async(x) for x in range(20)))

    assert await flow() == [2 * x for x in range(20)]

    assert len((await asyncio.to_thread(server.newest))["steps"]) == 20


def test_a_script_that_was_killed_goes_on_where_it_was_without_waiting_for_its_lease(server_of_long_leases):
    server = server_of_long_leases
    script = server.write(
        "agents.py",
        """
        import os, sys, omium

        @omium.step
        def work(x):
            with open("ran.txt", "a") as file:
                file.write(f"{x}\\n")
            if x == 3 and not os.path.exists("crashed"):
                open("crashed", "w").close()
                os.kill(os.getpid(), 9)
            return x * x

        @omium.workflow
        def squares(n):
            return [work(x) for x in range(n)]

        if __name__ == "__main__":
            print(omium.run_workflow(squares, {"n": 6}, idempotency_key="only"))
        """,
    )
    assert server.run(script)[0] == -signal.SIGKILL

    code, out, err = server.run(script)

    assert (code, out) == (0, "[0, 1, 4, 9, 16, 25]\n"), err
    assert (server.folder / "ran.txt").read_text().split() == ["0", "1", "2", "3", "3", "4", "5"]
    detail = server.newest()
    assert (detail["status"], detail["attempt"], detail["interruptions"]) == ("completed", 2, 1)
    assert server.run(script)[1] == "[0, 1, 4, 9, 16, 25]\n"  # the same key again: the same answer


def test_a_pool_that_was_killed_resumes_with_the_right_result_for_every_input(server):
    script = server.write(
        "pool.py",
        """
        import os, random, time, omium
        from concurrent.futures import ThreadPoolExecutor

        @omium.step
        def work(x):
            with open("ran.txt", "a") as file:
                file.write(f"{x}\\n")
            time.sleep(random.random() * 0.02)
            if x == 12 and not os.path.exists("crashed"):
                open("crashed", "w").close()
                os.kill(os.getpid(), 9)
            return x * x

        @omium.workflow
        def squares():
            numbers = list(range(24))
            random.shuffle(numbers)
            with ThreadPoolExecutor(4) as pool:
                return sorted(zip(numbers, pool.map(work, numbers)))

        if __name__ == "__main__":
            print(omium.run_workflow(squares, idempotency_key="only") == [(x, x * x) for x in range(24)])
        """,
    )
    assert server.run(script)[0] == -signal.SIGKILL
    before = (server.folder / "ran.txt").read_text().split()

    code, out, err = server.run(script)

    assert (code, out) == (0, "True\n"), err
    after = (server.folder / "ran.txt").read_text().split()[len(before) :]
    assert len(set(before) & set(after)) <= 4  # only what was in flight


def test_a_failed_execution_resumes_after_the_code_was_mended(server):
    broken = True

    @omium.step
    def first():
        return "kept"

    @omium.step
    def second(x):
        if broken:
            raise ValueError("broken")
        return x + "!"

    @omium.workflow
    def mended():
        return second(first())

    with pytest.raises(ValueError, match="broken"):
        mended()
    failed = server.newest()
    broken = False

    assert omium.resume(failed["id"]) == "kept!"

    detail = server.detail(failed["id"])
    assert detail["status"] == "completed"
    steps = {step["key"]: step for step in detail["steps"]}
    assert (steps["first"]["attempt"], steps["second"]["attempt"]) == (1, 2)


def test_a_failed_step_is_retried_and_its_attempts_are_kept(server):
    tries = []

    @omium.step(retry=omium.RetryPolicy(max_attempts=3, initial_delay_s=0.01))
    def flaky():
        tries.append(1)
        if len(tries) < 3:
            raise OSError("busy")
        return "ok"

    @omium.workflow
    def flow():
        return flaky()

    assert flow() == "ok"

    execution_id = server.newest()["id"]
    assert server.steps(execution_id)["flaky"]["attempt"] == 3
    assert len(server.get(f"/v1/executions/{execution_id}/attempts")["items"]) == 2


def test_an_inner_failure_supersedes_inner_plain_steps_and_keeps_inner_effects(server):
    ran = []

    @omium.step
    def plain():
        ran.append("plain")
        return 1

    @omium.step(effect=True)
    def effect():
        ran.append("effect")
        return 2

    @omium.step(retry=omium.RetryPolicy(max_attempts=2, initial_delay_s=0))
    def outer():
        total = plain() + effect()
        if ran.count("outer") == 0:
            ran.append("outer")
            raise ValueError
        return total

    @omium.workflow
    def flow():
        return outer()

    assert flow() == 3
    assert ran == ["plain", "effect", "outer", "plain"]


def test_a_child_execution_is_found_again_when_its_parent_runs_again(server):
    ran, broken = [], True

    @omium.step
    def inner(x):
        ran.append(x)
        return x + 1

    @omium.workflow
    def child(x):
        return inner(x)

    @omium.step
    def breaks():
        if broken:
            raise ValueError
        return 0

    @omium.workflow
    def parent():
        return omium.run_workflow(child, {"x": 1}) + breaks() + child(5)

    with pytest.raises(ValueError):
        parent()
    failed = server.newest()
    failed = failed if failed["workflow"] == "parent" else server.detail(failed["parent_id"])
    broken = False

    assert omium.resume(failed["id"]) == 2 + 0 + 6
    assert ran == [1, 5]
    detail = server.detail(failed["id"])
    assert len(detail["children"]) == 1
    assert server.detail(detail["children"][0])["parent_path"] == "child"


def test_a_child_whose_input_changed_is_another_one(server):
    inputs, broken = [1], True

    @omium.workflow
    def child(x):
        if broken:
            raise ValueError(f"broken {x}")
        return x

    @omium.workflow
    def parent():
        return omium.run_workflow(child, {"x": inputs[0]})

    with pytest.raises(ValueError):
        parent()
    failed = next(item for item in server.get("/v1/executions")["items"] if item["workflow"] == "parent")
    inputs[0], broken = 2, False

    assert omium.resume(failed["id"]) == 2
    children = [item for item in server.get("/v1/executions")["items"] if item["workflow"] == "child"]
    assert sorted(server.detail(item["id"])["input"]["x"] for item in children) == [1, 2]


def test_an_execution_without_a_function(server):
    with omium.start_execution("by-hand", {"topic": "cats"}) as execution:
        assert execution.step("double", lambda x: 2 * x, 4) == 8
        execution.checkpoint("draft", {"n": 1})
        execution.record_usage(model="m", input_tokens=5)
        execution.complete({"done": True})

    detail = server.detail(execution.id)
    assert (detail["status"], detail["output"], detail["workflow"]) == (
        "completed",
        {"done": True},
        "by-hand",
    )
    assert detail["usage"]["input_tokens"] == 5
    assert [saved["name"] for saved in detail["checkpoints"]] == ["draft"]


def test_the_same_key_goes_on_with_the_execution_that_failed(server):
    ran = []

    def work():
        ran.append(1)
        return "kept"

    def begin(expected):
        with omium.start_execution("by-hand", idempotency_key="k") as execution:
            assert execution.step("work", work) == "kept"
            assert execution.load_checkpoint("at", 0) == expected
            execution.checkpoint("at", 1)
            if expected == 0:
                execution.step("fails", lambda: 1 / 0)
        return execution

    with pytest.raises(ZeroDivisionError):
        begin(0)
    execution = begin(1)

    assert ran == [1]
    assert server.detail(execution.id)["status"] == "completed"


async def test_an_execution_without_a_function_from_async_code(server):
    async with omium.start_execution("by-hand") as execution:
        assert await execution.step("double", double_async, 4) == 8

    assert (await asyncio.to_thread(server.detail, execution.id))["status"] == "completed"


def test_a_block_that_raises_fails_the_execution(server):
    with pytest.raises(ValueError), omium.start_execution("by-hand") as execution:
        raise ValueError("no")

    assert server.detail(execution.id)["status"] == "failed"


def test_a_cancel_stops_the_execution_at_its_next_step(server):
    @omium.workflow
    def flow():
        double(1)
        server.post(f"/v1/executions/{omium.execution_id()}/cancel")
        double(2)
        double(3)
        return "not reached"

    with pytest.raises(Cancelled):
        flow()

    detail = server.newest()
    assert (detail["status"], detail["cancel_outcome"]) == ("cancelled", "stopped")


def test_a_large_output_comes_back_exactly_after_a_failure(server):
    large = {"text": "é" * 100_000, "bytes": b"\x00\xff"}
    broken = True

    @omium.step
    def big():
        return large

    @omium.workflow
    def flow():
        value = big()
        if broken:
            raise ValueError
        return value == large

    with pytest.raises(ValueError):
        flow()
    broken = False

    assert omium.resume(server.newest()["id"]) is True


def test_threads_of_several_executions_do_not_mix(server):
    @omium.workflow
    def flow(base):
        return [double(base + x) for x in range(5)]

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(flow, range(0, 80, 10)))

    assert results == [[2 * (base + x) for x in range(5)] for base in range(0, 80, 10)]


def test_a_server_that_restarts_in_the_middle_loses_nothing(server):
    @omium.step
    def restart():
        server.running.kill()
        server.running.restart()
        return "restarted"

    @omium.workflow
    def flow():
        return double(1), restart(), double(2)

    assert flow() == (2, "restarted", 4)
    assert server.newest()["status"] == "completed"


def test_ctrl_c_gives_the_execution_back_so_that_it_can_be_resumed(server):
    script = server.write(
        "long.py",
        """
        import time, omium

        @omium.step
        def quick():
            return 1

        @omium.step
        def slow():
            print("began", flush=True)
            time.sleep(60)

        @omium.workflow
        def flow():
            quick()
            slow()

        if __name__ == "__main__":
            flow()
        """,
    )
    process = server.start(script)
    assert process.stdout.readline() == "began\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=TIMEOUT_S)

    assert "KeyboardInterrupt" in err
    assert server.newest()["status"] == "paused"
    assert list(server.steps(server.newest()["id"])) == ["quick"]


def test_a_worker_less_name_is_queued_and_its_id_returned(server):
    execution_id = omium.run_workflow("elsewhere", {"x": 1}, wait=False)

    assert server.detail(execution_id)["status"] == "queued"


def test_a_failure_elsewhere_says_where_to_look(server):
    @omium.workflow(name="remote")
    def remote():
        raise ValueError("there")

    with pytest.raises(ValueError):
        remote()
    execution_id = server.newest()["id"]
    from omium.sdk.joining import make_failure

    error = make_failure(server.detail(execution_id))

    assert isinstance(error, StepFailed)
    assert f"omium executions show {execution_id}" in str(error)


def test_nothing_is_left_running_afterwards(server):
    @omium.workflow
    def flow():
        return double(1)

    before = set(threading.enumerate())
    flow()
    names = {thread.name for thread in set(threading.enumerate()) - before}

    assert not any(name.startswith("omium-") and name != "omium-heartbeat" for name in names)
    assert json.dumps(server.newest()["status"]) == '"completed"'


def test_a_joined_execution_gives_its_output_exactly_however_large_or_secret(server):
    output = {"text": "x" * 100_000, "api_key": "sk-proj-" + "Ab3dEf6hIj9kLm2nOp5q" * 3}

    @omium.workflow
    def large():
        return output

    assert large() == output
    detail = server.newest()

    assert omium.resume(detail["id"]) == output
    assert detail["output"] != output, "people are not shown the key"


def test_a_warning_that_python_prints_by_itself_is_still_printed_and_captured(server):
    script = server.write(
        "warns.py",
        """
        import logging, omium

        @omium.step
        def warn():
            logging.getLogger("shop").warning("stock is low")
            logging.getLogger("shop").info("nobody prints this")

        @omium.workflow
        def watch():
            warn()

        watch()
        """,
    )

    code, _, err = server.run(script)

    assert (code, err) == (0, "stock is low\n")
    lines = server.get(f"/v1/executions/{server.newest()['id']}/logs?path=warn")["items"]
    assert [line["text"] for line in lines] == ["shop: stock is low"]


def test_a_cancelled_child_fails_its_parents_step_and_not_the_parent_by_a_cancel(server):
    started = threading.Event()

    @omium.step
    def tick(n):
        started.set()
        time.sleep(0.05)
        return n

    @omium.workflow
    def child():
        for n in range(1_000):
            tick(n)

    @omium.workflow
    def parent():
        return omium.run_workflow(child)

    def cancel():
        started.wait(TIMEOUT_S)
        running = server.get("/v1/executions?workflow=child")["items"][0]
        server.post(f"/v1/executions/{running['id']}/cancel")

    thread = threading.Thread(target=cancel)
    thread.start()
    with pytest.raises(StepFailed, match="child execution was cancelled"):
        parent()
    thread.join()

    assert server.get("/v1/executions?workflow=child")["items"][0]["status"] == "cancelled"
    assert server.get("/v1/executions?workflow=parent")["items"][0]["status"] == "failed"


def test_a_process_drives_only_what_belongs_to_its_keys_environment(server):
    @omium.workflow
    def breaks():
        raise ValueError("once")

    with pytest.raises(ValueError, match="once"):
        breaks()
    failed = server.newest()
    other = server.post("/v1/keys", {"name": "other", "environment": "prod"})["api_key"]

    omium.init(base_url=server.running.base_url, api_key=other)
    with pytest.raises(ScopeMissing, match="environment dev"):
        omium.resume(failed["id"])
    current_session().close()

    assert server.detail(failed["id"])["status"] == "failed"


def test_an_input_that_cannot_be_read_again_fails_the_execution_at_once(server):
    @omium.workflow
    def opaque(client):
        raise ValueError("once")

    with pytest.raises(ValueError, match="once"):
        opaque(object())
    failed = server.newest()

    with pytest.raises(omium.OmiumError, match="cannot be recorded"):
        omium.resume(failed["id"])

    assert server.detail(failed["id"])["status"] == "failed"

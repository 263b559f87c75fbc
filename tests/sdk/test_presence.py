"""What a living driver tells its server: which steps run, that it lives, that it was forked."""

import os
import signal

import pytest

import omium
from omium.errors import ConfigError, LeaseLost
from omium.sdk.context import find_frame
from omium.sdk.heartbeat import Heart
from omium.sdk.session import current_session
from tests.sdk.served import TIMEOUT_S, make_running_server, running_server, server

__all__ = ["make_running_server", "running_server", "server"]


def test_a_heartbeat_lists_the_steps_that_run(server):
    seen = []

    @omium.step
    def inner():
        driving = find_frame().driving
        assert current_session().heart.beat(driving)
        seen.append(server.detail(driving.execution_id)["running_steps"])

    @omium.step
    def outer():
        inner()

    @omium.workflow
    def flow():
        outer()

    flow()

    assert [sorted(paths) for paths in seen] == [["outer", "outer/inner"]]


def test_a_heartbeat_that_breaks_is_a_missed_one_and_the_thread_goes_on(server, caplog):
    class Broken:
        def write_beside(self, requests):
            raise RuntimeError("a bug")

    @omium.workflow
    def flow():
        assert not Heart(Broken()).beat(find_frame().driving)

    flow()
    assert "RuntimeError: a bug" in caplog.text


async def test_an_async_workflow_that_sync_code_cannot_run_here_is_not_even_started(server):
    @omium.workflow
    async def flow():
        pass

    with pytest.raises(ConfigError, match="arun_workflow"):
        omium.run_workflow(flow)
    assert server.get("/v1/executions")["items"] == []


async def test_sync_code_in_a_loop_neither_takes_up_nor_replays_an_async_workflow(server):
    broken = True

    @omium.workflow
    async def flow():
        if broken:
            raise ValueError("once")
        return "done"

    with pytest.raises(ValueError, match="once"):
        await flow()
    failed = server.newest()
    broken = False

    with pytest.raises(ConfigError, match=r"await omium\.arun_workflow, omium\.aresume or omium\.areplay"):
        omium.resume(failed["id"])
    with pytest.raises(ConfigError, match="areplay"):
        omium.replay(failed["id"])

    after = server.newest()
    assert (after["id"], after["status"], after["attempt"]) == (failed["id"], "failed", 1)
    assert await omium.aresume(failed["id"]) == "done"
    assert omium.resume(failed["id"]) == "done"  # it's only looked up: nothing has to run


def test_a_heartbeat_learns_that_another_driver_has_the_execution(server):
    @omium.step
    def other():
        return 1

    @omium.workflow
    def flow():
        driving = find_frame().driving
        execution_id = driving.execution_id
        server.post(f"/v1/executions/{execution_id}/cancel")
        assert current_session().heart.beat(driving)
        other()

    with pytest.raises(omium.Cancelled):
        flow()


def test_a_driver_that_was_replaced_stops_at_its_next_step_and_changes_nothing(server):
    ran = []

    @omium.step
    def step():
        ran.append(1)

    @omium.workflow
    def flow():
        step()
        driving = find_frame().driving
        driving.lease.token = "0" * 32
        driving.lease.__post_init__()
        current_session().heart.beat(driving)
        step()

    with pytest.raises(LeaseLost):
        flow()

    assert ran == [1]
    assert len(server.newest()["steps"]) == 1


def test_a_forked_child_raises_in_its_parents_steps_and_may_run_a_workflow_of_its_own(server):
    script = server.write(
        "forks.py",
        """
        import os, omium

        @omium.step
        def step():
            return os.getpid()

        @omium.workflow
        def own():
            return step()

        @omium.workflow
        def parent():
            step()
            child = os.fork()
            if child == 0:
                try:
                    step()
                except omium.OmiumError as error:
                    code = 7 if type(error).__name__ == "ForkedDriver" and own() == os.getpid() else 1
                os._exit(code)
            _, status = os.waitpid(child, 0)
            step()
            return os.waitstatus_to_exitcode(status)

        if __name__ == "__main__":
            print(parent())
        """,
    )

    code, out, err = server.run(script)

    assert (code, out) == (0, "7\n"), err
    executions = {item["workflow"]: item for item in server.get("/v1/executions")["items"]}
    assert {name: item["status"] for name, item in executions.items()} == {
        "parent": "completed",
        "own": "completed",
    }
    assert executions["parent"]["steps_completed"] == 2


def test_sigterm_ends_a_script_and_a_second_start_takes_over_at_once(server):
    script = server.write(
        "terminated.py",
        """
        import pathlib, time, omium

        @omium.step
        def slow():
            if not pathlib.Path("again").exists():
                pathlib.Path("again").touch()
                print("began", flush=True)
                time.sleep(60)
            return "done"

        @omium.workflow
        def flow():
            return slow()

        if __name__ == "__main__":
            print(omium.run_workflow(flow, idempotency_key="k"))
        """,
    )
    process = server.start(script)
    assert process.stdout.readline() == "began\n"
    os.kill(process.pid, signal.SIGTERM)
    process.communicate(timeout=TIMEOUT_S)

    assert server.run(script)[:2] == (0, "done\n")


def test_no_thread_of_a_pool_keeps_the_process_alive(server):
    script = server.write(
        "ends.py",
        """
        import omium

        @omium.step(timeout_s=0.2)
        def hangs():
            import time
            time.sleep(3600)

        @omium.workflow
        def flow():
            hangs()

        if __name__ == "__main__":
            flow()
        """,
    )

    code, _, err = server.run(script)

    assert code == 1
    assert "StepTimeout" in err

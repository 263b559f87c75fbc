"""What people decide about executions: effects, replays."""

import asyncio
import threading

import pytest

import omium
from omium.errors import Suspended
from omium.sdk.context import find_frame
from omium.sdk.session import current_session
from tests.sdk.served import TIMEOUT_S, make_running_server, running_server, server, wait_until

__all__ = ["make_running_server", "running_server", "server"]


def test_an_unknown_effect_suspends_until_a_person_decides(server):
    calls = []

    @omium.step(effect=True)
    def pay(amount):
        calls.append(omium.effect_key())
        raise ConnectionError("reset by peer")

    @omium.workflow
    def order():
        return pay(5)

    with pytest.raises(Suspended) as caught:
        order()
    detail = server.newest()
    assert (detail["status"], detail["reason"]) == ("paused", "effect")
    with pytest.raises(omium.Problem, match="effect"):
        omium.resume(detail["id"])
    (effect,) = server.get(f"/v1/executions/{detail['id']}/effects")["items"]
    assert (effect["state"], effect["effect_key"]) == ("unknown", calls[0])

    server.post(
        f"/v1/executions/{detail['id']}/effects/{effect['effect_key']}/decide",
        {"decision": "confirm", "output": "receipt", "reason": "seen in the bank's list"},
    )

    assert omium.resume(detail["id"]) == "receipt"
    assert len(calls) == 1
    assert caught.value.execution_id == detail["id"]


def test_a_replay_from_a_step_keeps_what_came_before(server):
    ran = []

    @omium.step
    def one():
        ran.append("one")
        return 1

    @omium.step
    def two(x):
        ran.append("two")
        return x + 1

    @omium.workflow
    def flow():
        return two(one())

    flow()
    source = server.newest()["id"]
    ran.clear()

    assert omium.replay(source, from_step="two") == 2
    assert ran == ["two"]
    assert omium.replay(source, from_step="two", patch={"outputs": {"one": 10}}) == 11


def test_what_nobody_here_can_run_is_said_with_the_command_that_can(server):
    script = server.write(
        "elsewhere.py",
        """
        import omium

        @omium.workflow
        def elsewhere():
            raise ValueError("broken")

        if __name__ == "__main__":
            elsewhere()
        """,
    )
    server.run(script)

    with pytest.raises(omium.OmiumError, match=r"Nobody serves(?s:.*)elsewhere\.py"):
        omium.resume(server.newest()["id"])
    assert server.newest()["status"] == "failed"


def test_a_key_that_was_used_with_other_inputs_is_refused(server):
    @omium.workflow
    def flow(x):
        return x

    assert omium.run_workflow(flow, {"x": 1}, idempotency_key="k") == 1
    with pytest.raises(omium.Problem, match="another start"):
        omium.run_workflow(flow, {"x": 2}, idempotency_key="k")


async def test_a_cancel_reaches_a_coroutine_with_the_next_heartbeat(server):
    began, seen = asyncio.Event(), []

    @omium.step
    async def sleeps():
        began.set()
        try:
            await asyncio.sleep(TIMEOUT_S)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    @omium.workflow
    async def flow():
        driving.append(find_frame().driving)
        await sleeps()

    driving = []
    task = asyncio.create_task(flow())
    await began.wait()
    await asyncio.to_thread(server.post, f"/v1/executions/{driving[0].execution_id}/cancel")
    await asyncio.to_thread(current_session().heart.beat, driving[0])

    with pytest.raises(omium.Cancelled):
        await task

    assert seen == ["cancelled"]
    detail = await asyncio.to_thread(server.detail, driving[0].execution_id)
    assert (detail["status"], detail["cancel_outcome"]) == ("cancelled", "stopped")


def test_an_operators_pause_is_obeyed_before_the_next_step_and_resume_goes_on(server):
    ran, first = [], True

    @omium.step
    def step(x):
        ran.append(x)
        if first and x == 1:
            server.post(f"/v1/executions/{omium.execution_id()}/pause")
            current_session().heart.beat(find_frame().driving)
        return x

    @omium.workflow
    def flow():
        return [step(1), step(2)]

    with pytest.raises(Suspended) as caught:
        flow()
    assert caught.value.reason == "operator"
    first = False

    assert omium.resume(caught.value.execution_id) == [1, 2]
    assert ran == [1, 2]


def test_a_workflow_that_waits_goes_on_by_itself_when_somebody_resumes_it(server, monkeypatch):
    monkeypatch.setattr("omium.sdk.pausing.POLL_S", 0.1)
    paused = threading.Event()

    @omium.step
    def step(x):
        if x == 1:
            server.post(f"/v1/executions/{omium.execution_id()}/pause")
            current_session().heart.beat(find_frame().driving)
            paused.set()
        return x

    @omium.workflow(on_pause="wait")
    def flow():
        return [step(1), step(2)]

    def resume():
        assert paused.wait(TIMEOUT_S)
        execution_id = server.newest()["id"]
        wait_until(lambda: server.detail(execution_id)["status"] == "paused")
        server.post(f"/v1/executions/{execution_id}/resume")

    person = threading.Thread(target=resume)
    person.start()

    assert flow() == [1, 2]

    person.join(TIMEOUT_S)
    detail = server.newest()
    assert (detail["status"], detail["attempt"]) == ("completed", 2)


def test_a_workflow_that_waits_sees_its_server_go_and_come_back(server, monkeypatch, caplog):
    monkeypatch.setattr("omium.sdk.pausing.POLL_S", 0.1)
    monkeypatch.setattr("omium.sdk.starting.PATIENCE_S", 0)

    @omium.step
    def step(x):
        if x == 1:
            server.post(f"/v1/executions/{omium.execution_id()}/pause")
            current_session().heart.beat(find_frame().driving)
        return x

    @omium.workflow(on_pause="wait")
    def flow():
        return [step(1), step(2)]

    def restart():
        wait_until(lambda: server.get("/v1/executions?status=paused")["items"])
        server.running.kill()
        wait_until(lambda: "waits for its server" in caplog.text)
        server.running.restart()
        server.post(f"/v1/executions/{server.newest()['id']}/resume")

    person = threading.Thread(target=restart)
    person.start()

    assert flow() == [1, 2]

    person.join(TIMEOUT_S)
    assert server.newest()["status"] == "completed"


def test_a_workflow_that_waited_too_long_says_that_another_process_has_it(server, monkeypatch):
    monkeypatch.setattr("omium.sdk.pausing.POLL_S", 0.1)

    @omium.step
    def step(x):
        if x == 1:
            server.post(f"/v1/executions/{omium.execution_id()}/pause")
            current_session().heart.beat(find_frame().driving)
        return x

    @omium.workflow(on_pause="wait")
    def flow():
        return [step(1), step(2)]

    def take_over():
        wait_until(lambda: server.get("/v1/executions?status=paused")["items"])
        process = {"host_name": "h", "boot_id": "", "pid_namespace": "", "pid": 1, "started_ticks": 0}
        server.post(f"/v1/executions/{server.newest()['id']}/resume", {"process": process})

    person = threading.Thread(target=take_over)
    person.start()

    with pytest.raises(omium.LeaseLost, match="another process has taken it up"):
        flow()

    person.join(TIMEOUT_S)
    assert server.newest()["status"] == "running"

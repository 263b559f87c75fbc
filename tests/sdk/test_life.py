import asyncio
import logging
import sys
import threading

import pytest

import omium
from omium.errors import Cancelled, ConnectionLost, LeaseLost, Suspended, Unserialisable
from omium.sdk import capture, runner
from omium.sdk.calls import Call
from omium.sdk.context import find_frame
from omium.sdk.registry import find_workflow
from tests.sdk.edge import Edge, grant


@pytest.fixture
def edge():
    return Edge()


@omium.step
def double(x):
    return 2 * x


@omium.step(name="adouble")
async def double_async(x):
    await asyncio.sleep(0)
    return 2 * x


def run(edge, function, **options):
    workflow = find_workflow(omium.workflow(name="w", **options)(function))
    driving = edge.driving(timeout_s=options.get("timeout_s"), on_pause=options.get("on_pause", "raise"))
    return runner.drive(edge.session(), driving, workflow, Call(function))


async def arun(edge, function, **options):
    workflow = find_workflow(omium.workflow(name="w", **options)(function))
    return await runner.adrive(edge.session(), edge.driving(), workflow, Call(function))


def test_a_result_completes_the_execution(edge):
    assert run(edge, lambda: double(2)) == 4

    assert edge.types_of() == ["step.completed", "execution.completed"]
    assert edge.writes[-1]["output"] == 4


def test_an_exception_fails_it_says_where_it_came_from_and_goes_on_to_the_caller(edge):
    mine = ValueError("no")

    @omium.step
    def fails():
        raise mine

    with pytest.raises(ValueError) as caught:
        run(edge, fails)

    assert caught.value is mine
    assert edge.types_of() == ["step.attempt_failed", "execution.failed"]
    assert (edge.writes[-1]["path"], edge.writes[-1]["error"]["type"]) == ("fails", "ValueError")
    assert len(mine.__notes__) == 1


def test_an_exception_outside_any_step_has_no_path(edge):
    with pytest.raises(ZeroDivisionError):
        run(edge, lambda: 1 / 0)

    assert edge.writes[-1]["path"] == ""


def test_an_output_without_a_json_form_fails_it_by_name(edge):
    with pytest.raises(Unserialisable, match="Workflow w returned"):
        run(edge, threading.Lock)

    assert edge.types_of() == ["execution.failed"]


def test_a_workflow_is_tried_again_as_its_policy_says_and_recorded_steps_return(edge):
    edge.values = {"double": 4}
    tries = []

    def flow():
        double(2)
        tries.append(1)
        if len(tries) == 1:
            raise OSError
        return "ok"

    assert run(edge, flow, retry=omium.RetryPolicy(max_attempts=2, initial_delay_s=1)) == "ok"
    assert edge.completed() == {"double": 1}


def test_a_workflow_that_takes_too_long_fails_before_its_next_step(edge):
    def flow():
        double(1)
        edge.clock.advance(60)
        double(2)

    with pytest.raises(omium.StepTimeout, match="Workflow w took longer"):
        run(edge, flow, timeout_s=30)

    assert edge.writes[-1]["error"]["code"] == "timeout"


def test_a_pause_gives_the_lease_back_and_is_not_swallowed_by_except_exception(edge, capfd):
    def flow():
        double(1)
        edge.group = {"suspend": "operator"}
        double(2)
        try:
            double(3)
        except Exception:
            return "swallowed"

    with pytest.raises(Suspended):
        run(edge, flow)

    assert edge.writes[-1]["type"] == "execution.suspends"
    assert edge.writes[-1]["reason"] == "operator"
    said = capfd.readouterr().err
    assert said == ("omium: Execution ex_1 was paused by an operator. Go on with: omium resume ex_1\n")


def test_a_cancel_ends_it(edge):
    def flow():
        edge.group = {"cancel_requested": True}
        double(1)
        double(2)

    with pytest.raises(Cancelled):
        run(edge, flow)

    assert (edge.writes[-1]["reason"], edge.writes[-1]["outcome"]) == ("cancel", "stopped")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)])
def test_an_interrupt_gives_the_lease_back_and_goes_on(edge, error):
    def flow():
        raise error

    with pytest.raises(type(error)):
        run(edge, flow)

    assert (edge.writes[-1]["type"], edge.writes[-1]["reason"]) == ("execution.suspends", "interrupted")
    assert edge.writes[-1]["error"]["type"] == type(error).__name__


def test_a_lost_lease_writes_nothing_more(edge):
    def flow():
        double(1)
        edge.refusals["step.completed"] = LeaseLost("another")
        double(2)

    with pytest.raises(LeaseLost):
        run(edge, flow)

    assert edge.types_of() == ["step.completed"]


def test_a_server_that_stays_away_ends_the_run_without_waiting_for_it_again(edge):
    edge.refusals["step.completed"] = ConnectionLost("away")

    with pytest.raises(ConnectionLost):
        run(edge, lambda: double(1))

    assert edge.writes == []


def test_a_failure_that_cannot_be_recorded_is_still_the_users_own(edge):
    edge.refusals = {
        "step.attempt_failed": ConnectionLost("away"),
        "execution.failed": ConnectionLost("away"),
    }

    @omium.step(retry=3)
    def fails():
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine") as caught:
        run(edge, fails)

    assert any("could not be recorded" in note for note in caught.value.__notes__)


def test_what_was_captured_and_used_travels_with_the_next_write(edge):
    def flow():
        omium.record_usage(model="m", input_tokens=3)
        omium.capture_failure(ValueError("caught"))
        return double(1)

    run(edge, flow)

    assert edge.types_of() == ["usage.recorded", "failure.captured", "step.completed", "execution.completed"]


def test_usage_inside_a_step_travels_with_its_record(edge):
    @omium.step
    def ask():
        omium.record_usage(model="m", provider="p", input_tokens=3, output_tokens=4, cost_usd=0.25)

    run(edge, ask)

    (usage,) = edge.of("step.completed")[0]["usage"]
    assert (usage["input_tokens"], usage["reported_cost_microusd"], usage["path"]) == (3, 250_000, "ask")


def test_a_checkpoint_is_durable_and_can_be_read_again(edge):
    def flow():
        omium.checkpoint("draft", {"n": 1})
        return omium.load_checkpoint("draft"), omium.load_checkpoint("none", 7)

    assert run(edge, flow) == ({"n": 1}, 7)
    assert edge.of("checkpoint.saved")[0]["state"] == {"n": 1}


def test_outside_any_execution_nothing_of_it_does_anything():
    omium.checkpoint("a", 1)
    omium.capture_failure(ValueError())
    omium.record_usage(model="m")

    assert (omium.load_checkpoint("a", 2), omium.effect_key(), omium.execution_id()) == (2, None, None)


def test_a_drive_that_waits_goes_on_in_place_when_somebody_resumes_it(edge, capfd):
    edge.answers = {
        "GET /v1/executions/ex_1": [
            (200, {"status": "paused", "reason": "operator", "generation": 1, "attempt": 1}),
            (200, {"status": "queued", "reason": None, "generation": 1, "attempt": 1}),
        ],
        "POST /v1/executions/ex_1/resume": [(200, grant(edge))],
    }
    epochs = []

    def flow():
        edge.group = {"suspend": "operator"}
        double(1)
        edge.group = {}
        double(2)
        epochs.append(find_frame().driving.lease.epoch)
        return "ok"

    assert run(edge, flow, on_pause="wait") == "ok"
    assert edge.types_of() == [
        "step.completed",
        "execution.suspends",
        "step.completed",
        "execution.completed",
    ]
    assert epochs == [2]
    assert "Go on with: omium resume ex_1" in capfd.readouterr().err


@pytest.mark.parametrize("seen", [1, 2])
def test_a_drive_that_waits_does_not_go_on_in_the_middle_after_a_rollback(edge, seen):
    edge.answers = {
        "GET /v1/executions/ex_1": [
            (200, {"status": "queued", "reason": None, "generation": seen, "attempt": 1})
        ],
        "POST /v1/executions/ex_1/resume": [(200, grant(edge, generation=2))],
    }

    def flow():
        edge.group = {"suspend": "operator"}
        double(1)
        double(2)

    with pytest.raises(LeaseLost, match="rolled back"):
        run(edge, flow, on_pause="wait")
    given_back = edge.of("execution.suspends")[1:]
    assert len(given_back) == (1 if seen == 1 else 0)  # what it was granted all the same


QUEUED = (200, {"status": "queued", "reason": None, "generation": 1, "attempt": 1})


def waits(edge, **options):
    """Run a workflow that is paused after its first step and waits."""

    def flow():
        edge.group = {"suspend": "operator"}
        double(1)
        edge.group = {}
        return double(2)

    return run(edge, flow, on_pause="wait", **options)


def asked(edge):
    return [(method, body) for method, path, body in edge.requests if path.startswith("/v1/executions/ex_1")]


def test_a_drive_that_waits_waits_for_its_server_too(edge, monkeypatch, caplog):
    monkeypatch.setattr("omium.sdk.starting.PATIENCE_S", 0)
    busy = (503, {"type": "https://omium.dev/problems/overloaded", "detail": "busy", "code": "overloaded"})
    edge.answers = {
        "GET /v1/executions/ex_1": [*[ConnectionLost("No Omium server answers")] * 200, busy, QUEUED],
        "POST /v1/executions/ex_1/resume": [(200, grant(edge))],
    }

    assert waits(edge) == 4
    assert [record.message for record in caplog.records if "No Omium server" in record.message] == [
        "Execution ex_1 waits for its server, too. No Omium server answers"
    ]


def test_a_pause_that_cannot_be_told_yet_is_told_when_the_server_is_back(edge, monkeypatch):
    edge.answers = {
        "GET /v1/executions/ex_1": [QUEUED],
        "POST /v1/executions/ex_1/resume": [(200, grant(edge))],
    }
    told = []
    write = edge.write

    def away(request):
        if request.write["type"] == "execution.suspends":
            told.append(request)
            if len(told) < 5:
                raise ConnectionLost("away")
        return write(request)

    edge.write = away

    assert waits(edge) == 4
    assert edge.types_of().count("execution.suspends") == 1


def test_a_grant_whose_answer_was_lost_is_asked_for_again_as_the_same_grant(edge, monkeypatch):
    monkeypatch.setattr("omium.sdk.starting.PATIENCE_S", 0)
    edge.answers = {
        "GET /v1/executions/ex_1": [QUEUED],
        "POST /v1/executions/ex_1/resume": [ConnectionLost("gone")] * 3 + [(200, grant(edge))],
    }

    assert waits(edge) == 4
    tokens = [body["lease_token"] for method, body in asked(edge) if method == "POST"]
    assert len(tokens) == 4
    assert len(set(tokens)) == 1


def test_a_drive_that_waited_and_was_overtaken_says_who_has_it(edge):
    refused = (409, {"detail": "ex_1 is running.", "code": "illegal-transition"})
    running = (200, {"status": "running", "generation": 1, "attempt": 2})
    edge.answers = {
        "GET /v1/executions/ex_1": [QUEUED, running],
        "POST /v1/executions/ex_1/resume": [refused],
    }

    with pytest.raises(LeaseLost, match="another process has taken it up, so it ends here") as caught:
        waits(edge)
    assert "omium executions show ex_1" in str(caught.value)


def test_what_has_not_heard_of_the_pause_yet_is_no_other_driver(edge):
    running = (200, {"status": "running", "generation": 1, "attempt": 1})
    edge.answers = {
        "GET /v1/executions/ex_1": [running, running, QUEUED],
        "POST /v1/executions/ex_1/resume": [(200, grant(edge))],
    }

    assert waits(edge) == 4


def test_a_pause_does_not_count_for_the_workflows_timeout(edge):
    paused = (200, {"status": "paused", "reason": "operator", "generation": 1, "attempt": 1})
    edge.answers = {
        "GET /v1/executions/ex_1": [*[paused] * 100, QUEUED],
        "POST /v1/executions/ex_1/resume": [(200, grant(edge))],
    }

    assert waits(edge, timeout_s=10) == 4


def test_a_cancel_ends_the_wait(edge):
    edge.answers = {"GET /v1/executions/ex_1": [(200, {"status": "cancelled", "generation": 1})]}

    with pytest.raises(Cancelled):
        waits(edge)


def test_a_worker_that_stops_does_not_wait_on(edge):
    paused = (200, {"status": "paused", "reason": "operator", "generation": 1, "attempt": 1})
    edge.answers = {"GET /v1/executions/ex_1": [paused] * 5}
    sleep = edge.sleep

    def stop(seconds):
        sleep(seconds)
        if len(edge.answers["GET /v1/executions/ex_1"]) < 3:
            drivings[0].stop_reason = "drain"

    drivings = []

    def flow():
        drivings.append(find_frame().driving)
        edge.group = {"suspend": "operator"}
        double(1)
        edge.sleep = stop
        double(2)

    with pytest.raises(Suspended) as caught:
        run(edge, flow, on_pause="wait")
    assert caught.value.reason == "drain"


# ---- async


async def test_an_async_workflow_completes(edge):
    async def flow():
        return sum(await asyncio.gather(double_async(1), double_async(2)))

    assert await arun(edge, flow) == 6
    assert edge.types_of() == ["step.completed", "step.completed", "execution.completed"]


async def test_a_sync_workflow_runs_inside_a_running_loop(edge):
    assert run(edge, lambda: double(2)) == 4


async def test_a_cancel_reaches_a_running_coroutine_at_once(edge):
    seen = []

    async def flow():
        await double_async(1)
        edge.group = {"cancel_requested": True}
        await double_async(2)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    with pytest.raises(Cancelled):
        await arun(edge, flow)

    assert seen == ["cancelled"]
    assert edge.writes[-1]["reason"] == "cancel"
    assert asyncio.current_task().cancelling() == 0


async def test_a_cancellation_of_the_users_own_is_an_interrupt_and_stays_one(edge):
    began = asyncio.Event()

    async def flow():
        began.set()
        await asyncio.sleep(60)

    task = asyncio.create_task(arun(edge, flow))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert edge.writes[-1]["reason"] == "interrupted"


async def test_a_pause_inside_a_task_group_comes_out_as_itself(edge):
    async def flow():
        await double_async(1)
        edge.group = {"suspend": "operator"}
        await double_async(2)
        async with asyncio.TaskGroup() as group:
            group.create_task(double_async(3))
            group.create_task(double_async(4))

    with pytest.raises(Suspended):
        await arun(edge, flow)

    assert edge.writes[-1]["reason"] == "operator"


async def test_other_branches_end_their_steps_before_the_lease_is_given_back(edge):
    release = asyncio.Event()

    @omium.step
    async def slow():
        await release.wait()
        return "kept"

    async def flow():
        other = asyncio.ensure_future(slow())
        await asyncio.sleep(0)
        edge.group = {"suspend": "credits"}
        await double_async(1)
        asyncio.get_running_loop().call_later(0.05, release.set)
        try:
            await double_async(2)
        finally:
            assert not other.done()

    with pytest.raises(Suspended):
        await arun(edge, flow)

    assert edge.types_of()[-2:] == ["step.completed", "execution.suspends"]
    assert edge.writes[-2]["path"] == "slow"


async def test_a_workflow_inside_another_is_a_scope_of_the_same_execution(edge):
    @omium.workflow
    async def inner(x):
        return await double_async(x)

    async def outer():
        return await inner(1) + await inner(2)

    assert await arun(edge, outer) == 6
    assert [write["path"] for write in edge.of("step.completed")] == [
        "inner/adouble", "inner", "inner#2/adouble", "inner#2",
    ]  # fmt: skip
    assert edge.of("step.completed")[1]["kind"] == "workflow"


# ---- capture


def test_what_a_step_prints_and_logs_is_kept_with_it_and_still_printed(edge, capsys):
    @omium.step
    def speaks(name):
        print(f"hello {name}")
        print("half", end="")
        logging.getLogger("agent").warning("careful %s", name)
        print("err", file=sys.stderr)

    def flow():
        speaks("a")
        speaks("b")
        print("outside")

    run(edge, flow)

    logs = [[(line["stream"], line["text"]) for line in write["logs"]] for write in edge.of("step.completed")]
    assert logs[0] == [
        ("stdout", "hello a"),
        ("log", "agent: careful a"),
        ("stderr", "err"),
        ("stdout", "half"),
    ]
    assert logs[1][0] == ("stdout", "hello b")
    assert "hello a\n" in capsys.readouterr().out


def test_secrets_in_what_a_step_prints_are_masked(edge):
    @omium.step
    def careless():
        print("Authorization: Bearer sk-abcdefghijklmnopqrstuvwxyz0123456789")

    run(edge, careless)

    assert "abcdefghijklmnopqrstuvwxyz" not in edge.writes[0]["logs"][0]["text"]


def test_what_is_kept_of_a_steps_output_is_bounded(edge):
    @omium.step
    def floods():
        for number in range(5_000):
            print(f"line {number}")
        print("x" * 10_000)

    run(edge, floods)

    lines = edge.writes[0]["logs"]
    assert len(lines) <= capture.LINES_MAX
    assert sum(len(line["text"]) for line in lines) <= capture.TEXT_CHARS_MAX + 100
    assert "earlier lines were not kept" in lines[0]["text"]


def test_streams_are_as_they_were_afterwards(edge):
    before = sys.stdout, sys.stderr

    run(edge, lambda: double(1))

    assert (sys.stdout, sys.stderr) == before

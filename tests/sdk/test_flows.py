"""Flows behave the same under both drivers: results are sent in, everything that is raised is thrown in."""

import asyncio
import os

import pytest

from omium.clock import ManualClock
from omium.errors import ForkedDriver, LeaseLost
from omium.sdk import flows
from omium.sdk.flows import Flow, Http, HttpAnswer, Lease, Write, WriteOutcome, drive_async, drive_sync
from omium.states import Durability


def make_lease(**changes) -> Lease:
    return Lease(**{"execution_id": "ex_1", "epoch": 1, "token": "t", "acked_us": 0, **changes})


class Ports:
    def __init__(self):
        self.done = []

    def http(self, request: Http) -> HttpAnswer:
        self.done.append(request.path)
        return HttpAnswer(200, {}, b"{}", 0)

    def write(self, request: Write) -> WriteOutcome:
        self.done.append(request.write["type"])
        return WriteOutcome({"seq": 7}, {"suspend": "operator"})

    def sleep(self, seconds: float) -> None:
        self.done.append(seconds)


class AsyncPorts:
    def __init__(self):
        self.inner = Ports()
        self.done = self.inner.done

    async def http(self, request):
        return self.inner.http(request)

    async def write(self, request):
        return self.inner.write(request)

    async def sleep(self, seconds):
        self.inner.sleep(seconds)


@pytest.fixture(params=["sync", "async"])
def run(request):
    def run_sync(flow):
        ports = Ports()
        return drive_sync(flow, ports), ports.done

    def run_async(flow):
        ports = AsyncPorts()
        return asyncio.run(drive_async(flow, ports)), ports.done

    return run_sync if request.param == "sync" else run_async


def test_every_effect_is_performed_in_order_and_its_result_sent_in(run):
    def flow() -> Flow[list]:
        answer = yield from flows.http("GET", "/v1/status")
        outcome = yield from flows.write(make_lease(), {"type": "heartbeat"})
        yield from flows.sleep(1.5)
        product = yield from flows.invoke(lambda a, b: a * b, 6, b=7)
        return [answer.status, outcome.seq, outcome.suspend, outcome.cancel_requested, product]

    result, done = run(flow())

    assert result == [200, 7, "operator", False, 42]
    assert done == ["/v1/status", "heartbeat", 1.5]


def test_what_the_users_function_raises_is_thrown_into_the_flow(run):
    def broken():
        raise KeyError("missing")

    def flow() -> Flow[str]:
        try:
            yield from flows.invoke(broken)
        except KeyError as error:
            yield from flows.sleep(0.1)
            return f"caught {error}"
        return "not raised"

    assert run(flow()) == ("caught 'missing'", [0.1])


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, LeaseLost])
def test_a_base_exception_passes_through_the_flow_and_out_of_the_driver(run, kind):
    cleaned = []

    def stop():
        raise kind

    def flow() -> Flow[None]:
        try:
            yield from flows.invoke(stop)
        finally:
            cleaned.append(True)

    with pytest.raises(kind):
        run(flow())
    assert cleaned == [True]


def test_a_function_that_raises_stop_iteration_does_not_end_the_flow_as_if_it_had_returned(run):
    def flow() -> Flow[str]:
        try:
            yield flows.Invoke(lambda: next(iter(())))
        except StopIteration:
            return "seen"
        return "lost"

    assert run(flow()) == ("seen", [])


async def test_the_async_driver_awaits_what_the_function_returns():
    async def work(value):
        await asyncio.sleep(0)
        return value + 1

    def flow() -> Flow[int]:
        return (yield from flows.invoke(work, 1))

    assert await drive_async(flow(), AsyncPorts()) == 2


async def test_cancelling_the_task_is_thrown_into_the_flow_which_may_still_write():
    started = asyncio.Event()

    async def work():
        started.set()
        await asyncio.Event().wait()

    def flow() -> Flow[None]:
        try:
            yield from flows.invoke(work)
        except asyncio.CancelledError:
            yield from flows.write(make_lease(), {"type": "execution.suspends"})
            raise

    ports = AsyncPorts()
    task = asyncio.create_task(drive_async(flow(), ports))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ports.done == ["execution.suspends"]


def test_a_driver_that_heard_nothing_for_its_fence_starts_nothing_new():
    clock = ManualClock()
    lease = make_lease(acked_us=clock.boot_us(), self_fence_s=20)

    clock.advance(20)
    assert lease.may_start(clock)
    clock.advance(0.001)
    assert not lease.may_start(clock)

    lease.note_ack(clock.boot_us())
    assert lease.may_start(clock)


def test_an_answer_that_comes_late_does_not_set_the_fence_back():
    lease = make_lease(acked_us=50)
    lease.note_ack(40)
    assert lease.acked_us == 50


def test_a_relaxed_driver_does_not_fence_itself():
    clock = ManualClock()
    lease = make_lease(durability=Durability.RELAXED)
    clock.advance(3600)
    assert lease.may_start(clock)


def test_a_lost_lease_refuses_every_write_but_late_facts():
    lease = make_lease()
    lease.lose("Another driver owns it.")
    with pytest.raises(LeaseLost, match="Another driver"):
        lease.require("step.completed")
    lease.require("effect.ended")
    lease.require("usage.recorded")


def test_a_forked_child_may_not_write_under_its_parents_lease():
    lease = make_lease(pid=os.getpid() + 1)
    with pytest.raises(ForkedDriver, match="ex_1"):
        lease.require("usage.recorded")


def test_the_token_is_not_shown_where_a_lease_is_printed():
    assert "secret" not in repr(make_lease(token="secret"))

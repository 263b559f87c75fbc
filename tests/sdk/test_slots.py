"""Steps with a concurrency key: asked for before each try, given back after it, waited for elsewhere."""

import asyncio

import pytest

import omium
from omium.errors import Cancelled, ConnectionLost, InvalidStepName, SlotsTaken, Suspended, Waits
from omium.sdk import runner
from omium.sdk.calls import Call
from omium.sdk.driving import LONG_DELAY_S
from omium.sdk.heartbeat import Heart
from omium.sdk.life import find_suspension
from omium.sdk.registry import find_workflow
from omium.sdk.slot_rows import SlotRows
from tests.sdk.edge import Edge

ONE = omium.Concurrency("provider", 1)
NOW = omium.RetryPolicy(max_attempts=2, initial_delay_s=0, jitter=False)


@pytest.fixture
def edge():
    return Edge()


def drive(edge, function, **options):
    workflow = find_workflow(omium.workflow(name="w")(function))
    return runner.drive(edge.session(), edge.driving(**options), workflow, Call(function))


def make_call(errors=(), **options):
    errors = list(errors)

    @omium.step(name="call", concurrency=ONE, **options)
    def call():
        if errors:
            raise errors.pop(0)
        return "called"

    return call


def test_a_step_asks_before_it_runs_and_gives_back_with_its_record(edge):
    assert drive(edge, make_call()) == "called"

    assert edge.types_of() == ["slot.asked", "slot.returned", "step.completed", "execution.completed"]
    assert edge.writes[0] == {
        "type": "slot.asked", "path": "call", "attempt": 1, "key": "provider", "limit": 1,
    }  # fmt: skip
    assert edge.writes[1] == {"type": "slot.returned", "path": "call", "attempt": 1, "key": "provider"}


def test_each_try_has_a_slot_of_its_own(edge):
    assert drive(edge, make_call([OSError()], retry=NOW)) == "called"

    tries = ["slot.asked", "slot.returned", "step.attempt_failed", "slot.asked", "slot.returned"]
    assert edge.types_of()[:5] == tries


def test_a_recorded_step_needs_none(edge):
    plain, call = omium.step(name="plain")(str), make_call()

    def flow():
        return [plain(1), call()]

    assert drive(edge, flow) == ["1", "called"]
    assert len(edge.of("slot.asked")) == 1


def test_waiting_is_no_attempt_and_looks_again_within_a_second(edge):
    edge.slots = ["waiting"] * 12
    began_us = edge.clock.now_us()

    assert drive(edge, make_call()) == "called"

    assert (len(edge.of("slot.asked")), len(edge.of("step.attempt_failed"))) == (13, 0)
    assert 5_000_000 < edge.clock.now_us() - began_us < 12_000_000


def test_a_worker_gives_the_execution_back_and_keeps_its_place(edge):
    edge.slots = ["waiting"] * 1_000
    began_us = edge.clock.now_us()

    with pytest.raises(Waits) as caught:
        drive(edge, make_call(), on_worker=True)

    waits = edge.writes[-1]
    assert (waits["type"], waits["reason"]) == ("execution.waits", "slot")
    assert waits["detail"] == {"step": "call", "key": "provider"}
    assert edge.of("slot.returned") == []
    assert caught.value.reason == "slot"
    assert LONG_DELAY_S < (edge.clock.now_us() - began_us) / 1_000_000 < LONG_DELAY_S + 3


def test_a_script_waits_for_as_long_as_it_takes(edge):
    edge.slots = ["waiting"] * 200

    assert drive(edge, make_call()) == "called"


async def test_what_runs_beside_a_step_that_waits_ends_first(edge):
    edge.slots = ["waiting"] * 1_000
    beside = asyncio.Event()

    @omium.step(name="slow")
    async def slow():
        while edge.clock.now_us() - began_us < 2 * LONG_DELAY_S * 1_000_000:  # noqa: ASYNC110  # sleeps move it
            await asyncio.sleep(0)
        beside.set()

    @omium.step(name="call", concurrency=ONE)
    async def call():
        raise AssertionError

    async def flow():
        await asyncio.gather(slow(), call())

    began_us = edge.clock.now_us()
    workflow = find_workflow(omium.workflow(name="w")(flow))
    with pytest.raises(Waits):
        await runner.adrive(edge.session(), edge.driving(on_worker=True), workflow, Call(flow))

    assert beside.is_set()
    assert edge.completed() == {"slow": 1}


def test_a_step_that_may_not_wait_fails_and_is_tried_again(edge):
    edge.slots = ["taken"]

    assert drive(edge, make_call(retry=NOW)) == "called"
    (failed,) = edge.of("step.attempt_failed")
    assert (failed["error"]["type"], failed["error"]["code"]) == ("SlotsTaken", "slots-taken")


def test_without_a_retry_it_ends_there(edge):
    edge.slots = ["taken"]

    with pytest.raises(SlotsTaken, match="a step around it has a slot of another key"):
        drive(edge, make_call())


@pytest.mark.parametrize(
    ("group", "ends"), [({"cancel_requested": True}, Cancelled), ({"suspend": "operator"}, Suspended)]
)
def test_whoever_stops_waiting_gives_up_its_place(edge, group, ends):
    edge.slots = ["waiting"] * 3
    edge.group = group

    with pytest.raises(ends):
        drive(edge, make_call())

    assert edge.types_of() == ["slot.asked", "slot.returned", "execution.suspends"]


def test_an_interrupted_step_gives_back_with_the_next_write(edge):
    with pytest.raises(KeyboardInterrupt):
        drive(edge, make_call([KeyboardInterrupt()]))

    assert edge.types_of() == ["slot.asked", "slot.returned", "execution.suspends"]


def test_an_effect_has_its_slot_before_it_is_announced(edge):
    drive(edge, make_call(effect=True))

    assert edge.types_of()[:4] == ["slot.asked", "effect.intended", "slot.returned", "effect.ended"]


def test_a_limit_is_a_number_above_zero_and_a_key_is_a_name():
    for limit in (0, -1, True, 1.5, 10_001):
        with pytest.raises(omium.ConfigError, match="limit"):
            omium.Concurrency("k", limit)
    with pytest.raises(InvalidStepName):
        omium.Concurrency("", 1)


async def test_of_many_steps_of_one_execution_as_many_ask_as_may_run(edge):
    running, most = set(), []

    @omium.step(name="call", concurrency=omium.Concurrency("provider", 2))
    async def call(number):
        running.add(number)
        most.append(len(running))
        for _ in range(3):
            await asyncio.sleep(0)
        running.discard(number)
        return number

    async def flow():
        return await asyncio.gather(*(call(number) for number in range(30)))

    workflow = find_workflow(omium.workflow(name="w")(flow))
    assert await runner.adrive(edge.session(), edge.driving(), workflow, Call(flow)) == [*range(30)]

    assert len(edge.of("slot.asked")) == 30  # nobody asked in vain
    assert max(most) == 2
    first_back = edge.types_of().index("slot.returned")
    assert [write["path"] for write in edge.writes[:first_back]] == ["call", "call#2"]


def test_rows_are_in_the_order_of_coming_and_those_inside_stand_in_none():
    rows = SlotRows()
    for path in ("a", "b", "c", "a"):
        rows.enter("k", path)
    rows.enter("k", "b/inner/x")
    rows.enter("other", "c")

    assert [rows.count_ahead("k", path) for path in ("a", "b", "c", "b/inner/x")] == [0, 1, 2, 0]
    rows.leave("k", "a")
    rows.leave("k", "a")
    rows.leave("k", "b/inner/x")
    rows.leave("unheard", "a")
    rows.enter("k", "a")
    assert [rows.count_ahead("k", path) for path in ("b", "c", "a")] == [0, 1, 2]
    assert rows.count_ahead("other", "c") == 0


async def test_one_that_stops_behind_others_has_nothing_to_give_back(edge):
    edge.slots = ["waiting"] * 1_000
    call = omium.step(name="call", concurrency=ONE)(asyncio.sleep)

    async def pause():
        while len(edge.of("slot.asked")) < 4:  # noqa: ASYNC110  # what is asked is all that one sees
            await asyncio.sleep(0)
        edge.group = {"suspend": "operator"}

    async def flow():
        await asyncio.gather(call(0), call(0), pause())

    workflow = find_workflow(omium.workflow(name="w")(flow))
    with pytest.raises(Suspended):
        await runner.adrive(edge.session(), edge.driving(), workflow, Call(flow))

    assert {write["path"] for write in edge.of("slot.asked")} == {"call"}
    assert [write["path"] for write in edge.of("slot.returned")] == ["call"]


def on_worker(edge, flow):
    workflow = find_workflow(omium.workflow(name="w")(flow))
    driving = edge.driving(on_worker=True)
    return driving, runner.adrive(edge.session(), driving, workflow, Call(flow))


async def test_nobody_leaves_while_one_of_them_asks_or_is_recorded(edge):
    """Those that wait behind others here have no place at the server: nobody would wake the execution."""

    @omium.step(name="call", concurrency=ONE)
    async def call(number):
        edge.clock.advance(2 * LONG_DELAY_S)
        await asyncio.sleep(0)
        return number

    async def flow():
        return await asyncio.gather(*(call(number) for number in range(4)))

    _, driven = on_worker(edge, flow)
    assert await driven == [0, 1, 2, 3]
    assert edge.of("execution.waits") == []


async def test_a_long_retry_beside_a_step_in_the_row_keeps_its_place(edge):
    edge.slots = ["waiting"] * 1_000
    later = omium.RetryPolicy(max_attempts=2, initial_delay_s=60, multiplier=1, jitter=False)

    @omium.step(name="flaky", retry=later)
    async def flaky():
        raise OSError

    async def flow():
        await asyncio.gather(omium.step(name="call", concurrency=ONE)(asyncio.sleep)(0), flaky())

    began_us = edge.clock.now_us()
    _, driven = on_worker(edge, flow)
    with pytest.raises(Waits):
        await driven

    assert edge.writes[-1]["reason"] == "slot"
    assert edge.writes[-1]["wake_at_us"] == pytest.approx(began_us + 60_000_000, abs=5_000_000)
    assert edge.of("slot.returned") == []


async def test_steps_of_a_task_group_keep_their_places_when_the_first_of_them_leaves(edge):
    edge.slots = ["waiting"] * 1_000
    call = omium.step(name="call", concurrency=omium.Concurrency("provider", 3))(asyncio.sleep)

    async def flow():
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(call(0))

    _, driven = on_worker(edge, flow)
    with pytest.raises(BaseException) as caught:
        await driven

    assert find_suspension(caught.value).reason == "slot"
    assert edge.types_of()[-1] == "execution.waits"
    assert edge.of("slot.returned") == []


def test_an_effect_that_is_recorded_already_keeps_no_slot(edge):
    edge.effects = {"call": {"state": "done", "may_call": False, "has_output": True, "output": "before"}}

    assert drive(edge, make_call(effect=True)) == "before"
    assert edge.types_of()[:3] == ["slot.asked", "effect.intended", "slot.returned"]


def test_a_stream_takes_no_key():
    with pytest.raises(omium.ConfigError, match="generator"):

        @omium.step(concurrency=ONE)
        def stream():
            yield 1


def test_a_heartbeat_takes_along_what_nobody_else_sends_and_says_it_again_until_it_is_heard(edge):
    heart, driving = Heart(edge, edge.clock), edge.driving()
    driving.along({"type": "slot.returned", "path": "call", "attempt": 1, "key": "provider"})
    edge.refusals = {"slot.returned": ConnectionLost("away")}
    edge.write_beside = lambda requests: [tried(edge, request) for request in requests]
    heart.beat(driving)
    assert edge.types_of() == ["heartbeat"]

    edge.refusals = {}
    heart.beat(driving)
    heart.beat(driving)
    assert edge.types_of() == ["heartbeat", "slot.returned", "heartbeat", "heartbeat"]


def test_a_lost_lease_ends_no_heartbeat_of_others(edge):
    heart, lost, other = Heart(edge, edge.clock), edge.driving(), edge.driving()
    lost.along({"type": "slot.returned", "path": "call", "attempt": 1, "key": "provider"})
    lost.lease.lose("Another driver has it.")
    edge.write_beside = lambda requests: [tried(edge, request) for request in requests]

    assert heart.beat(lost, other) is False
    assert edge.types_of() == ["heartbeat"]
    assert lost.take_along() == []


def tried(edge, request):
    try:
        return edge.write(request)
    except BaseException as error:
        return error

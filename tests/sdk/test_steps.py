import asyncio
import contextvars
import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import omium
from omium.errors import (
    Cancelled,
    ConnectionLost,
    DuplicateStepKey,
    ForkedDriver,
    LeaseLost,
    StepTimeout,
    Suspended,
    Unserialisable,
)
from omium.jsonvalue import input_record
from omium.sdk import carrying
from tests.sdk.edge import Edge, entered, record


@pytest.fixture
def edge():
    return Edge()


def digest_of(**arguments):
    return input_record(arguments).digest


@omium.step
def double(x):
    return 2 * x


@omium.step(name="adouble")
async def double_async(x):
    await asyncio.sleep(0)
    return 2 * x


def test_outside_an_execution_a_step_just_runs():
    assert double(4) == 8


async def test_outside_an_execution_an_async_step_just_runs():
    assert await double_async(4) == 8


def test_a_step_is_written_once_at_its_end(edge):
    with entered(edge.driving()):
        assert double(4) == 8

    (write,) = edge.writes
    assert (write["type"], write["path"], write["output"], write["attempt"]) == (
        "step.completed",
        "double",
        8,
        1,
    )
    assert (write["input"], write["comparable"]) == ({"x": 4}, "full")
    assert write["input_digest"] == digest_of(x=4)


async def test_an_async_step_is_written_the_same_way(edge):
    with entered(edge.driving()):
        assert await double_async(4) == 8

    (write,) = edge.writes
    assert (write["type"], write["path"], write["output"]) == ("step.completed", "adouble", 8)


def test_a_recorded_step_returns_without_running_or_writing(edge):
    with entered(edge.driving([record("double", digest_of(x=4), 99)])):
        assert double(4) == 99

    assert edge.writes == []


def test_a_large_record_is_fetched_with_those_that_come_next(edge):
    edge.values = {"double": 1, "double#2": 2}
    records = [
        record("double", digest_of(x=1), None, inline=False),
        record("double#2", digest_of(x=2), None, inline=False),
    ]

    with entered(edge.driving(records)):
        assert [double(1), double(2)] == [1, 2]

    assert [request[2] for request in edge.requests] == [{"paths": ["double", "double#2"]}]


def test_a_changed_input_runs_again_and_replaces_the_record(edge):
    with entered(edge.driving([record("double", digest_of(x=4), 99)])):
        assert double(5) == 10

    (write,) = edge.writes
    assert write["supersedes"] is True


def test_a_step_that_matches_by_name_returns_its_record_whatever_its_input(edge):
    step = omium.step(name="double", match="name")(lambda x: 2 * x)

    with entered(edge.driving([record("double", digest_of(x=4), 99)])):
        assert step(5) == 99


def test_steps_inside_a_step_have_paths_inside_it(edge):
    @omium.step
    def outer():
        return double(1) + double(2)

    with entered(edge.driving()):
        assert outer() == 6

    assert [write["path"] for write in edge.writes] == ["outer/double", "outer/double#2", "outer"]


def test_an_async_number_is_allotted_when_the_step_is_called_not_when_it_is_awaited(edge):
    async def main():
        with entered(edge.driving()):
            first, second = double_async(1), double_async(2)
            assert await second == 4
            assert await first == 2

    asyncio.run(main())

    assert [(write["path"], write["output"]) for write in edge.writes] == [("adouble#2", 4), ("adouble", 2)]


async def test_gathered_steps_are_numbered_in_the_order_of_their_calls(edge):
    with entered(edge.driving()):
        assert await asyncio.gather(*(double_async(x) for x in range(5))) == [0, 2, 4, 6, 8]

    assert {write["path"]: write["output"] for write in edge.writes} == {
        "adouble": 0, "adouble#2": 2, "adouble#3": 4, "adouble#4": 6, "adouble#5": 8,
    }  # fmt: skip


def test_the_users_own_exception_comes_out_with_a_note(edge):
    mine = ValueError("no")

    @omium.step
    def fails():
        raise mine

    with entered(edge.driving()), pytest.raises(ValueError, match="no") as caught:
        fails()

    assert caught.value is mine
    assert "omium executions show ex_1" in mine.__notes__[0]
    (write,) = edge.writes
    assert (write["type"], write["delay_us"], write["error"]["type"]) == (
        "step.attempt_failed", None, "ValueError",
    )  # fmt: skip


def test_a_step_is_tried_again_as_its_policy_says(edge):
    tries = []

    @omium.step(retry=omium.RetryPolicy(max_attempts=3, initial_delay_s=10, jitter=False))
    def flaky():
        tries.append(edge.clock.boot_us())
        if len(tries) < 3:
            raise OSError("busy")
        return "ok"

    with entered(edge.driving()):
        assert flaky() == "ok"

    assert [write["attempt"] for write in edge.writes if "attempt" in write] == [1, 2, 3]
    assert [after - before for before, after in itertools.pairwise(tries)] == [
        10_000_000,
        20_000_000,
    ]


def test_a_providers_retry_after_wins(edge):
    class Limited(Exception):
        retry_after_s = 7.0

    tries = []

    @omium.step(retry=2)
    def limited():
        tries.append(1)
        if len(tries) == 1:
            raise Limited
        return 1

    with entered(edge.driving()):
        limited()

    assert 7_000_000 <= edge.of("step.attempt_failed")[0]["delay_us"] <= 7_700_000


def test_a_resume_counts_attempts_on_and_gives_a_fresh_budget(edge):
    @omium.step(retry=omium.RetryPolicy(max_attempts=2, initial_delay_s=0, jitter=False))
    def fails():
        raise ValueError

    driving = edge.driving([record("fails", digest_of(), status="failed", attempt=3)])
    with entered(driving), pytest.raises(ValueError):
        fails()

    assert [write["attempt"] for write in edge.of("step.attempt_failed")] == [4, 5]


def test_after_a_failed_try_of_the_outer_step_inner_plain_steps_run_again_and_effects_do_not(edge):
    tries, plain, effect = [], [], []
    inner_plain = omium.step(name="plain")(lambda: plain.append(1))
    inner_effect = omium.step(name="effect", effect=True)(lambda: effect.append(1))

    @omium.step(retry=omium.RetryPolicy(max_attempts=2, initial_delay_s=0))
    def outer():
        inner_plain()
        inner_effect()
        tries.append(1)
        if len(tries) == 1:
            raise ValueError

    edge.values = {"outer/effect": None}
    with entered(edge.driving()):
        outer()

    assert (len(tries), len(plain), len(effect)) == (2, 2, 1)
    assert [write["attempt"] for write in edge.of("step.completed") if write["name"] == "plain"] == [1, 2]


def test_an_output_without_a_json_form_fails_the_step_by_name_and_is_not_tried_again(edge):
    @omium.step(retry=3)
    def opens():
        return threading.Lock()

    with entered(edge.driving()), pytest.raises(Unserialisable, match="Step opens returned"):
        opens()

    assert edge.types_of() == ["step.attempt_failed"]
    assert edge.writes[0]["delay_us"] is None


def test_an_output_above_the_limit_fails_the_step_by_name(edge):
    step = omium.step(name="huge")(lambda: "x" * (8 * 1024 * 1024))

    with entered(edge.driving()), pytest.raises(Unserialisable, match="Step huge returned 8388610 bytes"):
        step()


def test_an_unrecorded_step_keeps_no_value_and_runs_again(edge):
    step = omium.step(name="s", record=False)(lambda: 5)

    with entered(edge.driving([record("s", digest_of(), None, has_output=False)])):
        assert step() == 5

    (write,) = edge.writes
    assert (write["output"], write["has_output"], write["supersedes"], write["attempt"]) == (
        None,
        False,
        True,
        2,
    )


def test_a_key_identifies_a_call_and_may_be_used_once(edge):
    step = omium.step(name="fetch", key=lambda page: f"page-{page}")(lambda page: page)

    with entered(edge.driving()):
        step(1)
        step(2)
        with pytest.raises(DuplicateStepKey):
            step(1)

    assert [(write["path"], write["explicit_key"]) for write in edge.writes] == [
        ("page-1", True),
        ("page-2", True),
    ]


def test_ignored_parameters_say_nothing_about_the_input(edge):
    step = omium.step(name="s", ignore=("client",))(lambda x, client: x)

    with entered(edge.driving([record("s", digest_of(x=1), 7)])):
        assert step(1, object()) == 7


def test_a_method_is_a_step_and_self_never_fails_it(edge):
    class Agent:
        @omium.step
        def ask(self, question):
            return question.upper()

        @omium.step
        @staticmethod
        def plain(x):
            return x

    with entered(edge.driving()):
        assert (Agent().ask("a"), Agent.plain(1)) == ("A", 1)

    assert edge.writes[0]["comparable"] == "partial"


def test_wrong_arguments_fail_as_the_plain_call_would(edge):
    with entered(edge.driving()), pytest.raises(TypeError, match="missing a required argument"):
        double()

    assert edge.writes == []


# ---- time


def test_a_sync_step_that_takes_too_long_fails_while_its_thread_goes_on(edge):
    release = threading.Event()
    step = omium.step(name="slow", timeout_s=0.05)(lambda: release.wait(20))

    driving = edge.driving()
    with entered(driving), pytest.raises(StepTimeout, match="slow took longer than its timeout"):
        step()

    assert edge.types_of() == ["step.attempt_failed", "step.abandoned"]
    assert edge.writes[0]["error"]["code"] == "timeout"
    assert driving.abandoned == 1
    release.set()


def test_the_next_try_waits_for_the_function_that_could_not_be_stopped(edge):
    running, most = [], []
    release = threading.Event()

    # More tries than two: on a busy machine a thread may not even begin in time.
    @omium.step(timeout_s=0.5, retry=omium.RetryPolicy(max_attempts=20, initial_delay_s=0))
    def slow():
        running.append(1)
        most.append(len(running))
        if len(most) == 1:
            release.wait(20)
        running.pop()
        return "ok"

    naps = []
    sleep = edge.sleep

    def nap(seconds):
        naps.append(seconds)
        if len(naps) == 3:
            release.set()
        threading.Event().wait(0.01)
        sleep(seconds)

    edge.sleep = nap
    with entered(edge.driving()):
        assert slow() == "ok"

    assert max(most) == 1
    assert len(naps) >= 3


def join_all(threads, but):
    for thread in set(threads) - set(but):
        thread.join(20)


def test_what_a_timed_out_function_still_does_is_not_recorded(edge):
    release, ended, others = threading.Event(), [], threading.enumerate()

    @omium.step(timeout_s=0.05)
    def slow():
        release.wait(20)
        try:
            double(1)
        except BaseException as error:
            ended.append(error)
            raise

    driving = edge.driving()
    with entered(driving), pytest.raises(StepTimeout):
        slow()
    release.set()
    join_all(threading.enumerate(), but=others)

    assert isinstance(ended[0], Cancelled)
    assert edge.of("step.completed") == []


def test_an_inner_step_that_ends_after_its_outer_step_timed_out_is_not_recorded(edge):
    release, ended, others = threading.Event(), [], threading.enumerate()
    inner = omium.step(name="inner")(lambda: release.wait(20))

    @omium.step(timeout_s=0.05)
    def outer():
        try:
            inner()
        except BaseException as error:
            ended.append(error)
            raise

    with entered(edge.driving()), pytest.raises(StepTimeout):
        outer()
    release.set()
    join_all(threading.enumerate(), but=others)

    assert isinstance(ended[0], Cancelled)
    assert edge.of("step.completed") == []


async def test_an_async_step_that_takes_too_long_is_cancelled(edge):
    seen = []

    @omium.step(timeout_s=0.02)
    async def slow():
        try:
            await asyncio.sleep(20)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    with entered(edge.driving()), pytest.raises(StepTimeout):
        await slow()

    assert seen == ["cancelled"]
    assert edge.types_of() == ["step.attempt_failed"]


async def test_a_timeout_error_of_the_users_own_stays_one(edge):
    @omium.step(timeout_s=20)
    async def own():
        raise TimeoutError("mine")

    with entered(edge.driving()), pytest.raises(TimeoutError, match="mine") as caught:
        await own()

    assert not isinstance(caught.value, StepTimeout)


# ---- what the server says


def test_a_cancel_ends_the_execution_before_its_next_step(edge):
    edge.group = {"cancel_requested": True, "suspend": None}

    with entered(edge.driving()):
        assert double(1) == 2
        with pytest.raises(Cancelled):
            double(2)


def test_a_pause_ends_it_before_the_next_step_and_says_how_to_go_on(edge):
    edge.group = {"cancel_requested": False, "suspend": "credits"}

    with entered(edge.driving()):
        double(1)
        with pytest.raises(Suspended, match="Go on with: omium resume ex_1"):
            double(2)


def test_a_lost_lease_ends_it_before_the_next_step(edge):
    driving = edge.driving()
    driving.lease.lose("another has it")

    with entered(driving), pytest.raises(LeaseLost):
        double(1)


def test_a_driver_that_heard_nothing_for_long_asks_before_it_begins_a_step(edge):
    driving = edge.driving()
    edge.clock.advance(driving.lease.self_fence_s + 1)

    with entered(driving):
        double(1)

    assert edge.types_of() == ["heartbeat", "step.completed"]


def test_a_driver_that_lost_its_lease_meanwhile_begins_nothing(edge):
    driving = edge.driving()
    edge.clock.advance(driving.lease.self_fence_s + 1)
    edge.refusals["heartbeat"] = driving.lease.lose("taken over")
    ran = []

    with entered(driving), pytest.raises(LeaseLost):
        omium.step(name="s")(lambda: ran.append(1))()

    assert ran == []


def test_a_forked_child_may_not_run_its_parents_steps(edge):
    driving = edge.driving()
    driving.lease.pid += 1

    with entered(driving), pytest.raises(ForkedDriver):
        double(1)


def test_a_server_that_is_away_is_no_failure_of_the_step(edge):
    edge.refusals["step.completed"] = ConnectionLost("away")

    with entered(edge.driving()), pytest.raises(ConnectionLost):
        double(1)

    assert edge.writes == []


# ---- threads


def test_steps_in_a_pools_threads_belong_to_the_execution(edge):
    carrying.begin()
    try:
        with entered(edge.driving()), ThreadPoolExecutor(4) as pool:
            assert list(pool.map(double, range(20))) == [2 * x for x in range(20)]
    finally:
        carrying.end()

    assert len(edge.completed()) == 20


def test_a_pool_that_outlives_the_execution_forgets_it(edge):
    carrying.begin()
    pool = ThreadPoolExecutor(1)
    with entered(edge.driving()):
        pool.submit(double, 1).result()
    carrying.end()

    assert pool.submit(double, 2).result() == 4
    assert len(edge.writes) == 1
    pool.shutdown()


def test_steps_in_a_plain_thread_belong_to_the_execution(edge):
    carrying.begin()
    with entered(edge.driving()):
        thread = threading.Thread(target=double, args=(1,))
        thread.start()
        thread.join()
    carrying.end()

    assert [write["path"] for write in edge.writes] == ["double"]


def test_both_classes_are_as_they_were_when_the_last_execution_ends():
    before = ThreadPoolExecutor.submit, threading.Thread.start
    carrying.begin()
    carrying.begin()
    carrying.end()
    assert ThreadPoolExecutor.submit is not before[0]
    carrying.end()

    assert (ThreadPoolExecutor.submit, threading.Thread.start) == before


def test_other_context_variables_come_along():
    name = contextvars.ContextVar("name", default="?")
    edge = Edge()
    carrying.begin()
    with entered(edge.driving()), ThreadPoolExecutor(1) as pool:
        name.set("mine")
        assert pool.submit(name.get).result() == "mine"
    carrying.end()

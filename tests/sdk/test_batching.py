"""Writes of one process travel together, and each caller hears exactly what became of its own."""

import asyncio
import json
import random
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omium.clock import ManualClock
from omium.errors import (
    ConnectionLost,
    InvalidRequest,
    LeaseLost,
    PayloadTooLarge,
    RateLimited,
    StepConflict,
    StorageBusy,
    StorageFull,
    Unauthenticated,
    Unserialisable,
)
from omium.sdk.async_batching import AsyncWriter
from omium.sdk.batch import BATCH_BYTES_MAX, BATCH_GROUPS_MAX, BATCH_WRITES_MAX, Item, take_batch
from omium.sdk.batching import Writer
from omium.sdk.flows import HttpAnswer, Write
from tests.sdk.fakes import WriteServer, away, checkpoint, make_lease, problem_answer, usage


class Harness:
    """One writer of either kind over a server at its edge, with a clock that sleeping moves."""

    def __init__(self, kind):
        self.kind = kind
        self.clock = ManualClock()
        self.server = WriteServer(self.clock)
        self.slept = []
        self.when_asleep = lambda: None
        self.loop = asyncio.new_event_loop() if kind == "async" else None
        if kind == "async":
            self.writer = AsyncWriter(self.http_async, clock=self.clock, sleep=self.sleep_async)
        else:
            self.writer = Writer(self.server, clock=self.clock, sleep=self.sleep)

    async def http_async(self, request):
        await asyncio.sleep(0)
        return self.server(request)

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.clock.advance(seconds)
        self.when_asleep()

    async def sleep_async(self, seconds):
        self.sleep(seconds)
        await asyncio.sleep(0)

    def write(self, lease, write, **options):
        result = self.writer.write(Write(lease, write, **options))
        return self.loop.run_until_complete(result) if self.kind == "async" else result

    def write_together(self, *requests):
        """Write all at once, all but the first while the first is under way; return outcomes or errors."""
        if self.kind == "async":
            return self.loop.run_until_complete(asyncio.wait_for(self._gather(requests), 30))
        go_on = self.server.hold = threading.Event()
        with ThreadPoolExecutor(len(requests)) as pool:
            futures = [pool.submit(self.writer.write, requests[0])]
            assert self.server.arrived.wait(30)
            for count, request in enumerate(requests[1:], start=1):
                futures.append(pool.submit(self.writer.write, request))
                while len(self.writer._queue) < count:
                    threading.Event().wait(0.001)
            go_on.set()
            return [future.exception(30) or future.result() for future in futures]

    async def _gather(self, requests):
        first = asyncio.ensure_future(self.writer.write(requests[0]))
        while not self.writer._sender or self.writer._queue:  # noqa: ASYNC110  # until it is on its way
            await asyncio.sleep(0)
        return await asyncio.gather(
            first, *(self.writer.write(request) for request in requests[1:]), return_exceptions=True
        )

    def close(self):
        if self.loop:
            self.loop.close()


@pytest.fixture(params=["sync", "async"])
def harness(request):
    made = Harness(request.param)
    yield made
    made.close()


def test_a_write_alone_is_one_request_at_once(harness):
    outcome = harness.write(make_lease(), checkpoint("draft", {"b": 1, "a": 2}))

    assert outcome.seq == 1
    assert harness.server.names == [["draft"]]
    assert b'"state":{"b":1,"a":2}' in harness.server.bodies[0], "keys keep their order"


def test_what_waits_while_a_request_is_under_way_travels_in_the_next_one(harness):
    leases = [make_lease(f"ex_{n}") for n in range(5)]
    outcomes = harness.write_together(*(Write(lease, checkpoint(lease.execution_id)) for lease in leases))

    assert [outcome.seq for outcome in outcomes] == [1] * 5
    assert harness.server.names == [["ex_0"], ["ex_1", "ex_2", "ex_3", "ex_4"]]


def test_writes_of_one_execution_keep_their_order_in_one_group(harness):
    lease, other = make_lease("ex_1"), make_lease("ex_2")
    pairs = [(lease, "a"), (lease, "b"), (other, "x"), (lease, "c")]
    harness.write_together(*(Write(owner, checkpoint(name)) for owner, name in pairs))

    assert harness.server.seen == [[("ex_1", "a")], [("ex_1", "b"), ("ex_1", "c"), ("ex_2", "x")]]


def test_each_caller_hears_what_became_of_its_own_write(harness):
    harness.server.problems["b"] = StepConflict("Recorded already.")
    lease = make_lease()
    outcomes = harness.write_together(*(Write(lease, checkpoint(name)) for name in "abc"))

    assert outcomes[0].seq == outcomes[2].seq == 1
    assert type(outcomes[1]) is StepConflict
    assert outcomes[1].detail == "Recorded already."


def test_a_lost_lease_ends_every_branch_and_is_not_asked_about_again(harness):
    harness.server.lost.add("ex_1")
    lease = make_lease()
    outcomes = harness.write_together(*(Write(lease, checkpoint(name)) for name in "abcd"))

    assert [type(outcome) for outcome in outcomes] == [LeaseLost] * 4
    assert len({id(outcome) for outcome in outcomes}) == 4, "two threads must not raise the same object"
    assert harness.server.names == [["a"]]
    with pytest.raises(LeaseLost, match="Worker b"):
        harness.write(lease, checkpoint("e"))
    assert len(harness.server.bodies) == 1


def test_usage_is_reported_even_under_a_lost_lease(harness):
    lease = make_lease()
    lease.lose("Worker b has it.")
    harness.server.lost.add("ex_1")

    assert harness.write(lease, usage("call-1")).seq == 1
    assert lease.acked_us == 0, "an accepted late fact does not make the lease fresh"


def test_another_executions_lost_lease_harms_nobody_else(harness):
    harness.server.lost.add("ex_1")
    outcomes = harness.write_together(
        Write(make_lease("ex_0"), checkpoint("z")),
        Write(make_lease("ex_1"), checkpoint("a")),
        Write(make_lease("ex_2"), checkpoint("b")),
    )
    assert isinstance(outcomes[1], LeaseLost)
    assert outcomes[2].seq == 1


def test_the_lease_counts_from_when_the_acknowledged_request_was_sent(harness):
    harness.server.script = [away(), away()]
    lease = make_lease()
    harness.write(lease, checkpoint("a"))

    assert lease.acked_us == harness.clock.boot_us(), "the third try, after both waits"
    assert lease.acked_us == 1_000_000_000 + sum(round(seconds * 1_000_000) for seconds in harness.slept)


def test_the_same_bytes_are_sent_until_they_are_answered(harness):
    harness.server.script = [away(), problem_answer(StorageBusy()), HttpAnswer(502, {}, b"<html>", 0)]
    assert harness.write(make_lease(), checkpoint("a")).seq == 1
    assert len(set(harness.server.bodies)) == 1
    assert len(harness.server.bodies) == 4
    assert len(harness.slept) == 3


def test_retry_after_is_honoured(harness):
    harness.server.script = [problem_answer(RateLimited(), **{"retry-after": "7"})]
    harness.write(make_lease(), checkpoint("a"))
    assert harness.slept == [7.0]


def test_a_server_that_stays_away_is_given_up_after_the_allowed_time(harness):
    harness.server.script = [away() for _ in range(1000)]
    with pytest.raises(ConnectionLost, match="No Omium server"):
        harness.write(make_lease(), checkpoint("a"))
    assert sum(harness.slept) == pytest.approx(300, abs=0.001)
    harness.server.script.clear()
    assert harness.write(make_lease(), checkpoint("b")).seq == 1, "the writer goes on afterwards"


def test_a_write_with_less_patience_is_given_up_earlier_than_the_one_before_it(harness):
    harness.server.script = [away() for _ in range(40)]
    slow, quick = harness.write_together(
        Write(make_lease("ex_1"), checkpoint("a")),
        Write(make_lease("ex_2"), checkpoint("b"), within_s=30),
    )
    assert slow.seq == 1
    assert isinstance(quick, ConnectionLost)
    assert harness.server.names == [["a"]]


@pytest.mark.parametrize(
    ("writes", "waited_s"),
    [
        ([{"type": "execution.suspends", "reason": "drain"}], 2),
        ([{"type": "execution.suspends", "reason": "drain"}, checkpoint("paid for")], 10),
        ([checkpoint("paid for")], 10),
    ],
)
def test_last_words_to_a_server_that_hangs_are_given_up_but_results_are_waited_for(harness, writes, waited_s):
    *along, last = writes
    for each in along:
        harness.write(make_lease(), each, within_s=2, wait=False)
    harness.write(make_lease(), last, within_s=2)
    assert harness.server.timeouts_s == [pytest.approx(waited_s)]


def test_a_server_that_stays_busy_is_named_as_the_reason(harness):
    harness.server.script = [problem_answer(StorageFull("The disk is full."), **{"retry-after": "9999"})] * 9
    with pytest.raises(ConnectionLost, match="The disk is full"):
        harness.write(make_lease(), checkpoint("a"), within_s=20)
    assert sum(harness.slept) == pytest.approx(20, abs=0.001), "no longer than the caller's patience"


@pytest.mark.parametrize("refusal", [InvalidRequest(), PayloadTooLarge()])
@pytest.mark.parametrize("place", range(1, 6))
def test_one_write_that_spoils_the_request_is_refused_alone(harness, refusal, place):
    bad = b'"name":"bad"'
    answer = harness.server.answer
    harness.server.answer = lambda body, at: problem_answer(refusal) if bad in body else answer(body, at)
    names = ["first", "a", "b", "c", "d"]
    names.insert(place, "bad")
    outcomes = harness.write_together(*(Write(make_lease(), checkpoint(name)) for name in names))

    assert [type(outcome) for outcome in outcomes if not hasattr(outcome, "seq")] == [type(refusal)]
    assert type(outcomes[place]) is type(refusal)
    assert [name for request in harness.server.names for name in request] == ["first", "a", "b", "c", "d"]


def test_a_refused_key_is_told_to_everybody_at_once(harness):
    harness.server.script = [problem_answer(Unauthenticated()), problem_answer(Unauthenticated())]
    outcomes = harness.write_together(*(Write(make_lease(), checkpoint(name)) for name in "abc"))
    assert [type(outcome) for outcome in outcomes] == [Unauthenticated] * 3
    assert harness.slept == []


def test_a_busy_group_is_sent_again_without_its_accepted_neighbours(harness):
    harness.server.problems["b"] = StorageBusy()
    harness.when_asleep = harness.server.problems.clear
    outcomes = harness.write_together(
        Write(make_lease("ex_0"), checkpoint("z")),
        Write(make_lease("ex_1"), checkpoint("a")),
        Write(make_lease("ex_2"), checkpoint("b")),
    )
    assert [outcome.seq for outcome in outcomes] == [1, 1, 1]
    assert harness.server.names == [["z"], ["a", "b"], ["b"]]


@pytest.mark.parametrize("body", [b"hello", b"{}", b'{"groups":[]}', b'{"groups":[{"results":[]}]}'])
def test_an_answer_of_another_form_is_no_acknowledgement(harness, body):
    harness.server.script = [HttpAnswer(200, {}, body, 0)] * 1000
    with pytest.raises(ConnectionLost, match="not an Omium server"):
        harness.write(make_lease(), checkpoint("a"), within_s=5)


def test_a_write_that_is_not_waited_for_goes_along_with_the_next(harness):
    lease = make_lease()
    harness.write(lease, usage("call-1"), wait=False)
    assert harness.server.bodies == []

    harness.write(lease, checkpoint("a"))
    assert harness.server.names == [["call-1", "a"]]


def test_flush_sends_what_is_not_waited_for(harness):
    harness.write(make_lease(), usage("call-1"), wait=False)
    flushed = harness.writer.flush()
    if harness.kind == "async":
        harness.loop.run_until_complete(flushed)
    assert harness.server.names == [["call-1"]]


def test_the_refusal_of_a_write_that_nobody_waits_for_is_logged(harness, caplog):
    harness.server.problems["call-1"] = StepConflict("Recorded already.")
    harness.write(make_lease(), usage("call-1"), wait=False)
    harness.write(make_lease(), checkpoint("a"))
    assert "usage.recorded of execution ex_1 was refused: Recorded already." in caplog.text


def test_what_the_server_says_beside_the_results_is_known_to_the_lease(harness):
    harness.server.cancelled.add("ex_1")
    lease = make_lease()
    assert harness.write(lease, checkpoint("a")).cancel_requested
    assert lease.cancel_requested
    assert lease.suspend is None


def test_a_value_that_is_not_json_is_refused_before_anything_is_sent(harness):
    with pytest.raises(Unserialisable):
        harness.write(make_lease(), checkpoint("a", object()))
    assert harness.server.bodies == []


def test_a_process_that_is_to_end_waits_no_longer_for_a_server_that_is_away(harness):
    harness.server.script = [away()] * 1000
    harness.when_asleep = lambda: len(harness.slept) == 20 and harness.writer.hurry(2)

    with pytest.raises(ConnectionLost):
        harness.write(make_lease(), checkpoint("a"))

    assert sum(harness.slept[20:]) <= 2.1


def test_an_interrupted_leader_leaves_the_others_an_answer():
    harness = Harness("sync")
    harness.server.script = [KeyboardInterrupt()]
    outcomes = harness.write_together(*(Write(make_lease(f"ex_{n}"), checkpoint(str(n))) for n in range(4)))

    assert isinstance(outcomes[0], KeyboardInterrupt)
    assert [outcome.seq for outcome in outcomes[1:]] == [1, 1, 1]
    assert harness.server.names == [["0", "1", "2", "3"]], "the interrupted write goes along"
    assert harness.write(make_lease(), checkpoint("later")).seq == 1


async def test_cancelling_the_first_caller_takes_nothing_from_the_others():
    server, arrived, go_on = WriteServer(), asyncio.Event(), asyncio.Event()

    async def slow(request):
        arrived.set()
        await go_on.wait()
        return server(request)

    writer = AsyncWriter(slow, clock=server.clock)
    first = asyncio.create_task(writer.write(Write(make_lease("ex_1"), checkpoint("a"))))
    await arrived.wait()
    second = asyncio.create_task(writer.write(Write(make_lease("ex_2"), checkpoint("b"))))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    go_on.set()
    assert (await second).seq == 1
    assert server.names == [["a"], ["b"]]


async def test_tasks_that_step_in_turn_share_their_requests():
    server = WriteServer()

    async def http(request):
        await asyncio.sleep(0)
        return server(request)

    writer = AsyncWriter(http, clock=server.clock)

    async def workflow(number):
        lease = make_lease(f"ex_{number}")
        for step in range(10):
            await writer.write(Write(lease, checkpoint(str(step))))

    await asyncio.gather(*(workflow(number) for number in range(16)))
    assert len(server.bodies) <= 12, [len(request) for request in server.seen]


def test_many_threads_lose_and_double_nothing():
    server = WriteServer()
    chance = random.Random(7)
    answer = server.answer

    def unreliable(body, sent_us):
        if chance.random() < 0.2:
            raise away()
        reply = answer(body, sent_us)
        if chance.random() < 0.2:  # arrived, but the answer is lost
            raise away()
        return reply

    server.answer = unreliable
    writer = Writer(server, sleep=lambda _: None)

    def workflow(number):
        lease = make_lease(f"ex_{number}")
        return [writer.write(Write(lease, checkpoint(str(step)))).seq for step in range(20)]

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(workflow, range(16))) == [[1] * 20] * 16
    for number in range(16):
        arrived = [int(name) for request in server.seen for owner, name in request if owner == f"ex_{number}"]
        assert sorted(set(arrived)) == list(range(20))
        assert arrived == sorted(arrived), "a repeat may come again, never an older one after a newer"


@given(
    st.lists(st.tuples(st.integers(0, 90), st.sampled_from([1, 1000, BATCH_BYTES_MAX // 3])), max_size=600)
)
def test_batches_keep_the_order_lose_nothing_and_stay_within_their_limits(writes):
    leases = [make_lease(f"ex_{number}") for number in range(91)]
    bodies = {size: b"x" * size for _, size in writes}
    items = [Item(leases[number], "usage.recorded", bodies[size], 0, waited=True) for number, size in writes]
    queue = deque(items)
    taken = []
    while queue:
        batch = take_batch(queue)
        assert 0 < len(batch) <= BATCH_WRITES_MAX
        assert len({item.lease for item in batch}) <= BATCH_GROUPS_MAX
        assert sum(len(item.body) for item in batch) <= BATCH_BYTES_MAX
        taken += batch
    assert taken == items


def test_one_write_larger_than_a_batch_travels_alone():
    queue = deque(
        Item(make_lease(), "usage.recorded", b"x" * size, 0, waited=True)
        for size in (10, BATCH_BYTES_MAX + 1, 10)
    )
    assert [len(take_batch(queue)) for _ in range(3)] == [1, 1, 1]


def test_the_wire_form_is_a_write_batch():
    server = WriteServer()
    Writer(server).write(Write(make_lease(epoch=3, token="secret"), checkpoint("a")))
    group = json.loads(server.bodies[0])["groups"][0]
    assert (group["execution_id"], group["epoch"], group["lease_token"]) == ("ex_1", 3, "secret")

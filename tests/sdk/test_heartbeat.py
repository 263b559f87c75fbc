"""Heartbeats of many executions: together, in time, each with what the server wants of that one."""

import threading

import pytest

from omium.errors import LeaseLost
from omium.jsonvalue import TypeRegistry
from omium.sdk.batch import BATCH_GROUPS_MAX
from omium.sdk.batching import Writer
from omium.sdk.book import Book
from omium.sdk.breakers import Breakers
from omium.sdk.driving import Driving, Link
from omium.sdk.flows import Write
from omium.sdk.heartbeat import Heart
from omium.states import Durability
from tests.sdk.fakes import WriteServer, away, checkpoint, make_lease


class Pending:
    """A spool in which records of some executions wait."""

    def __init__(self, *waiting):
        self.waiting = waiting

    def pending(self, lease):
        return lease.execution_id in self.waiting


class Drives:
    """Executions that one process drives against a server whose answers take `answer_s`."""

    def __init__(self, count, *, answer_s=0.0, recorder=None, durability=Durability.STRICT):
        self.server = WriteServer()
        self.clock = self.server.clock
        self.answer_s = answer_s
        self.writer = Writer(self.http, clock=self.clock, sleep=self.clock.advance, recorder=recorder)
        self.heart = Heart(self.writer, self.clock)
        link = Link(self.writer, lambda: None, TypeRegistry(), Breakers(self.clock))
        self.all = [
            Driving(
                make_lease(f"ex_{n}", durability=durability, acked_us=self.clock.boot_us()),
                Book(),
                link,
                workflow="w",
                clock=self.clock,
            )
            for n in range(count)
        ]

    def http(self, request):
        answer = self.server(request)
        self.clock.advance(self.answer_s)
        return answer


def test_all_executions_of_a_process_beat_in_one_request():
    drives = Drives(200)

    assert drives.heart.beat(*drives.all)

    assert len(drives.server.bodies) == 1
    assert len(drives.server.names[0]) == 200


def test_on_a_slow_server_a_beat_of_hundreds_is_over_before_anybody_fences_itself():
    drives = Drives(4 * BATCH_GROUPS_MAX, answer_s=4)

    assert drives.heart.beat(*drives.all)

    assert all(driving.lease.may_start(drives.clock) for driving in drives.all)


def test_each_execution_hears_only_what_is_meant_for_it():
    drives = Drives(4)
    drives.server.cancelled = {"ex_1"}
    drives.server.lost = {"ex_2"}

    assert not drives.heart.beat(*drives.all)

    assert [driving.lease.cancel_requested for driving in drives.all] == [False, True, False, False]
    assert [driving.lease.lost is not None for driving in drives.all] == [False, False, True, False]
    assert [driving.interrupted for driving in drives.all] == [False, True, True, False]
    with pytest.raises(LeaseLost):
        drives.all[2].check()
    drives.all[3].check()


def test_a_beat_does_not_wait_behind_a_write_that_takes_long():
    drives = Drives(2)
    go_on = drives.server.hold = threading.Event()
    slow = threading.Thread(
        target=drives.writer.write, args=(Write(drives.all[0].lease, checkpoint("slow")),)
    )
    slow.start()
    assert drives.server.arrived.wait(60)

    assert drives.heart.beat(*drives.all)

    go_on.set()
    slow.join(60)


def test_a_beat_that_is_lost_is_sent_again_within_its_interval():
    drives = Drives(3)
    drives.server.script = [away(), away()]

    assert drives.heart.beat(*drives.all)

    assert len(drives.server.bodies) == 3


def test_one_whose_records_wait_in_the_spool_needs_no_beat():
    drives = Drives(3, recorder=Pending("ex_1"), durability=Durability.RELAXED)

    assert drives.heart.beat(*drives.all)

    assert [name for name, _ in drives.server.seen[0]] == ["ex_0", "ex_2"]


def test_what_is_due_soon_beats_along(monkeypatch):
    drives = Drives(3)
    for driving in drives.all:  # a thread of its own would beat by the real clock
        drives.heart._due_us[driving] = drives.clock.boot_us() + 10_000_000
        drives.clock.advance(3)
    drives.clock.advance(1)

    assert drives.heart._next() == drives.all[:2]

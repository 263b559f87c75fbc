"""Runs of one flow's object beside each other: each has a state of its own, or its turn."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from crewai import LLM
from crewai.flow import Flow, listen, persist, router, start
from crewai.flow.persistence import SQLiteFlowPersistence
from pydantic import BaseModel

import omium
from omium.adapters.crew import instrument
from omium.adapters.crew.flow_copies import NotCopied, read_blank
from omium.errors import ConfigError, Suspended
from tests.crewai.test_native import Native
from tests.sdk.served import TIMEOUT_S, wait_until

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def native(server):
    return Native(server)


class Meeting:
    """Where runs wait until all of them are under way, so that none is alone."""

    def __init__(self, runs):
        self.barrier = threading.Barrier(runs, timeout=60)

    def __call__(self):
        self.barrier.wait()


MEETING = None


class Numbers(BaseModel):
    n: int = 0
    seen: list[str] = []


class Adding(Flow[Numbers]):
    """A flow with a constructor of its own, and an attribute that a run changes."""

    def __init__(self, prefix, **settings):
        super().__init__(**settings)
        self.prefix = prefix
        self.notes = []

    @start()
    def first(self):
        if MEETING is not None:
            MEETING()
        self.notes.append(self.state.n)
        self.state.seen.append("first")

    @router(first)
    def decide(self):
        return "even" if self.state.n % 2 == 0 else "odd"

    @listen("even")
    def halve(self):
        return self.tell("halved")

    @listen("odd")
    def keep(self):
        return self.tell("kept")

    def tell(self, what):
        self.state.seen.append(what)
        return f"{self.prefix}{self.state.n} {what} {self.notes} {self.state.seen}"


def expected(n, prefix="no. "):
    what = "halved" if n % 2 == 0 else "kept"
    return f"{prefix}{n} {what} [{n}] ['first', '{what}']"


@pytest.fixture
def meet(monkeypatch):
    def set_up(runs):
        monkeypatch.setattr(f"{__name__}.MEETING", Meeting(runs) if runs else None)

    return set_up


def test_runs_of_an_object_in_threads_do_not_meet(server, meet):
    flow = instrument(Adding("no. "), name="adding")
    meet(3)

    with ThreadPoolExecutor(3) as pool:
        outputs = list(pool.map(lambda n: flow.kickoff({"n": n}), range(3)))

    assert outputs == [expected(n) for n in range(3)]


async def test_runs_of_an_object_that_are_awaited_do_not_meet(server):
    flow = instrument(Adding("no. "), name="adding")

    outputs = await asyncio.gather(*(flow.akickoff({"n": n}) for n in range(3)))

    assert outputs == [expected(n) for n in range(3)]


class Holding(Flow[Numbers]):
    """A flow that cannot be copied: nobody knows what two runs may do with an attribute of it."""

    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()

    @start()
    def first(self):
        assert self.lock.acquire(blocking=False), "two runs at once"
        self.state.seen.append(f"first of {self.state.n}")

    @listen(first)
    def second(self):
        self.lock.release()
        return [*self.state.seen, f"second of {self.state.n}"]


def turned(n):
    return [f"first of {n}", f"second of {n}"]


def test_runs_of_an_object_that_cannot_be_copied_take_turns(server):
    flow = instrument(Holding(), name="holding")

    with ThreadPoolExecutor(4) as pool:
        outputs = list(pool.map(lambda n: flow.kickoff({"n": n}), range(4)))

    assert outputs == [turned(n) for n in range(4)]


async def test_awaited_runs_of_an_object_that_cannot_be_copied_take_turns(server):
    flow = instrument(Holding(), name="holding")

    outputs = await asyncio.gather(*(flow.akickoff({"n": n}) for n in range(4)))

    assert outputs == [turned(n) for n in range(4)]


def test_a_run_that_waits_for_its_turn_can_be_paused_and_goes_on_later(server):
    begun, go = threading.Event(), threading.Event()

    class Slow(Flow):
        def __init__(self):
            super().__init__()
            self.lock = threading.Lock()

        @start()
        def work(self):
            begun.set()
            assert go.wait(TIMEOUT_S)
            return "done"

    flow = instrument(Slow(), name="slow")
    with ThreadPoolExecutor(2) as pool:
        try:
            first = pool.submit(flow.kickoff)
            assert begun.wait(TIMEOUT_S)
            second = pool.submit(flow.kickoff)
            running = wait_until(lambda: list_running(server, at_least=2))
            server.post(f"/v1/executions/{running[0]}/pause")
            with pytest.raises(Suspended):
                second.result(TIMEOUT_S)
        finally:
            go.set()
        assert first.result(TIMEOUT_S) == "done"

    assert omium.resume(running[0]) == "done"


def list_running(server, *, at_least):
    found = [each["id"] for each in server.get("/v1/executions?status=running")["items"]]
    return found if len(found) >= at_least else None


def test_a_run_inside_of_itself_is_refused_where_it_would_wait_for_itself(server):
    class Circle(Flow):
        def __init__(self):
            super().__init__()
            self.lock = threading.Lock()

        @start()
        def again(self):
            return flow.kickoff()

    flow = instrument(Circle(), name="circle")

    with pytest.raises(ConfigError, match="inside of itself"):
        flow.kickoff()


def test_a_copy_has_what_its_object_was_made_with_and_shares_no_state(tmp_path):
    class Kept(Flow[Numbers]):
        rounds: list[int] = [1]  # noqa: RUF012  # a field of pydantic's
        _hidden: list[int] = []  # noqa: RUF012

        @start()
        def go(self):
            return self.name

    store = SQLiteFlowPersistence(str(tmp_path / "flows.db"))
    flow = Kept(name="kept", max_method_calls=7, persistence=store)
    flow.rounds.append(2)
    flow._hidden.append(3)
    flow.state.n = 5
    flow.llm = LLM(model="openai/gpt-4o-mini", api_key="none")
    blank = read_blank(flow, flow._state)
    flow.rounds.append(9)

    copied, other = blank.make(), blank.make()

    assert (copied.name, copied.max_method_calls, copied.rounds, copied._hidden) == ("kept", 7, [1, 2], [3])
    assert copied.state.n == 5
    assert copied.persistence is store
    assert copied.memory is flow.memory
    assert copied.llm is flow.llm
    assert copied._hidden is not other._hidden
    assert copied._state is not other._state
    other.state.seen.append("x")
    assert copied.state.seen == []


def test_a_copy_of_a_persisted_class_keeps_to_its_class(tmp_path, monkeypatch):
    monkeypatch.setenv("CREWAI_STORAGE_DIR", str(tmp_path))

    @persist()
    class Persisted(Flow[Numbers]):
        @start()
        def go(self):
            return 1

    copied = read_blank(flow := Persisted(), flow._state).make()

    assert copied.persistence is not None
    assert copied._instance_persistence is flow._instance_persistence is False


def test_what_cannot_be_copied_is_named():
    with pytest.raises(NotCopied, match="its attribute lock is a lock"):
        read_blank(flow := Holding(), flow._state)


SERVED = """
import asyncio
import threading
from pathlib import Path
from crewai.flow.flow import Flow, listen, start
from pydantic import BaseModel


class State(BaseModel):
    n: int = 0
    seen: list = []


class Plain(Flow[State]):
    def __init__(self, prefix):
        super().__init__()
        self.prefix, self.notes = prefix, []

    @start()
    def first(self):
        self.notes.append(self.state.n)
        self.state.seen.append("first")

    @listen(first)
    async def second(self):
        await asyncio.sleep(0)
        self.state.seen.append("second")

    @listen(second)
    def third(self):
        return [self.prefix, self.state.n, self.notes, self.state.seen]


class Locked(Flow[State]):
    def __init__(self, prefix):
        super().__init__()
        self.prefix, self.lock = prefix, threading.Lock()

    @start()
    def first(self):
        assert self.lock.acquire(blocking=False), "two runs at once"
        self.state.seen.append("first")

    @listen(first)
    async def second(self):
        await asyncio.sleep(0)
        self.state.seen.append("second")

    @listen(second)
    def third(self):
        self.lock.release()
        return [self.prefix, self.state.n, [self.state.n], self.state.seen]


copied = Plain("Plain")
turned = Locked("Locked")
"""


@pytest.mark.parametrize(("served", "name"), [("copied", "Plain"), ("turned", "Locked")])
def test_six_executions_at_once_on_one_worker_have_their_own_state_and_order(native, server, served, name):
    server.write("served.py", SERVED)
    with native.worker(f"served.py:{served}"):
        started = [native.start(name, n=n) for n in range(6)]
        done = [native.ended(each) for each in started]

    assert [each["output"] for each in done] == [[name, n, [n], ["first", "second"]] for n in range(6)]
    assert {tuple(step["key"] for step in each["steps"]) for each in done} == {("first", "second", "third")}

"""Cut off anywhere, again and again, a workflow of steps side by side ends as if it had run through.

In one process, by an exception: what runs beside it is cancelled, and what was recorded of it comes back.
"""

import asyncio
import random
from collections import Counter
from typing import ClassVar

import pytest
from workflows import Context, Workflow, step
from workflows.events import Event, StartEvent, StopEvent

import omium
from omium.adapters.llama_index import StepPolicy, instrument

ROUNDS, WIDTH = 3, 4


class Cut(BaseException):
    """What no policy of a workflow sees."""


class Part(Event):
    round: int
    number: int


class Piece(Event):
    round: int
    number: int


class Whole(Event):
    round: int
    numbers: list[int]


class Judged(Event):
    round: int
    numbers: list[int]


class Weaving(Workflow):
    """Each round splits work, does it side by side, collects it as it comes, and begins the next."""

    chance = random.Random(0)
    left = 0
    """How many places are passed before it is cut off."""
    told: ClassVar[list[tuple[int, tuple[int, ...]]]] = []
    """What was decided on, each time that it was known to be recorded."""

    async def pass_by(self):
        await asyncio.sleep(self.chance.random() / 200)
        type(self).left -= 1
        if self.left == 0:
            raise Cut

    @step
    async def begin(self, ctx: Context, ev: StartEvent) -> Part | None:
        await ctx.store.set("order", [])
        await self.split(ctx, 0)

    async def split(self, ctx, number):
        for each in range(WIDTH):
            ctx.send_event(Part(round=number, number=each))
            if each == 1:
                await self.pass_by()

    @step(num_workers=3)
    async def work(self, ctx: Context, ev: Part) -> Piece | None:
        await self.pass_by()
        async with ctx.store.edit_state() as state:
            state.counted = state.get("counted", 0) + 1
        await self.pass_by()
        if ev.number % 2:
            return Piece(round=ev.round, number=ev.number)
        ctx.send_event(Piece(round=ev.round, number=ev.number))
        await self.pass_by()
        return None

    @step
    async def collect(self, ctx: Context, ev: Piece) -> Whole | None:
        pieces = ctx.collect_events(ev, [Piece] * WIDTH)
        return pieces and Whole(round=ev.round, numbers=[each.number for each in pieces])

    @step
    async def judge(self, ctx: Context, ev: Whole) -> Judged:
        await self.pass_by()
        async with ctx.store.edit_state() as state:
            state.order = [*state.order, *ev.numbers]
        return Judged(round=ev.round, numbers=ev.numbers)

    @step
    async def turn(self, ctx: Context, ev: Judged) -> Part | StopEvent | None:
        self.told.append((ev.round, tuple(ev.numbers)))  # what came before is recorded now
        await self.pass_by()
        if ev.round + 1 < ROUNDS:
            await self.split(ctx, ev.round + 1)
            return None
        state = await ctx.store.get_state()
        return StopEvent(result=[state.counted, state.order])


@pytest.mark.parametrize(
    ("seed", "unrecorded"),
    [(3, ()), (4, ()), (7, ()), (121, ())]
    + [(seed, (name,)) for name in ("begin", "collect", "turn") for seed in (1, 2)]
    + [(5, ("begin", "judge", "turn"))],
)
def test_a_workflow_cut_off_anywhere_ends_as_if_it_had_run_through(server, seed, unrecorded):
    """Also where some steps have no records, and run again on every resume."""
    chance = random.Random(seed)
    flow = type("Weaving", (Weaving,), {"chance": chance, "left": chance.randrange(1, 40), "told": []})(
        timeout=60
    )
    nodes = {name: StepPolicy(record=False) for name in unrecorded}
    durable = instrument(flow, name="weaving", nodes=nodes)
    result = execution = None
    for _ in range(40):
        try:
            result = omium.resume(execution) if execution else durable.run_sync()
        except Cut:
            execution = execution or server.newest()["id"]
            type(flow).left = chance.randrange(1, 30)
        else:
            break

    counted, order = result
    assert counted == ROUNDS * WIDTH
    assert [sorted(order[at : at + WIDTH]) for at in range(0, len(order), WIDTH)] == [
        list(range(WIDTH))
    ] * ROUNDS
    # What was decided once was decided so ever after, and is what the end is made of.
    assert set(flow.told) == {(at, tuple(order[at * WIDTH :][:WIDTH])) for at in range(ROUNDS)}
    assert Counter(each for each, _ in flow.told)[0] < 40


class Fanning(Workflow):
    """A step without a record, behind which one has a record and the other has not."""

    away = True

    @step
    async def begin(self, ev: StartEvent) -> Whole:
        return Whole(round=0, numbers=[])

    @step
    async def note(self, ctx: Context, ev: Whole) -> None:
        async with ctx.store.edit_state() as state:
            state.seen = ["note"]

    @step
    async def look(self, ctx: Context, ev: Whole) -> StopEvent:
        if self.away:
            await asyncio.sleep(0.2)
            type(self).away = False
            raise ConnectionError("away")
        return StopEvent(result=(await ctx.store.get_state()).get("seen"))


def test_what_has_to_run_waits_for_records_behind_a_step_that_has_none(server):
    durable = instrument(Fanning(timeout=30), nodes={"begin": StepPolicy(record=False)})
    with pytest.raises(ConnectionError):
        durable.run_sync()

    assert omium.resume(server.newest()["id"]) == ["note"]


class Waiting(Workflow):
    """A step that is asked first looks at what the one that is asked second has written."""

    written = asyncio.Event()
    is_cut_off = True

    @step
    async def begin(self, ctx: Context, ev: StartEvent) -> Part | None:
        for each in range(2):
            ctx.send_event(Part(round=0, number=each))

    @step
    async def work(self, ctx: Context, ev: Part) -> Piece | StopEvent:
        if ev.number == 1:
            await ctx.store.set("seen", 1)
            return Piece(round=0, number=1)
        seen = await ctx.store.get("seen", None)
        if self.is_cut_off:
            await self.written.wait()
            raise Cut
        return StopEvent(result=seen)

    @step
    async def note(self, ev: Piece) -> None:
        self.written.set()


def test_a_step_that_has_to_run_meets_the_state_as_it_was(server):
    durable = instrument(Waiting(timeout=60), name="waiting")
    with pytest.raises(Cut):
        durable.run_sync()
    Waiting.is_cut_off = False

    assert omium.resume(server.newest()["id"]) == 1

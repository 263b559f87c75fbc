"""A workflow with a fan-out, a counter in its state, a loop and a step that fails once, as a user's script.

DIE names where it is cut off by SIGKILL: a place that `die` is called with. Each run of a step leaves a line
in ran.txt when it has begun to do something that should not be done twice.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from workflows import Context, Workflow, step
from workflows.events import Event, StartEvent, StopEvent
from workflows.retry_policy import retry_policy, stop_after_attempt, wait_fixed

from omium.adapters.llama_index import instrument


def ran(name):
    with Path("ran.txt").open("a") as file:
        file.write(name + "\n")
    die(name)


def die(place):
    if os.environ.get("DIE") == place:
        os.kill(os.getpid(), signal.SIGKILL)


class Question(Event):
    number: int
    text: str


class Answer(Event):
    number: int
    text: str


class Draft(Event):
    text: str
    rounds: int = 0


class Done(Event):
    text: str


class StudyWorkflow(Workflow):
    @step
    async def plan(self, ctx: Context, ev: StartEvent) -> Question | None:
        ran("plan")
        await ctx.store.set("topic", ev.topic)
        for number in range(3):
            ctx.send_event(Question(number=number, text=f"{ev.topic}?"))
        await asyncio.sleep(0.05)
        die("plan:sent")
        return None

    @step(num_workers=3)
    async def answer(self, ctx: Context, ev: Question) -> Answer:
        async with ctx.store.edit_state() as state:
            state.counted = state.get("counted", 0) + 1
        await asyncio.sleep(0.1 * (3 - ev.number))  # the last one asked is the first to answer
        ran(f"answer-{ev.number}")
        return Answer(number=ev.number, text=f"{await ctx.store.get('topic')} {ev.number}")

    @step
    async def gather(self, ctx: Context, ev: Answer) -> Draft | None:
        answers = ctx.collect_events(ev, [Answer] * 3)
        if answers is None:
            return None
        ran("gather")
        ctx.write_event_to_stream(Done(text="gathered"))
        return Draft(text=", ".join(each.text for each in answers))

    @step(retry_policy=retry_policy(wait=wait_fixed(0.05), stop=stop_after_attempt(3)))
    async def polish(self, ctx: Context, ev: Draft) -> Draft | Done:
        attempt = ctx.retry_info().retry_number
        ran(f"polish-{ev.rounds}.{attempt}")
        if ev.rounds == 0 and attempt == 0:
            raise ConnectionError("the pen is empty")
        await ctx.store.set("polished", ev.rounds + 1)
        if ev.rounds == 0:
            return Draft(text=f"{ev.text}.", rounds=1)
        return Done(text=f"{ev.text}!")

    @step
    def publish(self, ctx: Context, ev: Done) -> StopEvent:
        ran("publish")
        return StopEvent(result=ev.text)


class Counted(StudyWorkflow):
    """The same, telling at its end what its state holds."""

    @step
    async def publish(self, ctx: Context, ev: Done) -> StopEvent:
        ran("publish")
        state = await ctx.store.get_state()
        return StopEvent(result={"text": ev.text, "counted": state.counted, "polished": state.polished})


study = Counted(timeout=60, workflow_name="study")

if __name__ == "__main__":
    print(instrument(study).run_sync(topic=sys.argv[1]))

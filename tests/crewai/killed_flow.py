"""A flow with a router, branches, a join and a crew, started in the way that is named.

DIE names the method that is killed.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from crewai import LLM, Agent, Crew, Task
from crewai.flow import Flow, and_, listen, or_, router, start
from pydantic import BaseModel

from omium.adapters.crew import instrument


class State(BaseModel):
    topic: str = ""
    log: list[str] = []
    score: int = 0
    left: str = ""
    right: str = ""


def ran(name):
    with Path("ran.txt").open("a") as file:
        file.write(f"{name}\n")
    if os.environ.get("DIE") == name:
        os.kill(os.getpid(), signal.SIGKILL)


class Review(Flow[State]):
    @start()
    def plan(self):
        self.state.log.append("plan")
        self.state.score = 7
        ran("plan")
        return "a plan"

    @listen(plan)
    def left(self, plan):
        self.state.left = f"left of {plan}"
        ran("left")
        return "left"

    @listen(plan)
    async def right(self):
        self.state.right = "right"
        ran("right")
        return "right"

    @router(and_(left, right))
    def decide(self):
        ran("decide")
        return "good" if self.state.score > 5 else "bad"

    @listen("bad")
    def mend(self):
        ran("mend")
        return "mended"

    @listen("good")
    def publish(self):
        llm = LLM(model="openai/gpt-4o-mini")
        agent = Agent(role="Writer", goal="Write", backstory="Brief", llm=llm)
        task = Task(name="write", description="[[say: Otters play.]]", expected_output="A line", agent=agent)
        text = Crew(agents=[agent], tasks=[task]).kickoff().raw
        self.state.log.append("publish")
        ran("publish")
        return text

    @listen(or_(publish, mend))
    def close(self, text):
        ran("close")
        return f"{text} {self.state.left}, {self.state.right}, {'-'.join(self.state.log)}"


flow = instrument(Review, name="review")

if __name__ == "__main__":
    called = getattr(flow, sys.argv[1])({"topic": "otters"})
    print("OUTPUT", asyncio.run(called) if asyncio.iscoroutine(called) else called)

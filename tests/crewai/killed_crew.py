"""A crew as a user's script, started in the way that is named; DIE names the task that is cut off by SIGKILL.

A task is killed in its callback: its agent has answered, and nothing of the task itself is recorded yet. Each
callback leaves a line in ran.txt.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from crewai import LLM, Agent, Crew, Process, Task

from omium.adapters.crew import instrument

llm = LLM(model="openai/gpt-4o-mini")
FIRST = {"topic": "otters"}
SECOND = {"topic": "badgers"}


def ran(name):
    def callback(output):
        topic = "badgers" if "badgers" in output.description else "otters"
        with Path("ran.txt").open("a") as file:
            file.write(f"{name}:{topic}\n")
        if os.environ.get("DIE") == f"{name}:{topic}":
            os.kill(os.getpid(), signal.SIGKILL)

    return callback


def make_task(name, agent, **options):
    return Task(
        name=name,
        description=f"{name} {{topic}} [[say: {name} of {{topic}}]]",
        expected_output="A line",
        agent=agent,
        callback=ran(name),
        **options,
    )


agent = Agent(role="Writer", goal="Write", backstory="Brief", llm=llm)
tasks = [
    make_task("research", agent),
    make_task("draft", agent, async_execution=True),
    make_task("publish", agent),
]
hierarchical = {"process": Process.hierarchical, "manager_llm": llm} if "hierarchical" in sys.argv[1:] else {}
crew = instrument(Crew(name="report", agents=[agent], tasks=tasks, **hierarchical))


def call(way):
    if way in ("kickoff", "hierarchical"):
        return crew.kickoff(FIRST)
    if way == "kickoff_for_each":
        return crew.kickoff_for_each([FIRST, SECOND])
    inputs = [FIRST, SECOND] if "for_each" in way else FIRST
    return asyncio.run(getattr(crew, way)(inputs))


def show(output):
    outputs = output if isinstance(output, list) else [output]
    return "|".join(",".join(task.raw for task in each.tasks_output) for each in outputs)


if __name__ == "__main__":
    print("OUTPUT", show(call(sys.argv[1])))

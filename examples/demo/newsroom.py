"""Three agents recommend something: an ordinary crew of CrewAI, with one line of Omium.

    research -> write -> advise

The model is whatever answers at MODEL_URL as OpenAI does; each agent's requests carry its name, so that the
model's server can tell who asked.
"""

# CrewAI is not installed where types are checked:
# mypy: disable-error-code="misc"

from __future__ import annotations

import logging
import os
import sys

from crewai import LLM, Agent, Crew, Task

from omium.adapters.crew import instrument

logging.getLogger("crewai.llms").setLevel(logging.ERROR)  # how it estimates tokens of a model it doesn't know


def make_task(name: str, who: str, goal: str, question: str, answer: str) -> Task:
    """Return a task with an agent of its own, which is asked nothing else: the model is a very small one."""
    llm = LLM(
        model="openai/smollm2",
        base_url=os.environ["MODEL_URL"] + "/v1",
        api_key="not-needed-on-loopback",
        temperature=0,
        max_tokens=60,
        seed=7,
        timeout=120,
        max_retries=0,
        user=who,
    )
    agent = Agent(role=who.title(), goal=goal, backstory="You are brief.", llm=llm)
    return Task(name=name, description=question, expected_output=answer, agent=agent, context=[])


tasks = [
    make_task(
        *("research", "researcher", "Know what is good about {topic}"),
        *("What is good about {topic}?", "What is good about {topic}, in two sentences."),
    ),
    make_task(
        *("write", "writer", "Praise {topic}"),
        *("Why do people love {topic}?", "Why people love {topic}, in two sentences."),
    ),
    make_task(
        *("advise", "adviser", "Advise on {topic}"),
        *("When is the best time for {topic}?", "The best time for {topic}, in a sentence."),
    ),
]
crew = instrument(  # the one line
    Crew(name="newsroom", agents=[task.agent for task in tasks], tasks=tasks)
)

if __name__ == "__main__":
    print(crew.kickoff({"topic": " ".join(sys.argv[1:]) or "tea"}).raw)

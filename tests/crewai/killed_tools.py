"""An agent with a tool that charges a card; the process dies behind it, before the model hears of it."""

import os
import signal
from pathlib import Path

from crewai import LLM, Agent, Crew, Task
from crewai.hooks import InterceptionPoint, on
from crewai.tools import tool

from omium.adapters.crew import instrument


@tool("charge_card")
def charge_card(amount: int) -> str:
    """Charge the customer's card."""
    with Path("charged.txt").open("a") as file:
        file.write(f"{amount}\n")
    return f"receipt for {amount}"


@on(InterceptionPoint.POST_TOOL_CALL)
def die(context):
    if "DIE" in os.environ:
        os.kill(os.getpid(), signal.SIGKILL)


agent = Agent(
    role="Clerk", goal="Charge", backstory="Careful", llm=LLM(model="openai/gpt-4o-mini"), tools=[charge_card]
)
task = Task(
    name="bill",
    description='Bill it. [[call: charge_card {"amount": 3}]] [[say: The customer paid.]]',
    expected_output="A line",
    agent=agent,
)
crew = instrument(Crew(name="billing", agents=[agent], tasks=[task]))

if __name__ == "__main__":
    print("OUTPUT", crew.kickoff().raw)

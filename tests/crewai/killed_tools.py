"""An agent with a tool that charges a card, started in the way that is named; DIE says where it all dies.

`before:ann` is between the model's answer and the tool that it asked for, `behind:ann` between the tool and
its result's way to the model, `model:ann` before the model is asked again. Each charge leaves a line in
charged.txt.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from crewai import LLM, Agent, Crew, Task
from crewai.hooks import after_tool_call, before_llm_call, before_tool_call
from crewai.tools import tool

from omium.adapters.crew import instrument

CUSTOMERS = ({"customer": "ann"}, {"customer": "bob"})


def die_at(place, customer):
    if os.environ.get("DIE") == f"{place}:{customer}":
        os.kill(os.getpid(), signal.SIGKILL)


@tool("charge_card")
def charge_card(customer: str) -> str:
    """Charge the customer's card."""
    with Path("charged.txt").open("a") as file:
        file.write(f"{customer}\n")
    return f"receipt for {customer}"


@before_tool_call
def before(context):
    die_at("before", context.tool_input["customer"])


@after_tool_call
def behind(context):
    die_at("behind", context.tool_input["customer"])


@before_llm_call
def ask_again(context):
    if said := str(next((each["content"] for each in context.messages if each["role"] == "tool"), "")):
        die_at("model", said.rpartition(" ")[2])


agent = Agent(
    role="Clerk", goal="Charge", backstory="Careful", llm=LLM(model="openai/gpt-4o-mini"), tools=[charge_card]
)
task = Task(
    name="bill",
    description='Bill it. [[call: charge_card {"customer": "{customer}"}]] [[say: {customer} paid.]]',
    expected_output="A line",
    agent=agent,
)
crew = instrument(Crew(name="billing", agents=[agent], tasks=[task]))


def call(way):
    inputs = CUSTOMERS if "for_each" in way else CUSTOMERS[0]
    called = getattr(crew, way)(list(inputs) if "for_each" in way else inputs)
    return asyncio.run(called) if asyncio.iscoroutine(called) else called


def show(output):
    return "|".join(each.raw for each in (output if isinstance(output, list) else [output]))


if __name__ == "__main__":
    print("OUTPUT", show(call(sys.argv[1])))

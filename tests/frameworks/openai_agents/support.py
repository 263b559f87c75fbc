"""Agents that hand off, call tools and call another agent as a tool, as a user's script.

DIE names where it is cut off by SIGKILL: a tool's name (inside of it), `after:` a tool's name, `handoff`, or
`turn:N` (behind the N-th answer of a model). Each call of a tool leaves a line in ran.txt.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from agents import (
    Agent,
    GuardrailFunctionOutput,
    OpenAIChatCompletionsModel,
    RunHooks,
    function_tool,
    handoff,
    input_guardrail,
)
from openai import AsyncOpenAI

from omium.adapters.openai_agents import instrument

tiny = OpenAIChatCompletionsModel(model="tiny-1", openai_client=AsyncOpenAI(max_retries=0))


def ran(name):
    with Path("ran.txt").open("a") as file:
        file.write(name + "\n")
    die(name)


def die(place):
    if os.environ.get("DIE") == place:
        os.kill(os.getpid(), signal.SIGKILL)


@function_tool
def lookup(order: str) -> str:
    """Look an order up."""
    ran("lookup")
    return f"{order} cost 12.00"


@function_tool
async def charge(cents: int) -> str:
    """Charge the card."""
    ran("charge")
    return f"charged {cents}"


@function_tool
def fail() -> str:
    """Fail."""
    raise RuntimeError("the bank is closed")


@input_guardrail(run_in_parallel=False)
def polite(context, agent, given):
    ran("polite")
    return GuardrailFunctionOutput({"seen": True}, False)


def told(context):
    ran("told")


class Hooks(RunHooks):
    turns = 0

    async def on_llm_end(self, context, agent, response):
        self.turns += 1
        die(f"turn:{self.turns}")

    async def on_tool_end(self, context, agent, tool, result):
        die(f"after:{tool.name}")

    async def on_handoff(self, context, from_agent, to_agent):
        die("handoff")


expert = Agent(name="Expert", instructions="You know the rules.", model=tiny, tools=[lookup])
billing = Agent(
    name="billing",
    instructions="You charge what is owed.",
    model=tiny,
    tools=[lookup, charge, fail, expert.as_tool("ask_expert", "Asks the expert.")],
)
triage = Agent(
    name="Triage Agent",
    instructions="You route.",
    model=tiny,
    handoffs=[handoff(billing, on_handoff=told)],
    input_guardrails=[polite],
)
support = instrument(triage, name="support", hooks=Hooks())

if __name__ == "__main__":
    if sys.argv[1] == "sync":
        print(support.run_sync("charge order 7").final_output)
    else:
        print(asyncio.run(support.run("charge order 7")).final_output)

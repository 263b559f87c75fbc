"""An agent of the OpenAI Agents SDK as its author wrote it; its second run fails in a tool."""

import contextlib
import sys

from agents import Agent, OpenAIChatCompletionsModel, Runner, function_tool, set_trace_processors
from exporting import export_spans
from openai import AsyncOpenAI


@function_tool
def lookup(animal: str) -> str:
    return f"{animal} hold hands"


@function_tool(failure_error_function=None)
def burn(animal: str) -> str:
    raise ValueError("no ink")


def main():
    base_url, *names = sys.argv[1:]
    set_trace_processors([])  # the SDK's own would tell OpenAI
    provider = export_spans(names)
    client = AsyncOpenAI(base_url=base_url, api_key="sk-none", max_retries=0)
    model = OpenAIChatCompletionsModel(model="gpt-small", openai_client=client)
    agent = Agent(name="researcher", instructions="Research.", tools=[lookup, burn], model=model)
    for tool in ("lookup", "burn"):
        with contextlib.suppress(Exception):
            Runner.run_sync(agent, f'[[call: {tool} {{"animal": "otters"}}]] [[say: A page.]]')
    provider.shutdown()


main()

"""An agent of Pydantic AI as its author wrote it, instrumented by itself; its second run fails in a tool."""

import contextlib
import sys

from exporting import export_spans
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider


def lookup(animal: str) -> str:
    return f"{animal} hold hands"


def burn(animal: str) -> str:
    raise ValueError("no ink")


def main():
    base_url, *names = sys.argv[1:]
    provider = export_spans(names)
    Agent.instrument_all()
    model = OpenAIChatModel("gpt-small", provider=OpenAIProvider(base_url=base_url, api_key="sk-none"))
    agent = Agent(model, name="researcher", instructions="Research.", tools=[lookup, burn])
    for tool in ("lookup", "burn"):
        with contextlib.suppress(Exception):
            agent.run_sync(f'[[call: {tool} {{"animal": "otters"}}]] [[say: A page.]]')
    provider.shutdown()


main()

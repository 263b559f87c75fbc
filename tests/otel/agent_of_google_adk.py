"""An agent of Google's ADK as its author wrote it, with its own spans; its second run fails in a tool."""

import asyncio
import contextlib
import sys

from exporting import export_spans
from google.adk.agents import Agent
from google.adk.models import Gemini
from google.adk.runners import InMemoryRunner
from google.genai import types


def lookup(animal: str) -> str:
    return f"{animal} hold hands"


def burn(animal: str) -> str:
    raise ValueError("no ink")


async def run(agent):
    runner = InMemoryRunner(agent=agent, app_name="otters")
    for tool in ("lookup", "burn"):
        asked = types.Part(text=f'[[call: {tool} {{"animal": "otters"}}]] [[say: A page.]]')
        session = await runner.session_service.create_session(app_name="otters", user_id="someone")
        with contextlib.suppress(Exception):
            async for _ in runner.run_async(
                user_id="someone",
                session_id=session.id,
                new_message=types.Content(role="user", parts=[asked]),
            ):
                pass


def main():
    base_url, *names = sys.argv[1:]
    provider = export_spans(names)
    model = Gemini(model="gemini-small", base_url=base_url)
    asyncio.run(run(Agent(name="researcher", model=model, instruction="Research.", tools=[lookup, burn])))
    provider.shutdown()


main()

"""An agent of Semantic Kernel with functions that its model calls, as a user's script.

DIE names where it is cut off by SIGKILL: a function's name (inside of it), or `after:` and its name. Each
call of a function leaves a line in ran.txt.
"""

import os
import signal
from pathlib import Path

from openai import AsyncOpenAI
from semantic_kernel import Kernel
from semantic_kernel.agents import ChatCompletionAgent
from semantic_kernel.connectors.ai.open_ai import OpenAIChatCompletion
from semantic_kernel.filters import FilterTypes
from semantic_kernel.functions import kernel_function

from omium.adapters.semantic_kernel import instrument


def ran(name):
    with Path("ran.txt").open("a") as file:
        file.write(name + "\n")
    die(name)


def die(place):
    if os.environ.get("DIE") == place:
        os.kill(os.getpid(), signal.SIGKILL)


class Bank:
    @kernel_function(description="Look an order up.")
    def lookup(self, order: str) -> str:
        ran("lookup")
        return f"{order} cost 12.00"

    @kernel_function(description="Charge the card.")
    async def charge(self, cents: int) -> str:
        ran("charge")
        return f"charged {cents}"

    @kernel_function
    def fail(self) -> str:
        """Fail."""
        raise RuntimeError("the bank is closed")


async def watched(context, next):  # noqa: A002  # Semantic Kernel's own name
    """A filter of the user's own, around the whole call: what it sees was recorded already."""
    await next(context)
    die(f"after:{context.function.name}")


kernel = Kernel()
kernel.add_plugin(Bank(), "bank")
kernel.add_filter(FilterTypes.AUTO_FUNCTION_INVOCATION, watched)


def make_agent(client):
    service = OpenAIChatCompletion(ai_model_id="tiny-1", async_client=client)
    return ChatCompletionAgent(name="clerk", instructions="You charge.", kernel=kernel, service=service)


clerk = instrument(make_agent(AsyncOpenAI(max_retries=0)), name="clerk")

if __name__ == "__main__":
    print(clerk.get_response_sync("charge order 7").message.content)

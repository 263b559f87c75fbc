"""An agent of LangChain's `create_agent` with a scripted model, as a user's script.

DIE names where it is cut off by SIGKILL: `charge` (inside of the tool), or `model:2` (before the second
answer). Each tool and each answer leaves a line in ran.txt.
"""

import os
import signal
from pathlib import Path

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import tool

from omium.adapters.langgraph import instrument


def ran(name):
    with Path("ran.txt").open("a") as file:
        file.write(name + "\n")
    if os.environ.get("DIE") == name:
        os.kill(os.getpid(), signal.SIGKILL)


@tool
def charge(cents: int) -> str:
    """Charge the card."""
    ran("charge")
    return f"charged {cents}"


class Teller(BaseChatModel):
    """Charges once, and says so when it sees the tool's answer."""

    @property
    def _llm_type(self):
        return "teller"

    def bind_tools(self, tools, **options):
        return self

    def _generate(self, messages, stop=None, run_manager=None, **options):
        answers = [each for each in messages if each.type == "tool"]
        ran(f"model:{len(answers) + 1}")
        call = {"name": "charge", "args": {"cents": 1200}, "id": "c1"}
        usage = {"input_tokens": 11, "output_tokens": 7, "total_tokens": 18}
        said = AIMessage(answers[0].content, usage_metadata=usage) if answers else None
        message = said or AIMessage("", tool_calls=[call], usage_metadata=usage)
        return ChatResult(generations=[ChatGeneration(message=message)])


agent = create_agent(Teller(), [charge], system_prompt="You charge.", name="clerk")
clerk = instrument(agent, name="clerk")

if __name__ == "__main__":
    print(clerk.invoke({"messages": [("user", "charge order 7")]})["messages"][-1].content)

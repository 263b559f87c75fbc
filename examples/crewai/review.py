"""A flow with a router, made durable: a draft is written anew until it is short enough.

pip install 'omium-os[crewai]'; export OPENAI_API_KEY=...
python examples/crewai/review.py otters
"""

# CrewAI is not installed where types are checked:
# mypy: disable-error-code="misc,untyped-decorator"

import sys

from crewai import LLM, Agent
from crewai.flow import Flow, listen, or_, router, start
from pydantic import BaseModel

from omium.adapters.crew import instrument


class Draft(BaseModel):
    """What the flow knows."""

    topic: str = "otters"
    text: str = ""
    tries: int = 0


class Review(Flow[Draft]):
    """Write until it is good."""

    @start()
    def greet(self) -> None:
        """Begin."""
        print(f"About {self.state.topic}")

    @listen(or_(greet, "too long"))
    def write(self) -> str:
        """Ask for another draft."""
        self.state.tries += 1
        llm = LLM(model="openai/gpt-4o-mini", temperature=0)
        agent = Agent(role="Writer", goal="Write briefly", backstory="You love short texts.", llm=llm)
        asked = f"Write try {self.state.tries} of a sentence about {self.state.topic}."
        self.state.text = str(agent.kickoff(asked).raw)
        return str(self.state.text)

    @router(write)
    def judge(self) -> str:
        """Say what comes next."""
        return "too long" if len(self.state.text) > 40 and self.state.tries < 3 else "good"

    @listen("good")
    def publish(self) -> str:
        """Tell the result."""
        return f"After {self.state.tries} tries: {self.state.text}"


flow = instrument(Review, name="review")

if __name__ == "__main__":
    print(flow.kickoff({"topic": sys.argv[1] if len(sys.argv) > 1 else "otters"}))

"""A crew of two, made durable: kill it while it writes, and nothing is researched or paid for twice.

pip install 'omium-os[crewai]'; export OPENAI_API_KEY=...
python examples/crewai/report.py otters
omium resume ID --here
"""

# CrewAI is not installed where types are checked:
# mypy: disable-error-code="misc,untyped-decorator"

import sys

from crewai import LLM, Agent, Crew, Task
from crewai.tools import tool

from omium.adapters.crew import instrument


@tool("look_up")
def look_up(subject: str) -> str:
    """Look a subject up in the library."""
    return f"{subject.title()} play with pebbles, says the library."


llm = LLM(model="openai/gpt-4o-mini", temperature=0)
researcher = Agent(
    role="Researcher",
    goal="Find facts about {topic}",
    backstory="You love libraries.",
    llm=llm,
    tools=[look_up],
)
writer = Agent(role="Writer", goal="Write briefly", backstory="You love short texts.", llm=llm)
research = Task(
    name="research",
    description="Look up {topic} with the tool, and say what it told.",
    expected_output="One fact about {topic}",
    agent=researcher,
)
write = Task(
    name="write",
    description="Write one friendly sentence about {topic}.",
    expected_output="A sentence",
    agent=writer,
)

crew = instrument(Crew(name="report", agents=[researcher, writer], tasks=[research, write]), max_credits=5)

if __name__ == "__main__":
    print(crew.kickoff({"topic": sys.argv[1] if len(sys.argv) > 1 else "otters"}).raw)

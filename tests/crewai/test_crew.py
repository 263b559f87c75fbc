"""An instrumented crew in this process: what it records, and what it leaves alone."""

from crewai import LLM, Agent, Crew, Task

from omium.adapters.crew import instrument


def make_crew(*sayings, **options):
    llm = LLM(model="openai/gpt-4o-mini")
    agents, tasks = [], []
    for name, saying in sayings:
        agent = Agent(role=f"{name.title()}r", goal="Say it", backstory="Brief", llm=llm)
        agents.append(agent)
        tasks.append(
            Task(
                name=name,
                description=f"About {{topic}}. [[say: {saying}]]",
                expected_output="A line",
                agent=agent,
            )
        )
    return Crew(agents=agents, tasks=tasks, **options)


def test_tasks_are_steps_and_their_tokens_are_usage(server, model):
    crew = make_crew(("research", "Otters play."), ("write", "A text."))

    output = instrument(crew, name="report").kickoff({"topic": "otters"})

    assert output.raw == "A text."
    assert [each.raw for each in output.tasks_output] == ["Otters play.", "A text."]
    detail = server.newest()
    assert (detail["workflow"], detail["status"]) == ("report", "completed")
    assert [step["key"] for step in detail["steps"]] == ["research", "research/model", "write", "write/model"]
    used = detail["usage"]
    assert (used["calls"], used["input_tokens"], used["output_tokens"]) == (
        model.calls,
        model.input_tokens,
        model.output_tokens,
    )

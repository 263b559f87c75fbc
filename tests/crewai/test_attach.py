"""`omium attach` reads what CrewAI writes: a crew's checkpoints, a flow's states, and no key of a model."""

from importlib.metadata import version

import pytest
from crewai import LLM, Agent, Crew, Task
from crewai.events import crewai_event_bus
from crewai.flow.flow import Flow, listen, start
from crewai.flow.persistence import persist
from crewai.flow.persistence.sqlite import SQLiteFlowPersistence
from crewai.state.checkpoint_config import CheckpointConfig

from omium.adapters.attach import open_store

EVENTS = ["task_completed", "task_failed", "crew_kickoff_failed"]


def read(path):
    with open_store(str(path)) as opened:
        runs = opened.list_runs(50)
        return [(run, opened.record(run)) for run in runs]


def refuse(_):
    return False, "no otter is that good"


def run_crew(folder, key, **of_the_last):
    llm = LLM(model="openai/gpt-4o-mini", api_key=key)
    agent = Agent(role="Writer", goal="write", backstory="writes", llm=llm)
    crew = Crew(
        name="report",
        agents=[agent],
        tasks=[
            Task(name="research", description="Find [[say: Otters.]]", expected_output="x", agent=agent),
            Task(
                name="draft",
                description="Write of {topic} [[say: They play.]]",
                expected_output="x",
                agent=agent,
                **of_the_last,
            ),
        ],
        checkpoint=CheckpointConfig(location=str(folder), on_events=EVENTS),
    )
    try:
        crew.kickoff(inputs={"topic": "otters"})
    except Exception:
        assert of_the_last, "only the crew whose guardrail refuses fails"
    assert crewai_event_bus.flush(timeout=60)  # checkpoints are written by threads of CrewAI's own


@pytest.mark.skipif(
    version("crewai") == "1.15.0",
    reason="this CrewAI panics, and stores nothing of a crew that failed",
)
def test_a_crews_checkpoints_tell_its_tasks_and_no_key(model, tmp_path):
    key = "sk-" + "planted-a1B2c3D4e5F6g7H8"
    run_crew(tmp_path, key)
    run_crew(tmp_path, key, guardrail=refuse, guardrail_max_retries=0)
    assert any(key in path.read_text() for path in tmp_path.rglob("*.json"))

    (failed, of_failed), (finished, of_finished) = read(tmp_path)

    assert (finished.workflow, finished.state, failed.state) == ("report", "finished", "failed")
    assert (failed.failed_at, failed.error_type) == ("draft", "Exception")
    assert [(step.name, step.output) for step in of_finished.steps] == [
        ("research", "Otters."),
        ("draft", "They play."),
    ]
    calls = of_failed.usage + of_finished.usage
    assert sum(call.input_tokens for call in calls) == model.input_tokens
    assert sum(call.output_tokens for call in calls) == model.output_tokens
    assert [call.step for call in of_finished.usage] == [0, 1]
    assert (of_finished.input, of_finished.output) == ({"topic": "otters"}, "They play.")
    assert [step.name for step in of_failed.steps if step.error] == ["draft"]
    assert key not in repr((failed, of_failed, finished, of_finished))


def test_a_flow_that_persists_tells_its_methods(tmp_path):
    @persist(SQLiteFlowPersistence(str(tmp_path / "states.db")))
    class Plan(Flow):
        @start()
        def plan(self):
            self.state["plan"] = "go"

        @listen(plan)
        def write(self):
            self.state["text"] = "Otters."

    Plan().kickoff()

    [(run, recorded)] = read(tmp_path / "states.db")

    assert (run.state, run.last) == ("unknown", ("write",))
    assert [step.name for step in recorded.steps] == ["plan", "write"]
    assert recorded.states[-1].state["text"] == "Otters."

"""A plain crew runs on Omium's engine without CrewAI: the same calls of the model, and the same output."""

import uuid

import pytest
from crewai import LLM, Agent, Crew, Task

from omium.adapters.crew.export import export_workflow
from omium.spec.schemas import check_value
from tests.crewai.scripted_model import ScriptedModel
from tests.sdk.served import wait_until

CONTEXT = "\n\nThis is the context you're working with:\n"
DIVIDER = "\n\n----------\n\n"


class Listening(ScriptedModel):
    """Keeps what it was asked, in the order of the calls."""

    def __init__(self):
        super().__init__()
        self.prompts = []
        self.parameters = []

    def answer(self, request):
        self.prompts.append(request["messages"][-1]["content"])
        self.parameters.append({name: request.get(name) for name in ("model", "temperature", "seed")})
        return super().answer(request)


@pytest.fixture
def asked():
    made = Listening()
    yield made
    made.close()


def make_crew(model, contexts=None):
    llm = LLM(model="openai/gpt-tiny-1", api_key="sk-none", base_url=model.base_url, temperature=0.5, seed=3)
    roles = ("Finder of {topic}", "Writer", "Editor")
    agents = [Agent(role=role, goal="To do well", backstory="Has read much.", llm=llm) for role in roles]
    said = (
        "Find {topic}. [[say: Tea is old.]]",
        "Write. [[say: A text.]]",
        "Edit {count}. [[say: The end.]]",
    )
    tasks = [
        Task(name=f"task{at}", description=text, expected_output="short", agent=agents[at])
        for at, text in enumerate(said)
    ]
    for at, sources in (contexts or {}).items():
        tasks[at].context = None if sources is None else [tasks[source] for source in sources]
    return Crew(name=f"papers-{uuid.uuid4().hex[:6]}", agents=agents, tasks=tasks)


@pytest.mark.parametrize(
    ("contexts", "told"),
    [
        (None, ([], ["Tea is old."], ["Tea is old.", "A text."])),
        ({1: None, 2: [0]}, ([], [], ["Tea is old."])),
        ({2: [1, 0]}, ([], ["Tea is old."], ["A text.", "Tea is old."])),
    ],
    ids=["all before", "none and one", "in another order"],
)
def test_the_engine_asks_the_model_what_crewai_asks(server, asked, contexts, told):
    crew, inputs = make_crew(asked, contexts), {"topic": "tea", "count": 2}
    document = export_workflow(crew)
    output = crew.kickoff(inputs).raw
    by_crewai, sent = asked.prompts.copy(), asked.parameters.copy()
    asked.prompts.clear()
    asked.parameters.clear()

    ended = run_on_engine(server, asked, document, inputs)

    assert ended["output"] == {"output": output} == {"output": "The end."}
    assert asked.parameters == sent
    for prompts in (by_crewai, asked.prompts):
        assert len(prompts) == 3
        assert ["Find tea." in prompts[0], "Write." in prompts[1], "Edit 2." in prompts[2]] == [True] * 3
        for prompt, texts in zip(prompts, told, strict=True):
            assert (CONTEXT + DIVIDER.join(texts) in prompt) if texts else (CONTEXT not in prompt)
            assert prompt.count(DIVIDER) == max(len(texts) - 1, 0)


def run_on_engine(server, model, document, inputs):
    """Import the workflow, run it on the server's own engine, and return the execution when it has ended."""
    assert document["runtime"]["mode"] == "engine"
    (server.running.data / "providers.toml").write_text(f'[openai]\nbase_url = "{model.base_url}"\n')
    server.post("/v1/workflows", {"document": document})
    body = {"workflow": document["name"], "driver": "worker", "input": inputs, "input_digest": "0" * 64}
    execution = server.post("/v1/executions", body)["id"]

    def look():
        detail = server.detail(execution)
        return detail if detail["status"] in ("completed", "failed", "paused") else None

    ended = wait_until(look)
    assert ended["status"] == "completed", ended["error"]
    return ended


@pytest.mark.parametrize("value", [["a"], True, {"a": 1}, None, 0.5])
def test_what_crewai_writes_otherwise_into_a_prompt_is_no_input_for_the_engine(asked, value):
    """CrewAI writes a list as Python does, the engine as JSON: there is no run with another prompt."""
    schema = export_workflow(make_crew(asked))["inputs"]

    assert check_value(schema, {"topic": "tea", "count": 2}) == []
    assert check_value(schema, {"topic": "tea", "count": value}) != []

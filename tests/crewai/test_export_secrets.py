"""No secret leaves in a document, wherever in a crew it was planted; and what is no secret stays readable."""

import json

import pytest
from crewai import LLM, Crew, Task
from crewai.flow.flow import Flow, start
from crewai.tools import BaseTool, tool
from pydantic import BaseModel, PrivateAttr, SecretStr

from omium.adapters.crew.export import export_workflow
from omium.spec.check import check_spec
from tests.crewai.kinds import make_agent, make_task

PLANTED = {
    "api_key": "planted-one-4711",
    "password": "planted-two-4712",
    "header": "planted-three-4713",
    "tool": "planted-four-4714",
    "private": "planted-five-4715",
    "environment": "planted-six-4716",
    "manager": "planted-seven-4717",
    "query": "planted-eight-4718",
    "pydantic": "planted-nine-4719",
}
LOOKS = "sk-proj-9fK2mQ7xLw3RzT8vB1nC4dE6"  # nobody holds it: found by its looks


class Search(BaseTool):
    """Holds a key in three ways."""

    name: str = "search"
    description: str = f"Finds pages; its key is {PLANTED['tool']}."
    api_key: str = PLANTED["tool"]
    secret: SecretStr = SecretStr(PLANTED["pydantic"])
    _access_token: str = PrivateAttr(default=PLANTED["private"])

    def _run(self, query: str) -> str:
        return query + PLANTED["private"]


class Login(BaseModel):
    """What a task gives; its fields are names, not secrets."""

    token: str
    password: str


@tool("call the service")
def call_service(path: str) -> str:
    """Calls it."""
    headers = {"authorization": "Bearer planted-six-4716"}
    return f"{path} {headers}"


@pytest.fixture
def model(monkeypatch):
    monkeypatch.setenv("SERVICE_API_KEY", PLANTED["environment"])
    return LLM(
        model="openai/gpt-tiny-1",
        api_key=PLANTED["api_key"],
        base_url=f"https://reader:{PLANTED['password']}@models.example.com/v1",
        default_headers={"x-team": PLANTED["header"]},
        default_query={"code": PLANTED["query"]},
    )


def leaks(document):
    text = json.dumps(document)
    return {name for name, value in PLANTED.items() if value in text} | (
        {"looks"} if LOOKS in text else set()
    )


def make_crew(model, **given):
    agent = make_agent(
        "Researcher",
        llm=model,
        goal=f"Never say {PLANTED['api_key']} or {PLANTED['password']}",
        backstory=f"Sends {PLANTED['header']} and {PLANTED['query']} along, and {LOOKS}.",
        tools=[Search(), call_service],
    )
    task = make_task(f"Use {PLANTED['environment']} and {PLANTED['private']}", agent=agent, **given)
    return Crew(agents=[agent], tasks=[task])


@pytest.mark.parametrize("mode", [None, "native"])
def test_nothing_that_was_planted_leaves(model, mode):
    document = export_workflow(make_crew(model), mode=mode)

    assert leaks(document) == set()
    assert check_spec(document).problems == ()
    assert document["agents"]["Researcher"]["goal"] == "Never say [redacted] or [redacted]"
    assert "models.example.com" not in json.dumps(document)


def test_nothing_leaves_of_an_engine_document(model):
    agent = make_agent(
        llm=LLM(model="openai/gpt-4o-mini", api_key=PLANTED["api_key"]), backstory=PLANTED["api_key"]
    )

    document = export_workflow(Crew(agents=[agent], tasks=[make_task(agent=agent)]))

    assert document["runtime"]["mode"] == "engine"
    assert leaks(document) == set()


def test_nothing_leaves_of_a_manager_or_a_planner():
    model = LLM(model="openai/gpt-4o-mini", api_key=PLANTED["manager"])
    crew = Crew(
        agents=[make_agent(backstory=PLANTED["manager"])],
        tasks=[Task(description=PLANTED["manager"], expected_output="x")],
        process="hierarchical",
        manager_llm=model,
    )

    assert leaks(export_workflow(crew)) == set()


class Keyed(Flow[dict]):
    """A flow whose code and state hold keys."""

    initial_state = {"topic": "tea", "api_key": PLANTED["api_key"]}  # noqa: RUF012  # as people write it

    @start()
    def begin(self):
        """Has the key planted-six-4716 in its text."""
        return "planted-six-4716"


def test_nothing_leaves_of_a_flow(monkeypatch):
    monkeypatch.setenv("SERVICE_API_KEY", PLANTED["environment"])

    document = export_workflow(Keyed)

    assert leaks(document) == set()
    assert "[redacted]" in document["nodes"][0]["ref"]["source"]
    assert document["state"] == {"type": "dict", "keys": ["api_key", "topic"]}


def test_names_of_fields_are_no_secrets(model):
    document = export_workflow(make_crew(model, output_pydantic=Login))

    properties = document["nodes"][0]["outputs"]["properties"]
    assert properties["token"]["type"] == "string"
    assert properties["password"]["type"] == "string"
    assert check_spec(document).problems == ()

"""A LangGraph agent that knows nothing of Omium, seen through each of the usual instrumentors."""

import httpx
import pytest

from tests.crewai.scripted_model import ScriptedModel
from tests.otel.observed import list_executions, list_steps, run_script

INSTRUMENTORS = {
    "openinference": ["openinference-langchain"],
    "openinference twice": ["openinference-langchain", "openinference-openai"],
    "traceloop beside": ["openinference-langchain", "traceloop-openai"],
    "official beside": ["openinference-langchain", "official-openai"],
    "four at once": [
        "openinference-langchain",
        "openinference-openai",
        "traceloop-openai",
        "official-openai",
    ],
    "only the model": ["openinference-openai"],
    "only the model, official": ["official-openai"],
    "langsmith": [],
}
ONLY_THE_MODEL = (["openinference-openai"], ["official-openai"])
LANGSMITH = {
    "LANGSMITH_TRACING": "true",
    "LANGSMITH_OTEL_ENABLED": "true",
    "LANGSMITH_OTEL_ONLY": "true",
    "LANGSMITH_API_KEY": "none",
}


@pytest.fixture
def model():
    server = ScriptedModel()
    yield server
    server.close()


def run_agent(server, model, names, outcome="completes"):
    run_script("agent.py", server, model.base_url, outcome, *names, environment={} if names else LANGSMITH)


@pytest.mark.parametrize("names", INSTRUMENTORS.values(), ids=INSTRUMENTORS)
def test_tokens_are_those_that_the_model_counted(running_server, model, names):
    run_agent(running_server, model, names)
    shown = list_executions(running_server, model.calls)
    assert {(each["workflow"], each["driver"], each["status"]) for each in shown} == {
        ("otters", "observed", "completed")
    }
    counted = [
        sum(each["usage"][name] for each in shown) for name in ("input_tokens", "output_tokens", "calls")
    ]
    assert counted == [model.input_tokens, model.output_tokens, model.calls]
    if names in ONLY_THE_MODEL:
        return  # without the graph around them, each call is a trace of its own
    assert len(shown) == 1
    paths = {step["key"] for step in list_steps(running_server, shown[0])}
    assert {"research", "write", "research/ChatOpenAI", "write/ChatOpenAI"} <= paths
    assert "otters" in str(shown[0]["input"])
    assert "A page." in str(shown[0]["output"])


@pytest.mark.parametrize("names", [["openinference-langchain"], []], ids=["openinference", "langsmith"])
def test_a_node_that_fails_is_in_the_inbox(running_server, model, names):
    run_agent(running_server, model, names, "fails")
    (shown,) = list_executions(running_server, model.calls)
    assert shown["status"] == "failed"
    with httpx.Client(base_url=running_server.base_url, headers=running_server.headers) as client:
        (failure,) = client.get("/v1/failures").json()["items"]
    assert (failure["step"], failure["error_type"], failure["message"]) == ("write", "ValueError", "no ink")


def test_nothing_is_lost_when_the_server_is_killed_meanwhile(running_server, model):
    """The exporter is told no success before the spans are stored, and sends again."""
    run_agent(running_server, model, ["openinference-langchain"])
    running_server.kill()
    running_server.restart()
    (shown,) = list_executions(running_server, model.calls)
    assert shown["usage"]["input_tokens"] == model.input_tokens

"""A LangGraph agent that knows nothing of Omium, seen through each of the usual instrumentors."""

import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.crewai.scripted_model import ScriptedModel

AGENT = Path(__file__).with_name("agent.py")
INSTRUMENTORS = {
    "openinference": ["openinference-langchain"],
    "openinference twice": ["openinference-langchain", "openinference-openai"],
    "traceloop beside": ["openinference-langchain", "traceloop-openai"],
    "three at once": ["openinference-langchain", "openinference-openai", "traceloop-openai"],
    "only the model": ["openinference-openai"],
    "langsmith": [],
}
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
    environment = {
        **os.environ,
        "OTEL_EXPORTER_OTLP_ENDPOINT": server.base_url,
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{server.api_key}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_SERVICE_NAME": "otters",
        **({} if names else LANGSMITH),
    }
    command = [sys.executable, str(AGENT), model.base_url, outcome, *names]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert "Failed to export" not in done.stderr


def list_executions(server, calls):
    """Return what is shown, once nothing runs any more and `calls` of the model are counted.

    A call that a client tells in a trace of its own is shown until the trace around it has been read.
    """
    with httpx.Client(base_url=server.base_url, headers=server.headers, timeout=30) as client:
        for _ in range(200):
            items = client.get("/v1/executions").json()["items"]
            shown = [client.get(f"/v1/executions/{item['id']}").json() for item in items]
            ended = shown and all(each["status"] in {"completed", "failed"} for each in shown)
            if ended and sum(each["usage"]["calls"] for each in shown) == calls:
                break
            time.sleep(0.1)
        return shown


def list_steps(server, execution):
    with httpx.Client(base_url=server.base_url, headers=server.headers, timeout=30) as client:
        return client.get(f"/v1/executions/{execution['id']}/steps").json()["items"]


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
    if names == ["openinference-openai"]:
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

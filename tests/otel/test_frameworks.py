"""Agents of frameworks that trace themselves or are instrumented, beside instrumentation of the client.

Each script runs its agent twice: the first run calls a tool and completes, in the second the tool raises.
"""

from dataclasses import dataclass, field

import httpx
import pytest

from tests.crewai.scripted_model import ScriptedModel
from tests.otel.observed import list_executions, list_steps, run_script
from tests.otel.scripted_gemini import ScriptedGemini


@dataclass
class Framework:
    """A script with its instrumentors, the steps of its run that completes, and the error of the other."""

    script: str
    instrumentors: list[str]
    steps: list[str]
    failed_step: str
    error: tuple[str, str] = ("ValueError", "no ink")
    model: type[ScriptedModel] = ScriptedModel
    environment: dict[str, str] = field(default_factory=dict)
    workflow: str = "otters"
    tells_whole: bool = False
    """Whether the span around a run says what went in and what came out."""


GROUP = "Agent workflow/researcher"
OPENINFERENCE_STEPS = [
    "Agent workflow",
    GROUP,
    f"{GROUP}/turn",
    f"{GROUP}/turn/generation",
    f"{GROUP}/turn/lookup",
    f"{GROUP}/turn#2",
    f"{GROUP}/turn#2/generation",
]
TOLD_BY_THE_SDK = ("Error", "Error running tool: {'tool_name': 'burn', 'error': 'no ink'}")
CALLS = ["chat gpt-small", "chat gpt-small#2"]
FRAMEWORKS = {
    "openai-agents, openinference": Framework(
        "agent_of_openai_agents.py",
        ["openinference-openai-agents"],
        OPENINFERENCE_STEPS,
        f"{GROUP}/turn/burn",
        TOLD_BY_THE_SDK,
    ),
    "openai-agents, openinference twice": Framework(
        "agent_of_openai_agents.py",
        ["openinference-openai-agents", "openinference-openai"],
        OPENINFERENCE_STEPS,
        f"{GROUP}/turn/burn",
        TOLD_BY_THE_SDK,
    ),
    "openai-agents, official": Framework(
        "agent_of_openai_agents.py",
        ["official-openai-agents", "official-openai"],
        ["researcher", "researcher/lookup", *(f"researcher/{call}" for call in CALLS)],
        "researcher/burn",
        ("Error", "{'message': 'Error running tool', 'data': {'tool_name': 'burn', 'error': 'no ink'}}"),
    ),
    "pydantic-ai": Framework("agent_of_pydantic_ai.py", [], [*CALLS, "lookup"], "burn", tells_whole=True),
    "pydantic-ai, official beside": Framework(
        "agent_of_pydantic_ai.py", ["official-openai"], [*CALLS, "lookup"], "burn", tells_whole=True
    ),
    "google-adk": Framework(
        "agent_of_google_adk.py",
        [],
        [
            "researcher",
            "researcher/generate_content gemini-small",
            "researcher/generate_content gemini-small#2",
            "researcher/lookup",
        ],
        "researcher/burn",
        model=ScriptedGemini,
        environment={"GOOGLE_API_KEY": "none"},
        workflow="researcher",  # it names its workflows itself
    ),
}
CAPTURED = {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_ONLY"}


@pytest.fixture(params=FRAMEWORKS.values(), ids=FRAMEWORKS)
def framework(request):
    return request.param


@pytest.fixture
def model(framework):
    server = framework.model()
    yield server
    server.close()


def test_each_run_is_one_execution_with_the_steps_tokens_and_failure_of_it(running_server, framework, model):
    environment = CAPTURED | framework.environment
    arguments = [model.base_url, *framework.instrumentors]
    run_script(framework.script, running_server, *arguments, environment=environment)

    shown = list_executions(running_server, model.calls)

    assert model.calls == 3
    assert {(each["workflow"], each["driver"]) for each in shown} == {(framework.workflow, "observed")}
    by_status = {each["status"]: each for each in shown}
    assert (sorted(by_status), len(shown)) == (["completed", "failed"], 2)
    counted = [
        sum(each["usage"][name] for each in shown) for name in ("input_tokens", "output_tokens", "calls")
    ]
    assert counted == [model.input_tokens, model.output_tokens, model.calls]
    if framework.tells_whole:
        assert "[[call: lookup" in str(by_status["completed"]["input"])
        assert by_status["completed"]["output"] == "A page."
    steps = {step["key"]: step for step in list_steps(running_server, by_status["completed"])}
    assert sorted(steps) == sorted(framework.steps)
    (tool,) = (step for key, step in steps.items() if key.endswith("lookup"))
    assert tool["input"] == {"animal": "otters"}
    assert "otters hold hands" in str(tool["output"])
    with httpx.Client(base_url=running_server.base_url, headers=running_server.headers) as client:
        (failure,) = client.get("/v1/failures").json()["items"]
    assert (failure["step"], failure["error_type"], failure["message"]) == (
        framework.failed_step,
        *framework.error,
    )


def test_a_call_that_gets_no_answer_is_the_failure_of_its_run(running_server):
    gone = ScriptedModel()
    gone.close()
    official = FRAMEWORKS["openai-agents, official"]
    run_script(official.script, running_server, gone.base_url, *official.instrumentors)

    shown = list_executions(running_server, 0)

    assert [each["status"] for each in shown] == ["failed", "failed"]
    assert {(each["error"]["type"], each["error"]["message"]) for each in shown} == {
        ("APIConnectionError", "Connection error.")
    }
    with httpx.Client(base_url=running_server.base_url, headers=running_server.headers) as client:
        (failure,) = client.get("/v1/failures").json()["items"]
    assert (failure["step"], failure["count"]) == ("researcher/chat gpt-small", 2)

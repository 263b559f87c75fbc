"""What single instrumentations tell in a way of their own; tests/otel runs the real ones."""

import json

import pytest

from omium.server.traces.picture import draw
from omium.server.traces.reading import read_span
from omium.server.traces.wire import Origin, RawSpan
from omium.states import ExecutionStatus

OPENINFERENCE = "openinference.instrumentation.openai_agents"
OFFICIAL = "opentelemetry.instrumentation.genai.openai_agents"


def read(id_, parent, name, ends=10, *, scope="tests", failed="", **attributes):
    """Return what is kept of a span; `__` in names of attributes stands for a dot."""
    raw = RawSpan(
        trace_id="a" * 32,
        span_id=f"{id_:016x}",
        parent_id=f"{parent:016x}" if parent else "",
        name=name,
        start_ns=id_ * 1_000,
        end_ns=ends * 1_000_000,
        failed=bool(failed),
        status_message=failed,
        attributes={key.replace("__", "."): value for key, value in attributes.items()},
        exceptions=[],
        origin=Origin({}, scope),
    )
    return read_span(raw, lambda value: value)


def of_agents(*agents, scope=OPENINFERENCE):
    """Return a trace of the OpenAI Agents SDK: agents run one after another, each with a tool that fails.

    Of each agent it is given whether it fails; what is around it never tells.
    """
    kinds = {"scope": scope, "openinference__span__kind": "CHAIN"}
    yield read(1, 0, "Agent workflow", 99, scope=scope, openinference__span__kind="AGENT")
    yield read(2, 1, "Agent workflow", 98, **kinds)
    for number, fails in enumerate(agents, 1):
        id_, failed = number * 10, "Error in agent run: {}" if fails else ""
        named = {"openinference__span__kind": "AGENT", "agent__name": f"agent {number}"}
        yield read(id_, 2, "agent", id_ + 3, scope=scope, failed=failed, **named)
        yield read(id_ + 1, id_, "turn", id_ + 2, **kinds)
        tool = {"openinference__span__kind": "TOOL", "tool__name": "burn"}
        yield read(id_ + 2, id_ + 1, "burn", id_ + 1, scope=scope, failed="Error running tool", **tool)


@pytest.mark.parametrize("scope", [OPENINFERENCE, OFFICIAL])
@pytest.mark.parametrize(
    ("agents", "status", "path"),
    [
        ([True], "failed", "Agent workflow/agent 1/turn/burn"),
        ([False], "completed", ""),  # a tool's failure that its agent has taken
        ([False, True], "failed", "Agent workflow/agent 2/turn/burn"),
        ([True, False], "completed", ""),  # who has run the agent went on with another
    ],
)
def test_a_trace_of_openai_agents_ends_as_the_agent_that_ended_last_in_it(scope, agents, status, path):
    picture = draw("ex_1", list(of_agents(*agents, scope=scope)), closed=False)
    assert picture.status == ExecutionStatus(status)
    if path:
        assert picture.failed_path == path
        assert picture.error == {"type": "Error", "message": "Error running tool"}


def test_the_root_of_other_instrumentation_tells_itself_how_it_ended():
    picture = draw("ex_1", list(of_agents(True, scope="openinference.instrumentation.crewai")), closed=False)
    assert picture.status is ExecutionStatus.COMPLETED


def test_an_agent_without_the_trace_around_it_has_not_failed_by_its_tool():
    spans = [span for span in of_agents(False) if span.name == "agent 1" or span.name in {"turn", "burn"}]
    assert draw("ex_1", spans, closed=True).status is ExecutionStatus.COMPLETED


def test_what_failed_inside_an_agent_that_went_on_is_not_its_failure():
    own = read(50, 11, "check", scope=OPENINFERENCE, failed="no", openinference__span__kind="CHAIN")
    assert draw("ex_1", [*of_agents(False), own], closed=False).status is ExecutionStatus.COMPLETED


@pytest.mark.parametrize(("given", "workflow"), [("report", "report"), ("Agent workflow", "")])
def test_a_workflow_that_nobody_named_leaves_the_name_to_its_service(given, workflow):
    span = read(
        1, 0, "invoke_workflow", gen_ai__operation__name="invoke_workflow", gen_ai__workflow__name=given
    )
    assert span.workflow == workflow


def test_an_error_without_a_type_is_one_without_a_name():
    span = read(1, 0, "execute_tool burn", failed="no ink", error__type="_OTHER", gen_ai__tool__name="burn")
    assert span.error == {"type": "Error", "message": "no ink"}


SAID = {"role": "user", "parts": [{"type": "text", "content": "Why?"}]}
ANSWERED = {"role": "assistant", "parts": [{"type": "text", "content": "So."}]}
CALLED = {"role": "assistant", "parts": [{"type": "tool_call", "name": "lookup"}]}
TOLD = {"role": "user", "parts": [{"type": "tool_call_response", "name": "lookup", "result": "otters"}]}


@pytest.mark.parametrize(
    ("conversation", "asked"),
    [
        ([SAID, CALLED, TOLD, ANSWERED], [SAID]),
        ([SAID, ANSWERED, SAID, CALLED, TOLD, ANSWERED], [SAID, ANSWERED, SAID]),  # with its history
        ([ANSWERED], None),
        ([7, None, {"role": "user", "parts": "none"}], None),
        ("cut off [", None),
    ],
)
def test_an_agent_of_pydantic_ai_was_asked_what_a_person_said_last(conversation, asked):
    given = {"pydantic_ai.all_messages": json.dumps(conversation), "final_result": "So."}
    span = read(1, 0, "invoke_agent researcher", gen_ai__operation__name="invoke_agent", **given)
    assert (span.input, span.output) == (asked, "So.")

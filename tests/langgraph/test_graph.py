"""An instrumented graph in this process: what it records, waits for, and fails with."""

import asyncio
import traceback
from typing import Annotated

import pytest
from langchain_core.language_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.func import entrypoint, task
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import Command, RetryPolicy, interrupt
from typing_extensions import TypedDict

import omium
from omium.adapters.langgraph import NodePolicy, OmiumSaver, instrument
from omium.errors import ConfigError, OutputInvalid


class State(TypedDict, total=False):
    x: int


class Chat(TypedDict):
    messages: Annotated[list, add_messages]


def chain(*nodes, state=State):
    builder = StateGraph(state)
    before = START
    for node in nodes:
        builder.add_node(node)
        builder.add_edge(before, node.__name__)
        before = node.__name__
    return builder.compile()


def add(state):
    return {"x": state["x"] + 1}


def double(state):
    return {"x": state["x"] * 2}


def test_the_users_own_graph_is_not_changed(server):
    own = chain(add, double)
    nodes = dict(own.nodes)

    instrument(own, name="kept").invoke({"x": 1})

    assert own.nodes == nodes
    assert own.checkpointer is None
    assert own.invoke({"x": 1}) == {"x": 4}


def test_what_is_not_omiums_is_the_graphs(server):
    graph = instrument(chain(add), name="state")

    graph.invoke({"x": 1}, {"configurable": {"thread_id": "t"}})

    assert graph.get_state({"configurable": {"thread_id": "t"}}).values == {"x": 2}
    assert "add" in graph.get_graph().nodes


def test_an_error_fails_the_execution_and_is_the_users_own(server):
    def broken(state):
        raise ValueError("no such customer")

    with pytest.raises(ValueError, match="no such customer"):
        instrument(chain(add, broken), name="broken").invoke({"x": 1})

    detail = server.newest()
    assert detail["status"] == "failed"
    assert {step["name"]: step["status"] for step in detail["steps"]} == {
        "add": "completed",
        "broken": "failed",
    }


def test_a_nodes_policy_tries_again(server):
    tries = []

    def flaky(state):
        tries.append(1)
        if len(tries) < 3:
            raise ConnectionError("not yet")
        return {"x": 7}

    policy = NodePolicy(retry=omium.RetryPolicy(max_attempts=3, initial_delay_s=0.01))
    graph = instrument(chain(flaky), name="flaky", nodes={"flaky": policy})

    assert graph.invoke({"x": 1}) == {"x": 7}

    step = server.newest()["steps"][0]
    assert (step["attempt"], step["status"]) == (3, "completed")


def test_of_a_node_without_a_record_langgraphs_own_checkpoint_stands_for_it(server):
    ran = []

    def flaky(state):
        ran.append(state["x"])
        if len(ran) == 1:
            raise ConnectionError("not yet")
        return {"x": 7}

    graph = instrument(chain(add, flaky), name="unrecorded", nodes={"add": NodePolicy(record=False)})
    with pytest.raises(ConnectionError):
        graph.invoke({"x": 1})

    assert omium.resume(server.newest()["id"]) == {"x": 7}
    assert ran == [2, 2]
    step = server.newest()["steps"][0]
    assert (step["name"], step["status"], step["output"]) == ("add", "completed", None)


def test_what_a_node_writes_that_is_not_as_its_schema_asks_fails_it(server):
    ran = []

    def moving(state):
        ran.append(1)
        return Command(update={"x": "far"}, goto="add")

    schema = {"type": "object", "properties": {"update": {"properties": {"x": {"type": "number"}}}}}
    own = RetryPolicy(max_attempts=3, initial_interval=0.01)  # LangGraph tries no ValueError again
    builder = StateGraph(State).add_node(moving, destinations=("add",), retry_policy=own).add_node(add)
    graph = instrument(
        builder.add_edge(START, "moving"), name="judged", nodes={"moving": NodePolicy(output_schema=schema)}
    )

    with pytest.raises(OutputInvalid, match=": /update/x: "):
        graph.invoke({"x": 1})
    assert [step["name"] for step in server.newest()["steps"]] == ["moving"]
    assert ran == [1]


def test_langgraphs_own_retry_is_kept(server):
    tries = []

    def flaky(state):
        tries.append(1)
        if len(tries) < 2:
            raise ConnectionError("not yet")
        return {"x": 7}

    builder = StateGraph(State)
    builder.add_node(flaky, retry_policy=RetryPolicy(max_attempts=2, initial_interval=0.01))
    builder.add_edge(START, "flaky")

    assert instrument(builder, name="own-retry").invoke({"x": 1}) == {"x": 7}
    assert server.newest()["steps"][0]["attempt"] == 2


def test_a_policy_for_a_node_that_is_not_there_is_refused(server):
    with pytest.raises(ConfigError, match="no node 'ad'"):
        instrument(chain(add), nodes={"ad": NodePolicy()})


def test_a_timeout_fails_an_async_node(server):
    async def slow(state):
        await asyncio.sleep(60)

    graph = instrument(chain(slow), name="slow", timeout_s=0.05)

    with pytest.raises(omium.StepTimeout):
        asyncio.run(graph.ainvoke({"x": 1}))


def ask(state):
    return {"x": interrupt("which number?")}


def test_an_interrupt_makes_the_execution_wait_and_a_command_goes_on_with_it(server):
    graph = instrument(chain(add, ask, double), name="asking")
    config = {"configurable": {"thread_id": "t-1"}}

    stopped = graph.invoke({"x": 1}, config)

    assert stopped["__interrupt__"][0].value == "which number?"
    waiting = server.newest()
    assert (waiting["status"], waiting["reason"]) == ("waiting", "signal")
    assert graph.invoke(Command(resume=21), config) == {"x": 42}
    done = server.newest()
    assert (done["id"], done["status"]) == (waiting["id"], "completed")
    assert [step["name"] for step in done["steps"]] == ["add", "ask", "double"]


async def test_an_interrupt_in_async_code_waits_too(server):
    graph = instrument(chain(ask), name="asking-async")
    config = {"configurable": {"thread_id": "t-2"}}

    assert "__interrupt__" in await graph.ainvoke({"x": 1}, config)
    assert await graph.ainvoke(Command(resume=5), config) == {"x": 5}
    assert (await asyncio.to_thread(server.newest))["status"] == "completed"


def test_tokens_are_usage_of_the_nodes_step(server):
    details = {"cache_read": 3, "cache_creation": 0, "ephemeral_5m_input_tokens": 2}  # as langchain-anthropic
    usage = {"input_tokens": 11, "output_tokens": 7, "total_tokens": 18, "input_token_details": details}
    message = AIMessage("hello", usage_metadata=usage, response_metadata={"model_name": "small"})

    def chat(state):
        return {"messages": [FakeMessagesListChatModel(responses=[message]).invoke(state["messages"])]}

    graph = instrument(chain(chat, state=Chat), name="chat")
    answer = graph.invoke({"messages": [HumanMessage("hi")]})

    assert answer["messages"][-1].content == "hello"
    used = server.newest()["usage"]
    assert (used["calls"], used["input_tokens"], used["output_tokens"]) == (1, 11, 7)
    assert (used["cached_tokens"], used["cache_write_tokens"]) == (3, 2)
    assert list(used["by_model"]) == ["fakemessageslistchatmodel/small"]


def test_messages_come_back_as_messages_after_a_crash(server):
    ran = []

    def chat(state):
        ran.append("chat")
        return {"messages": [AIMessage("hello", id="m-1")]}

    def fails_once(state):
        ran.append("fails_once")
        if ran.count("fails_once") == 1:
            raise ValueError("once")
        return {"messages": [AIMessage(f"after {state['messages'][-1].content}")]}

    graph = instrument(chain(chat, fails_once, state=Chat), name="talk")
    with pytest.raises(ValueError, match="once"):
        graph.invoke({"messages": [HumanMessage("hi")]})

    answer = omium.resume(server.newest()["id"])

    assert [type(each) for each in answer["messages"]] == [HumanMessage, AIMessage, AIMessage]
    assert answer["messages"][-1].content == "after hello"
    assert ran == ["chat", "fails_once", "fails_once"]


def test_tasks_of_an_entrypoint_are_steps(server):
    ran = []

    @task
    def square(n):
        ran.append(n)
        return n * n

    @entrypoint()
    def flow(n):
        total = sum(future.result() for future in [square(i) for i in range(n)])
        if len(ran) == n and n == 3:
            ran.append("boom")
            raise ValueError("after the tasks")
        return total

    graph = instrument(flow, name="functional")
    with pytest.raises(ValueError, match="after the tasks"):
        graph.invoke(3)

    assert omium.resume(server.newest()["id"]) == 5
    # The tasks run in threads: which of them starts first is not ours to say.
    assert sorted(ran[:3]) == [0, 1, 2]
    assert ran[3:] == ["boom"]
    assert [step["name"] for step in server.newest()["steps"]] == ["square"] * 3


def test_a_graph_inside_a_workflow_is_part_of_its_execution(server):
    graph = instrument(chain(add, double), name="inner")

    @omium.workflow
    def outer(x):
        return graph.invoke({"x": x})["x"] + graph.invoke({"x": x + 1})["x"]

    assert outer(1) == 4 + 6

    detail = server.newest()
    assert detail["workflow"] == "outer"
    assert sorted(step["name"] for step in detail["steps"]) == [
        "add",
        "add",
        "double",
        "double",
        "inner",
        "inner",
    ]


def test_a_stream_yields_what_langgraph_streams_and_completes_the_execution(server):
    graph = instrument(chain(add, double), name="streamed")

    chunks = list(graph.stream({"x": 1}, stream_mode="updates"))

    assert chunks == [{"add": {"x": 2}}, {"double": {"x": 4}}]
    assert omium.execution_id() is None
    detail = server.newest()
    assert (detail["status"], detail["output"]) == ("completed", {"x": 4})


def test_a_stream_that_is_closed_early_can_be_resumed(server):
    graph = instrument(chain(add, double), name="left")

    stream = graph.stream({"x": 1}, stream_mode="updates")
    next(stream)
    stream.close()

    left = server.newest()
    assert left["status"] != "completed"
    assert omium.resume(left["id"]) == {"x": 4}


def test_a_second_run_on_a_thread_begins_anew_with_its_state(server):
    graph = instrument(chain(add, state=State), name="thread")
    config = {"configurable": {"thread_id": "long"}}

    assert graph.invoke({"x": 1}, config) == {"x": 2}
    assert graph.invoke({"x": 10}, config) == {"x": 11}

    page = server.get("/v1/executions?workflow=thread")
    assert [each["status"] for each in page["items"]] == ["completed", "completed"]


def test_the_saver_alone_serves_a_plain_graph(server):
    builder = StateGraph(State).add_node(add).add_edge(START, "add")
    graph = builder.compile(checkpointer=OmiumSaver())
    config = {"configurable": {"thread_id": "plain"}}

    graph.invoke({"x": 1}, config, durability="sync")

    assert graph.get_state(config).values == {"x": 2}
    assert [each.metadata["source"] for each in graph.get_state_history(config)] == ["loop", "loop", "input"]


def broken(state):
    raise RuntimeError(f"no printer for {state['x']}")


async def abroken(state):
    raise RuntimeError(f"no printer for {state['x']}")


@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream"])
def test_what_a_node_raises_shows_no_frame_of_the_adapter(server, way):
    graph = instrument(chain(add, abroken if way == "ainvoke" else broken), name="broken")

    with pytest.raises(RuntimeError, match="no printer for 2") as raised:
        if way == "ainvoke":
            asyncio.run(graph.ainvoke({"x": 1}))
        elif way == "invoke":
            graph.invoke({"x": 1})
        else:
            list(graph.stream({"x": 1}))

    files = [frame.filename for frame in traceback.extract_tb(raised.value.__traceback__)]
    assert not [file for file in files if "/omium/adapters/" in file or "/omium/sdk/" in file]
    assert files[-1] == __file__

"""Graphs of every kind, each with a run that shows what LangGraph itself does: `KINDS` by name.

Run as a script, it prints the exported documents of all, so that two processes can be compared.
"""

import itertools
import json
import operator
import sys
import warnings
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import entrypoint, task
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import CachePolicy, Command, RetryPolicy, Send, interrupt
from pydantic import BaseModel
from typing_extensions import TypedDict

from omium.adapters.langgraph import export_graph

try:
    from langgraph.prebuilt import ToolNode, create_react_agent, tools_condition
except ImportError:  # the newest that LangGraph 1.0 and 1.1 allow does not fit them
    HAS_PREBUILT = False
else:
    HAS_PREBUILT = True


class State(TypedDict, total=False):
    topic: str
    count: int
    log: Annotated[list[str], operator.add]


class Chat(TypedDict):
    messages: Annotated[list, add_messages]


class Form(BaseModel):
    topic: str
    log: Annotated[list[str], operator.add] = []


@dataclass
class Kind:
    """A graph, what it is run with, and the edges that its document must have, as `from->to`."""

    graph: Any
    edges: set[str]
    inputs: list[Any] = field(default_factory=lambda: [{"topic": "cats", "log": []}])
    starts: set[str] = field(default_factory=set)
    dynamic: set[str] = field(default_factory=set)
    is_run: bool = True


KINDS: dict[str, Any] = {}


def kind(function):
    if function.__name__.startswith("agent") and not HAS_PREBUILT:
        return function
    KINDS[function.__name__] = function
    return function


def note(name):
    def node(state):
        return {"log": [name]}

    node.__name__ = name
    return node


def graph_of(*names, state=State):
    builder = StateGraph(state)
    for name in names:
        builder.add_node(name, note(name))
    return builder


@kind
def chain():
    builder = graph_of("plan", "write").add_edge(START, "plan").add_edge("plan", "write")
    return Kind(builder.add_edge("write", END), {"plan->write"}, starts={"plan"})


@kind
def one_node():
    return Kind(graph_of("only").add_edge(START, "only"), set(), starts={"only"})


@kind
def parallel_and_join():
    builder = graph_of("plan", "left", "right", "end").add_edge(START, "plan")
    builder.add_edge("plan", "left").add_edge("plan", "right").add_edge(["left", "right"], "end")
    return Kind(builder, {"plan->left", "plan->right", "left->end", "right->end"}, starts={"plan"})


@kind
def any_of_two():
    builder = graph_of("left", "right", "slow", "end").add_edge(START, "left").add_edge(START, "right")
    builder.add_edge("right", "slow").add_edge("slow", "end").add_edge("left", "end")
    return Kind(builder, {"right->slow", "slow->end", "left->end"}, starts={"left", "right"})


def by_topic(state) -> Literal["cats", "dogs"]:
    return "cats" if state["topic"] == "cats" else "dogs"


@kind
def annotated_router():
    builder = graph_of("ask", "cats", "dogs").add_edge(START, "ask").add_conditional_edges("ask", by_topic)
    inputs = [{"topic": "cats"}, {"topic": "dogs"}]
    return Kind(builder, {"ask->cats", "ask->dogs"}, inputs, {"ask"})


@kind
def router_with_a_table():
    builder = graph_of("ask", "many", "few").add_edge(START, "ask")
    builder.add_conditional_edges("ask", lambda state: len(state["topic"]) > 3, {True: "many", False: "few"})
    return Kind(builder, {"ask->many", "ask->few"}, [{"topic": "cats"}, {"topic": "ant"}], {"ask"})


def untyped(state):
    if state["topic"] == "cats":
        return "one"
    chosen = ["one"]
    chosen.append("two")
    return chosen


@kind
def router_that_is_read():
    builder = graph_of("ask", "one", "two", "three").add_edge(START, "ask")
    builder.add_conditional_edges("ask", untyped).add_edge("one", "three")
    edges = {"ask->one", "ask->two", "one->three"}
    return Kind(builder, edges, [{"topic": "cats"}, {"topic": "ant"}], {"ask"})


@kind
def router_that_cannot_be_read():
    builder = graph_of("ask", "cats", "dogs").add_edge(START, "ask")
    builder.add_conditional_edges("ask", lambda state: state["topic"])
    return Kind(builder, set(), [{"topic": "cats"}, {"topic": "dogs"}], {"ask"}, {"ask"})


@kind
def conditional_entry():
    builder = graph_of("cats", "dogs").add_conditional_edges(START, by_topic)
    edges = {"__start__->cats", "__start__->dogs"}
    return Kind(builder, edges, [{"topic": "cats"}, {"topic": "dogs"}], {"__start__"})


def again(state) -> Literal["draft", "__end__"]:
    return "draft" if len(state["log"]) < 3 else END


@kind
def loop():
    builder = graph_of("draft").add_edge(START, "draft").add_conditional_edges("draft", again)
    return Kind(builder, {"draft->draft"}, starts={"draft"})


def each(state):
    return [Send("worker", {"topic": name}) for name in ("a", "b")]


@kind
def sends():
    builder = graph_of("plan", "worker", "end").add_edge(START, "plan")
    builder.add_conditional_edges("plan", each).add_edge("worker", "end")
    return Kind(builder, {"plan->worker", "worker->end"}, starts={"plan"})


def some(state) -> list[Send]:
    return [Send(name, state) for name in ("worker", "other")]


@kind
def sends_that_cannot_be_read():
    builder = graph_of("plan", "worker", "other").add_edge(START, "plan").add_conditional_edges("plan", some)
    return Kind(builder, set(), starts={"plan"}, dynamic={"plan"})


def choose(state) -> Command[Literal["cats", "dogs"]]:
    return Command(update={"log": ["choose"]}, goto=state["topic"])


@kind
def annotated_command():
    builder = graph_of("cats", "dogs").add_node(choose).add_edge(START, "choose")
    edges = {"choose->cats", "choose->dogs"}
    return Kind(builder, edges, [{"topic": "cats"}, {"topic": "dogs"}], {"choose"}, {"choose"})


def jump(state):
    return go_on("cats")


def go_on(name):
    return Command(goto=[Send("dogs", {"topic": "x"}), "cats"])


@kind
def command_that_is_read():
    builder = graph_of("cats", "dogs").add_node(jump).add_edge(START, "jump")
    return Kind(builder, {"jump->cats", "jump->dogs"}, starts={"jump"}, dynamic={"jump"})


def wander(state):
    return Command(goto=state["topic"])


@kind
def command_that_cannot_be_read():
    builder = graph_of("cats", "dogs").add_node(wander).add_edge(START, "wander")
    return Kind(builder, set(), starts={"wander"}, dynamic={"wander"})


def team_of(*names):
    builder = graph_of(*names).add_edge(START, names[0])
    for before, after in itertools.pairwise(names):
        builder.add_edge(before, after)
    return builder.compile(name="team")


@kind
def subgraph():
    builder = graph_of("plan", "end").add_node("team", team_of("first", "second"))
    builder.add_edge(START, "plan").add_edge("plan", "team").add_edge("team", "end")
    return Kind(builder, {"plan->team", "team->end", "team/first->team/second"}, starts={"plan"})


@kind
def subgraph_in_a_subgraph():
    middle = graph_of("before").add_node("deep", team_of("first", "second"))
    middle.add_edge(START, "before").add_edge("before", "deep")
    builder = graph_of("plan").add_node("middle", middle.compile())
    builder.add_edge(START, "plan").add_edge("plan", "middle")
    edges = {"plan->middle", "middle/before->middle/deep", "middle/deep/first->middle/deep/second"}
    return Kind(builder, edges, starts={"plan"})


def hand_over(state):
    return Command(graph=Command.PARENT, goto="end", update={"log": ["over"]})


@kind
def command_to_the_parent():
    inner = StateGraph(State).add_node(hand_over).add_edge(START, "hand_over").compile()
    builder = graph_of("end").add_node("team", inner).add_edge(START, "team")
    return Kind(builder, {"team->end"}, starts={"team"}, dynamic={"team"})


def ask_a_person(state):
    return {"log": [interrupt("which?")]}


@kind
def interrupts():
    builder = graph_of("plan", "end").add_node(ask_a_person)
    builder.add_edge(START, "plan").add_edge("plan", "ask_a_person").add_edge("ask_a_person", "end")
    graph = builder.compile(checkpointer=InMemorySaver(), interrupt_before=["end"], interrupt_after=["plan"])
    return Kind(graph, {"plan->ask_a_person", "ask_a_person->end"}, starts={"plan"}, is_run=False)


@kind
def policies():
    builder = StateGraph(State)
    builder.add_node("tried", note("tried"), retry_policy=RetryPolicy(max_attempts=5, retry_on=ValueError))
    several = [RetryPolicy(max_attempts=2, retry_on=(OSError, KeyError)), RetryPolicy(max_attempts=4)]
    builder.add_node("several", note("several"), retry_policy=several)
    builder.add_node("cached", note("cached"), cache_policy=CachePolicy(ttl=60))
    builder.add_node("last", note("last"), defer=True)
    builder.add_edge(START, "tried").add_edge(START, "several").add_edge("tried", "cached")
    builder.add_edge("cached", "last").add_edge("several", "last")
    edges = {"tried->cached", "cached->last", "several->last"}
    return Kind(builder, edges, starts={"tried", "several"})


@tool
def search(q: str) -> str:
    """Find articles."""
    return f"about {q}"


@tool
def price(of: str, currency: str = "EUR") -> str:
    """Tell a price."""
    return f"{of}: 3 {currency}"


class Scripted(GenericFakeChatModel):
    """A model that says what it is told, and has a name as real ones have."""

    model_name: str = "small-1"
    api_key: str = "sk-planted-0123456789abcdef"
    base_url: str = "https://user:planted-password@models.example.com/v1"
    default_headers: Annotated[dict, "sent along"] = {"Authorization": "Bearer planted-0123456789"}  # noqa: RUF012

    def bind_tools(self, tools, **options):
        return self

    def _get_ls_params(self, stop=None, **options):
        return {"ls_provider": "scripted", "ls_model_name": self.model_name, "ls_temperature": 0.2}


def scripted():
    calls = [
        {"name": "search", "args": {"q": "cats"}, "id": "1"},
        {"name": "price", "args": {"of": "cat"}, "id": "2"},
    ]
    return Scripted(messages=iter([AIMessage("", tool_calls=calls), AIMessage("done")]))


def make_agent(*arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is deprecated since 1.0, and stays until 2.0
        return create_react_agent(*arguments, **options)


@kind
def agent_with_tools():
    graph = make_agent(scripted(), [search, price], prompt="Be brief.", name="helper")
    inputs = [{"messages": [HumanMessage("hello")]}]
    return Kind(graph, {"agent->tools", "tools->agent"}, inputs, {"agent"})


@kind
def agent_of_ones_own():
    model = scripted()

    def chat(state):
        return {"messages": [model.invoke(state["messages"])]}

    builder = StateGraph(Chat).add_node(chat).add_node("tools", ToolNode([search, price]))
    builder.add_edge(START, "chat").add_conditional_edges("chat", tools_condition).add_edge("tools", "chat")
    inputs = [{"messages": [HumanMessage("hello")]}]
    return Kind(builder, {"chat->tools", "tools->chat"}, inputs, {"chat"})


@task
def square(n):
    return n * n


@kind
def functional():
    @entrypoint(checkpointer=InMemorySaver())
    def flow(n):
        return sum(each.result() for each in [square(i) for i in range(n)])

    return Kind(flow, set(), [3], {"flow"}, {"flow"})


@kind
def odd_names():
    builder = StateGraph(State)
    for name in ("write report", "write_report", "schön.final", "東京"):
        builder.add_node(name, note(name))
    builder.add_edge(START, "write report").add_edge("write report", "write_report")
    builder.add_edge("write_report", "schön.final").add_edge("schön.final", "東京")
    ids = ["write_report-2", "write_report", "schon_final", "node"]
    edges = {f"{before}->{after}" for before, after in itertools.pairwise(ids)}
    return Kind(builder, edges, starts={"write_report-2"})


@kind
def a_state_that_is_checked():
    builder = graph_of("plan", state=Form).add_edge(START, "plan")
    return Kind(builder, set(), starts={"plan"})


@kind
def runnables_as_nodes():
    builder = StateGraph(State).add_node("one", RunnableLambda(lambda state: {"log": ["one"]}))
    builder.add_node("two", RunnableLambda(note("two")) | RunnableLambda(lambda done: done))
    return Kind(builder.add_edge(START, "one").add_edge("one", "two"), {"one->two"}, starts={"one"})


class Holder:
    """A node that is a method, and one that is an object."""

    def work(self, state):
        return {"log": ["work"]}

    def __call__(self, state):
        return {"log": ["called"]}


@kind
def objects_as_nodes():
    builder = StateGraph(State).add_node("work", Holder().work).add_node("called", Holder())
    return Kind(builder.add_edge(START, "work").add_edge("work", "called"), {"work->called"}, starts={"work"})


if __name__ == "__main__":
    json.dump({name: export_graph(make().graph, name=name) for name, make in KINDS.items()}, sys.stdout)

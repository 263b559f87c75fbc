"""A graph with parallel branches, sends, a subgraph, a loop and a command, as a user's script.

Run with a way to call it (invoke, ainvoke, stream, astream); DIE names the call that is cut off by SIGKILL,
as `node` or `node:number`. Each call of a node leaves a line in ran.txt.
"""

import asyncio
import operator
import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Literal

from langgraph.graph import START, StateGraph
from langgraph.types import Command, Send
from typing_extensions import TypedDict

from omium.adapters.langgraph import instrument

NODES = [
    "plan",
    "left",
    "right",
    "worker:0",
    "worker:1",
    "inner_first",
    "inner_second",
    "draft",
    "draft:1",
    "end",
]


class State(TypedDict, total=False):
    topic: str
    drafts: int
    log: Annotated[list[str], operator.add]


class Inner(TypedDict, total=False):
    log: Annotated[list[str], operator.add]


def ran(name):
    with Path("ran.txt").open("a") as file:
        file.write(name + "\n")
    if os.environ.get("DIE") == name:
        os.kill(os.getpid(), signal.SIGKILL)


def plan(state: State):
    ran("plan")
    return {"log": ["plan"]}


def left(state: State):
    ran("left")
    return {"log": ["left"]}


async def aright(state: State):
    return right(state)


def right(state: State):
    ran("right")
    return {"log": ["right"]}


def fan_out(state: State) -> list[Send]:
    return [Send("worker", {"i": i}) for i in range(2)]


def worker(item):
    ran(f"worker:{item['i']}")
    return {"log": [f"worker:{item['i']}"]}


def inner_first(state: Inner):
    ran("inner_first")
    return {"log": ["inner_first"]}


def inner_second(state: Inner):
    ran("inner_second")
    return {"log": ["inner_second"]}


def draft(state: State) -> Command[Literal["draft", "end"]]:
    count = state.get("drafts", 0)
    ran("draft" if count == 0 else f"draft:{count}")
    return Command(update={"drafts": count + 1, "log": ["draft"]}, goto="draft" if count == 0 else "end")


def end(state: State):
    ran("end")
    return {"log": ["end"]}


inner = (
    StateGraph(Inner)
    .add_node(inner_first)
    .add_node(inner_second)
    .add_edge(START, "inner_first")
    .add_edge("inner_first", "inner_second")
    .compile()
)
builder = StateGraph(State)
for node in (plan, left, right, worker, draft, end):
    builder.add_node(node)
builder.add_node("team", inner)
builder.add_edge(START, "plan").add_edge("plan", "left").add_edge("plan", "right")
builder.add_conditional_edges("left", fan_out, ["worker"])
builder.add_edge(["worker", "right"], "team").add_edge("team", "draft")
graph = instrument(builder.compile(), name="branching")


def call(way):
    given = {"topic": "cats", "log": []}
    if way == "invoke":
        return graph.invoke(given)
    if way == "ainvoke":
        return asyncio.run(graph.ainvoke(given))
    if way == "stream":
        return list(graph.stream(given, stream_mode="values"))[-1]

    async def read():
        return [chunk async for chunk in graph.astream(given, stream_mode="values")][-1]

    return asyncio.run(read())


if __name__ == "__main__":
    print(sorted(call(sys.argv[1])["log"]))

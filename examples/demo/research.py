"""Five agents and two functions write a press note: an ordinary LangGraph graph, with one line of Omium.

    plan -> people + risks (in parallel) -> write -> review -> schedule -> publish

The model is whatever answers at MODEL_URL as OpenAI does. The date that `schedule` hands out does not exist,
and `publish` notices; that is the failure which the demo finds, patches and replays.
"""

from __future__ import annotations

import datetime as dt
import operator
import os
import sys
from typing import Annotated

from langchain_openai import ChatOpenAI
from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict

from omium.adapters.langgraph import instrument


class State(TypedDict, total=False):
    """What the agents share."""

    topic: str
    outline: str
    facts: Annotated[list[str], operator.add]
    draft: str
    verdict: str
    date: str
    note: str


def ask(who: str, task: str) -> str:
    """Ask the model, in the name of one agent."""
    model = ChatOpenAI(
        model="smollm2",
        base_url=os.environ["MODEL_URL"] + "/v1",
        api_key="not-needed-on-loopback",
        temperature=0,
        max_tokens=60,
        seed=7,
        timeout=120,
        max_retries=0,
        model_kwargs={"user": who},
    )
    answer = model.invoke(
        [("system", "You are a helpful assistant. Answer in two sentences."), ("human", task)]
    )
    return str(answer.content).strip()


def plan(state: State) -> State:
    return {"outline": ask("plan", f"Write a short outline for a press note about {state['topic']}.")}


def people(state: State) -> State:
    return {"facts": [ask("people", f"Who gains from {state['topic']}? Outline: {state['outline']}")]}


def risks(state: State) -> State:
    return {"facts": [ask("risks", f"What are the risks of {state['topic']}? Outline: {state['outline']}")]}


def write(state: State) -> State:
    facts = " ".join(state["facts"])
    return {"draft": ask("write", f"Write a press note about {state['topic']}. Facts: {facts}")}


def review(state: State) -> State:
    return {"verdict": ask("review", f"Is this press note clear? {state['draft']}")}


def schedule(state: State) -> State:  # noqa: ARG001  # a node takes the state, needed or not
    return {"date": "2026-02-30"}


def publish(state: State) -> State:
    day = dt.date.fromisoformat(state["date"])
    return {"note": f"{day:%d %B %Y}: {state['draft']}"}


builder = StateGraph(State)
for node in (plan, people, risks, write, review, schedule, publish):
    builder.add_node(node)
builder.add_edge(START, "plan").add_edge("plan", "people").add_edge("plan", "risks")
builder.add_edge(["people", "risks"], "write").add_edge("write", "review")
builder.add_edge("review", "schedule").add_edge("schedule", "publish")

graph = instrument(builder.compile(), name="press-note")  # the one line

if __name__ == "__main__":
    print(graph.invoke({"topic": " ".join(sys.argv[1:]) or "durable agents", "facts": []})["note"])

"""An agent as its author wrote it, with the instrumentors that were asked for: nothing of Omium in it."""

import sys
from typing import TypedDict

from exporting import export_spans
from langchain_core.messages import HumanMessage
from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, StateGraph


class State(TypedDict):
    topic: str
    notes: str
    text: str


def build(base_url, fails):
    model = ChatOpenAI(base_url=base_url, api_key="sk-none", model="gpt-small", max_retries=0)

    def research(state):
        return {
            "notes": model.invoke(
                [HumanMessage(f"Research {state['topic']}. [[say: Otters hold hands.]]")]
            ).content
        }

    def write(state):
        if fails:
            raise ValueError("no ink")
        return {"text": model.invoke([HumanMessage(f"Write: {state['notes']} [[say: A page.]]")]).content}

    graph = StateGraph(State)
    graph.add_node("research", research)
    graph.add_node("write", write)
    graph.add_edge(START, "research")
    graph.add_edge("research", "write")
    graph.add_edge("write", END)
    return graph.compile()


def main():
    base_url, outcome, *names = sys.argv[1:]
    provider = export_spans(names) if names else None
    try:
        build(base_url, outcome == "fails").invoke({"topic": "otters"})
    except ValueError:
        if outcome != "fails":
            raise
    if provider is not None:
        provider.shutdown()
    else:
        from langsmith import Client

        Client().flush()


main()

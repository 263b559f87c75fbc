"""A support desk in LangGraph: classify, answer, and ask a person where money is involved.

    python examples/langgraph_support.py "Where is my parcel?"
    python examples/langgraph_support.py "I want my money back"     stops, and waits for a person's answer

`instrument` is the only line that knows of Omium. The second call prints the thread on which to answer:

    python examples/langgraph_support.py --thread THREAD yes
"""

import sys
from typing import Literal

from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt
from typing_extensions import TypedDict

from omium.adapters.langgraph import NodePolicy, instrument


class Ticket(TypedDict, total=False):
    """What the desk knows."""

    question: str
    kind: str
    answer: str


def classify(state: Ticket) -> Ticket:
    return {"kind": "refund" if "money" in state["question"] else "question"}


def route(state: Ticket) -> Literal["approve", "answer"]:
    return "approve" if state["kind"] == "refund" else "answer"


def approve(state: Ticket) -> Command[Literal["answer", "__end__"]]:
    if interrupt(f"Refund for: {state['question']}?") == "yes":
        return Command(goto="answer")
    return Command(goto="__end__", update={"answer": "We are sorry, no."})


def answer(state: Ticket) -> Ticket:
    return {"answer": f"About your {state['kind']}: done."}


builder = StateGraph(Ticket)
builder.add_node(classify).add_node(approve).add_node(answer)
builder.add_edge(START, "classify").add_conditional_edges("classify", route)

desk = instrument(builder.compile(), name="support", nodes={"answer": NodePolicy(retry=3)})

if __name__ == "__main__":
    if sys.argv[1:2] == ["--thread"]:
        thread = sys.argv[2]
        given: Ticket | Command[str] = Command(resume=sys.argv[3])
    else:
        thread = f"ticket-{abs(hash(tuple(sys.argv)))}"
        given = {"question": " ".join(sys.argv[1:]) or "Hello?"}
    result = desk.invoke(given, {"configurable": {"thread_id": thread}})
    print(result.get("answer") or f"waiting for a person, on {thread}")

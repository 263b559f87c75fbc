"""LangGraph with its SqliteSaver: a chain of ten nodes, a checkpoint after each of them (durability sync)."""

from __future__ import annotations

import itertools
import sqlite3
from typing import Any, TypedDict

from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph

from benchmarks.contenders.work import RESULT, STEPS, count_threads, read_arguments


class State(TypedDict):
    """What a node returns replaces what the one before did."""

    result: dict[str, str]


def make_graph(saver: SqliteSaver) -> Any:
    """Return the compiled chain."""
    graph = StateGraph(State)
    names = [f"work{number}" for number in range(STEPS)]
    for name in names:
        graph.add_node(name, lambda state: {"result": RESULT})
    for before, after in itertools.pairwise([START, *names, END]):
        graph.add_edge(before, after)
    return graph.compile(checkpointer=saver)


def main() -> None:
    """Run alone, or in threads beside each other; the saver's own lock lets one of them write."""
    asked = read_arguments()
    connection = sqlite3.connect(asked.folder / "langgraph.db", check_same_thread=False)
    saver = SqliteSaver(connection)  # turns WAL on by itself; FULL is SQLite's default
    graph, threads = make_graph(saver), itertools.count()

    def chain() -> None:
        config = {"configurable": {"thread_id": str(next(threads))}, "recursion_limit": STEPS + 5}
        graph.invoke({"result": {}}, config, durability="sync")

    count_threads(asked.seconds, asked.at_once, chain)


if __name__ == "__main__":
    main()

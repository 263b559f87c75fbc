"""What a node of a spec costs in the engine, and how many it does with 32 executions at once.

    python -m benchmarks.engine_nodes [--json] [--rounds 3] [--quick]

A chain of ten nodes that do nothing, each durable before the next one begins, in one process on SQLite;
beside LangGraph, whose saver is called in the same process, too. A worker elsewhere adds its requests to that
(many_at_once has those).
"""

from __future__ import annotations

from benchmarks.processes import open_folder, run_contender
from benchmarks.rows import Figure, Goal, Options, Rounds, Row, run_module
from benchmarks.workflows import LANGGRAPH, Work, run_langgraph

AT_ONCE = 32
ENGINE, ITSELF = "Omium's engine", "Omium's engine, nodes that it does itself"


def run_engine(seconds: float, at_once: int, *, itself: bool = False) -> float:
    """Return nodes per second."""
    with open_folder() as folder:
        asked = {"seconds": seconds, "at_once": at_once, "folder": folder, "itself": int(itself)}
        return run_contender("engine_nodes", asked)["steps_per_s"]


def measure(options: Options) -> list[Row]:
    """Let the engine and LangGraph take turns, alone and with executions beside each other."""
    seconds, at_once = options.choose(2.0, 0.2), int(options.choose(AT_ONCE, 4))
    alone, beside = Rounds(), Rounds()
    alone.run(
        options.rounds,
        {
            ENGINE: lambda: 1_000 / run_engine(seconds, 1),
            ITSELF: lambda: 1_000 / run_engine(seconds, 1, itself=True),
            **({} if options.quick else {LANGGRAPH: lambda: 1_000 / run_langgraph(Work(seconds, 1))}),
        },
    )
    beside.run(
        options.rounds,
        {
            ENGINE: lambda: run_engine(seconds, at_once),
            ITSELF: lambda: run_engine(seconds, at_once, itself=True),
            **({} if options.quick else {LANGGRAPH: lambda: run_langgraph(Work(seconds, at_once))}),
        },
    )
    return [
        Row(
            name="engine_node",
            what="a node of a spec, one execution at a time",
            unit="ms",
            figures=_figures(alone, ENGINE, ITSELF, LANGGRAPH),
            goals=[
                Goal("per node that it does itself", alone.figure(ITSELF).value, 1, unit=" ms"),
                Goal("per node", alone.figure(ENGINE).value, 1, unit=" ms"),
                Goal(f"beside {LANGGRAPH}", alone.ratio(ENGINE, LANGGRAPH), 0.83, unit=" ×"),
            ],
            bound_by="two commits for each node: one grants it, one records it and readies the next",
            remarks=["nodes that the engine does itself share one commit, up to 64 of them"],
        ),
        Row(
            name="engine_nodes",
            what=f"nodes of specs, {at_once} executions at once",
            unit="nodes/s",
            figures=_figures(beside, ENGINE, ITSELF, LANGGRAPH),
            goals=[
                Goal("nodes that it does itself", beside.figure(ITSELF).value, 2_000, at_least=True),
                Goal("nodes per second", beside.figure(ENGINE).value, 2_000, at_least=True),
                Goal(f"beside {LANGGRAPH}", beside.ratio(ENGINE, LANGGRAPH), 2.3, at_least=True, unit=" ×"),
            ],
            bound_by="the CPU of one process: 16 statements for each node",
        ),
    ]


def _figures(rounds: Rounds, *names: str) -> list[Figure]:
    return [rounds.figure(name) for name in names]


if __name__ == "__main__":
    run_module(measure, __doc__)

"""Workflows of ten steps, one at a time, each step durable before the next: steps per second.

    python -m benchmarks.one_at_a_time [--json] [--rounds 3] [--quick]

Omium: SDK in one process, server in another, over loopback. Peers as they are meant to be used (contenders/).
"""

from __future__ import annotations

from contextlib import ExitStack

from benchmarks.rows import Goal, Options, Rounds, Row, run_module
from benchmarks.workflows import (
    ABSURD,
    DBOS,
    FLOOR,
    LANGGRAPH,
    OMIUM,
    RESTATE,
    LazyPostgres,
    Work,
    run_absurd,
    run_dbos,
    run_floor,
    run_langgraph,
    run_omium,
    run_restate,
)


def measure(options: Options) -> list[Row]:
    """Let everyone work alone, in turn."""
    work = Work(options.choose(2.0, 0.2), 1)
    rounds = Rounds()
    with ExitStack() as stack:
        postgres = LazyPostgres(stack)
        contenders = {OMIUM: lambda: run_omium(work), FLOOR: lambda: run_floor(work)}
        if not options.quick:
            contenders |= {
                DBOS: lambda: run_dbos(work),
                ABSURD: lambda: run_absurd(work, postgres),
                LANGGRAPH: lambda: run_langgraph(work),
                RESTATE: lambda: run_restate(work),
            }
        rounds.run(options.rounds, contenders)
    return [
        Row(
            name="one_at_a_time",
            what="10-step workflows, one at a time",
            unit="steps/s",
            figures=[rounds.figure(name) for name in contenders],
            goals=[
                Goal(f"beside {DBOS}", rounds.ratio(OMIUM, DBOS), 1.5, at_least=True, unit=" ×"),
                Goal(f"beside {ABSURD}", rounds.ratio(OMIUM, ABSURD), 1.2, at_least=True, unit=" ×"),
            ],
            bound_by="one sync of the disk per step, then two processes taking turns on the CPU",
        )
    ]


if __name__ == "__main__":
    run_module(measure, __doc__)

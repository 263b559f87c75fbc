"""Workflows of ten steps, 32 beside each other: steps per second.

    python -m benchmarks.many_at_once [--json] [--rounds 3] [--quick]

The same contenders as one_at_a_time; 32 tasks of one process, or as many threads where a peer wants threads.
"""

from __future__ import annotations

from contextlib import ExitStack

from benchmarks.rows import Goal, Options, Rounds, Row, run_module
from benchmarks.workflows import DBOS, OMIUM, RESTATE, LazyPostgres, Work, contenders

AT_ONCE = 32


def measure(options: Options) -> list[Row]:
    """Let everyone work on 32 at once, in turn."""
    work = Work(options.choose(2.0, 0.2), int(options.choose(AT_ONCE, 4)))
    rounds = Rounds()
    with ExitStack() as stack:
        everyone = contenders(work, LazyPostgres(stack), peers=not options.quick)
        rounds.run(options.rounds, everyone)
    return [
        Row(
            name="many_at_once",
            what="10-step workflows, 32 at once",
            unit="steps/s",
            figures=[rounds.figure(name) for name in everyone],
            goals=[
                Goal(f"beside {RESTATE}", rounds.ratio(OMIUM, RESTATE), 4, at_least=True, unit=" ×"),
                Goal(f"beside {DBOS}", rounds.ratio(OMIUM, DBOS), 10, at_least=True, unit=" ×"),
            ],
            bound_by="the CPU: the SDK's process takes one core, the server's the other; syncs are shared",
        )
    ]


if __name__ == "__main__":
    run_module(measure, __doc__)

"""Workflows of ten steps, one at a time, each step durable before the next: steps per second.

    python -m benchmarks.one_at_a_time [--json] [--rounds 3] [--quick]

Omium: SDK in one process, server in another, over loopback. Peers as they are meant to be used (contenders/).
"""

from __future__ import annotations

from contextlib import ExitStack

from benchmarks.rows import Goal, Options, Rounds, Row, run_module
from benchmarks.workflows import ABSURD, DBOS, OMIUM, LazyPostgres, Work, contenders


def measure(options: Options) -> list[Row]:
    """Let everyone work alone, in turn."""
    work = Work(options.choose(2.0, 0.2), 1)
    rounds = Rounds()
    with ExitStack() as stack:
        everyone = contenders(work, LazyPostgres(stack), peers=not options.quick)
        rounds.run(options.rounds, everyone)
    return [
        Row(
            name="one_at_a_time",
            what="10-step workflows, one at a time",
            unit="steps/s",
            figures=[rounds.figure(name) for name in everyone],
            goals=[
                Goal(f"beside {DBOS}", rounds.ratio(OMIUM, DBOS), 1.5, at_least=True, unit=" ×"),
                Goal(f"beside {ABSURD}", rounds.ratio(OMIUM, ABSURD), 1.2, at_least=True, unit=" ×"),
            ],
            bound_by="one sync of the disk per step, then two processes taking turns on the CPU",
        )
    ]


if __name__ == "__main__":
    run_module(measure, __doc__)

"""Workflows of ten steps, 32 beside each other, on a disk whose sync takes 5 ms: steps per second.

    python -m benchmarks.slow_disk_workflows [--json] [--rounds 3] [--quick]

Beside the floor (one commit for the 32) and, once, two peers on the same slow disk.
"""

from __future__ import annotations

from benchmarks.rows import Goal, Options, Rounds, Row, run_module
from benchmarks.slow_disk import open_slow_disk
from benchmarks.workflows import (
    DBOS,
    FLOOR,
    LANGGRAPH,
    OMIUM,
    Work,
    run_dbos,
    run_floor,
    run_langgraph,
    run_omium,
)

AT_ONCE = 32


def measure(options: Options) -> list[Row]:
    """Let everyone work on the slow disk, in turn."""
    rounds = Rounds()
    with open_slow_disk() as disk:
        at_once = int(options.choose(AT_ONCE, 4))
        work = Work(options.choose(2.0, 0.2), at_once, disk.wrapper, disk.environment)
        ours = {OMIUM: lambda: run_omium(work), FLOOR: lambda: run_floor(work)}
        peers = {DBOS: lambda: run_dbos(work), LANGGRAPH: lambda: run_langgraph(work)}
        rounds.run(options.rounds, ours)
        if not options.quick:  # once: they are two orders away, and take their time for it
            rounds.run(1, peers)
    return [
        Row(
            name="slow_disk_workflows",
            what="10-step workflows, 32 at once, sync of 5 ms",
            unit="steps/s",
            figures=[rounds.figure(name) for name in (*ours, *({} if options.quick else peers))],
            goals=[Goal("share of the floor", rounds.ratio(OMIUM, FLOOR), 0.8, at_least=True)],
            bound_by="the disk's sync and the CPU in turn: what one SDK process sends waits for one commit",
            remarks=[f"the disk is slowed by {disk.way}"],
        )
    ]


if __name__ == "__main__":
    run_module(measure, __doc__)

"""absurd on PostgreSQL: as many workers as tasks beside each other, on a queue that is filled beforehand."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

from absurd_sdk import Absurd

from benchmarks.contenders.work import RESULT, STEPS, read_arguments, tell

QUEUE = "bench"
STEPS_PER_S_MAX = 4_000  # so much is queued; an empty queue would end in an error, not in a wrong figure


def main() -> None:
    """Fill the queue, then count finished steps until the time is over."""
    asked = read_arguments()
    filler = Absurd(asked.url, queue_name=QUEUE)
    filler.create_queue(QUEUE)
    counts, handled = [0] * asked.at_once, [0] * asked.at_once
    warm, ends = threading.Barrier(asked.at_once + 1), [float("inf")]
    for _ in range(2 * asked.at_once + round(asked.seconds * STEPS_PER_S_MAX / STEPS)):
        filler.spawn("chain", {}, queue=QUEUE)

    def serve(thread: int) -> None:
        app = Absurd(asked.url, queue_name=QUEUE)

        @app.register_task(name="chain")  # type: ignore[untyped-decorator]  # not installed here
        def chain(params: Any, context: Any) -> None:
            for _ in range(STEPS):
                context.step("work", lambda: RESULT)
            handled[thread] += 1

        app.work_batch(batch_size=1)
        warm.wait()
        while time.perf_counter() < ends[0]:
            app.work_batch(batch_size=1)
            counts[thread] += 1
        assert handled[thread] == counts[thread] + 1, "the queue ran empty"

    threads = [threading.Thread(target=serve, args=(thread,), daemon=True) for thread in range(asked.at_once)]
    for thread in threads:
        thread.start()
    warm.wait()
    started_s = time.perf_counter()
    ends[0] = started_s + asked.seconds
    for thread in threads:
        thread.join()
    assert sum(handled) == sum(counts) + asked.at_once, "the queue ran empty"
    tell(sum(counts) * STEPS, time.perf_counter() - started_s)
    os._exit(0)


if __name__ == "__main__":
    main()

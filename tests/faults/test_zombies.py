"""A worker that is stopped beyond its lease is replaced; when it goes on, it changes nothing."""

import os
import signal

import pytest

from tests.faults.drivers import SHORT_LEASES, Crew, crew_of, serve_orders, until

WORKERS = 10
STEPS = 4
MAY_BE_TOLD_LATE = {"effect.reported_late", "usage.recorded"}


def stop_workers(gate, running, folder, workers: int, early: int) -> None:
    """Stop workers somewhere in their work, replace them, let them go on, and look.

    `early` of them go on while their replacement is at work, the others when it has done all.
    """
    with crew_of(running, folder) as crew:
        for _ in range(workers):
            crew.start(serve_orders, running.base_url, 1)
        ids = {order: crew.queue(order, STEPS) for order in (f"z{number}" for number in range(workers))}
        zombies = stop_each(gate, crew, list(ids))
        crew.start(serve_orders, running.base_url, workers)
        for order in list(ids)[:early]:
            until(lambda order=order: is_taken_over(crew, order, ids[order], zombies[order]), "a takeover")
            os.kill(zombies[order], signal.SIGCONT)
        until(lambda: all(crew.asking.status(each) in ("completed", "paused") for each in ids.values()))

        before = {order: what_is_recorded(crew, ids[order]) for order in list(ids)[early:]}
        for order in before:
            os.kill(zombies[order], signal.SIGCONT)
        until(
            lambda: all(
                any(by == pid for _, _, by in crew.noted(order, "lost", "returned"))
                for order, pid in zombies.items()
            ),
            "the last zombie's end",
        )
        gate.tried(len(zombies), "zombies")
        for order, was in before.items():
            now = what_is_recorded(crew, ids[order])
            gate.lost(now != was, f"{order}: {was} became {now}")
        for order, each in ids.items():
            if crew.asking.status(each) == "paused":  # stopped between paying and saying so
                crew.asking.decide_as_paid(each)
                until(lambda each=each: crew.asking.status(each) == "completed", f"the end of {order}")
            output = crew.asking.detail(each)["output"]
            expected = [f"receipt {order}-{number}" for number in range(STEPS)]
            gate.lost(output != expected, f"{order}: {output}")
        gate.lost(len(twice := crew.paid_more_than_once()), f"paid twice: {twice}")


def stop_each(gate, crew: Crew, orders: list[str]) -> dict[str, int]:
    """Stop the worker of each order once it has done so many things, and return which processes that were."""
    enough = {order: gate.random.randrange(1, 2 * STEPS) for order in orders}
    stopped: dict[str, int] = {}

    def stop() -> bool:
        for order in enough.keys() - stopped.keys():
            noted = crew.noted(order)
            if len(noted) >= enough[order]:
                stopped[order] = noted[0][2]
                os.kill(stopped[order], signal.SIGSTOP)
        return len(stopped) == len(orders)

    until(stop, "the last stop")
    return stopped


def is_taken_over(crew: Crew, order: str, execution_id: str, zombie: int) -> bool:
    """Say whether another worker is at it, or has met an effect that only a person can decide."""
    others = any(pid != zombie for _, _, pid in crew.noted(order))
    return others or crew.asking.status(execution_id) == "paused"


def what_is_recorded(crew: Crew, execution_id: str) -> object:
    """Return what a late driver may not change: everything but what it may still tell of its effects."""
    detail = crew.asking.detail(execution_id)
    events = [each for each in crew.asking.events(execution_id) if each["type"] not in MAY_BE_TOLD_LATE]
    steps = [(step["key"], step["status"], step["output"], step["attempt"]) for step in detail["steps"]]
    return detail["status"], detail["output"], steps, [(each["type"], each["data"]) for each in events]


@pytest.mark.gate(
    promise="A worker that was replaced and comes back late changes nothing and pays for nothing twice.",
    fault="SIGSTOP of workers at random moments for longer than their lease, then SIGCONT.",
)
def test_a_worker_that_comes_back_late_changes_nothing(gate, serve, tmp_path):
    running = serve(**SHORT_LEASES)
    for number in gate.paced(short=1, long=200 // WORKERS):
        stop_workers(gate, running, tmp_path / f"crew{number}", WORKERS, early=WORKERS // 2)


@pytest.mark.planted(bug="No fence", gate="test_a_worker_that_comes_back_late_changes_nothing")
def test_the_gate_catches_a_missing_fence(trial, serve, tmp_path):
    running = serve(bug="no-fence", **SHORT_LEASES)
    for number in range(3):
        if not trial.losses:
            stop_workers(trial, running, tmp_path / f"crew{number}", workers=4, early=4)

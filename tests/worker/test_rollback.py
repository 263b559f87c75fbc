"""Rollbacks: what compensations a worker runs, in which order, with which arguments."""

import threading

import pytest

import omium
from omium.sdk.context import find_frame
from omium.sdk.registry import REGISTRY, find_workflow
from omium.sdk.session import current_session
from omium.sdk.worker import Worker
from tests.sdk.served import TIMEOUT_S, make_running_server, running_server, server, wait_until

__all__ = ["make_running_server", "running_server", "server"]

undone = []
refuse = []


def cancel_booking(inputs, output, effect_key):
    if refuse:
        raise RuntimeError(refuse[0])
    undone.append((inputs, output, omium.effect_key() == f"{effect_key}:c"))


async def refund(inputs, output, effect_key):
    undone.append((inputs, output, omium.effect_key() == f"{effect_key}:c"))


@omium.step(effect=True, compensate=cancel_booking)
def book(place):
    return f"booked {place}"


@omium.step(effect=True, compensate=refund)
def pay(amount):
    return f"paid {amount}"


@omium.workflow
def trip(fail=True):
    book("hotel")
    book("train")
    pay(90)
    if fail:
        raise ValueError("no seats")


@pytest.fixture
def rolled_back(server):
    """A trip that failed on this process and was rolled back to its start."""
    undone.clear()
    refuse.clear()
    with pytest.raises(ValueError):
        trip()
    return roll_back(server)


def roll_back(server):
    execution_id = server.newest()["id"]
    server.post(f"/v1/executions/{execution_id}/rollback", {"to_step": "book", "reason": "start over"})
    return execution_id


def make_worker():
    return Worker(current_session(), {"trip": find_workflow(trip)})


UNDONE = [
    ({"amount": 90}, "paid 90", True),
    ({"place": "train"}, "booked train", True),
    ({"place": "hotel"}, "booked hotel", True),
]


def test_a_worker_that_stops_between_two_gives_the_rest_back_at_once(server, rolled_back, monkeypatch):
    worker = make_worker()

    def refund_and_stop(inputs, output, effect_key):
        find_frame().driving.stop_reason = "drain"

    monkeypatch.setitem(REGISTRY.compensations, server_name_of(server, rolled_back), refund_and_stop)
    with pytest.raises(omium.Suspended):
        worker.run_once(rolled_back)

    detail = server.detail(rolled_back)
    assert (detail["status"], detail["reason"]) == ("paused", "rollback")
    make_worker().run_once(rolled_back)
    assert undone == UNDONE[1:]


def server_name_of(server, execution_id):
    """The name under which the newest effect's compensation was recorded."""
    return server.get(f"/v1/executions/{execution_id}/compensations")["items"][0]["compensate"]


def test_effects_are_undone_newest_first_with_what_they_did(server, rolled_back):
    make_worker().run_once(rolled_back)

    assert undone == UNDONE
    detail = server.detail(rolled_back)
    assert (detail["status"], detail["reason"]) == ("paused", "rollback")
    with pytest.raises(ValueError):
        omium.resume(rolled_back)
    live = [step for step in server.detail(rolled_back)["steps"] if step["superseded_seq"] is None]
    done = [step["output"] for step in live if step["kind"] != "compensation"]
    assert done == ["booked hotel", "booked train", "paid 90"]
    assert len(live) - len(done) == len(undone), "each compensation is a step of its own"


def test_a_worker_that_serves_the_workflow_undoes_it_unasked(server):
    undone.clear()
    refuse.clear()
    omium.run_workflow("trip", wait=False)
    with pytest.raises(ValueError):
        make_worker().run_once()
    execution_id = roll_back(server)
    worker = make_worker()
    thread = threading.Thread(target=worker.run)
    thread.start()

    wait_until(lambda: len(undone) == 3)

    wait_until(lambda: server.detail(execution_id)["status"] == "paused")
    worker.stop()
    thread.join(TIMEOUT_S)
    assert undone == UNDONE


def test_one_that_fails_stops_the_list_and_can_be_run_again(server, rolled_back):
    refuse.append("closed on sundays")
    make_worker().run_once(rolled_back)
    assert undone == UNDONE[:1]
    assert server.detail(rolled_back)["reason"] == "rollback-failed"

    refuse.clear()
    make_worker().run_once(rolled_back)

    assert undone == UNDONE
    assert server.detail(rolled_back)["reason"] == "rollback"


def test_before_it_is_undone_it_cannot_be_resumed(server, rolled_back):
    with pytest.raises(omium.Problem, match="compensations come first"):
        omium.resume(rolled_back)

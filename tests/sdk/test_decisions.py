"""What people decide about executions: effects, replays."""

import pytest

import omium
from omium.errors import Suspended
from tests.sdk.served import make_running_server, running_server, server

__all__ = ["make_running_server", "running_server", "server"]


def test_an_unknown_effect_suspends_until_a_person_decides(server):
    calls = []

    @omium.step(effect=True)
    def pay(amount):
        calls.append(omium.effect_key())
        raise ConnectionError("reset by peer")

    @omium.workflow
    def order():
        return pay(5)

    with pytest.raises(Suspended) as caught:
        order()
    detail = server.newest()
    assert (detail["status"], detail["reason"]) == ("paused", "effect")
    with pytest.raises(omium.Problem, match="effect"):
        omium.resume(detail["id"])
    (effect,) = server.get(f"/v1/executions/{detail['id']}/effects")["items"]
    assert (effect["state"], effect["effect_key"]) == ("unknown", calls[0])

    server.post(
        f"/v1/executions/{detail['id']}/effects/{effect['effect_key']}/decide",
        {"decision": "confirm", "output": "receipt", "reason": "seen in the bank's list"},
    )

    assert omium.resume(detail["id"]) == "receipt"
    assert len(calls) == 1
    assert caught.value.execution_id == detail["id"]


def test_a_replay_from_a_step_keeps_what_came_before(server):
    ran = []

    @omium.step
    def one():
        ran.append("one")
        return 1

    @omium.step
    def two(x):
        ran.append("two")
        return x + 1

    @omium.workflow
    def flow():
        return two(one())

    flow()
    source = server.newest()["id"]
    ran.clear()

    assert omium.replay(source, from_step="two") == 2
    assert ran == ["two"]
    assert omium.replay(source, from_step="two", patch={"outputs": {"one": 10}}) == 11

"""Relaxed executions: on while the server is away, complete when it is back."""

import pytest

import omium
from omium.errors import ConnectionLost, EffectUnavailable
from tests.sdk.served import make_running_server, running_server, server

__all__ = ["make_running_server", "running_server", "server"]


@omium.step
def double(x):
    return 2 * x


@omium.workflow(durability="relaxed")
def relaxed(between=None):
    return [double(1), between and between(), double(2)]


def test_a_relaxed_execution_does_not_notice_that_its_server_is_away(server):
    def away():
        server.running.kill()

    assert relaxed(away) == [2, None, 4]
    server.running.restart()
    flush()

    detail = server.newest()
    assert detail["status"] == "completed"
    assert [step["key"] for step in detail["steps"]] == ["double", "double#2"]


def test_one_that_begins_while_the_server_is_away_is_told_to_it_later(server):
    server.running.kill()
    assert relaxed() == [2, None, 4]
    server.running.restart()
    flush()

    detail = server.newest()
    assert (detail["workflow"], detail["status"]) == ("relaxed", "completed")
    assert len(detail["steps"]) == 2


def test_what_needs_the_server_says_so(server, monkeypatch):
    @omium.step(effect=True)
    def pay():
        return "receipt"

    @omium.workflow(durability="relaxed")
    def order():
        server.running.kill()
        return pay()

    monkeypatch.setenv("OMIUM_EFFECT_WAIT_S", "0.2")
    omium.init()
    with pytest.raises(EffectUnavailable, match="was not called"):
        order()


def test_a_strict_execution_is_not_begun_without_its_server(server, monkeypatch):
    monkeypatch.setattr("omium.sdk.starting.PATIENCE_S", 0.1)
    server.running.kill()

    @omium.workflow
    def strict():
        return 1

    with pytest.raises(ConnectionLost) as caught:
        strict()

    assert "omium serve" in "".join([str(caught.value), *caught.value.__notes__])


def flush():
    from omium.sdk.session import current_session

    assert current_session().transport.spool.send_live(within_s=30.0)

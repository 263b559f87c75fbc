"""Tags and business keys as Python code gives them."""

import pytest

import omium
from omium.errors import ConfigError, StepFailed
from tests.sdk.served import make_running_server, running_server, server

__all__ = ["make_running_server", "running_server", "server"]


def labels(server, **query):
    listed = server.get("/v1/executions?" + "&".join(f"{name}={value}" for name, value in query.items()))
    return [(each["workflow"], each["tags"], each["business_key"]) for each in listed["items"]]


def test_what_runs_here_what_is_queued_and_what_has_no_function_is_found_alike(server):
    @omium.workflow
    def here():
        return 1

    omium.run_workflow(here, {}, tags=["b", "a"], business_key="order-1")
    omium.run_workflow("queued", {}, wait=False, tags="a", business_key="order-2")
    with omium.start_execution("script", tags=["a"]) as execution:
        execution.step("one", lambda: 1)

    assert labels(server, tag="a") == [
        ("script", ["a"], None),
        ("queued", ["a"], "order-2"),
        ("here", ["a", "b"], "order-1"),
    ]
    assert labels(server, business_key="order-2") == [("queued", ["a"], "order-2")]


async def test_async_code_gives_them_too(server):
    await omium.arun_workflow("queued", {}, wait=False, tags=["a"], business_key="order-3")
    assert labels(server, business_key="order-3") == [("queued", ["a"], "order-3")]


def test_a_relaxed_start_carries_them(server):
    with omium.start_execution("script", durability="relaxed", tags=["a"], business_key="k") as execution:
        execution.step("one", lambda: 1)
    assert labels(server, tag="a") == [("script", ["a"], "k")]


def test_a_child_has_none_of_its_own(server):
    @omium.workflow
    def parent():
        return omium.run_workflow("child", {}, wait=False, tags=["a"])

    with pytest.raises((ConfigError, StepFailed), match="found by its parent"):
        parent()

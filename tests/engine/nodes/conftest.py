"""Executions of specs on each database; every work runs twice, the first time undone."""

import pytest

from omium.server.engine.money import list_money_problems
from omium.server.engine.verify import list_problems
from tests.engine.conftest import clock, engine, key_file
from tests.engine.nodes.specs import Nodes

__all__ = ["clock", "engine", "key_file"]


@pytest.fixture
async def nodes(engine):
    """The engine with workflows; afterwards everything that is stored must fit together."""
    nodes = Nodes(engine)
    yield nodes
    assert await list_problems(engine.db) == []
    assert await list_money_problems(engine.db) == []

"""Executions of specs on each database; every work runs twice, the first time undone."""

import pytest

from tests.engine.conftest import clock, engine, key_file
from tests.engine.nodes.specs import Nodes

__all__ = ["clock", "engine", "key_file"]


@pytest.fixture
def nodes(engine):
    return Nodes(engine)

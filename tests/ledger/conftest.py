"""A ledger on each database, with two tenants and a clock that stands still; every work runs twice."""

import pytest

from omium.clock import ManualClock
from tests.ledger.harness import open_ledger


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
async def ledger(database_url, clock):
    async with open_ledger(database_url, clock) as opened:
        yield opened

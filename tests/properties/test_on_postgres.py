"""A few histories of each machine on PostgreSQL; many, in memory, are gates (faults/test_machines.py)."""

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from omium.server.db.open import open_database
from omium.server.seal import KeyFile
from tests.engine.watched import TwiceDatabase
from tests.properties.breakers import Breakers
from tests.properties.executions import Executions
from tests.properties.inbox import Inbox


class Twice(TwiceDatabase):
    async def close(self):
        await self._db.close()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("machine", [Executions, Breakers, Inbox])
def test_the_machine_does_on_postgres_what_the_reference_says(machine, postgres_url, tmp_path):
    async def make_database(clock):
        return Twice(await open_database(postgres_url, clock=clock))

    bound = {"key_file": KeyFile.open(tmp_path / "keys"), "make_database": staticmethod(make_database)}
    run_state_machine_as_test(
        type("Bound", (machine,), bound),
        settings=settings(
            max_examples=5,
            stateful_step_count=40,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )

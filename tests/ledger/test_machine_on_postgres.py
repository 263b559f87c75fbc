"""The ledger's machine on PostgreSQL, where any step may be met by a death: each counts once, or not at all.

    connection   PostgreSQL ends it after the work's last statement: the driver runs the work again
    process      the server dies there: nothing of it may stay, and whoever comes next does it

SQLite's deaths are in tests/faults (killed servers) and tests/db/test_crash.py.
"""

import asyncio

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from omium.clock import ManualClock
from omium.errors import CreditsExhausted, InvalidRequest
from omium.server.db.open import open_database
from omium.server.db.sql import Sql
from tests.db.twice import TwiceDatabase
from tests.ledger.harness import Ledger, open_ledger
from tests.ledger.test_machine import CAP, OPERATIONS, START, Model, apply, check, set_prices

END_MYSELF = Sql("SELECT pg_terminate_backend(pg_backend_pid()) AS ended")
DEATHS = st.sampled_from([None, "connection", "process"])
TABLES = ("accounts", "holds", "ledger_entries", "key_meters", "credit_lots", "storage_days")


class Died(Exception):
    """The process was killed."""


class Mortal:
    """A ledger's database that dies where it is told to, in front of one that is opened anew then."""

    def __init__(self, url, clock, database):
        self.url = url
        self.clock = clock
        self.database = database
        self.death = None
        self.deaths = []

    async def write(self, work):
        death, self.death = self.death, None
        match death:
            case "connection":
                return await self.database.write(self.cut_once(work))
            case "process":
                await self.die_in(work)
        return await self.database.write(work)

    def cut_once(self, work):
        left = [1]

        def cut(tx):
            result = work(tx)
            if left:
                left.clear()
                self.deaths.append("connection")
                tx.one(END_MYSELF, bool)
            return result

        return cut

    async def die_in(self, work):
        def killed(tx):
            work(tx)
            raise Died

        before = self.rows()
        with pytest.raises((Died, CreditsExhausted, InvalidRequest)):  # killed, or refused before
            await self.database.write(killed)
        self.deaths.append("process")
        await self.database.close()
        self.database = TwiceDatabase(await open_database(self.url, clock=self.clock))
        assert self.rows() == before

    def rows(self):
        """Return what every table of the ledger holds, as somebody else sees it."""
        with psycopg.connect(self.url) as connection:
            return {
                table: sorted(map(repr, connection.execute(f"SELECT * FROM {table}"))) for table in TABLES
            }

    def __getattr__(self, name):
        return getattr(self.database, name)


async def run(url, history):
    clock = ManualClock()
    async with open_ledger(url, clock) as opened:
        mortal = Mortal(url, clock, opened.db)
        try:
            ledger = Ledger(mortal, clock, opened.tenant_id, opened.other_id)
            model = Model()
            await set_prices(ledger)
            key = await ledger.capped_key(CAP)
            await apply(ledger, model, key, "grant", START, None)
            for (name, amount, purpose), death in history:
                mortal.death = death
                await apply(ledger, model, key, name, amount, purpose)
                await check(ledger, model)
        finally:
            await mortal.close()
        return mortal.deaths


@pytest.mark.timeout(600)
def test_any_history_with_deaths_between_and_in_its_steps_gives_what_the_model_says(postgres_server):
    seen = []

    @settings(
        max_examples=max(4, settings().max_examples // 25),
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(history=st.lists(st.tuples(OPERATIONS, DEATHS), min_size=12, max_size=24))
    def try_history(history):
        name = postgres_server.copy_template()
        try:
            seen.extend(asyncio.run(run(postgres_server.url(name), history)))
        finally:
            postgres_server.drop_database(name)

    try_history()
    assert {"connection", "process"} <= set(seen)

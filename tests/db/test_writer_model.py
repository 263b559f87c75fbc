"""The writer against a set: however works are batched, rows and answers are those of one after the other."""

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from omium.clock import ManualClock
from omium.errors import StorageFull
from omium.server.db.open import open_database
from omium.server.db.settings import DatabaseSettings
from omium.server.db.tx import ConstraintViolated
from tests.db import schema
from tests.db.schema import insert, write_migrations
from tests.db.together import write_together

NAMES = st.sampled_from(["a", "b", "c", "d"])


class Stopped(Exception):
    pass


def stop():
    raise Stopped


@dataclass(frozen=True)
class Plan:
    """What one work does; the writes of `inner` are in a savepoint that is undone."""

    writes: list[str]
    inner: list[str]
    end: str  # "returns", "raises", "orphan" (fails at COMMIT), "large" (the disk is full)

    def run(self, tx):
        for name in self.writes:
            insert(tx, name)
        try:
            with tx.savepoint():
                for name in self.inner:
                    insert(tx, name)
                stop()
        except (Stopped, ConstraintViolated):
            pass
        if self.end == "raises":
            raise Stopped
        if self.end == "orphan":
            tx.execute(schema.INSERT_PART, item_id="none", number=1)
        if self.end == "large":
            insert(tx, "large", body=b"x" * 3_000_000)
        return tx.all(schema.LIST_IDS, str)

    def expect(self, rows):
        """Return the answer and the rows after it."""
        after = set(rows)
        for name in self.writes:
            if name in after:
                return ConstraintViolated, rows
            after.add(name)
        match self.end:
            case "raises":
                return Stopped, rows
            case "orphan":
                return ConstraintViolated, rows
            case "large":
                return StorageFull, rows
        return sorted(after), after


PLANS = st.builds(
    Plan,
    writes=st.lists(NAMES, max_size=2),
    inner=st.lists(NAMES, max_size=2),
    end=st.sampled_from(["returns"] * 4 + ["raises", "orphan", "large"]),
)


@settings(max_examples=60)
@given(st.lists(st.lists(PLANS, min_size=1, max_size=6), min_size=1, max_size=4))
def test_rows_and_answers_are_those_of_the_works_one_after_the_other(batches):
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(check(Path(folder), batches))


async def check(folder, batches):
    settings = DatabaseSettings(
        migrations=write_migrations(folder / "migrations"), connections=1, ballast_bytes=0
    )
    database = await open_database(str(folder / "omium.sqlite"), clock=ManualClock(), settings=settings)
    try:
        await database._connections[0].execute_function(
            lambda connection: connection.execute("PRAGMA max_page_count = 200")
        )
        rows = set()
        for batch in batches:
            outcomes = await write_together(database, *(plan.run for plan in batch))
            for plan, outcome in zip(batch, outcomes, strict=True):
                expected, rows = plan.expect(rows)
                assert (type(outcome) if isinstance(outcome, Exception) else outcome) == expected
            assert set(await database.read(lambda tx: tx.all(schema.LIST_IDS, str))) == rows
    finally:
        await database.close()

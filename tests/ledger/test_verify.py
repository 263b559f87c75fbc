"""Whoever changes a row behind the ledger's back is found."""

import pytest

from omium.server.db.tx import Sql
from omium.server.ledger.verify import warn_of_damage


@pytest.fixture
async def used(ledger):
    await ledger.grant(100)
    await ledger.place("ex:1", 60)
    await ledger.spend("ex:1", 25)
    await ledger.spend("none", 90)
    await ledger.grant(500)
    assert await ledger.problems() == []
    return ledger


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (
            "UPDATE accounts SET balance_microcredits = balance_microcredits + 1 WHERE kind = 'funds'",
            "funds is",
        ),
        (
            "UPDATE accounts SET balance_microcredits = balance_microcredits + 1 WHERE kind = 'usage'",
            "usage is",
        ),
        ("UPDATE accounts SET held_microcredits = held_microcredits - 1 WHERE kind = 'funds'", "open holds"),
        ("UPDATE holds SET held_microcredits = held_microcredits + 1", "open holds"),
        ("UPDATE accounts SET balance_microcredits = balance_microcredits + 7 WHERE kind = 'grants'", "be 0"),
        ("UPDATE accounts SET last_seq = last_seq + 1 WHERE kind = 'funds'", "the journal ends at"),
        (
            "UPDATE accounts SET head = digest FROM ledger_entries WHERE kind = 'funds' AND seq = 1",
            "another digest",
        ),
    ],
)
async def test_a_changed_balance_is_found(used, statement, words):
    sql = Sql(statement.replace("FROM ledger_entries WHERE kind", "FROM ledger_entries WHERE accounts.kind"))
    await used.db.write(lambda tx: tx.execute(sql))
    assert any(words in text for text in await used.problems())


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE ledger_entries SET amount_microcredits = 24 WHERE seq = 2",
        "UPDATE ledger_entries SET api_key_id = 'another' WHERE seq = 2",
        "UPDATE ledger_entries SET note = 'x' WHERE seq = 1",
        "DELETE FROM ledger_entries WHERE seq = 2",
    ],
)
async def test_a_changed_journal_is_found(used, change):
    if used.db.dialect == "sqlite":
        drop = [f"DROP TRIGGER ledger_entries_never_{what}" for what in ("change", "go")]
    else:
        drop = ["DROP TRIGGER ledger_entries_never_change ON ledger_entries"]
    for sql in [Sql(statement) for statement in [*drop, change]]:
        await used.db.write(lambda tx, sql=sql: tx.execute(sql))
    found = await used.problems()
    assert any("was changed" in text or "is missing" in text for text in found)


async def test_a_server_that_starts_looks_at_the_ends_of_the_chains(used):
    assert await warn_of_damage(used.db) == []
    statement = Sql(
        "UPDATE accounts SET balance_microcredits = balance_microcredits + 1 WHERE kind = 'funds'"
    )
    await used.db.write(lambda tx: tx.execute(statement))

    assert await warn_of_damage(used.db) == [used.tenant_id, "system"]

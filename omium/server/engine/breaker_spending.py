"""Spending through breakers: tokens and charges that count against a limit per minute.

A report of usage names the breaker through which the call went. Only breakers that have a limit are locked
and counted; for all others a report costs one read. What was spent always counts, also beyond the limit, and
the next call waits (breakers.py).

Lock order (docs/decisions/082-one-order-of-locks.md): breakers come after executions and before all else, but
what is charged is known only at the end. So whoever records usage locks them first, by `lock_limited`. If the
process dies before the commit, neither the usage nor its count is there; a repeat counts once, as the usage.
"""

from __future__ import annotations

from collections.abc import Iterable

from omium.clock import US_PER_S
from omium.errors import BreakerOpen
from omium.models.usage import RecordUsage
from omium.money import format_credits
from omium.server.db.tx import Tx
from omium.server.engine.breaker_state import BreakerFacts, read_facts
from omium.server.engine.breakers import write_facts
from omium.server.store import breakers as store


def lock_limited(tx: Tx, tenant_id: str, environment: str, usage: Iterable[RecordUsage]) -> None:
    """Lock the breakers with limits that `usage` names, by name."""
    for name in sorted({each.breaker for each in usage if each.breaker is not None}):
        row = store.find_breaker(tx, tenant_id, environment, name)
        if row is not None and read_facts(row).is_limited:
            store.lock_breaker(tx, tenant_id, environment, name)


def count_spending(
    tx: Tx, tenant_id: str, environment: str, name: str, *, tokens: int, microcredits: int
) -> None:
    """Count what a call through the breaker `name` has spent, if it has a limit; tell when it is reached."""
    found = store.find_breaker(tx, tenant_id, environment, name)
    if found is None or not read_facts(found).is_limited:
        return
    row = store.lock_breaker(tx, tenant_id, environment, name)
    if row is None:  # its tenant is being deleted
        return
    before = read_facts(row)
    after = before.with_spent(tokens, microcredits, tx.now_us)
    reached = before.find_exhausted(tx.now_us) is None and after.find_exhausted(tx.now_us) is not None
    write_facts(tx, row, after, told=_tell(name, after, tx.now_us) if reached else None)


def refuse_exhausted(tx: Tx, tenant_id: str, environment: str, name: str) -> None:
    """Raise `BreakerOpen` while a limit of the breaker `name` is reached; reads only, and takes no probe."""
    row = store.find_breaker(tx, tenant_id, environment, name)
    facts = read_facts(row) if row is not None else None
    exhausted = facts.find_exhausted(tx.now_us) if facts is not None else None
    if facts is not None and exhausted is not None:
        raise BreakerOpen(_tell(name, facts, tx.now_us), retry_after_s=max(exhausted[1] // US_PER_S, 1))


def _tell(name: str, facts: BreakerFacts, now_us: int) -> str:
    exhausted = facts.find_exhausted(now_us)
    assert exhausted is not None
    if exhausted[0] == "tokens":
        assert facts.tokens_limit is not None
        limit = f"{facts.tokens_limit.amount:,} tokens"
    else:
        assert facts.microcredits_limit is not None
        limit = f"{format_credits(facts.microcredits_limit.amount)} credits"
    return f"The circuit breaker {name} has reached its limit of {limit} a minute: calls through it wait."

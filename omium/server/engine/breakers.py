"""Circuit breakers through the database: all processes of a tenant share one state.

Owns reading, changing and writing that state in one transaction, so that of N processes that ask at once
exactly as many probes pass as the policy allows. The state machines are omium/breaker, what a row keeps is
breaker_state.py, spending is counted by breaker_spending.py. A breaker belongs to its key's environment.

If the process dies in here, nothing was counted. A report that is sent twice counts twice: at worst a breaker
opens a little early, and it closes again by itself.
"""

from __future__ import annotations

from dataclasses import replace

from omium.breaker import admit, force_open, report
from omium.breaker.window import total
from omium.clock import US_PER_S
from omium.errors import NotFound
from omium.models.breaker import (
    Breaker,
    BreakerAnswer,
    BreakerCall,
    BreakerLimits,
    BreakerPolicy,
    BreakerReason,
    SetBreaker,
)
from omium.server.alerts.facts import note_fact
from omium.server.db.tx import Tx
from omium.server.engine.breaker_state import BreakerFacts, new_facts, read_facts, sum_minute, to_circuit
from omium.server.principal import Principal
from omium.server.store import breakers as store
from omium.server.store.breakers import BreakerRow
from omium.states import AlertKind, BreakerState


def report_calls(tx: Tx, principal: Principal, call: BreakerCall) -> BreakerAnswer:
    """Count the outcomes and, where asked, decide whether one call may pass.

    While a limit of spending is reached none does, and none is taken for a probe.
    """
    row = _lock(tx, principal, call.name, call.policy)
    facts = read_facts(row)
    if call.policy is not None:
        facts = replace(facts, policy=call.policy)
    policy = to_circuit(facts.policy)
    if call.succeeded or call.failed:
        circuit = report(facts.circuit, policy, tx.now_us, succeeded=call.succeeded, failed=call.failed)
        facts = replace(facts, circuit=circuit)
    exhausted = facts.find_exhausted(tx.now_us)
    allowed = facts.circuit.state is BreakerState.CLOSED and exhausted is None
    retry_after_us = exhausted[1] if exhausted is not None else None
    if call.want_permission and exhausted is None:
        admission = admit(facts.circuit, policy, tx.now_us)
        facts = replace(facts, circuit=admission.breaker)
        allowed, retry_after_us = admission.allowed, admission.retry_after_us
    write_facts(tx, row, facts)
    return BreakerAnswer(
        name=call.name,
        state=BreakerState.OPEN if exhausted is not None else facts.circuit.state,
        allowed=allowed,
        retry_after_s=retry_after_us / US_PER_S if retry_after_us is not None else None,
        because=find_reason(facts, tx.now_us),
        limited=facts.is_limited,
    )


def set_breaker(tx: Tx, principal: Principal, name: str, command: SetBreaker) -> Breaker:
    """Close the breaker and forget what it has seen, or open it until it is reset; its limits stay."""
    row = _lock(tx, principal, name, None)
    facts = read_facts(row)
    if command.state == "closed":
        facts = new_facts(facts.policy, tx.now_us, facts.limits)
    else:
        facts = replace(facts, circuit=force_open(facts.circuit, tx.now_us))
    return view_breaker(write_facts(tx, row, facts), tx.now_us)


def set_limits(tx: Tx, principal: Principal, name: str, limits: BreakerLimits) -> Breaker:
    """Limit what is spent through the breaker in a minute, beside what its policy says; repeats are safe."""
    row = _lock(tx, principal, name, None)
    facts = replace(read_facts(row), limits=limits)
    return view_breaker(write_facts(tx, row, facts.with_spent(0, 0, tx.now_us)), tx.now_us)


def get_breaker(tx: Tx, principal: Principal, name: str) -> Breaker:
    """Return the breaker of the key's environment, or raise `NotFound`."""
    row = store.find_breaker(tx, principal.tenant_id, principal.environment.value, name)
    if row is None:
        raise NotFound(f"There is no breaker {name!r} in {principal.environment.value} yet.")
    return view_breaker(row, tx.now_us)


def view_breaker(row: BreakerRow, now_us: int) -> Breaker:
    """Return the breaker as it travels, with what its windows hold now."""
    facts = read_facts(row)
    exhausted = facts.find_exhausted(now_us)
    if exhausted is not None:
        retry_after_us: int | None = exhausted[1]
    elif facts.circuit.state is BreakerState.OPEN and facts.circuit.open_until_us > 0:
        retry_after_us = max(facts.circuit.open_until_us - now_us, 0)
    else:
        retry_after_us = None
    tokens, microcredits = facts.tokens_limit, facts.microcredits_limit
    return Breaker(
        name=row.name,
        environment=row.environment,
        state=BreakerState.OPEN if exhausted is not None else facts.circuit.state,
        changed_at_us=row.changed_us,
        updated_at_us=row.updated_us,
        calls=total(facts.circuit.calls, now_us),
        failures=total(facts.circuit.failures, now_us),
        tokens=sum_minute(facts.tokens, now_us),
        microcredits=sum_minute(facts.microcredits, now_us),
        retry_after_s=retry_after_us / US_PER_S if retry_after_us is not None else None,
        because=find_reason(facts, now_us),
        tokens_per_minute=tokens.amount if tokens is not None else None,
        microcredits_per_minute=microcredits.amount if microcredits is not None else None,
        policy=facts.policy.model_dump(mode="json", exclude_none=True),
    )


def find_reason(facts: BreakerFacts, now_us: int) -> BreakerReason | None:
    """Return why no call passes, or only probes do; None while it is closed."""
    if (exhausted := facts.find_exhausted(now_us)) is not None:
        return exhausted[0]
    if facts.circuit.state is BreakerState.CLOSED:
        return None
    opened_by_hand = facts.circuit.state is BreakerState.OPEN and facts.circuit.open_until_us == 0
    return "hand" if opened_by_hand else "failures"


def write_facts(tx: Tx, row: BreakerRow, facts: BreakerFacts, told: str | None = None) -> BreakerRow:
    """Write what changed of a locked breaker, and tell of one that has opened; `told` says why."""
    state = facts.circuit.state
    changed = replace(
        row,
        state=state.value,
        data=facts.to_bytes(),
        changed_us=tx.now_us if state != row.state else row.changed_us,
        updated_us=tx.now_us,
    )
    if changed.data != row.data:
        store.update_breaker(tx, changed)
    if state is BreakerState.OPEN and row.state == BreakerState.CLOSED:  # not after each failed probe
        told = f"The circuit breaker {row.name} is open: calls through it fail at once."
    if told is not None:
        note_fact(
            tx,
            AlertKind.BREAKER_OPENED,
            row.tenant_id,
            subject=row.name,
            text=told,
            environment=row.environment,
        )
    return changed


def _lock(tx: Tx, principal: Principal, name: str, policy: BreakerPolicy | None) -> BreakerRow:
    key = (principal.tenant_id, principal.environment.value, name)
    found = store.lock_breaker(tx, *key)
    if found is None:
        facts = new_facts(policy or BreakerPolicy(), tx.now_us)
        fresh = BreakerRow(*key, facts.circuit.state.value, facts.to_bytes(), tx.now_us, tx.now_us)
        store.insert_breaker(tx, fresh)
        found = store.lock_breaker(tx, *key)  # ours, or that of a neighbour who was faster
    assert found is not None
    return found

"""Circuit breakers through the database: all processes of a tenant share one state.

Owns reading, changing and writing that state in one transaction, so that of N processes that ask at once
exactly as many probes pass as the policy allows. The state machine is omium/breaker. A breaker belongs to its
key's environment.

If the process dies in here, nothing was counted. A report that is sent twice counts twice: at worst a breaker
opens a little early, and it closes again by itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from omium.breaker import Breaker as Circuit
from omium.breaker import CircuitPolicy, admit, force_open, new_breaker, report, reset
from omium.breaker.window import total
from omium.clock import US_PER_S
from omium.errors import NotFound
from omium.jsonvalue import json_bytes
from omium.models.breaker import Breaker, BreakerAnswer, BreakerCall, BreakerPolicy, SetBreaker
from omium.server.alerts.facts import note_fact
from omium.server.db.tx import Tx
from omium.server.principal import Principal
from omium.server.store import breakers as store
from omium.server.store.breakers import BreakerRow
from omium.states import AlertKind, BreakerState


def report_calls(tx: Tx, principal: Principal, call: BreakerCall) -> BreakerAnswer:
    """Count the outcomes and, where asked, decide whether one call may pass."""
    row = _lock(tx, principal, call.name, call.policy)
    circuit, policy = _read(row)[0], _to_policy(call.policy)
    if call.succeeded or call.failed:
        circuit = report(circuit, policy, tx.now_us, succeeded=call.succeeded, failed=call.failed)
    allowed, retry_after_us = circuit.state is BreakerState.CLOSED, None
    if call.want_permission:
        admission = admit(circuit, policy, tx.now_us)
        circuit, allowed, retry_after_us = admission.breaker, admission.allowed, admission.retry_after_us
    _write(tx, row, circuit, call.policy)
    return BreakerAnswer(
        name=call.name,
        state=circuit.state,
        allowed=allowed,
        retry_after_s=retry_after_us / US_PER_S if retry_after_us is not None else None,
    )


def set_breaker(tx: Tx, principal: Principal, name: str, command: SetBreaker) -> Breaker:
    """Close the breaker and forget what it has seen, or open it until it is reset."""
    row = _lock(tx, principal, name, BreakerPolicy())
    circuit, policy = _read(row)
    now = _to_policy(policy)
    circuit = reset(now, tx.now_us) if command.state == "closed" else force_open(circuit, tx.now_us)
    return view_breaker(_write(tx, row, circuit, policy), tx.now_us)


def get_breaker(tx: Tx, principal: Principal, name: str) -> Breaker:
    """Return the breaker of the key's environment, or raise `NotFound`."""
    row = store.find_breaker(tx, principal.tenant_id, principal.environment.value, name)
    if row is None:
        raise NotFound(f"There is no breaker {name!r} in {principal.environment.value} yet.")
    return view_breaker(row, tx.now_us)


def view_breaker(row: BreakerRow, now_us: int) -> Breaker:
    """Return the breaker as it travels, with what its window holds now."""
    circuit, policy = _read(row)
    left_us = circuit.open_until_us - now_us
    waits = circuit.state is BreakerState.OPEN and circuit.open_until_us > 0
    return Breaker(
        name=row.name,
        environment=row.environment,
        state=circuit.state,
        changed_at_us=row.changed_us,
        updated_at_us=row.updated_us,
        calls=total(circuit.calls, now_us),
        failures=total(circuit.failures, now_us),
        retry_after_s=max(left_us, 0) / US_PER_S if waits else None,
        policy=policy.model_dump(mode="json"),
    )


def _lock(tx: Tx, principal: Principal, name: str, policy: BreakerPolicy) -> BreakerRow:
    key = (principal.tenant_id, principal.environment.value, name)
    found = store.lock_breaker(tx, *key)
    if found is None:
        circuit = new_breaker(_to_policy(policy), tx.now_us)
        fresh = BreakerRow(*key, circuit.state.value, _pack(circuit, policy), tx.now_us, tx.now_us)
        store.insert_breaker(tx, fresh)
        found = store.lock_breaker(tx, *key)  # ours, or that of a neighbour who was faster
    assert found is not None
    return found


def _write(tx: Tx, row: BreakerRow, circuit: Circuit, policy: BreakerPolicy) -> BreakerRow:
    changed = BreakerRow(
        tenant_id=row.tenant_id,
        environment=row.environment,
        name=row.name,
        state=circuit.state.value,
        data=_pack(circuit, policy),
        changed_us=tx.now_us if circuit.state != row.state else row.changed_us,
        updated_us=tx.now_us,
    )
    if changed.data != row.data:
        store.update_breaker(tx, changed)
    if changed.state == BreakerState.OPEN and row.state == BreakerState.CLOSED:  # not after each failed probe
        note_fact(
            tx,
            AlertKind.BREAKER_OPENED,
            row.tenant_id,
            subject=row.name,
            text=f"The circuit breaker {row.name} is open: calls through it fail at once.",
            environment=row.environment,
        )
    return changed


def _pack(circuit: Circuit, policy: BreakerPolicy) -> bytes:
    form: Mapping[str, object] = {"circuit": circuit.to_json(), "policy": policy.model_dump(mode="json")}
    return json_bytes(form)  # type: ignore[arg-type]  # both are JSON by their own methods


def _read(row: BreakerRow) -> tuple[Circuit, BreakerPolicy]:
    form = json.loads(row.data)
    return Circuit.from_json(form["circuit"]), BreakerPolicy.model_validate(form["policy"])


def _to_policy(policy: BreakerPolicy) -> CircuitPolicy:
    return CircuitPolicy(
        window_us=max(round(policy.window_s * US_PER_S), 1),
        min_calls=policy.min_calls,
        failure_rate=policy.failure_rate,
        cooldown_us=max(round(policy.cooldown_s * US_PER_S), 1),
        probes=policy.probes,
    )

"""Starting: one start on behalf of who made the schedule or trigger, noted with what became of it.

Whoever made it must still be in: a key that was revoked or has expired, or a person who left, starts nothing.
A refusal (402, an input that the workflow does not take) is a row that people see, not an exception.

The process dies before the commit: neither the row nor the execution is there, and the time is still due.
Twice: the row is there, nothing starts again; were it not, the execution's id is the same.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from omium.errors import Problem, ScopeMissing
from omium.ids import derived_id
from omium.jsonvalue import JsonValue, canonical_bytes, digest
from omium.models.execution import StartExecution
from omium.server.db.tx import Tx
from omium.server.engine.parts import EngineParts
from omium.server.engine.start import start_execution
from omium.server.engine.start_packing import pack_start
from omium.server.principal import Principal, PrincipalKind
from omium.server.store import api_keys, fires, memberships
from omium.server.store.fires import FireRow
from omium.states import ROLE_SCOPES, Driver, Environment, Role, Scope

DETAIL_MAX = 1_000
MAKER_GONE = "maker-gone"


@dataclass(frozen=True, slots=True)
class Origin:
    """A schedule or trigger: what starts which workflow, and who made it."""

    id: str
    tenant_id: str
    environment: str
    workflow: str
    queue: str
    created_by: str


class MakerGone(Exception):
    """Whoever made the schedule or trigger may start nothing any more; the message is a sentence."""


def start_once(
    tx: Tx, parts: EngineParts, origin: Origin, key: str, due_us: int, value: JsonValue, *, live: bool = False
) -> FireRow:
    """Start the workflow for the time `key`, unless it was noted before; returns the row as it is then.

    `live`: whoever comes next asks whether this one still runs.
    """
    row = make_fire(tx, origin, key, due_us, fires.WAITING)
    if not fires.insert_fire(tx, row):
        known = fires.find_fire(tx, origin.id, key)
        assert known is not None, "it was there"
        return known
    return start_noted(tx, parts, origin, row, value, live=live)


def start_noted(
    tx: Tx, parts: EngineParts, origin: Origin, row: FireRow, value: JsonValue, *, live: bool = False
) -> FireRow:
    """Start the workflow for a row that is noted, and write there what became of it."""
    execution_id = derived_id("ex", origin.id, row.key)
    try:
        principal = make_principal(tx, origin)
        with tx.savepoint():
            command = StartExecution(
                id=execution_id,
                workflow=origin.workflow,
                driver=Driver.WORKER,
                queue=origin.queue,
                input=value,
                input_digest=digest(canonical_bytes(value)),
            )
            packed = pack_start(parts.vault, principal, command, None, metered=parts.metering)
            start_execution(tx, packed, parts)
    except MakerGone as gone:
        done = replace(row, outcome=fires.REFUSED, code=MAKER_GONE, detail=str(gone))
    except Problem as problem:
        if problem.retryable:  # busy or full: the time stays due
            raise
        done = replace(row, outcome=fires.REFUSED, code=problem.code, detail=problem.detail[:DETAIL_MAX])
    else:
        done = replace(row, outcome=fires.STARTED, execution_id=execution_id, live=int(live))
    done = replace(done, at_us=tx.now_us)
    fires.update_fire(tx, done)
    return done


def refuse(tx: Tx, origin: Origin, key: str, due_us: int, code: str, detail: str) -> FireRow:
    """Note a time that starts nothing, unless it was noted before; returns the row as it is then."""
    row = replace(make_fire(tx, origin, key, due_us, fires.REFUSED, detail[:DETAIL_MAX]), code=code)
    fires.insert_fire(tx, row)
    return fires.find_fire(tx, origin.id, key) or row


def make_fire(
    tx: Tx, origin: Origin, key: str, due_us: int, outcome: str, detail: str | None = None
) -> FireRow:
    """Return a row for a time, as it begins."""
    return FireRow(
        origin_id=origin.id,
        key=key,
        tenant_id=origin.tenant_id,
        due_us=due_us,
        at_us=tx.now_us,
        outcome=outcome,
        live=0,
        execution_id=None,
        code=None,
        detail=detail,
    )


def require_place(principal: Principal, environment: str, workflow: str) -> None:
    """Refuse who could not start the workflow there himself: a key starts in its own environment only."""
    principal.require(Scope.RUN)
    principal.require_workflow(workflow)
    if principal.kind is PrincipalKind.KEY and principal.environment.value != environment:
        raise ScopeMissing(
            f"This key belongs to the environment {principal.environment.value}; use a key of {environment}.",
            scope=f"environment {environment}",
        )


def make_principal(tx: Tx, origin: Origin) -> Principal:
    """Return who acts: the key or person that made it, as they are today; raises `MakerGone`."""
    environment = Environment(origin.environment)
    if origin.created_by.startswith("us_"):
        role = memberships.find_role(tx, origin.tenant_id, origin.created_by)
        scopes = frozenset[Scope]() if role is None else ROLE_SCOPES[Role(role)]
        if Scope.RUN not in scopes:
            raise MakerGone(
                f"{origin.created_by} made this and may start nothing here any more; make it anew."
            )
        return Principal(origin.tenant_id, origin.created_by, PrincipalKind.USER, environment, scopes)
    key = api_keys.find_tenant_key(tx, origin.tenant_id, origin.created_by)
    status = "gone" if key is None else key.status_at(tx.now_us)
    if key is None or status != api_keys.ACTIVE:
        raise MakerGone(f"The key {origin.created_by} made this and is {status}; make it anew with another.")
    workflows = None if key.workflows is None else frozenset[str](json.loads(key.workflows))
    scopes = frozenset(Scope(name) for name in key.scopes.split())
    if Scope.RUN not in scopes:
        raise MakerGone(f"The key {key.id} made this and has no scope run any more; make it anew.")
    return Principal(origin.tenant_id, key.id, PrincipalKind.KEY, environment, scopes, workflows)

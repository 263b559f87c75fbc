"""Triggers: made, rotated, deleted and shown. Loops of workflows that follow each other are refused.

Each change is one transaction that the endpoint audits; making one locks the tenant's row, so that two at
once cannot close a loop together.
"""

from __future__ import annotations

import json
from typing import Final, cast

from omium.errors import InvalidRequest, LimitReached, NotFound
from omium.jsonvalue import JsonValue, canonical_bytes
from omium.models.schedules import CreateTrigger, NewTrigger, Trigger
from omium.server.db.tx import Tx
from omium.server.engine.parts import EngineParts
from omium.server.engine.values import drop_value, fetch_value, put_value
from omium.server.outbound.signing import Secrets, make_secret, rotate_secrets, valid_secrets
from omium.server.principal import Principal
from omium.server.schedules.starting import Origin, require_place
from omium.server.seal import KeyFile
from omium.server.store import fires, retention
from omium.server.store import triggers as store
from omium.server.store.triggers import TriggerRow
from omium.spec.references import Reference, list_references
from omium.states import EndOutcome, TriggerKind

TRIGGERS_MAX: Final = 200


def create_trigger(
    tx: Tx, parts: EngineParts, keys: KeyFile, principal: Principal, command: CreateTrigger
) -> NewTrigger:
    """Store a trigger; raises `InvalidRequest` for a loop, `LimitReached`, `WorkflowNotAllowed`."""
    environment = (command.environment or principal.environment).value
    require_place(principal, environment, command.workflow)
    _check(command)
    retention.lock_settings(tx, principal.tenant_id)  # one at a time: a loop may need two
    if store.count_triggers(tx, principal.tenant_id) >= TRIGGERS_MAX:
        raise LimitReached(f"A tenant has at most {TRIGGERS_MAX} triggers; delete one first.")
    if command.after_workflow is not None:
        _refuse_loop(tx, principal.tenant_id, environment, command.after_workflow, command.workflow)
    trigger_id, webhook = tx.new_id("tr"), command.kind is TriggerKind.WEBHOOK
    secret = make_secret() if webhook else None
    inputs = None
    if command.inputs is not None:
        packed = parts.vault.pack(principal.tenant_id, cast("JsonValue", command.inputs), what="The mapping")
        inputs = put_value(tx, principal.tenant_id, packed)
    row = TriggerRow(
        id=trigger_id,
        tenant_id=principal.tenant_id,
        environment=environment,
        name=command.name,
        kind=command.kind.value,
        workflow=command.workflow,
        queue=command.queue,
        inputs=inputs,
        sealed=None if secret is None else seal_secrets(keys, trigger_id, ((secret, None),)),
        after_workflow=command.after_workflow,
        outcome=None if webhook else (command.outcome or EndOutcome.COMPLETED).value,
        seen_us=tx.now_us,
        created_us=tx.now_us,
        created_by=principal.id,
    )
    if not store.insert_trigger(tx, row):
        raise InvalidRequest(
            f"There is a trigger {command.name} in {environment} already; choose another name.",
            errors=[{"pointer": "/name", "detail": "is taken"}],
        )
    return NewTrigger(**view_trigger(row).model_dump(), signing_secret=secret)


def rotate_trigger(tx: Tx, keys: KeyFile, principal: Principal, trigger_id: str) -> NewTrigger:
    """Give a webhook's trigger a new secret; the one before it is good for a day more."""
    row = _lock(tx, principal, trigger_id)
    require_place(principal, row.environment, row.workflow)  # who has the secret starts the workflow
    if row.sealed is None:
        raise InvalidRequest("Only a trigger of the kind webhook has a secret.")
    rotated = rotate_secrets(_unseal(keys, row), tx.now_us)
    store.set_sealed(tx, row.id, seal_secrets(keys, row.id, rotated))
    return NewTrigger(**view_trigger(row).model_dump(), signing_secret=rotated[0][0])


def delete_trigger(tx: Tx, principal: Principal, trigger_id: str) -> None:
    """Delete a trigger with the list of its times; what it started goes on."""
    row = _lock(tx, principal, trigger_id)
    fires.delete_fires_of(tx, row.id)
    store.delete_trigger(tx, principal.tenant_id, row.id)
    drop_value(tx, row.tenant_id, row.inputs)


def get_trigger(tx: Tx, tenant_id: str, trigger_id: str) -> TriggerRow:
    """Return a tenant's trigger; raises `NotFound`."""
    row = store.find_trigger(tx, trigger_id)
    if row is None or row.tenant_id != tenant_id:
        raise NotFound(f"There is no trigger {trigger_id} here; see `omium triggers list`.")
    return row


def seal_secrets(keys: KeyFile, trigger_id: str, secrets: Secrets) -> bytes:
    """Seal a webhook's secrets."""
    content: JsonValue = [[secret, until_us] for secret, until_us in secrets]
    return keys.seal(canonical_bytes(content), _place(trigger_id))


def open_secrets(keys: KeyFile, row: TriggerRow, now_us: int) -> list[str]:
    """Return the secrets that are good now, the newest first."""
    return valid_secrets(_unseal(keys, row), now_us)


def read_inputs(tx: Tx, parts: EngineParts, row: TriggerRow) -> JsonValue:
    """Return the mapping of a trigger, None where it has none."""
    if row.inputs is None:
        return None
    return parts.vault.open_value(row.tenant_id, fetch_value(tx, row.tenant_id, row.inputs))


def origin_of(row: TriggerRow) -> Origin:
    """Return what a start needs to know of a trigger."""
    return Origin(row.id, row.tenant_id, row.environment, row.workflow, row.queue, row.created_by)


def view_trigger(row: TriggerRow) -> Trigger:
    """Return the trigger as it travels."""
    return Trigger.model_validate(
        {
            "id": row.id,
            "name": row.name,
            "kind": row.kind,
            "workflow": row.workflow,
            "environment": row.environment,
            "queue": row.queue,
            "path": f"/v1/hooks/{row.id}" if row.sealed is not None else None,
            "after_workflow": row.after_workflow,
            "outcome": row.outcome,
            "created_at_us": row.created_us,
            "created_by": row.created_by,
        }
    )


def _check(command: CreateTrigger) -> None:
    after = command.kind is TriggerKind.AFTER
    if after != (command.after_workflow is not None) or (command.outcome is not None and not after):
        raise InvalidRequest(
            "after_workflow belongs to the kind after, which needs it, and so does outcome.",
            errors=[{"pointer": "/after_workflow", "detail": "does not fit the kind"}],
        )
    allowed, shown = (("execution",), "execution.…") if after else (("body", "id"), "body.… and id")
    for found in list_references(cast("JsonValue", command.inputs)):
        detail = found[1] if isinstance(found, tuple) else ""
        if isinstance(found, Reference) and found.path[0] not in allowed:
            detail = f"{'.'.join(found.path)} is not there: a mapping of this kind may read {shown}."
        if detail:
            raise InvalidRequest(detail, errors=[{"pointer": "/inputs", "detail": detail}])


def _refuse_loop(tx: Tx, tenant_id: str, environment: str, after: str, starts: str) -> None:
    """Refuse a trigger with which a workflow would, at the end of a chain, start itself."""
    follows: dict[str, set[str]] = {}
    for row in store.list_triggers(tx, tenant_id, (environment, ""), TRIGGERS_MAX):
        if row.environment == environment and row.after_workflow is not None:
            follows.setdefault(row.after_workflow, set()).add(row.workflow)
    reached, look = set[str](), [starts]
    while look:
        name = look.pop()
        if name == after:
            detail = f"{after} would start itself again through {starts}, without an end."
            raise InvalidRequest(detail, errors=[{"pointer": "/after_workflow", "detail": "makes a loop"}])
        if name not in reached:
            reached.add(name)
            look.extend(follows.get(name, ()))


def _lock(tx: Tx, principal: Principal, trigger_id: str) -> TriggerRow:
    get_trigger(tx, principal.tenant_id, trigger_id)
    row = store.lock_trigger(tx, trigger_id)
    if row is None:
        raise NotFound(f"There is no trigger {trigger_id} here; see `omium triggers list`.")
    principal.require_workflow(row.workflow)
    return row


def _unseal(keys: KeyFile, row: TriggerRow) -> Secrets:
    assert row.sealed is not None
    stored = json.loads(keys.unseal(row.sealed, _place(row.id)))
    return tuple((secret, until_us) for secret, until_us in stored)


def _place(trigger_id: str) -> bytes:
    return b"trigger\0" + trigger_id.encode()

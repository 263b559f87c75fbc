"""Targets: webhooks that do nodes of a tenant.

Owns creating, rotating, enabling and deleting; everything in one transaction each, which the endpoint audits.
Called twice: creating makes a second target (the endpoint's idempotency key prevents that), deleting answers
`NotFound`. Another tenant's target answers as one that isn't there. What a target had been granted when it's
deleted is done again by others after its lease.
"""

from __future__ import annotations

from dataclasses import dataclass

from omium.errors import InvalidRequest, LimitReached, NotFound
from omium.models.webhook import CreateWebhook, NewWebhook, Webhook
from omium.server.db.tx import Tx
from omium.server.outbound.addresses import TargetRefused
from omium.server.outbound.signing import make_secret
from omium.server.outbound.webhook import Webhook as Sealed
from omium.server.principal import Principal
from omium.server.store import webhooks as store
from omium.server.store.webhooks import TargetRow
from omium.server.webhooks.sending import Sender
from omium.states import Environment

TARGETS_MAX = 100
NOTE_MAX = 300
ALL = "all workflows"


@dataclass(frozen=True, slots=True)
class Target:
    """A target with what is kept beside its row."""

    row: TargetRow
    handlers: list[str]
    open: int


def create_target(tx: Tx, sender: Sender, principal: Principal, command: CreateWebhook) -> NewWebhook:
    """Store a target; raises `InvalidRequest` for an address that this server would never send to.

    A target is given tasks of every workflow, so that a key with a list of them makes and changes none.
    """
    principal.require_workflow(ALL)
    try:
        destination = sender.check(command.url)
    except TargetRefused as refused:
        raise InvalidRequest(
            str(refused), errors=[{"pointer": "/url", "detail": "is not acceptable here"}]
        ) from None
    if store.count_targets(tx, principal.tenant_id) >= TARGETS_MAX:
        raise LimitReached(f"A tenant has at most {TARGETS_MAX} webhooks; delete one first.")
    target_id, secret = tx.new_id("wh"), make_secret()
    row = TargetRow(
        id=target_id,
        tenant_id=principal.tenant_id,
        environment=(command.environment or principal.environment).value,
        queue=command.queue,
        name=command.name,
        destination=destination,
        sealed=sender.seal(principal.tenant_id, target_id, Sealed(command.url, ((secret, None),))),
        concurrency=command.concurrency,
        reply_s=command.reply_s,
        callback_s=command.callback_s,
        status=store.ACTIVE,
        note="",
        created_us=tx.now_us,
        created_by=principal.id,
    )
    store.insert_target(tx, row, command.handlers)
    return NewWebhook(**view_target(read_target(tx, row)).model_dump(), signing_secret=secret)


def rotate_target(tx: Tx, sender: Sender, principal: Principal, target_id: str) -> NewWebhook:
    """Give a target a new signing secret; messages are signed with both for a day, so that none is lost."""
    row = store.lock_target(tx, principal.tenant_id, target_id)
    if row is None:
        raise missing(target_id)
    principal.require_workflow(ALL)
    webhook = sender.unseal(row).rotated(tx.now_us)
    store.set_sealed(tx, row.id, sender.seal(row.tenant_id, row.id, webhook))
    view = view_target(read_target(tx, row))
    return NewWebhook(**view.model_dump(), signing_secret=webhook.secrets[0][0])


def delete_target(tx: Tx, principal: Principal, target_id: str) -> None:
    """Delete a target; raises `NotFound`."""
    get_target(tx, principal.tenant_id, target_id)
    principal.require_workflow(ALL)
    if not store.delete_target(tx, principal.tenant_id, target_id):
        raise missing(target_id)


def get_target(tx: Tx, tenant_id: str, target_id: str) -> TargetRow:
    """Return a target; raises `NotFound`."""
    row = store.find_target(tx, tenant_id, target_id)
    if row is None:
        raise missing(target_id)
    return row


def read_target(tx: Tx, row: TargetRow) -> Target:
    """Return a target with its handlers, and how many tasks it has."""
    return Target(row, store.list_handlers(tx, row.id), store.count_open(tx, row.id))


def view_target(target: Target) -> Webhook:
    """Return the target as it travels."""
    row = target.row
    return Webhook(
        id=row.id,
        name=row.name,
        destination=row.destination,
        handlers=target.handlers,
        environment=Environment(row.environment),
        queue=row.queue,
        concurrency=row.concurrency,
        reply_s=row.reply_s,
        callback_s=row.callback_s,
        status=row.status,
        note=row.note,
        open=target.open,
        created_at_us=row.created_us,
        created_by=row.created_by,
    )


def missing(target_id: str) -> NotFound:
    """Return the problem of a target that isn't there, or is another tenant's."""
    return NotFound(f"There is no webhook {target_id} here.")

"""Rules: what a tenant wants to be told, and where.

Owns adding, rotating, testing and removing; everything in one transaction each, which the endpoint audits.
Called twice: adding makes a second rule (the endpoint's idempotency key prevents that), removing answers
`NotFound`. Another tenant's rule answers as one that isn't there.
"""

from __future__ import annotations

from omium.errors import InvalidRequest, LimitReached, NotFound
from omium.models.alert import AddAlertRule, AlertRule, Delivery, NewAlertRule
from omium.server.alerts.channels import Channels
from omium.server.alerts.gather import ACTIVE, RULES_MAX, make_delivery
from omium.server.alerts.message import items_of
from omium.server.db.tx import Tx
from omium.server.outbound.addresses import TargetRefused
from omium.server.outbound.signing import make_secret
from omium.server.outbound.webhook import Webhook
from omium.server.principal import Principal
from omium.server.store import alerts as store
from omium.server.store.alerts import DeliveryRow, FactRow, RuleRow
from omium.states import AlertChannel, AlertKind, DeliveryStatus, Environment

SELECTABLE = tuple(kind for kind in AlertKind if kind is not AlertKind.ALERT_TESTED)


def add_rule(tx: Tx, channels: Channels, principal: Principal, command: AddAlertRule) -> NewAlertRule:
    """Store a rule; raises `InvalidRequest` for a destination that this server would never send to."""
    try:
        shown = channels.check(command.channel, command.destination)
    except TargetRefused as refused:
        raise InvalidRequest(
            str(refused), errors=[{"pointer": "/destination", "detail": "is not acceptable here"}]
        ) from None
    if store.count_rules(tx, principal.tenant_id) >= RULES_MAX:
        raise LimitReached(f"A tenant has at most {RULES_MAX} alert rules; remove one first.")
    rule_id, sealed, secret = tx.new_id("ar"), None, None
    if command.channel is AlertChannel.WEBHOOK:
        secret = make_secret()
        webhook = Webhook(command.destination, ((secret, None),))
        sealed = channels.seal(principal.tenant_id, rule_id, webhook)
    row = RuleRow(
        id=rule_id,
        tenant_id=principal.tenant_id,
        name=command.name,
        kinds=" ".join(kind.value for kind in SELECTABLE if kind in (command.kinds or SELECTABLE)),
        workflow=command.workflow,
        environment=None if command.environment is None else command.environment.value,
        channel=command.channel.value,
        destination=shown,
        sealed=sealed,
        quiet_s=command.quiet_s,
        status=ACTIVE,
        note="",
        created_us=tx.now_us,
        created_by=principal.id,
    )
    store.insert_rule(tx, row)
    return NewAlertRule(**view_rule(row).model_dump(), signing_secret=secret)


def rotate_secret(tx: Tx, channels: Channels, principal: Principal, rule_id: str) -> NewAlertRule:
    """Give a webhook a new signing secret; messages are signed with both for a day."""
    rule = _lock(tx, principal, rule_id)
    if rule.sealed is None:
        raise InvalidRequest(f"{rule.id} is no webhook: it has no signing secret.")
    webhook = channels.unseal(rule).rotated(tx.now_us)
    store.set_sealed(tx, rule.id, channels.seal(rule.tenant_id, rule.id, webhook))
    return NewAlertRule(**view_rule(rule).model_dump(), signing_secret=webhook.secrets[0][0])


def test_rule(tx: Tx, principal: Principal, rule_id: str) -> Delivery:
    """Make a message that tells nothing, due at once."""
    rule = _lock(tx, principal, rule_id)
    fact = FactRow(
        id=tx.new_id("af"),
        tenant_id=rule.tenant_id,
        kind=AlertKind.ALERT_TESTED.value,
        environment=rule.environment,
        workflow=rule.workflow,
        subject=rule.id,
        text="This is a test: nothing has happened.",
        at_us=tx.now_us,
    )
    row = make_delivery(tx, rule, fact.kind, [fact], DeliveryStatus.RETRYING, tx.now_us)
    store.insert_delivery(tx, row)
    return view_delivery(row)


test_rule.__test__ = False  # type: ignore[attr-defined]  # pytest takes the name for its own


def remove_rule(tx: Tx, principal: Principal, rule_id: str) -> None:
    """Remove a rule with its messages; one that is being sent may still arrive."""
    if not store.delete_rule(tx, principal.tenant_id, rule_id):
        raise NotFound(f"There is no alert rule {rule_id} here.")


def retry_delivery(tx: Tx, principal: Principal, delivery_id: str) -> Delivery:
    """Make a dead message due again; one that is not dead stays as it is."""
    if store.lock_delivery(tx, principal.tenant_id, delivery_id) is None:
        raise NotFound(f"There is no alert delivery {delivery_id} here.")
    store.send_again(tx, delivery_id)
    row = store.lock_delivery(tx, principal.tenant_id, delivery_id)
    assert row is not None
    return view_delivery(row)


def view_rule(row: RuleRow) -> AlertRule:
    """Return the rule as it travels."""
    return AlertRule(
        id=row.id,
        name=row.name,
        kinds=[AlertKind(kind) for kind in row.kinds.split()],
        workflow=row.workflow,
        environment=None if row.environment is None else Environment(row.environment),
        channel=AlertChannel(row.channel),
        destination=row.destination,
        quiet_s=row.quiet_s,
        status=row.status,
        note=row.note,
        created_at_us=row.created_us,
        created_by=row.created_by,
    )


def view_delivery(row: DeliveryRow) -> Delivery:
    """Return the message as it travels."""
    return Delivery(
        id=row.id,
        rule_id=row.rule_id,
        kind=AlertKind(row.kind),
        status=DeliveryStatus(row.status),
        facts=row.facts,
        items=list(items_of(row)),
        first_at_us=row.first_us,
        last_at_us=row.last_us,
        due_at_us=row.due_us,
        attempts=row.attempts,
        error=row.error,
        created_at_us=row.created_us,
        ended_at_us=row.ended_us,
    )


def _lock(tx: Tx, principal: Principal, rule_id: str) -> RuleRow:
    rule = store.lock_rule(tx, principal.tenant_id, rule_id)
    if rule is None:
        raise NotFound(f"There is no alert rule {rule_id} here.")
    return rule

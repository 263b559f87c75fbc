"""Alerts: rules, the facts that wait to be gathered, and the deliveries made of them.

Owns the statements. What matches, gathers and is sent when is omium/server/alerts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from omium.server.db.tx import Sql, SqlValue, Tx


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A rule; `kinds` are separated by spaces, `sealed` is None but for webhooks."""

    id: str
    tenant_id: str
    name: str
    kinds: str
    workflow: str | None
    environment: str | None
    channel: str
    destination: str
    sealed: bytes | None
    quiet_s: int
    status: str
    note: str
    created_us: int
    created_by: str


@dataclass(frozen=True, slots=True)
class FactRow:
    """Something that a tenant with rules may want to be told."""

    id: str
    tenant_id: str
    kind: str
    environment: str | None
    workflow: str | None
    subject: str
    text: str
    at_us: int


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A message for one rule; `items` is a JSON list of the first facts, `facts` counts all."""

    id: str
    tenant_id: str
    rule_id: str
    kind: str
    status: str
    facts: int
    items: bytes
    first_us: int
    last_us: int
    planned_us: int
    due_us: int
    attempts: int
    error: str
    created_us: int
    ended_us: int | None


_RULE = ", ".join(RuleRow.__slots__)
_FACT = ", ".join(FactRow.__slots__)
_DELIVERY = ", ".join(DeliveryRow.__slots__)

# ---- rules

INSERT_RULE = Sql(f"""
    INSERT INTO alert_rules ({_RULE}) VALUES ({", ".join(f":{name}" for name in RuleRow.__slots__)})
""")  # the columns are constants of this module, here and below
LIST_RULES = Sql(f"""
    SELECT {_RULE} FROM alert_rules
     WHERE tenant_id = :tenant_id AND (created_us, id) > (:after_us, :after_id)
     ORDER BY created_us, id LIMIT :limit
""")
COUNT_RULES = Sql("SELECT COUNT(*) FROM alert_rules WHERE tenant_id = :tenant_id")
LOCK_RULE = Sql(f"SELECT {_RULE} FROM alert_rules WHERE tenant_id = :tenant_id AND id = :id {{for_update}}")
FIND_RULE = Sql(f"SELECT {_RULE} FROM alert_rules WHERE tenant_id = :tenant_id AND id = :id")
DELETE_RULE = Sql("DELETE FROM alert_rules WHERE tenant_id = :tenant_id AND id = :id")
SET_SEALED = Sql("UPDATE alert_rules SET sealed = :sealed WHERE id = :id")
SET_STATUS = Sql("UPDATE alert_rules SET status = :status, note = :note WHERE id = :id")

# ---- facts

INSERT_FACT = Sql(f"""
    INSERT INTO alert_facts ({_FACT}, once, gathered)
    SELECT :id, :tenant_id, :kind, :environment, :workflow, :subject, :text, CAST(:at_us AS {{int64}}),
           :once, 0
     WHERE EXISTS (SELECT 1 FROM alert_rules WHERE tenant_id = :tenant_id)
        ON CONFLICT DO NOTHING
""")
LOCK_FACTS = Sql(f"""
    SELECT {_FACT} FROM alert_facts WHERE gathered = 0 ORDER BY id LIMIT :limit {{skip_locked}}
""")
SET_GATHERED = Sql("UPDATE alert_facts SET gathered = 1 WHERE id = :id")
DELETE_FACTS = Sql("""
    DELETE FROM alert_facts WHERE id IN (
      SELECT id FROM alert_facts WHERE gathered = 1 AND at_us < :before_us ORDER BY at_us LIMIT :limit
    ) AND gathered = 1
""")

# ---- deliveries

INSERT_DELIVERY = Sql(f"""
    INSERT INTO alert_deliveries ({_DELIVERY})
    VALUES ({", ".join(f":{name}" for name in DeliveryRow.__slots__)})
""")
LOCK_GATHERING = Sql(f"""
    SELECT {_DELIVERY} FROM alert_deliveries
     WHERE rule_id = :rule_id AND kind = :kind AND status = 'gathering' {{for_update}}
""")
ADD_FACTS = Sql("""
    UPDATE alert_deliveries SET facts = :facts, items = :items, last_us = :last_us WHERE id = :id
""")
LAST_PLANNED = Sql("SELECT MAX(planned_us) FROM alert_deliveries WHERE rule_id = :rule_id AND kind = :kind")
CLAIM = Sql(f"""
    WITH due AS MATERIALIZED (
      SELECT id FROM alert_deliveries
       WHERE ended_us IS NULL AND due_us <= :now_us ORDER BY due_us, id LIMIT :limit {{skip_locked}}
    )
    UPDATE alert_deliveries
       SET status = 'sending', attempts = attempts + 1, due_us = :until_us
     WHERE id IN (SELECT id FROM due)
    RETURNING {_DELIVERY}
""")
END_ATTEMPT = Sql("""
    UPDATE alert_deliveries SET status = :status, error = :error, due_us = :due_us, ended_us = :ended_us
     WHERE id = :id AND status = 'sending' AND attempts = :attempts
""")  # a late one, whose claim has passed to somebody else, changes nothing
LOCK_DELIVERY = Sql(f"""
    SELECT {_DELIVERY} FROM alert_deliveries WHERE tenant_id = :tenant_id AND id = :id {{for_update}}
""")
SEND_AGAIN = Sql("""
    UPDATE alert_deliveries SET status = 'retrying', attempts = 0, due_us = :now_us, ended_us = NULL
     WHERE id = :id AND status = 'dead'
""")
_LIST = f"SELECT {_DELIVERY} FROM alert_deliveries WHERE tenant_id = :tenant_id"
LIST_DELIVERIES = Sql(f"""
    {_LIST} AND (:rule_id IS NULL OR rule_id = :rule_id) AND (:status IS NULL OR status = :status)
       AND (created_us, id) < (:before_us, :before_id)
     ORDER BY created_us DESC, id DESC LIMIT :limit
""")
DELETE_DELIVERIES = Sql("""
    DELETE FROM alert_deliveries WHERE id IN (
      SELECT id FROM alert_deliveries WHERE ended_us IS NOT NULL AND ended_us < :before_us
       ORDER BY ended_us LIMIT :limit
    )
""")


def insert_rule(tx: Tx, row: RuleRow) -> None:
    tx.execute(INSERT_RULE, **_columns(row))


def list_rules(tx: Tx, tenant_id: str, after_us: int, after_id: str, limit: int) -> list[RuleRow]:
    """List the tenant's rules, oldest first."""
    return tx.all(LIST_RULES, RuleRow, tenant_id=tenant_id, after_us=after_us, after_id=after_id, limit=limit)


def count_rules(tx: Tx, tenant_id: str) -> int:
    return tx.one(COUNT_RULES, int, tenant_id=tenant_id)


def lock_rule(tx: Tx, tenant_id: str, rule_id: str) -> RuleRow | None:
    return tx.one_or_none(LOCK_RULE, RuleRow, tenant_id=tenant_id, id=rule_id)


def find_rule(tx: Tx, tenant_id: str, rule_id: str) -> RuleRow | None:
    return tx.one_or_none(FIND_RULE, RuleRow, tenant_id=tenant_id, id=rule_id)


def delete_rule(tx: Tx, tenant_id: str, rule_id: str) -> bool:
    """Remove the rule with its deliveries; False if the tenant has none of this id."""
    return tx.execute(DELETE_RULE, tenant_id=tenant_id, id=rule_id) == 1


def set_sealed(tx: Tx, rule_id: str, sealed: bytes) -> None:
    tx.execute(SET_SEALED, id=rule_id, sealed=sealed)


def set_status(tx: Tx, rule_id: str, status: str, note: str) -> None:
    tx.execute(SET_STATUS, id=rule_id, status=status, note=note)


def insert_fact(tx: Tx, row: FactRow, once: str | None) -> None:
    """Store the fact if its tenant has a rule, and nothing was told under `once`."""
    tx.send(INSERT_FACT, once=once, **_columns(row))


def lock_facts(tx: Tx, limit: int) -> list[FactRow]:
    """Return facts that were not gathered yet, oldest first, and that nobody else is gathering."""
    return tx.all(LOCK_FACTS, FactRow, limit=limit)


def set_gathered(tx: Tx, facts: Sequence[FactRow]) -> None:
    tx.execute_many(SET_GATHERED, [{"id": fact.id} for fact in facts])


def delete_facts(tx: Tx, before_us: int, limit: int) -> int:
    return tx.execute(DELETE_FACTS, before_us=before_us, limit=limit)


def insert_delivery(tx: Tx, row: DeliveryRow) -> None:
    tx.execute(INSERT_DELIVERY, **_columns(row))


def lock_gathering(tx: Tx, rule_id: str, kind: str) -> DeliveryRow | None:
    return tx.one_or_none(LOCK_GATHERING, DeliveryRow, rule_id=rule_id, kind=kind)


def add_facts(tx: Tx, delivery_id: str, facts: int, items: bytes, last_us: int) -> None:
    tx.execute(ADD_FACTS, id=delivery_id, facts=facts, items=items, last_us=last_us)


def find_last_planned(tx: Tx, rule_id: str, kind: str) -> int | None:
    """Return for when the rule's last message of the kind was planned."""
    found = tx.value(LAST_PLANNED, rule_id=rule_id, kind=kind)
    return found if isinstance(found, int) else None


def claim_due(tx: Tx, until_us: int, limit: int) -> list[DeliveryRow]:
    """Take deliveries whose moment has come; whoever dies with them leaves them due again at `until_us`."""
    return tx.all(CLAIM, DeliveryRow, now_us=tx.now_us, until_us=until_us, limit=limit)


def end_attempt(tx: Tx, row: DeliveryRow, status: str, error: str, due_us: int) -> bool:
    """Note how the attempt ended that `row` was claimed for; False if it's another's by now."""
    ended_us = tx.now_us if status in {"sent", "dead"} else None
    changed = tx.execute(
        END_ATTEMPT,
        id=row.id,
        attempts=row.attempts,
        status=status,
        error=error,
        due_us=due_us,
        ended_us=ended_us,
    )
    return changed == 1


def lock_delivery(tx: Tx, tenant_id: str, delivery_id: str) -> DeliveryRow | None:
    return tx.one_or_none(LOCK_DELIVERY, DeliveryRow, tenant_id=tenant_id, id=delivery_id)


def send_again(tx: Tx, delivery_id: str) -> bool:
    """Make a dead delivery due; False if it isn't dead."""
    return tx.execute(SEND_AGAIN, id=delivery_id, now_us=tx.now_us) == 1


def list_deliveries(
    tx: Tx,
    tenant_id: str,
    *,
    rule_id: str | None,
    status: str | None,
    before: tuple[int, str],
    limit: int,
) -> list[DeliveryRow]:
    """List the tenant's deliveries, newest first."""
    return tx.all(
        LIST_DELIVERIES,
        DeliveryRow,
        tenant_id=tenant_id,
        rule_id=rule_id,
        status=status,
        before_us=before[0],
        before_id=before[1],
        limit=limit,
    )


def delete_deliveries(tx: Tx, before_us: int, limit: int) -> int:
    return tx.execute(DELETE_DELIVERIES, before_us=before_us, limit=limit)


def _columns(row: RuleRow | FactRow | DeliveryRow) -> dict[str, SqlValue]:
    return {name: getattr(row, name) for name in row.__slots__}

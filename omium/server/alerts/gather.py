"""Gather: facts that match a rule become one message of it, however many they are.

A message waits `GATHER_S` for company before it is due; the next of the same rule and kind is not due before
the rule's quiet time has passed since the last one was due, and takes in all that happens until then. So a
thousand failures in a second are one message, and a thousand in an hour are one per quiet time.

The process dies before the commit: the facts are gathered again, from the beginning. Two servers at once:
each takes facts that the other has not, and waits for the other's rule.
"""

from __future__ import annotations

import json
from collections import defaultdict

from omium.clock import US_PER_S
from omium.jsonvalue import JsonValue, json_bytes
from omium.server.db.tx import Tx
from omium.server.store import alerts as store
from omium.server.store.alerts import DeliveryRow, FactRow, RuleRow
from omium.states import DeliveryStatus

PORTION_ROWS = 200
GATHER_S = 5
ITEMS_MAX = 10
RULES_MAX = 100
"""Of one tenant."""
ACTIVE = "active"
KEPT_DAYS = 30
"""How long a delivery that ended is shown, and a fact's name for good (`once`) is remembered."""
FACTS_KEPT_DAYS = 400
DAY_US = 86_400 * US_PER_S


def gather_facts(tx: Tx) -> int:
    """Put a portion of new facts into their rules' messages; returns how many facts there were."""
    facts = store.lock_facts(tx, PORTION_ROWS)
    by_tenant: defaultdict[str, list[FactRow]] = defaultdict(list)
    for fact in facts:
        by_tenant[fact.tenant_id].append(fact)
    for tenant_id in sorted(by_tenant):
        for rule in sorted(store.list_rules(tx, tenant_id, -1, "", RULES_MAX), key=lambda rule: rule.id):
            _gather_for(tx, rule, by_tenant[tenant_id])
    store.set_gathered(tx, facts)
    return len(facts)


def _gather_for(tx: Tx, rule: RuleRow, facts: list[FactRow]) -> None:
    by_kind: defaultdict[str, list[FactRow]] = defaultdict(list)
    for fact in facts:
        if matches(rule, fact):
            by_kind[fact.kind].append(fact)
    if not by_kind or store.lock_rule(tx, rule.tenant_id, rule.id) is None:
        return
    for kind in sorted(by_kind):
        add_facts(tx, rule, kind, by_kind[kind])


def matches(rule: RuleRow, fact: FactRow) -> bool:
    """Say whether `rule` wants to be told of `fact`. What belongs to no workflow passes no filter for one."""
    return (
        rule.status == ACTIVE
        and fact.kind in rule.kinds.split()
        and (rule.workflow is None or rule.workflow == fact.workflow)
        and (rule.environment is None or fact.environment in {None, rule.environment})
    )


def add_facts(tx: Tx, rule: RuleRow, kind: str, facts: list[FactRow]) -> None:
    """Put `facts` into the message of `rule` that gathers, a new one if none does; the rule is locked."""
    gathering = store.lock_gathering(tx, rule.id, kind)
    if gathering is not None:
        items = json.loads(gathering.items)
        room = max(ITEMS_MAX - len(items), 0)
        items += [item_of(fact) for fact in facts[:room]]
        count = gathering.facts + len(facts)
        store.add_facts(tx, gathering.id, count, json_bytes(items), max(fact.at_us for fact in facts))
        return
    quiet_us = rule.quiet_s * US_PER_S
    last_us = store.find_last_planned(tx, rule.id, kind)
    due_us = tx.now_us + GATHER_S * US_PER_S
    if last_us is not None:
        due_us = max(due_us, last_us + quiet_us)
    store.insert_delivery(tx, make_delivery(tx, rule, kind, facts, DeliveryStatus.GATHERING, due_us))


def make_delivery(
    tx: Tx, rule: RuleRow, kind: str, facts: list[FactRow], status: DeliveryStatus, due_us: int
) -> DeliveryRow:
    """Return a message of `rule` that tells `facts`, not stored yet."""
    return DeliveryRow(
        id=tx.new_id("dl"),
        tenant_id=rule.tenant_id,
        rule_id=rule.id,
        kind=kind,
        status=status.value,
        facts=len(facts),
        items=json_bytes([item_of(fact) for fact in facts[:ITEMS_MAX]]),
        first_us=min(fact.at_us for fact in facts),
        last_us=max(fact.at_us for fact in facts),
        planned_us=due_us,
        due_us=due_us,
        attempts=0,
        error="",
        created_us=tx.now_us,
        ended_us=None,
    )


def item_of(fact: FactRow) -> JsonValue:
    """Return what a message says of `fact`."""
    return {
        "subject": fact.subject,
        "environment": fact.environment,
        "workflow": fact.workflow,
        "text": fact.text,
        "at_us": fact.at_us,
    }


def sweep_old(tx: Tx) -> int:
    """Remove a portion of what ended long ago; returns how much."""
    removed = store.delete_deliveries(tx, tx.now_us - KEPT_DAYS * DAY_US, PORTION_ROWS)
    return removed + store.delete_facts(tx, tx.now_us - FACTS_KEPT_DAYS * DAY_US, PORTION_ROWS)

"""Plans: monthly credits and an allowed negative, renewed period by period.

    choose_plan    a tenant's first plan, or another one: at once, or when the running period ends
    cancel_plan    the plan ends with its period, or at once
    sweep_plans    renews what is due, one period of one tenant per transaction

A period's credits are booked with `once = plan:<subscription>:<day>`, and the subscription moves on in the
same transaction: if the process dies before its commit the period is still due, after it it is done. A server
that was away for months books every missed period in its turn. Unused credits of a plan that does not roll
over are a lot that ends with the period. Where a plan ends, what is used below zero becomes owed.

Lock order: the tenant's funds, then its subscription; two servers that sweep wait for each other there.
"""

from __future__ import annotations

from dataclasses import replace

from omium.errors import InvalidRequest, NotFound
from omium.server.db.tx import Tx
from omium.server.ledger import funding, lots
from omium.server.ledger.book import About, EntryKind, open_funds
from omium.server.ledger.periods import period_name, period_start_us
from omium.server.store import ledger
from omium.server.store import plans as store
from omium.server.store.plans import PlanRow, SubscriptionRow

_AT_ONCE = "Only the server's operator (scope `server`) changes a plan at once; it changes with its period."


def get_plan(tx: Tx, name: str) -> PlanRow:
    """Return a plan; raises `NotFound`."""
    row = store.find_plan(tx, name)
    if row is None:
        raise NotFound(f"There is no plan named {name!r}; list them with `omium credits plans`.")
    return row


def choose_plan(
    tx: Tx, tenant_id: str, name: str, about: About, *, at_once: bool, is_operator: bool
) -> SubscriptionRow:
    """Give the tenant the plan `name`, and return its subscription.

    The first one begins now. Another one follows when the running period ends, or, with `at_once`, now: the
    running period ends, a new one begins with all its credits. The plan that it has: whatever was chosen for
    later is forgotten, nothing else changes, so a repeat is harmless. Raises `NotFound`, and `InvalidRequest`
    for what only the server's operator does: give a plan that is not open, change one at once.
    """
    plan = get_plan(tx, name)
    if not (plan.open or is_operator):
        raise InvalidRequest(
            f"The plan {name} is given by the server's operator (scope `server`); ask for it there."
        )
    open_funds(tx, tenant_id)
    row = store.find_subscription(tx, tenant_id)
    if row is None:
        row = _begin(tx, tenant_id, plan)
        store.insert_subscription(tx, row)
        _book(tx, row, plan, about)
        return row
    if at_once and not is_operator:
        raise InvalidRequest(_AT_ONCE)
    if row.plan == name or not at_once:
        row = replace(row, next_plan=name)
        store.update_subscription(tx, row)
        return row
    _end_credits(tx, row, about)
    row = _begin(tx, tenant_id, plan)
    store.update_subscription(tx, row)
    _book(tx, row, plan, about)
    return row


def cancel_plan(
    tx: Tx, tenant_id: str, about: About, *, at_once: bool, is_operator: bool
) -> SubscriptionRow | None:
    """End the tenant's plan with its period, or now; returns the subscription, None where none is left.

    At once: unused credits that end with the period end now. Twice: the same answer. Raises `InvalidRequest`
    where somebody else than the server's operator asks for that, or could have a month's credits again.
    """
    if at_once and not is_operator:
        raise InvalidRequest(_AT_ONCE)
    open_funds(tx, tenant_id)
    row = store.find_subscription(tx, tenant_id)
    if row is None:
        return None
    if not at_once:
        row = replace(row, next_plan=None)
        store.update_subscription(tx, row)
        return row
    _end(tx, row, about)
    return None


def sweep_plans(tx: Tx) -> int:
    """Renew one period of one tenant; returns 0 where nothing is due."""
    for tenant_id in store.list_due(tx, 1):
        open_funds(tx, tenant_id)
        row = store.find_subscription(tx, tenant_id)
        if row is not None and row.period_end_us <= tx.now_us:  # nobody else was faster
            _renew(tx, row)
        return 1
    return 0


def _renew(tx: Tx, row: SubscriptionRow) -> None:
    if row.next_plan is None:
        _end(tx, row, About())
        return
    plan = get_plan(tx, row.next_plan)
    lots.end_lots(tx, row.tenant_id, row.period_end_us)
    period = row.period + 1
    row = replace(
        row,
        plan=plan.name,
        period=period,
        period_start_us=row.period_end_us,
        period_end_us=period_start_us(row.anchor_us, period + 1),
    )
    store.update_subscription(tx, row)
    _book(tx, row, plan, About())


def _begin(tx: Tx, tenant_id: str, plan: PlanRow) -> SubscriptionRow:
    return SubscriptionRow(
        tenant_id=tenant_id,
        id=tx.new_id("su"),
        plan=plan.name,
        next_plan=plan.name,
        anchor_us=tx.now_us,
        period=0,
        period_start_us=tx.now_us,
        period_end_us=period_start_us(tx.now_us, 1),
    )


def _book(tx: Tx, row: SubscriptionRow, plan: PlanRow, about: About) -> None:
    """Book the credits of the period that `row` has come to, and let the balance go as low as `plan` says."""
    day = period_name(row.period_start_us)
    if plan.monthly_microcredits:
        funding.fund(
            tx,
            row.tenant_id,
            EntryKind.PLAN_GRANT,
            plan.monthly_microcredits,
            replace(about, note=f"plan {plan.name}, from {day}"),
            once=_once(row),
            expires_us=None if plan.rolls_over else row.period_end_us,
        )
    funding.end_negative(tx, row.tenant_id, plan.negative_microcredits, about)


def _end_credits(tx: Tx, row: SubscriptionRow, about: About) -> None:
    """End the period's credits now, unless they roll over; a grant's own end is another matter."""
    booked = ledger.find_once(tx, row.tenant_id, _once(row))
    if booked is not None:
        lots.end_lots(tx, row.tenant_id, row.period_end_us, seq=booked.seq, about=about)


def _once(row: SubscriptionRow) -> str:
    return f"plan:{row.id}:{period_name(row.period_start_us)}"


def _end(tx: Tx, row: SubscriptionRow, about: About) -> None:
    _end_credits(tx, row, about)
    funding.end_negative(tx, row.tenant_id, 0, about)
    store.delete_subscription(tx, row.tenant_id)

"""Plans and the subscriptions of tenants. When one renews, omium/server/ledger/plans.py decides."""

from __future__ import annotations

from dataclasses import dataclass

from omium.server.db.tx import Sql, Tx


@dataclass(frozen=True, slots=True)
class PlanRow:
    """A row of `plans`; `open` is 1 where tenants may choose it themselves."""

    name: str
    title: str
    price_usd: str
    monthly_microcredits: int
    negative_microcredits: int
    rolls_over: int
    open: int
    changed_us: int


_PLAN = "name, title, price_usd, monthly_microcredits, negative_microcredits, rolls_over, open, changed_us"

PUT_PLAN = Sql(f"""
    INSERT INTO plans ({_PLAN})
    VALUES (:name, :title, :price_usd, :monthly_microcredits, :negative_microcredits, :rolls_over, :open,
            :changed_us)
    ON CONFLICT (name) DO UPDATE
       SET title = :title, price_usd = :price_usd, monthly_microcredits = :monthly_microcredits,
           negative_microcredits = :negative_microcredits, rolls_over = :rolls_over, open = :open,
           changed_us = :changed_us
""")
FIND_PLAN = Sql(f"SELECT {_PLAN} FROM plans WHERE name = :name")
LIST_PLANS = Sql(f"SELECT {_PLAN} FROM plans ORDER BY monthly_microcredits, name LIMIT 500")


def put_plan(tx: Tx, row: PlanRow) -> None:
    """Store a plan, or change the one of this name."""
    tx.execute(PUT_PLAN, **{name: getattr(row, name) for name in PlanRow.__slots__})


def find_plan(tx: Tx, name: str) -> PlanRow | None:
    return tx.one_or_none(FIND_PLAN, PlanRow, name=name)


def list_plans(tx: Tx) -> list[PlanRow]:
    return tx.all(LIST_PLANS, PlanRow)


@dataclass(frozen=True, slots=True)
class SubscriptionRow:
    """A tenant's plan; `next_plan` is what it becomes at the period's end, the same for "it goes on".

    None says that it ends then.
    """

    tenant_id: str
    id: str
    plan: str
    next_plan: str | None
    anchor_us: int
    period: int
    period_start_us: int
    period_end_us: int


_SUBSCRIPTION = "tenant_id, id, plan, next_plan, anchor_us, period, period_start_us, period_end_us"

FIND_SUBSCRIPTION = Sql(f"""
    SELECT {_SUBSCRIPTION} FROM subscriptions WHERE tenant_id = :tenant_id
""")
INSERT_SUBSCRIPTION = Sql(f"""
    INSERT INTO subscriptions ({_SUBSCRIPTION})
    VALUES (:tenant_id, :id, :plan, :next_plan, :anchor_us, :period, :period_start_us, :period_end_us)
""")
UPDATE_SUBSCRIPTION = Sql("""
    UPDATE subscriptions
       SET id = :id, plan = :plan, next_plan = :next_plan, anchor_us = :anchor_us, period = :period,
           period_start_us = :period_start_us, period_end_us = :period_end_us
     WHERE tenant_id = :tenant_id
""")
DELETE_SUBSCRIPTION = Sql("DELETE FROM subscriptions WHERE tenant_id = :tenant_id")
LIST_DUE = Sql("""
    SELECT tenant_id FROM subscriptions WHERE period_end_us <= :now_us
     ORDER BY period_end_us, tenant_id LIMIT :limit
""")


def find_subscription(tx: Tx, tenant_id: str) -> SubscriptionRow | None:
    """Return a tenant's subscription, or None; to change it, the tenant's funds are locked before."""
    return tx.one_or_none(FIND_SUBSCRIPTION, SubscriptionRow, tenant_id=tenant_id)


def insert_subscription(tx: Tx, row: SubscriptionRow) -> None:
    tx.execute(INSERT_SUBSCRIPTION, **{name: getattr(row, name) for name in SubscriptionRow.__slots__})


def update_subscription(tx: Tx, row: SubscriptionRow) -> None:
    tx.execute(UPDATE_SUBSCRIPTION, **{name: getattr(row, name) for name in SubscriptionRow.__slots__})


def delete_subscription(tx: Tx, tenant_id: str) -> None:
    tx.execute(DELETE_SUBSCRIPTION, tenant_id=tenant_id)


def list_due(tx: Tx, limit: int) -> list[str]:
    """List the tenants whose period is over, the longest ago first."""
    return tx.all(LIST_DUE, str, now_us=tx.now_us, limit=limit)

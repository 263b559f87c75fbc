"""Views: how credits, entries, plans and subscriptions are told over the wire."""

from __future__ import annotations

from omium.models.credits import CreditEntry, Credits
from omium.models.plans import Plan, Subscription
from omium.money import to_credits, to_usd
from omium.server.db.tx import Tx
from omium.server.ledger.book import EntryKind
from omium.server.ledger.history import Line, moved
from omium.server.ledger.state import burn, credits_state
from omium.server.store import plans, storage
from omium.server.store.ledger import EntryRow
from omium.server.store.plans import PlanRow, SubscriptionRow


def view_credits(tx: Tx, tenant_id: str, credits_per_usd: int) -> Credits:
    """Return how a tenant's credits stand."""
    state = credits_state(tx, tenant_id)
    rate = burn(tx, tenant_id, state)
    subscription = plans.find_subscription(tx, tenant_id)
    kept = storage.find_newest(tx, tenant_id)
    return Credits(
        usd=to_usd(state.balance_microcredits, credits_per_usd),
        credits=to_credits(state.balance_microcredits),
        held_credits=to_credits(state.held_microcredits),
        available_credits=to_credits(state.available_microcredits),
        owed_credits=to_credits(state.owed_microcredits),
        negative_credits=to_credits(state.negative_microcredits),
        low=state.is_low,
        low_credits=to_credits(state.threshold_microcredits),
        burn_credits_per_day=to_credits(rate.microcredits_per_day),
        empty_at_us=rate.empty_us,
        plan=subscription.plan if subscription is not None else None,
        stored_bytes=kept.stored_bytes if kept is not None else None,
        storage_credits_per_day=to_credits(kept.charged_microcredits) if kept is not None else 0,
        balance_microcredits=state.balance_microcredits,
        held_microcredits=state.held_microcredits,
        available_microcredits=state.available_microcredits,
        owed_microcredits=state.owed_microcredits,
        credits_per_usd=credits_per_usd,
    )


def view_entry(row: EntryRow, credits_per_usd: int) -> CreditEntry:
    """Return one entry of the journal."""
    return view_line(Line(row, moved(row)), credits_per_usd)


def view_line(line: Line, credits_per_usd: int) -> CreditEntry:
    """Return one line of the history; what differs between folded entries is left out."""
    row, alone = line.entry, line.entries == 1
    return CreditEntry(
        seq=row.seq,
        kind=EntryKind(row.kind),
        credits=to_credits(line.microcredits),
        usd=to_usd(line.microcredits, credits_per_usd),
        balance_credits=to_credits(row.balance_microcredits),
        at_us=row.at_us,
        entries=line.entries,
        execution_id=row.execution_id,
        path=row.path if alone else None,
        api_key_id=row.api_key_id,
        actor_id=row.actor_id,
        price_version=row.price_version if alone else None,
        corrects_seq=row.corrects_seq,
        reference=row.reference,
        note=row.note if alone else None,
        microcredits=line.microcredits,
        balance_microcredits=row.balance_microcredits,
    )


def view_plan(row: PlanRow) -> Plan:
    """Return a plan."""
    return Plan(
        name=row.name,
        title=row.title,
        usd_per_month=row.price_usd,
        monthly_credits=to_credits(row.monthly_microcredits),
        negative_credits=to_credits(row.negative_microcredits),
        rolls_over=bool(row.rolls_over),
        open=bool(row.open),
    )


def view_subscription(row: SubscriptionRow | None) -> Subscription | None:
    """Return a tenant's plan."""
    if row is None:
        return None
    return Subscription(
        plan=row.plan,
        next_plan=row.next_plan,
        period_start_us=row.period_start_us,
        period_end_us=row.period_end_us,
    )

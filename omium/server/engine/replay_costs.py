"""What a replay is going to cost: what runs again as the last time, by today's prices; what is reused, 0.

A forecast like the plan itself: only steps that the source has recorded are known. Usage is priced per step
and model, all its records together, so a record's rounding may be off by a micro-credit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from omium.errors import UnknownPrice
from omium.pricing.book import PriceBook
from omium.server.db.tx import Tx
from omium.server.engine.verdicts import Plan, Verdict
from omium.server.ledger.prices import find_book
from omium.server.store import usage as store
from omium.server.store.executions import ExecutionRow

OUTSIDE = ""
"""The path of usage that no step reported: the workflow's own function runs again, whatever is reused."""


@dataclass(frozen=True, slots=True)
class SourceCosts:
    """What an execution's usage costs by today's book, by path; None where that refuses to price it."""

    book: PriceBook
    usage_microcredits: Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class PlanCosts:
    """What a replay costs in all, and by path; None where it uses what the book refuses to price."""

    total_microcredits: int | None
    steps_microcredits: Mapping[str, int | None]
    price_version: int


def read_costs(tx: Tx, row: ExecutionRow) -> SourceCosts:
    """Price what `row` has used."""
    book = find_book(tx)
    sums: dict[str, int | None] = {}
    for part in store.sum_usage_by_path(tx, row.tenant_id, row.id):
        so_far = sums.get(part.path, 0)
        try:
            priced = book.price_usage(
                provider=part.provider or None,
                model=part.model or None,
                input_tokens=part.input_tokens,
                output_tokens=part.output_tokens,
                cached_tokens=part.cached_tokens,
                cache_write_tokens=part.cache_write_tokens,
                reasoning_tokens=part.reasoning_tokens,
                calls=part.calls,
            )
        except UnknownPrice:
            sums[part.path] = None
            continue
        sums[part.path] = None if so_far is None else so_far + priced.microcredits
    return SourceCosts(book, sums)


def price_plan(plan: Plan, costs: SourceCosts) -> PlanCosts:
    """Return what a replay of `plan` costs; what is blocked counts as if it were decided to run again."""
    if plan.is_exact:
        return PlanCosts(0, {verdict.path: 0 for verdict in plan.verdicts}, costs.book.version)
    steps = {verdict.path: _price_step(verdict, costs) for verdict in plan.verdicts}
    amounts = [
        costs.book.execution_microcredits,
        costs.usage_microcredits.get(OUTSIDE, 0),
        *steps.values(),
    ]
    known = [amount for amount in amounts if amount is not None]
    total = sum(known) if len(known) == len(amounts) else None
    return PlanCosts(total, steps, costs.book.version)


def _price_step(verdict: Verdict, costs: SourceCosts) -> int | None:
    if verdict.disposition == "reuse":
        return 0
    usage = costs.usage_microcredits.get(verdict.path, 0)
    return None if usage is None else usage + costs.book.step_microcredits

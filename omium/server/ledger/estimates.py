"""Estimates: what an execution of a workflow is going to cost, from those that completed last.

The journal is what counts: what was really charged, by whichever prices were in force. Replays are left out
(what they reuse is free), and so is what was never charged (from before metering). Only reads.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from omium.pricing.book import PriceBook
from omium.server.db.tx import Tx
from omium.server.ledger.prices import find_book
from omium.server.store import estimates as store
from omium.server.store.estimates import ChargedPart

LAST: Final = 100
LAST_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class Costs:
    """What several executions cost: half of them at most `p50`, and so on, by the nearest rank."""

    count: int
    p50_microcredits: int
    p95_microcredits: int
    max_microcredits: int


@dataclass(frozen=True, slots=True)
class StepCosts:
    """Usage of one step, all its occurrences in an execution together."""

    name: str
    costs: Costs


@dataclass(frozen=True, slots=True)
class WorkflowCosts:
    """What executions of a workflow cost; `costs.count` 0: only the book's least is known."""

    book: PriceBook
    costs: Costs
    steps: list[StepCosts]
    oldest_us: int | None
    newest_us: int | None


def estimate_workflow(
    tx: Tx, tenant_id: str, workflow: str, environment: str, *, last: int = LAST
) -> WorkflowCosts:
    """Return what the `last` completed executions of a workflow cost."""
    book = find_book(tx)
    parts = store.list_charged(tx, tenant_id, workflow, environment, min(last, LAST_MAX))
    if not parts:
        least = book.work_microcredits(steps=1)
        return WorkflowCosts(book, Costs(0, least, least, least), [], None, None)
    ends = [part.ended_us for part in parts]
    totals: dict[str, int] = defaultdict(int)
    for part in parts:
        totals[part.execution_id] += part.microcredits
    return WorkflowCosts(book, count_costs(totals.values()), _by_step(parts), min(ends), max(ends))


def count_costs(amounts: Iterable[int]) -> Costs:
    """Return the nearest ranks of at least one amount."""
    ordered = sorted(amounts)
    return Costs(len(ordered), _rank(ordered, 50), _rank(ordered, 95), ordered[-1])


def step_name(path: str) -> str:
    """Return what a step is called in all its occurrences, its parents left out."""
    return path.rpartition("/")[2].partition("#")[0].partition("[")[0]


def _by_step(parts: Sequence[ChargedPart]) -> list[StepCosts]:
    by_name: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for part in parts:
        if part.path:
            by_name[step_name(part.path)][part.execution_id] += part.microcredits
    steps = [StepCosts(name, count_costs(sums.values())) for name, sums in by_name.items()]
    return sorted(steps, key=lambda step: (-step.costs.p50_microcredits, step.name))


def _rank(ordered: Sequence[int], percent: int) -> int:
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]

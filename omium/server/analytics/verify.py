"""Verify: the sums of each day are those of the rows that say that they are summed.

Each day is compared in one snapshot, so this runs beside a live server. Used by `omium db verify`.
"""

from __future__ import annotations

import datetime as dt

from omium.server.db.tx import Database, Tx
from omium.server.store import sum_checks
from omium.server.store.sum_checks import Day

FINDINGS_MAX = 1_000


async def list_sum_problems(db: Database) -> list[str]:
    """Return what is wrong with the sums of analytics, as sentences, at most `FINDINGS_MAX`."""
    found: list[str] = []
    for day in await db.read(sum_checks.list_days):
        found += await db.read(lambda tx, d=day: _check(tx, d))  # type: ignore[misc]
        if len(found) >= FINDINGS_MAX:
            return [*found[:FINDINGS_MAX], "There is more; these are the first."]
    return found


def _check(tx: Tx, day: Day) -> list[str]:
    found = [
        f"{_name(day)}: the sums say {pair.summed:,} {pair.name}, the rows {pair.counted:,}."
        for pair in sum_checks.compare_sums(tx, day)
        if pair.summed != pair.counted
    ]
    failures = sum_checks.compare_failures(tx, day)
    if failures.summed < failures.counted:
        found.append(
            f"{_name(day)}: the sums say {failures.summed:,} failures, and {failures.counted:,} are there."
        )
    return found


def _name(day: Day) -> str:
    return f"{day.tenant_id}, {dt.datetime.fromtimestamp(day.day_us / 1e6, dt.UTC).date()}"

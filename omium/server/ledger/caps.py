"""Caps: what an API key may spend within a day, a month, or at all; and who is told when it comes near.

Periods are UTC, by the time of the hold. A soft cap is a part of the cap: passing it stops nothing, it is
told of once in each period (`sweep_crossings`), as is reaching the cap itself. How a cap is held to is
holds.py.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from omium.money import format_credits
from omium.server.db.tx import Tx
from omium.server.store import api_keys, key_meters, key_usage, ledger
from omium.server.store.key_meters import CapRow, Crossed

TOTAL: Final = "total"
PERIODS: Final = (TOTAL, "day", "month")
SWEEP_ROWS: Final = 50
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class KeyNoticeKind(StrEnum):
    """What the people of a tenant are told about one of its keys."""

    SOFT_CAP = "key.soft-cap"
    CAP_REACHED = "key.cap-reached"
    EXPIRED = "key.expired"


@dataclass(frozen=True, slots=True)
class KeyNotice:
    """Something to tell about a key. `once` names it for good: the same notice is never told twice."""

    kind: KeyNoticeKind
    tenant_id: str
    api_key_id: str
    environment: str
    once: str
    text: str
    """A sentence."""


Tell = Callable[[Tx, KeyNotice], None]
"""Takes a notice, in the transaction that notes that it was told: both or neither."""


def period_start_us(period: str, now_us: int) -> int:
    """Return when the period that `now_us` lies in began; 0 for `total`."""
    if period == TOTAL:
        return 0
    day = (_EPOCH + dt.timedelta(microseconds=now_us)).replace(hour=0, minute=0, second=0, microsecond=0)
    start = day if period == "day" else day.replace(day=1)
    return (start - _EPOCH) // dt.timedelta(microseconds=1)


def set_cap(
    tx: Tx,
    tenant_id: str,
    api_key_id: str,
    cap_microcredits: int | None,
    period: str,
    *,
    soft_cap_percent: int | None = None,
) -> None:
    """Cap a key, or take the cap away (None); `period` is one of `PERIODS`. What runs goes on.

    What the key has spent in the running period counts from the first moment, also if it had no cap then or
    one of another period. A second time: nothing changes.
    """
    ledger.lock_funds(tx, tenant_id)  # every charge takes this lock first, so none falls between the sums
    start_us = period_start_us(period, tx.now_us)
    before = key_meters.find_cap(tx, api_key_id)
    if before is not None and before.cap_period == period and before.period_start_us == start_us:
        spent, held = before.spent_microcredits, before.held_microcredits
    else:
        spent, held = key_usage.sum_spent(tx, tenant_id, api_key_id, since_us=start_us).get(api_key_id, 0), 0
    same = before is not None and (before.cap_microcredits, before.cap_period, before.soft_cap_percent) == (
        cap_microcredits,
        period,
        soft_cap_percent,
    )
    key_meters.write_cap(
        tx,
        CapRow(
            api_key_id=api_key_id,
            cap_microcredits=cap_microcredits,
            cap_period=period,
            soft_cap_percent=soft_cap_percent,
            period_start_us=start_us,
            spent_microcredits=max(spent, 0),
            held_microcredits=held,
            warned_start_us=before.warned_start_us if before is not None and same else None,
            reached_start_us=before.reached_start_us if before is not None and same else None,
        ),
    )


def sweep_crossings(tx: Tx, tell: Tell) -> int:
    """Tell of keys that have passed their soft cap, or reached their cap, once a period; return how many.

    The process dies before the commit: nobody was told, the next sweep tells.
    """
    told = 0
    for crossed in key_meters.list_past_soft_cap(tx, SWEEP_ROWS):
        if key_meters.set_soft_cap_told(tx, crossed.api_key_id, crossed.period_start_us):
            text = f"has spent {_amounts(crossed)}, past its soft cap of {crossed.soft_cap_percent} %."
            tell(tx, _notice(KeyNoticeKind.SOFT_CAP, crossed, text))
            told += 1
    for crossed in key_meters.list_past_cap(tx, SWEEP_ROWS):
        if key_meters.set_cap_told(tx, crossed.api_key_id, crossed.period_start_us):
            text = f"has spent {_amounts(crossed)}: its cap is reached, it begins nothing new."
            tell(tx, _notice(KeyNoticeKind.CAP_REACHED, crossed, text))
            told += 1
    return told


def sweep_expired(tx: Tx, tell: Tell) -> int:
    """Tell of keys that have expired, each once, and return how many. They are refused in any case."""
    expired = api_keys.lock_expired(tx, SWEEP_ROWS)
    for row in expired:
        api_keys.set_expiry_told(tx, row.id)
        tell(
            tx,
            KeyNotice(
                KeyNoticeKind.EXPIRED,
                row.tenant_id,
                row.id,
                row.environment,
                once=f"{KeyNoticeKind.EXPIRED} {row.id} {row.expires_us}",
                text=f"The API key {row.name} ({row.id}) has expired.",
            ),
        )
    return len(expired)


ROLLUP_ENTRIES: Final = 2_000


def sweep_rollups(tx: Tx) -> int:
    """Add a portion of one tenant's newest entries to the sums by key and day; 0 if all are in.

    The journal is the truth: what is not added yet is read from there, so a sweep that is late, or dies,
    changes no answer.
    """
    behind = key_usage.find_behind(tx)
    if behind is None:
        return 0
    rolled_seq = key_usage.lock_rollup(tx, behind.tenant_id)
    last_seq = min(rolled_seq + ROLLUP_ENTRIES, behind.last_seq)
    if last_seq > rolled_seq:  # else another server has just done it
        key_usage.roll_up(tx, behind.tenant_id, rolled_seq, last_seq)
    return 1


def _notice(kind: KeyNoticeKind, crossed: Crossed, text: str) -> KeyNotice:
    return KeyNotice(
        kind,
        crossed.tenant_id,
        crossed.api_key_id,
        crossed.environment,
        once=f"{kind} {crossed.api_key_id} {crossed.period_start_us} {crossed.cap_microcredits}",
        text=f"The API key {crossed.name} ({crossed.api_key_id}) {text}",
    )


def _amounts(crossed: Crossed) -> str:
    spent, cap = format_credits(crossed.spent_microcredits), format_credits(crossed.cap_microcredits)
    return f"{spent} of {cap} credits ({crossed.cap_period})"

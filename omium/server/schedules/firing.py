"""Firing: the sweeps that start what is due, and what waits for the one before it.

A schedule's row is locked, what is due starts or is noted, and `next_us` moves on by a conditional UPDATE,
all in one transaction: two servers take different schedules, and a time that was noted is never started
again, whatever clocks do. If a clock was ahead and is set back, the schedule is looked at anew from the
present on.
"""

from __future__ import annotations

from omium.clock import US_PER_S
from omium.jsonvalue import JsonValue
from omium.server.db.tx import Tx
from omium.server.engine.parts import EngineParts
from omium.server.engine.values import fetch_value
from omium.server.schedules import cron
from omium.server.schedules.starting import MAKER_GONE, Origin, make_fire, start_noted, start_once
from omium.server.store import fires
from omium.server.store import schedules as store
from omium.server.store.schedules import ScheduleRow

GRACE_S = 60
"""Seconds after which a time counts as missed: no server looked when it came."""
WAITING_MAX = 100
FIRES_KEPT_DAYS = 30
PORTION = 250


def sweep_due(tx: Tx, parts: EngineParts) -> int:
    """Fire one schedule that is due, or look anew at one whose clock went back; 0 if there is none."""
    row = store.lock_due(tx, tx.now_us)
    if row is not None:
        _fire(tx, parts, row)
        return 1
    ahead = store.lock_ahead(tx, tx.now_us + GRACE_S * US_PER_S)
    if ahead is None:
        return 0
    store.move_on(tx, ahead, cron.next_after(ahead.cron, ahead.timezone, tx.now_us), tx.now_us)
    return 1


def sweep_waiting(tx: Tx, parts: EngineParts) -> int:
    """Start the oldest time of one schedule whose former execution has ended; 0 if there is none."""
    schedule_id = fires.find_free(tx)
    row = None if schedule_id is None else store.lock_schedule(tx, schedule_id)
    if row is None or fires.count_live(tx, row.id):
        return 0
    waiting = fires.find_oldest_waiting(tx, row.id)
    if waiting is None:
        return 0
    start_noted(tx, parts, origin_of(row), waiting, read_input(tx, parts, row), live=True)
    return 1


def sweep_fires(tx: Tx) -> int:
    """Forget a portion of times that are long over."""
    return fires.delete_old(tx, tx.now_us - FIRES_KEPT_DAYS * 86_400 * US_PER_S, PORTION)


def _fire(tx: Tx, parts: EngineParts, row: ScheduleRow) -> None:
    following_us = cron.next_after(row.cron, row.timezone, tx.now_us)
    if not store.move_on(tx, row, following_us, tx.now_us):
        return
    due = _choose(tx, row)
    value = read_input(tx, parts, row) if due else None
    for time_us in due:
        _fire_one(tx, parts, row, time_us, value)


def _choose(tx: Tx, row: ScheduleRow) -> list[int]:
    """Return the times that start something, and note what the schedule leaves out."""
    count = row.missed_max if row.missed == "all" else 1
    due = cron.newest_due(row.cron, row.timezone, row.next_us, tx.now_us, count)
    if row.missed == "skip":
        due = [time_us for time_us in due if tx.now_us - time_us <= GRACE_S * US_PER_S]
    if not due or due[0] > row.next_us:
        detail = "No server looked when this came; what was missed is left out from here on."
        fires.insert_fire(
            tx, make_fire(tx, origin_of(row), str(row.next_us), row.next_us, fires.SKIPPED, detail)
        )
    return due


def _fire_one(tx: Tx, parts: EngineParts, row: ScheduleRow, time_us: int, value: JsonValue) -> None:
    origin, key = origin_of(row), str(time_us)
    if row.overlap != "allow" and fires.count_live(tx, row.id) + fires.count_waiting(tx, row.id):
        if row.overlap == "skip" or fires.count_waiting(tx, row.id) >= WAITING_MAX:
            detail = "The one before it still ran." if row.overlap == "skip" else "Too many waited already."
            fires.insert_fire(tx, make_fire(tx, origin, key, time_us, fires.SKIPPED, detail))
        else:
            fires.insert_fire(tx, make_fire(tx, origin, key, time_us, fires.WAITING))
        return
    fired = start_once(tx, parts, origin, key, time_us, value, live=row.overlap != "allow")
    if fired.code == MAKER_GONE:
        next_us = cron.next_after(row.cron, row.timezone, tx.now_us)
        store.set_status(tx, row.id, "paused", fired.detail or "", next_us)


def origin_of(row: ScheduleRow) -> Origin:
    """Return what a start needs to know of a schedule."""
    return Origin(row.id, row.tenant_id, row.environment, row.workflow, row.queue, row.created_by)


def read_input(tx: Tx, parts: EngineParts, row: ScheduleRow) -> JsonValue:
    """Return the input that a schedule starts with."""
    return parts.vault.open_value(row.tenant_id, fetch_value(tx, row.tenant_id, row.input))

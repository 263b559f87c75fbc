"""Following: workflows that start when another one has ended.

A sweep looks at the ends since it looked last, and a minute before that: an end that was committed late is
found, and one that was followed has its row. Nothing is written where an execution ends: ends cost nothing.
"""

from __future__ import annotations

from omium.clock import US_PER_S
from omium.errors import CheckpointGone
from omium.jsonvalue import JsonValue
from omium.server.db.tx import Tx
from omium.server.engine.parts import EngineParts
from omium.server.engine.values import fetch_value
from omium.server.schedules.incoming import MappingUnfit, make_value
from omium.server.schedules.starting import refuse, start_once
from omium.server.schedules.triggers import origin_of, read_inputs
from omium.server.store import triggers as store
from omium.server.store.details import get_details
from omium.server.store.triggers import EndRow, TriggerRow

OVERLAP_S = 60
PORTION = 20
SEEN_EVERY_S = 30


class Following:
    """Goes round the triggers, one each time, from behind the one before."""

    def __init__(self, parts: EngineParts) -> None:
        self._parts = parts
        self._after_id = ""

    def sweep(self, tx: Tx) -> int:
        """Follow a portion of ends for one trigger; 0 when the round is over."""
        row = store.lock_next_after(tx, self._after_id)
        tx.after_commit(lambda: self._pass("" if row is None else row.id))
        if row is None:
            return 0
        try:
            follow(tx, self._parts, row)
        except Exception:  # not the end of the round: what one trigger cannot read keeps no other waiting
            self._pass(row.id)
            raise
        return 1

    def _pass(self, trigger_id: str) -> None:
        self._after_id = trigger_id


def follow(tx: Tx, parts: EngineParts, row: TriggerRow) -> None:
    """Start what follows the newest ends; `row` is locked."""
    since_us = max(min(row.seen_us, tx.now_us) - OVERLAP_S * US_PER_S, row.created_us)
    statuses = ("completed", "failed") if row.outcome == "any" else (row.outcome or "completed",)
    seen_us = tx.now_us
    for status in statuses:
        ends = store.list_ends(tx, row, status, since_us, PORTION)
        for end in ends:
            _follow_one(tx, parts, row, end)
        if len(ends) == PORTION:  # there may be more: the next round goes on from here
            seen_us = min(seen_us, ends[-1].ended_us)
    if abs(seen_us - row.seen_us) > SEEN_EVERY_S * US_PER_S:  # an idle look writes nothing
        store.set_seen(tx, row.id, seen_us)


def _follow_one(tx: Tx, parts: EngineParts, row: TriggerRow, end: EndRow) -> None:
    key = f"{end.id}:{end.status}"
    try:
        known = _describe(tx, parts, row, end)
    except CheckpointGone as gone:  # retention was faster
        refuse(tx, origin_of(row), key, end.ended_us, gone.code, gone.detail)
        return
    try:
        value = make_value(read_inputs(tx, parts, row), {"execution": known}, {"execution": known})
    except MappingUnfit as unfit:
        refuse(tx, origin_of(row), key, end.ended_us, "mapping-unfit", str(unfit))
        return
    start_once(tx, parts, origin_of(row), key, end.ended_us, value)


def _describe(tx: Tx, parts: EngineParts, row: TriggerRow, end: EndRow) -> dict[str, JsonValue]:
    """Return what a mapping may read of an end; raises `CheckpointGone`."""
    output = get_details(tx, end.id).output
    return {
        "id": end.id,
        "workflow": row.after_workflow,
        "status": end.status,
        "output": None
        if output is None
        else parts.vault.open_value(row.tenant_id, fetch_value(tx, row.tenant_id, output)),
    }

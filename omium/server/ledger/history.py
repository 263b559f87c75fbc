"""History: the journal as people read it, newest first, the small charges of an execution as one line.

A page is put together from a bounded number of entries: it may have fewer lines than asked for and still be
followed by another. Folding happens within a page; the charges of an execution that go on over a page's edge
appear on both sides of it, each entry once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from omium.server.db.tx import Tx
from omium.server.ledger.book import EntryKind
from omium.server.store import ledger as store
from omium.server.store.ledger import AccountKind, EntryRow

LARGE_MICROCREDITS: Final = 1_000_000_000
"""A charge of so much (a dollar, by default) stands on a line of its own."""
ENTRIES_PER_READ: Final = 1_000
ENTRIES_PER_PAGE_MAX: Final = 5_000
CHARGES: Final = frozenset(
    {EntryKind.CHARGE.value, EntryKind.OVERAGE.value, EntryKind.ARREARS.value, EntryKind.REPAYMENT.value}
)


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """Which entries: None for any."""

    kind: str | None = None
    api_key_id: str | None = None
    execution_id: str | None = None
    from_us: int = 0
    until_us: int = 2**62
    unfolded: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One line: the newest of `entries` entries, and what all of them moved."""

    entry: EntryRow
    microcredits: int
    entries: int = 1


@dataclass(frozen=True, slots=True)
class Lines:
    """A page; `before_seq` is where the next one begins, None at the end of the journal."""

    lines: list[Line]
    before_seq: int | None


def list_history(tx: Tx, tenant_id: str, wanted: HistoryFilter, before_seq: int, limit: int) -> Lines:
    """Return up to `limit` lines of what comes before `before_seq`."""
    lines: list[Line] = []
    places: dict[str, int] = {}  # execution -> its line
    looked = 0
    while looked < ENTRIES_PER_PAGE_MAX:
        rows = _read(tx, tenant_id, wanted, before_seq)
        for row in rows:
            if _fits(row, wanted):
                place = _fold_key(row, wanted)
                if place is not None and place in places:
                    at = places[place]
                    lines[at] = _add(lines[at], row)
                elif len(lines) == limit:
                    return Lines(lines, row.seq + 1)
                else:
                    if place is not None:
                        places[place] = len(lines)
                    lines.append(Line(row, moved(row)))
            before_seq = row.seq
        looked += len(rows)
        if len(rows) < ENTRIES_PER_READ:
            return Lines(lines, None)
    return Lines(lines, before_seq)


def moved(row: EntryRow) -> int:
    """Return what an entry moved as the tenant sees it: above zero what came, below what went."""
    return row.amount_microcredits if row.credit_kind == AccountKind.FUNDS else -row.amount_microcredits


def _read(tx: Tx, tenant_id: str, wanted: HistoryFilter, before_seq: int) -> list[EntryRow]:
    if wanted.execution_id is not None:
        return store.list_of_execution_before(
            tx, tenant_id, wanted.execution_id, before_seq, ENTRIES_PER_READ
        )
    if wanted.kind is not None and wanted.kind not in CHARGES:
        return store.list_uncharged_before(tx, tenant_id, before_seq, ENTRIES_PER_READ)
    return store.list_entries_before(tx, tenant_id, before_seq, ENTRIES_PER_READ)


def _fits(row: EntryRow, wanted: HistoryFilter) -> bool:
    return (
        wanted.kind in (None, row.kind)
        and wanted.api_key_id in (None, row.api_key_id)
        and wanted.from_us <= row.at_us < wanted.until_us
    )


def _fold_key(row: EntryRow, wanted: HistoryFilter) -> str | None:
    """Return what the entry is folded by, None where it stands alone."""
    if wanted.unfolded or row.kind not in CHARGES or row.amount_microcredits >= LARGE_MICROCREDITS:
        return None
    if row.kind == EntryKind.REPAYMENT:
        return None
    return row.execution_id


def _add(line: Line, row: EntryRow) -> Line:
    return replace(line, microcredits=line.microcredits + moved(row), entries=line.entries + 1)

"""Versions of the price book: saved, restored, and carried on when a release brings other prices.

A version is one row that never changes. In force is the newest from its commit on: if the process dies before
that, nothing happened. Saving the book that is in force anyway saves nothing, so a repeat is harmless.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from omium.errors import NotFound, PricesChanged
from omium.money import CREDITS_PER_USD
from omium.pricing.default import default_text
from omium.pricing.parse import BookInvalid, parse_book
from omium.pricing.table import read_edition
from omium.server.db.tx import Tx
from omium.server.ledger.book import SERVER_ACTOR
from omium.server.ledger.prices import digest_of
from omium.server.store import prices as store
from omium.server.store.prices import PriceVersionRow

DEFAULT: Final = "default"
EDITED: Final = "edited"
RESTORED: Final = "restored"
RELEASE: Final = "release"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A book that somebody wants in force."""

    text: str
    credits_per_usd: int
    actor_id: str
    note: str = ""
    origin: str = EDITED
    restored_from: int | None = None


@dataclass(frozen=True, slots=True)
class Saved:
    """The version in force now, the one before it, and whether the former is a new one."""

    row: PriceVersionRow
    former: PriceVersionRow
    is_new: bool


def get_current(tx: Tx, credits_per_usd: int = CREDITS_PER_USD) -> PriceVersionRow:
    """Return the version in force: the newest, or the default book as version 0."""
    return store.find_newest(tx) or _make_row(
        Proposal(default_text(), credits_per_usd, SERVER_ACTOR, origin=DEFAULT), version=0, now_us=tx.now_us
    )


def get_version(tx: Tx, version: int) -> PriceVersionRow:
    """Return a saved version or raise `NotFound`."""
    row = store.find_version(tx, version)
    if row is None:
        raise NotFound(
            f"There is no version {version} of the price book; list them with `omium prices list`."
        )
    return row


def save(tx: Tx, proposal: Proposal, *, replaces: int | None = None) -> Saved:
    """Save another version, unless the book in force is the same.

    Raises `PricesChanged` where another version than `replaces` is in force, or somebody else was faster.
    """
    current = get_current(tx, proposal.credits_per_usd)
    row = _make_row(proposal, version=current.version + 1, now_us=tx.now_us)
    if current.version and current.digest == row.digest:
        return Saved(current, current, is_new=False)
    if replaces is not None and replaces != current.version:
        raise _changed(current.version)
    if not store.insert_version(tx, row):
        raise _changed(row.version)
    return Saved(row, current, is_new=True)


def propose_again(row: PriceVersionRow, credits_per_usd: int, actor_id: str, note: str = "") -> Proposal:
    """Return the text of an earlier version as a proposal."""
    note = note or f"version {row.version} again"
    return Proposal(row.text, credits_per_usd, actor_id, note, RESTORED, row.version)


def follow_release(tx: Tx, *, credits_per_usd: int) -> Saved | None:
    """When a server starts: note in a version of its own what this release or its settings change.

    The default book follows the releases until somebody edits it. Of two servers that start at once one is
    first. None where the book cannot be read by this release, which then is left as it is.
    """
    current = store.find_newest(tx)
    if current is None or current.origin == DEFAULT:
        proposal = Proposal(default_text(), credits_per_usd, SERVER_ACTOR, origin=DEFAULT)
    else:
        note = "another release or setting"
        proposal = Proposal(current.text, credits_per_usd, SERVER_ACTOR, note, RELEASE, current.restored_from)
    try:
        parse_book(proposal.text, credits_per_usd=credits_per_usd)
        return save(tx, proposal)
    except (BookInvalid, PricesChanged):
        return None


def _make_row(proposal: Proposal, *, version: int, now_us: int) -> PriceVersionRow:
    table = read_edition()
    return PriceVersionRow(
        version=version,
        digest=digest_of(proposal.text, proposal.credits_per_usd, table.digest),
        text=proposal.text,
        credits_per_usd=proposal.credits_per_usd,
        table_digest=table.digest,
        table_as_of=table.as_of,
        origin=proposal.origin,
        restored_from=proposal.restored_from,
        created_us=now_us,
        created_by=proposal.actor_id,
        note=proposal.note,
    )


def _changed(version: int) -> PricesChanged:
    return PricesChanged(
        f"The price book was changed meanwhile: version {version} is in force. Look at it, then try again:"
        " omium prices diff",
        version=version,
    )

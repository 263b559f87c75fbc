"""Prices: which price book is in force, and how it comes to another version.

    book = find_book(tx)
    priced = book.price_usage(provider=usage.provider, model=usage.model, ...)

A saved version counts from its commit on, on every node: each transaction looks at the newest number, one row
from the end of a primary key. Parsed books are remembered by the digest of all that decides a price, so the
text is read once a version. Before a server has saved one, the default book counts, as version 0.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from omium.pricing.book import PriceBook
from omium.pricing.default import default_book
from omium.pricing.parse import parse_book
from omium.server.db.tx import Tx
from omium.server.store import prices as store
from omium.server.store.prices import PriceVersionRow

REMEMBERED_MAX: Final = 32


@dataclass(slots=True)
class _Books:
    """Books by version and digest: what is in here follows from its key, so it is never stale."""

    _books: OrderedDict[tuple[int, str], PriceBook] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def find(self, version: int, digest: str) -> PriceBook | None:
        return self._books.get((version, digest))

    def add(self, row: PriceVersionRow) -> PriceBook:
        book = parse_book(row.text, version=row.version, credits_per_usd=row.credits_per_usd)
        with self._lock:  # works run on several threads
            self._books[row.version, row.digest] = book
            while len(self._books) > REMEMBERED_MAX:
                self._books.popitem(last=False)
        return book


_REMEMBERED: Final = _Books()


def find_book(tx: Tx) -> PriceBook:
    """Return the price book in force; the default book as version 0 where none was saved yet."""
    current = store.find_current(tx)
    if current is None:
        return default_book()
    book = _REMEMBERED.find(current.version, current.digest)
    if book is not None:
        return book
    row = store.find_version(tx, current.version)
    assert row is not None, "a version of the price book never goes"
    return _REMEMBERED.add(row)


def read_book(row: PriceVersionRow) -> PriceBook:
    """Return the book of a saved version."""
    return _REMEMBERED.find(row.version, row.digest) or _REMEMBERED.add(row)


def digest_of(text: str, credits_per_usd: int, table_digest: str) -> str:
    """Return the digest of all that decides a price."""
    facts = f"{credits_per_usd}\n{table_digest}\n{text}"
    return hashlib.sha256(facts.encode()).hexdigest()

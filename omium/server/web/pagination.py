"""Pages: keyset pagination, so that page 1,000 costs what page 1 does and a new row never shifts the others.

A cursor is opaque text that names the last row of a page. It is checked for its form only: it selects where
to go on within what the principal may see, and grants nothing.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

from pydantic import BaseModel, Field

from omium.errors import InvalidRequest
from omium.models.wire import Command, Page

LIMIT_MAX = 500
NEWEST: tuple[int, str] = (2**62, "~")  # above every time and every id

RowT = TypeVar("RowT")
ItemT = TypeVar("ItemT", bound=BaseModel)

Limit = Annotated[int, Field(ge=1, le=LIMIT_MAX)]


class PageQuery(Command):
    """The query of every list; lists with filters derive from it."""

    limit: Limit = 50
    after: Annotated[str, Field(max_length=1_000)] | None = None


def encode_cursor(*parts: int | str) -> str:
    """Return the cursor that stands for `parts`, the sort key of a page's last row."""
    return base64.urlsafe_b64encode(json.dumps(parts, separators=(",", ":")).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, *types: type[int | str]) -> tuple[int | str, ...]:
    """Return what `encode_cursor` was given, checked to be of `types`; raises `InvalidRequest`."""
    try:
        parts = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        parts = None
    if (
        not isinstance(parts, list)
        or [type(part) for part in parts] != list(types)
        or any(isinstance(part, int) and not 0 <= part < 2**63 for part in parts)
        or any(isinstance(part, str) and "\x00" in part for part in parts)
    ):
        raise InvalidRequest(
            "This cursor is not one that the server gave; start again without `after`.",
            errors=[{"pointer": "query:/after", "detail": "is no cursor"}],
        )
    return tuple(parts)


def read_time_cursor(query: PageQuery) -> tuple[int, str]:
    """Return (time, id) to go on below, for lists that are sorted newest first by both."""
    if query.after is None:
        return NEWEST
    at_us, row_id = decode_cursor(query.after, int, str)
    return int(at_us), str(row_id)


def read_id_cursor(query: PageQuery) -> str:
    """Return the id to go on after, for lists that are sorted by id."""
    if query.after is None:
        return ""
    (row_id,) = decode_cursor(query.after, str)
    return str(row_id)


def read_number_cursor(query: PageQuery, *, newest_first: bool = False) -> int:
    """Return the number to go on after, or below where the list is `newest_first`."""
    if query.after is None:
        return NEWEST[0] if newest_first else 0
    (number,) = decode_cursor(query.after, int)
    return int(number)


def make_page(
    rows: Sequence[RowT],
    limit: int,
    *,
    key: Callable[[RowT], tuple[int | str, ...]],
    item: Callable[[RowT], ItemT],
) -> Page[ItemT]:
    """Return the page of `rows`; one more than `limit` was asked for, to know whether more follow."""
    shown = rows[:limit]
    following = encode_cursor(*key(shown[-1])) if len(rows) > limit else None
    return Page[ItemT].model_construct(items=[item(row) for row in shown], next=following)

"""Spans and moments as people type them: `90d`, `12h`, `2027-01-31`."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from omium.cli.ending import WrongUse
from omium.clock import US_PER_S

_SPAN: Final = re.compile(r"(\d{1,6})\s*([smhdw])")
_UNIT_S: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400}


def parse_span_s(text: str) -> int:
    """Return the seconds in a span such as `30m` or `7d`; `WrongUse` for anything else."""
    found = _find_span_s(text)
    if found is None:
        raise WrongUse(f"{text!r} is not a span of time; write a number and s, m, h, d or w, such as 12h.")
    return found


def parse_moment(text: str, at_present_us: int) -> int:
    """Return a moment to come in microseconds: a span from now, or a day of UTC at its beginning.

    Raises `WrongUse`.
    """
    span_s = _find_span_s(text)
    return _read_iso(text) if span_s is None else at_present_us + span_s * US_PER_S


def parse_past(text: str, at_present_us: int) -> int:
    """Return a moment that has been, as `parse_moment`: a span back from now, or a day of UTC.

    Raises `WrongUse`.
    """
    span_s = _find_span_s(text)
    return _read_iso(text) if span_s is None else max(at_present_us - span_s * US_PER_S, 0)


def _find_span_s(text: str) -> int | None:
    found = _SPAN.fullmatch(text.strip())
    return None if found is None else int(found[1]) * _UNIT_S[found[2]]


def _read_iso(text: str) -> int:
    """Return the microseconds of an ISO time or day; without a zone it's UTC."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise WrongUse(
            f"{text!r} is no time; write a span (12h, 90d, 4w), a day (2027-01-31), or a time"
            " (2027-01-31T08:00:00+01:00)."
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * US_PER_S)

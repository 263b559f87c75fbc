"""Spans and moments as people type them: `90d`, `12h`, `2027-01-31`."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from omium.cli.ending import WrongUse
from omium.clock import US_PER_S

_SPAN: Final = re.compile(r"(\d{1,6})\s*(m|h|d|w)")
_UNIT_S: Final = {"m": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400}


def parse_moment(text: str, at_present_us: int) -> int:
    """Return the moment that `text` means in microseconds: a span from now, or a day of UTC at its beginning.

    Raises `WrongUse`.
    """
    if span := _SPAN.fullmatch(text.strip()):
        return at_present_us + int(span[1]) * _UNIT_S[span[2]] * US_PER_S
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise WrongUse(f"{text!r} is no time; write a span (12h, 90d, 4w) or a day (2027-01-31).") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp()) * US_PER_S

"""Words: how states, times, sizes and recorded values are said, everywhere alike.

A state is a glyph and a word, never colour alone. The command line and the dashboard share these; how a cell
is coloured and cut is theirs.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from omium.clock import US_PER_S
from omium.money import format_credits
from omium.safetext import safe_text

STATES: Final[Mapping[str, tuple[str, str]]] = {
    "queued": ("…", "cyan"),
    "running": ("▶", "blue"),
    "waiting": ("◷", "cyan"),
    "paused": ("‖", "yellow"),
    "completed": ("✓", "green"),
    "failed": ("✗", "red"),
    "cancelled": ("⊘", "magenta"),
    "retrying": ("↻", "yellow"),
    "open": ("✗", "red"),
    "replayed": ("↻", "green"),
    "rolled_back": ("↶", "green"),
    "ignored": ("-", "dim"),
    "resolved": ("✓", "green"),
    "closed": ("✓", "green"),
    "half_open": ("◐", "yellow"),
    "active": ("✓", "green"),
    "expired": ("⊘", "magenta"),
    "revoked": ("⊘", "magenta"),
    "reuse": ("✓", "green"),
    "rerun": ("↻", "yellow"),
    "blocked": ("✗", "red"),
    "intended": ("▶", "blue"),
    "done": ("✓", "green"),
    "not_applied": ("-", "dim"),
    "unknown": ("?", "red"),
    "skipped": ("-", "dim"),
    "pending": ("…", "cyan"),
    "stopped": ("⊘", "dim"),
    "silent": ("?", "yellow"),
    "ok": ("✓", "green"),
    "warn": ("!", "yellow"),
    "fail": ("✗", "red"),
}
BREAKER_REASONS: Final[Mapping[str, str]] = {
    "tokens": "its limit of tokens",
    "credits": "its limit of credits",
    "hand": "by hand",
}
"""Why a breaker lets no call through, where it is not that calls failed."""
_UNSAFE_IN_JSON: Final = re.compile(r"[^\x20-\x7e\n]")


def state_text(name: str, note: str = "") -> tuple[str, str]:
    """Return a state as glyph and word, such as `✗ failed (driver-lost)`, and the name of its colour."""
    glyph, style = STATES.get(name, ("·", ""))
    return f"{glyph} {name.replace('_', ' ')}" + (f" ({note})" if note else ""), style


def now_us() -> int:
    """Return the wall clock, for relative times."""
    return time.time_ns() // 1000


def ago(at_us: int | None, at_present_us: int) -> str:
    """Return a time as people say it: `just now`, `5 min ago`, `in 2 h`."""
    if at_us is None:
        return "-"
    distance_us = at_present_us - at_us
    if abs(distance_us) < 5 * US_PER_S:
        return "just now"
    whole_s = round(abs(distance_us) / US_PER_S)
    words = f"{whole_s} s" if whole_s < 60 else span(whole_s * US_PER_S)
    return f"{words} ago" if distance_us > 0 else f"in {words}"


def span(length_us: int) -> str:
    """Return a length of time in its largest unit that fits: `340 ms`, `12 s`, `5 min`, `3 h`, `2 d`."""
    if 0 < length_us < 500:
        return "<1 ms"
    seconds = max(length_us, 0) / US_PER_S
    if round(seconds * 1000) < 1000:
        return f"{seconds * 1000:.0f} ms"
    for size_s, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if round(seconds) >= size_s:
            return f"{seconds / size_s:.0f} {unit}"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


def size(length_bytes: int | None) -> str:
    """Return a size in its largest unit that fits."""
    if length_bytes is None:
        return "-"
    amount = float(length_bytes)
    for unit in ("B", "KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"


def count(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: `1 step`, `3 steps`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def local_time(at_us: int) -> str:
    """Return an exact time on this machine's clock, for lists of events and lines."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at_us / US_PER_S))


def zoned_time(at_us: int) -> str:
    """Return the same with the zone's name, for times that are compared with those of another zone."""
    return time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(at_us / US_PER_S))


def iso_time(at_us: int | None) -> str | None:
    """Return a time for scripts: ISO 8601 in UTC with microseconds."""
    if at_us is None:
        return None
    return datetime.fromtimestamp(at_us / US_PER_S, UTC).isoformat(timespec="microseconds")


def value(recorded: object, *, length_max: int = 2_000) -> str:
    """Return a recorded value as indented JSON; a long one says how much of it is left out."""
    text = recorded if isinstance(recorded, str) else json.dumps(recorded, ensure_ascii=False, indent=2)
    left = len(text) - length_max
    text = safe_text(text[:length_max], keep_newlines=True)
    return text if left <= 0 else f"{text}\n… {left:,} more characters; --json shows all of it"


def number(amount: float) -> str:
    """Return credits as people read them: `1,234.5`."""
    return f"{amount:,.6f}".rstrip("0").rstrip(".")


def rounded(amount: float) -> str:
    """Return an amount as a figure to compare: two places, or of less than one what tells them apart."""
    return number(round(amount, 2 if abs(amount) >= 1 else 4))


def money(amount: float) -> str:
    """Return dollars with two places, more where they are needed: `1.50`, `0.0025`."""
    whole, _, part = f"{amount:,.9f}".rstrip("0").partition(".")
    return f"{whole}.{part.ljust(2, '0')}"


def spent_in_a_minute(
    tokens: int, tokens_max: int | None, microcredits: int, microcredits_max: int | None
) -> str:
    """Return what was spent through a breaker beside its limits; empty where it has none."""
    told = []
    if tokens_max is not None:
        told.append(f"{tokens:,} of {tokens_max:,} tokens")
    if microcredits_max is not None:
        told.append(f"{format_credits(microcredits)} of {format_credits(microcredits_max)} credits")
    return ", ".join(told)


def slot_words(key: str, limit: int) -> str:
    """Return what somebody waits for whose concurrency key has no free slot."""
    return f"a slot of {key} ({limit:,} at once)"


def refused_words(spans: int, most: int) -> str:
    """Return what is missing of a trace that has more spans than are kept of one."""
    return f"{count(spans, 'span')} refused, because a trace holds at most {most:,}"


def json_text(plain: object, *, indent: int | None = None) -> str:
    """Return JSON of what a terminal would obey nothing: control and direction characters are escaped."""
    text = json.dumps(plain, ensure_ascii=False, indent=indent)
    if safe_text(text, keep_newlines=True) == text:
        return text
    return _UNSAFE_IN_JSON.sub(lambda found: found[0] if safe_text(found[0]) else _escape(found[0]), text)


def _escape(character: str) -> str:
    return json.dumps(character)[1:-1] if character != "\x7f" else "\\u007f"

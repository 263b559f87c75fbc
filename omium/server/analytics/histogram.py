"""A histogram of durations whose buckets grow with what they hold; two of them are added bucket by bucket.

Eight buckets for each doubling, cut linearly as HdrHistogram does: whole numbers only, the same everywhere,
and whatever is in a bucket is at most an eighth away from what else is in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_PARTS_BITS: Final = 3
_PARTS: Final = 1 << _PARTS_BITS


def bucket_of(duration_us: int) -> int:
    """Return the number of the bucket that holds `duration_us`; what is below zero counts as zero."""
    value = max(duration_us, 0)
    if value < _PARTS:
        return value
    shift = value.bit_length() - 1 - _PARTS_BITS
    return (shift << _PARTS_BITS) + (value >> shift)


def middle_us(bucket: int) -> int:
    """Return the middle of a bucket, in microseconds: at most a sixteenth away from what is in it."""
    if bucket < 2 * _PARTS:
        return bucket
    shift = (bucket >> _PARTS_BITS) - 1
    lowest = (bucket - (shift << _PARTS_BITS)) << shift
    return lowest + (1 << shift) // 2


def percentile_us(counts: Mapping[int, int], percent: int) -> int | None:
    """Return the duration that `percent` of the counted do not exceed, by nearest rank; None of nothing."""
    total = sum(counts.values())
    if total <= 0:
        return None
    rank, seen = max(-(-total * percent // 100), 1), 0
    for bucket in sorted(counts):
        seen += counts[bucket]
        if seen >= rank:
            return middle_us(bucket)
    return None

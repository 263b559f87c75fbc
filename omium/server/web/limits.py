"""Limits: token buckets per key, tenant and address, and the quotas of open streams and of waiting workers.

Owns counters in memory, for this process: they protect the server, they are no billing. Sizes are bounded,
the clock is handed in. What is over answers 429 with Retry-After.
"""

from __future__ import annotations

import math
from collections import OrderedDict, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from omium.clock import US_PER_S, Clock
from omium.errors import RateLimited, TooManyStreams

BUCKETS_MAX = 20_000


class TokenBuckets:
    """One bucket per name, refilled with `rate_per_s`, at most `burst`; the longest unused is forgotten."""

    def __init__(self, clock: Clock, rate_per_s: float, burst: float, whose: str) -> None:
        self._clock = clock
        self._rate_per_us = rate_per_s / US_PER_S
        self._burst = max(1.0, burst)
        self._whose = whose
        self._levels: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def take(self, name: str) -> None:
        """Take one token from the bucket of `name`, or raise `RateLimited`."""
        now_us = self._clock.boot_us()
        level, since_us = self._levels.get(name, (self._burst, now_us))
        level = min(self._burst, level + (now_us - since_us) * self._rate_per_us)
        if level < 1.0:
            self._refuse(level)
        self._levels[name] = (level - 1.0, now_us)
        self._levels.move_to_end(name)
        if len(self._levels) > BUCKETS_MAX:
            self._levels.popitem(last=False)

    def is_empty(self, name: str) -> bool:
        """Say whether `take` would be refused; takes nothing."""
        found = self._levels.get(name)
        if found is None:
            return False
        level, since_us = found
        return level + (self._clock.boot_us() - since_us) * self._rate_per_us < 1.0

    def refuse_if_empty(self, name: str) -> None:
        """Raise `RateLimited` if `take` would; takes nothing."""
        if self.is_empty(name):
            self._refuse(0.0)

    def _refuse(self, level: float) -> None:
        wait_s = max(1, math.ceil((1.0 - level) / self._rate_per_us / US_PER_S))
        raise RateLimited(f"Too many requests of one {self._whose}; wait {wait_s} s.", retry_after_s=wait_s)


class StreamQuota:
    """How many streams, or long polls, are open, in all and per principal; the rest is for plain requests.

    Each of the two has its own: the workers of a key do not keep people from watching, nor the reverse.
    """

    def __init__(self, total_max: int, per_principal_max: int, what: str = "open streams") -> None:
        self._what = what
        self._total_max = total_max
        self._per_principal_max = per_principal_max
        self._by_principal: defaultdict[str, int] = defaultdict(int)
        self.open = 0

    @contextmanager
    def hold(self, principal_id: str) -> Iterator[None]:
        """Count one stream while the block runs, or raise `TooManyStreams`."""
        if self._by_principal[principal_id] >= self._per_principal_max:
            raise TooManyStreams(
                f"This key has {self._per_principal_max} {self._what} already; end one, or use another key.",
                limit=self._per_principal_max,
            )
        if self.open >= self._total_max:
            raise TooManyStreams(f"The server has {self._total_max} {self._what} already; try again later.")
        self._by_principal[principal_id] += 1
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1
            self._by_principal[principal_id] -= 1
            if not self._by_principal[principal_id]:
                del self._by_principal[principal_id]

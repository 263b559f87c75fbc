"""Policy: the times that the engine keeps (semantics 3.3, 3.4, 3.9), in one place."""

from __future__ import annotations

from dataclasses import dataclass

from omium.clock import US_PER_S


@dataclass(frozen=True, slots=True)
class Policy:
    """All in seconds. A driver is told its lease with the grant, so servers may change these at any time."""

    lease_s: float = 30
    heartbeat_s: float = 10
    self_fence_s: float = 20
    """A strict driver starts nothing later than this after its last acknowledged write."""
    grace_s: float = 5
    """Waited after a lease before its driver counts as lost."""
    silent_after_s: float = 15 * 60
    """How long a relaxed driver may stay silent before it counts as lost."""
    cancel_grace_s: float = 30
    """How long a running execution may take to stop after a cancel."""
    worker_seen_s: float = 60
    """How long a worker counts as there after it asked for work."""

    @property
    def expiry_us(self) -> int:
        """Lease and grace, in microseconds of the lease clock."""
        return round((self.lease_s + self.grace_s) * US_PER_S)

    @property
    def silent_us(self) -> int:
        return round((self.lease_s + self.grace_s + self.silent_after_s) * US_PER_S)

    @property
    def cancel_grace_us(self) -> int:
        return round(self.cancel_grace_s * US_PER_S)

    @property
    def worker_seen_us(self) -> int:
        return round(self.worker_seen_s * US_PER_S)
